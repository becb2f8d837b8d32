"""Where a head changes its mind, over two of its inputs: the line f = 0 of the paper's eq. 2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import Float64Array
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.scrutiny.anatomy_response import contour

STEPS = 161
"""Points along each side of the grid on which a head is scored."""

ANGLE = 1.0
"""Angle, radians, by which a pair is rotated to see whether its radius is all that is read."""

SAME = 1e-3
"""Scores that differ by less are the same, relative to the range of scores on the grid."""


@dataclass(frozen=True)
class Input:
    """What a head may read, as one axis of a plot.

    Attributes
    ----------
    kind
        "latent", "radius" of a pair of latents that rotate together, or measured "property".
    latents
        The latent, or the two of the pair; empty for a property.
    name
        Name of the property; empty for latents.
    """

    kind: Literal["latent", "radius", "property"]
    latents: tuple[int, ...] = ()
    name: str = ""

    def of(
        self, latents: npt.NDArray[np.floating], measured: Mapping[str, npt.NDArray[np.floating]]
    ) -> Float64Array:
        """Values (N,) of cells: latents (N, L), and measured properties by name."""
        if self.kind == "property":
            return np.asarray(measured[self.name], np.float64)
        own = np.asarray(latents, np.float64)[:, list(self.latents)]
        return np.asarray(np.hypot(*own.T) if self.kind == "radius" else own[:, 0])


@dataclass(frozen=True)
class Boundary:
    """Lines over two inputs at which the class changes.

    Attributes
    ----------
    lines
        Pieces (n, 2) of x and y.
    reads
        Whether the head reads either of the two inputs.
    exact
        Whether it reads nothing else, so that the lines hold for every cell.
    """

    lines: tuple[Float64Array, ...]
    reads: bool
    exact: bool


def boundary_of(
    model: CellModel,
    head: str | None,
    axes: tuple[Input, Input],
    spans: Sequence[tuple[float, float]],
    latents: npt.NDArray[np.floating],
    measured: Mapping[str, float] | None = None,
) -> Boundary:
    """Find where a head changes its mind over two inputs, all others held.

    Parameters
    ----------
    model, head
        The model, and the name of the head; the default one if None.
    axes
        What grows to the right, and upwards.
    spans
        (low, high) of each.
    latents
        (L,) values at which the other latents are held. A pair whose radius is an axis keeps its
        direction.
    measured
        Values of measured properties at which those that are no axis are held.

    Returns
    -------
    The lines: for two classes where the score is 0, for more where the largest score changes.

    Raises
    ------
    InvalidInput
        If the head reads a property that is not given.
    """
    named = model.head(head)
    used, read = set(named.head.used_latents), set(named.head.used_properties)
    reads = [
        one.name in read if one.kind == "property" else bool(used & set(one.latents))
        for one in axes
    ]
    if not any(reads):
        return Boundary((), False, False)
    points = tuple(np.linspace(low, high, STEPS) for low, high in spans)
    x, y = (one.ravel() for one in np.meshgrid(*points))
    scores = _scores(model, head, axes, (x, y), latents, measured)
    shape = (STEPS, STEPS)
    lines: list[Float64Array] = []
    for k in range(scores.shape[1]):
        lead = scores[:, k]
        if scores.shape[1] > 1:
            lead = lead - np.delete(scores, k, 1).max(1)
        lines += contour(np.asarray(lead, np.float64).reshape(shape), points)
    others = used - {i for one in axes for i in one.latents}
    others_read = read - {one.name for one in axes}
    exact = not others and not others_read
    if exact and any(one.kind == "radius" for one in axes):
        rotated = _rotated(latents, axes)
        again = _scores(model, head, axes, (x, y), rotated, measured)
        exact = bool(np.abs(again - scores).max() <= SAME * max(float(np.ptp(scores)), 1e-9))
    return Boundary(tuple(lines), True, exact)


def _scores(
    model: CellModel,
    head: str | None,
    axes: tuple[Input, Input],
    places: tuple[Float64Array, Float64Array],
    latents: npt.NDArray[np.floating],
    measured: Mapping[str, float] | None,
) -> Float64Array:
    """Scores (n, K) of one cell whose two inputs are moved to n places."""
    n = len(places[0])
    moved = np.repeat(np.asarray(latents, np.float32)[None], n, 0)
    columns = {name: np.full(n, value, np.float32) for name, value in (measured or {}).items()}
    for one, values in zip(axes, places, strict=True):
        if one.kind == "property":
            columns[one.name] = np.asarray(values, np.float32)
        elif one.kind == "latent":
            moved[:, one.latents[0]] = values
        else:
            a, b = one.latents
            angle = np.arctan2(float(latents[b]), float(latents[a]))
            moved[:, a], moved[:, b] = values * np.cos(angle), values * np.sin(angle)
    return np.asarray(model.score(moved, head, columns or None), np.float64)


def _rotated(
    latents: npt.NDArray[np.floating], axes: tuple[Input, Input]
) -> npt.NDArray[np.floating]:
    """Latents (L,) with each pair whose radius is an axis rotated."""
    found = np.array(latents, np.float64)
    cos, sin = np.cos(ANGLE), np.sin(ANGLE)
    for one in axes:
        if one.kind == "radius":
            a, b = one.latents
            first, second = found[a], found[b]
            if not first and not second:
                first = 1.0  # a radius of 0 has no direction
            found[a], found[b] = cos * first - sin * second, sin * first + cos * second
    return found
