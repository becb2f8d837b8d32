"""Bring the gallery to the front, from another dock."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QDockWidget, QWidget

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
    found = viewer.window._qt_window.findChildren(GalleryDock)
    if not found:
        viewer.window.add_dock_widget(
            GalleryDock(viewer), name=GalleryDock.title, area="right", tabify=False
        )
        return
    dock: QWidget | None = found[0]
    while dock is not None and not isinstance(dock, QDockWidget):
        dock = dock.parentWidget()
    if dock is not None:
        dock.show()
        dock.raise_()
