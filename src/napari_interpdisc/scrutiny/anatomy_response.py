"""Responses of a part of a head: curves and maps over one or two inputs (paper, Figs 2-6).

What depends on the cells alone (:func:`ground_of`) is made once. What depends on the selected cell
(:func:`response`) takes a few milliseconds, so that it can follow a drag.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree
from skimage.measure import find_contours

from napari_interpdisc._types import BoolArray, Float32Array, Float64Array
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.scrutiny.anatomy_parts import NeuronOutput, Part

POINTS = 101
"""Points of a curve, and of each side of a map."""

QUANTILES = (0.01, 0.99)
"""Cells between these are the range in which a part is looked at."""

MARGIN = 0.15
"""Of that range, added to an axis at either end."""

NEAR = 0.05
"""A point farther than this from every cell, in widths of the axes, is without cells."""

SMOOTH = 0.03
"""SD of the kernel that makes a density of cells, as a share of an axis."""

SAMPLED = 2000
"""Cells that are drawn from a model's stored density where there are no real ones."""

STEPS = 5
"""Pictures of a traversal."""


@dataclass(frozen=True)
class Population:
    """Latents of cells: real ones, or draws from what a model stored of its training cells.

    Attributes
    ----------
    latents
        (N, L) posterior means.
    is_real
        Whether they are of cells that were looked at.
    source
        Where they come from, for a person to read.
    """

    latents: Float64Array
    is_real: bool
    source: str

    def __len__(self) -> int:
        """Number of cells N."""
        return len(self.latents)

    def middle(self, part: Part) -> int:
        """Row of the cell nearest to the medians of what a part reads, each in its own spread."""
        x = part.read(self.latents)
        spread = np.quantile(x, 0.75, axis=0) - np.quantile(x, 0.25, axis=0)
        off = (x - np.median(x, axis=0)) / np.where(spread > 0, spread, 1)
        return int(np.argmin((off**2).sum(1)))


def real_cells(latents: npt.ArrayLike, source: str = "the given cells") -> Population:
    """Population of real cells with latents (N, L).

    Raises
    ------
    InvalidInput
        If there are none, or latents are not finite.
    """
    z = np.asarray(latents, np.float64)
    if z.ndim != 2 or not len(z) or not np.isfinite(z).all():
        raise InvalidInput("There are no cells to look at: give finite latents (cells, latents).")
    return Population(z, True, source)


def drawn_cells(model: CellModel, n: int = SAMPLED, seed: int = 0) -> Population:
    """Draws from the normal density that a model stored of its training cells.

    Without one, latents are drawn on their own, each with its stored standard deviation around 0.
    """
    noise = np.random.default_rng(seed).normal(size=(n, model.n_latents))
    z = noise * model.latent_sd
    if model.familiarity is None:
        return Population(z, False, f"each latent's spread in the training data of {model.name}")
    density = model.familiarity.latents
    known = len(density.mean)
    # W x is white: x = mean + W⁻¹ noise
    z[:, :known] = density.mean + np.linalg.solve(np.array(density.whitening), noise[:, :known].T).T
    return Population(z, False, f"the stored density of the training cells of {model.name}")


@dataclass(frozen=True)
class Ground:
    """A grid over one or two inputs of a part, and where cells are on it.

    Attributes
    ----------
    axes
        Positions of the inputs among those of the part: (x,) or (x, y).
    points
        Values of each input along its axis: (W,) or (W,), (H,).
    ranges
        1 % and 99 % quantile of the cells along each axis.
    density
        Cells per unit of each axis, smoothed: (W,) or (H, W); None without real cells.
    empty
        Whether a point has no cell nearby: (W,) or (H, W); nowhere without real cells.
    """

    axes: tuple[int, ...]
    points: tuple[Float64Array, ...]
    ranges: tuple[tuple[float, float], ...]
    density: Float64Array | None
    empty: BoolArray

    @property
    def shape(self) -> tuple[int, ...]:
        """(W,) or (H, W)."""
        return self.empty.shape


RULE_OF_EMPTY = f"grey: no cell within {NEAR:.0%} of the width of the axes".replace("%", " %")
"""How regions without cells are told, for a legend."""


