"""Other docks open the gallery, or bring it to the front."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from napari_interpdisc.widgets.docks import DiscoverDock, GalleryDock
from napari_interpdisc.widgets.gallery.opening import show_in_gallery
from napari_interpdisc.widgets.gallery.tiles import Filter


def test_it_is_opened_once_and_comes_to_the_front(
    make_scene: Callable[..., SimpleNamespace], qtbot: Any
) -> None:
    scene = make_scene(show=True)
    viewer, session = scene.viewer, scene.session
    show_in_gallery(viewer, session, Filter("listed", "", (1, 4), "two"))
    docks = viewer.window._qt_window.findChildren(GalleryDock)
    assert len(docks) == 1
    widget = docks[0].load()
    qtbot.waitUntil(lambda: widget.tiles.tiles.rows.tolist() == [1, 4])
    assert widget.shown.currentText() == "two (2)"
    other = DiscoverDock(viewer)
    viewer.window.add_dock_widget(other, name=other.title, area="right")
    annotator = widget.shared.annotator
    qtbot.waitUntil(lambda: not annotator.is_on)
    session.choose([2])
    assert not len(widget.tiles.chosen_rows()), "nothing is drawn behind another tab"
    show_in_gallery(viewer, session, Filter("listed", "", (0,), "one"))
    qtbot.waitUntil(lambda: annotator.is_on)
    assert viewer.window._qt_window.findChildren(GalleryDock) == docks
    assert widget.tiles.tiles.rows.tolist() == [0]


def test_without_a_window_the_session_is_told(make_scene: Callable[..., SimpleNamespace]) -> None:
    scene = make_scene(window=False)
    show_in_gallery(scene.viewer, scene.session, Filter("unsure"))
    assert scene.session.listed == Filter("unsure")
