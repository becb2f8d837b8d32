"""Patches to train an encoder on: cut from frames or ready-made crops, some of them held out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import BoolArray, Float64Array, Progress, silent
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.nuclei.masks import cell_masks, has_outline
from napari_interpdisc.patches import (
    iter_patches,
    patch_side,
    patches_of_crops,
    to_uint8,
)
from napari_interpdisc.training.encoder.settings import PatchSource

if TYPE_CHECKING:
    from napari_interpdisc.cells import CellTable
    from napari_interpdisc.frames import Frames

HELD_OUT = 0.1
"""Share of the patches that is held out."""

FEWEST_GROUPS = 5
"""With fewer groups than this, single patches are held out and not whole groups."""


@dataclass(frozen=True)
class EncoderSource:
    """Patches of one data set, before some are held out.

    Attributes
    ----------
    name
        What the patches come from, as it appears in the card.
    patches
        (N, P, P) uint8 at the model's diameter; every patch is scaled to its own 0–255.
    field
        Side, px, of the central square that augmented crops may show.
    group
        (N,) whole numbers: patches of one group are all held out, or none of them.
    group_name
        What a group is: ``track``, ``frame``, ``plate`` …
    weight
        (N,) how often each patch is drawn, relative to the others; equally often if None.
    masks
        (N, P, P) uint8, 0–255, what of each patch belongs to the central cell; None if unknown.
    outlined
        (N,) whether the outline of the cell is known, and not a disc that stands for it.
    share
        How large a part of each batch comes from the source, relative to the others.
    """

    name: str
    patches: npt.NDArray[np.uint8]
    field: float
    group: npt.NDArray[np.int64]
    group_name: str
    weight: Float64Array | None = None
    masks: npt.NDArray[np.uint8] | None = None
    outlined: BoolArray | None = None
    share: float = 1.0

    @property
    def sha256(self) -> str:
        """Hash of the patches, their groups, and their weights and masks if there are any."""
        digest = hashlib.sha256(np.ascontiguousarray(self.patches).data)
        digest.update(np.ascontiguousarray(self.group).data)
        if self.weight is not None:
            digest.update(np.ascontiguousarray(self.weight).data)
        if self.masks is not None:
            digest.update(np.ascontiguousarray(self.masks).data)
        return digest.hexdigest()


def source_of_cells(
    frames: Frames,
    cells: CellTable,
    diameter: float,
    model_diameter: float,
    crop_size: int,
    name: str,
    progress: Progress = silent,
) -> EncoderSource:
    """Cut one patch around each cell of an image or movie.

    Groups are tracks where any track has two cells, and frames otherwise. In a still image each
    cell is its own.

    Parameters
    ----------
    frames, cells, diameter
        The movie, its cells, and the typical nuclear diameter in it, px.
    model_diameter, crop_size
        Typical nuclear diameter in the model's crops, and the side of a crop, px.
    name
        What to call the source.
    progress
        Called with (cells cut, cells in all).

    Raises
    ------
    InvalidInput
        If a cell is outside the image, the diameter is impossible, or a frame cannot be used.
    """
    side = patch_side(crop_size)
    patches = np.empty((len(cells), side, side), np.uint8)
    done = 0
    for rows, pixels in iter_patches(frames, cells, diameter, model_diameter, crop_size):
        patches[rows] = to_uint8(pixels)
        done += len(rows)
        progress(done, len(cells))
    tracked = len(np.unique(cells.track_id)) < len(cells)
    if not tracked and not frames.is_movie:
        return EncoderSource(name, patches, float(side), np.arange(len(cells)), "cell")
    group = _numbered(cells.track_id if tracked else cells.t)
    return EncoderSource(name, patches, float(side), group, "track" if tracked else "frame")


def source_of_crops(
    images: npt.NDArray[Any],
    diameter: float,
    model_diameter: float,
    crop_size: int,
    name: str,
    group: npt.NDArray[Any] | None = None,
    group_name: str = "crop",
) -> EncoderSource:
    """Resample ready-made crops, the cell in the centre, to training patches.

    Parameters
    ----------
    images
        (N, H, W) of any range of values.
    diameter
        Typical nuclear diameter in them, px.
    model_diameter, crop_size, name
        As in :func:`source_of_cells`.
    group, group_name
        (N,) groups such as plates, and what they are; each crop is its own if left out.

    Raises
    ------
    InvalidInput
        If the images are not (N, H, W), hold NaN, or show too little around the nuclei.
    """
    patches = patches_of_crops(images, diameter, model_diameter, crop_size, name)
    index = np.arange(len(images)) if group is None else _numbered(group)
    return EncoderSource(name, to_uint8(patches.pixels), patches.field, index, group_name)


def with_masks(source: EncoderSource, model_diameter: float) -> EncoderSource:
    """The source, knowing what of each patch belongs to its central cell, as well as that can be.

    Masks that it has are kept; see :func:`napari_interpdisc.nuclei.masks.cell_masks`.
    """
    if source.masks is not None:
        return source
    return masked(source, cell_masks(source.patches, diameter=model_diameter), model_diameter)


def masked(
    source: EncoderSource, masks: npt.NDArray[np.uint8], model_diameter: float
) -> EncoderSource:
    """The source with the masks (N, P, P) of its cells, and which of them are known outlines."""
    return replace(source, masks=masks, outlined=has_outline(masks, model_diameter))


def joined(sources: Sequence[EncoderSource], name: str) -> EncoderSource:
    """One source of several, such as the frames of one data set, their groups kept apart.

    Raises
    ------
    InvalidInput
        If there are none.
    """
    if not sources:
        raise InvalidInput(f"'{name}' has no images; check the path.")
    starts = np.cumsum([0, *(int(s.group.max()) + 1 for s in sources)])
    weights = [np.ones(len(s.patches)) if s.weight is None else s.weight for s in sources]
    weighted = any(s.weight is not None for s in sources)
    masks = [s.masks for s in sources if s.masks is not None]
    outlined = [s.outlined for s in sources if s.outlined is not None]
    return EncoderSource(
        name,
        np.concatenate([s.patches for s in sources]),
        min(s.field for s in sources),
        np.concatenate([s.group + start for s, start in zip(sources, starts, strict=False)]),
        sources[0].group_name,
        np.concatenate(weights) if weighted else None,
        np.concatenate(masks) if len(masks) == len(sources) else None,
        np.concatenate(outlined) if len(outlined) == len(sources) else None,
        sources[0].share,
    )


def balanced_weights(labels: npt.NDArray[Any], often: Sequence[str] = ()) -> Float64Array:
    """Weights (N,) by which each label is drawn equally often, and those in ``often`` twice so."""
    names, index, counts = np.unique(labels, return_inverse=True, return_counts=True)
    return np.asarray(np.where(np.isin(names, often), 2.0, 1.0)[index] / counts[index])


def hold_out(source: EncoderSource, seed: int) -> tuple[PatchSource, PatchSource]:
    """Split a source into patches to train on and held-out ones, about a tenth of them.

    Whole groups are held out, unless there are fewer than :data:`FEWEST_GROUPS`; then patches are.

    Raises
    ------
    InvalidInput
        If fewer than ten patches are given: none could be held out.
    """
    n = len(source.patches)
    if n < 10:
        raise InvalidInput(
            f"{source.name} holds {n} cell{'s' * (n != 1)}, too few to train on and to hold some "
            "out; give at least 10."
        )
    draw = np.random.default_rng(seed)
    groups, counts = np.unique(source.group, return_counts=True)
    grouped = len(groups) >= FEWEST_GROUPS
    group = source.group if grouped else np.arange(n)
    if not grouped:
        groups, counts = group, np.ones(n, np.int64)
    wanted = max(2, round(HELD_OUT * n))
    order = draw.permutation(len(groups))
    reached = np.cumsum(counts[order])
    taken = order[: int(np.searchsorted(reached, wanted)) + 1]
    tested = np.isin(group, groups[taken])
    if tested.sum() > n / 2:
        # one group is most of the data
        tested = np.zeros(n, bool)
        tested[draw.permutation(n)[:wanted]] = True
    return _part(source, ~tested), _part(source, tested)


def split_sources(
    sources: Sequence[EncoderSource], batch: int, seed: int
) -> tuple[list[PatchSource], list[PatchSource]]:
    """Hold out a tenth of every source.

    Raises
    ------
    InvalidInput
        If there are no sources, too few patches in one, or fewer in all than fill a batch.
    """
    if not sources:
        raise InvalidInput("There are no cells to train on; give frames and centroids, or crops.")
    train, tested = zip(*(hold_out(s, seed) for s in sources), strict=True)
    n = sum(len(s.patches) for s in train)
    if n < batch:
        raise InvalidInput(
            f"{n} cells are left to train on, fewer than a batch of {batch}; give more cells or a "
            "smaller batch."
        )
    if batch < len(sources):
        raise InvalidInput(
            f"A batch of {batch} cannot hold a crop of each of the {len(sources)} sources; give a "
            "larger batch."
        )
    return list(train), list(tested)


def at_most(source: PatchSource, most: int, seed: int) -> PatchSource:
    """At most so many patches of a source, drawn at random."""
    rows = np.random.default_rng(seed).permutation(len(source.patches))[:most]
    return source.take(rows)


def _part(source: EncoderSource, rows: npt.NDArray[np.bool_]) -> PatchSource:
    weight = np.ones(len(source.patches)) if source.weight is None else source.weight
    whole = PatchSource(
        source.name,
        source.patches,
        source.field,
        weight,
        source.masks,
        source.outlined,
        source.share,
    )
    return whole.take(rows)


def _numbered(values: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    return np.asarray(np.unique(values, return_inverse=True)[1], dtype=np.int64)
