"""What each latent stands for, as found on real cells: correlation, information, turned crops."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_interpdisc.crops import normalise
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.classifier import Classifier, LatentMeaning
from napari_interpdisc.scrutiny.properties import PROPERTIES

if TYPE_CHECKING:
    import pandas as pd

Float64Array = npt.NDArray[np.float64]
Report = Callable[[int, int], None]

FEWEST_CELLS = 50
"""Cells on which a property must be known."""

THRESHOLD = 0.5
"""A latent is named after a property if the interval of their |ρ| begins here or higher."""

DRAWS = 500
"""Times that groups are drawn again for an interval."""

LEVELS = (0.025, 0.975)
"""Ends of an interval: 95 %."""

INFORMATION_CELLS = 1500
"""Mutual information is estimated on this many cells at most, drawn at random."""

EXCESS = 0.15
"""Information, in nats, beyond what the rank correlation explains that is worth telling."""

TURNS = 8
"""Crops are turned in steps of 360° / 8 = 45°."""

TURNED_CELLS = 400
"""Cells that are turned, drawn at random if there are more."""

ORDERS = (1, 2, 3)
"""How often a pair of latents can go round while the cell turns once. Steps of 45° tell no more."""

PAIR_SCORE = 0.7
"""Two latents are a turning pair from this score on."""

WOBBLE = 0.25
"""A pair whose sum of squares changes more than this, when cells turn, is not stored as one."""

FAMILIES: dict[int, dict[str, tuple[str, str]]] = {
    2: {
        "elongation": ("elongation_cos", "elongation_sin"),
        "crowding": ("crowding_cos", "crowding_sin"),
    },
    1: {"offset": ("offset_y", "offset_x"), "crowding": ("crowding_y", "crowding_x")},
}
"""Properties that turn into each other with the cell, by order."""


@dataclass(frozen=True)
class TurningPair:
    """Two latents that turn into each other when the cell turns.

    Attributes
    ----------
    a, b
        Their numbers, a < b.
    order
        Times that (z_a, z_b) goes round while the cell turns once: 2 for an axis (an orientation
        pair), 1 for a direction.
    score
        Agreement with such a turn, the mean over turns of 45° to 180°: at most 1, 0 for unrelated
        latents.
    wobble
        Variance of z_a² + z_b² when a cell is turned, relative to its variance over cells: 0 where
        the sum of squares does not change at all.
    cells
        Cells that were turned.
    """

    a: int
    b: int
    order: int
    score: float
    wobble: float
    cells: int


@dataclass(frozen=True)
class Relations:
    """How Q quantities (L latents, and z_a² + z_b² of each pair) follow P properties.

    Attributes
    ----------
    quantities, properties
        (Q,) and (P,) names.
    rho
        (Q, P) Spearman's rank correlation; NaN for a property that cannot be ranked.
    low, high
        (Q, P) ends of its 95 % interval when whole groups are drawn again.
    information
        (Q, P) mutual information in nats, ≥ 0; None if it was not asked for.
    cells
        (P,) cells on which each property is known; 0 if it cannot be ranked.
    groups
        Number of groups.
    draws
        (R, Q, P) the correlations of every draw.
    """

    quantities: tuple[str, ...]
    properties: tuple[str, ...]
    rho: Float64Array
    low: Float64Array
    high: Float64Array
    information: Float64Array | None
    cells: npt.NDArray[np.int64]
    groups: int
    draws: npt.NDArray[np.float32]

    @property
    def strength(self) -> Float64Array:
        """(Q, P) lower end of the interval of |ρ|; 0 where the interval of ρ holds 0, or is NaN."""
        away = np.where(self.low > 0, self.low, np.where(self.high < 0, -self.high, 0.0))
        return np.asarray(np.nan_to_num(away))

    @property
    def explained(self) -> Float64Array:
        """(Q, P) information, nats, of two normal variables of the same rank correlation."""
        pearson = np.clip(2 * np.sin(np.pi / 6 * self.rho), -0.9999, 0.9999)
        return np.asarray(-0.5 * np.log1p(-(pearson**2)))

    def to_frame(self) -> pd.DataFrame:
        """One row per quantity and property: rho, low, high, information (nats), cells."""
        import pandas as pd

        q, p = len(self.quantities), len(self.properties)
        table = pd.DataFrame(
            {
                "latent": np.repeat(self.quantities, p),
                "property": np.tile(self.properties, q),
                "rho": self.rho.ravel(),
                "low": self.low.ravel(),
                "high": self.high.ravel(),
            }
        )
        if self.information is not None:
            table["information"] = self.information.ravel()
        table["cells"] = np.tile(self.cells, q)
        table["groups"] = self.groups
        return table


@dataclass(frozen=True)
class LatentStudy:
    """What was found about the latents of one model on some cells.

    Attributes
    ----------
    relations
        Every quantity with every property.
    pairs
        Latents that turn into each other.
    meanings
        (L,) names and why.
    """

    relations: Relations
    pairs: tuple[TurningPair, ...]
    meanings: tuple[LatentMeaning, ...]

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
    pairs: Sequence[TurningPair] = (),
    threshold: float = THRESHOLD,
    draws: int = DRAWS,
    seed: int = 0,
    report: Report = lambda done, n: None,
) -> LatentStudy:
    """Relate latents to properties, and name them; see :func:`relate` and :func:`meanings_of`."""
    relations = relate(latents, properties, groups, pairs, draws, seed, True, report)
    return LatentStudy(relations, tuple(pairs), meanings_of(relations, pairs, threshold))


def name_latents(
    latents: npt.NDArray[Any],
    properties: Mapping[str, npt.NDArray[Any]],
    groups: npt.NDArray[Any],
    pairs: Sequence[TurningPair] = (),
    threshold: float = THRESHOLD,
    draws: int = DRAWS,
    seed: int = 0,
) -> tuple[LatentMeaning, ...]:
    """Names of L latents and their evidence; as :func:`study_latents`, and no more."""
    return study_latents(latents, properties, groups, pairs, threshold, draws, seed).meanings


def relate(
    latents: npt.NDArray[Any],
    properties: Mapping[str, npt.NDArray[Any]],
    groups: npt.NDArray[Any],
    pairs: Sequence[TurningPair] = (),
    draws: int = DRAWS,
    seed: int = 0,
    information: bool = True,
    report: Report = lambda done, n: None,
) -> Relations:
    """Rank correlations, their intervals, and mutual information.

    Cells that have none of the properties are left out; a property that is missing in some cells is
    judged on the others. A property that is the same in every cell, or known in fewer than
    :data:`FEWEST_CELLS`, is not ranked.

    Parameters
    ----------
    latents
        (N, L) posterior means.
    properties
        (N,) columns by name, NaN where a cell has no value.
    groups
        (N,) plate, frame or track of each cell: cells of one group are not independent, and are
        drawn together.
    pairs
        Turning pairs, whose sums of squares are related too.
    draws, seed
        Times that groups are drawn again, and the seed of that.
    information
        Whether mutual information is estimated.
    report
        Called with (steps done, steps in all).

    Raises
    ------
    InvalidInput
        If lengths differ, a latent is not finite, fewer than :data:`FEWEST_CELLS` cells have
        properties, no property can be ranked, or all cells are in one group.
    """
    z = np.asarray(latents, np.float64)
    names = tuple(properties)
    y = np.column_stack([np.asarray(properties[name], np.float64) for name in names])
    groups = np.asarray(groups)
    _check_rows(z, y, groups)
    known = np.isfinite(y).any(1)
    z, y, groups = z[known], y[known], groups[known]
    usable = _usable(y)
    _check_known(len(z), usable, groups)
    quantities = tuple(f"z{i}" for i in range(z.shape[1]))
    quantities += tuple(f"z{pair.a}² + z{pair.b}²" for pair in pairs)
    x = np.column_stack([z, *(z[:, pair.a] ** 2 + z[:, pair.b] ** 2 for pair in pairs)])
    index, counts = _drawn_groups(groups, draws, seed)
    shape = (x.shape[1], y.shape[1])
    rho = np.full(shape, np.nan)
    found = np.full((draws, *shape), np.nan, np.float32)
    patterns = np.unique(np.isfinite(y[:, usable]), axis=1).T
    steps = len(patterns) * draws + information * x.shape[1]
    done = 0
    for rows in patterns:
        # properties that are known in the same cells are ranked together
        columns = np.flatnonzero(usable & (np.isfinite(y) == rows[:, None]).all(0))
        correlation = _RankCorrelation(x[rows], y[rows][:, columns])
        rho[:, columns] = correlation(np.ones(int(rows.sum())))
        for r in range(draws):
            found[r][:, columns] = correlation(counts[r, index[rows]].astype(np.float64))
            done += 1
            report(done, steps)
    low, high = np.full(shape, np.nan), np.full(shape, np.nan)
    ranked = np.isfinite(found).any(0)
    low[ranked], high[ranked] = np.nanquantile(found[:, ranked], LEVELS, axis=0)
    told = None
    if information:
        told = _information(x, y, usable, seed, lambda k: report(done + k, steps))
    cells = np.where(usable, np.isfinite(y).sum(0), 0)
    return Relations(quantities, names, rho, low, high, told, cells, counts.shape[1], found)


def _check_rows(z: Float64Array, y: Float64Array, groups: npt.NDArray[Any]) -> None:
    if z.ndim != 2 or len(y) != len(z) or len(groups) != len(z):
        raise InvalidInput(
            f"There are latents of shape {z.shape}, {len(y)} rows of properties and {len(groups)} "
            "groups; one row of each for every cell is needed."
        )
    if not np.isfinite(z).all():
        raise InvalidInput("Some latents are NaN or infinite; encode the cells again.")


def _usable(y: Float64Array) -> npt.NDArray[np.bool_]:
    """(P,) whether a property varies and is known in enough cells."""
    known = np.isfinite(y)
    varies = np.array([len(np.unique(v[k])) > 1 for v, k in zip(y.T, known.T, strict=True)])
    return np.asarray(varies & (known.sum(0) >= FEWEST_CELLS))


def _check_known(n: int, usable: npt.NDArray[np.bool_], groups: npt.NDArray[Any]) -> None:
    if n < FEWEST_CELLS:
        raise InvalidInput(
            f"Only {n} cells could be measured, {FEWEST_CELLS} are needed; give more cells, and "
            "check the diameter."
        )
    if not usable.any():
        raise InvalidInput(
            "Every property is the same in all cells, so that nothing can be related to it; give "
            "cells that differ."
        )
    if len(np.unique(groups)) < 2:
        raise InvalidInput(
            "All cells that could be measured are in one group, so that no interval can be told; "
            "give cells of several tracks, frames or plates."
        )


def _drawn_groups(
    groups: npt.NDArray[Any], draws: int, seed: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.int64]]:
    """Group (N,) of each cell, and how often (draws, G) each group is drawn."""
    values, index = np.unique(groups, return_inverse=True)
    generator = np.random.default_rng(seed)
    g = len(values)
    return index, generator.multinomial(g, np.full(g, 1 / g), draws)


class _RankCorrelation:
    """Spearman's correlation of columns x (N, Q) and y (N, P) of cells that count several times."""

    def __init__(self, x: Float64Array, y: Float64Array) -> None:
        values = np.concatenate([x.T, y.T])
        columns, n = values.shape
        self.split = x.shape[1]
        self.order = np.argsort(values, axis=1, kind="stable")
        ordered = np.take_along_axis(values, self.order, 1)
        first, last = np.empty((columns, n), np.int64), np.empty((columns, n), np.int64)
        for c in range(columns):
            first[c, self.order[c]] = np.searchsorted(ordered[c], ordered[c], "left")
            last[c, self.order[c]] = np.searchsorted(ordered[c], ordered[c], "right")
        # places in the raveled (columns, n + 1) sums of what comes before
        start = (np.arange(columns) * (n + 1))[:, None]
        self.first, self.last = first + start, last + start

    def __call__(self, times: Float64Array) -> Float64Array:
        """(Q, P) where cell i occurs ``times[i]`` times (N,); NaN where a column is constant."""
        before = np.zeros((len(self.order), len(times) + 1))
        np.cumsum(times[self.order], axis=1, out=before[:, 1:])
        ranks = before.ravel()[self.first]
        ranks += before.ravel()[self.last]  # twice the mean rank of equal values, less one
        total = times.sum()
        if total == 0:
            return np.full((self.split, len(ranks) - self.split), np.nan)
        ranks -= (ranks @ times / total)[:, None]
        weighted = ranks * times
        spread = np.sqrt(np.einsum("cn,cn->c", weighted, ranks))
        both = weighted[: self.split] @ ranks[self.split :].T
        scale = np.outer(spread[: self.split], spread[self.split :])
        flat = scale <= 1e-9 * total
        return np.where(flat, np.nan, np.clip(both / np.where(flat, 1, scale), -1, 1))