def ground_of(part: Part, axes: Sequence[int], cells: Population, points: int = POINTS) -> Ground:
    """Grid over some inputs of a part, wide enough for the cells.

    Parameters
    ----------
    part
        Whose inputs.
    axes
        Positions of one or two of them; the first is drawn from left to right.
    cells
        Where cells are. An axis runs from their 1 % to their 99 % quantile, with a margin.
    points
        Points along each axis.

    Raises
    ------
    InvalidInput
        If there are not one or two different inputs, or the part has no such input.
    """
    which = tuple(axes)
    n = len(part.inputs)
    if len(which) not in (1, 2) or len(set(which)) < len(which) or not set(which) <= {*range(n)}:
        raise InvalidInput(
            f"{part.name} reads {n} input{'s' * (n != 1)}; choose one or two of them to draw it "
            "over."
        )
    x = np.stack([part.inputs[axis].read(cells.latents) for axis in which], 1)
    ranges, lines = [], []
    for k, axis in enumerate(which):
        low, high = (float(q) for q in np.quantile(x[:, k], QUANTILES))
        width = max(high - low, 1e-6)
        start, end = low - MARGIN * width, high + MARGIN * width
        if not isinstance(part.inputs[axis], NeuronOutput) and part.inputs[axis].is_radius:
            start = max(start, 0.0)
        ranges.append((low, high))
        lines.append(np.linspace(start, end, points))
    shape = (points,) * len(which)
    if not cells.is_real:
        return Ground(which, tuple(lines), tuple(ranges), None, np.zeros(shape, bool))
    return Ground(which, tuple(lines), tuple(ranges), _density(x, lines), _empty(x, lines))


def _grid(lines: Sequence[Float64Array]) -> Float64Array:
    """Points (W, 1) or (H · W, 2) of a grid, x running fastest."""
    if len(lines) == 1:
        return lines[0][:, None]
    x, y = np.meshgrid(*lines)
    return np.stack([x.ravel(), y.ravel()], 1)


def _density(x: Float64Array, lines: Sequence[Float64Array]) -> Float64Array:
    steps = [line[1] - line[0] for line in lines]
    edges = [
        np.append(line - step / 2, line[-1] + step / 2)
        for line, step in zip(lines, steps, strict=True)
    ]
    counts = np.histogramdd(x, edges)[0] / np.prod(steps)
    smooth = gaussian_filter(counts, SMOOTH * (len(lines[0]) - 1))
    return np.ascontiguousarray(smooth.T)


def _empty(x: Float64Array, lines: Sequence[Float64Array]) -> BoolArray:
    width = np.array([line[-1] - line[0] for line in lines])
    distance = cKDTree(x / width).query(_grid(lines) / width, distance_upper_bound=NEAR)[0]
    empty = ~np.isfinite(distance)
    return np.asarray(empty.reshape([len(line) for line in reversed(lines)]))


