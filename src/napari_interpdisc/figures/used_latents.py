"""What the latents that a head uses look like: each moved on its own, decoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
    measured: Mapping[str, float] | None = None,
) -> Figure:
    """Draw a row for each latent: it moves about a cell's value, all others stay.

    Below it is the local contrast, where the model predicts it: grain that pictures hardly show.

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
    measured
        Measured properties of the cell, for a head that reads some: they stay as they are.
    """
    held = {name: np.full(len(STEPS), value) for name, value in (measured or {}).items()}
    z = np.asarray(start, np.float32)
    deep = 2 if model.has_texture else 1
    figure = Figure(
        figsize=(1.05 * len(STEPS) + 1.5, (0.35 + 0.95 * deep) * len(latents) + 0.5),
        layout="constrained",
    )
    grid = figure.subplots(deep * len(latents), len(STEPS), squeeze=False)
    for axes in grid.ravel():
        axes.set(xticks=[], yticks=[])
    for place, latent in enumerate(latents):
        line = grid[deep * place : deep * (place + 1)]
        sd = float(model.latent_sd[latent])
        edited = np.repeat(z[None], len(STEPS), 0)
        edited[:, latent] = z[latent] + sd * np.array(STEPS)
        pictures = model.decode(edited) if crop is None else model.reconstruct(edited, crop)
        scores = model.score(edited, head, held)[:, -1]
        for k, (value, score) in enumerate(zip(edited[:, latent], scores, strict=True)):
            line[0, k].imshow(pictures[k, 0], **GREYS)
            line[0, k].set_title(with_sign(float(value)), fontsize=8, pad=2)
            line[-1, k].set_xlabel(with_sign(float(score), 1), fontsize=7, labelpad=1)
        if deep > 1:
            grain = model.decode_texture(edited)[:, 0]
            for k, picture in enumerate(grain):
                line[1, k].imshow(picture, cmap="gray", vmin=0, vmax=float(grain.max()))
            line[1, 0].set_ylabel("contrast", fontsize=7, color="0.4")
        words = [f"z{latent}", shorten(model.latent_name(latent), LABEL_CHARACTERS)]
        line[0, 0].set_ylabel("\n".join(filter(None, words)), fontsize=8)
    return figure
