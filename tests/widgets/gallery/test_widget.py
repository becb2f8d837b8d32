"""The Gallery dock widget: in step with session and annotations."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_interpdisc.widgets.canvas.compat import camera_of
from napari_interpdisc.widgets.gallery.tiles import Filter
from napari_interpdisc.widgets.gallery.widget import CHOOSE_FIRST, NO_CELLS, NOBODY, GalleryWidget

from ..conftest import CELLS, put_up

Scene = SimpleNamespace


@pytest.fixture
def scene(make_scene: Callable[..., Scene], qtbot: Any) -> Scene:
    made = make_scene(window=False)
    made.widget = GalleryWidget(made.viewer)
    put_up(made.viewer, made.widget, "Gallery", qtbot)
    qtbot.waitUntil(lambda: not made.widget.work.running and len(made.widget._store) == len(CELLS))
    return made


def shown(scene: Scene) -> list[int]:
    return sorted(scene.widget.tiles.tiles.rows.tolist())


def drag_over(scene: Scene, *rows: int) -> None:
    """Choose tiles as a user does."""
    tiles = scene.widget.tiles
    tiles.choose([])
    for place in tiles.tiles.places(rows).tolist():
        flag = tiles.selectionModel().SelectionFlag.Select
        tiles.selectionModel().select(tiles.tiles.index(place), flag)


def test_all_cells_have_a_tile_and_a_picture(scene: Scene) -> None:
    assert shown(scene) == [*range(len(CELLS))]
    sure = scene.session.classification.confidence[scene.widget.tiles.tiles.rows]
    assert (np.diff(sure) >= 0).all()
    assert all(scene.widget._store.get(row).any() for row in range(len(CELLS)))
    assert scene.widget.shown.currentText() == f"all cells ({len(CELLS)})"


def test_a_filter_and_an_order_are_chosen(scene: Scene) -> None:
    widget = scene.widget
    scene.session.select(0)
    place = next(i for i in range(widget.shown.count()) if "track 1" in widget.shown.itemText(i))
    widget.shown.activated.emit(place)
    assert shown(scene) == [0, 2, 5]
    scene.session.select(1)
    assert shown(scene) == [1, 3], "the track of the cell that is selected now"
    widget.show_cells(Filter())
    widget.order.setCurrentIndex(widget.order.findData("frame"))
    widget.order.activated.emit(widget.order.currentIndex())
    t = scene.session.encoding.cells.t[widget.tiles.tiles.rows]
    assert (np.diff(t) >= 0).all()
    scene.session.list_cells(Filter("listed", "", (6, 2), "two cells"))
    assert shown(scene) == [2, 6]
    assert widget.shown.currentText() == "two cells (2)"
    scene.session.list_cells(Filter("class", "of another head"))
    assert widget.status.text() == NOBODY
    assert widget.shown.currentText() == "of another head (0)"


def pick(scene: Scene, text: str) -> None:
    """Choose what is shown, by how it is called."""
    shown = scene.widget.shown
    place = next(i for i in range(shown.count()) if shown.itemText(i).startswith(text))
    shown.activated.emit(place)


def test_filters_combine_and_each_is_taken_away_by_its_button(scene: Scene) -> None:
    widget = scene.widget
    buttons = lambda: [one.text() for one in widget._used_buttons]  # noqa: E731
    assert not widget._used.isVisible()
    scene.session.select(0)
    scene.session.choose([2, 3])
    pick(scene, "track 1")
    assert buttons() == ["track 1  ✕"]
    pick(scene, "chosen cells")
    assert shown(scene) == [2]
    assert buttons() == ["track 1  ✕", "chosen cells  ✕", "Show all"]
    assert widget.shown.currentText() == "2 filters (1)"
    widget.shown.activated.emit(widget.shown.currentIndex())
    assert shown(scene) == [2], "what is shown already changes nothing"
    widget._used_buttons[0].click()
    assert shown(scene) == [2, 3]
    pick(scene, "track 1")
    widget._used_buttons[-1].click()
    assert shown(scene) == [*range(len(CELLS))]
    assert not widget._used.isVisible()


def test_an_order_and_a_filter_begin_at_the_top(scene: Scene, qtbot: Any) -> None:
    widget, bar = scene.widget, scene.widget.tiles.verticalScrollBar()
    widget.resize(300, 400)
    widget.side.setValue(160)
    qtbot.waitUntil(lambda: bar.maximum() > 0)
    last = int(widget.tiles.tiles.rows[-1])
    scene.session.select(last)
    assert bar.value() > 0, "a cell that is selected elsewhere comes into sight"
    widget.order.activated.emit(0)
    qtbot.wait(1)  # what Qt does on the way back to the window
    assert bar.value() == 0
    assert widget.tiles.delegate.selected == last
    scene.session.select(None)
    widget.hide()
    scene.session.select(last)
    widget.show()
    assert bar.value() > 0, "also if it was selected while nobody saw the gallery"


def test_choosing_goes_both_ways(scene: Scene) -> None:
    widget, session = scene.widget, scene.session
    drag_over(scene, 1, 3)
    assert session.chosen.tolist() == [1, 3]
    session.choose([0, 6])
    assert widget.tiles.chosen_rows().tolist() == [0, 6]
    session.select(5)
    assert widget.tiles.delegate.selected == 5
    widget.tiles.picked.emit(2)
    assert session.selected == 2
    widget.show_cells(Filter("chosen"))
    assert shown(scene) == [0, 6]
    session.choose([4])
    assert shown(scene) == [4]


def test_keys_annotate_all_chosen_cells_as_one_change(scene: Scene, qtbot: Any) -> None:
    widget = scene.widget
    annotations = widget.shared.annotations
    assert widget.hint.text().startswith("Press 1 – 2 ")
    qtbot.keyClick(widget.tiles, Qt.Key.Key_2)
    assert widget.status.text() == CHOOSE_FIRST
    assert not annotations.marks
    drag_over(scene, 1, 3, 5)
    qtbot.keyClick(widget.tiles, Qt.Key.Key_2)
    assert annotations.by_row == {1: "class 2", 3: "class 2", 5: "class 2"}
    assert widget.status.text() == "3 cells, 2 of them in other frames: class 2."
    assert widget._look(3).mark is not None
    assert widget._look(4).mark is None
    assert widget._class_buttons[1].text() == "2  class 2 (3)"
    widget._class_buttons[0].click()
    assert set(annotations.by_row.values()) == {"class 1"}
    widget.undo.click()
    widget.undo.click()
    assert not annotations.marks
    widget.keys.setChecked(False)
    assert not widget.hint.isVisible()
    qtbot.keyClick(widget.tiles, Qt.Key.Key_1)
    assert not annotations.marks


def test_buttons_of_classes_say_any_name_and_stay_narrow(scene: Scene) -> None:
    annotations, widget = scene.widget.shared.annotations, scene.widget
    annotations.start_with("a & b", "e" * 80)
    assert widget._class_buttons[0].text() == "1  a && b (0)"
    assert widget._class_buttons[1].sizeHint().width() < 350
    assert "e" * 80 in widget._class_buttons[1].toolTip()


def test_annotated_cells_leave_the_list_of_those_that_are_not(scene: Scene, qtbot: Any) -> None:
    scene.widget.show_cells(Filter("not annotated"))
    drag_over(scene, 0, 4)
    qtbot.keyClick(scene.widget.tiles, Qt.Key.Key_1)
    assert shown(scene) == [1, 2, 3, 5, 6]
    scene.widget.undo.click()
    assert shown(scene) == [*range(len(CELLS))]


def test_keys_in_the_canvas_are_ours_while_it_is_seen(scene: Scene, qtbot: Any) -> None:
    widget, annotator = scene.widget, scene.widget.shared.annotator
    assert annotator.is_on
    assert not annotator.clicks
    widget.hide()
    assert not annotator.is_on
    scene.session.choose([2])
    widget.show()
    qtbot.waitUntil(widget.isVisible)
    assert annotator.is_on
    assert widget.tiles.chosen_rows().tolist() == [2], "what happened meanwhile is shown"
    widget.keys.setChecked(False)
    assert not annotator.is_on


def test_a_double_click_goes_to_the_cell(scene: Scene, to_world: Any) -> None:
    scene.widget.tiles.jumped.emit(4)
    assert scene.session.selected == 4
    assert scene.viewer.dims.current_step[0] == 1
    np.testing.assert_allclose(camera_of(scene.viewer).center[-2:], to_world(1, CELLS[4, 1:3])[1:])


def test_without_cells_it_is_grey_and_says_so(scene: Scene, qtbot: Any) -> None:
    widget = scene.widget
    widget.show_cells(Filter("chosen"))
    scene.session.clear()
    assert widget.status.text() == NO_CELLS
    assert not widget.tiles.isEnabled()
    assert not widget.hint.isVisible()
    assert not len(widget._store)
    scene.finish()
    assert widget.status.text() == ""
    assert shown(scene) == [*range(len(CELLS))]
    qtbot.waitUntil(lambda: len(widget._store) == len(CELLS))
