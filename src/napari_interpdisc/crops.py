"""Cut square crops around centroids, resampled so that nuclei have the model's diameter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_interpdisc._types import BoolArray, Float32Array
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.flags import BLANK, NOT_A_NUMBER, UNIFORM, UNREADABLE
from napari_interpdisc.frames import BlockReader, UnreadableFrame
from napari_interpdisc.resampling import resample, smooth_for_zoom

if TYPE_CHECKING:
    from napari_interpdisc.cells import CellTable
    from napari_interpdisc.frames import Frames, Picture

CROP_SIZE = 64
"""Side of a crop in (resampled) pixels, as in the paper, §4.1."""

MODEL_DIAMETER = 28.0
"""Typical nuclear diameter inside a crop, in resampled pixels."""

CLIP = 8.0
"""Normalised crops are clipped to ± this many standard deviations."""

LEAST_CONTRAST = 1e-6
"""Standard deviation of a crop, relative to its largest value, below which it is rounding alone."""

SMALL, LARGE = 1e-12, 1e12
"""Between these, squares and sums of pixels are far from the ends of float32."""

AT_ONCE = 32
"""Crops that are normalised at once, so that a core's cache holds them."""

MOST_MISSING = 0.1
"""Share of a nucleus that may lack pixels; with more, the cell has none."""

NEAR_TOP = 1e-3
"""Part of a frame's range within which a crop reaches its top."""

DIAMETER_RANGE = (3.0, 500.0)
"""Nuclear diameters, in image pixels, that can be meant seriously."""


def check_diameter(diameter: float) -> float:
    """Return ``diameter`` (image pixels) if a nucleus can have it.

    Raises
    ------
    InvalidInput
        If it is not a finite number within :data:`DIAMETER_RANGE`.
    """
    low, high = DIAMETER_RANGE
    if not np.isfinite(diameter) or not low <= diameter <= high:
        raise InvalidInput(
            f"A nuclear diameter of {diameter:g} px cannot be used: give the typical diameter of "
            f"an interphase nucleus in pixels, between {low:g} and {high:g}, or have it estimated."
        )
    return float(diameter)


def cut_crops(
    frame: Float32Array,
    yx: npt.ArrayLike,
    zoom: float = 1.0,
    size: int = CROP_SIZE,
    beyond: float | None = None,
    low_pass: bool = False,
) -> Float32Array:
    """Resample one square crop per centroid, bilinearly and to sub-pixel precision.

    Parameters
    ----------
    frame
        (Y, X) pixels.
    yx
        (n, 2) centroids in pixels; a centroid at an integer is at that pixel's centre.
    zoom
        Crop pixels per frame pixel: model diameter / image diameter.
    size
        Side of a crop, in crop pixels.
    beyond
        Value of pixels outside the frame; the frame's mean if None.
    low_pass
        Whether to sample ``smooth_for_zoom(frame, zoom)`` in place of the frame.

    Returns
    -------
    (n, size, size) float32.
    """
    at = np.asarray(yx, dtype=np.float64).reshape(-1, 2)
    crops = np.empty((len(at), size, size), np.float32)
    resample(
        frame, at, zoom, crops, lambda: float(frame.mean()) if beyond is None else beyond, low_pass
    )
    return crops


def normalise(crops: npt.ArrayLike) -> Float32Array:
    """Centre and scale each crop by its own mean and standard deviation.

    (x − mean) / std, clipped to ±:data:`CLIP`: raw intensity never reaches a model, since it
    differs between microscopes and leaks labels. The gain, offset and type of the pixels change
    nothing: a crop has no contrast, and becomes 0, by a limit that is relative to its own values.

    Parameters
    ----------
    crops
        (..., size, size) of any real type.
    """
    values = np.asarray(crops)
    several = values.reshape(-1, *values.shape[-2:])
    found = np.empty(several.shape, np.float32)
    for start in range(0, len(several), AT_ONCE):
        block = several[start : start + AT_ONCE]
        if block.dtype not in (np.float32, np.float64):
            block = block.astype(np.float32)
        low, high = block.min((1, 2)), block.max((1, 2))
        _normalise(block, low, high, found[start : start + AT_ONCE])
    return found.reshape(values.shape)


