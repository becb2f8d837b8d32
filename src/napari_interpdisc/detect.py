"""Find nuclei where there are no centroids, and the typical nuclear diameter where none is given.

A plain detector, good enough to try the plugin on an image: for science, segment with StarDist or
Cellpose and track with btrack or trackastra.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_interpdisc.cells import CellTable
from napari_interpdisc.crops import check_diameter
from napari_interpdisc.errors import InvalidInput

if TYPE_CHECKING:
    from napari_interpdisc.frames import Frames

SMALLEST_AREA = 30
"""Objects of fewer pixels do not count for a diameter: they are debris."""

SAMPLED_FRAMES = 5
"""Frames on which a diameter is estimated by detection."""

SAMPLED_LABEL_FRAMES = 10
"""Frames on which a diameter is measured from labels."""

WORKING_DIAMETER = 28.0
"""Larger nuclei are detected on a reduced image in which they have this diameter, px."""

LENIENCE = 0.9
"""Part of Otsu's threshold at which the foreground begins."""

NOTHING_FOUND = (
    "No nuclei were found in the image; give their diameter, choose the channel of the nuclear "
    "stain, or load centroids or labels from a segmentation."
)

Float32Array = npt.NDArray[np.float32]
Int32Array = npt.NDArray[np.int32]
Float64Array = npt.NDArray[np.float64]


def detect_nuclei(frame: Float32Array, diameter: float | None = None) -> Float64Array:
    """Find the centroids of the nuclei in one frame.

    Parameters
    ----------
    frame
        (Y, X) pixels of any scale; nuclei brighter than the background.
    diameter
        Typical diameter of an interphase nucleus in pixels; estimated if None.

    Returns
    -------
    (n, 2) float64 y, x in pixels.

    Raises
    ------
    InvalidInput
        If nothing is found, or the diameter is impossible.
    """
    labels = segment_nuclei(frame, diameter)
    index = np.arange(1, labels.max() + 1)
    return np.asarray(ndimage.center_of_mass(labels > 0, labels, index), dtype=np.float64).reshape(
        -1, 2
    )


def detect_movie(frames: Frames, diameter: float | None = None) -> CellTable:
    """Find the nuclei of every frame; nothing is linked, so every cell is a track of its own.

    Parameters
    ----------
    frames
        The image or movie; one frame is in memory at a time.
    diameter
        Typical nuclear diameter in pixels; estimated once for the movie if None.

    Raises
    ------
    InvalidInput
        If no frame holds a nucleus, a frame cannot be read, or the diameter is impossible.
    """
    if diameter is None:
        diameter = estimate_diameter(frames)
    check_diameter(diameter)
    times: list[int] = []
    centroids: list[Float64Array] = []
    for t in range(len(frames)):
        try:
            found = detect_nuclei(frames.frame(t), diameter)
        except _NothingFound:
            continue  # a frame may be empty so long as the movie is not
        times.extend([t] * len(found))
        centroids.append(found)
    if not centroids:
        raise _NothingFound(NOTHING_FOUND)
    return CellTable.from_arrays(times, np.concatenate(centroids), source="detected nuclei")


def segment_nuclei(frame: Float32Array, diameter: float | None = None) -> Int32Array:
    """Label the nuclei of one frame.

    Foreground by Otsu's threshold on compressed intensities, seeds at the maxima of distance and
    brightness, a watershed between them, and at last each object cut at half its own height: that
    keeps bright mitotic cells from swelling and dim neighbours from vanishing.

    Parameters
    ----------
    frame
        (Y, X) pixels of any scale; nuclei brighter than the background.
    diameter
        Typical diameter of an interphase nucleus in pixels; estimated if None.

    Returns
    -------
    (Y, X) int32, 0 for background and 1 … n for nuclei.

    Raises
    ------
    InvalidInput
        If nothing is found, or the diameter is impossible.
    """
    pixels = _checked(frame)
    if diameter is None:
        diameter = _diameter_of_frame(pixels)
    return _segment(pixels, check_diameter(diameter))


