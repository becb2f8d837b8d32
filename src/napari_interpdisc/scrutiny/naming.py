"""What each latent stands for: names, and the evidence for them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import Progress, silent
from napari_interpdisc.bootstrap import LEVELS
from napari_interpdisc.models.cell_model import LatentMeaning
from napari_interpdisc.models.properties import FAMILIES, PROPERTIES
from napari_interpdisc.number_text import signed
from napari_interpdisc.scrutiny.relations import DRAWS, Relations, relate
from napari_interpdisc.scrutiny.rotation import WOBBLE, RotatingPair
from napari_interpdisc.scrutiny.two_properties import TwoProperties, functions_of_two

THRESHOLD = 0.5
"""A latent is named after a property if the interval of their |ρ| begins here or higher."""

EXCESS = 0.15
"""Information, in nats, beyond what the rank correlation explains that is worth telling."""

FUNCTION = 0.8
"""A latent without such a name takes that of two properties that explain this share of it, r²."""

WELL = 0.8
"""Of a latent with a smaller |ρ|, the evidence tells the two properties that explain it, too."""


@dataclass(frozen=True)
class LatentStudy:
    """What was found about the latents of one model on some cells.

    Attributes
    ----------
    relations
        Every quantity with every property.
    pairs
        Latents that rotate together.
    meanings
        (L,) names and why.
    functions
        The two properties that explain each latent best, by latent.
    """

    relations: Relations
    pairs: tuple[RotatingPair, ...]
    meanings: tuple[LatentMeaning, ...]
    functions: Mapping[int, TwoProperties]

    @property
    def named_after_two(self) -> frozenset[int]:
        """Latents that are named after two properties."""
        return frozenset(
            i
            for i, own in self.functions.items()
            if self.meanings[i].name.startswith(_function_name(own))
        )

    @property
    def orientation_pairs(self) -> tuple[tuple[int, int], ...]:
        """Pairs of order 2 with a steady sum of squares (:data:`WOBBLE`): what a model stores."""
        return tuple(
            (pair.a, pair.b) for pair in self.pairs if pair.order == 2 and pair.wobble <= WOBBLE
        )


def study_latents(
    latents: npt.NDArray[Any],
    properties: Mapping[str, npt.NDArray[Any]],
    groups: npt.NDArray[Any],
    pairs: Sequence[RotatingPair] = (),
    threshold: float = THRESHOLD,
    draws: int = DRAWS,
    seed: int = 0,
    progress: Progress = silent,
) -> LatentStudy:
    """Relate latents to properties, and name them.

    See :func:`relate`, :func:`functions_of_two` and :func:`meanings_of`.
    """
    relations = relate(latents, properties, groups, pairs, draws, seed, True, progress)
    functions = functions_of_two(latents, properties, groups, pairs, draws, seed)
    meanings = meanings_of(relations, pairs, threshold, functions)
    return LatentStudy(relations, tuple(pairs), meanings, functions)


def meanings_of(
    relations: Relations,
    pairs: Sequence[RotatingPair] = (),
    threshold: float = THRESHOLD,
    functions: Mapping[int, TwoProperties] | None = None,
) -> tuple[LatentMeaning, ...]:
    """Name latents by what they follow.

    A latent takes the name of the property of which it has the largest |ρ|, if the interval of |ρ|
    begins at ``threshold`` or above. A rotating pair takes its names from properties that rotate as
    it does (:data:`FAMILIES`), and from no others: from those that it follows most closely in any
    direction, if the interval of that correlation begins at ``threshold`` or above. Its members are
    ``elongation_cos`` and ``elongation_sin``, or ``elongation_a`` and ``elongation_b`` if they lie
    between the axes of the image. Of several latents that follow one property, the strongest has
    the plain name, the next ``size_2``. Its evidence tells the next property that would do, too.

    A latent that follows no single property is named after two of them, if they explain at least
    :data:`FUNCTION` of its variance on held-out groups: ``size_and_elongation``. A pair is then
    ``elongation_by_size_a`` and ``elongation_by_size_b``: it rotates as elongation does, and its
    length depends on the size too. The others have evidence alone.

    Parameters
    ----------
    relations
        From :func:`relate`, with the same pairs.
    pairs
        Rotating pairs.
    threshold
        0–1.
    functions
        From :func:`functions_of_two`.
    """
    known = functions or {}
    n = len(relations.quantities) - len(pairs)
    claims: list[tuple[float, int, str]] = []
    evidence: dict[int, str] = {}
    for k, pair in enumerate(pairs):
        own = known.get(pair.a)
        members = _members(relations, pair, n + k, threshold, own)
        for latent, (strength, name, why) in members.items():
            evidence[latent] = why
            if name:
                claims.append((strength, latent, name))
    for i in range(n):
        if i in evidence:
            continue
        p = strongest(relations, i)
        evidence[i] = _told(relations, i, p)
        if relations.strength[i, p] >= threshold:
            claims.append((abs(float(relations.rho[i, p])), i, _latent_name(relations, p)))
            evidence[i] += _also(relations, i, p, threshold)
            if abs(relations.rho[i, p]) < WELL and _is_function(known.get(i)):
                evidence[i] += f"; {function_text(known[i])}"
        elif _is_function(known.get(i)):
            claims.append((known[i].r2 ** 0.5, i, _function_name(known[i])))
            evidence[i] = f"{function_text(known[i])}; alone {evidence[i]}"
        else:
            evidence[i] += _hidden(relations, i)
    names = _without_repeats(claims)
    return tuple(LatentMeaning(names.get(i, ""), evidence[i]) for i in range(n))


def _also(relations: Relations, row: int, named: int, threshold: float) -> str:
    """The next property that a latent might be named after, if there is one."""
    strength = relations.strength[row].copy()
    strength[named] = 0
    p = int(strength.argmax())
    if strength[p] < threshold:
        return ""
    return f"; also {title_of(relations.properties[p])}, ρ = {rho_text(relations, row, p)}"


def _without_repeats(claims: Sequence[tuple[float, int, str]]) -> dict[int, str]:
    """Names of latents; the strongest claim has the plain name, the next a number."""
    names: dict[int, str] = {}
    for _, latent, name in sorted(claims, key=lambda claim: (-claim[0], claim[1])):
        free, number = name, 1
        while free in names.values():
            number += 1
            free = f"{name}_{number}"
        names[latent] = free
    return names


def strongest(relations: Relations, row: int) -> int:
    """Column of the property with the largest |ρ|; the first if there is no correlation at all."""
    return int(np.nan_to_num(np.abs(relations.rho[row]), nan=-1).argmax())


def title_of(name: str) -> str:
    """What a property is called in a sentence."""
    return PROPERTIES[name].title if name in PROPERTIES else name


def rho_text(relations: Relations, row: int, column: int) -> str:
    """``−0.97 [−0.97, −0.96]``."""
    rho, low, high = (
        signed(float(v[row, column])) for v in (relations.rho, relations.low, relations.high)
    )
    return f"{rho} [{low}, {high}]"


def _is_function(own: TwoProperties | None) -> bool:
    return own is not None and own.r2 >= FUNCTION


def function_text(own: TwoProperties) -> str:
    """``a function of area and eccentricity, r² = 0.91 [0.88, 0.93], 666 cells``."""
    if own.order:
        what = f"{own.first} times a function of {title_of(own.second)} and of itself"
    else:
        what = f"a function of {title_of(own.first)} and {title_of(own.second)}"
    return f"{what}, r² = {r2_text(own)}, {own.cells} cells"


def r2_text(own: TwoProperties) -> str:
    """``0.91 [0.88, 0.93]``."""
    return f"{own.r2:.2f} [{own.low:.2f}, {own.high:.2f}]"


def _function_name(own: TwoProperties) -> str:
    """``size_and_elongation``, or ``elongation_by_size`` of a pair."""
    if own.order:
        return f"{own.first}_by_{_name_after(own.second)}"
    return f"{_name_after(own.first)}_and_{_name_after(own.second)}"


def _latent_name(relations: Relations, p: int) -> str:
    return _name_after(relations.properties[p])


def _name_after(name: str) -> str:
    """What a latent that follows a property is called."""
    if name in PROPERTIES:
        return PROPERTIES[name].latent
    plain = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")
    return (plain if re.match("[A-Za-z]", plain) else f"property_{plain}")[:36]


def _told(relations: Relations, row: int, p: int) -> str:
    """``area, ρ = −0.97 [−0.97, −0.96], 604 cells``."""
    if not np.isfinite(relations.rho[row, p]):
        return "the latent is the same in every cell"
    title = title_of(relations.properties[p])
    return f"{title}, ρ = {rho_text(relations, row, p)}, {relations.cells[p]} cells"


def _hidden(relations: Relations, row: int) -> str:
    """The property of which a latent tells more than its rank correlation does."""
    if relations.information is None:
        return ""
    excess = np.nan_to_num(relations.information[row] - relations.explained[row], nan=-1)
    p = int(excess.argmax())
    if excess[p] < EXCESS:
        return ""
    return (
        f"; not monotone in {title_of(relations.properties[p])}: "
        f"{relations.information[row, p]:.2f} nats at ρ = {signed(relations.rho[row, p])}"
    )


def _family(
    relations: Relations, pair: RotatingPair, threshold: float
) -> tuple[float, str, int, int] | None:
    """Strength, name and columns of the family that a pair follows, if it follows one."""
    members, best = [pair.a, pair.b], None
    lowest = threshold
    for family, names in FAMILIES.get(pair.order, {}).items():
        if not set(names) <= set(relations.properties):
            continue
        columns = [relations.properties.index(name) for name in names]
        # the largest correlation with any direction, both members taken together
        drawn = relations.draws[:, members][:, :, columns].astype(np.float64)
        joint = np.sqrt((drawn**2).sum((1, 2)) / 2)
        joint = joint[np.isfinite(joint)]
        low = float(np.quantile(joint, LEVELS[0])) if len(joint) else 0.0
        if low >= lowest:
            rho = relations.rho[np.ix_(members, columns)]
            best = (float(np.sqrt((rho**2).sum() / 2)), family, columns[0], columns[1])
            lowest = low
    return best


def _members(
    relations: Relations,
    pair: RotatingPair,
    row: int,
    threshold: float,
    function: TwoProperties | None,
) -> dict[int, tuple[float, str, str]]:
    """Strength, name and evidence of both members of a pair; the name may be empty."""
    a, b = pair.a, pair.b
    rotate = {1: "a direction does", 2: "an axis does"}.get(pair.order, f"order {pair.order} does")
    squares = f"{relations.quantities[row]}: {_told(relations, row, strongest(relations, row))}"
    about = {
        latent: f"rotates as {rotate}, with z{other} (score {pair.score:.2f}); {squares}"
        for latent, other in ((a, b), (b, a))
    }
    family = _family(relations, pair, threshold)
    if family is None and function is not None and _is_function(function):
        name, strength = _function_name(function), function.r2**0.5
        told = function_text(function)
        return {
            i: (strength, f"{name}_{letter}", f"{told}; {about[i]}")
            for i, letter in ((a, "a"), (b, "b"))
        }
    if family is None:
        return {
            i: (0.0, "", f"{_told(relations, i, strongest(relations, i))}; {about[i]}")
            for i in (a, b)
        }
    strength, name, p, q = family
    rho = np.abs(relations.rho)
    columns = (p, q) if rho[a, p] + rho[b, q] >= rho[a, q] + rho[b, p] else (q, p)
    aligned = bool((relations.strength[[a, b], columns] >= threshold).all())
    return {
        latent: (
            strength,
            _latent_name(relations, column) if aligned else f"{name}_{letter}",
            f"{_told(relations, latent, column)}; {about[latent]}",
        )
        for latent, column, letter in zip((a, b), columns, "ab", strict=True)
    }