def _normalise(
    crops: npt.NDArray[Any], low: npt.NDArray[Any], high: npt.NDArray[Any], out: Float32Array
) -> None:
    """Normalise crops (n, S, S) with lowest and highest values (n,) into ``out``, maybe themselves.

    Every line is at most one pass over memory, which is what this costs. A crop becomes the same
    beside whatever others.
    """
    pixels, side = crops.shape[1] * crops.shape[2], crops.shape[2]
    low, high = low[:, None, None], high[:, None, None]
    size = np.maximum(high, -low)
    if crops.dtype == np.float64 or not ((size == 0) | (size > SMALL) & (size < LARGE)).all():
        # a mean of the largest float32 would overflow, the square of the smallest vanish
        scale = np.where(size > 0, size, 1)
        crops, low, high, size = crops / scale, low / scale, high / scale, size / scale
    # row by row, since float32 holds no sum of thousands of pixels with a large offset
    rows = np.matmul(crops, np.ones((side, 1), crops.dtype))
    mean = (rows.sum((1, 2), dtype=np.float64) / pixels).astype(crops.dtype)[:, None, None]
    np.subtract(crops, mean, out=out, casting="same_kind")
    flat = out.reshape(len(out), pixels)
    squares = np.matmul(flat[:, None, :], flat[:, :, None])
    std = np.sqrt(squares / np.float32(pixels))
    std = np.where(std > LEAST_CONTRAST * size, std, np.inf).astype(np.float32)
    out /= std
    if (np.maximum(high - mean, mean - low) > CLIP * std).any():
        np.clip(out, -CLIP, CLIP, out=out)


@dataclass(frozen=True)
class CutCells:
    """Crops of some cells, of one frame or of several.

    Attributes
    ----------
    rows
        (n,) positions in the cell table.
    crops
        (n, size, size) float32 pixels; 0 for cells without pixels.
    no_pixels
        (n,) why a cell has no pixels, in words; empty for a cell that has some.
    at_top
        (n,) whether the crop reaches the top of the frame's range, where pixels may be cut off.
    """

    rows: npt.NDArray[np.intp]
    crops: Float32Array
    no_pixels: npt.NDArray[np.object_]
    at_top: BoolArray

    def with_pixels(self) -> tuple[npt.NDArray[np.intp], Float32Array]:
        """Rows (m,) and crops (m, 1, size, size) of the cells that have pixels."""
        has = self.no_pixels == ""
        if has.all():  # no copy
            return self.rows, self.crops[:, None]
        return self.rows[has], self.crops[has][:, None]


def z_planes(frames: Frames, cells: CellTable) -> npt.NDArray[np.intp] | None:
    """Plane (N,) of each cell along z, or None where frames choose the plane by themselves.

    Raises
    ------
    InvalidInput
        If each cell's own plane is asked for and the cells have no z, or one outside the stack.
    """
    if frames.z_axis is None or frames.z != "centroid":
        return None
    if "z" not in cells.extra:
        raise InvalidInput(
            f"'{cells.source}' has no column z, which --z centroid reads (plane, from 0); give "
            "--z max or --z mid."
        )
    z = np.asarray(cells.extra["z"], dtype=np.float64)
    bad = ~((z >= -0.5) & (z <= frames.n_planes - 0.5))
    if bad.any():
        first = np.flatnonzero(bad)[0]
        raise InvalidInput(
            f"{bad.sum()} of {len(cells)} cells in '{cells.source}' have a z outside the "
            f"{frames.n_planes} planes of the image (first in row {first}: {z[first]:g}); z is the "
            "number of the plane, from 0."
        )
    return np.clip(np.rint(z), 0, frames.n_planes - 1).astype(np.intp)


def iter_cells(
    frames: Frames,
    cells: CellTable,
    diameter: float,
    model_diameter: float,
    size: int,
    batch: int,
    *,
    normalised: bool = False,
    across: bool = False,
) -> Iterator[CutCells]:
    """Yield crops of all cells, frame by frame, in bounded memory.

    A frame that is blank or damaged costs its own cells only.

    Parameters
    ----------
    frames, cells, diameter, model_diameter, size, batch
        As :func:`iter_crops` takes them.
    normalised
        Whether crops are normalised (:func:`normalise`), which costs least while they are cut.
    across
        Whether batches hold cells of several frames, so that all of them but the last have
        ``batch`` cells; each is of one frame if not.

    Raises
    ------
    InvalidInput
        For an impossible diameter, or cells without the z that is asked for.
    """
    zoom = model_diameter / check_diameter(diameter)
    planes = z_planes(frames, cells)
    z = np.zeros(len(cells), np.intp) if planes is None else planes
    order = np.lexsort((z, cells.t))
    ends = np.flatnonzero((np.diff(cells.t[order]) != 0) | (np.diff(z[order]) != 0)) + 1
    reader, left = BlockReader(frames), len(order)
    held, filled = _none(0, size), 0
    for rows in np.split(order, ends) if left else []:
        t, plane = int(cells.t[rows[0]]), None if planes is None else int(z[rows[0]])
        cutter = _Cutter(*_read(reader, t, plane), zoom, model_diameter, normalised)
        done = 0
        while done < len(rows):
            if filled == 0:
                held = _none(min(batch, left if across else len(rows) - done), size)
            some = rows[done : done + len(held.rows) - filled]
            cutter.cut(some, cells.yx[some], _some(held, slice(filled, filled + len(some))))
            done, filled, left = done + len(some), filled + len(some), left - len(some)
            if filled == len(held.rows):
                yield held
                filled = 0