def _information(
    x: Float64Array,
    y: Float64Array,
    usable: npt.NDArray[np.bool_],
    seed: int,
    report: Callable[[int], None],
) -> Float64Array:
    """Mutual information (Q, P) in nats, of ranks: the estimate then fears no outliers."""
    from scipy.special import ndtri
    from scipy.stats import rankdata
    from sklearn.feature_selection import mutual_info_regression

    generator = np.random.default_rng(seed)
    out = np.full((x.shape[1], y.shape[1]), np.nan)
    sets = []
    for p in np.flatnonzero(usable):
        rows = np.flatnonzero(np.isfinite(y[:, p]))
        if len(rows) > INFORMATION_CELLS:
            rows = np.sort(generator.choice(rows, INFORMATION_CELLS, replace=False))
        values = y[rows, p]
        counted = len(np.unique(values)) <= 20
        normal = ndtri(rankdata(values) / (len(rows) + 1))
        sets.append((p, rows, (values if counted else normal)[:, None], counted))
    for q in range(x.shape[1]):
        for p, rows, values, counted in sets:
            latent = ndtri(rankdata(x[rows, q]) / (len(rows) + 1))
            if np.ptp(latent) > 0:
                out[q, p] = mutual_info_regression(
                    values, latent, discrete_features=counted, random_state=seed
                )[0]
        report(q + 1)
    return out


