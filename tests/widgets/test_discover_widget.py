"""The Discover dock widget in a real viewer."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QWidget

from napari_interpdisc.cells import CellTable
from napari_interpdisc.discovery import cross_validation
from napari_interpdisc.discovery.quality import Quality
from napari_interpdisc.discovery.recipe import Recipe
from napari_interpdisc.discovery.results import CurvePoint, Discovery, FittedHead, FrontRow
from napari_interpdisc.models.cell_model import LatentMeaning
from napari_interpdisc.models.formula import FormulaHead, parse_formula
from napari_interpdisc.models.heads import DenseHead
from napari_interpdisc.models.store import load_model
from napari_interpdisc.pipeline import classify
from napari_interpdisc.training.heads import HeadTraining
from napari_interpdisc.widgets.canvas.annotation_layer import find_annotations
from napari_interpdisc.widgets.canvas.compat import camera_of
from napari_interpdisc.widgets.canvas.layers import frames_from_layer
from napari_interpdisc.widgets.canvas.overlay import find_overlay
from napari_interpdisc.widgets.cells.widget import CellsWidget
from napari_interpdisc.widgets.discover.run import NO_CELLS
from napari_interpdisc.widgets.discover.train_panel import TrainPanel
from napari_interpdisc.widgets.discover.widget import DiscoverWidget
from napari_interpdisc.widgets.parts.wording import UNSAVED
from napari_interpdisc.widgets.session import session_of

DIAMETER, FRAMES, TRACKS = 20.0, 3, 12
Settled = Callable[[], None]


def round_and_long() -> tuple[np.ndarray, np.ndarray]:
    """Movie (T, Y, X), and cells (N, 4) of track, t, y, x: even tracks are round, odd ones long."""
    draw = np.random.default_rng(1)
    rows, cols = np.mgrid[:150, :200]
    movie = draw.normal(10, 1, (FRAMES, 150, 200))
    cells = []
    for t in range(FRAMES):
        for track in range(TRACKS):
            y, x = 28 + 47 * (track // 4) + t, 28 + 48 * (track % 4) + t
            a, b = (9, 9) if track % 2 == 0 else (4, 11)
            r2 = ((rows - y) / a) ** 2 + ((cols - x) / b) ** 2
            movie[t] += 100 * np.exp(-(r2**2))
            cells.append((track, t, y, x))
    return movie.astype(np.float32), np.array(cells, float)


@pytest.fixture
def scene(make_napari_viewer: Callable[..., Any]) -> SimpleNamespace:
    """A classified movie of 12 tracks in three frames, and the dock widget."""
    viewer = make_napari_viewer(show=True)
    movie, cells = round_and_long()
    image = viewer.add_image(movie, name="movie", scale=(1, 0.5, 0.5))
    points = viewer.add_points(cells[:, 1:], name="cells", size=4, scale=(1, 0.5, 0.5))
    session, frames = session_of(viewer), frames_from_layer(image)

    def finish() -> None:
        table = CellTable.from_arrays(cells[:, 1], cells[:, 2:], cells[:, 0], source="cells")
        result = classify(frames, table, session.model, DIAMETER)
        session.set_result(image, points, None, frames, result)

    finish()
    widget = DiscoverWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Discover")
    viewer.dims.set_current_step(0, 0)
    return SimpleNamespace(
        viewer=viewer, widget=widget, session=session, cells=points, table=cells, finish=finish
    )


@pytest.fixture
def settled(scene: SimpleNamespace, qtbot: Any) -> Settled:
    return lambda: qtbot.waitUntil(lambda: not scene.widget.work.running, timeout=120_000)


def world(scene: SimpleNamespace, row: int) -> np.ndarray:
    return scene.table[row, 1:] * (1, 0.5, 0.5)


def click(scene: SimpleNamespace, row: int, drag: float = 0) -> None:
    """Click a cell of the frame shown, as napari would pass it on."""
    position = world(scene, row)
    event = SimpleNamespace(
        type="mouse_press", button=1, modifiers=(), pos=np.zeros(2), position=position
    )
    running = [callback(scene.viewer, event) for callback in scene.viewer.mouse_drag_callbacks]
    running = [generator for generator in running if generator is not None]
    for generator in running:
        next(generator, None)
    if drag:
        event.type, event.pos = "mouse_move", np.array([drag, 0])
        for generator in running:
            next(generator, None)
    event.type = "mouse_release"
    for generator in running:
        next(generator, None)


def press(scene: SimpleNamespace, key: str) -> None:
    scene.viewer.window._qt_viewer.canvas._key_map_handler.press_key(key)


def annotate_all(scene: SimpleNamespace, tracks: int = TRACKS) -> None:
    names = {
        row: scene.widget.annotations.classes[int(track) % 2]
        for row, track in enumerate(scene.table[:, 0])
        if track < tracks
    }
    scene.widget.annotations.annotate(scene.session.encoding.cells, names)


def fault(scene: SimpleNamespace) -> str:
    assert scene.widget.status.is_fault
    assert not scene.widget.work.running
    return str(scene.widget.status.text())


# -- annotating ----------------------------------------------------------------------------------


def test_clicks_annotate_while_it_is_on(scene: SimpleNamespace) -> None:
    widget, session = scene.widget, scene.session
    click(scene, 1)
    assert session.selected == 1
    assert not widget.annotations.marks
    widget.annotate.setChecked(True)
    click(scene, 0)
    assert session.selected == 0
    widget.classes.radios[1].click()
    click(scene, 3)
    click(scene, 5, drag=50)
    assert widget.annotations.by_row == {0: "class 1", 3: "class 2"}
    assert widget.status.text() == "Cell 3, frame 0: class 2."
    assert [label.text() for label in widget.classes.counts[0]] == ["1", "1"]
    layer = find_annotations(scene.viewer)
    assert layer is not None
    np.testing.assert_allclose(layer.data_to_world(layer.data[0]), world(scene, 0))
    widget.undo.click()
    assert widget.annotations.by_row == {0: "class 1"}
    widget.annotate.setChecked(False)
    click(scene, 5)
    assert session.selected == 5
    assert widget.annotations.by_row == {0: "class 1"}


def test_keys_annotate_and_are_given_back(scene: SimpleNamespace) -> None:
    widget, viewer = scene.widget, scene.viewer
    viewer.layers.selection.active = scene.cells
    before = dict(viewer.keymap), dict(scene.cells.keymap)
    widget.annotate.setChecked(True)
    scene.session.select(4)
    press(scene, "2")
    assert scene.cells.mode == "pan_zoom"  # napari's own "2" adds points
    assert widget.annotations.by_row == {4: "class 2"}
    viewer.layers.selection.active = viewer.layers["movie"]
    press(scene, "1")
    assert widget.annotations.by_row == {4: "class 1"}
    press(scene, "Delete")
    press(scene, "3")
    assert widget.annotations.by_row == {}
    viewer.dims.set_current_step(0, 1)  # the ring moves along with the track
    press(scene, "1")
    assert widget.annotations.by_row == {TRACKS + 4: "class 1"}
    scene.session.select(None)
    viewer.cursor.position = tuple(world(scene, TRACKS + 7))
    press(scene, "2")
    assert widget.annotations.by_row[TRACKS + 7] == "class 2"
    press(scene, "0")
    assert TRACKS + 7 not in widget.annotations.by_row
    widget.annotate.setChecked(False)
    assert (dict(viewer.keymap), dict(scene.cells.keymap)) == before
    viewer.layers.selection.active = scene.cells
    press(scene, "2")
    assert scene.cells.mode == "add"
    assert len(widget.annotations.marks) == 1


def test_keys_reach_the_dock_widget_too(scene: SimpleNamespace, qtbot: Any) -> None:
    widget = scene.widget
    widget.annotate.setChecked(True)
    scene.session.select(4)
    qtbot.keyClick(widget.suggest, Qt.Key.Key_2)
    assert widget.annotations.by_row == {4: "class 2"}
    qtbot.keyClick(widget.suggest, Qt.Key.Key_Delete)
    assert widget.annotations.by_row == {}


def test_hiding_ends_annotating(scene: SimpleNamespace) -> None:
    scene.widget.annotate.setChecked(True)
    scene.widget.hide()
    assert not scene.widget.annotator.is_on
    click(scene, 0)
    assert not scene.widget.annotations.marks


def test_classes_are_added_renamed_and_removed(scene: SimpleNamespace, qtbot: Any) -> None:
    widget = scene.widget
    widget.annotations.annotate(scene.session.encoding.cells, {0: "class 1", 1: "class 2"})
    widget.add.click()
    assert widget.annotations.classes[2] == widget.annotator.chosen == "class 3"
    field = widget.classes.names[0]
    field.setText("round")
    field.editingFinished.emit()
    assert widget.annotations.by_row[0] == "round"
    widget.classes.names[1].setText("round")
    widget.classes.names[1].editingFinished.emit()
    assert "There is a class 'round' already" in fault(scene)
    assert widget.classes.names[1].text() == "class 2"
    widget.classes.removers[0].click()
    assert widget.status.text() == "'round' and its 1 annotation removed; Undo brings it back."
    assert widget.annotations.classes == ("class 2", "class 3")
    widget.undo.click()
    assert widget.annotations.by_row[0] == "round"


def test_without_cells_it_says_what_to_do(scene: SimpleNamespace) -> None:
    widget = scene.widget
    widget.annotate.setChecked(True)
    scene.session.clear()
    assert widget.status.text() == NO_CELLS
    assert not widget.annotate.isEnabled()
    assert not widget.annotator.is_on
    widget.train()
    assert fault(scene) == NO_CELLS
    scene.finish()
    annotate_all(scene)
    scene.session.clear()
    assert "36 annotations are kept" in widget.status.text()
    assert len(find_annotations(scene.viewer).data) == 36  # type: ignore[union-attr]
    scene.finish()
    assert len(widget.annotations.by_row) == 36


def test_import_by_the_panel(scene: SimpleNamespace, settled: Settled) -> None:
    widget = scene.widget
    names = np.where(scene.table[:, 0] % 2 == 0, "round", "long")
    scene.cells.features = pd.DataFrame({"shape": names})
    widget.imports.refresh()
    assert widget.imports.layer.value is scene.cells
    assert widget.imports.column.value == "shape"
    widget.imports.take.click()
    settled()
    assert widget.status.text().endswith("18 long, 18 round.")
    assert widget.annotations.classes == ("long", "round")
    assert [label.text() for label in widget.classes.counts[1]] == ["18", "6"]


def test_export(scene: SimpleNamespace, tmp_path: Path) -> None:
    annotate_all(scene, 2)
    scene.widget.export_to(tmp_path / "marks.csv")
    table = pd.read_csv(tmp_path / "marks.csv")
    assert list(table) == ["t", "y", "x", "track_id", "class"]
    assert table["class"].tolist() == ["class 1", "class 2"] * 3
    scene.widget.export_to(tmp_path / "no such folder" / "marks.csv")
    assert "does not exist" in fault(scene)


def test_another_widget_finds_the_annotations(scene: SimpleNamespace) -> None:
    annotate_all(scene, 3)
    scene.widget.annotations.rename_class("class 1", "round")
    scene.viewer.window.remove_dock_widget(scene.widget)
    again = DiscoverWidget(scene.viewer)
    scene.viewer.window.add_dock_widget(again, name="Discover")
    assert again.annotations.classes == ("round", "class 2")
    assert again.annotations.counts() == {"round": (6, 2), "class 2": (3, 1)}
    assert "9 annotations were found again" in again.status.text()


# -- training ------------------------------------------------------------------------------------


def formula(text: str, accuracy: float) -> FrontRow:
    head = FormulaHead([parse_formula(text, 32)])
    return FrontRow(head, head.expression_size, accuracy, quality(accuracy))


def quality(accuracy: float) -> Quality:
    confusion = np.array([[17, 1], [2, 16]])
    return Quality(accuracy, accuracy, (accuracy - 0.1, accuracy + 0.02), confusion)


def made_up(sha256: str) -> Discovery:
    """What a training might find."""
    front = (formula("z3", 0.8), formula("z3 + 0.5", 0.85), formula("z3 * z7 - 1", 0.9))
    heads = {"dense": DenseHead(), "formula": front[1].head}
    return Discovery(
        ("class 1", "class 2"),
        {
            kind: FittedHead(kind, head, quality(0.85), np.zeros(36, np.int64))  # type: ignore[arg-type]
            for kind, head in heads.items()
        },
        front,
        (CurvePoint(10, 0.7, 0.1), CurvePoint(30, 0.8, 0.05)),
        36,
        12,
        5,
        sha256,
        "operon 1",
        {},
    )


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Training that is over at once; the list holds what was trained on."""
    seen: list[Any] = []

    def discover(cells: Any, settings: Any, report: Any, sha256: str = "") -> Discovery:
        seen.append((cells, settings))
        report(1, 1)
        return made_up(sha256)

    monkeypatch.setattr(cross_validation, "discover", discover)
    return seen


