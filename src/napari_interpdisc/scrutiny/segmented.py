"""Patches of cells in which the central nucleus is known, and what its background is like."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_interpdisc._types import BoolArray, Float32Array, Int32Array, Progress, silent
from napari_interpdisc.crops import MODEL_DIAMETER, check_diameter
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.nuclei.crops import central_nucleus, separate_nuclei
from napari_interpdisc.nuclei.masks import RIM, is_reliable, soft_mask
from napari_interpdisc.patches import RIM as PATCH_RIM
from napari_interpdisc.patches import Patches

LEAST_HEIGHT = 3.0
"""Height over the background, in standard deviations of that, which a nucleus needs at least."""

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

    @property
    def masked(self) -> bool:
        """Whether the nuclei are known; see :func:`without_masks`."""
        return bool(self.nucleus.any())

    def take(self, rows: npt.ArrayLike) -> SegmentedCells:
        """The cells at some rows."""
        at = np.asarray(rows)
        return SegmentedCells(
            self.patches.take(at), self.regions[at], self.nucleus[at], self.gap[at]
        )

    # what every composite of these cells needs is computed once

    @cached_property
    def away(self) -> Float32Array:
        """(N, P, P) distance, px, of each pixel from the central nucleus; 0 within it."""
        return np.stack(
            [ndimage.distance_transform_edt(~mask).astype(np.float32) for mask in self.nucleus]
        )

    @cached_property
    def soft(self) -> Float32Array:
        """(N, P, P) weight, 0–1, of the central nucleus and its blurred edge."""
        return np.stack(
            [
                # pixels of a neighbour that lies in the rim are not the cell's
                soft_mask(mask, (regions > 0) & ~mask)
                for mask, regions in zip(self.nucleus, self.regions, strict=True)
            ]
        )

    @cached_property
    def ground(self) -> npt.NDArray[np.float64]:
        """(N, 3) of the background of each patch: its level, its spread, and its grain (σ, px)."""
        real = _real_pixels(self.patches)
        found = np.empty((len(self), 3))
        for row, picture, regions in zip(found, self.patches.pixels, self.regions, strict=True):
            away = (ndimage.distance_transform_edt(regions == 0) > RIM) & real
            values = (
                picture[away] if away.sum() > 50 else np.sort(picture[real])[: int(real.sum()) // 5]
            )
            row[:] = np.median(values), _spread(values), _grain(picture, away)
        return found

    @property
    def real(self) -> BoolArray:
        """(P, P) where patches surely show the image, and not the mean that stands beyond it."""
        side = self.patches.pixels.shape[-1]
        if self.patches.field >= side:
            return np.ones((side, side), bool)
        return _real_pixels(self.patches)

    @cached_property
    def height(self) -> npt.NDArray[np.float64]:
        """(N,) mean height of the central nucleus above its background."""
        inside = np.maximum(self.nucleus.sum((1, 2)), 1)
        mean = np.where(self.nucleus, self.patches.pixels, 0).sum((1, 2), np.float64) / inside
        return np.asarray(mean - self.ground[:, 0])


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
        Number of cells without a reliable mask, or at the edge of the image.
    at_edge
        Number of those at the edge.
    """

    cells: SegmentedCells
    rows: npt.NDArray[np.intp]
    left_out: int
    at_edge: int = 0


def segment_cells(
    patches: Patches,
    labels: npt.NDArray[np.integer] | None = None,
    diameter: float = MODEL_DIAMETER,
    cut: BoolArray | None = None,
    progress: Progress = silent,
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
    cut
        (N,) cells that the edge of the image may cut: their masks are not reliable.
    progress
        Called with (patches done, N). It may raise to stop the work.

    Raises
    ------
    InvalidInput
        If the labels are not of the patches' shape, a patch or the diameter cannot be used, or no
        cell has a reliable mask.
    """
    check_diameter(diameter)
    pixels, n = patches.pixels, len(patches)
    if not n:
        raise InvalidInput("There are no cells to segment; give some.")
    if not np.isfinite(pixels).all():
        raise InvalidInput("The patches hold NaN or infinite pixels; leave those cells out.")
    if cut is not None and np.shape(cut) != (n,):
        raise InvalidInput(f"'cut' has the shape {np.shape(cut)}; give one value for each of {n}.")
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
        usable[i] = bool(label) and is_reliable(nucleus[i], diameter)
        others = (regions[i] > 0) & ~nucleus[i]
        if usable[i] and others.any():
            gap[i] = float(ndimage.distance_transform_edt(~nucleus[i])[others].min())
        progress(i + 1, n)
    whole = SegmentedCells(patches, regions, nucleus, gap)
    usable[usable] = _is_bright(whole.take(usable))
    at_edge = np.zeros(n, bool) if cut is None else np.asarray(cut, bool)
    rows = np.flatnonzero(usable & ~at_edge)
    if not len(rows):
        raise InvalidInput(_no_mask(n, int(at_edge.sum()), labels))
    return Segmentation(whole.take(rows), rows, n - len(rows), int(at_edge.sum()))


def _is_bright(cells: SegmentedCells) -> BoolArray:
    """Whether each nucleus stands out: what cannot be seen cannot be tested."""
    return np.asarray(cells.height > LEAST_HEIGHT * np.maximum(cells.ground[:, 1], 0))


def _no_mask(n: int, at_edge: int, labels: npt.NDArray[np.integer] | None) -> str:
    """Why none of n cells can be used, and what to do."""
    start = f"None of {n} cells has a reliable mask of its nucleus"
    if at_edge == n:
        return f"All {n} cells are cut by the edge of the image; give cells inside it."
    if labels is not None and not labels.any():
        return f"{start}: the segmentation is empty here; give that of these cells."
    if labels is not None:
        return f"{start}; check that the segmentation belongs to these cells, and the diameter."
    return f"{start}; give a segmentation, and check the diameter and the channel."


def without_masks(patches: Patches) -> Segmentation:
    """Cells whose nuclei are not known: what needs no mask can still be tested on them."""
    shape = patches.pixels.shape
    cells = SegmentedCells(
        patches, np.zeros(shape, np.int32), np.zeros(shape, bool), np.full(len(patches), np.nan)
    )
    return Segmentation(cells, np.arange(len(patches)), 0)


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