def find_orientation_pairs(
    model: Classifier,
    crops: npt.NDArray[Any],
    least: float = PAIR_SCORE,
    cells: int = TURNED_CELLS,
    seed: int = 0,
    report: Report = lambda done, n: None,
) -> tuple[TurningPair, ...]:
    """Find pairs of latents that turn into each other when crops are turned about their centre.

    Turns by 90° are exact; those by 45° interpolate between pixels, once. All eight turned views of
    a cell count alike, so that it does not matter how the cells happen to lie.

    Parameters
    ----------
    model
        Whose encoder is looked into.
    crops
        (N, P, P) or (N, 1, P, P) pictures of cells at the model's diameter, of any range. Wider
        ones than the model's crops (P ≥ √2 S) have real pixels in their corners when they are
        turned; of others the corners show their mean.
    least
        Lowest score of a pair, 0–1.
    cells, seed
        Crops that are turned at most, drawn at random, and the seed of that.
    report
        Called with (turns done, turns in all).

    Returns
    -------
    Pairs of any order, by falling score; no latent is in two of them.

    Raises
    ------
    InvalidInput
        If there are fewer than two crops, or they are not square or smaller than the model's.
    """
    pictures = np.asarray(crops)
    if pictures.ndim == 4 and pictures.shape[1] == 1:
        pictures = pictures[:, 0]
    if pictures.ndim != 3 or pictures.shape[1] != pictures.shape[2] or len(pictures) < 2:
        raise InvalidInput(
            f"The crops have the shape {pictures.shape}; (number, side, side) was expected."
        )
    if pictures.shape[1] < model.crop_size or (pictures.shape[1] - model.crop_size) % 2:
        raise InvalidInput(
            f"The crops are {pictures.shape[1]} px wide; the model's are {model.crop_size} px: "
            "give crops of that side, or wider ones by an even number of pixels."
        )
    if len(pictures) > cells:
        rows = np.random.default_rng(seed).choice(len(pictures), cells, replace=False)
        pictures = pictures[np.sort(rows)]
    turned = _turned_latents(model, pictures.astype(np.float32), report)
    return turning_pairs(turned, least)