def _none(n: int, size: int) -> CutCells:
    """Room for n cells."""
    crops = np.empty((n, size, size), np.float32)
    return CutCells(np.empty(n, np.intp), crops, np.full(n, "", object), np.zeros(n, bool))


def _some(cells: CutCells, rows: slice) -> CutCells:
    """Some of the cells, as views."""
    return CutCells(cells.rows[rows], cells.crops[rows], cells.no_pixels[rows], cells.at_top[rows])


@dataclass(frozen=True)
class _Cutter:
    """Cuts cells of one frame; ``reason`` is why there is no picture."""

    picture: Picture | None
    reason: str
    zoom: float
    model_diameter: float
    normalised: bool

    @cached_property
    def _frame(self) -> Float32Array:
        assert self.picture is not None
        return self.picture.beyond_edge()

    @property
    def _near_top(self) -> float:
        assert self.picture is not None
        return (1 - NEAR_TOP) * self.picture.top

    @cached_property
    def _mean(self) -> float:
        # a product takes a quarter of the time of a mean, which sums pairwise; rows are short
        rows = self._frame @ np.ones(self._frame.shape[1], np.float32)
        return float(rows.sum(dtype=np.float64)) / self._frame.size

    def cut(self, rows: npt.NDArray[np.intp], yx: npt.NDArray[np.float64], into: CutCells) -> None:
        """Fill ``into`` with cells at positions ``rows`` of the table, with centroids (n, 2)."""
        into.rows[:] = rows
        if self.picture is None:
            into.crops[:] = 0
            into.no_pixels[:] = self.reason
            return

        def look(some: slice, crops: Float32Array) -> None:
            low, high = crops.min((1, 2)), crops.max((1, 2))
            into.at_top[some] = high >= self._near_top
            into.no_pixels[some][high - low <= LEAST_CONTRAST * np.abs(high)] = UNIFORM
            if self.normalised:
                _normalise(crops, low, high, crops)

        resample(
            self._frame, yx, self.zoom, into.crops, lambda: self._mean, low_pass=True, then=look
        )
        if self.picture.missing is not None:
            gone = self._missing(self.picture.missing, yx, into.crops.shape[-1])
            into.no_pixels[gone] = NOT_A_NUMBER
        into.crops[into.no_pixels != ""] = 0

    def _missing(self, missing: BoolArray, yx: npt.NDArray[np.float64], size: int) -> BoolArray:
        """Whether too much of each nucleus (n,) has no value in the file."""
        inside = _far(size) < self.model_diameter / 2
        gone = cut_crops(missing.astype(np.float32), yx, self.zoom, size, 0.0) > 0.5
        return np.asarray(gone[:, inside].mean(1) > MOST_MISSING)


def _read(frames: BlockReader, t: int, plane: int | None) -> tuple[Picture | None, str]:
    """Frame ``t``, or None and why it has no pixels."""
    try:
        picture = frames.picture(t, plane)
    except UnreadableFrame:
        return None, UNREADABLE
    if not picture.blank:
        return picture, ""
    no_values = picture.missing is not None and bool(picture.missing.all())
    return None, NOT_A_NUMBER if no_values else BLANK


def _far(size: int) -> npt.NDArray[np.float64]:
    """Distance of each pixel of a crop from its centre, px."""
    along = np.arange(size) - (size - 1) / 2
    return np.asarray(np.hypot(along[:, None], along[None, :]))