@dataclass(frozen=True)
class Response:
    """Values of a part over one or two of its inputs, the others held.

    Attributes
    ----------
    part
        What responds.
    ground
        The grid, and where cells are on it.
    held
        (I,) the part's inputs of the selected cell: those off the axes are held at these values.
    value
        The part's value at the selected cell.
    values
        (W,) or (H, W); NaN where a formula is undefined.
    gradient
        (1, W) or (2, H, W): along x, and along y.
    boundary
        Where the value is 0: points (n, 1) of a curve as one array, or one line (n, 2) of x and y
        for each piece of the contour.
    """

    part: Part
    ground: Ground
    held: Float64Array
    value: float
    values: Float64Array
    gradient: Float64Array
    boundary: tuple[Float64Array, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """What the axes are called."""
        return tuple(self.part.inputs[axis].label for axis in self.ground.axes)

    @property
    def is_slice(self) -> bool:
        """Whether other inputs are held."""
        return len(self.ground.axes) < len(self.part.inputs)

    @property
    def dot(self) -> Float64Array:
        """The selected cell on the axes: (1,) or (2,)."""
        return self.held[list(self.ground.axes)]


def response(part: Part, ground: Ground, held: npt.ArrayLike) -> Response:
    """Values, gradient and zeros of a part on a grid.

    Parameters
    ----------
    part
        What responds.
    ground
        The grid (:func:`ground_of`).
    held
        (I,) inputs of the selected cell: ``part.read(latents[None])[0]``.

    Raises
    ------
    InvalidInput
        If the cell has not as many inputs as the part.
    """
    cell = np.asarray(held, np.float64)
    if cell.shape != (len(part.inputs),):
        raise InvalidInput(
            f"{part.name} reads {len(part.inputs)} inputs; the selected cell has {cell.shape}."
        )
    axes = list(ground.axes)
    points = _grid(ground.points)
    # the last row is the selected cell itself
    x = np.tile(cell, (len(points) + 1, 1))
    x[:-1, axes] = points
    flat, slopes = part.with_gradient(x)
    values = flat[:-1].reshape(ground.shape)
    gradient = np.ascontiguousarray(slopes[:-1, axes].T).reshape(len(axes), *ground.shape)
    return Response(
        part, ground, cell, float(flat[-1]), values, gradient, _zeros(values, ground.points)
    )


def contour(
    values: Float64Array, lines: Sequence[Float64Array], level: float = 0.0
) -> tuple[Float64Array, ...]:
    """Lines (n, 2) of x and y along which a map (H, W) has one value, a piece each.

    ``lines`` are the points (W,) and (H,) of its axes.
    """
    found = []
    for path in find_contours(values, level):
        rows, columns = path.T
        x = np.interp(columns, np.arange(len(lines[0])), lines[0])
        found.append(np.stack([x, np.interp(rows, np.arange(len(lines[1])), lines[1])], 1))
    return tuple(found)


def _zeros(values: Float64Array, lines: Sequence[Float64Array]) -> tuple[Float64Array, ...]:
    if len(lines) == 2:
        return contour(values, lines)
    (line,) = lines
    with np.errstate(invalid="ignore"):
        at = np.flatnonzero((values[:-1] >= 0) != (values[1:] >= 0))
    at = at[np.isfinite(values[at]) & np.isfinite(values[at + 1])]
    share = values[at] / (values[at] - values[at + 1])
    zeros = line[at] + share * (line[at + 1] - line[at])
    return (zeros[:, None],) if len(zeros) else ()


@dataclass(frozen=True)
class Traversal:
    """Decoded pictures of a cell as one input of a part moves.

    Attributes
    ----------
    axis
        Position of the input in the part.
    values
        (n,) of it.
    pictures
        (n, S, S) in the units of ``CellModel.seen``.
    """

    axis: int
    values: Float64Array
    pictures: Float32Array


def traversals(
    part: Part, ground: Ground, model: CellModel, latents: npt.ArrayLike, steps: int = STEPS
) -> tuple[Traversal, ...]:
    """Decoded pictures of a cell (L,) along each axis of a grid, all else held.

    A radius moves the pair along its direction. An axis that is the output of a neuron has none.
    """
    found = []
    for axis, line in zip(ground.axes, ground.points, strict=True):
        if isinstance(part.inputs[axis], NeuronOutput):
            continue
        values = np.linspace(line[0], line[-1], 2 * steps + 1)[1::2]
        z = part.moved(latents, (axis,), values[:, None])
        found.append(Traversal(axis, values, model.decode(z)[:, 0]))
    return tuple(found)


def strongest(part: Part, cells: Population, seed: int = 0, most: int = 1000) -> Float64Array:
    """Share (I,) of a part's variance over the cells that each input makes.

    It is the total effect index of Jansen: half the mean square of the change as an input takes the
    value of another cell, over the variance. Shares add up to more than 1 where inputs interact.
    They are 0 for a constant.
    """
    draw = np.random.default_rng(seed)
    rows = draw.permutation(len(cells))[:most]
    x = part.read(cells.latents[rows])
    other = np.roll(np.arange(len(x)), 1)
    plain = part(x)
    variance = float(np.nanvar(plain))
    effects = np.zeros(len(part.inputs))
    if not variance > 0:
        return effects
    for i in range(len(effects)):
        swapped = x.copy()
        swapped[:, i] = x[other, i]
        effects[i] = np.nanmean((part(swapped) - plain) ** 2) / 2 / variance
    return effects
