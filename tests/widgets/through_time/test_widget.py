"""The Through time dock: it follows the session, the settings, and the clicks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

from napari_interpdisc.widgets.canvas.picking import frame_shown
from napari_interpdisc.widgets.cells.widget import CellsWidget
from napari_interpdisc.widgets.through_time.widget import NO_CELLS, NO_TRACK, ThroughTimeWidget

from ..conftest import IN_WINDOW, put_up
from .conftest import Scene

MakeDock = Callable[..., Scene]


def with_scores(scene: Scene, scores: list[float]) -> None:
    """Give the seven cells other scores; rows 0, 2 and 5 are track 1."""
    result = scene.session.classification
    new = np.array(scores, np.float32)[:, None]
    scene.session.set_classification(replace(result, scores=new))


def waited(scene: Scene, qtbot: Any) -> ThroughTimeWidget:
    widget: ThroughTimeWidget = scene.widget
    qtbot.waitUntil(
        lambda: widget.found is not None and not widget.work.running and not widget._soon.isActive()
    )
    return widget


@pytest.fixture
def dock(make_dock: MakeDock, qtbot: Any) -> Scene:
    """Track 1 is Interphase, Metaphase, Metaphase; the others stay in Interphase."""
    scene = make_dock()
    with_scores(scene, [-5, -5, 5, -5, -5, 5, -5])
    waited(scene, qtbot)
    return scene


def test_cells_are_followed_as_soon_as_there_are_some(make_dock: MakeDock, qtbot: Any) -> None:
    scene = make_dock(finished=False)
    widget = scene.widget
    assert widget.status.text() == NO_CELLS
    assert not widget.save_button.isEnabled()
    scene.finish()
    waited(scene, qtbot)
    assert widget.status.text().startswith("7 cells on 3 tracks")
    assert "Order by the names of the classes" in widget.order_text.text()
    assert "state" in scene.cells.features
    scene.session.clear()
    assert widget.found is None
    assert widget.status.text() == NO_CELLS


def test_states_are_written_beside_classes_and_go_with_them(dock: Scene, qtbot: Any) -> None:
    features = dock.cells.features
    called = ["Interphase", "Interphase", "Metaphase", "Interphase", "Interphase", "Metaphase"]
    assert features["state"].tolist() == [*called, "Interphase"]
    assert dock.session.states.tolist() == [0, 0, 1, 0, 0, 1, 0]
    dock.widget.hide()
    with_scores(dock, [5] * 7)
    assert dock.session.states is None
    assert "state" not in dock.cells.features  # those of other scores are no longer said
    dock.widget.show()
    waited(dock, qtbot)
    assert set(dock.cells.features["state"]) == {"Metaphase"}


def test_states_that_colour_the_cells_are_found_behind_another_tab(dock: Scene, qtbot: Any) -> None:
    dock.widget.hide()
    with_scores(dock, [5] * 7)
    assert dock.session.states is None
    dock.session.set_colouring("state")
    waited(dock, qtbot)
    assert dock.session.states.tolist() == [1] * 7
    with_scores(dock, [-5] * 7)
    waited(dock, qtbot)
    assert dock.session.states.tolist() == [0] * 7


def test_states_go_with_a_new_run_and_a_new_head(dock: Scene, qtbot: Any) -> None:
    """Also where the dock is closed by then."""
    cells = CellsWidget(dock.viewer)
    put_up(dock.viewer, cells, "Cells", qtbot)
    cells.image.value, cells.cells.value = dock.image, dock.cells
    cells.first_axis.value = "t"
    cells.diameter.setValue(20)
    dock.widget.hide()
    assert "state" in dock.cells.features
    cells.run.click()
    qtbot.waitUntil(lambda: not cells.work.running)
    assert not cells.status.is_fault, cells.status.text()
    assert "state" not in dock.cells.features
    assert "state" not in dock.cells.metadata["interpdisc"]


def test_settings_are_followed(dock: Scene, qtbot: Any) -> None:
    widget = dock.widget
    assert widget.found.order.text == "Interphase > Metaphase > Interphase"
    widget.order.item(0, 1).setCheckState(Qt.CheckState.Unchecked)
    assert widget.order_text.text() == "Order by hand: Metaphase > Interphase."
    qtbot.waitUntil(lambda: not widget.work.running and widget.found.order.text[0] == "M")
    one = widget.found.tracks[0].states
    assert len(set(one.tolist())) == 1, "Metaphase cannot follow Interphase any more"
    widget.by_names.click()
    widget.cost.setValue(9.0)
    qtbot.waitUntil(lambda: not widget.work.running and widget.found.settings.change_cost == 9)
    assert widget.found.order.text == "Interphase > Metaphase > Interphase"


def test_no_phase_is_skipped_if_that_is_asked(make_dock: MakeDock, qtbot: Any) -> None:
    scene = make_dock()
    scene.session.set_model(scene.session.model, "states")
    widget = waited(scene, qtbot)
    assert ">>" in widget.found.order.text
    widget.skip.click()
    qtbot.waitUntil(lambda: not widget.work.running and ">>" not in widget.found.order.text)
    assert "skipped" not in widget.order_text.text()


def test_minutes_are_those_of_the_image_or_given(make_dock: MakeDock, qtbot: Any) -> None:
    scene = make_dock(scale=(3, 1, 1), units=("minute", "pixel", "pixel"))
    widget = waited(scene, qtbot)
    assert widget.minutes.value() == 3
    assert widget.found.interval == 180
    before = widget.found.tracks
    widget.minutes.setValue(0)
    assert widget.found.interval is None
    assert widget.found.tracks is before  # nothing is found anew
    widget.minutes.setValue(5)
    widget.tabs.setCurrentIndex(2)
    assert widget.phases.model().headerData(3, Qt.Orientation.Horizontal) == "min"


def test_a_click_on_a_strip_goes_to_the_cell(dock: Scene) -> None:
    widget, session = dock.widget, dock.session
    assert widget.family.empty == NO_TRACK
    session.select(0)
    assert [lane.name for lane in widget.family.lanes] == ["1"]
    assert "Track 1, frames 0 to 2" in widget.told_cell.text()
    widget.family.clicked.emit(1, 2)
    assert frame_shown(dock.viewer, session) == 2
    assert session.selected == 5
    widget.go_to(3, 2)  # track 3 is missing there
    assert session.selected == 5
    widget.go_to(3, 1)
    assert session.selected == 3
    assert [lane.track for lane in widget.family.lanes] == [3]


def test_a_click_on_the_counts_goes_to_a_frame(dock: Scene) -> None:
    widget = dock.widget
    widget.tabs.setCurrentIndex(1)
    widget.counts.clicked.emit(1.2)
    assert frame_shown(dock.viewer, dock.session) == 1
    assert widget.counts._bar.value() == 1


def test_durations_are_those_of_the_chosen_state(dock: Scene) -> None:
    widget = dock.widget
    widget.tabs.setCurrentIndex(2)
    table = widget.medians
    words = [[table.item(i, j).text() for j in range(4)] for i in range(2)]
    assert words == [["Interphase", "3", "3", "0"], ["Metaphase", "1", "0", "1"]]
    assert widget._chosen_state() == 1
    assert widget.phases.texts() == [["1", "1", "2", "≥ 1.5", "end not seen"]]
    table.selectRow(0)
    assert len(widget.phases.texts()) == 3
    widget.phases.chosen.emit(2, 1)
    assert dock.session.selected == 4


def test_a_column_is_aligned_at_an_event(dock: Scene) -> None:
    widget = dock.widget
    widget.tabs.setCurrentIndex(3)
    assert [widget.event.itemText(i) for i in range(widget.event.count())] == ["Metaphase"]
    assert widget.column.currentText() == "score"
    *_, mean = widget.aligned.curves.lines
    assert mean.y[np.abs(mean.x) <= 1].tolist() == [-5, 5, 5]
    widget.reach.setValue(1)
    assert widget.aligned.curves.x_range == (-1, 1)
    widget.column.setCurrentText("z_3")
    widget.column.activated.emit(0)
    assert widget.aligned.curves.heading[0].startswith("z_3")


def test_without_an_event_that_is_said(make_dock: MakeDock, qtbot: Any) -> None:
    scene = make_dock()
    with_scores(scene, [-5] * 7)
    widget = waited(scene, qtbot)
    widget.tabs.setCurrentIndex(3)
    assert widget.aligned.curves is None
    assert widget.aligned.empty.startswith("No track shows an event")
    widget.tabs.setCurrentIndex(2)
    assert widget.survival.empty.startswith("No phase was seen")


def test_cells_without_tracks_are_told(make_dock: MakeDock, qtbot: Any) -> None:
    scene = make_dock()
    result = scene.session.classification
    cells = replace(result.encoding.cells, track_id=np.arange(7))
    scene.session.set_classification(
        replace(result, encoding=replace(result.encoding, cells=cells))
    )
    qtbot.waitUntil(lambda: scene.widget.status.is_fault)
    assert "are not linked" in scene.widget.status.text()
    assert "are not linked" in scene.widget.counts.empty


def test_all_is_written_into_a_folder(
    dock: Scene, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    widget = dock.widget
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "out"), ""))
    widget.save_button.click()
    qtbot.waitUntil(lambda: not widget.work.running)
    assert widget.status.text() == f"Written to {tmp_path / 'out'}."
    assert (tmp_path / "out" / "aligned.png").is_file()
    widget.save_to(tmp_path / "out")
    qtbot.waitUntil(lambda: widget.status.is_fault)
    assert "not empty" in widget.status.text()
    assert widget.found is not None


def test_cancelling_says_so(dock: Scene) -> None:
    widget = dock.widget
    widget.follow()
    widget.cancel.click()
    assert not widget.work.running
    assert widget.status.text() == "Cancelled; press Follow to find the states."
    assert widget.run_button.isEnabled()


@IN_WINDOW
def test_the_dock_is_low_and_a_closed_one_leaves_nothing(
    make_dock: MakeDock, in_window: bool, qtbot: Any
) -> None:
    scene = make_dock(in_window=in_window)
    waited(scene, qtbot)
    assert scene.widget.minimumHeight() <= 400
    assert scene.widget.minimumSizeHint().height() <= 400
    for tab in range(4):
        scene.widget.tabs.setCurrentIndex(tab)
        assert scene.widget.minimumSizeHint().width() <= 420
    scene.viewer.window.remove_dock_widget(scene.widget)
    assert not scene.widget.work.running
