"""The strip of a counterfactual path."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from skimage.io import imread

from napari_interpdisc.figures.counterfactual import draw_path, path_figure
from napari_interpdisc.models.store import load_model
from napari_interpdisc.scrutiny.counterfactual import counterfactual_path, real_cells


def test_a_column_for_each_step(tmp_path: Path) -> None:
    model = load_model(device="cpu")
    z = (np.random.default_rng(0).normal(size=(60, 32)) * model.latent_sd).astype(np.float32)
    found = counterfactual_path(model, z[0], real_cells(model, z, "formula"), "formula", steps=4)
    pictures = model.decode(found.latents)[:, 0]
    names = [f"cell {row}" for row in found.nearest]
    figure = path_figure(found, pictures, pictures, names, model)
    assert len(figure.axes) == 8
    titles = [axes.get_title() for axes in figure.axes[:4]]
    assert titles[0].startswith(found.classes[found.start_class])
    assert all("margin" in title for title in titles)
    assert [axes.get_xlabel().split("\n")[0] for axes in figure.axes[4:]] == names
    draw_path(tmp_path / "path.png", found, pictures, pictures, names, model)
    assert imread(tmp_path / "path.png").shape[1] > 400