def trained(scene: SimpleNamespace, settled: Settled) -> Any:
    annotate_all(scene)
    widget = scene.widget
    widget.training.engine.setCurrentIndex(widget.training.engine.findData("operon"))
    widget.training.augmented.setValue(6)
    widget.training.start.click()
    settled()
    assert not widget.status.is_fault, widget.status.text()
    return widget.results


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ({}, "no cell has a label"),
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


def test_training_shows_and_applies_what_it_found(
    scene: SimpleNamespace, settled: Settled, quick: list[Any]
) -> None:
    session, before = scene.session, scene.session.encoding
    results = trained(scene, settled)
    cells, settings = quick[0]
    assert len(cells) == 36
    assert len(np.unique(cells.group)) == 12
    assert settings.engine == "operon"
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


def test_a_model_of_another_encoder_that_was_chosen_meanwhile_is_kept(
    scene: SimpleNamespace, settled: Settled, monkeypatch: pytest.MonkeyPatch
) -> None:
    annotate_all(scene)
    widget, session = scene.widget, scene.session
    other = replace(session.model, name="other", sha256="other", encoder_sha256="other")

    def discover(cells: Any, settings: Any, report: Any, sha256: str = "") -> Discovery:
        assert chosen.wait(20)
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


def test_picking_a_formula_colours_the_cells_by_it(
    scene: SimpleNamespace, settled: Settled, quick: list[Any]
) -> None:
    session = scene.session
    results = trained(scene, settled)
    results.front.table.cellClicked.emit(0, 0)
    latents = session.encoding.latents
    assert session.classification.head == "formula"
    np.testing.assert_allclose(session.classification.scores[:, 0], latents[:, 3], rtol=1e-5)
    assert results.quality.heads.item(1, 2).text() == "1"
    overlay = find_overlay(scene.viewer)
    assert overlay is not None
    _, y, x = scene.table[0, 1:].astype(int)
    assert np.asarray(overlay.data[0])[y, x] == 1 + int(latents[0, 3] >= 0)
    results.front.plot.clicked.emit(2)
    product = latents[:, 3] * latents[:, 7] - 1
    np.testing.assert_allclose(session.classification.scores[:, 0], product, rtol=1e-4)
    assert results.front.formula.text().startswith(
        f"class 2 where {session.model.aliases.get(3, 'z3')}"
    )
    results.front.copy.click()
    assert "z_{7}" in QApplication.clipboard().text()
    results.quality.heads.cellClicked.emit(0, 0)
    assert session.classification.head == "dense"
    results.quality.heads.cellClicked.emit(1, 0)
    np.testing.assert_allclose(session.classification.scores[:, 0], product, rtol=1e-4)


