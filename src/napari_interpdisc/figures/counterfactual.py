"""The strip of a counterfactual path: decoded pictures, scores, and real cells beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from napari_interpdisc._types import Float32Array
from napari_interpdisc.figures.canvas import GREYS, save_figure
from napari_interpdisc.models.cell_model import CellModel, class_index
from napari_interpdisc.number_text import with_sign
from napari_interpdisc.scrutiny.counterfactual import CounterfactualPath


def path_figure(
    found: CounterfactualPath,
    pictures: Float32Array,
    real: Float32Array,
    names: Sequence[str],
    model: CellModel,
) -> Figure:
    """Draw a path of S steps as two rows of pictures.

    Parameters
    ----------
    found
        The path.
    pictures
        (S, P, P) decoded pictures of its steps, normalised units.
    real
        (S, P, P) crops of the nearest real cells.
    names
        (S,) what to call these cells.
    model
        The model, for the names of latents.
    """
    n = len(found.scores)
    figure = Figure(figsize=(1.25 * n + 0.6, 3.7), layout="constrained")
    grid = figure.subplots(2, n, squeeze=False)
    called = class_index(found.scores)
    names_called = [*found.classes, "no class"]  # the last is that of −1
    for k in range(n):
        top, below = grid[:, k]
        for axes, picture in ((top, pictures[k]), (below, real[k])):
            axes.imshow(picture, **GREYS)
            axes.set(xticks=[], yticks=[])
        weight = "bold" if called[k] == found.target else "normal"
        where = "" if found.real[k] else "\nno cells here"
        top.set_title(
            f"{names_called[called[k]]}\nmargin {with_sign(float(found.margins[k]))}{where}",
            fontsize=8,
            fontweight=weight,
        )
        below.set_xlabel(f"{names[k]}\n{found.distances[k]:.2f} SD away", fontsize=7)
    grid[0, 0].set_ylabel("decoded", fontsize=9)
    grid[1, 0].set_ylabel("nearest real cell", fontsize=9)
    told = [f"Head '{found.head}' of '{model.name}'", *found.sentences(model)]
    figure.suptitle("\n".join(told), fontsize=9)
    return figure


def draw_path(
    path: Path,
    found: CounterfactualPath,
    pictures: Float32Array,
    real: Float32Array,
    names: Sequence[str],
    model: CellModel,
) -> None:
    """Write :func:`path_figure` as a PNG file.

    Raises
    ------
    InvalidInput
        If the file cannot be written.
    """
    save_figure(path_figure(found, np.asarray(pictures), np.asarray(real), names, model), path)
