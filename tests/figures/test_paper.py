"""Rows of pictures of the paper's Figures 7 to 10, and the table of its findings."""

from __future__ import annotations

import numpy as np

from napari_interpdisc.discovery.paper import Attacked, SchemeFindings
from napari_interpdisc.figures.paper import (
    attacked_cnn,
    attacked_latents,
    findings_table,
    picture_rows,
    unperturbed,
)
from napari_interpdisc.models.store import load_model
from napari_interpdisc.scrutiny.attacks import AttackSettings, perturb


def crops(n: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(n, 1, 64, 64)).astype(np.float32)


def test_rows_of_pictures_with_scores_above_the_first() -> None:
    figure = picture_rows(
        [("a", crops(3)[:, 0], False), ("b", crops(3)[:, 0], True)], [1.25, -0.5, 0], "title"
    )
    assert len(figure.axes) == 6
    assert [axes.get_title() for axes in figure.axes[:3]] == ["+1.2", "−0.5", "0.0"]
    assert [figure.axes[i].get_ylabel() for i in (0, 3)] == ["a", "b"]
    low, high = figure.axes[3].get_images()[0].get_clim()
    assert low == -high  # differences stand around 0


def test_figures_7_to_10() -> None:
    model = load_model(device="cpu")
    six = crops(6)
    assert len(unperturbed(six, model).axes) == 12
    score = np.arange(6, dtype=np.float32)[:, None]
    one = np.ones(6)
    found = Attacked(six, six, six, score, score, score, one, one)
    figure = attacked_cnn(found, np.array([5, 0, 1]))
    assert [axes.get_title() for axes in figure.axes[:3]] == ["+5.0", "0.0", "+1.0"]
    moved = perturb(model, six, AttackSettings(space="latent", epsilon=1), "formula")
    assert len(attacked_latents(moved, "Scheme 4", False).axes) == 12
    assert len(attacked_latents(moved, "Scheme 2", True).axes) == 18


def test_the_table_of_findings() -> None:
    nan = float("nan")
    cnn = SchemeFindings(
        1, "CNN", 90, (0.5, 0.1), (nan, 0), (0.06, 0), (0.3, 0), 0.2, 0.01, 0.02, 0.03, nan, nan
    )
    lines = findings_table([cnn]).splitlines()
    assert len(lines) == 3
    assert lines[2] == "| 1 | `CNN` | 50.0 ± 10.0 | – | 6.0 | 30.0 | 1.0 | 2.0 | 3.0 | – | – |"
    assert len({line.count("|") for line in lines}) == 1
