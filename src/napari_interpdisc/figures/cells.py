"""Pictures of results without a window: overlay, latents and perturbation, by matplotlib."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Patch
from skimage.segmentation import find_boundaries

from napari_interpdisc._types import Float32Array
from napari_interpdisc.figures.canvas import GREYS, save_figure
from napari_interpdisc.figures.palette import class_colors
from napari_interpdisc.frames import Frames
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.number_text import with_sign
from napari_interpdisc.pipeline import Classification, cell_crops
from napari_interpdisc.scrutiny.attacks import AttackSettings, perturb

LABEL_CHARACTERS = 20
"""Of a latent's name beside a picture; the rest is cut off."""


def shorten(text: str, most: int) -> str:
    """``text``, or the beginning of it and … if it has more than ``most`` characters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def crop_of(
    image: npt.NDArray[Any], result: Classification, model: CellModel, row: int
) -> Float32Array:
    """Normalised crop (1, 1, S, S) of one cell."""
    encoding = result.encoding
    return cell_crops(Frames(image), encoding.cells.take([row]), model, encoding.diameter)


def draw_overlay(
    path: Path,
    image: npt.NDArray[Any],
    planes: npt.NDArray[np.uint8],
    result: Classification,
    row: int,
) -> None:
    """Draw the frame of cell ``row`` with every cell outlined in the colour of its class."""
    cells, classes = result.encoding.cells, result.classes
    t = int(cells.t[row])
    height, width = planes.shape[1:]
    figure = Figure(figsize=(11, 11 * height / width + 0.5), layout="constrained")
    axes = figure.subplots()
    low, high = np.percentile(image[t], (1, 99.7))
    axes.imshow(image[t], cmap="gray", vmin=low, vmax=high)
    colors = class_colors(classes)
    tint = np.zeros((height, width, 4))
    for k, name in enumerate(classes):
        cell = planes[t] == k + 1
        tint[cell] = (*colors[name][:3], 0.12)
        # an outline, so that the chromatin within can be seen
        tint[find_boundaries(cell, mode="thick")] = (*colors[name][:3], 1.0)
    axes.imshow(tint)
    axes.add_patch(
        Circle(
            (float(cells.yx[row, 1]), float(cells.yx[row, 0])),
            result.encoding.diameter,
            fill=False,
            color="white",
            linestyle="--",
            linewidth=2,
        )
    )
    here = result.index[cells.t == t]
    axes.legend(
        handles=[
            Patch(color=colors[name], label=f"{name} ({int((here == k).sum())})")
            for k, name in enumerate(classes)
        ],
        loc="upper right",
    )
    axes.set(title=f"frame {t}: class of every segmented cell", xticks=[], yticks=[])
    save_figure(figure, path)


def draw_latents(path: Path, crop: Float32Array, model: CellModel, n: int = 8) -> None:
    """Draw a crop, its reconstruction, and what its ``n`` most important latents do."""
    z = model.encode(crop)[0][0]
    values = np.linspace(-3, 3, 7)
    figure = Figure(figsize=(9.5, 1.02 * (n + 1.6)), layout="constrained")
    grid = figure.subplots(n + 1, len(values))
    for axes in grid.ravel():
        axes.set(xticks=[], yticks=[])
    for axes in grid[0, 2:]:
        axes.set_axis_off()
    grid[0, 0].imshow(crop[0, 0], **GREYS)
    grid[0, 0].set_title("crop", fontsize=9)
    grid[0, 1].imshow(model.reconstruct(z[None], crop)[0, 0], **GREYS)
    grid[0, 1].set_title("reconstruction", fontsize=9)
    for line, latent in enumerate(model.by_importance()[:n], start=1):
        edited = np.repeat(z[None], len(values), 0)
        edited[:, latent] = values
        scores = model.score(edited)[:, -1]
        for axes, picture, value, score in zip(
            grid[line], model.reconstruct(edited, crop)[:, 0], values, scores, strict=True
        ):
            axes.imshow(picture, **GREYS)
            axes.set_xlabel(with_sign(score, 1), fontsize=7, labelpad=1)
            if line == 1:
                axes.set_title(with_sign(value, 0), fontsize=9)
        words = [f"z{latent}", model.latent_name(latent), f"now {with_sign(z[latent], 1)}"]
        words = [shorten(word, LABEL_CHARACTERS) for word in words if word]
        size = 8 * min(1.0, 14 / max(map(len, words)))
        grid[line, 0].set_ylabel("\n".join(words), fontsize=size)
    classes = model.head().classes
    figure.suptitle(
        f"One latent at a time from −3 to 3; below it the score ({classes[-1]} from 0 on)",
        fontsize=10,
    )
    save_figure(figure, path)


def draw_perturbation(path: Path, crop: Float32Array, model: CellModel) -> None:
    """Draw a crop before and after FGSM, in image space (ε = 0.5) and latent space (ε = 1)."""
    figure = Figure(figsize=(9.5, 5.2), layout="constrained")
    grid = figure.subplots(2, 4)
    classes = model.head().classes
    for line, (space, epsilon) in zip(grid, (("image", 0.5), ("latent", 1.0)), strict=True):
        found = perturb(
            model, crop, AttackSettings.model_validate({"space": space, "epsilon": epsilon})
        )
        before, after = float(found.scores[0, -1]), float(found.perturbed_scores[0, -1])
        strongest = float(np.abs(found.perturbation).max()) or 1.0
        changed = [
            ("perturbed", found.perturbed, with_sign(after)),
            ("perturbation", found.perturbation, ""),
        ]
        if space == "image":
            # what the model makes of the perturbed crop
            seen = ("perturbed, reconstructed", found.perturbed_reconstruction, "")
            pictures = [("crop", found.original, with_sign(before)), *changed, seen]
        else:
            decoded = ("reconstruction", found.reconstruction, with_sign(before))
            pictures = [("crop", found.original, ""), decoded, *changed]
        for axes, (title, picture, score) in zip(line, pictures, strict=True):
            signed = {"cmap": "RdBu_r", "vmin": -strongest, "vmax": strongest}
            axes.imshow(picture[0, 0], **(signed if title == "perturbation" else GREYS))
            axes.set(xticks=[], yticks=[])
            axes.set_title(f"{title}\nscore {score}" if score else f"{title}\n", fontsize=9)
        line[0].set_ylabel(f"{space} space, ε = {epsilon:g}", fontsize=9)
    figure.suptitle(f"FGSM against the cell's class; {classes[-1]} from score 0 on", fontsize=10)
    save_figure(figure, path)
