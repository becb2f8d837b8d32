"""Square crops of a frame, bilinear and to sub-pixel precision, a few at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view
from scipy import ndimage, sparse

from napari_interpdisc._types import BoolArray, Float32Array

BLOCK_PIXELS = 200_000
"""Pixels of the frame that are worked on at once: with what they become, a core's cache holds them.

On an AMD EPYC, 512 crops at once take twice as long as 64."""

Then = Callable[[slice, Float32Array], object]
"""Called with the places of some crops among all, and these crops, which it may change."""


def smooth_for_zoom(frame: Float32Array, zoom: float) -> Float32Array:
    """Low-pass ``frame`` (Y, X) so that sampling it at ``zoom`` < 1 does not alias."""
    if zoom >= 1:
        return frame
    return np.asarray(ndimage.gaussian_filter(frame, (1 / zoom - 1) / 2), dtype=np.float32)


@dataclass(frozen=True)
class _Axis:
    """What n crops are made of along one axis.

    Attributes
    ----------
    corner
        (n,) first pixel of the part of the frame that a crop is made of.
    side
        Pixels of that part.
    places, weights
        (n, size, taps) pixels of that part, and the share of each, that a pixel of the crop is the
        sum of.
    outside
        (n, size) whether a pixel of the crop is beyond the frame; None if none is.
    """

    corner: npt.NDArray[np.int32]
    side: int
    places: npt.NDArray[np.int32]
    weights: Float32Array
    outside: BoolArray | None


def _axis(
    centres: npt.NDArray[np.float64],
    length: int,
    zoom: float,
    size: int,
    kernel: npt.NDArray[np.float64],
) -> _Axis:
    """Crops around centres (n,) along an axis of some length, px."""
    taps = len(kernel) + 1
    at = centres[:, None] + (np.arange(size) - (size - 1) / 2) / zoom
    outside = None
    if at[:, 0].min(initial=0) < 0 or at[:, -1].max(initial=0) > length - 1:
        outside = np.asarray((at < 0) | (at > length - 1))
        np.clip(at, 0, length - 1, out=at)
    whole = at.astype(np.int32)  # none is below 0
    at -= whole
    part = at.astype(np.float32)
    first = whole - len(kernel) // 2
    side = min(length, int(np.ceil((size - 1) / zoom)) + taps + 1)
    corner = np.clip(first[:, 0], 0, length - side)
    places = np.empty((*first.shape, taps), np.int32)
    weights = np.zeros((*first.shape, taps), np.float32)
    for k in range(taps):
        places[:, :, k] = first + k
    for k, share in enumerate(kernel.astype(np.float32)):
        # two neighbours, each of which is a sum under the kernel
        weights[:, :, k + 1] += share * part
        weights[:, :, k] += share * (1 - part)
    places = _reflected(places, length)
    places -= corner[:, None, None]
    return _Axis(corner, side, places, weights, outside)


def _low_pass(zoom: float) -> npt.NDArray[np.float64]:
    """Weights of the blur of :func:`smooth_for_zoom` along one axis, of sum 1."""
    if zoom >= 1:
        return np.ones(1)
    sigma = (1 / zoom - 1) / 2
    radius = int(4 * sigma + 0.5)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return np.asarray(weights / weights.sum())


def _reflected(places: npt.NDArray[np.int32], n: int) -> npt.NDArray[np.int32]:
    """Places on an axis of ``n`` pixels, those beyond its ends mirrored: d c b a | a b c d.

    ``places`` are changed.
    """
    low, high = places.min(initial=0), places.max(initial=0)
    if low < -n or high >= 2 * n:  # a frame that is smaller than the reach of a pixel
        places %= 2 * n
        high = 2 * n - 1
    elif low < 0:
        np.maximum(places, -1 - places, out=places)
    if high >= n:
        np.minimum(places, 2 * n - 1 - places, out=places)
    return places


def resample(
    frame: Float32Array,
    yx: npt.NDArray[np.float64],
    zoom: float,
    crops: Float32Array,
    beyond: Callable[[], float],
    low_pass: bool = False,
    then: Then | None = None,
) -> None:
    """Resample one square crop per centroid.

    Rows and columns are resampled one after the other: every pixel is a weighted sum of a few
    neighbours along each axis, and these weights hold the low-pass too.

    Parameters
    ----------
    frame
        (Y, X) finite pixels.
    yx
        (n, 2) centroids in pixels; a centroid at an integer is at that pixel's centre.
    zoom
        Crop pixels per frame pixel.
    crops
        (n, size, size) contiguous, to be filled.
    beyond
        Called if a crop reaches beyond the frame, for the value of the pixels there.
    low_pass
        Whether to sample ``smooth_for_zoom(frame, zoom)`` in place of the frame.
    then
        Called with each block of crops when it is filled, while caches hold it.
    """
    pixels = np.ascontiguousarray(frame, dtype=np.float32)
    n, size = len(crops), crops.shape[-1]
    kernel = _low_pass(zoom) if low_pass else np.ones(1)
    rows, columns = (
        _axis(yx[:, k], length, zoom, size, kernel) for k, length in enumerate(pixels.shape)
    )
    parts = sliding_window_view(pixels, (rows.side, columns.side))
    step = max(1, BLOCK_PIXELS // (rows.side * columns.side))
    value = None
    for start in range(0, n, step):
        some = slice(start, min(n, start + step))
        windows = parts[rows.corner[some], columns.corner[some]]
        found = _rows_added(windows, rows.places[some], rows.weights[some])
        crops[some] = _rows_added(found, columns.places[some], columns.weights[some])
        if rows.outside is not None or columns.outside is not None:
            value = beyond() if value is None else value
            for mask, axis in ((rows.outside, 1), (columns.outside, 2)):
                if mask is not None:
                    _fill(crops[some], mask[some], axis, value)
        if then is not None:
            then(some, crops[some])


def _rows_added(
    windows: Float32Array, places: npt.NDArray[np.int32], weights: Float32Array
) -> Float32Array:
    """Weighted sums of rows: (n, H, W), places and weights (n, S, taps) → (n, W, S).

    Axes change places, so that twice the same does rows, then columns. A sparse matrix is nothing
    else than such sums, and scipy's product adds whole rows.
    """
    n, height, width = windows.shape
    size, taps = weights.shape[1:]
    at = places + (np.arange(n, dtype=np.int32) * height)[:, None, None]
    ends = np.arange(0, n * size * taps + 1, taps, dtype=np.int32)
    sums = sparse.csr_array((weights.ravel(), at.ravel(), ends), shape=(n * size, n * height))
    found = np.asarray(sums @ windows.reshape(n * height, width))
    return found.reshape(n, size, width).transpose(0, 2, 1)


def _fill(crops: Float32Array, outside: BoolArray, axis: int, value: float) -> None:
    """Set the rows (axis 1) or columns (axis 2) of crops (n, S, S) that are outside (n, S)."""
    for k in np.flatnonzero(outside.any(1)):
        if axis == 1:
            crops[k, outside[k]] = value
        else:
            crops[k, :, outside[k]] = value
