"""What a training found, as the window shows and stores it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from napari_interpdisc.discovery import cross_validation
from napari_interpdisc.discovery.quality import Quality
from napari_interpdisc.discovery.results import Discovery, FittedHead, FrontRow
from napari_interpdisc.models.formula import FormulaHead, parse_formula
from napari_interpdisc.models.store import load_model
from napari_interpdisc.widgets.canvas.overlay import find_overlay
from napari_interpdisc.widgets.parts.wording import UNSAVED

from .conftest import (
    Settled,
    fault,
    made_up,
    trained,
)


def test_training_shows_and_applies_what_it_found(
    scene: SimpleNamespace, settled: Settled, quick: list[Any]
) -> None:
    session, before = scene.session, scene.session.encoding
    results = trained(scene, settled)
    cells, settings = quick[0]
    assert len(cells) == 36
    assert len(np.unique(cells.group)) == 12
    assert settings.search.engine == "operon"
    assert session.encoding is before
    assert session.model.name == UNSAVED
    assert session.classification.head == "dense"
    assert session.classification.classes == ("class 1", "class 2")
    overlay = find_overlay(scene.viewer)
    assert overlay is not None
    assert overlay.visible
    heads = results.quality.heads
    assert [heads.item(0, c).text() for c in range(4)] == [
        "dense",
        "1040",
        "8641",
        "0.850 [0.75, 0.87]",
    ]
    assert results.quality.confusion.item(1, 0).text() == "2"
    assert len(results.quality.curve.values) == 2
    assert results.front.table.rowCount() == 3
    assert results.row == 1
    assert "36 cells of 12 tracks" in scene.widget.status.text()
    assert "operon 1" in scene.widget.status.text()


def test_save_as_and_load(
    scene: SimpleNamespace, settled: Settled, quick: list[Any], tmp_path: Path
) -> None:
    results = trained(scene, settled)
    results.front.table.cellClicked.emit(2, 0)
    scene.widget.save_to(tmp_path / "mine")
    assert str(tmp_path / "mine") in scene.widget.status.text()
    model = load_model(tmp_path / "mine")
    assert model.name == "mine"
    assert list(model.heads) == ["dense", "formula"]
    latents = scene.session.encoding.latents
    np.testing.assert_allclose(
        model.score(latents, "formula"), scene.session.classification.scores, rtol=1e-5
    )
    # it has its name now, wherever it is shown, and is still that of the training
    assert scene.session.model.sha256 == model.sha256
    assert scene.session.head_name == "formula"
    assert results.is_of(scene.session.model)
    assert results._rule_part.isVisibleTo(results)
    scene.widget.save_to(tmp_path / "mine")
    assert "already exists" in fault(scene)
    results.front.table.cellClicked.emit(0, 0)
    assert scene.session.model.name == UNSAVED, "another formula was not saved"
    scene.widget._use("dense")
    assert scene.session.model.name == "mine", "the dense head was"
    results.front.table.cellClicked.emit(2, 0)
    assert (scene.session.model.name, scene.session.head_name) == ("mine", "formula")


def test_three_classes(
    scene: SimpleNamespace, settled: Settled, quick: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    widget, session = scene.widget, scene.session
    widget.annotations.add_class("big")
    names = {r: widget.annotations.classes[int(t) % 3] for r, t in enumerate(scene.table[:, 0])}
    head = FormulaHead([parse_formula(text, 32) for text in ("z1", "z2 + 1", "z3")])
    worth = Quality(0.6, 0.6, (0.5, 0.7), np.diag([12, 12, 12]))
    row = FrontRow(head, head.expression_size, 0.6, worth)

    def discover(cells: Any, *_: Any, **__: Any) -> Discovery:
        fitted = FittedHead("formula", head, worth, np.eye(3, dtype=np.float32)[cells.target])
        return replace(made_up(""), classes=cells.classes, heads={"formula": fitted}, front=(row,))

    monkeypatch.setattr(cross_validation, "discover", discover)
    widget.annotations.annotate(session.encoding.cells, names)
    widget.training.engine.setCurrentIndex(widget.training.engine.findData("operon"))
    widget.training.augmented.setValue(1)
    widget.train()
    settled()
    assert not widget.status.is_fault, widget.status.text()
    assert session.classification.classes == ("class 1", "class 2", "big")
    latents = session.encoding.latents
    wanted = np.stack([latents[:, 1], latents[:, 2] + 1, latents[:, 3]], 1).argmax(1)
    np.testing.assert_array_equal(session.classification.index, wanted)
    assert widget.results.quality.confusion.rowCount() == 3
    assert f"big: {session.model.aliases.get(3, 'z3')}" in widget.results.front.formula.text()


def test_the_rule_of_the_picked_formula_is_shown(
    scene: SimpleNamespace, settled: Settled, quick: list[Any]
) -> None:
    results = trained(scene, settled)
    assert results.rule.title == "No rule: 'dense' is a dense network"
    results.front.table.cellClicked.emit(2, 0)
    assert results.rule.rule.text() == "edge_sharpness_z3*z7 - 1"
    scene.session.select(0)
    score = float(scene.session.classification.scores[0, 0])
    assert results.rule.bars.total.value == pytest.approx(score, abs=1e-4)


def test_labels_calibration_and_heads_of_a_training(
    scene: SimpleNamespace, settled: Settled, truthful: None, qtbot: Any, tmp_path: Path
) -> None:
    results = trained(scene, settled)
    session = scene.session
    for part in (results.labels_part, results.calibration_part, results.rashomon_part):
        part.expand(animate=False)
    assert results.audit.told.text().endswith("Asked were dense heads.")
    assert results.calibration.told.text().startswith("On held-out tracks, confidence and share")
    qtbot.waitUntil(lambda: session.compared is not None)
    # of 0.85, 0.8, 0.85 and 0.9
    assert results.rashomon.table.rowCount() == 1
    results.rashomon.delta.setValue(0.06)
    names = [results.rashomon.table.item(i, 0).text() for i in range(3)]
    assert names == ["other formula", "dense", "formula"]
    assert "of 36 cells" in results.rashomon.told.text()
    results.by_disagreement.click()
    assert session.colouring == "disagreement"
    overlay = find_overlay(scene.viewer)
    assert overlay is not None
    assert "disagreement" in overlay.features
    kept = session.compared
    results.quality.heads.cellClicked.emit(1, 0)
    assert session.compared is kept, "the same heads and cells are not compared again"
    assert results.audit.told.text().endswith("Asked were formula heads.")
    results.front.table.cellClicked.emit(2, 0)
    assert results.calibration.told.text().startswith("Confidences of this formula are not")
    scene.widget.save_to(tmp_path / "mine")
    card = load_model(tmp_path / "mine").card
    assert "3 heads within 0.06 of the best balanced accuracy (0.900)" in card
    assert "of 36 labelled cells." in card


def test_a_training_that_tells_no_labels_shows_no_checks(
    scene: SimpleNamespace, settled: Settled, quick: list[Any]
) -> None:
    results = trained(scene, settled)
    assert not results.labels_part.isVisible()
    assert not results.calibration_part.isVisible()
