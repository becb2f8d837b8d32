"""The same nucleus in other surroundings: composites of real cells (paper §3.1, constraint 1).

A composite keeps the pixels of the central nucleus and a soft rim around it. What lies beyond is
replaced: by background, by the surroundings of another cell, or by a nucleus that touches it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_interpdisc._types import BoolArray, Float32Array, Int32Array
from napari_interpdisc.crops import MODEL_DIAMETER
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.nuclei.crops import central_nucleus, separate_nuclei
from napari_interpdisc.patches import RIM as PATCH_RIM
from napari_interpdisc.patches import Patches

RIM = 3
"""Pixels around the mask that are kept with the nucleus: its blurred edge."""

SOFT = 1.0
"""Width (σ, px) over which nucleus and surroundings pass into each other."""

SMALLEST, LARGEST = 0.08, 2.5
"""Area of a reliable mask, relative to a disc of the typical diameter."""

LEAST_SOLIDITY = 0.75
"""Masks that are less solid hold more than one nucleus, or a part of one."""

CROWDED = 4.0
"""A cell is crowded if another nucleus is nearer to its outline than this, px."""


@dataclass(frozen=True)
class SegmentedCells:
    """Patches of N cells in which the central nucleus is known.

    Attributes
    ----------
    patches
        The patches, P px wide.
    regions
        (N, P, P) int32, 0 for background and a number for each nucleus.
    nucleus
        (N, P, P) whether a pixel belongs to the central nucleus.
    gap
        (N,) distance, px, from its outline to the nearest other nucleus; inf if there is none.
    """

    patches: Patches
    regions: Int32Array
    nucleus: BoolArray
    gap: npt.NDArray[np.float64]

    def __len__(self) -> int:
        """Number of cells N."""
        return len(self.patches)

    @property
    def crowded(self) -> BoolArray:
        """(N,) whether another nucleus is near."""
        return np.asarray(self.gap < CROWDED)

    def take(self, rows: npt.ArrayLike) -> SegmentedCells:
        """The cells at some rows."""
        at = np.asarray(rows)
        return SegmentedCells(
            self.patches.take(at), self.regions[at], self.nucleus[at], self.gap[at]
        )


@dataclass(frozen=True)
class Segmentation:
    """Cells with a reliable mask, and which of all cells they are.

    Attributes
    ----------
    cells
        The n cells that can be used.
    rows
        (n,) their rows among all N cells.
    left_out
        Number of cells without a reliable mask.
    """

    cells: SegmentedCells
    rows: npt.NDArray[np.intp]
    left_out: int


def segment_cells(
    patches: Patches,
    labels: npt.NDArray[np.integer] | None = None,
    diameter: float = MODEL_DIAMETER,
) -> Segmentation:
    """Find the central nucleus of every patch, and leave out cells where that is uncertain.

    Parameters
    ----------
    patches
        N patches.
    labels
        (N, P, P) segmentations of the same patches; nuclei are found by
        :func:`napari_interpdisc.nuclei.crops.separate_nuclei` if left out.
    diameter
        Typical nuclear diameter in the patches, px.

    Raises
    ------
    InvalidInput
        If the labels are not of the patches' shape, or no cell has a reliable mask.
    """
    pixels = patches.pixels
    if labels is not None and labels.shape != pixels.shape:
        raise InvalidInput(
            f"The labels have the shape {labels.shape}, the patches {pixels.shape}; give the "
            "segmentation of these cells."
        )
    regions = np.zeros(pixels.shape, np.int32)
    nucleus = np.zeros(pixels.shape, bool)
    gap = np.full(len(pixels), np.inf)
    usable = np.zeros(len(pixels), bool)
    for i, picture in enumerate(pixels):
        regions[i] = separate_nuclei(picture, diameter) if labels is None else labels[i]
        label = central_nucleus(regions[i])
        nucleus[i] = (regions[i] == label) if label else False
        usable[i] = bool(label) and _is_reliable(nucleus[i], diameter)
        others = (regions[i] > 0) & ~nucleus[i]
        if usable[i] and others.any():
            gap[i] = float(ndimage.distance_transform_edt(~nucleus[i])[others].min())
    rows = np.flatnonzero(usable)
    if not len(rows):
        raise InvalidInput(
            f"None of {len(pixels)} cells has a reliable mask of its nucleus; give a segmentation, "
            "and check the diameter and the channel."
        )
    whole = SegmentedCells(patches, regions, nucleus, gap)
    return Segmentation(whole.take(rows), rows, len(pixels) - len(rows))


def _is_reliable(mask: BoolArray, diameter: float) -> bool:
    """Whether a mask (P, P) is one solid nucleus of a possible size, away from the border."""
    from skimage.measure import regionprops

    area = float(mask.sum()) / (np.pi / 4 * diameter**2)
    if not SMALLEST <= area <= LARGEST:
        return False
    if mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any():
        return False
    return bool(regionprops(mask.astype(np.uint8))[0].solidity >= LEAST_SOLIDITY)


def soft_masks(cells: SegmentedCells) -> Float32Array:
    """Weight (N, P, P), 0–1, of what belongs to the central nucleus and its blurred edge."""
    return np.stack(
        [
            # pixels of a neighbour that lies in the rim are not the cell's
            _soft(mask, (regions > 0) & ~mask)
            for mask, regions in zip(cells.nucleus, cells.regions, strict=True)
        ]
    )


def _soft(mask: BoolArray, but: BoolArray) -> Float32Array:
    """Weight (P, P), 0–1, of a mask and a rim around it, without what lies in ``but``."""
    disc = np.hypot(*np.mgrid[-RIM : RIM + 1, -RIM : RIM + 1]) <= RIM
    wide = ndimage.binary_dilation(mask, disc) & ~but
    soft = ndimage.gaussian_filter(wide.astype(np.float32), SOFT)
    soft[mask] = 1.0
    return np.asarray(soft)


def backgrounds(cells: SegmentedCells, draw: np.random.Generator) -> Float32Array:
    """Background (N, P, P) of each patch: its level, and noise of its own spread and grain.

    The level is the median of the pixels away from all nuclei. The noise is smoothed as much as
    neighbouring background pixels are alike.
    """
    found = np.empty(cells.patches.pixels.shape, np.float32)
    real = _real_pixels(cells.patches)
    for i, (picture, regions) in enumerate(zip(cells.patches.pixels, cells.regions, strict=True)):
        away = (ndimage.distance_transform_edt(regions == 0) > RIM) & real
        values = (
            picture[away] if away.sum() > 50 else np.sort(picture[real])[: int(real.sum()) // 5]
        )
        level, spread = float(np.median(values)), _spread(values)
        noise = draw.standard_normal(picture.shape)
        grain = _grain(picture, away)
        if grain > 0:
            noise = ndimage.gaussian_filter(noise, grain, mode="wrap")
            noise /= max(float(noise.std()), 1e-12)
        found[i] = level + spread * noise
    return found


def _real_pixels(patches: Patches) -> BoolArray:
    """Where patches (P, P) surely show the image, and not the mean that stands beyond its edge."""
    side = patches.pixels.shape[-1]
    at = np.abs(np.arange(side) - (side - 1) / 2) < (patches.field - PATCH_RIM) / 2
    return np.asarray(at[:, None] & at[None, :])


def _spread(values: npt.NDArray[np.floating]) -> float:
    """Robust standard deviation: 1.48 times the median absolute deviation."""
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))


def _grain(picture: Float32Array, away: BoolArray) -> float:
    """Width (σ, px) of the smoothing that explains how alike neighbouring background pixels are."""
    both = away[:, 1:] & away[:, :-1]
    if both.sum() < 50:
        return 0.0
    left, right = picture[:, :-1][both], picture[:, 1:][both]
    if left.std() == 0 or right.std() == 0:
        return 0.0
    alike = float(np.corrcoef(left, right)[0, 1])
    # white noise smoothed by a Gaussian of σ has the correlation exp(−1/(4σ²)) at one pixel
    return 0.0 if alike < 0.05 else float(np.sqrt(1 / (4 * -np.log(min(alike, 0.98)))))


def on_background(cells: SegmentedCells, seed: int = 0) -> Patches:
    """Each nucleus alone, on the background of its own patch."""
    plain = backgrounds(cells, np.random.default_rng(seed))
    return _blended(cells, plain)


def among_others(cells: SegmentedCells, brightness: float = 1.0, seed: int = 0) -> Patches:
    """Each nucleus in the surroundings of another cell, whose own nucleus is taken away.

    The other patch is brought to the background level and the brightness of nuclei of the cell's
    own, times ``brightness``.

    Raises
    ------
    InvalidInput
        If there is one cell alone.
    """
    if len(cells) < 2:
        raise InvalidInput("One cell has no other to take surroundings from; give more cells.")
    draw = np.random.default_rng(seed)
    plain, soft = backgrounds(cells, draw), soft_masks(cells)
    pixels = cells.patches.pixels
    around = plain.copy()
    for i, k in enumerate(_donors(len(cells), draw)):
        scale = brightness * _brightness(cells, plain, i) / max(_brightness(cells, plain, k), 1e-12)
        others = (cells.regions[k] > 0) & ~cells.nucleus[k]
        theirs = _soft(others, cells.nucleus[k]) * (pixels[k] - np.median(plain[k]))
        around[i] = plain[i] + scale * theirs
    return _blended(cells, around, soft)


def with_neighbour(cells: SegmentedCells, distance: float, seed: int = 0) -> Patches:
    """Each nucleus alone but for one other nucleus, whose outline is ``distance`` px away.

    The neighbour is the nucleus of another cell, as bright as this one, in a random direction.

    Raises
    ------
    InvalidInput
        If there is one cell alone.
    """
    if len(cells) < 2:
        raise InvalidInput("One cell has no other to be its neighbour; give more cells.")
    draw = np.random.default_rng(seed)
    plain, soft = backgrounds(cells, draw), soft_masks(cells)
    donors = _donors(len(cells), draw)
    pixels = cells.patches.pixels
    around = plain.copy()
    for i, k in enumerate(donors):
        angle = draw.uniform(0, 2 * np.pi)
        moved = _moved_beside(cells.nucleus[i], cells.nucleus[k], angle, distance)
        if moved is None:
            continue
        scale = _brightness(cells, plain, i) / max(_brightness(cells, plain, k), 1e-12)
        theirs = soft[k] * (pixels[k] - np.median(plain[k])) * scale
        around[i] += ndimage.shift(theirs, moved, order=1, mode="constant", cval=0.0)
    return _blended(cells, around, soft)


def _moved_beside(
    mine: BoolArray, theirs: BoolArray, angle: float, distance: float
) -> tuple[float, float] | None:
    """Shift (y, x) of another nucleus at which its outline is ``distance`` px from this one's."""
    away = ndimage.distance_transform_edt(~mine)
    points = np.argwhere(theirs)
    direction = np.array([np.sin(angle), np.cos(angle)])
    size = len(mine)
    for step in np.arange(0, size, 0.5):
        at = np.rint(points + step * direction).astype(int)
        inside = ((at >= 0) & (at < size)).all(1)
        if not inside.any():
            return None
        if away[at[inside, 0], at[inside, 1]].min() >= distance + 1:
            return float(step * direction[0]), float(step * direction[1])
    return None


def _brightness(cells: SegmentedCells, plain: Float32Array, i: int) -> float:
    """Mean height of a nucleus above its background."""
    return float(cells.patches.pixels[i][cells.nucleus[i]].mean() - np.median(plain[i]))


def _donors(n: int, draw: np.random.Generator) -> npt.NDArray[np.intp]:
    """Another cell (N,) for each cell: a random cyclic order, so that nobody is its own."""
    order = draw.permutation(n)
    donors = np.empty(n, np.intp)
    donors[order] = np.roll(order, 1)
    return donors


def _blended(
    cells: SegmentedCells, around: Float32Array, soft: Float32Array | None = None
) -> Patches:
    """The central nuclei over other surroundings (N, P, P)."""
    weight = soft_masks(cells) if soft is None else soft
    pixels = weight * cells.patches.pixels + (1 - weight) * around
    return replace(cells.patches, pixels=pixels.astype(np.float32))
