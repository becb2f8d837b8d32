"""Trainings from the window: what is refused, stopped, and applied."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from napari_interpdisc.cells import CellTable
from napari_interpdisc.discovery import cross_validation
from napari_interpdisc.discovery.recipe import Recipe
from napari_interpdisc.discovery.results import Discovery
from napari_interpdisc.discovery.stages import (
    FormulasFound,
    FoundFormula,
    HeadsTested,
    StageBegan,
)
from napari_interpdisc.models.store import load_model
from napari_interpdisc.training.heads import HeadTraining
from napari_interpdisc.widgets.discover.train_panel import TrainPanel

from ..conftest import PATIENCE
from .conftest import (
    TRACKS,
    Settled,
    annotate_all,
    fault,
    made_up,
    trained,
)


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ({}, "No cell is annotated yet"),
        ({0: "class 1", 2: "class 1"}, "all labelled cells are 'class 1'"),
        ({0: "class 1", 1: "class 2"}, "fewer than the 5 folds"),
        ({0: "class 1", TRACKS: "class 1", 2 * TRACKS: "class 2"}, "folds"),
    ],
)
def test_annotations_that_cannot_be_trained_on(
    scene: SimpleNamespace, names: dict[int, str], sentence: str, quick: list[Any]
) -> None:
    model = scene.session.model
    scene.widget.annotations.annotate(scene.session.encoding.cells, names)
    scene.widget.training.start.click()
    assert sentence in fault(scene)
    assert not quick
    assert scene.session.model is model


def test_one_track_and_no_kind(scene: SimpleNamespace, quick: list[Any]) -> None:
    widget = scene.widget
    widget.training.folds.setValue(2)
    cells = scene.session.encoding.cells
    one = CellTable.from_arrays(cells.t, cells.yx, np.zeros(len(cells)))
    widget.annotations.annotate(cells, {r: f"class {1 + r % 2}" for r in range(8)})
    scene.session.encoding = replace(scene.session.encoding, cells=one)
    widget.train()
    assert "are on one track" in fault(scene)
    for box in widget.training.kinds.values():
        box.setChecked(False)
    widget.train()
    assert "Choose at least one kind of head" in fault(scene)
    assert not quick


def test_a_model_of_another_encoder_that_was_chosen_meanwhile_is_kept(
    scene: SimpleNamespace, settled: Settled, monkeypatch: pytest.MonkeyPatch
) -> None:
    annotate_all(scene)
    widget, session = scene.widget, scene.session
    other = replace(session.model, name="other", sha256="other", encoder_sha256="other")

    def discover(
        cells: Any, settings: Any, report: Any, sha256: str = "", group: str = "track", **_: Any
    ) -> Discovery:
        assert chosen.wait(PATIENCE)
        return made_up(sha256)

    chosen = threading.Event()
    monkeypatch.setattr(cross_validation, "discover", discover)
    widget.training.engine.setCurrentIndex(widget.training.engine.findData("operon"))
    widget.training.augmented.setValue(1)
    widget.training.start.click()
    session.set_model(other)
    chosen.set()
    settled()
    assert session.model is other
    assert "'other', chosen meanwhile, has another encoder and was kept" in widget.status.text()
    assert widget.results.front.rows


@pytest.mark.parametrize("ends", ["cancel", "fault"])
def test_cancel_and_failure_keep_the_model(
    scene: SimpleNamespace,
    settled: Settled,
    monkeypatch: pytest.MonkeyPatch,
    quick: list[Any],
    ends: str,
) -> None:
    results = trained(scene, settled)
    found, model, shown = results.found, scene.session.model, scene.session.classification
    begun = threading.Event()

    def slow(cells: Any, settings: Any, report: Any, *_: Any, **__: Any) -> None:
        begun.set()
        if ends == "fault":
            raise RuntimeError("no more")
        for i in range(1000):
            report(i, 1000)
            time.sleep(0.01)

    monkeypatch.setattr(cross_validation, "discover", slow)
    scene.widget.training.start.click()
    assert begun.wait(PATIENCE)
    assert scene.widget.training.stop.isEnabled() or ends == "fault"
    scene.widget.training.stop.click()
    settled()
    assert results.found is found
    assert scene.session.model is model
    assert scene.session.classification is shown
    assert scene.widget.training.start.isEnabled()
    if ends == "cancel":
        assert "Cancelled" in scene.widget.status.text()


def test_a_real_training(
    scene: SimpleNamespace, settled: Settled, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("pyoperon")
    chosen = TrainPanel.settings

    def small(panel: TrainPanel) -> Recipe:
        options = chosen(panel)
        return options.model_copy(
            update={
                "folds": 2,
                "curve": False,
                "augmented": 3,
                "rotations": 1,
                "search_augmented": 1,
                "dense": HeadTraining(steps=200),
                "sparse": options.sparse.model_copy(update={"steps": 200, "restarts": 1}),
                "search": options.search.model_copy(update={"generations": 3, "individuals": 50}),
            }
        )

    monkeypatch.setattr(TrainPanel, "settings", small)
    results = trained(scene, settled)
    assert list(results.found.heads) == ["dense", "sparse", "formula"]
    assert results.found.heads["dense"].quality.balanced_accuracy > 0.8
    right = scene.session.classification.index == scene.table[:, 0] % 2
    assert right.mean() > 0.9
    results.front.table.cellClicked.emit(0, 0)
    assert scene.session.classification.head == "formula"
    scene.widget.save_to(tmp_path / "mine")
    assert list(load_model(tmp_path / "mine").heads) == ["dense", "sparse", "formula"]


def test_an_engine_that_cannot_run_is_refused(
    scene: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, quick: list[Any]
) -> None:
    from napari_interpdisc.widgets.discover import run as discover_run

    monkeypatch.setattr(discover_run, "engine_faults", lambda: {"pysr": "PySR needs Julia."})
    annotate_all(scene)
    scene.widget.training.engine.setCurrentIndex(scene.widget.training.engine.findData("pysr"))
    scene.widget.train()
    assert fault(scene) == "PySR needs Julia."
    assert not quick


def test_named_latents_alone_need_names(
    scene: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, quick: list[Any]
) -> None:
    panel, asked = scene.widget.training, []
    chosen = TrainPanel.settings
    monkeypatch.setattr(TrainPanel, "settings", lambda p: asked.append(chosen(p)) or asked[-1])
    annotate_all(scene)
    panel.reads.setCurrentIndex(panel.reads.findText("named latents"))
    model = scene.session.model
    scene.session.set_model(replace(model, meanings=()))
    scene.widget.train()
    assert "No latent of model 'h2b' has a name" in fault(scene)
    assert asked[-1].named
    assert asked[-1].latents
    assert not asked[-1].properties
    assert not quick


def test_heads_of_properties_colour_all_cells(
    scene: SimpleNamespace, settled: Settled, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = TrainPanel.settings
    sizes = ("area", "eccentricity")

    def small(panel: TrainPanel) -> Recipe:
        options = chosen(panel)
        assert (options.latents, bool(options.properties)) == (False, True)
        return options.model_copy(
            update={
                "kinds": ("dense",),
                "folds": 2,
                "curve": False,
                "augmented": 2,
                "properties": sizes,
                "dense": HeadTraining(steps=300),
            }
        )

    monkeypatch.setattr(TrainPanel, "settings", small)
    reads = scene.widget.training.reads
    reads.setCurrentIndex(reads.findText("measured properties"))
    assert scene.session.encoding.properties == {}
    results = trained(scene, settled)
    assert results.found.heads["dense"].quality.balanced_accuracy > 0.9
    assert scene.session.encoding.way == "built-in"
    result = scene.session.classification
    assert result.settings["properties_read"] == list(sizes)
    known = result.index >= 0
    assert known.mean() > 0.8
    assert (result.index == scene.table[:, 0] % 2)[known].mean() > 0.9


def test_heads_are_used_as_soon_as_they_are_ready_and_kept_after_a_cancel(
    scene: SimpleNamespace, settled: Settled, monkeypatch: pytest.MonkeyPatch, qtbot: Any
) -> None:
    widget, session, go = scene.widget, scene.session, threading.Event()
    annotate_all(scene)

    def discover(
        cells: Any, settings: Any, report: Any, sha256: str, *_: Any, on_stage: Any, **__: Any
    ) -> None:
        whole = made_up(sha256)
        on_stage(StageBegan("dense", 0, 600, 6))
        on_stage(
            HeadsTested(replace(whole, heads={"dense": whole.heads["dense"]}, front=(), engine=""))
        )
        on_stage(StageBegan("formula", 600, 1200, 6))
        on_stage(FormulasFound((FoundFormula(whole.front[0].head, 1, 0.9),)))
        assert go.wait(PATIENCE)
        report(700, 1200)

    monkeypatch.setattr(cross_validation, "discover", discover)
    widget.training.engine.setCurrentIndex(widget.training.engine.findData("operon"))
    widget.training.augmented.setValue(1)
    widget.training.start.click()
    front = widget.results.front
    qtbot.waitUntil(lambda: bool(front.untested), timeout=60_000)
    assert session.classification.head == "dense"
    assert widget.results.quality.heads.rowCount() == 1
    assert widget.training.stage.text() == "Stage 4 of 4: Formulas"
    assert widget.status.text().startswith("Ready: dense.")
    assert front.table.item(0, 1).text() == "testing …"
    front.table.cellClicked.emit(0, 0)  # nobody knows yet what it is worth
    assert session.classification.head == "dense"
    widget.training.stop.click()
    go.set()
    settled()
    assert widget.status.text() == "Cancelled; ready and kept: dense."
    assert not front.untested
    assert not front.isVisible()
    assert list(widget.results.found.heads) == ["dense"]
    assert session.classification.head == "dense"
    assert list(widget.results.model("mine").heads) == ["dense"]