def _turned_latents(
    model: Classifier, pictures: npt.NDArray[np.float32], report: Report
) -> Float64Array:
    """Latents (TURNS, N, L) of pictures turned by 0°, 45°, …."""
    side, size = pictures.shape[1], model.crop_size
    inner = slice((side - size) // 2, (side - size) // 2 + size)
    # what the middle of a picture turned by 45° is sampled from
    centre, half = (side - 1) / 2, (np.arange(size) - (size - 1) / 2) * np.sqrt(0.5)
    down, right = half[:, None], half[None, :]
    at = [centre + down + right, centre + right - down]
    diagonal = np.empty((len(pictures), size, size), np.float32)
    for i, picture in enumerate(pictures):
        diagonal[i] = ndimage.map_coordinates(
            picture, at, order=1, mode="constant", cval=float(picture.mean())
        )
    straight = pictures[:, inner, inner]
    found = []
    for turn in range(TURNS):
        base = diagonal if turn % 2 else straight
        crops = np.rot90(base, turn // 2, axes=(1, 2))
        found.append(model.encode(normalise(np.ascontiguousarray(crops))[:, None])[0])
        report(turn + 1, TURNS)
    return np.asarray(found, np.float64)


def turning_pairs(turned: npt.NDArray[Any], least: float = PAIR_SCORE) -> tuple[TurningPair, ...]:
    """Pairs of latents that go round together, from latents of turned views.

    With the correlation C(α) between the latents of views that are α apart, a pair of order k that
    turns in the sense s = ±1 has C_aa = C_bb = cos kα and C_ab = −C_ba = s · sin kα. Its score is
    the mean over α = 45°, 90°, 135°, 180° of cos kα (C_aa + C_bb) / 2 + s sin kα (C_ab − C_ba) / 2.

    Parameters
    ----------
    turned
        (8, N, L) latents of N cells turned by 0°, 45°, … 315°.
    least
        Lowest score of a pair.
    """
    z = np.asarray(turned, np.float64)
    turns, cells, n = z.shape
    flat = z.reshape(-1, n)
    spread = flat.std(0)
    alive = spread > 1e-9
    unit = (z - flat.mean(0)) / np.where(alive, spread, 1)
    best = np.full((n, n), -np.inf)
    order = np.zeros((n, n), np.int64)
    steps = range(1, turns // 2 + 1)
    shifted = [
        np.einsum("tni,tnj->ij", np.roll(unit, -k, 0), unit) / (turns * cells) for k in steps
    ]
    for k in ORDERS:
        angles = [2 * np.pi * k * step / turns for step in steps]
        own = np.mean(
            [np.cos(a) * np.diag(c) for a, c in zip(angles, shifted, strict=True)], axis=0
        )
        cross = np.mean(
            [np.sin(a) * (c - c.T) / 2 for a, c in zip(angles, shifted, strict=True)], axis=0
        )
        score = (own[:, None] + own[None, :]) / 2 + np.abs(cross)
        better = score > best
        best, order = np.where(better, score, best), np.where(better, k, order)
    best[~alive] = -np.inf
    best[:, ~alive] = -np.inf
    found: list[TurningPair] = []
    first, second = np.triu_indices(n, 1)
    taken: set[int] = set()
    for at in np.argsort(-best[first, second], kind="stable"):
        a, b = int(first[at]), int(second[at])
        if best[a, b] < least:
            break
        if taken & {a, b}:
            continue
        taken |= {a, b}
        squares = z[:, :, a] ** 2 + z[:, :, b] ** 2
        wobble = float(squares.var(0).mean() / max(float(squares.mean(0).var()), 1e-12))
        found.append(TurningPair(a, b, int(order[a, b]), float(best[a, b]), wobble, cells))
    return tuple(found)


def meanings_of(
    relations: Relations, pairs: Sequence[TurningPair] = (), threshold: float = THRESHOLD
) -> tuple[LatentMeaning, ...]:
    """Name latents by what they follow.

    A latent takes the name of the property of which it has the largest |ρ|, if the interval of |ρ|
    begins at ``threshold`` or above. A turning pair takes its names from properties that turn as it
    does (:data:`FAMILIES`), and from no others: from those that it follows most closely in whatever
    direction, if the interval of that correlation begins at ``threshold`` or above. Its members are
    ``elongation_cos`` and ``elongation_sin``, or ``elongation_a`` and ``elongation_b`` if they lie
    between the axes of the image. Of several latents that follow one property, the strongest has
    the plain name, the next ``size_2``. Its evidence tells the next property that would do, too.
    The others have evidence alone.

    Parameters
    ----------
    relations
        From :func:`relate`, with the same pairs.
    pairs
        Turning pairs.
    threshold
        0–1.
    """
    n = len(relations.quantities) - len(pairs)
    claims: list[tuple[float, int, str]] = []
    evidence: dict[int, str] = {}
    for k, pair in enumerate(pairs):
        for latent, (strength, name, why) in _members(relations, pair, n + k, threshold).items():
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


def signed(value: float, digits: int = 2) -> str:
    """Text with a real minus: −0.97."""
    return f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def rho_text(relations: Relations, row: int, column: int) -> str:
    """``−0.97 [−0.97, −0.96]``."""
    rho, low, high = (
        signed(float(v[row, column])) for v in (relations.rho, relations.low, relations.high)
    )
    return f"{rho} [{low}, {high}]"


def _latent_name(relations: Relations, p: int) -> str:
    name = relations.properties[p]
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
    relations: Relations, pair: TurningPair, threshold: float
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
    relations: Relations, pair: TurningPair, row: int, threshold: float
) -> dict[int, tuple[float, str, str]]:
    """Strength, name and evidence of both members of a pair; the name may be empty."""
    a, b = pair.a, pair.b
    turn = {1: "a direction does", 2: "an axis does"}.get(pair.order, f"order {pair.order} does")
    squares = f"{relations.quantities[row]}: {_told(relations, row, strongest(relations, row))}"
    about = {
        latent: f"turns as {turn}, with z{other} (score {pair.score:.2f}); {squares}"
        for latent, other in ((a, b), (b, a))
    }
    family = _family(relations, pair, threshold)
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
