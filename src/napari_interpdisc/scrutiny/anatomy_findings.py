"""Sentences about a part of a head that were tested on cells (paper §5.3)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from napari_interpdisc._types import Float64Array
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.number_text import percent, signed
from napari_interpdisc.scrutiny.anatomy_parts import Input, NeuronOutput, Part
from napari_interpdisc.scrutiny.anatomy_response import QUANTILES, Population, strongest

CURVES = 200
"""Cells whose curves are looked at, drawn at random if there are more."""

CURVE_POINTS = 41
"""Points of such a curve."""

AGAINST = 0.02
"""Share of all that a curve moves which may be against its direction, for it to be monotone."""

FLAT = 0.05
"""A curve that moves less than this, in SD of the part over the cells, does not respond."""

AGREE = 0.99
"""Share of cells that a statement about all cells needs."""

MAIN = 0.5
"""Share of the variance from which an input is the one that a part responds to."""

ANGLES = 24
"""Angles by which a pair of latents is rotated."""

UNCHANGED = 0.05
"""Largest change, in SD of the part over the cells, that is no change."""

SLOW = 0.05
"""A slope below this share of the largest is flat."""

SATURATED = 0.1
"""Share of the range that is flat at one end, from which a curve saturates."""

Kind = Literal["responds", "monotone", "saturates", "orientation", "sign"]


@dataclass(frozen=True)
class Finding:
    """A sentence about a part, and the test behind it.

    Attributes
    ----------
    part
        Name of the part.
    kind
        What was asked.
    sentence
        What was found, for a person to read.
    tested
        How.
    holds
        Whether the part is as simple as one would like: monotone, saturating, independent of
        orientation, of one sign, led by one input.
    number
        What was measured; ``tested`` says what it is.
    input
        Position of the input that was asked about, if it was one.
    """

    part: str
    kind: Kind
    sentence: str
    tested: str
    holds: bool
    number: float
    input: int | None = None


def find(part: Part, model: CellModel, cells: Population, seed: int = 0) -> tuple[Finding, ...]:
    """Everything that is tested of a part; nothing for a constant.

    Parameters
    ----------
    part
        What is looked at.
    model
        Whose latents it reads: their names, and the pairs that rotate.
    cells
        The cells it is tested on.
    seed
        Draws cells, where there are more than are needed.
    """
    if not part.inputs:
        return ()
    found = [responds(part, model, cells, seed)]
    for axis in range(len(part.inputs)):
        found += [monotone(part, axis, cells, seed), saturates(part, axis, cells)]
    return (*found, *orientation(part, model, cells, seed), sign(part, cells))


def _whose(cells: Population, n: int) -> str:
    return f"{n} {'cells' if cells.is_real else 'drawn cells'}"


def _short(label: str) -> str:
    """``z5`` of ``z5 granularity_fine``."""
    return label.split(" ", 1)[0] if label.startswith(("z", "√")) else label


def _line(part: Part, axis: int, cells: Population, points: int = CURVE_POINTS) -> Float64Array:
    low, high = np.quantile(part.inputs[axis].read(cells.latents), QUANTILES)
    return np.linspace(low, high, points)


def _place(value: np.floating[Any]) -> str:
    return signed(round(float(value), 2) + 0.0)  # and no −0.00


def _range(line: Float64Array) -> str:
    return f"from {_place(line[0])} to {_place(line[-1])}"


def direction(curve: Float64Array, unit: float = 0.0) -> tuple[str, int]:
    """How a curve (P,) goes: rises, falls, turns or is flat; and where it turns first.

    It turns if more than 2 % of all that it moves is against its main direction, and is flat if all
    that it moves is below 5 % of ``unit``. The place is the first point after which it moves the
    other way; 0 if it does not turn.
    """
    steps = np.diff(curve[np.isfinite(curve)])
    up, down = float(steps[steps > 0].sum()), float(-steps[steps < 0].sum())
    if up + down <= FLAT * unit or up + down <= 0:
        return "flat", 0
    if min(up, down) > AGAINST * (up + down):
        # steps of no account, such as rounding, turn nothing
        signs = np.sign(np.where(np.abs(steps) > 1e-6 * (up + down), steps, 0))
        moving = np.flatnonzero(signs)
        other = moving[np.flatnonzero(np.diff(signs[moving])) + 1]
        return "turns", int(other[0])
    return ("rises" if up > down else "falls"), 0


def monotone(part: Part, axis: int, cells: Population, seed: int = 0) -> Finding:
    """Whether a part rises, or falls, with one of its inputs where the cells are.

    A part of one input is one curve. Of more, every cell gives a curve, its other inputs held.
    """
    label = part.inputs[axis].label
    line = _line(part, axis, cells)
    x = part.read(cells.latents)
    unit = float(np.nanstd(part(x)))
    if len(part.inputs) == 1:
        x = x[:1]
        n = 1
    else:
        n = min(CURVES, len(x))
        x = x[np.random.default_rng(seed).permutation(len(x))[:n]]
    many = np.repeat(x, len(line), 0)
    many[:, axis] = np.tile(line, n)
    curves = part(many).reshape(n, len(line))
    ways = [direction(curve, unit if n > 1 else 0.0) for curve in curves]
    count = {way: sum(one == way for one, _ in ways) for way in ("rises", "falls", "turns", "flat")}
    # cells that do not respond speak neither for nor against a direction
    moved = n - count["flat"]
    best = max(("rises", "falls"), key=lambda way: count[way])
    agreed = count[best] / moved if moved else 0.0
    turns = [line[at] for way, at in ways if way == "turns"]
    at = f" {_short(label)} = {_place(np.median(turns))}" if turns else ""
    where = f"{_range(line)} prior SD" if not _is_neuron(part.inputs[axis]) else _range(line)
    if n == 1:
        way = ways[0][0]
        if way == "turns":
            first = "rises" if curves[0][ways[0][1]] > curves[0][0] else "falls"
            then = {"rises": "falls", "falls": "rises"}[first]
            text = f"Not monotone in {label}: it {first} up to{at}, then {then}"
            more = _turns(curves[0]) - 1
            text += f", and turns {more} more time{'s' * (more > 1)}." if more > 0 else "."
        else:
            told = {"flat": "does not change"}.get(way, way)
            text = f"{told.capitalize()} with {label} where the cells are, {where}."
        tested = f"one curve {where}, where the cells are"
        return Finding(part.name, "monotone", text, tested, way in ("rises", "falls"), agreed, axis)
    whose = _whose(cells, n)
    tested = f"curves {where} of {whose}, the other inputs held; number: share that agrees"
    if moved == 0:
        text = (
            f"Hardly changes with {label}, the others held: by less than {percent(FLAT)} of its SD "
            f"in all of {whose}."
        )
        return Finding(part.name, "monotone", text, tested, False, 0.0, axis)
    if agreed >= AGREE:
        still = f", and hardly changes in {count['flat']}" if count["flat"] else ""
        text = (
            f"{best.capitalize()} with {label} in {count[best]} of {whose}, the others held{still}."
        )
        return Finding(part.name, "monotone", text, tested, True, agreed, axis)
    counted = ", ".join(
        f"{way} in {count[way]}" for way in ("rises", "falls", "turns") if count[way]
    )
    text = f"Not monotone in {label}: it {counted} of {whose}, the others held"
    text += f"; half of those that turn do so below{at}." if turns else "."
    return Finding(part.name, "monotone", text, tested, False, agreed, axis)


def _turns(curve: Float64Array) -> int:
    """How often a curve changes its direction, rounding left out."""
    steps = np.diff(curve[np.isfinite(curve)])
    signs = np.sign(np.where(np.abs(steps) > 1e-6 * np.abs(steps).sum(), steps, 0))
    return int((np.diff(signs[signs != 0]) != 0).sum())


def _is_neuron(one: Input) -> bool:
    return isinstance(one, NeuronOutput)


def saturates(part: Part, axis: int, cells: Population) -> Finding:
    """Whether a part hardly changes at an end of an input's range, the others held at the middle.

    Flat is a slope below 5 % of the largest; it saturates if a tenth of the range or more is flat
    at one end. The number is that share, of the flatter end.
    """
    label = part.inputs[axis].label
    line = _line(part, axis, cells, 101)
    x = np.tile(part.read(cells.latents[[cells.middle(part)]]), (len(line), 1))
    x[:, axis] = line
    slope = np.abs(part.with_gradient(x)[1][:, axis])
    largest = float(np.nanmax(slope, initial=0.0))
    held = ", the others held at the middle cell" if len(part.inputs) > 1 else ""
    tested = (
        f"slope {_range(line)}{held}; number: share of the range with a slope below "
        f"{percent(SLOW)} of the largest, at the flatter end"
    )
    steep = np.flatnonzero(slope >= SLOW * largest)
    if not largest > 0 or not len(steep):
        text = f"Does not change with {label}{held}."
        return Finding(part.name, "saturates", text, tested, True, 1.0, axis)
    below, above = int(steep[0]), len(line) - 1 - int(steep[-1])
    # one steep place makes all else look flat: what is called flat must hardly change, too
    values = part(x)
    low, high = np.nanquantile(values, (0.02, 0.98))  # a pole is not the range of a curve
    whole = float(high - low)
    if not _is_level(values[: below + 1], whole):
        below = 0
    if not _is_level(values[len(line) - 1 - above :], whole):
        above = 0
    share = max(below, above) / (len(line) - 1)
    if share < SATURATED:
        text = f"Does not saturate in {label} where the cells are{held}."
        return Finding(part.name, "saturates", text, tested, False, share, axis)
    side, at = ("below", below) if below >= above else ("above", len(line) - 1 - above)
    text = (
        f"Saturates in {label}: {side} {_short(label)} = {_place(line[at])} it hardly "
        f"changes{held}."
    )
    return Finding(part.name, "saturates", text, tested, True, share, axis)


def _is_level(values: Float64Array, whole: float) -> bool:
    """Whether values change by less than a tenth of a whole range, and none is undefined."""
    return bool(np.isfinite(values).all()) and float(np.ptp(values)) <= 2 * SLOW * whole


def responds(part: Part, model: CellModel, cells: Population, seed: int = 0) -> Finding:
    """What a part responds to: the input that makes most of its variance, with what it stands for.

    The number is the share of the variance that input makes
    (:func:`~napari_interpdisc.scrutiny.anatomy_response.strongest`).
    """
    effects = strongest(part, cells, seed)
    order = np.argsort(-effects, kind="stable")
    main = part.inputs[order[0]]
    meaning = about_input(main, model)
    if len(part.inputs) == 1 and effects[0] > 0:
        text = f"Responds to {main.label} alone{meaning}."
        return Finding(part.name, "responds", text, "by construction: it reads no other", True, 1.0)
    n = min(len(cells), 1000)
    tested = (
        f"each input in turn takes the value of another of {_whose(cells, n)}; number: share of "
        "the variance that the first makes (where inputs interact, of what they make together)"
    )
    # where inputs interact, what each makes alone adds up to more than there is
    effects = effects / max(float(effects.sum()), 1.0)
    share = float(effects[order[0]])
    shares = ", ".join(
        f"{_short(part.inputs[i].label)} {percent(float(effects[i]))}" for i in order
    )
    if not share > 0:
        text = f"Does not change over {_whose(cells, n)}."
        return Finding(part.name, "responds", text, tested, False, 0.0)
    if share >= MAIN:
        text = f"Responds most to {main.label}{meaning}; of the variance: {shares}."
    else:
        text = f"No input makes half of the variance: {shares}."
    return Finding(part.name, "responds", text, tested, share >= MAIN, share)


def about_input(one: Input, model: CellModel) -> str:
    """What an input stands for, in brackets: its property with ρ; empty for a neuron."""
    if isinstance(one, NeuronOutput) or not model.meanings:
        return ""
    evidence = [model.meanings[i].evidence for i in one.latents]
    if one.is_radius:
        a, b = one.latents
        found = [re.search(rf"z{a}² \+ z{b}²: ([^;]+)", text) for text in evidence]
        told = next((match[1] for match in found if match), "")
    else:
        told = evidence[0].split(";")[0]
    named = any(model.latent_name(i) for i in one.latents)
    if not told:
        return ""
    return f" ({told})" if named else f" (it has no name; nearest: {told})"


def orientation(
    part: Part, model: CellModel, cells: Population, seed: int = 0
) -> tuple[Finding, ...]:
    """Whether a part changes as pairs of latents rotate, as they do when the cell is rotated.

    A part that reads a pair through its radius alone cannot change, by construction. Otherwise the
    pair of real cells is rotated by 24 angles, and the part must stay within 5 % of its SD over the
    cells, in 95 % of them. Nothing is said where no rotating pairs are known.
    """
    pairs = model.rotating_pairs
    if not pairs:
        return ()
    own = set(part.latents)
    plain = _plain_latents(part)
    touched = [pair for pair in pairs if own.intersection(pair)]
    radial = [pair for pair in touched if not plain.intersection(pair)]
    found = [_rotated(part, a, b, cells, seed) for a, b in touched if (a, b) not in radial]
    if radial:
        told = ", ".join(f"(z{a}, z{b})" for a, b in radial)
        verb, them = ("rotates", "their radius") if len(radial) == 1 else ("rotate", "their radii")
        text = f"Unchanged as {told} {verb}, by construction: it reads {them} alone."
        found.append(Finding(part.name, "orientation", text, "by construction", True, 0.0))
    if not touched:
        by = (
            "it reads no latent that rotates with the cell"
            if model.encoder.rotating_pairs
            else "it reads none of the latents that were found to rotate with the cell"
        )
        text = f"Independent of orientation, by construction: {by}."
        found.append(Finding(part.name, "orientation", text, "by construction", True, 0.0))
    return tuple(found)


def _plain_latents(part: Part) -> set[int]:
    """Latents that a part reads on their own, and not through a radius."""
    found: set[int] = set()
    for one in part.inputs:
        if isinstance(one, NeuronOutput):
            found |= _plain_latents(one.part)
        elif not one.is_radius:
            found.update(one.latents)
    return found


def _rotated(part: Part, a: int, b: int, cells: Population, seed: int) -> Finding:
    rows = np.random.default_rng(seed).permutation(len(cells))[:1000]
    z = cells.latents[rows]
    plain = part.of_latents(z)
    unit = float(np.nanstd(plain))
    largest = np.zeros(len(z))
    for angle in 2 * np.pi * np.arange(1, ANGLES) / ANGLES:
        turned = z.copy()
        turned[:, a] = np.cos(angle) * z[:, a] - np.sin(angle) * z[:, b]
        turned[:, b] = np.sin(angle) * z[:, a] + np.cos(angle) * z[:, b]
        largest = np.fmax(largest, np.abs(part.of_latents(turned) - plain))
    change = float(np.quantile(largest, 0.95)) / unit if unit > 0 else 0.0
    whose = _whose(cells, len(z))
    tested = (
        f"the pair of {whose} rotated by {ANGLES} angles; number: largest change, which 95 % of "
        f"the cells stay below, in SD of the part ({UNCHANGED} is allowed)"
    )
    told = f"{percent(change)} of its SD in 95 % of {whose}"
    if change <= UNCHANGED:
        text = f"Unchanged as (z{a}, z{b}) rotates: it changes by less than {told}."
    else:
        text = f"Depends on orientation: as (z{a}, z{b}) rotates it changes by up to {told}."
    return Finding(part.name, "orientation", text, tested, change <= UNCHANGED, change)


def sign(part: Part, cells: Population) -> Finding:
    """Whether a part is positive, or negative, in nearly all cells; the number is the share > 0."""
    values = part.of_latents(cells.latents)
    above, below = int((values > 0).sum()), int((values < 0).sum())
    positive = above / len(values)
    whose = _whose(cells, len(cells))
    tested = f"values of {whose}; number: share above 0"
    if max(above, below) >= AGREE * len(values):
        which, n = ("Positive", above) if above > below else ("Negative", below)
        text = f"{which} in {n} of {whose}"
        text += ": alone it decides no class." if not part.decides else ": all are one class."
        return Finding(part.name, "sign", text, tested, True, positive)
    text = f"Of both signs: positive in {above} of {whose}."
    if not below:
        text = f"Positive in {above} of {whose}, and 0 or undefined in the others."
    elif above + below < len(values):
        text = f"Positive in {above} and negative in {below} of {whose}, 0 or undefined in others."
    return Finding(part.name, "sign", text, tested, False, positive)
