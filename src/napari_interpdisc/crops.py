"""Cut square crops around centroids, resampled so that nuclei have the model's diameter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_interpdisc._types import Float32Array
from napari_interpdisc.errors import InvalidInput

if TYPE_CHECKING:
    from napari_interpdisc.cells import CellTable
    from napari_interpdisc.frames import Frames

CROP_SIZE = 64
"""Side of a crop in (resampled) pixels, as in the paper, §4.1."""

MODEL_DIAMETER = 28.0
"""Typical nuclear diameter inside a crop, in resampled pixels."""

CLIP = 8.0
"""Normalised crops are clipped to ± this many standard deviations."""

LEAST_CONTRAST = 1e-6
"""Standard deviation of a crop, relative to its largest value, below which it is rounding alone."""

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
    frame: Float32Array, yx: npt.ArrayLike, zoom: float = 1.0, size: int = CROP_SIZE
) -> Float32Array:
    """Resample one square crop per centroid, bilinearly and to sub-pixel precision.

    Parameters
    ----------
    frame
        (Y, X) pixels, already low-passed with :func:`smooth_for_zoom` if ``zoom`` < 1.
    yx
        (n, 2) centroids in pixels; a centroid at an integer is at that pixel's centre.
    zoom
        Crop pixels per frame pixel: model diameter / image diameter.
    size
        Side of a crop, in crop pixels.

    Returns
    -------
    (n, size, size) float32. Pixels outside the frame have the frame's mean.
    """
    centres = np.asarray(yx, dtype=np.float64).reshape(-1, 2)
    offsets = (np.arange(size) - (size - 1) / 2) / zoom
    rows = np.broadcast_to(centres[:, 0, None, None] + offsets[:, None], (len(centres), size, size))
    cols = np.broadcast_to(centres[:, 1, None, None] + offsets[None, :], (len(centres), size, size))
    return np.asarray(
        ndimage.map_coordinates(
            frame,
            [rows, cols],
            order=1,
            mode="constant",
            cval=float(frame.mean()),
            output=np.float32,
        )
    )


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
    size = np.abs(values).max((-2, -1), keepdims=True)
    # the mean of the largest pixels of float32 would overflow, the square of its smallest vanish
    values = values / np.where(size > 0, size, 1)
    values = (values - values.mean((-2, -1), keepdims=True)).astype(np.float32)
    std = values.std((-2, -1), keepdims=True)
    scaled = values / np.where(std > LEAST_CONTRAST, std, np.float32(np.inf))
    return np.asarray(np.clip(scaled, -CLIP, CLIP), dtype=np.float32)


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
        Positions in ``cells`` (n,) and their crops (n, 1, size, size), n ≤ ``batch``.

    Raises
    ------
    InvalidInput
        For an impossible diameter, or a frame that cannot be read.
    """
    zoom = model_diameter / check_diameter(diameter)
    order = np.argsort(cells.t, kind="stable")
    starts = np.flatnonzero(np.diff(cells.t[order], prepend=-1))
    for rows in np.split(order, starts[1:]) if len(order) else []:
        frame = smooth_for_zoom(frames.frame(int(cells.t[rows[0]])), zoom)
        for start in range(0, len(rows), batch):
            some = rows[start : start + batch]
            crops = cut_crops(frame, cells.yx[some], zoom, size)
            yield some, normalise(crops)[:, None]


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
