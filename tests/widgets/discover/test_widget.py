"""The Discover dock widget in a real viewer."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from threading import Event
from time import sleep
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from qtpy import API_NAME
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractSpinBox, QLineEdit, QWidget

from napari_interpdisc.discovery import cross_validation
from napari_interpdisc.models.store import DEFAULT_MODEL, load_model
from napari_interpdisc.widgets.canvas.annotation_layer import find_annotations
from napari_interpdisc.widgets.canvas.compat import camera_of
from napari_interpdisc.widgets.canvas.image_identity import identify
from napari_interpdisc.widgets.cells.widget import CellsWidget
from napari_interpdisc.widgets.discover import widget as widget_module
from napari_interpdisc.widgets.discover.run import NO_CELLS
from napari_interpdisc.widgets.discover.unsaved import find_left
from napari_interpdisc.widgets.discover.widget import LEAST_PX, DiscoverWidget
from napari_interpdisc.widgets.gallery.tiles import Filter

from ..conftest import IN_WINDOW
from .conftest import (
    DIAMETER,
    Settled,
    annotate_all,
    click,
    fault,
    press,
    trained,
    world,
)


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


def test_export(scene: SimpleNamespace, tmp_path: Path) -> None:
    annotate_all(scene, 2)
    scene.widget.export_to(tmp_path / "marks.csv")
    table = pd.read_csv(tmp_path / "marks.csv")
    assert list(table) == ["t", "y", "x", "track_id", "class"]
    assert table["class"].tolist() == ["class 1", "class 2"] * 3
    scene.widget.export_to(tmp_path / "no such folder" / "marks.csv")
    assert "does not exist" in fault(scene)


@IN_WINDOW
def test_another_widget_finds_the_annotations(scene: SimpleNamespace) -> None:
    annotate_all(scene, 3)
    scene.widget.annotations.rename_class("class 1", "round")
    scene.viewer.window.remove_dock_widget(scene.widget)
    again = DiscoverWidget(scene.viewer)
    scene.viewer.window.add_dock_widget(again, name="Discover")
    assert again.annotations.classes == ("round", "class 2")
    assert again.annotations.counts() == {"round": (6, 2), "class 2": (3, 1)}
    assert again.annotations is scene.widget.annotations


@IN_WINDOW
def test_next_to_annotate_goes_to_a_cell_and_a_key_goes_on(
    scene: SimpleNamespace, qtbot: Any
) -> None:
    widget, session, camera = scene.widget, scene.session, camera_of(scene.viewer)
    camera.zoom = 0.5
    session.choose([0, 1, 2])
    widget.suggest.click()
    first = session.selected
    assert widget.annotate.isChecked()
    assert widget.hint.text().startswith("Press 1 – 2 to annotate")
    assert not len(session.chosen), "what was chosen before is not what is asked about"
    assert camera.zoom == pytest.approx(LEAST_PX / (0.5 * DIAMETER))
    np.testing.assert_allclose(camera.center[-2:], world(scene, first)[1:])
    assert widget.asked.isVisible()
    assert widget.asked.picture is not None
    press(scene, "2")
    qtbot.waitUntil(lambda: session.selected != first)
    assert widget.annotations.by_row == {first: "class 2"}
    assert "none labelled. Press the key of its class." in widget.status.text()
    second = session.selected
    widget.suggest.click()
    assert session.selected not in (first, second), "a cell may be skipped"
    widget.annotate.setChecked(False)
    assert not widget.asked.isVisible()
    assert not widget.hint.isVisible()


def test_a_click_elsewhere_ends_the_question(scene: SimpleNamespace, qtbot: Any) -> None:
    widget, session = scene.widget, scene.session
    widget.suggest.click()
    other = (session.selected + 1) % len(scene.table)
    session.select(other)
    assert not widget.asked.isVisible()
    widget.annotator.press("1")
    qtbot.wait(20)
    assert session.selected == other


def test_a_click_on_a_class_is_for_all_chosen_cells_while_annotating(
    scene: SimpleNamespace,
) -> None:
    widget, session = scene.widget, scene.session
    session.choose([1, 3, 5])
    widget.classes.radios[1].click()
    assert not widget.annotations.marks
    widget.choosing.buttons["box"].click()
    assert widget.annotate.isChecked()
    widget.classes.radios[0].click()
    assert widget.annotations.by_row == {1: "class 1", 3: "class 1", 5: "class 1"}
    assert widget.status.text() == "3 cells: class 1."
    widget.undo.click()
    assert not widget.annotations.marks


def test_tab_leads_to_no_field_for_digits_while_annotating(scene: SimpleNamespace) -> None:
    widget = scene.widget
    kinds = (QAbstractSpinBox, QLineEdit)
    fields = [field for kind in kinds for field in widget.findChildren(kind)]
    before = [field.focusPolicy() for field in fields]
    by_tab = Qt.FocusPolicy.StrongFocus
    assert by_tab in before
    widget.annotate.setChecked(True)
    assert {field.focusPolicy() for field in fields} <= {
        Qt.FocusPolicy.ClickFocus,
        Qt.FocusPolicy.NoFocus,
    }
    widget.annotate.setChecked(False)
    assert [field.focusPolicy() for field in fields] == before


@IN_WINDOW
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


@IN_WINDOW
def test_the_widget_goes_while_the_session_stays(scene: SimpleNamespace) -> None:
    annotate_all(scene)
    scene.widget.annotate.setChecked(True)
    scene.viewer.window.remove_dock_widget(scene.widget)
    scene.session.select(2)
    click(scene, 3)
    scene.viewer.layers.remove(find_annotations(scene.viewer))
    scene.session.clear()
    scene.finish()


@pytest.mark.skipif(API_NAME == "PySide6", reason="it collects no widget with slots of its own")
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


def test_what_a_training_lacks_is_said_before_the_press(scene: SimpleNamespace, qtbot: Any) -> None:
    widget, line = scene.widget, scene.widget.training.lacking
    cells = scene.session.encoding.cells
    qtbot.waitUntil(lambda: line.text().startswith("No cell is annotated yet"))
    assert widget.training.start.isEnabled()
    widget.annotations.annotate(cells, {0: "class 1", 1: "class 1"})
    qtbot.waitUntil(lambda: line.text().startswith("At least two classes are needed"))
    annotate_all(scene, 4)

    qtbot.waitUntil(lambda: "4 tracks" in line.text())
    widget.train()
    assert "4 tracks" in fault(scene)
    assert line.isHidden(), "it is said once"
    widget.training.folds.setValue(4)
    qtbot.waitUntil(lambda: not widget.status.text())
    assert line.isHidden()
    assert not line.text()
    scene.session.clear()
    widget.tell_lacking()
    assert line.isHidden(), "the line of the widget says that there are no cells"


def test_what_a_training_lacks_is_asked_once_for_many_changes(
    scene: SimpleNamespace, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(widget_module, "plan_training", lambda *given: asked.append(given))
    for row in range(5):
        scene.widget.annotations.annotate(scene.session.encoding.cells, {row: "class 1"})
    qtbot.waitUntil(lambda: bool(asked))
    assert len(asked) == 1


@IN_WINDOW
def test_a_window_that_closes_while_it_trains_leaves_the_annotations(
    scene: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, qtbot: Any
) -> None:
    begun = Event()

    def endless(cells: Any, settings: Any, report: Any, *_: Any, **named: Any) -> None:
        begun.set()
        while True:
            report(0, 1)
            sleep(0.01)

    monkeypatch.setattr(cross_validation, "discover", endless)
    annotate_all(scene)
    widget = scene.widget
    widget.training.engine.setCurrentIndex(widget.training.engine.findData("operon"))
    widget.training.augmented.setValue(0)
    widget.training.start.click()
    qtbot.waitUntil(begun.is_set)
    image = identify(scene.session.image)
    scene.viewer.close()
    ((found,), faults) = find_left([image])
    assert not faults
    assert len(found.marks) == 36
    assert {m.name for m in found.marks if m.track_id % 2} == {"class 2"}


def test_what_was_left_is_offered_and_what_is_saved_is_not(
    scene: SimpleNamespace, tmp_path: Path, qtbot: Any
) -> None:
    annotate_all(scene, 2)
    widget, viewer = scene.widget, scene.viewer
    viewer.layers.remove(find_annotations(viewer))
    qtbot.waitUntil(widget.unsaved.isVisible)
    assert not widget.annotations.marks
    widget.unsaved.restore_button.click()
    assert widget.status.text() == "6 of 6 annotations were restored."
    assert len(widget.annotations.by_row) == 6
    widget.export_to(tmp_path / "marks.csv")
    viewer.layers.remove(find_annotations(viewer))
    qtbot.waitUntil(lambda: not widget.unsaved.work.running)
    assert find_left([identify(scene.session.image)]) == ([], [])
    assert not widget.unsaved.isVisible()


def test_a_number_of_the_confusion_matrix_lists_its_cells(
    scene: SimpleNamespace, settled: Settled, truthful: None
) -> None:
    annotate_all(scene)
    cells = scene.session.encoding.cells
    scene.widget.annotations.annotate(cells, {5: "class 1", 17: "class 1"})
    widget = scene.widget
    widget.training.engine.setCurrentIndex(widget.training.engine.findData("operon"))
    widget.training.augmented.setValue(6)
    widget.training.start.click()
    settled()
    results = widget.results
    assert widget.shared.held_out.wrong(scene.session) == {5: "class 2", 17: "class 2"}
    results.quality.confusion.cellClicked.emit(0, 1)
    assert scene.session.listed == Filter("listed", "", (5, 17), "class 1 called class 2")
    results.quality.confusion.cellClicked.emit(1, 0)
    assert fault(scene) == "No cell in this window is class 2 called class 1."
    results.front.table.cellClicked.emit(2, 0)
    results.quality.confusion.cellClicked.emit(0, 1)
    assert fault(scene).startswith("Which cells these are is known for the formula that the")
    scene.session.set_model(scene.session.model, "dense")
    results.quality.confusion.cellClicked.emit(0, 1)
    assert scene.session.listed.told == "class 1 called class 2"
    base = load_model(DEFAULT_MODEL)
    scene.session.set_model(base, base.head().name)
    results.quality.confusion.cellClicked.emit(0, 1)
    assert fault(scene).startswith("Another head colours the cells")
