"""Soft masks of the central cell of a patch: which pixels are its own."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_interpdisc._types import BoolArray, Float32Array, Plane
from napari_interpdisc.crops import MODEL_DIAMETER
from napari_interpdisc.nuclei.crops import central_nucleus, separate_nuclei

RIM = 3
"""Pixels around the mask that are kept with the nucleus: its blurred edge."""

SOFT = 1.0
"""Width (σ, px) over which nucleus and surroundings pass into each other."""

SMALLEST, LARGEST = 0.08, 2.5
"""Area of a reliable mask, relative to a disc of the typical diameter."""

LEAST_SOLIDITY = 0.75
"""Masks that are less solid hold more than one nucleus, or a part of one."""

DISC = 19.0
"""Radius, px, of the disc that stands for a cell whose outline is not known."""


def is_reliable(mask: BoolArray, diameter: float = MODEL_DIAMETER) -> bool:
    """Whether a mask (P, P) is one solid nucleus of a possible size, away from the border."""
    from skimage.measure import regionprops

    area = float(mask.sum()) / (np.pi / 4 * diameter**2)
    if not SMALLEST <= area <= LARGEST:
        return False
    if mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any():
        return False
    return bool(regionprops(mask.astype(np.uint8))[0].solidity >= LEAST_SOLIDITY)


def soft_mask(mask: BoolArray, but: BoolArray) -> Float32Array:
    """Weight (P, P), 0–1, of a mask and a rim around it, without what lies in ``but``."""
    disc = np.hypot(*np.mgrid[-RIM : RIM + 1, -RIM : RIM + 1]) <= RIM
    wide = ndimage.binary_dilation(mask, disc) & ~but
    soft = ndimage.gaussian_filter(wide.astype(np.float32), SOFT)
    soft[mask] = 1.0
    return np.asarray(soft)


def cell_masks(
    pixels: npt.NDArray[np.generic],
    labels: npt.NDArray[np.integer] | None = None,
    diameter: float = MODEL_DIAMETER,
) -> Plane:
    """Soft masks (N, P, P), 0–255, of the central cell of each patch.

    Parameters
    ----------
    pixels
        (N, P, P) patches.
    labels
        (N, P, P) instance masks of the same patches. They are believed. Without them, the central
        nucleus is that of Otsu's threshold, where it is one solid nucleus inside the patch.
    diameter
        Typical nuclear diameter in the patches, px.

    Returns
    -------
    The masks; a disc of :data:`DISC` px where the cell's outline is not known.
    """
    found = np.empty(pixels.shape, np.uint8)
    disc = _disc(pixels.shape[-1], diameter)
    for i, picture in enumerate(pixels):
        regions = (
            separate_nuclei(np.asarray(picture, np.float32), diameter)
            if labels is None
            else labels[i]
        )
        label = central_nucleus(regions)
        mask = np.asarray(regions == label) if label else np.zeros(picture.shape, bool)
        if label and (labels is not None or is_reliable(mask, diameter)):
            weight = soft_mask(mask, (regions > 0) & ~mask)
        else:
            weight = disc
        found[i] = np.rint(255 * weight)
    return found


def has_outline(masks: Plane, diameter: float = MODEL_DIAMETER) -> BoolArray:
    """Whether each of the masks (N, P, P) follows its cell, and is no disc that stands for it."""
    disc = np.rint(255 * _disc(masks.shape[-1], diameter)).astype(np.uint8)
    return np.asarray((masks != disc).any((1, 2)))


def _disc(side: int, diameter: float) -> Float32Array:
    """The mask (P, P) of a cell whose outline is not known."""
    at = np.arange(side) - (side - 1) / 2
    distance = np.hypot(at[:, None], at[None, :])
    return np.asarray(1 / (1 + np.exp(distance - DISC * diameter / MODEL_DIAMETER)), np.float32)
