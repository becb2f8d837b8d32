"""The docks of napari's menus: all at once in a small window, and one that is loading."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import weakref
from typing import Any

import pytest
from npe2 import PluginManifest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QTabBar, QWidget

from napari_interpdisc.widgets import docks
from napari_interpdisc.widgets.docks import LOADING, ORDER, Dock
from napari_interpdisc.widgets.tabs import tab_titles

SCREEN = (1280, 800)
LOWEST, NARROWEST = 400, 440
"""What a dock may ask for at least, px."""

OPENED = ("Scorecard", "Cells", "Anatomy", "Perturb", "Latent explorer", "Discover", "Classify",
          "Gallery", "Through time", "Plot")  # fmt: skip


@pytest.fixture
def manifest() -> PluginManifest:
    return PluginManifest.from_distribution("napari-interpdisc")


def registered(manifest: PluginManifest) -> None:
    """Let napari know this plugin, as outside of tests."""
    from npe2 import PluginManager

    if manifest.name not in PluginManager.instance():
        PluginManager.instance().register(manifest)


def test_each_widget_of_the_menu_has_its_place_among_the_tabs(manifest: PluginManifest) -> None:
    contributions = manifest.contributions
    made = {command.id: command.python_name for command in contributions.commands or ()}
    opened = {made[widget.command] for widget in contributions.widgets or ()}
    assert opened == {f"{one.__module__}:{one.__name__}" for one in ORDER}


def test_all_widgets_are_tabs_of_one_small_window(
    make_napari_viewer: Any, manifest: PluginManifest, qtbot: Any
) -> None:
    registered(manifest)
    viewer = make_napari_viewer(show=True)
    window = viewer.window._qt_window
    window.resize(*SCREEN)
    qtbot.waitUntil(lambda: (window.width(), window.height()) == SCREEN)
    assert sorted(OPENED) == sorted(
        widget.display_name for widget in manifest.contributions.widgets
    )
    made = []
    for name in OPENED:
        dock, opened = viewer.window.add_plugin_dock_widget("napari-interpdisc", name)
        qtbot.waitUntil(lambda opened=opened: opened.widget is not None)
        # the one that was opened last is in front
        qtbot.waitUntil(lambda dock=dock: not dock.visibleRegion().isEmpty())
        made.append((dock, opened))
        assert (window.width(), window.height()) == SCREEN, name

    bars = window.findChildren(QTabBar, options=Qt.FindChildOption.FindDirectChildrenOnly)
    bar = next(bar for bar in bars if bar.count() == len(ORDER))
    assert tab_titles(bar) == [one.title for one in ORDER]
    assert bar.elideMode() == Qt.TextElideMode.ElideNone
    for dock, opened in made:
        dock.raise_()
        qtbot.waitUntil(lambda dock=dock: not dock.visibleRegion().isEmpty())
        least = dock.minimumSizeHint().expandedTo(opened.minimumSize())
        assert least.height() <= LOWEST, opened.title
        assert least.width() <= NARROWEST, opened.title
    assert (window.width(), window.height()) == SCREEN


class Later(Dock):
    """A dock whose widget is not imported yet."""

    title, made_by = "Later", "not_yet.imported:Widget"
    needed = ("a_heavy_module",)

    @classmethod
    def place(cls) -> int:
        return 0


class Content(QLabel):
    def __init__(self, viewer: Any) -> None:
        super().__init__(f"content of {viewer}")


def test_a_dock_says_that_it_is_loading_and_stays_usable(
    qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, asked = threading.Event(), []

    def imported(name: str) -> Any:
        asked.append((name, threading.current_thread() is threading.main_thread()))
        if name == "a_heavy_module":
            go.wait(60)
        return type("module", (), {"Widget": Content})

    monkeypatch.setattr(docks, "import_module", imported)
    dock = Later("the viewer")
    qtbot.addWidget(dock)
    dock.show()
    assert dock.status.text() == LOADING
    assert dock.widget is None
    go.set()
    with qtbot.waitSignal(dock.loaded):
        pass
    assert dock.widget.text() == "content of the viewer"
    assert dock.widget.isVisible()
    assert not dock.status.isVisible()
    assert not dock.progress.isVisible()
    # what is heavy was imported beside the window, what makes windows on its thread
    assert ("a_heavy_module", False) in asked
    assert asked[-1] == ("not_yet.imported", True)


def test_what_a_button_needs_is_imported_once_the_widget_is_there(
    qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setitem(sys.modules, "not_yet.imported", type("module", (), {"Widget": Content}))

    def imported(name: str) -> Any:
        asked.append(name)
        return sys.modules.get(name)

    monkeypatch.setattr(docks, "import_module", imported)
    monkeypatch.setattr(Later, "later", ("sys", "of_a_button"))
    dock = Later("the viewer")
    qtbot.addWidget(dock)
    assert dock.widget is not None
    qtbot.waitUntil(lambda: not dock.work.running)
    assert asked == ["not_yet.imported", "sys", "of_a_button"]


def test_a_dock_says_why_it_cannot_load(qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def imported(name: str) -> Any:
        raise OSError("no DLL")

    monkeypatch.setattr(docks, "import_module", imported)
    dock = Later("the viewer")
    qtbot.addWidget(dock)
    qtbot.waitUntil(lambda: not dock.work.running)
    assert dock.status.is_fault
    assert "no DLL" in dock.status.text()


def test_a_closed_dock_takes_its_widget_with_it(qtbot: Any, monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "not_yet.imported", type("module", (), {"Widget": Content}))
    monkeypatch.setattr(docks, "import_module", lambda name: sys.modules[name])
    holder = QWidget()
    qtbot.addWidget(holder)
    dock = Later("the viewer")
    dock.setParent(holder)
    content = dock.widget
    assert content is not None
    assert content.parent() is dock
    dock.setParent(None)
    qtbot.addWidget(dock)
    assert content.parent() is None  # what ends its work
    with qtbot.waitSignal(content.destroyed):
        pass


@pytest.mark.parametrize("kind", ["Discover", "Cells"])
def test_nothing_is_left_of_a_dock_that_was_closed(
    make_napari_viewer: Any, manifest: PluginManifest, qtbot: Any, kind: str
) -> None:
    registered(manifest)
    window = make_napari_viewer().window
    dock, opened = window.add_plugin_dock_widget("napari-interpdisc", kind)
    left = weakref.ref(opened.load())
    window.remove_dock_widget(dock)
    del dock, opened

    def is_gone() -> bool:
        gc.collect()  # the slots of its last signal must still be whole, or the process ends
        return left() is None

    qtbot.waitUntil(is_gone)


def test_the_docks_import_no_torch() -> None:
    code = "import sys, napari_interpdisc.widgets.docks; print('torch' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"


def test_a_widget_behind_another_tab_is_hidden_and_keeps_its_room(
    make_napari_viewer: Any, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "not_yet.imported", type("module", (), {"Widget": Content}))
    monkeypatch.setattr(docks, "import_module", lambda name: sys.modules[name])
    viewer = make_napari_viewer(show=True)
    one, other = Later(viewer), Later(viewer)
    first = viewer.window.add_dock_widget(one, name="one", area="right")
    qtbot.waitUntil(one.widget.isVisible)
    one.widget.setMinimumHeight(123)
    viewer.window.add_dock_widget(other, name="other", area="right")
    qtbot.waitUntil(lambda: not one.widget.isVisible())
    assert other.widget.isVisible()
    assert one.minimumSizeHint().height() >= 123
    first.raise_()
    qtbot.waitUntil(one.widget.isVisible)
    qtbot.waitUntil(lambda: not other.widget.isVisible())