def diameter_from_labels(labels: Any) -> float:
    """Measure the typical nuclear diameter in a segmentation.

    Parameters
    ----------
    labels
        (Y, X) or (T, Y, X) integers, 0 for background: numpy, dask or zarr. Of a movie at most
        :data:`SAMPLED_LABEL_FRAMES` frames are read.

    Returns
    -------
    Median equivalent diameter in pixels, 2·√(area/π), of objects larger than
    :data:`SMALLEST_AREA` pixels.

    Raises
    ------
    InvalidInput
        If labels are not integers, not 2D or 2D+t, or hold no such object.
    """
    if np.dtype(labels.dtype).kind not in "bui":
        raise InvalidInput(
            f"The labels have values of type {labels.dtype}; give a segmentation in whole numbers, "
            "0 for background and one number for each nucleus."
        )
    ndim = len(labels.shape)
    if ndim not in (2, 3):
        raise InvalidInput(
            f"The labels have shape {tuple(labels.shape)}; give labels of one image (y, x) or of a "
            "movie (t, y, x)."
        )
    planes = (
        [labels] if ndim == 2 else [labels[t] for t in _spread(len(labels), SAMPLED_LABEL_FRAMES)]
    )
    diameters = np.concatenate([_diameters(np.asarray(plane)) for plane in planes])
    if not len(diameters):
        raise InvalidInput(
            f"The labels hold no object larger than {SMALLEST_AREA} px; choose the layer with the "
            "nuclei, or give their diameter."
        )
    return float(np.median(diameters))


def estimate_diameter(frames: Frames, labels: Any = None) -> float:
    """Estimate the typical nuclear diameter of an image or movie.

    Parameters
    ----------
    frames
        The image or movie: read on at most :data:`SAMPLED_FRAMES` frames, if there are no labels.
    labels
        Its segmentation, where there is one; see :func:`diameter_from_labels`.

    Returns
    -------
    The diameter in pixels.

    Raises
    ------
    InvalidInput
        If no nuclei are found, or labels cannot be used.
    """
    if labels is not None:
        return diameter_from_labels(labels)
    found: list[Float64Array] = []
    for t in _spread(len(frames), SAMPLED_FRAMES):
        try:
            found.append(_measure(_checked(frames.frame(t)))[1])
        except _NothingFound:
            continue
    if not found:
        raise _NothingFound(NOTHING_FOUND)
    return float(np.median(np.concatenate(found)))


class _NothingFound(InvalidInput):
    """A frame without nuclei: the one fault that a movie may have in some frames."""


def _spread(n: int, most: int) -> list[int]:
    """Return at most ``most`` positions spread evenly over 0 … n−1, ends included."""
    return [int(t) for t in np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(int))]


def _checked(frame: Float32Array) -> Float32Array:
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


def _diameters(labels: npt.NDArray[Any]) -> Float64Array:
    # np.unique and not bincount: label numbers of merged or tracked data can reach billions
    values, areas = np.unique(labels, return_counts=True)
    areas = areas[(values != 0) & (areas > SMALLEST_AREA)]
    return np.asarray(2 * np.sqrt(areas / np.pi), dtype=np.float64)


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
    height = smooth - ndimage.gaussian_filter(background, reach / 2)
    noise = float(np.median(np.abs(height[height <= np.percentile(height, 50)]))) * 1.5
    scale = max(noise, 1e-3 * float(height.max()), float(np.finfo(np.float32).tiny))
    return height, np.arcsinh(height / (8 * scale)).astype(np.float32)


def _foreground(compressed: Float32Array) -> npt.NDArray[np.bool_]:
    from skimage.filters import threshold_otsu

    # Below Otsu: dim nuclei stand well above the noise once intensities are compressed.
    return np.asarray(compressed > LENIENCE * threshold_otsu(compressed))


def _diameter_of_frame(pixels: Float32Array) -> float:
    return _measure(pixels)[0]


def _measure(pixels: Float32Array) -> tuple[float, Float64Array]:
    """Segment at a first guess, measure, and repeat at what was measured until it holds still."""
    _, compressed = _compressed(pixels, 1.0, max(40.0, min(pixels.shape) / 8))
    mask = ndimage.binary_opening(_foreground(compressed), iterations=1)
    distance = ndimage.distance_transform_edt(mask)
    parts, n = ndimage.label(mask)
    if n == 0:
        raise _NothingFound(NOTHING_FOUND)
    # The inscribed circle of a clump is about one nucleus wide, whatever the clump's area.
    radii = ndimage.maximum(distance, parts, np.arange(1, n + 1))
    areas = np.bincount(parts.ravel())[1:]
    large = areas > SMALLEST_AREA
    if not large.any():
        raise _NothingFound(NOTHING_FOUND)
    diameter = float(np.clip(2.2 * np.median(radii[large]), 5, 300))
    diameters = np.empty(0)
    for _ in range(4):
        diameters = _diameters(_segment(pixels, diameter))
        if not len(diameters):
            raise _NothingFound(NOTHING_FOUND)
        last, diameter = diameter, float(np.median(diameters))
        if abs(diameter - last) < 0.07 * last:
            break
    return diameter, diameters