def test_formulas_are_shown_with_names_and_copied_without(
    scene: SimpleNamespace, settled: Settled, quick: list[Any]
) -> None:
    session = scene.session
    meanings = [LatentMeaning()] * session.model.n_latents
    meanings[7] = LatentMeaning("size", "area")
    session.set_model(replace(session.model, meanings=tuple(meanings)))
    front = trained(scene, settled).front
    front.table.cellClicked.emit(2, 0)
    item = front.table.item(2, 2)
    assert item.text() == "z3*size_z7 - 1"
    assert item.toolTip().endswith("z3*z7 - 1")
    assert "z3*size_z7 - 1" in front.formula.text()
    assert front.formula.toolTip().endswith("z3*z7 - 1")
    front.copy.click()
    assert r"\mathrm{size}_{7}" in QApplication.clipboard().text()
    front._copy(front.rows[2].text, "text")
    assert QApplication.clipboard().text() == "z3*z7 - 1"


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
    scene.widget.save_to(tmp_path / "mine")
    assert "already exists" in fault(scene)


def test_three_classes(
    scene: SimpleNamespace, settled: Settled, quick: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    widget, session = scene.widget, scene.session
    widget.annotations.add_class("big")
    names = {r: widget.annotations.classes[int(t) % 3] for r, t in enumerate(scene.table[:, 0])}
    head = FormulaHead([parse_formula(text, 32) for text in ("z1", "z2 + 1", "z3")])
    worth = Quality(0.6, 0.6, (0.5, 0.7), np.diag([10, 12, 10]))
    row = FrontRow(head, head.expression_size, 0.6, worth)

    def discover(cells: Any, *_: Any) -> Discovery:
        fitted = FittedHead("formula", head, worth, cells.target)
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

    def slow(cells: Any, settings: Any, report: Any, sha256: str = "") -> None:
        begun.set()
        if ends == "fault":
            raise RuntimeError("no more")
        for i in range(1000):
            report(i, 1000)
            time.sleep(0.01)

    monkeypatch.setattr(cross_validation, "discover", slow)
    scene.widget.training.start.click()
    assert begun.wait(30)
    assert scene.widget.training.stop.isEnabled() or ends == "fault"
    scene.widget.training.stop.click()
    settled()
    assert results.found is found
    assert scene.session.model is model
    assert scene.session.classification is shown
    assert scene.widget.training.start.isEnabled()
    if ends == "cancel":
        assert "Cancelled" in scene.widget.status.text()


def test_suggestions_are_the_least_certain_one_per_track(
    scene: SimpleNamespace, settled: Settled
) -> None:
    widget, session = scene.widget, scene.session
    unsure = int(session.classification.confidence.argmin())
    annotated = {unsure: "class 1"}
    widget.annotations.annotate(session.encoding.cells, annotated)
    seen = []
    for _ in range(TRACKS):
        widget.suggest.click()
        seen.append(session.selected)
    assert unsure not in seen
    tracks = session.encoding.cells.track_id[seen]
    assert len(set(tracks.tolist())) == TRACKS
    sure = session.classification.confidence[seen]
    assert (np.diff(sure) >= 0).all()
    assert scene.viewer.dims.current_step[0] == session.encoding.cells.t[seen[-1]]
    np.testing.assert_allclose(camera_of(scene.viewer).center[-2:], world(scene, seen[-1])[1:])
    widget.suggest.click()
    assert "begins anew" in widget.status.text()


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


# -- the window ----------------------------------------------------------------------------------


def test_the_engine_is_never_swapped_silently(monkeypatch: pytest.MonkeyPatch, qtbot: Any) -> None:
    from napari_interpdisc.widgets.discover import train_panel

    reason = "PySR needs Julia, which was not found; install Julia or choose 'operon'."
    monkeypatch.setattr(train_panel, "engine_faults", lambda: {"pysr": reason, "operon": None})
    panel = TrainPanel()
    qtbot.addWidget(panel)
    assert panel.engine.currentText() == "Operon"
    assert panel.engine_note.text() == "PySR needs Julia, which was not found; Operon is used."
    panel.engine.setCurrentIndex(0)
    assert panel.engine_note.text() == reason
    panel.kinds["formula"].setChecked(False)
    assert not panel.engine.isEnabled()
    monkeypatch.setattr(train_panel, "engine_faults", lambda: {"pysr": None, "operon": None})
    other = TrainPanel()
    qtbot.addWidget(other)
    assert other.engine.currentText() == "PySR"
    assert not other.engine_note.text()


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


def test_a_hidden_plot_is_not_drawn(
    scene: SimpleNamespace, settled: Settled, quick: list[Any], qtbot: Any
) -> None:
    results = trained(scene, settled)
    scene.widget.hide()
    painted = results.front.plot.painted
    results.front.plot.clicked.emit(2)
    qtbot.wait(50)
    assert results.front.plot.painted == painted


def test_it_fits_a_narrow_dock_and_every_control_has_a_tooltip(
    scene: SimpleNamespace, settled: Settled, quick: list[Any], qtbot: Any
) -> None:
    results = trained(scene, settled)
    widget = scene.widget
    page = results.parentWidget()
    assert page.minimumSizeHint().width() <= 400
    controls = [
        *widget.classes.radios,
        *widget.classes.names,
        *widget.classes.removers,
        *(getattr(widget, name) for name in ("add", "undo", "annotate", "suggest", "export")),
        *(getattr(widget.training, n) for n in ("engine", "folds", "seed", "augmented", "start")),
        results.quality.heads,
        results.quality.confusion,
        results.quality.curve,
        results.front.table,
        results.front.plot,
        results.save_button,
    ]
    assert all(control.toolTip() for control in controls if isinstance(control, QWidget))


def test_the_widget_goes_while_the_session_stays(scene: SimpleNamespace) -> None:
    annotate_all(scene)
    scene.widget.annotate.setChecked(True)
    scene.viewer.window.remove_dock_widget(scene.widget)
    scene.session.select(2)
    click(scene, 3)
    scene.viewer.layers.remove(find_annotations(scene.viewer))
    scene.session.clear()
    scene.finish()


@pytest.mark.parametrize("kind", [DiscoverWidget, CellsWidget])
def test_the_garbage_collector_may_take_a_closed_widget(
    make_napari_viewer: Callable[..., Any], kind: Callable[[Any], QWidget]
) -> None:
    viewer = make_napari_viewer()
    closed = kind(viewer)
    gone = weakref.ref(closed)
    del closed
    gc.collect()  # the slots of its last signal must still be whole, or the process ends
    assert gone() is None
