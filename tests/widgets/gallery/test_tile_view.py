"""Tiles: chosen, gone to, pressed keys on, and drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QItemSelectionModel, Qt
from qtpy.QtGui import QColor

from napari_interpdisc.widgets.gallery.tile_view import BORDER, GAP, Look, TileView

ROWS = np.array([9, 4, 7, 2, 5, 0])
RED, GREEN = (1.0, 0.0, 0.0, 1.0), (0.0, 1.0, 0.0, 1.0)


@pytest.fixture
def view(qtbot: Any) -> TileView:
    made = TileView()
    qtbot.addWidget(made)
    made.resize(300, 200)
    made.set_rows(ROWS, 10, [])
    made.show()
    qtbot.waitUntil(made.isVisible)
    return made


def heard(view: TileView) -> list[Any]:
    told: list[Any] = []
    view.chosen.connect(lambda: told.append("chosen"))
    for name in ("picked", "jumped", "pressed_key"):
        getattr(view, name).connect(lambda what, name=name: told.append((name, what)))
    return told


def click(view: TileView, place: int, qtbot: Any, double: bool = False) -> None:
    at = view.visualRect(view.tiles.index(place)).center()
    act = qtbot.mouseDClick if double else qtbot.mouseClick
    act(view.viewport(), Qt.MouseButton.LeftButton, pos=at)


def test_rows_are_chosen_without_telling(view: TileView) -> None:
    told = heard(view)
    view.choose([2, 4, 7, 3])
    assert view.chosen_rows().tolist() == [2, 4, 7]
    view.set_rows(ROWS[::-1], 10, [2, 5])
    assert view.chosen_rows().tolist() == [2, 5]
    view.choose([])
    assert not len(view.chosen_rows())
    assert not told
    view.selectionModel().select(
        view.tiles.index(0), QItemSelectionModel.SelectionFlag.ClearAndSelect
    )
    assert told == ["chosen"]
    assert view.chosen_rows().tolist() == [0]


def test_a_click_picks_and_a_double_click_jumps(view: TileView, qtbot: Any) -> None:
    told = heard(view)
    click(view, 1, qtbot)
    assert told == ["chosen", ("picked", 4)]
    click(view, 1, qtbot, double=True)
    assert ("jumped", 4) in told
    told.clear()
    qtbot.keyClick(view, Qt.Key.Key_Right)
    assert told == ["chosen", ("picked", 7)]
    told.clear()
    qtbot.keyClick(view, Qt.Key.Key_Return)
    assert told == [("jumped", 7)]


def test_keys_of_classes_are_told_and_others_search_nothing(view: TileView, qtbot: Any) -> None:
    told = heard(view)
    for key in (Qt.Key.Key_2, Qt.Key.Key_Delete, Qt.Key.Key_0, Qt.Key.Key_A):
        qtbot.keyClick(view, key)
    assert told == [("pressed_key", "2"), ("pressed_key", "Delete"), ("pressed_key", "0")]
    qtbot.keyClick(view, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    assert view.chosen_rows().tolist() == sorted(ROWS.tolist())


def test_only_what_is_in_sight_is_asked_for(view: TileView, qtbot: Any) -> None:
    many = np.arange(10_000)
    with qtbot.waitSignal(view.seen) as told:
        view.set_rows(many, len(many), [])
    first = told.args[0]
    assert first[0] == 0
    assert len(first) < 40
    with qtbot.waitSignal(view.seen) as told:
        view.verticalScrollBar().setValue(view.verticalScrollBar().maximum() // 2)
    assert 3000 < told.args[0][0] < 7000
    view.select(9_999)
    assert 9_999 in view.rows_in_sight()


def test_the_size_of_tiles_changes_and_the_first_one_stays(view: TileView) -> None:
    many = np.arange(1000)
    view.set_rows(many, len(many), [])
    view.verticalScrollBar().setValue(view.verticalScrollBar().maximum() // 2)
    first = view.rows_in_sight()[0]
    view.set_side(120)
    assert view.visualRect(view.tiles.index(0)).width() == 120 + 2 * (BORDER + GAP)
    line = view.rows_in_sight()[:2]
    assert line[0] <= first <= line[1]


def test_a_tile_shows_class_picture_annotation_and_choice(view: TileView) -> None:
    white = np.full((64, 64), 255, np.uint8)
    view.delegate.picture_of = lambda row: white if row == 9 else None
    view.delegate.look_of = lambda row: Look(RED, GREEN if row == 9 else None)
    view.choose([4])
    picture = view.viewport().grab().toImage()

    def color(place: int, dx: int, dy: int) -> str:
        corner = view.visualRect(view.tiles.index(place)).topLeft()
        return str(QColor(picture.pixel(corner.x() + dx, corner.y() + dy)).name())

    side, frame, middle = view.delegate.side, GAP + 1, GAP + BORDER + 32
    assert color(0, frame, middle) == "#ff0000"
    assert color(0, middle, middle) == "#ffffff"
    assert color(0, GAP + BORDER + side - 4, GAP + BORDER + 3) == "#00ff00"
    assert color(1, GAP + BORDER + side - 4, GAP + BORDER + 3) == "#3c3c3c", "not cut yet"
    outline = view.palette().windowText().color().name()
    assert color(1, 1, middle) == outline
    assert color(0, 1, middle) != outline