def iter_crops(
    frames: Frames,
    cells: CellTable,
    diameter: float,
    model_diameter: float = MODEL_DIAMETER,
    size: int = CROP_SIZE,
    batch: int = 1024,
) -> Iterator[tuple[npt.NDArray[np.intp], Float32Array]]:
    """Yield normalised crops of all cells, frame by frame, in bounded memory.

    Parameters
    ----------
    frames, cells
        The movie, and the cells with centroids in its pixels.
    diameter, model_diameter
        Typical nuclear diameter in the movie and in the model's crops, in pixels.
    size
        Side of a crop.
    batch
        Largest number of crops held at once.

    Yields
    ------
    rows, crops
        Positions in ``cells`` (n,) and their crops (n, 1, size, size), n ≤ ``batch``; 0 for cells
        without pixels (:func:`cells_without_pixels`).

    Raises
    ------
    InvalidInput
        For an impossible diameter, or cells without the z that is asked for.
    """
    for found in iter_cells(frames, cells, diameter, model_diameter, size, batch, normalised=True):
        yield found.rows, found.crops[:, None]


def cells_without_pixels(
    frames: Frames, cells: CellTable, diameter: float
) -> npt.NDArray[np.object_]:
    """Why each cell (N,) has no pixels, in words; empty for those that have. Reads every frame."""
    told = np.full(len(cells), "", object)
    for found in iter_cells(frames, cells, diameter, MODEL_DIAMETER, CROP_SIZE, 1024):
        told[found.rows] = found.no_pixels
    return told


def without_pixels(why: npt.NDArray[np.object_]) -> str:
    """How many cells have no pixels, by reason; ``why`` (N,) is empty for the others."""
    counted = Counter(text.removeprefix("no pixels: ") for text in why if text)
    n = sum(counted.values())
    told = ", ".join(f"{k} {text}" for text, k in counted.items())
    return f"{n} cell{'s have' if n > 1 else ' has'} no pixels ({told})"


def usable_cells(why: npt.NDArray[np.object_], source: str) -> tuple[npt.NDArray[np.bool_], str]:
    """Choose the cells that have pixels, and tell how many are left out.

    Parameters
    ----------
    why
        (N,) why a cell has no pixels, in words; empty for one that has.
    source
        Where the cells are from, for messages.

    Returns
    -------
    (N,) whether a cell can be used, and a sentence on the others; empty if there are none.

    Raises
    ------
    InvalidInput
        If no cell can be used.
    """
    usable = np.asarray(why == "", bool)
    if usable.all():
        return usable, ""
    said = without_pixels(why)
    if not usable.any():
        raise InvalidInput(f"No cell of '{source}' can be used: {said}.")
    return usable, f"{said}; {'they are' if (~usable).sum() > 1 else 'it is'} left out."


def paste_crops(
    crops: Float32Array, yx: npt.ArrayLike, zoom: float, shape: tuple[int, int]
) -> Float32Array:
    """Put crops back at their cells: the inverse way of :func:`cut_crops`.

    Parameters
    ----------
    crops
        (n, size, size).
    yx
        (n, 2) centroids in frame pixels.
    zoom
        Crop pixels per frame pixel, as when the crops were cut.
    shape
        (Y, X) of the frame.

    Returns
    -------
    (Y, X) float32, NaN where no crop reaches; where crops overlap, a pixel belongs to the cell
    whose centroid is nearest.
    """
    canvas = np.full(shape, np.nan, np.float32)
    nearest = np.full(shape, np.inf, np.float32)
    size = crops.shape[-1]
    half = (size - 1) / 2 / zoom
    for crop, (y, x) in zip(crops, np.asarray(yx, dtype=np.float64).reshape(-1, 2), strict=True):
        y0, y1 = max(0, int(np.ceil(y - half))), min(shape[0], int(np.floor(y + half)) + 1)
        x0, x1 = max(0, int(np.ceil(x - half))), min(shape[1], int(np.floor(x + half)) + 1)
        if y0 >= y1 or x0 >= x1:
            continue
        rows, cols = np.mgrid[y0:y1, x0:x1]
        at = [(rows - y) * zoom + (size - 1) / 2, (cols - x) * zoom + (size - 1) / 2]
        values = ndimage.map_coordinates(
            smooth_for_zoom(crop, 1 / zoom), at, order=1, mode="nearest"
        )
        distance = ((rows - y) ** 2 + (cols - x) ** 2).astype(np.float32)
        closer = distance < nearest[y0:y1, x0:x1]
        canvas[y0:y1, x0:x1][closer] = values[closer]
        nearest[y0:y1, x0:x1][closer] = distance[closer]
    return canvas
