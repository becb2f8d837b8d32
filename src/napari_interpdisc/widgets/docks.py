"""What napari's menus open: docks that are there at once, and load their widget on a thread.

The first widget needs torch, which takes a second or two to import. Nothing here imports it, so
that the dock can say that it is loading.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, ClassVar

from qtpy.QtCore import QEvent, QSize, QTimer, Signal
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QDockWidget, QMainWindow, QSizePolicy, QVBoxLayout, QWidget

from napari_interpdisc._types import Progress
from napari_interpdisc.widgets.parts.controls import StatusLine, WorkBar
from napari_interpdisc.widgets.parts.workers import Work
from napari_interpdisc.widgets.tabs import join_tabs, show_whole_titles

LOADING = "Loading the model …"
WIDTH = 450
"""Of a dock when it opens, px."""

NEEDED = (
    "pandas",
    "dask.array",
    "torch",
    "napari_interpdisc.io.columns",
    "napari_interpdisc.pipeline",
)
"""Modules without Qt that take long to import and that every widget needs."""


class Dock(QWidget):  # type: ignore[misc]
    """One widget of this plugin, its place among the tabs, and how it is loaded.

    Parameters
    ----------
    napari_viewer
        The viewer whose menu opened it.

    Signals
    -------
    loaded
        The widget is there.

    Attributes
    ----------
    widget
        What the dock is for; None while it is loading.
    title
        What the tab says.
    made_by
        Module and class of the widget.
    needed
        Modules that are imported on a thread before; none may make Qt objects.
    later
        Such modules that one press of a button needs; they are imported once the widget is there.
    """

    title: ClassVar[str]
    made_by: ClassVar[str]
    needed: ClassVar[tuple[str, ...]] = ()
    later: ClassVar[tuple[str, ...]] = ()
    loaded = Signal()

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self._viewer = napari_viewer
        self._was_shown = False
        self._in_front = True
        self.widget: QWidget | None = None
        self.work = Work(self)
        self._bar_soon = QTimer(self)  # the bar of tabs is made with the next layout
        self._bar_soon.setSingleShot(True)
        self._bar_soon.setInterval(0)
        self._bar_soon.timeout.connect(self._show_titles)
        self.status = StatusLine()
        self.status.setContentsMargins(8, 8, 8, 8)
        self.progress = WorkBar("The first widget takes a moment: it loads PyTorch.")
        # napari would put a stretch below what does not want to grow
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self._lines = QVBoxLayout(self)
        self._lines.setContentsMargins(0, 0, 0, 0)
        for part in (self.status, self.progress):
            self._lines.addWidget(part)
        self._lines.addStretch(1)
        if self._is_imported():
            self._make()
        else:
            self.status.say(LOADING)
            self.progress.show_running(True)
            self.work.start(self._import, self._make, self._failed)

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """As wide before as after loading."""
        return QSize(WIDTH, super().sizeHint().height())

    @classmethod
    def place(cls) -> int:
        """Place in the order of the work."""
        return ORDER.index(cls)

    def is_of(self, viewer: Any) -> bool:
        """Whether it was opened from a viewer, of which napari hands out proxies."""
        return getattr(self._viewer, "__wrapped__", self._viewer) is viewer

    def _is_imported(self) -> bool:
        module, name = self.made_by.split(":")
        return hasattr(sys.modules.get(module), name)

    def _import(self, _: Progress) -> None:
        for module in (*NEEDED, *self.needed):
            import_module(module)

    def _import_later(self, _: Progress) -> None:
        for module in self.later:
            import_module(module)

    def load(self) -> QWidget:
        """Return the widget, importing at once what it needs."""
        if self.widget is None:
            self.work.stop()
            self._make()
        return self.widget

    def _make(self, _: object = None) -> None:
        """Make the widget in place of the line that says that it is loading."""
        module, name = self.made_by.split(":")
        made = getattr(import_module(module), name)(self._viewer)
        while (item := self._lines.takeAt(0)) is not None:
            if (part := item.widget()) is not None:
                part.hide()
        policy = made.sizePolicy()
        policy.setRetainSizeWhenHidden(True)  # else the window would change with the tab in front
        made.setSizePolicy(policy)
        self._lines.addWidget(made, 1)
        self.widget = made
        made.setVisible(self._in_front)
        self.loaded.emit()
        if any(module not in sys.modules for module in self.later):
            self.work.start(self._import_later, lambda _: None)

    def _failed(self, why: str) -> None:
        self.progress.show_running(False)
        self.status.fault(why)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 (Qt's name)
        """Join the tabs of this plugin when the dock opens, and at no later time."""
        super().showEvent(event)
        if self._was_shown:
            return
        self._was_shown = True
        dock: QWidget | None = self.parentWidget()
        while dock is not None and not isinstance(dock, QDockWidget):
            dock = dock.parentWidget()
        if dock is None:
            return
        dock.visibilityChanged.connect(self._front_changed)
        # at once: a layout with docks above each other would make the window higher for good
        join_tabs(dock, self.title, self.place())
        self._bar_soon.start()

    def _front_changed(self, in_front: bool) -> None:
        """Hide the widget behind another tab, which Qt does not: what is hidden draws nothing."""
        self._in_front = in_front
        if self.widget is not None:
            self.widget.setVisible(in_front)

    def _show_titles(self) -> None:
        if isinstance(window := self.window(), QMainWindow):
            show_whole_titles(window)

    def event(self, event: QEvent) -> bool:
        """Tell the widget when the dock was closed for good: its work stops then."""
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.work.stop()
            if self.widget is not None:
                self.widget.setParent(None)
                # PySide6 keeps it alive for its slots that are lambdas
                self.widget.deleteLater()
        return bool(super().event(event))


class CellsDock(Dock):
    """Find and encode cells."""

    title, made_by = "Cells", "napari_interpdisc.widgets.cells.widget:CellsWidget"


class ClassifyDock(Dock):
    """Classify cells."""

    title, made_by = "Classify", "napari_interpdisc.widgets.classify.widget:ClassifyWidget"


class ExplorerDock(Dock):
    """Explore the latents of a cell."""

    title, made_by = "Explorer", "napari_interpdisc.widgets.explorer.widget:ExplorerWidget"


class PerturbDock(Dock):
    """Perturb cells."""

    title, made_by = "Perturb", "napari_interpdisc.widgets.perturb.widget:PerturbWidget"
    needed = ("napari_interpdisc.scrutiny.attacks",)


class DiscoverDock(Dock):
    """Discover classes."""

    title, made_by = "Discover", "napari_interpdisc.widgets.discover.widget:DiscoverWidget"
    needed = ("napari_interpdisc.discovery.effort", "napari_interpdisc.discovery.movies")
    later = ("scipy.spatial.distance", "sklearn.cluster")


class GalleryDock(Dock):
    """See many cells side by side."""

    title, made_by = "Gallery", "napari_interpdisc.widgets.gallery.widget:GalleryWidget"


class PlotDock(Dock):
    """Plot cells over two of their numbers."""

    title = "Plot"
    made_by = "napari_interpdisc.widgets.linked_plot.widget:LinkedPlotWidget"
    needed = ("napari_interpdisc.scrutiny.boundary", "sklearn.decomposition")


class ThroughTimeDock(Dock):
    """Follow classes through time."""

    title = "Through time"
    made_by = "napari_interpdisc.widgets.through_time.widget:ThroughTimeWidget"
    needed = ("napari_interpdisc.through_time.result",)


class ScorecardDock(Dock):
    """Test heads against domain constraints."""

    title, made_by = "Scorecard", "napari_interpdisc.widgets.scorecard.widget:ScorecardWidget"
    needed = ("napari_interpdisc.scrutiny.scorecard",)


class AnatomyDock(Dock):
    """Take a head apart."""

    title, made_by = "Anatomy", "napari_interpdisc.widgets.anatomy.widget:AnatomyWidget"


ORDER: tuple[type[Dock], ...] = (
    CellsDock,
    ClassifyDock,
    ExplorerDock,
    PerturbDock,
    DiscoverDock,
    GalleryDock,
    PlotDock,
    ThroughTimeDock,
    ScorecardDock,
    AnatomyDock,
)
"""The order of the work, and of the tabs. A new dock is put where its work comes."""
