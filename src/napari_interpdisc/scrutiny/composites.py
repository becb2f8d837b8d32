"""The same nucleus in other surroundings: composites of real cells (paper §3.1, constraint 1).

A composite keeps the pixels of the central nucleus and a soft rim around it. What lies beyond is
replaced: by background, by the surroundings of another cell, or by a nucleus that touches it. The
light of other nuclei is added to the background, as a microscope adds it, and fades where the
central nucleus begins.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_interpdisc._types import BoolArray, Float32Array
from napari_interpdisc.crops import CROP_SIZE
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.nuclei.masks import soft_mask
from napari_interpdisc.patches import Patches
from napari_interpdisc.scrutiny.segmented import (
    Segmentation,
    SegmentedCells,
    segment_cells,
)

__all__ = [
    "Neighbours",
    "Segmentation",
    "SegmentedCells",
    "among_others",
    "backgrounds",
    "filled",
    "on_background",
    "paste_neighbours",
    "place_neighbours",
    "segment_cells",
]

FADE = 2.0
"""Distance from the nucleus, px, from which the light of a pasted one is full."""

DIRECTIONS = 8
"""Directions that are tried for a pasted nucleus."""

SEEN = 0.1
"""Share of a pasted nucleus that must lie within the crop."""


def backgrounds(cells: SegmentedCells, draw: np.random.Generator) -> Float32Array:
    """Background (N, P, P) of each patch: its level, and noise of its own spread and grain.

    The level is the median of the pixels away from all nuclei. The noise is smoothed as much as
    neighbouring background pixels are alike.
    """
    found = draw.standard_normal(cells.patches.pixels.shape, np.float32)
    for i, (level, spread, grain) in enumerate(cells.ground):
        if grain > 0:
            found[i] = ndimage.gaussian_filter(found[i], grain, mode="wrap")
            found[i] /= max(float(found[i].std()), 1e-12)
        found[i] = level + spread * found[i]
    return found


def filled(cells: SegmentedCells, seed: int = 0) -> Patches:
    """The patches as they are, but for background where ready-made crops had no pixels."""
    real = cells.real
    if real.all():
        return cells.patches
    plain = backgrounds(cells, _streams(seed)[0])
    return replace(cells.patches, pixels=np.where(real, cells.patches.pixels, plain))


def on_background(cells: SegmentedCells, seed: int = 0) -> Patches:
    """Each nucleus alone, on the background of its own patch."""
    return _composed(cells, _streams(seed)[0])


def among_others(cells: SegmentedCells, brightness: float = 1.0, seed: int = 0) -> Patches:
    """Each nucleus in the surroundings of another cell, whose own nucleus is taken away.

    The other patch is brought to the background level and the brightness of nuclei of the cell's
    own, times ``brightness``.

    Raises
    ------
    InvalidInput
        If there is one cell alone.
    """
    plain, draw = _streams(seed)
    donors = _donors(cells, draw)
    scale = brightness * _relative_height(cells, donors)
    light = np.empty_like(cells.patches.pixels)
    for i, k in enumerate(donors):
        others = (cells.regions[k] > 0) & ~cells.nucleus[k]
        theirs = cells.patches.pixels[k] - np.float32(cells.ground[k, 0])
        light[i] = scale[i] * soft_mask(others, cells.nucleus[k]) * theirs
    return _composed(cells, plain, light)


@dataclass(frozen=True)
class Neighbours:
    """Where another nucleus is pasted beside each of N cells.

    Attributes
    ----------
    donors
        (N,) cell whose nucleus it is.
    shifts
        (N, 2) pixels (y, x) that it is moved by.
    placed
        (N,) whether a place was found in which it can be seen.
    """

    donors: npt.NDArray[np.intp]
    shifts: npt.NDArray[np.int64]
    placed: BoolArray


def place_neighbours(
    cells: SegmentedCells, distance: float, seed: int = 0, size: int = CROP_SIZE
) -> Neighbours:
    """Find a place for another nucleus whose outline is ``distance`` px away from each cell's.

    A random direction is tried first, then seven others. A place counts if a tenth of the nucleus
    lies within the crop, of ``size`` px.

    Raises
    ------
    InvalidInput
        If there is one cell alone.
    """
    _, draw = _streams(seed)
    donors = _donors(cells, draw)
    first = draw.uniform(0, 2 * np.pi, len(cells))
    shifts = np.zeros((len(cells), 2), np.int64)
    placed = np.zeros(len(cells), bool)
    for i, k in enumerate(donors):
        points = _outline(cells.nucleus[k])
        for turn in range(DIRECTIONS):
            angle = first[i] + 2 * np.pi * turn / DIRECTIONS
            moved = _moved_beside(cells.away[i], points, angle, distance, size)
            if moved is not None:
                shifts[i], placed[i] = moved, True
                break
    return Neighbours(donors, shifts, placed)


def paste_neighbours(cells: SegmentedCells, places: Neighbours, seed: int = 0) -> Patches:
    """All N nuclei alone, each beside the nucleus that was placed, if one was."""
    scale = _relative_height(cells, places.donors)
    light = np.zeros_like(cells.patches.pixels)
    for i in np.flatnonzero(places.placed):
        k = places.donors[i]
        theirs = cells.soft[k] * (cells.patches.pixels[k] - np.float32(cells.ground[k, 0]))
        light[i] = scale[i] * _moved(theirs, places.shifts[i])
    return _composed(cells, _streams(seed)[0], light)


def _outline(mask: BoolArray) -> npt.NDArray[np.int64]:
    """Pixels (M, 2) that stand for a mask: its outline, and every fourth within."""
    points = np.argwhere(mask)
    edge = mask & ~ndimage.binary_erosion(mask)
    return np.asarray(np.concatenate([np.argwhere(edge), points[::4]]))


def _moved_beside(
    away: Float32Array, points: npt.NDArray[np.int64], angle: float, distance: float, size: int
) -> npt.NDArray[np.int64] | None:
    """Shift (y, x) at which a nucleus is ``distance`` px from this one; None if it is not seen.

    ``away`` (P, P) is the distance from this one, ``points`` (M, 2) stand for the other.
    """
    side = len(away)
    reach = np.arange(0, side, 0.5)[:, None]
    shifts = np.rint(reach * np.array([[np.sin(angle), np.cos(angle)]])).astype(np.int64)
    at = points[None] + shifts[:, None]
    y, x = np.clip(at, 0, side - 1).transpose(2, 0, 1)
    inside = (at == np.stack([y, x], 2)).all(2)
    # a pixel that touches the outline is 1 px away: its gap is 0
    near = np.where(inside, away[y, x], np.inf).min(1)
    low = (side - size) // 2
    seen = ((at >= low) & (at < low + size)).all(2).mean(1)
    fits = np.flatnonzero(near >= distance + 1)
    return shifts[fits[0]] if len(fits) and seen[fits[0]] >= SEEN else None


def _moved(picture: Float32Array, shift: npt.NDArray[np.int64]) -> Float32Array:
    """A picture (P, P) moved by whole pixels; 0 where nothing is moved to."""
    side = len(picture)
    out = np.zeros_like(picture)
    to = [slice(max(0, s), min(side, side + s)) for s in map(int, shift)]
    of = [slice(max(0, -s), min(side, side - s)) for s in map(int, shift)]
    out[to[0], to[1]] = picture[of[0], of[1]]
    return out


def _streams(seed: int) -> tuple[np.random.Generator, np.random.Generator]:
    """The draws of the background, and those of everything else."""
    background, rest = np.random.default_rng(seed).spawn(2)
    return background, rest


def _donors(cells: SegmentedCells, draw: np.random.Generator) -> npt.NDArray[np.intp]:
    """Another cell (N,) for each cell: a random cyclic order, so that nobody is its own.

    Raises
    ------
    InvalidInput
        If there is one cell alone.
    """
    n = len(cells)
    if n < 2:
        raise InvalidInput("One cell has no other to take surroundings from; give more cells.")
    order = draw.permutation(n)
    donors = np.empty(n, np.intp)
    donors[order] = np.roll(order, 1)
    return donors


def _relative_height(
    cells: SegmentedCells, donors: npt.NDArray[np.intp]
) -> npt.NDArray[np.float32]:
    """How much brighter (N,) each nucleus is than that of its donor."""
    return (cells.height / np.maximum(cells.height[donors], 1e-12)).astype(np.float32)


def _composed(
    cells: SegmentedCells, draw: np.random.Generator, light: Float32Array | None = None
) -> Patches:
    """The central nuclei on background, with the light (N, P, P) of others around them."""
    plain = backgrounds(cells, draw)
    pixels = plain + cells.soft * (cells.patches.pixels - plain)
    if light is not None:
        pixels += np.clip(cells.away / np.float32(FADE), 0, 1) * light
    # no rounding within the nucleus
    pixels[cells.nucleus] = cells.patches.pixels[cells.nucleus]
    return replace(cells.patches, pixels=pixels)
