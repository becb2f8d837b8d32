"""Segment the nuclei of one frame, for images without a segmentation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_interpdisc._types import Float32Array, Int32Array
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.nuclei.peaks import lasting_peaks

WORKING_DIAMETER = 28.0
"""Larger nuclei are detected on a reduced image in which they have this diameter, px."""

LENIENCE = 0.9
"""Part of Otsu's threshold at which the foreground begins."""

NOTHING_FOUND = (
    "No nuclei were found in the image; give their diameter, choose the channel of the nuclear "
    "stain, or load centroids or labels from a segmentation."
)


class NothingFound(InvalidInput):
    """A frame without nuclei: the one fault that a movie may have in some frames."""


def checked_frame(frame: Float32Array) -> Float32Array:
    """Return one frame as float32 (Y, X).

    Raises
    ------
    InvalidInput
        If it is not 2D, or holds NaN or infinite pixels.
    """
    pixels = np.asarray(frame)
    if pixels.ndim != 2:
        raise InvalidInput(
            f"The frame has shape {pixels.shape}; nuclei are detected in one 2D frame (y, x)."
        )
    pixels = pixels.astype(np.float32)
    if not np.isfinite(pixels).all():
        raise InvalidInput(
            "The frame holds NaN or infinite pixels; replace them (for example with "
            "numpy.nan_to_num) and try again."
        )
    return pixels


def _compressed(
    pixels: Float32Array, sigma: float, reach: float
) -> tuple[Float32Array, Float32Array]:
    """Smooth, take off the background, and compress bright nuclei towards dim ones.

    The background is the darkest place within ``reach`` px: wider than a nucleus, narrower than
    the unevenness of the illumination. Returns the smoothed height above it, and the compressed
    height. The scale of the compression is the noise of the background, so that gain and offset
    of a camera do not matter.
    """
    smooth = ndimage.gaussian_filter(pixels, sigma)
    calm = ndimage.gaussian_filter(smooth, reach / 16)
    background = ndimage.minimum_filter(calm, size=2 * int(reach) + 1)
    height = smooth - _broadly_smoothed(background, reach / 2)
    noise = float(np.median(np.abs(height[height <= np.percentile(height, 50)]))) * 1.5
    scale = max(noise, 1e-3 * float(height.max()), float(np.finfo(np.float32).tiny))
    return height, np.arcsinh(height / (8 * scale)).astype(np.float32)


def _broadly_smoothed(pixels: Float32Array, sigma: float) -> Float32Array:
    """Smooth by a wide Gaussian, on every k-th pixel of a picture that is smooth already.

    A seventh of sigma is left out between two pixels, and what lies between them is linear.
    """
    step = max(1, int(sigma / 7))
    coarse = ndimage.gaussian_filter(pixels[::step, ::step], sigma / step)
    return _stretched(_stretched(coarse, pixels.shape[0], step).T, pixels.shape[1], step).T


def _stretched(rows: Float32Array, n: int, step: int) -> Float32Array:
    """Linear interpolation to n rows of which every step-th is given."""
    at = np.minimum(np.arange(n) / step, len(rows) - 1).astype(np.float32)
    low = at.astype(np.intp)
    high = np.minimum(low + 1, len(rows) - 1)
    part = (at - low)[:, None]
    return np.asarray(rows[low] * (1 - part) + rows[high] * part)


def _foreground(compressed: Float32Array) -> npt.NDArray[np.bool_]:
    from skimage.filters import threshold_otsu

    # Below Otsu: dim nuclei stand well above the noise once intensities are compressed.
    return np.asarray(compressed > LENIENCE * threshold_otsu(compressed))


def segment_at(pixels: Float32Array, diameter: float) -> Int32Array:
    """Segment, on a reduced image where nuclei are large, and give labels in full size."""
    reduction = diameter / WORKING_DIAMETER
    if reduction <= 1.3:
        return _segment_working(pixels, diameter)
    from skimage.transform import resize

    shape = tuple(max(8, round(n / reduction)) for n in pixels.shape)
    small = np.asarray(resize(pixels, shape, order=1, anti_aliasing=True, preserve_range=True))
    labels = _segment_working(small.astype(np.float32), WORKING_DIAMETER)
    full = resize(labels, pixels.shape, order=0, anti_aliasing=False, preserve_range=True)
    return np.asarray(full, dtype=np.int32)


def _segment_working(pixels: Float32Array, diameter: float) -> Int32Array:
    from skimage.segmentation import watershed

    height, compressed = _compressed(pixels, max(0.6, diameter / 28), 2 * diameter)
    if float(height.max()) <= 0:
        raise NothingFound(NOTHING_FOUND)
    mask = ndimage.binary_fill_holes(_foreground(compressed))
    distance = ndimage.distance_transform_edt(mask) / (diameter / 2)
    # Distance separates touching nuclei of equal brightness. Brightness separates a mitotic cell
    # from the interphase cell that it lies against.
    bright = ndimage.gaussian_filter(compressed, diameter / 6)
    landscape = ndimage.gaussian_filter(distance, diameter / 12) + 0.5 * bright / max(
        float(np.percentile(bright[mask], 90)), 1e-6
    )
    seeds = lasting_peaks(landscape, mask, 0.08)
    regions = watershed(-landscape, seeds, mask=mask)
    labels = _cut_at_half_height(regions, height)
    return _without_debris(labels, diameter)


def _cut_at_half_height(regions: Int32Array, height: Float32Array) -> Int32Array:
    n = int(regions.max())
    tops = np.zeros(n + 1)
    inside = np.flatnonzero(regions)  # a tenth of a frame: sorting all of it takes longest
    owners = regions.ravel()[inside]
    ends = np.cumsum(np.bincount(owners, minlength=n + 1))
    sorted_heights = height.ravel()[inside][np.argsort(owners, kind="stable")]
    for k in range(1, n + 1):
        tops[k] = np.percentile(sorted_heights[ends[k - 1] : ends[k]], 90)
    keep = (height > 0.4 * tops[regions]) & (regions > 0)
    return np.asarray(np.where(keep, regions, 0), dtype=np.int32)


def _without_debris(labels: Int32Array, diameter: float) -> Int32Array:
    """Keep the largest piece of each object, drop objects too small for a chromosome plate."""
    pieces, n = ndimage.label(labels > 0)
    # A label and a piece together name a connected part of one object.
    inside = np.flatnonzero(labels)
    code = labels.ravel()[inside].astype(np.int64) * (n + 1) + pieces.ravel()[inside]
    values, inverse, areas = np.unique(code, return_inverse=True, return_counts=True)
    owner = values // (n + 1)
    best = np.zeros(int(labels.max()) + 1, dtype=np.int64)
    np.maximum.at(best, owner, areas)
    # A metaphase plate seen edge-on has about a fifth of the area of an interphase nucleus.
    smallest = 0.12 * np.pi * (diameter / 2) ** 2
    keep = (areas == best[owner]) & (areas >= smallest)
    _, first = np.unique(owner[keep], return_index=True)
    number = np.zeros(len(values), dtype=np.int32)
    number[np.flatnonzero(keep)[first]] = np.arange(1, len(first) + 1)
    if not len(first):
        raise NothingFound(NOTHING_FOUND)
    kept = np.zeros(labels.size, dtype=np.int32)
    kept[inside] = number[inverse]
    return kept.reshape(labels.shape)
