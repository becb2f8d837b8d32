"""Nuclei within one crop: which is central, and where touching ones separate."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_interpdisc._types import BoolArray, Float32Array, Int32Array
from napari_interpdisc.crops import LEAST_CONTRAST, MODEL_DIAMETER
from napari_interpdisc.nuclei.peaks import lasting_peaks

NECK = 0.15
"""Two nuclei that touch are separated where the neck is narrower than both by this share of a
diameter, on each side."""


def otsu_mask(picture: Float32Array, diameter: float = MODEL_DIAMETER) -> BoolArray:
    """Foreground of one crop (S, S) by Otsu's threshold, after a slight blur.

    Nuclei are brighter than the background; ``diameter`` is their typical one, px. A crop without
    contrast has no foreground.
    """
    from skimage.filters import threshold_otsu

    smooth = ndimage.gaussian_filter(np.asarray(picture, np.float32), diameter / 28)
    if np.ptp(smooth) <= LEAST_CONTRAST * np.abs(smooth).max():
        return np.zeros(smooth.shape, bool)
    return np.asarray(smooth > threshold_otsu(smooth))


def separate_nuclei(picture: Float32Array, diameter: float = MODEL_DIAMETER) -> Int32Array:
    """Label the nuclei of one crop: Otsu's threshold, and a watershed where nuclei touch.

    Parameters
    ----------
    picture
        (S, S) crop; nuclei brighter than the background.
    diameter
        Typical nuclear diameter in it, px.

    Returns
    -------
    (S, S) int32, 0 for background; all 0 for a crop without contrast.
    """
    from skimage.segmentation import watershed

    mask = ndimage.binary_fill_holes(otsu_mask(picture, diameter))
    if not mask.any():
        return np.zeros(mask.shape, np.int32)
    depth = ndimage.gaussian_filter(ndimage.distance_transform_edt(mask), diameter / 28) * mask
    # what is shallower than a neck, such as a plate seen edge-on, keeps one peak
    peaks = lasting_peaks(depth, mask, NECK * diameter) > 0
    parts, n = ndimage.label(mask)
    whole = np.setdiff1d(np.arange(1, n + 1), parts[peaks])
    seeds, _ = ndimage.label((peaks & mask) | np.isin(parts, whole), np.ones((3, 3)))
    return np.asarray(watershed(-depth, seeds, mask=mask), dtype=np.int32)


def central_nucleus(regions: npt.NDArray[Any]) -> int:
    """Label at the centre, else the one that covers most of the central square; 0 for none."""
    size = len(regions)
    if regions[size // 2, size // 2]:
        return int(regions[size // 2, size // 2])
    middle = slice(3 * size // 8, 5 * size // 8)
    values, counts = np.unique(regions[middle, middle], return_counts=True)
    counts = np.where(values == 0, 0, counts)
    return int(values[counts.argmax()]) if counts.any() else 0