def _segment(pixels: Float32Array, diameter: float) -> Int32Array:
    """Segment, on a reduced image where nuclei are large, and give labels in full size."""
    reduction = diameter / WORKING_DIAMETER
    if reduction <= 1.3:
        return _segment_at(pixels, diameter)
    from skimage.transform import resize

    shape = tuple(max(8, round(n / reduction)) for n in pixels.shape)
    small = np.asarray(resize(pixels, shape, order=1, anti_aliasing=True, preserve_range=True))
    labels = _segment_at(small.astype(np.float32), WORKING_DIAMETER)
    full = resize(labels, pixels.shape, order=0, anti_aliasing=False, preserve_range=True)
    return np.asarray(full, dtype=np.int32)


def _segment_at(pixels: Float32Array, diameter: float) -> Int32Array:
    from skimage.morphology import h_maxima
    from skimage.segmentation import watershed

    height, compressed = _compressed(pixels, max(0.6, diameter / 28), 2 * diameter)
    if float(height.max()) <= 0:
        raise _NothingFound(NOTHING_FOUND)
    mask = ndimage.binary_fill_holes(_foreground(compressed))
    distance = ndimage.distance_transform_edt(mask) / (diameter / 2)
    # Distance parts touching nuclei of equal brightness; brightness parts a mitotic cell from the
    # interphase cell it lies against.
    bright = ndimage.gaussian_filter(compressed, diameter / 6)
    landscape = ndimage.gaussian_filter(distance, diameter / 12) + 0.5 * bright / max(
        float(np.percentile(bright[mask], 90)), 1e-6
    )
    seeds, _ = ndimage.label(h_maxima(landscape, 0.08) * mask, np.ones((3, 3)))
    regions = watershed(-landscape, seeds, mask=mask)
    labels = _cut_at_half_height(regions, height)
    return _without_debris(labels, diameter)


def _cut_at_half_height(regions: Int32Array, height: Float32Array) -> Int32Array:
    n = int(regions.max())
    tops = np.zeros(n + 1)
    order = np.argsort(regions, axis=None, kind="stable")
    ends = np.cumsum(np.bincount(regions.ravel(), minlength=n + 1))
    sorted_heights = height.ravel()[order]
    for k in range(1, n + 1):
        tops[k] = np.percentile(sorted_heights[ends[k - 1] : ends[k]], 90)
    keep = (height > 0.4 * tops[regions]) & (regions > 0)
    return np.asarray(np.where(keep, regions, 0), dtype=np.int32)


def _without_debris(labels: Int32Array, diameter: float) -> Int32Array:
    """Keep the largest piece of each object, drop objects too small for a chromosome plate."""
    pieces, n = ndimage.label(labels > 0)
    # A label and a piece together name a connected part of one object.
    code = labels.astype(np.int64) * (n + 1) + np.where(labels > 0, pieces, 0)
    values, inverse, areas = np.unique(code, return_inverse=True, return_counts=True)
    owner = values // (n + 1)
    best = np.zeros(int(labels.max()) + 1, dtype=np.int64)
    np.maximum.at(best, owner, areas)
    # A metaphase plate seen edge-on has about a fifth of the area of an interphase nucleus.
    smallest = 0.12 * np.pi * (diameter / 2) ** 2
    keep = (owner > 0) & (areas == best[owner]) & (areas >= smallest)
    _, first = np.unique(owner[keep], return_index=True)
    number = np.zeros(len(values), dtype=np.int32)
    number[np.flatnonzero(keep)[first]] = np.arange(1, len(first) + 1)
    if not len(first):
        raise _NothingFound(NOTHING_FOUND)
    return number[inverse].reshape(labels.shape)
