"""The card of a trained encoder: the data, the curve, and the step that was kept."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.models.tcvae import TCVAE
from napari_interpdisc.training.encoder.card import best_line, encoder_card
from napari_interpdisc.training.encoder.settings import PatchSource


def line(step: int, held_out: float) -> dict[str, float]:
    return {
        "step": step, "reconstruction": 100.0 - step, "kl": 5.0, "total_correlation": 0.25,
        "active_latents": 3, "seconds": 60.0 * step, "held_out_loss": held_out,
        "held_out_reconstruction": 90.0, "held_out_kl": 4.0, "held_out_total_correlation": 0.5,
    }  # fmt: skip


LINES = [line(s, math.nan if s % 2 else 100 + (s - 14) ** 2) for s in range(1, 61)]
"""A loss with its minimum at step 14, which is looked at every other step."""

RECORD = {
    "settings": {"beta": 2.0, "network": {"latents": 4}},
    "start": "random weights",
    "sources": [{"name": "movie", "cells": 50, "groups": "10 of track", "sha256": "ab12"}],
}


def part(n: int) -> PatchSource:
    return PatchSource("movie", np.zeros((n, 8, 8), np.uint8), 8.0, np.ones(n))


@pytest.fixture
def model(small: TCVAE) -> CellModel:
    return CellModel(
        "mine", "", small, {}, 28.0, np.ones(4), np.ones(4), device=torch.device("cpu")
    )


def card(model: CellModel, report: Any = None, command: str = "") -> str:
    return encoder_card(model, RECORD, LINES, ([part(45)], [part(5)]), command, report)


def test_the_best_line_is_the_lowest_that_was_measured() -> None:
    assert best_line(LINES)["step"] == 14
    assert best_line([line(1, math.nan), line(2, 7.0)])["step"] == 2


def test_the_card_tells_data_settings_and_the_step_that_was_kept(model: CellModel) -> None:
    text = card(model, command="interpdisc train-encoder --latents 4")
    assert text.startswith("# mine: β-TCVAE, 16×16 px, 4 latents\n")
    for told in (
        "`movie`: 50 cells (groups: 10 of track), 45 to train on, 5 held out", "ab12",
        "Started from: random weights", "interpdisc train-encoder --latents 4", '"beta": 2.0',
        "60 steps in 60.0 min; the weights are those of step\n14,",
    ):  # fmt: skip
        assert told in text, told


def test_the_curve_has_some_lines_and_the_best_one(model: CellModel) -> None:
    rows = [r for r in card(model).splitlines() if r.startswith("| ") and r[2].isdigit()]
    steps = [int(r.split("|")[1]) for r in rows]
    assert steps == sorted(set(steps))
    assert {2, 14, 60} <= set(steps)
    assert len(steps) <= 13
    assert all(step % 2 == 0 for step in steps), "a step that was not measured has no row"
    assert rows[steps.index(14)].startswith("| 14 | 86.0 | 5.0 | 0.25 | 3 | 100.0 | 90.0 ")
    assert "nan" not in card(model)


def test_a_report_of_fine_tuning_is_part_of_it(model: CellModel) -> None:
    class Report:
        def markdown(self) -> str:
            return "# Fine-tuning of h2b\n\nWhat changed.\n"

    text = card(model, Report())
    assert "\n## Fine-tuning of h2b\n\nWhat changed.\n\n## Limits" in text
    assert "Fine-tuning" not in card(model)
