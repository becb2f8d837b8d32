"""Latents of cells and of augmented views of them: what heads are trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from napari_interpdisc.crops import check_diameter, cut_crops, normalise, smooth_for_zoom
from napari_interpdisc.discovery.labelled import LabelledCells
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.classifier import Classifier
from napari_interpdisc.training.augment import Augmentation, random_views, turned_latents

if TYPE_CHECKING:
    from napari_interpdisc.cells import CellTable
    from napari_interpdisc.frames import Frames

Report = Callable[[int, int], None]
Float32Array = npt.NDArray[np.float32]

FIELD = 1.5
"""Side of a patch in crops: room for views of smaller nuclei, which show more around them."""

EDGE = 0.2
"""Share of views that hang over the edge of a frame, as cells at its border do."""


def cut_patches(
    frames: Frames, cells: CellTable, diameter: float, model: Classifier
) -> Float32Array:
    """Patches (N, P, P) in 0–1 around cells, at the model's diameter, wider than its crops.

    Each is scaled by its own lowest and highest value; beyond the frame is the frame's mean.

    Raises
    ------
    InvalidInput
        If a cell is outside the image, or the diameter is impossible.
    """
    cells.check_inside(frames)
    zoom = model.model_diameter / check_diameter(diameter)
    size = round(FIELD * model.crop_size)
    patches = np.empty((len(cells), size, size), np.float32)
    for t in np.unique(cells.t):
        rows = np.flatnonzero(cells.t == t)
        frame = smooth_for_zoom(frames.frame(int(t)), zoom)
        patches[rows] = cut_crops(frame, cells.yx[rows], zoom, size)
    return patches


def patches_of_crops(
    images: npt.NDArray[np.generic], diameter: float, model: Classifier
) -> Float32Array:
    """Patches (N, P, P), as :func:`cut_patches` gives, of ready-made crops with centred cells.

    Parameters
    ----------
    images
        (N, H, W), the cell in the centre.
    diameter
        Typical nuclear diameter in them, px.

    Raises
    ------
    InvalidInput
        If the images are not (N, H, W), or smaller than about two nuclei.
    """
    zoom = model.model_diameter / check_diameter(diameter)
    if images.ndim != 3 or not len(images):
        raise InvalidInput(
            f"The crops have the shape {images.shape}; (number, rows, columns) was expected."
        )
    height, width = images.shape[1:]
    if min(height, width) * zoom < 0.6 * model.crop_size:
        raise InvalidInput(
            f"Crops of {height} × {width} px show too little around nuclei of {diameter:g} px; "
            "give larger crops, or correct the diameter."
        )
    if not np.isfinite(images).all():
        raise InvalidInput("The crops hold NaN or infinite pixels; replace them first.")
    size = round(FIELD * model.crop_size)
    centre = [((height - 1) / 2, (width - 1) / 2)]
    cut = [
        cut_crops(smooth_for_zoom(np.asarray(im, np.float32), zoom), centre, zoom, size)
        for im in images
    ]
    return np.concatenate(cut)


def patch_latents(
    patches: Float32Array,
    model: Classifier,
    views: int,
    seed: int,
    field: float | None = None,
    report: Report = lambda done, n: None,
) -> tuple[Float32Array, Float32Array]:
    """Latents (N, L) of the plain crops in the middle of patches, and (views, N, L) of views.

    Views differ in size, place, blur, contrast and noise, and are turned: by quarters, or by any
    angle if the model knows how its latents turn.

    Parameters
    ----------
    patches
        (N, P, P), any range of values.
    model
        Whose encoder is used.
    views
        Number of augmented views; 0 gives the plain latents as the only view.
    seed
        Seed of the augmentation.
    field
        Side of the central square with real pixels, px; all of the patch if left out.
    report
        Called with (views encoded, views in all).
    """
    margin = (patches.shape[1] - model.crop_size) // 2
    inner = slice(margin, margin + model.crop_size)
    latents = model.encode(normalise(patches[:, inner, inner])[:, None])[0]
    if views < 1:
        return latents, latents[None]
    low = patches.min((1, 2), keepdims=True)
    span = np.maximum(patches.max((1, 2), keepdims=True) - low, 1e-6)
    scaled = torch.from_numpy((patches - low) / span)[:, None]
    fields = torch.full((len(patches),), float(field or patches.shape[1]))
    generator = torch.Generator().manual_seed(seed)
    found = np.empty((views, len(patches), model.n_latents), np.float32)
    for v in range(views):
        for start in range(0, len(patches), 512):
            some = slice(start, start + 512)
            crops = random_views(
                scaled[some], fields[some], Augmentation(edge=EDGE), model.crop_size, generator
            )
            encoded = torch.from_numpy(model.encode(crops.numpy())[0])
            found[v, some] = turned_latents(model.encoder, encoded, generator).numpy()
        report(v + 1, views)
    return latents, found


def label_cells(
    frames: Frames,
    cells: CellTable,
    diameter: float,
    model: Classifier,
    target: npt.NDArray[np.int64],
    group: npt.NDArray[np.int64],
    classes: Sequence[str],
    views: int = 24,
    seed: int = 0,
    report: Report = lambda done, n: None,
) -> LabelledCells:
    """Cut, augment and encode labelled cells of a movie.

    Parameters
    ----------
    frames, cells, diameter
        The movie, its N labelled cells, and the typical nuclear diameter in it, px.
    model
        Whose encoder is used.
    target, group, classes
        (N,) position in ``classes`` and (N,) unit of the cross-validation of each cell.
    views, seed, report
        See :func:`patch_latents`.

    Raises
    ------
    InvalidInput
        If a cell is outside the image, or the diameter is impossible.
    """
    patches = cut_patches(frames, cells, diameter, model)
    latents, augmented = patch_latents(patches, model, views, seed, report=report)
    return LabelledCells(latents, augmented, target, group, tuple(classes), model.turning_pairs)
