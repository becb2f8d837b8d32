"""Cut square crops around centroids, resampled so that nuclei have the model's diameter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import ndimage, sparse

from napari_interpdisc._types import BoolArray, Float32Array
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.flags import BLANK, NOT_A_NUMBER, UNIFORM, UNREADABLE
from napari_interpdisc.frames import BlockReader, UnreadableFrame

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

MOST_MISSING = 0.1
"""Share of a nucleus that may lack pixels; with more, the cell has none."""

WINDOW_PIXELS = 4_000_000
"""Pixels of the frame that are copied at once, so that caches and memory hold them."""

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


def smooth_for_zoom(frame: Float32Array, zoom: float) -> Float32Array:
    """Low-pass ``frame`` (Y, X) so that sampling it at ``zoom`` < 1 does not alias."""
    if zoom >= 1:
        return frame
    return np.asarray(ndimage.gaussian_filter(frame, (1 / zoom - 1) / 2), dtype=np.float32)


def cut_crops(
    frame: Float32Array,
    yx: npt.ArrayLike,
    zoom: float = 1.0,
    size: int = CROP_SIZE,
    beyond: float | None = None,
    low_pass: bool = False,
) -> Float32Array:
    """Resample one square crop per centroid, bilinearly and to sub-pixel precision.

    Rows and columns are resampled one after the other: every pixel is a weighted sum of a few
    neighbours along each axis, and these weights hold the low-pass too.

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
    pixels = np.ascontiguousarray(frame, dtype=np.float32)
    kernel = _low_pass(zoom) if low_pass else np.ones(1)
    shape, taps = np.array(pixels.shape), len(kernel) + 1
    offsets = (np.arange(size) - (size - 1) / 2) / zoom
    at = np.asarray(yx, dtype=np.float64).reshape(-1, 2)[:, :, None] + offsets
    last = (shape - 1)[:, None]
    outside = (at < 0) | (at > last)
    at = at.clip(0, last)
    whole = np.floor(at).astype(np.int32)
    weights = _weights(at - whole, kernel)
    first = whole - len(kernel) // 2
    # the part of the frame that a crop is made of, at most all of it
    sides = np.minimum(shape, int(np.ceil((size - 1) / zoom)) + taps + 1)
    corner = np.clip(first[:, :, 0], 0, shape - sides).astype(np.int32)
    windows = np.lib.stride_tricks.sliding_window_view(pixels, tuple(sides))
    crops = np.empty((len(at), size, size), np.float32)
    for start in range(0, len(at), step := max(1, WINDOW_PIXELS // int(sides.prod()))):
        some = slice(start, start + step)
        found = windows[corner[some, 0], corner[some, 1]]
        for axis in (0, 1):
            places = first[some, axis, :, None] + np.arange(taps, dtype=np.int32)
            places = _reflected(places, int(shape[axis])) - corner[some, axis, None, None]
            found = _resampled(found, places, weights[some, axis])
        crops[some] = found
    if outside.any():
        gone = outside[:, 0, :, None] | outside[:, 1, None, :]
        crops[gone] = frame.mean() if beyond is None else beyond
    return crops


def _low_pass(zoom: float) -> npt.NDArray[np.float64]:
    """Weights of the blur of :func:`smooth_for_zoom` along one axis, of sum 1."""
    if zoom >= 1:
        return np.ones(1)
    sigma = (1 / zoom - 1) / 2
    radius = int(4 * sigma + 0.5)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return np.asarray(weights / weights.sum())


def _weights(fraction: npt.NDArray[np.float64], kernel: npt.NDArray[np.float64]) -> Float32Array:
    """Weights (..., taps) of the pixels that a place at ``fraction`` (...) between two is made of.

    Those of two neighbours, each of which is a sum under ``kernel``.
    """
    left, right = np.append(kernel, 0), np.insert(kernel, 0, 0)
    part = fraction[..., None]
    return np.asarray((1 - part) * left + part * right, np.float32)


def _reflected(places: npt.NDArray[np.int32], n: int) -> npt.NDArray[np.int32]:
    """Places on an axis of ``n`` pixels, those beyond its ends mirrored: d c b a | a b c d."""
    if places.min(initial=0) >= 0 and places.max(initial=0) < n:
        return places
    turned = places % (2 * n)
    return np.asarray(np.where(turned < n, turned, 2 * n - 1 - turned), np.int32)


def _resampled(
    windows: Float32Array, places: npt.NDArray[np.int32], weights: Float32Array
) -> Float32Array:
    """Weighted sums of rows: (n, H, W), places and weights (n, S, taps) → (n, W, S).

    Axes change places, so that twice the same does rows, then columns. A sparse matrix is nothing
    else than such sums, and scipy's product adds whole rows.
    """
    n, height, width = windows.shape
    size, taps = weights.shape[1:]
    rows = places + (np.arange(n, dtype=np.int32) * height)[:, None, None]
    ends = np.arange(0, n * size * taps + 1, taps, dtype=np.int32)
    sums = sparse.csr_array((weights.ravel(), rows.ravel(), ends), shape=(n * size, n * height))
    found = sums @ windows.reshape(n * height, width)
    return np.ascontiguousarray(found.reshape(n, size, width).transpose(0, 2, 1))


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
    if values.dtype not in (np.float32, np.float64):
        values = values.astype(np.float32)
    size = np.maximum(values.max((-2, -1), keepdims=True), -values.min((-2, -1), keepdims=True))
    if values.dtype == np.float64 or not ((size == 0) | (size > SMALL) & (size < LARGE)).all():
        # a mean of the largest float32 would overflow, the square of the smallest vanish
        values = values / np.where(size > 0, size, 1)
        size = (size > 0).astype(np.float32)
    centred = (values - values.mean((-2, -1), keepdims=True)).astype(np.float32)
    n = centred.shape[-2] * centred.shape[-1]
    std = np.sqrt(np.einsum("...ij,...ij->...", centred, centred) / np.float32(n))[..., None, None]
    centred /= np.where(std > LEAST_CONTRAST * size, std, np.float32(np.inf))
    return np.asarray(np.clip(centred, -CLIP, CLIP, out=centred))


@dataclass(frozen=True)
class CutCells:
    """Crops of some cells of one frame.

    Attributes
    ----------
    rows
        (n,) positions in the cell table.
    crops
        (n, size, size) float32 pixels, not normalised; 0 for cells without pixels.
    no_pixels
        (n,) why a cell has no pixels, in words; empty for a cell that has some.
    at_top
        (n,) whether the crop reaches the top of the frame's range, where pixels may be cut off.
    """

    rows: npt.NDArray[np.intp]
    crops: Float32Array
    no_pixels: npt.NDArray[np.object_]
    at_top: BoolArray


def joined_cells(parts: Sequence[CutCells]) -> CutCells:
    """Cells of all parts, in their order."""
    if len(parts) == 1:
        return parts[0]
    names = [field.name for field in fields(CutCells)]
    return CutCells(
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    )


def some_cells(cells: CutCells, rows: slice) -> CutCells:
    """Some of the cells; their crops are views of the same pixels."""
    return CutCells(**{one.name: getattr(cells, one.name)[rows] for one in fields(CutCells)})


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
    frames: Frames, cells: CellTable, diameter: float, model_diameter: float, size: int, batch: int
) -> Iterator[CutCells]:
    """Yield crops of all cells, frame by frame, in bounded memory.

    Parameters are those of :func:`iter_crops`, which normalises the crops. A frame that is blank or
    damaged costs its own cells only.

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
    reader = BlockReader(frames)
    for rows in np.split(order, ends) if len(order) else []:
        t, plane = int(cells.t[rows[0]]), None if planes is None else int(z[rows[0]])
        picture, reason = _read(reader, t, plane)
        frame = None if picture is None else picture.beyond_edge()
        for start in range(0, len(rows), batch):
            some = rows[start : start + batch]
            if frame is None or picture is None:
                nothing = np.zeros((len(some), size, size), np.float32)
                told = np.full(len(some), reason, object)
                yield CutCells(some, nothing, told, np.zeros(len(some), bool))
                continue
            yx = cells.yx[some]
            crops = cut_crops(frame, yx, zoom, size, low_pass=True)
            told = _without_pixels(picture, crops, yx, zoom, model_diameter)
            crops[told != ""] = 0
            top = float(frame.max())
            at_top = crops.max((1, 2)) >= top - NEAR_TOP * (top - float(frame.min()))
            yield CutCells(some, crops, told, np.asarray(at_top))


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


def _without_pixels(
    picture: Picture,
    crops: Float32Array,
    yx: npt.NDArray[np.float64],
    zoom: float,
    model_diameter: float,
) -> npt.NDArray[np.object_]:
    """Why cells (n,) of a frame have no pixels; empty for most."""
    told = np.full(len(crops), "", object)
    low, high = crops.min((1, 2)), crops.max((1, 2))
    told[high - low <= LEAST_CONTRAST * np.abs(high)] = UNIFORM
    if picture.missing is not None:
        size = crops.shape[-1]
        inside = _far(size) < model_diameter / 2
        gone = cut_crops(picture.missing.astype(np.float32), yx, zoom, size, 0.0) > 0.5
        told[gone[:, inside].mean(1) > MOST_MISSING] = NOT_A_NUMBER
    return told


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
    for found in iter_cells(frames, cells, diameter, model_diameter, size, batch):
        yield found.rows, normalise(found.crops)[:, None]


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
