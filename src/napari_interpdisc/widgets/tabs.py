"""Docks of this plugin as tabs of one place, in the order of the work.

napari stacks docks that are opened from its menus, so that five of them make the window higher
than the screen.
"""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget, QMainWindow, QTabBar

OURS = "interpdisc_place"
"""Property of a dock of this plugin: its place in the order of the work."""


def join_tabs(dock: QDockWidget, title: str, place: int) -> None:
    """Make a dock that was just opened a tab beside the others of this plugin, and raise it.

    A dock that the user has moved away, or made float, stays where it is, and so do all docks that
    were opened before.

    Parameters
    ----------
    dock
        The dock, in its window.
    title
        What its tab says.
    place
        Its place among the tabs, from the left.
    """
    dock.setProperty(OURS, place)
    dock.setWindowTitle(title)
    window = dock.parent()
    if not isinstance(window, QMainWindow) or dock.isFloating():
        return
    others = _docks_beside(window, dock)
    if not others:
        return
    # each call puts its second dock behind all tabs that there are
    window.tabifyDockWidget(others[0], dock)
    for later in others:
        if later.property(OURS) > place:
            # Qt 6.12 leaves what is a tab there already where it is
            window.addDockWidget(window.dockWidgetArea(dock), later)
            window.tabifyDockWidget(dock, later)
    dock.raise_()


def _docks_beside(window: QMainWindow, dock: QDockWidget) -> list[QDockWidget]:
    """Docks of this plugin in one place of the window, in the order of their tabs.

    That in the dock's own area comes first: napari opens a dock where the user had it last.
    """
    ours = [
        one
        for one in window.findChildren(QDockWidget)
        if one is not dock
        and one.property(OURS) is not None
        and not one.isFloating()
        and not one.isHidden()
    ]
    own = window.dockWidgetArea(dock)
    here = [one for one in ours if window.dockWidgetArea(one) == own]
    first = next(iter(here or ours), None)
    if first is None:
        return []
    together = [first, *(d for d in window.tabifiedDockWidgets(first) if d in ours)]
    return sorted(together, key=lambda one: int(one.property(OURS)))


def show_whole_titles(window: QMainWindow) -> None:
    """Let the tabs of this plugin scroll where there are many, in place of cutting their titles."""
    titles = {
        one.windowTitle()
        for one in window.findChildren(QDockWidget)
        if one.property(OURS) is not None
    }
    for bar in window.findChildren(QTabBar, options=Qt.FindChildOption.FindDirectChildrenOnly):
        if titles & set(tab_titles(bar)):
            bar.setElideMode(Qt.TextElideMode.ElideNone)
            bar.setUsesScrollButtons(True)


def tab_titles(bar: QTabBar) -> Sequence[str]:
    """What the tabs say, from the left."""
    return [bar.tabText(i) for i in range(bar.count())]
