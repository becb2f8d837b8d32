"""Traversals of the latents that a head uses."""

from __future__ import annotations

import numpy as np

from napari_interpdisc.figures.used_latents import STEPS, used_latents_figure
from napari_interpdisc.models.store import load_model
from napari_interpdisc.number_text import with_sign


def test_a_row_for_each_latent_with_its_values_and_scores() -> None:
    model = load_model(device="cpu")
    z = np.zeros(32, np.float32)
    z[2] = 0.5
    figure = used_latents_figure(model, [2, 11], z, "formula")
    axes = figure.axes
    # each has a row of pictures, and one of local contrast
    assert len(axes) == 4 * len(STEPS)
    assert axes[0].get_ylabel().startswith("z2\n")
    sd = model.latent_sd[2]
    assert [a.get_title() for a in axes[: len(STEPS)]] == [
        with_sign(float(np.float32(0.5 + sd * step))) for step in STEPS
    ]
    moved = z.copy()
    moved[11] = -3 * model.latent_sd[11]
    score = model.score(moved[None], "formula")[0, -1]
    assert axes[3 * len(STEPS)].get_xlabel() == with_sign(float(score), 1)
