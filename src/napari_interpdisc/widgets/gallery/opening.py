"""Bring the gallery to the front, from another dock."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QApplication, QDockWidget, QWidget

from napari_interpdisc.widgets.canvas.compat import unwrapped
from napari_interpdisc.widgets.gallery.tiles import Filter
from napari_interpdisc.widgets.session import Session


def show_in_gallery(viewer: Any, session: Session, wanted: Filter) -> None:
    """Ask for cells, and open the gallery, or bring it to the front, where there is a window."""
    from napari_interpdisc.widgets.docks import GalleryDock

    session.list_cells(wanted)
    viewer = unwrapped(viewer)
    if not hasattr(viewer, "window"):
        return
    for widget in QApplication.allWidgets():
        if isinstance(widget, GalleryDock) and widget.is_of(viewer):
            dock = _dock_around(widget)
            if dock is not None:
                dock.show()
                dock.raise_()
                return
    viewer.window.add_dock_widget(GalleryDock(viewer), name=GalleryDock.title, area="right")


def _dock_around(widget: QWidget) -> QDockWidget | None:
    """The dock that a widget is in; None if it was closed."""
    found: QWidget | None = widget
    while found is not None and not isinstance(found, QDockWidget):
        found = found.parentWidget()
    return found
