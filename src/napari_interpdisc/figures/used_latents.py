"""What the latents that a head uses look like: each moved on its own, decoded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from napari_interpdisc._types import Float32Array
from napari_interpdisc.figures.canvas import GREYS
from napari_interpdisc.figures.cells import LABEL_CHARACTERS, shorten
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.number_text import with_sign

STEPS = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
"""Places of the pictures, in standard deviations of the latent over training cells."""


def used_latents_figure(
    model: CellModel,
    latents: Sequence[int],
    start: npt.ArrayLike,
    head: str | None = None,
    crop: Float32Array | None = None,
) -> Figure:
    """Draw a row for each latent: it moves about a cell's value, all others stay.

    Parameters
    ----------
    model, head
        The model, and the head whose score stands below each picture.
    latents
        Latents to move.
    start
        (L,) latents of the cell.
    crop
        (1, 1, S, S) its crop, in whose units pictures are; those of the decoder if left out.
    """
    z = np.asarray(start, np.float32)
    figure = Figure(
        figsize=(1.05 * len(STEPS) + 1.5, 1.3 * len(latents) + 0.5), layout="constrained"
    )
    grid = figure.subplots(len(latents), len(STEPS), squeeze=False)
    for line, latent in zip(grid, latents, strict=True):
        sd = float(model.latent_sd[latent])
        edited = np.repeat(z[None], len(STEPS), 0)
        edited[:, latent] = z[latent] + sd * np.array(STEPS)
        pictures = model.decode(edited) if crop is None else model.reconstruct(edited, crop)
        scores = model.score(edited, head)[:, -1]
        for axes, picture, value, score in zip(
            line, pictures[:, 0], edited[:, latent], scores, strict=True
        ):
            axes.imshow(picture, **GREYS)
            axes.set(xticks=[], yticks=[])
            axes.set_title(with_sign(float(value)), fontsize=8, pad=2)
            axes.set_xlabel(with_sign(float(score), 1), fontsize=7, labelpad=1)
        words = [f"z{latent}", shorten(model.latent_name(latent), LABEL_CHARACTERS)]
        line[0].set_ylabel("\n".join(filter(None, words)), fontsize=8)
    return figure
