"""Latents of labelled cells and of augmented crops of them: what heads are trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from napari_interpdisc._types import Float32Array, Progress, silent
from napari_interpdisc.discovery.labelled import LabelledCells, Labels
from napari_interpdisc.discovery.recipe import Recipe
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.models.properties import Way, missing_properties
from napari_interpdisc.patches import (
    Patches,
    label_crops,
    patches_of_cells,
    patches_of_crops,
    scaled_to_unit,
)
from napari_interpdisc.scrutiny.properties import measure_crops
from napari_interpdisc.training.augment import random_views, rotated_latents

if TYPE_CHECKING:
    from napari_interpdisc.cells import CellTable
    from napari_interpdisc.frames import Frames

BATCH = 512


@dataclass(frozen=True)
class PatchLatents:
    """Latents of N patches, and after them the P measured properties that a recipe asks for.

    Attributes
    ----------
    plain
        (N, L + P) posterior means of the crops in the middle, and properties in their own units:
        NaN where no nucleus was found.
    augmented
        (V, N, L + P) the same of augmented crops.
    way
        In whose nuclei the properties were measured.
    """

    plain: Float32Array
    augmented: Float32Array
    way: Way = "built-in"


def patch_latents(
    patches: Patches,
    model: CellModel,
    recipe: Recipe,
    progress: Progress = silent,
    regions: npt.NDArray[np.integer] | None = None,
) -> PatchLatents:
    """Encode the plain crops in the middle of N patches, and augmented crops of each.

    Augmented crops differ in size, place, blur, contrast, illumination and noise, and are mirrored
    and rotated by quarters. If the model is equivariant, the latents of each are then rotated by
    any angle, ``recipe.rotations`` times: that costs no encoding. Latents of the surroundings are
    left out, unless the recipe wants them: then L is the number of the cell's latents.

    Properties, where the recipe asks for some, are measured on each augmented crop too, in nuclei
    that are found in it anew: size, blur and noise change them as they change latents. With
    ``regions``, the *change* that is measured so is added to what the regions say of the plain
    crop. A crop in which no nucleus is found keeps the properties of the plain one. Rotation and
    mirroring change none of those that heads may read.

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
    regions
        (N, S, S) segmentations of the crops; without them, nuclei are found in the crops.
    """
    read = model.n_latents if recipe.surroundings else model.n_cell_latents
    read, names = read * recipe.latents, recipe.properties
    crops = patches.crops(model.crop_size)
    found_in = crops if regions is None else (crops, regions)
    own = _properties(found_in, names, model)
    plain = np.concatenate([model.encode(crops)[0][:, :read], own], 1)
    way: Way = "built-in" if regions is None else "labels"
    if recipe.augmented < 1:
        return PatchLatents(plain, plain[None], way)
    seen = own if regions is None else _properties(crops, names, model)
    scaled = torch.from_numpy(scaled_to_unit(patches.pixels))[:, None]
    fields = torch.full((len(patches),), patches.field)
    generator = torch.Generator().manual_seed(recipe.seed)
    rotations = recipe.rotations if model.encoder.rotating_pairs else 1
    found = np.empty((recipe.augmented * rotations, *plain.shape), np.float32)
    for v in range(recipe.augmented):
        for start in range(0, len(patches), BATCH):
            some = slice(start, start + BATCH)
            views = random_views(
                scaled[some], fields[some], recipe.augmentation, model.crop_size, generator
            )
            encoded = torch.from_numpy(model.encode(views.numpy())[0])
            change = _properties(views.numpy(), names, model) - seen[some]
            measured = own[some] + np.where(np.isfinite(change), change, 0)
            for k in range(v * rotations, (v + 1) * rotations):
                rotated = rotated_latents(model.encoder, encoded, generator)
                found[k, some] = np.concatenate([rotated[:, :read].numpy(), measured], 1)
        progress(v + 1, recipe.augmented)
    return PatchLatents(plain, found, way)


def _properties(
    crops: Float32Array | tuple[Float32Array, npt.NDArray[np.integer]],
    names: Sequence[str],
    model: CellModel,
) -> Float32Array:
    """Properties (N, P) of crops (N, 1, S, S), with or without segmentations of them."""
    pictures, regions = crops if isinstance(crops, tuple) else (crops, None)
    if not names:
        return np.zeros((len(pictures), 0), np.float32)
    found = measure_crops(pictures, regions, model.model_diameter)
    return np.stack([found[name] for name in names], 1).astype(np.float32)


def label_cells(
    frames: Frames,
    cells: CellTable,
    diameter: float,
    model: CellModel,
    labels: Labels,
    recipe: Recipe,
    progress: Progress = silent,
    segmentation: Any = None,
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
    segmentation
        (Y, X) or (T, Y, X) of the movie, in which properties are measured.

    Raises
    ------
    InvalidInput
        If a cell is outside the image, or the diameter is impossible.
    """
    some, at = cells.take(labels.rows), (diameter, model.model_diameter, model.crop_size)
    patches, regions = patches_of_cells(frames, some, *at), None
    if segmentation is not None and recipe.properties:
        regions = label_crops(segmentation, some, *at)
    return labelled_cells(
        patch_latents(patches, model, recipe, progress, regions), model, labels, recipe
    )


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
    return labelled_cells(patch_latents(patches, model, recipe, progress), model, labels, recipe)


def labelled_cells(
    latents: PatchLatents, model: CellModel, labels: Labels, recipe: Recipe
) -> LabelledCells:
    """Labelled cells of the latents of their patches; cells without a nucleus are left out.

    That is where heads read measured properties: ``rows`` of the result says which are left.

    Raises
    ------
    InvalidInput
        If properties are asked for, and no nucleus was found in any cell.
    """
    n_latents = latents.plain.shape[1] - len(recipe.properties)
    cells = LabelledCells(
        latents.plain,
        latents.augmented,
        labels.target,
        labels.group,
        labels.classes,
        pairs_within(model, n_latents),
        properties=recipe.properties,
        way=latents.way,
    )
    missing = missing_properties(latents.plain[:, n_latents:])
    if not missing.any():
        return cells
    if missing.all():
        raise InvalidInput(
            "No nucleus was found in any labelled cell, so that no property can be measured; check "
            "the diameter and the channel, or give a segmentation."
        )
    rows = np.flatnonzero(~missing)
    return replace(cells.take(rows), rows=rows)


def left_out(cells: LabelledCells, given: int) -> str:
    """One sentence on labelled cells that could not be measured; "" if all of ``given`` were."""
    n = given - len(cells)
    if not cells.properties or not n:
        return ""
    return (
        f"{n} of {given} labelled cells {'is' if n == 1 else 'are'} left out: no whole nucleus was "
        "found in the middle to measure."
    )


def pairs_within(model: CellModel, latents: int) -> tuple[tuple[int, int], ...]:
    """Pairs that rotate together among the first ``latents``."""
    return tuple(pair for pair in model.rotating_pairs if max(pair) < latents)
