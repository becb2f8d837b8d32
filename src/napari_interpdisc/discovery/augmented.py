"""Latents of labelled cells and of augmented crops of them: what heads are trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from napari_interpdisc._types import Float32Array, Progress, silent
from napari_interpdisc.discovery.labelled import LabelledCells, Labels
from napari_interpdisc.discovery.recipe import Recipe
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.patches import Patches, patches_of_cells, patches_of_crops, scaled_to_unit
from napari_interpdisc.training.augment import random_views, rotated_latents

if TYPE_CHECKING:
    from napari_interpdisc.cells import CellTable
    from napari_interpdisc.frames import Frames

BATCH = 512


@dataclass(frozen=True)
class PatchLatents:
    """Latents of N patches.

    Attributes
    ----------
    plain
        (N, L) posterior means of the crops in the middle.
    augmented
        (V, N, L) posterior means of augmented crops.
    """

    plain: Float32Array
    augmented: Float32Array


def patch_latents(
    patches: Patches, model: CellModel, recipe: Recipe, progress: Progress = silent
) -> PatchLatents:
    """Encode the plain crops in the middle of N patches, and augmented crops of each.

    Augmented crops differ in size, place, blur, contrast, illumination and noise, and are mirrored
    and rotated by quarters. If the model is equivariant, the latents of each are then rotated by
    any angle, ``recipe.rotations`` times: that costs no encoding. Latents of the surroundings are
    left out, unless the recipe wants them: then L is the number of the cell's latents.

    Parameters
    ----------
    patches
        The N patches.
    model
        Whose encoder is used.
    recipe
        Number and strength of the augmentations, and their seed. Without augmentations the plain
        latents are given as the only ones.
    progress
        Called with (augmentations encoded, augmentations in all).
    """
    read = model.n_latents if recipe.surroundings else model.n_cell_latents
    plain = model.encode(patches.crops(model.crop_size))[0][:, :read]
    if recipe.augmented < 1:
        return PatchLatents(plain, plain[None])
    scaled = torch.from_numpy(scaled_to_unit(patches.pixels))[:, None]
    fields = torch.full((len(patches),), patches.field)
    generator = torch.Generator().manual_seed(recipe.seed)
    rotations = recipe.rotations if model.encoder.rotating_pairs else 1
    found = np.empty((recipe.augmented * rotations, len(patches), read), np.float32)
    for v in range(recipe.augmented):
        for start in range(0, len(patches), BATCH):
            some = slice(start, start + BATCH)
            crops = random_views(
                scaled[some], fields[some], recipe.augmentation, model.crop_size, generator
            )
            encoded = torch.from_numpy(model.encode(crops.numpy())[0])
            for k in range(v * rotations, (v + 1) * rotations):
                rotated = rotated_latents(model.encoder, encoded, generator)
                found[k, some] = rotated[:, :read].numpy()
        progress(v + 1, recipe.augmented)
    return PatchLatents(plain, found)


def label_cells(
    frames: Frames,
    cells: CellTable,
    diameter: float,
    model: CellModel,
    labels: Labels,
    recipe: Recipe,
    progress: Progress = silent,
) -> LabelledCells:
    """Cut, augment and encode the labelled cells of a movie.

    Parameters
    ----------
    frames, cells, diameter
        The movie, its N cells, and the typical nuclear diameter in it, px.
    model
        Whose encoder is used.
    labels
        Which of the cells have a label, and which.
    recipe, progress
        See :func:`patch_latents`.

    Raises
    ------
    InvalidInput
        If a cell is outside the image, or the diameter is impossible.
    """
    patches = patches_of_cells(
        frames, cells.take(labels.rows), diameter, model.model_diameter, model.crop_size
    )
    return _labelled(patches, model, labels, recipe, progress)


def label_ready_crops(
    images: npt.NDArray[np.generic],
    diameter: float,
    model: CellModel,
    labels: Labels,
    recipe: Recipe,
    progress: Progress = silent,
) -> LabelledCells:
    """Resample, augment and encode labelled ready-made crops (N, H, W), centred on their cells.

    Parameters are those of :func:`label_cells`; ``diameter`` is that in the crops.

    Raises
    ------
    InvalidInput
        If the crops cannot be used, or show too little around the nuclei.
    """
    patches = patches_of_crops(images[labels.rows], diameter, model.model_diameter, model.crop_size)
    return _labelled(patches, model, labels, recipe, progress)


def _labelled(
    patches: Patches, model: CellModel, labels: Labels, recipe: Recipe, progress: Progress
) -> LabelledCells:
    latents = patch_latents(patches, model, recipe, progress)
    return LabelledCells(
        latents.plain,
        latents.augmented,
        labels.target,
        labels.group,
        labels.classes,
        pairs_within(model, latents.plain.shape[1]),
    )


def pairs_within(model: CellModel, latents: int) -> tuple[tuple[int, int], ...]:
    """Pairs that rotate together among the first ``latents``."""
    return tuple(pair for pair in model.rotating_pairs if max(pair) < latents)
