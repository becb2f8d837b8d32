"""What a training found, as it is stored with its heads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_interpdisc.discovery.card import discovered_model
from napari_interpdisc.discovery.cross_validation import discover
from napari_interpdisc.discovery.effort import with_effort
from napari_interpdisc.discovery.evidence import (
    calibration_of,
    evidence_of,
    held_out_reliability,
    reliability_of,
)
from napari_interpdisc.discovery.recipe import Recipe
from napari_interpdisc.discovery.reliability import reliability
from napari_interpdisc.discovery.results import Discovery
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.cell_model import class_probabilities
from napari_interpdisc.models.store import load_model, save_model
from napari_interpdisc.training.heads import HeadTraining

from .conftest import labelled


def test_evidence_of_a_training(found: Discovery) -> None:
    dense = evidence_of(found, "dense")
    quality = found.heads["dense"].quality
    assert (dense.cells, dense.groups, dense.folds) == (160, 40, 3)
    assert dense.balanced_accuracy == quality.balanced_accuracy
    assert np.array(dense.confusion).tolist() == quality.confusion.tolist()
    assert dense.calibration is not None
    assert sum(dense.calibration.cells) == 160
    assert len(dense.data_sha256) == 64
    assert dense.effort == "own settings"
    quick = with_effort(Recipe(), "quick").model_dump(mode="json")
    assert evidence_of(replace(found, settings=quick), "dense").effort == "quick"


def test_calibration_is_that_of_the_held_out_cells(found: Discovery) -> None:
    measured = reliability(
        class_probabilities(found.heads["sparse"].logits), found.target, found.group
    )
    stored = calibration_of(measured)
    back = reliability_of(stored, evidence_of(found, "sparse"))
    assert back.ece == pytest.approx(measured.ece, abs=1e-6)
    np.testing.assert_allclose(back.right, measured.right, atol=1e-6)
    np.testing.assert_allclose(back.right_interval, measured.right_interval, atol=1e-6)


def test_another_formula_has_its_own_quality_and_no_calibration(found: Discovery) -> None:
    other = found.front[0]
    told = evidence_of(found, "formula", other.quality)
    assert told.balanced_accuracy == other.quality.balanced_accuracy
    assert told.calibration is None


def test_is_stored_with_the_model(tmp_path: Path) -> None:
    base = load_model(device="cpu")
    recipe = Recipe(kinds=("dense",), folds=3, curve=False, dense=HeadTraining(steps=20))
    found = discover(labelled(60, n_latents=32), recipe, encoder_sha256=base.encoder_sha256)
    save_model(discovered_model(base, found, "mine"), tmp_path / "mine")
    read = load_model(tmp_path / "mine", device="cpu")
    assert read.head("dense").evidence == evidence_of(found, "dense")


def test_a_training_that_tells_no_labels_has_no_reliability(found: Discovery) -> None:
    assert held_out_reliability(found, "dense").n_cells == 160
    with pytest.raises(InvalidInput, match="does not tell the labels"):
        held_out_reliability(replace(found, target=np.zeros(0, np.int64)), "dense")
