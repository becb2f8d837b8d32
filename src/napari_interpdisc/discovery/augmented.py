"""Latents of labelled cells and of augmented crops of them: what heads are trained on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from napari_interpdisc._types import Float32Array, Progress, silent
from napari_interpdisc.discovery.labelled import LabelledCells, Labels
from napari_interpdisc.discovery.recipe import Recipe
from napari_interpdisc.discovery.view_cache import ViewCache, cell_keys
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
    keys
        (N,) names of the cells, by their pixels.
    """

    plain: Float32Array
    augmented: Float32Array
    way: Way = "built-in"
    keys: npt.NDArray[np.str_] | None = None


def patch_latents(
    patches: Patches,
    model: CellModel,
    recipe: Recipe,
    progress: Progress = silent,
    regions: npt.NDArray[np.integer] | None = None,
    cache: ViewCache | None = None,
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

    What is drawn for a cell depends on its pixels and the seed alone: the same cell among others
    has the same augmented crops.

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
        Called with (cells augmented, cells to augment).
    regions
        (N, S, S) segmentations of the crops; without them, nuclei are found in the crops.
    cache
        What an earlier call saw: cells in it are not encoded again. It holds these cells after.
    """
    keys = cell_keys(patches, regions)
    known = {} if cache is None else dict(cache.known(model, recipe))
    missing = np.array([n for n, key in enumerate(keys) if str(key) not in known], np.intp)
    if len(missing):
        own = None if regions is None else regions[missing]
        seen = _seen(patches.take(missing), model, recipe, progress, own)
        known |= {str(key): seen[:, n] for n, key in enumerate(keys[missing])}
    if cache is not None:
        cache.keep(model, recipe, {str(key): known[str(key)] for key in keys})
    views = np.stack([known[str(key)] for key in keys], 1)
    plain, augmented = views[0], views[1:] if recipe.augmented else views[:1]
    return PatchLatents(plain, augmented, "built-in" if regions is None else "labels", keys)


def _seen(
    patches: Patches,
    model: CellModel,
    recipe: Recipe,
    progress: Progress,
    regions: npt.NDArray[np.integer] | None,
) -> Float32Array:
    """Latents and properties (1 + V, N, L + P) of N patches, those of the plain crops first."""
    read = model.n_latents if recipe.surroundings else model.n_cell_latents
    read, names = read * recipe.latents, recipe.properties
    crops = patches.crops(model.crop_size)
    found_in = crops if regions is None else (crops, regions)
    own = _properties(found_in, names, model)
    plain = np.concatenate([model.encode(crops)[0][:, :read], own], 1)
    if recipe.augmented < 1:
        return plain[None]
    seen = own if regions is None else _properties(crops, names, model)
    scaled = torch.from_numpy(scaled_to_unit(patches.pixels))[:, None]
    n, rotations = recipe.augmented, recipe.rotations if model.encoder.rotating_pairs else 1
    found = np.empty((1 + n * rotations, *plain.shape), np.float32)
    found[0], keys = plain, cell_keys(patches)
    fields = torch.full((n,), patches.field)
    at_once = max(1, BATCH // n)
    for start in range(0, len(patches), at_once):
        some = range(start, min(start + at_once, len(patches)))
        draws = [_draws(str(keys[cell]), recipe.seed) for cell in some]
        pictures = [
            random_views(
                scaled[cell].expand(n, -1, -1, -1), fields, recipe.augmentation, model.crop_size,
                draw,
            )
            for cell, draw in zip(some, draws, strict=True)
        ]  # fmt: skip
        views = torch.cat(pictures).numpy()
        encoded = torch.from_numpy(model.encode(views)[0]).split(n)
        measured = _properties(views, names, model).reshape(len(some), n, len(names))
        for place, (cell, draw) in enumerate(zip(some, draws, strict=True)):
            change = measured[place] - seen[cell]
            props = own[cell] + np.where(np.isfinite(change), change, 0)
            every = encoded[place].repeat_interleave(rotations, 0)
            rotated = rotated_latents(model.encoder, every, draw)[:, :read].numpy()
            found[1:, cell] = np.concatenate([rotated, props.repeat(rotations, 0)], 1)
        progress(some[-1] + 1, len(patches))
    return found


def _draws(key: str, seed: int) -> torch.Generator:
    """Source of randomness of one cell."""
    digest = hashlib.sha256(f"{key} {seed}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))


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
        If properties are asked for, and no nucleus was found in any cell; or named latents, and
        none has a name.
    """
    n_latents = latents.plain.shape[1] - len(recipe.properties)
    cells = LabelledCells(
        latents.plain,
        latents.augmented,
        labels.target,
        labels.group,
        labels.classes,
        pairs_within(model, n_latents),
        unread=unread_latents(model, n_latents) if recipe.named else (),
        properties=recipe.properties,
        way=latents.way,
        keys=latents.keys,
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


def unread_latents(model: CellModel, latents: int) -> tuple[int, ...]:
    """Those of the first ``latents`` that have no name, or rotate with one that has none.

    Raises
    ------
    InvalidInput
        If no latent has a name.
    """
    unnamed = {i for i in range(latents) if not model.latent_name(i)}
    if len(unnamed) == latents:
        raise InvalidInput(
            f"No latent of model '{model.name}' has a name, so that nothing is left to read; name "
            "them with interpdisc latents --out, or let heads read all latents."
        )
    rotating = {i for pair in pairs_within(model, latents) if unnamed & {*pair} for i in pair}
    return tuple(sorted(unnamed | rotating))


def pairs_within(model: CellModel, latents: int) -> tuple[tuple[int, int], ...]:
    """Pairs that rotate together among the first ``latents``."""
    return tuple(pair for pair in model.rotating_pairs if max(pair) < latents)
