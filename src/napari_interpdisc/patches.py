"""Cut patches around cells: wider than crops, with room for augmented crops of other sizes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_interpdisc._types import Float32Array, Int32Array, Progress, silent
from napari_interpdisc.crops import (
    CROP_SIZE,
    LEAST_CONTRAST,
    MODEL_DIAMETER,
    check_diameter,
    cut_crops,
    iter_cells,
    normalise,
)
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.frames import LARGEST_RANGE, LEAST_RANGE, less_lowest
from napari_interpdisc.resampling import smooth_for_zoom

if TYPE_CHECKING:
    from napari_interpdisc.cells import CellTable
    from napari_interpdisc.frames import Frames

SIDE = 1.5
"""Side of a patch in crops: smaller nuclei are shown with more around them."""

SMALLEST_SIDE = 0.6
"""Side of ready-made images, in crops, below which they show too little around a nucleus."""

RIM = 6.0
"""Pixels that augmented crops may reach beyond real ones, as crops at the edge of a frame do."""

FAR = 1e3
"""Values of an image, relative to their range, from which its offset is taken away."""

BATCH = 1024


@dataclass(frozen=True)
class Patches:
    """Square pictures of N cells at the model's diameter, wider than its crops.

    Attributes
    ----------
    pixels
        (N, P, P) float32 of any range, the cell in the centre.
    field
        Side, px, of the central square that augmented crops may show.
    """

    pixels: Float32Array
    field: float

    def __len__(self) -> int:
        """Number of patches N."""
        return len(self.pixels)

    def take(self, rows: npt.ArrayLike) -> Patches:
        """The patches at some rows."""
        return replace(self, pixels=self.pixels[np.asarray(rows)])

    def crops(self, size: int = CROP_SIZE) -> Float32Array:
        """Normalised crops (N, 1, size, size) from the middle, as the pipeline cuts them."""
        return normalise(middle(self.pixels, size))[:, None]


def patch_side(crop_size: int = CROP_SIZE) -> int:
    """Side P of a patch, px, for crops of ``crop_size`` px."""
    return round(SIDE * crop_size)


def middle(pixels: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    """The central (..., size, size) of square pictures (..., P, P)."""
    start = (pixels.shape[-1] - size) // 2
    return pixels[..., start : start + size, start : start + size]


def diagonal_middle(pixels: Float32Array, size: int) -> Float32Array:
    """The central (N, size, size) of pictures (N, P, P) that are rotated by 45°, bilinearly.

    What lies outside a picture is its mean.
    """
    centre = (pixels.shape[1] - 1) / 2
    half = (np.arange(size) - (size - 1) / 2) * np.sqrt(0.5)
    down, right = half[:, None], half[None, :]
    at = [centre + down + right, centre + right - down]
    found = np.empty((len(pixels), size, size), np.float32)
    for i, picture in enumerate(pixels):
        found[i] = ndimage.map_coordinates(
            picture, at, order=1, mode="constant", cval=float(picture.mean())
        )
    return found


def scaled_to_unit(pixels: Float32Array) -> Float32Array:
    """Scale every picture of (N, P, P) to its own 0–1; pictures without contrast become 0."""
    low = pixels.min((1, 2), keepdims=True)
    span = pixels.max((1, 2), keepdims=True) - low
    least = LEAST_CONTRAST * np.abs(pixels).max((1, 2), keepdims=True)
    return np.asarray((pixels - low) / np.where(span > least, span, np.inf), dtype=np.float32)


def to_uint8(pixels: Float32Array) -> npt.NDArray[np.uint8]:
    """Scale every picture of (N, P, P) to its own 0–255."""
    return np.asarray(np.rint(scaled_to_unit(pixels) * 255), dtype=np.uint8)


def iter_patches(
    frames: Frames,
    cells: CellTable,
    diameter: float,
    model_diameter: float = MODEL_DIAMETER,
    crop_size: int = CROP_SIZE,
) -> Iterator[tuple[npt.NDArray[np.intp], Float32Array]]:
    """Yield patches of all cells, frame by frame, in bounded memory.

    Parameters
    ----------
    frames, cells, diameter
        The movie, its cells, and the typical nuclear diameter in it, px.
    model_diameter, crop_size
        Typical nuclear diameter in the model's crops, and the side of a crop, px.

    Yields
    ------
    rows, pixels
        Positions in ``cells`` (n,) and their pixels (n, P, P); the frame's mean beyond the frame,
        0 for cells without pixels.

    Raises
    ------
    InvalidInput
        If a cell is outside the image, or the diameter is impossible.
    """
    cells.check_inside(frames)
    side = patch_side(crop_size)
    for found in iter_cells(frames, cells, diameter, model_diameter, side, BATCH):
        yield found.rows, found.crops


def patches_of_cells(
    frames: Frames,
    cells: CellTable,
    diameter: float,
    model_diameter: float = MODEL_DIAMETER,
    crop_size: int = CROP_SIZE,
    progress: Progress = silent,
) -> Patches:
    """Cut one patch around each of N cells; see :func:`iter_patches`."""
    side = patch_side(crop_size)
    pixels = np.empty((len(cells), side, side), np.float32)
    done = 0
    for rows, found in iter_patches(frames, cells, diameter, model_diameter, crop_size):
        pixels[rows] = found
        done += len(rows)
        progress(done, len(cells))
    return Patches(pixels, float(side))


def patches_of_crops(
    images: npt.NDArray[Any],
    diameter: float,
    model_diameter: float = MODEL_DIAMETER,
    crop_size: int = CROP_SIZE,
    name: str = "these crops",
) -> Patches:
    """Resample ready-made crops, the cell in the centre, to patches.

    Parameters
    ----------
    images
        (N, H, W) of any real type and range of values.
    diameter
        Typical nuclear diameter in them, px.
    model_diameter, crop_size
        Typical nuclear diameter in the model's crops, and the side of a crop, px.
    name
        What to call the images in a sentence.

    Raises
    ------
    InvalidInput
        If the images are not (N, H, W) or no real numbers, hold NaN, or show too little around
        the nuclei.
    """
    zoom = model_diameter / check_diameter(diameter)
    if images.ndim != 3 or not len(images):
        raise InvalidInput(
            f"The images of {name} have the shape {images.shape}; (number, rows, columns) was "
            "expected."
        )
    if images.dtype.kind not in "buif":
        raise InvalidInput(
            f"The images of {name} have values of type {images.dtype}; give integers or floats."
        )
    if not np.isfinite(images).all():
        raise InvalidInput(f"The images of {name} hold NaN or infinite pixels; replace them first.")
    height, width = images.shape[1:]
    if min(height, width) * zoom < SMALLEST_SIDE * crop_size:
        least = int(np.ceil(SMALLEST_SIDE * crop_size / zoom))
        raise InvalidInput(
            f"Images of {height} × {width} px show too little around nuclei of {diameter:g} px "
            f"({name}); give images of at least {least} px, or correct the diameter."
        )
    side = patch_side(crop_size)
    centre = [((height - 1) / 2, (width - 1) / 2)]
    pixels = np.empty((len(images), side, side), np.float32)
    for i, image in enumerate(images):
        smooth = smooth_for_zoom(_as_float32(image), zoom)
        pixels[i] = cut_crops(smooth, centre, zoom, side)[0]
    return Patches(pixels, min(float(side), min(height, width) * zoom + RIM))


def _as_float32(image: npt.NDArray[Any]) -> Float32Array:
    """An image as float32: as it is, or less its lowest value if float32 would round it away."""
    values = image.astype(np.float64)
    low, high = float(values.min()), float(values.max())
    size = max(abs(low), abs(high))
    if LEAST_RANGE < size < LARGEST_RANGE and size < FAR * (high - low):
        return values.astype(np.float32)
    return less_lowest(values)


def label_crops(
    segmentation: Any,
    cells: CellTable,
    diameter: float,
    model_diameter: float = MODEL_DIAMETER,
    size: int = CROP_SIZE,
) -> Int32Array:
    """Cut the labels around cells, at the model's diameter, as the crops are cut.

    Parameters
    ----------
    segmentation
        (Y, X) or (T, Y, X) whole numbers, 0 for background; one frame is read at a time.
    cells
        N cells with centroids in its pixels.
    diameter, model_diameter
        Typical nuclear diameter in the segmentation and in the crops, px.
    size
        Side S of a crop, px.

    Returns
    -------
    (N, S, S) int32, numbered anew in every frame; 0 beyond the frame.

    Raises
    ------
    InvalidInput
        If the diameter is impossible, or a cell is at a time that the segmentation does not have.
    """
    zoom = model_diameter / check_diameter(diameter)
    times = segmentation.shape[0] if len(segmentation.shape) == 3 else 1
    if len(cells) and int(cells.t.max()) >= times:
        raise InvalidInput(
            f"'{cells.source}' has cells at times up to {cells.t.max()}, the segmentation "
            f"{times} frames; give the segmentation of the same movie."
        )
    out = np.zeros((len(cells), size, size), np.int32)
    offsets = (np.arange(size) - (size - 1) / 2) / zoom
    for t in np.unique(cells.t):
        plane = np.asarray(segmentation[int(t)] if len(segmentation.shape) == 3 else segmentation)
        values, numbers = np.unique(plane, return_inverse=True)
        # 0 may be missing, or not be the first
        numbers = np.where(plane == 0, 0, numbers.reshape(plane.shape) + int(values[0] != 0))
        numbers = np.pad(numbers, 1)
        rows = np.flatnonzero(cells.t == t)
        at = np.rint(cells.yx[rows, :, None] + offsets).astype(np.int64) + 1
        y, x = (np.clip(at[:, k], 0, numbers.shape[k] - 1) for k in (0, 1))
        out[rows] = numbers[y[:, :, None], x[:, None, :]]
    return out
