from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from skimage.io import imread

from napari_interpdisc.figures.encoder import (
    draw_losses,
    draw_reconstructions,
    draw_traversals,
)
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.models.store import load_model
from napari_interpdisc.patches import patches_of_crops
from napari_interpdisc.simulate.crops import simulate_crops


@pytest.fixture(scope="module")
def model() -> CellModel:
    return load_model(device="cpu")


def grey(path: Path) -> np.ndarray:
    return np.asarray(imread(path))[..., :3].mean(-1)


def test_reconstructions_have_two_rows_for_each_label(tmp_path: Path, model: CellModel) -> None:
    images, _ = simulate_crops(12)
    crops = patches_of_crops(images, 23.0).crops()
    labels = np.array(["one", "two", "three"] * 4)
    draw_reconstructions(tmp_path / "three.png", model, crops, labels, n=3)
    draw_reconstructions(tmp_path / "one.png", model, crops, np.array(["one"] * 12), n=3)
    three, one = grey(tmp_path / "three.png"), grey(tmp_path / "one.png")
    # the same width, but for the labels, and three times the rows
    assert three.shape[0] > 2 * one.shape[0]
    assert np.ptp(three) > 200
    # more cells than there are of a label are drawn again
    draw_reconstructions(tmp_path / "few.png", model, crops[:2], labels[:2], n=8)
    assert np.ptp(grey(tmp_path / "few.png")) > 200


def test_traversals_of_as_many_latents_as_asked(tmp_path: Path, model: CellModel) -> None:
    draw_traversals(tmp_path / "four.png", model, n=4)
    draw_traversals(tmp_path / "eight.png", model, n=8)
    assert grey(tmp_path / "eight.png").shape[0] > 1.5 * grey(tmp_path / "four.png").shape[0]


def test_losses_of_a_plain_network_have_no_texture(tmp_path: Path) -> None:
    lines = [
        {"step": s, "reconstruction": 1000 / s, "kl": 40.0, "total_correlation": 5.0}
        for s in (100, 200, 400)
    ]
    draw_losses(tmp_path / "losses.png", lines)
    assert np.ptp(grey(tmp_path / "losses.png")) > 200
