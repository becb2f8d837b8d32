"""Docks that become tabs: on a plain window, without napari."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget, QMainWindow, QTabBar, QWidget

from napari_interpdisc.widgets.tabs import join_tabs, show_whole_titles, tab_titles

RIGHT, LEFT = Qt.DockWidgetArea.RightDockWidgetArea, Qt.DockWidgetArea.LeftDockWidgetArea


@pytest.fixture
def window(qtbot: Any) -> QMainWindow:
    made = QMainWindow()
    qtbot.addWidget(made)
    made.resize(900, 500)
    made.show()
    return made


@pytest.fixture
def open_dock(window: QMainWindow, qtbot: Any) -> Callable[..., QDockWidget]:
    """Return a function that opens a dock as napari does, and lets it join."""

    def opened(title: str, place: int, area: Any = RIGHT, join: bool = True) -> QDockWidget:
        dock = QDockWidget(f"{title} (a plugin)")
        dock.setWidget(QWidget())
        window.addDockWidget(area, dock)
        qtbot.waitUntil(dock.isVisible)
        if join:
            join_tabs(dock, title, place)
        return dock

    return opened


def titles_of(window: QMainWindow, qtbot: Any, n: int) -> list[str]:
    def bars() -> list[QTabBar]:
        direct = Qt.FindChildOption.FindDirectChildrenOnly
        return [bar for bar in window.findChildren(QTabBar, options=direct) if bar.isVisible()]

    qtbot.waitUntil(lambda: [bar.count() for bar in bars()] == [n])
    return list(tab_titles(bars()[0]))


def test_docks_stand_in_the_order_of_their_places(
    window: QMainWindow, open_dock: Callable[..., QDockWidget], qtbot: Any
) -> None:
    for title, place in (("c", 2), ("a", 0), ("d", 3), ("b", 1)):
        last = open_dock(title, place)
        qtbot.waitUntil(lambda dock=last: not dock.visibleRegion().isEmpty())
    assert titles_of(window, qtbot, 4) == ["a", "b", "c", "d"]


def test_a_dock_opens_where_one_of_ours_was_moved_to(
    window: QMainWindow, open_dock: Callable[..., QDockWidget], qtbot: Any
) -> None:
    first = open_dock("a", 0, LEFT)
    second = open_dock("b", 1, RIGHT)
    assert window.dockWidgetArea(second) == LEFT
    assert window.tabifiedDockWidgets(first) == [second]


def test_of_two_places_the_docks_own_area_is_taken(
    window: QMainWindow, open_dock: Callable[..., QDockWidget]
) -> None:
    open_dock("a", 0, LEFT)
    moved = open_dock("b", 1)
    window.addDockWidget(RIGHT, moved)  # as by a drag
    third = open_dock("c", 2, RIGHT)
    assert window.tabifiedDockWidgets(moved) == [third]


def test_docks_of_others_and_floating_ones_are_left_alone(
    window: QMainWindow, open_dock: Callable[..., QDockWidget]
) -> None:
    other = open_dock("of another plugin", 0, join=False)
    floating = open_dock("a", 0)
    floating.setFloating(True)
    mine = open_dock("b", 1)
    assert window.tabifiedDockWidgets(mine) == []
    assert window.tabifiedDockWidgets(other) == []
    assert floating.isFloating()


def test_titles_are_not_cut(
    window: QMainWindow, open_dock: Callable[..., QDockWidget], qtbot: Any
) -> None:
    for place in range(4):
        open_dock(f"a rather long title {place}", place)
    titles_of(window, qtbot, 4)
    show_whole_titles(window)
    bar = next(bar for bar in window.findChildren(QTabBar) if bar.count() == 4)
    assert bar.elideMode() == Qt.TextElideMode.ElideNone
    assert bar.usesScrollButtons()
