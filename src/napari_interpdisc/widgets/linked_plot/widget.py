"""Dock widget *Plot*: cells over two of their numbers, chosen by a lasso in all views."""

from __future__ import annotations

import weakref
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QSignalBlocker, QSize, QTimer
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_interpdisc._types import Float64Array, Progress
from napari_interpdisc.errors import InterpdiscError
from napari_interpdisc.figures.palette import class_colors
from napari_interpdisc.number_text import with_sign
from napari_interpdisc.pipeline import Encoding
from napari_interpdisc.scrutiny.boundary import boundary_of
from napari_interpdisc.scrutiny.embedding import (
    Embedding,
    check_umap,
    principal_components,
    umap_embedding,
)
from napari_interpdisc.widgets.canvas.choosing import connect_choosing
from napari_interpdisc.widgets.canvas.compat import unwrapped
from napari_interpdisc.widgets.canvas.overlay import NO_CLASS_COLOR, overlay_values
from napari_interpdisc.widgets.canvas.picking import connect_picking, look_at
from napari_interpdisc.widgets.discover.annotating import annotating_of
from napari_interpdisc.widgets.linked_plot.columns import (
    PC,
    UMAP,
    Column,
    columns_of,
    held_values,
    values_of,
)
from napari_interpdisc.widgets.linked_plot.scatter import ScatterPlot
from napari_interpdisc.widgets.parts.controls import (
    ScrolledPage,
    StatusLine,
    WorkBar,
    button,
    let_shrink,
    row,
)
from napari_interpdisc.widgets.parts.links import connect_while_alive, when_destroyed
from napari_interpdisc.widgets.parts.workers import Work
from napari_interpdisc.widgets.session import session_of

NO_CELLS = "No cells yet: run the Cells widget first."
CLASS = "class"
WIDTH, MINIMUM_HEIGHT = 420, 300
WAIT_MS = 150
"""Boundaries follow the selected cell after this time, so that a drag stays fluid."""

SHADES = 256


class LinkedPlotWidget(QWidget):  # type: ignore[misc]
    """A scatter plot of the session's cells; what is chosen in it is chosen everywhere.

    Parameters
    ----------
    napari_viewer
        The viewer whose cells are drawn.

    Attributes
    ----------
    columns
        What can be an axis, in the order of the boxes.
    embeddings
        Principal components, and UMAP once it was asked for, of the present cells.
    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self._viewer = unwrapped(napari_viewer)
        self.session = session_of(napari_viewer)
        connect_picking(napari_viewer, self.session)
        connect_choosing(napari_viewer, self.session)
        self.shared = annotating_of(self._viewer, self.session)
        self.columns: list[Column] = []
        self.embeddings: dict[str, Embedding] = {}
        self._drawn: Any = None
        self._of: Encoding | None = None
        self.work = Work(self)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(WAIT_MS)
        self._soon.timeout.connect(self._show_boundary)
        self._build()
        session = self.session
        connect_while_alive(
            self,
            (session.classification_changed, self._cells_changed),
            (session.measured_changed, self._measured),
            (session.threshold_changed, self._show_colors),
            (session.selected_changed, self._selection_changed),
            (session.chosen_changed, self._selection_changed),
            (self.shared.said, self._say),
        )
        shared = weakref.ref(self.shared)

        def leave() -> None:
            if (left := shared()) is not None:
                left.leave()

        when_destroyed(self, leave)
        self.shared.join()

    # -- what it looks like -----------------------------------------------------------------------

    def _build(self) -> None:
        self.x, self.y, self.color = QComboBox(), QComboBox(), QComboBox()
        for box, tip in (
            (self.x, "What grows to the right. What the head reads comes first."),
            (self.y, "What grows upwards."),
            (self.color, "What the colour of a point tells."),
        ):
            let_shrink(box)
            box.setToolTip(tip)
            box.activated.connect(self._draw)
        self.plot = ScatterPlot()
        self.plot.setToolTip(
            "Each point is a cell. Draw around points to choose their cells here, in the image and "
            "in the gallery; Shift adds, Ctrl toggles. The key of a class (1–9) is for all of "
            "them. Click a point to go to its cell; click beside all points to choose none."
        )
        self.plot.lassoed.connect(self._lassoed)
        self.plot.clicked.connect(self._clicked)
        self.plot.typed.connect(self._typed)
        self.lasso, self.box = QPushButton("Lasso"), QPushButton("Box")
        for knob, boxes, tip in (
            (self.lasso, False, "A drag draws around points freely."),
            (self.box, True, "A drag draws a box."),
        ):
            knob.setCheckable(True)
            knob.setChecked(not boxes)
            knob.setToolTip(tip)
            knob.clicked.connect(lambda _=False, boxes=boxes: self._choose_tool(boxes))
        self.umap = button(
            "UMAP", self._make_umap, "Find two axes in which cells with alike latents are near."
        )
        self.none = button("Choose none", lambda: self.session.choose((), self), "Choose no cell.")
        self.boundary = QLabel()
        self.boundary.setWordWrap(True)
        self.legend = QLabel()
        self.legend.setWordWrap(True)
        self.legend.setToolTip("Colours of the points.")
        self.chosen = QLabel()
        self.cancel = button("Cancel", self._cancel, "Wait for UMAP no longer; nothing changes.")
        self.progress = WorkBar("UMAP does not tell how far it is.")
        self.status = StatusLine()
        self.work.running_changed.connect(self._show_running)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for label, field in (("Right", self.x), ("Up", self.y), ("Colour", self.color)):
            form.addRow(label, field)
            form.labelForField(field).setToolTip(field.toolTip())
        tools = QHBoxLayout()
        for knob in (self.lasso, self.box, self.umap, self.none):
            tools.addWidget(knob)
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setSpacing(4)
        layout.addLayout(form)
        layout.addWidget(self.plot, 1)
        for part in (self.legend, self.boundary, self.chosen):
            layout.addWidget(part)
        layout.addLayout(tools)
        layout.addWidget(row(self.progress, self.cancel))
        layout.addWidget(self.status)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(ScrolledPage(page))
        self.setMinimumHeight(MINIMUM_HEIGHT)
        self._show_running(False)

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """As wide as plots want to be."""
        return QSize(WIDTH, super().sizeHint().height())

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 (Qt's name)
        """Catch up with what changed while hidden."""
        super().showEvent(event)
        self._cells_changed()

    def _show_running(self, running: bool) -> None:
        self.progress.show_running(running)
        self.cancel.setVisible(running)
        self.umap.setEnabled(not running and self.session.encoding is not None)

    def _choose_tool(self, boxes: bool) -> None:
        self.plot.boxes = boxes
        self.lasso.setChecked(not boxes)
        self.box.setChecked(boxes)

    # -- cells ------------------------------------------------------------------------------------

    def _cells_changed(self, *_: Any) -> None:
        """Offer the columns of the present cells and head, and draw them."""
        if not self.isVisible():
            return
        encoding, result = self.session.encoding, self.session.classification
        if encoding is not self._of:
            self.work.leave()
            self._of = encoding
            self.embeddings = {}
            self.status.clear()
            if encoding is not None:
                try:
                    self.embeddings[PC] = principal_components(encoding.latents)
                except InterpdiscError as fault:
                    self.status.warn(str(fault))
        here = result is not None
        for control in (self.x, self.y, self.color, self.lasso, self.box, self.umap, self.none):
            control.setEnabled(here)
        if not here:
            self.columns = []
            self.plot.empty = NO_CELLS
            self.plot.show_points(np.zeros((0, 2)), np.zeros((0, 4), np.uint8), ("", ""))
            for label in (self.legend, self.boundary, self.chosen):
                label.setText("")
            return
        self._offer()
        self._draw()

    def _measured(self, encoding: Encoding) -> None:
        """Offer the properties of cells that were measured; embeddings of latents stay."""
        if self.isVisible() and self._of is not None and encoding.cells is self._of.cells:
            self._of = encoding
            self._offer()
            self._draw()

    def _offer(self) -> None:
        """Fill the boxes; what was chosen stays if it is still there."""
        before = [box.currentText() for box in (self.x, self.y, self.color)]
        self.columns = columns_of(self.session, self.embeddings)
        labels = [one.label for one in self.columns]
        for place, (box, old) in enumerate(zip((self.x, self.y, self.color), before, strict=True)):
            offered = labels if place < 2 else [CLASS, *labels]
            with QSignalBlocker(box):
                box.clear()
                box.addItems(offered)
                default = min(place, len(labels) - 1) if place < 2 else 0
                box.setCurrentIndex(offered.index(old) if old in offered else default)

    def axes(self) -> tuple[Column, Column]:
        """What grows to the right, and upwards."""
        return self.columns[self.x.currentIndex()], self.columns[self.y.currentIndex()]

    def _draw(self, *_: Any) -> None:
        if not self.columns or not self.isVisible():
            return
        x, y = self.axes()
        xy = np.stack([values_of(self.session, one, self.embeddings) for one in (x, y)], 1)
        self.plot.lines = ()
        self.plot.chosen, self.plot.selected = self.session.chosen, self.session.selected
        self.plot.show_points(xy, self._colors(), (x.label, y.label))
        self._show_boundary()
        self._tell_chosen()

    def _colors(self) -> npt.NDArray[np.uint8]:
        """Colours (N, 4) of the points, and a legend of them."""
        result = self.session.classification
        assert result is not None
        which = self.color.currentIndex() - 1
        if which < 0:
            palette = {**class_colors(result.classes), "": NO_CLASS_COLOR}
            table = np.array([palette[name] for name in palette])
            names = [name for name in palette if name]
            self.legend.setText(
                "&nbsp; ".join(  # a line may end between names, and not behind a colour
                    f'<span style="color: {_css(palette[name])}">●</span>&nbsp;{escape(name)}'
                    for name in names
                )
            )
            colors = 255 * table[overlay_values(self.session) - 1]
            return np.asarray(np.rint(colors), np.uint8)
        column = self.columns[which]
        values = values_of(self.session, column, self.embeddings)
        shades, low, high = shaded(values)
        self.legend.setText(
            f"{escape(column.label)}: {with_sign(low, 2)} {_ramp()} {with_sign(high, 2)}"
        )
        return shades

    def _show_colors(self, *_: Any) -> None:
        if self.columns and self.isVisible():
            self.plot.show_colors(self._colors())

    def _show_boundary(self) -> None:
        """Draw where the head changes its mind, and say what is held."""
        if not self.columns or not self.isVisible():
            return
        axes = self.axes()
        one, other = (column.input for column in axes)
        model, head = self.session.model, self.session.model.head(self.session.head_name)
        if one is None or other is None or one == other:
            self.plot.show_lines(())
            self.boundary.setText(
                "No boundary: it is drawn over two latents, radii or measured properties."
            )
            return
        latents, measured, whose = held_values(self.session)
        try:
            found = boundary_of(model, head.name, (one, other), self.plot.spans, latents, measured)
        except InterpdiscError as fault:
            self.plot.show_lines(())
            self.boundary.setText(str(fault))
            return
        self.plot.show_lines(found.lines)
        if not found.reads:
            said = f"'{head.name}' reads neither of the two: no boundary."
        elif not found.lines:
            said = f"'{head.name}' gives one class throughout, all else as {whose}."
        elif found.exact:
            said = f"Line: where '{head.name}' changes its mind. It reads nothing else."
        else:
            said = f"Line: where '{head.name}' changes its mind, all else as {whose}."
        self.boundary.setText(said)

    # -- choosing ---------------------------------------------------------------------------------

    def _selection_changed(self, *_: Any) -> None:
        if not self.columns or not self.isVisible():
            return
        self.plot.show_chosen(self.session.chosen, self.session.selected)
        self._soon.start()
        self._tell_chosen()

    def _tell_chosen(self) -> None:
        n = len(self.session.chosen)
        hidden = int((~np.isfinite(self.plot.xy).all(1)).sum())
        left_out = f"{hidden} cells have no place here. " if hidden else ""
        self.chosen.setText(left_out + (f"{n} cells are chosen." if n else "No cell is chosen."))
        self.none.setEnabled(n > 0)

    def _lassoed(self, rows: npt.NDArray[np.intp], how: str) -> None:
        before = self.session.chosen
        if how == "add":
            rows = np.union1d(before, rows)
        elif how == "toggle":
            rows = np.setxor1d(before, rows)
        self.session.choose(rows, self)

    def _clicked(self, at: int, how: str) -> None:
        if how and at >= 0:
            self._lassoed(np.array([at]), how)
        elif at >= 0:
            look_at(self._viewer, self.session, at)
        elif not how:
            self.session.choose((), self)

    def _typed(self, key: str) -> None:
        """Give the chosen cells the class of a key, as one change."""
        if len(self.session.chosen):
            self.shared.annotator.press(key)
        else:
            self.status.say("Choose cells first: draw around their points.")

    def _say(self, text: str, is_fault: bool = False) -> None:
        if self.isVisible():
            (self.status.fault if is_fault else self.status.say)(text)

    # -- UMAP -------------------------------------------------------------------------------------

    def _make_umap(self) -> None:
        encoding = self.session.encoding
        if encoding is None:
            return
        try:
            check_umap()
        except InterpdiscError as fault:
            self.status.fault(str(fault))
            return

        def work(progress: Progress) -> Embedding:
            return umap_embedding(encoding.latents)

        def done(found: Embedding) -> None:
            if self.session.encoding is not encoding:
                return
            self.embeddings[UMAP] = found
            self._offer()
            labels = [one.label for one in self.columns]
            self.x.setCurrentIndex(labels.index("UMAP 1"))
            self.y.setCurrentIndex(labels.index("UMAP 2"))
            self._draw()
            self.status.say(found.told)

        self.status.say("UMAP: looking for neighbours …")
        self.work.start(work, done, self.status.fault)

    def _cancel(self) -> None:
        self.work.leave()
        self.status.say("Cancelled. UMAP cannot be stopped midway: it ends unseen.")


def shaded(values: Float64Array) -> tuple[npt.NDArray[np.uint8], float, float]:
    """Colours (N, 4) of values (N,) from dark blue to yellow (viridis), and the ends of the scale.

    The ends leave out the outer 1 % of the values; NaN is grey.
    """
    import matplotlib

    known = values[np.isfinite(values)]
    low, high = (float(v) for v in np.quantile(known, (0.01, 0.99))) if len(known) else (0.0, 1.0)
    share = (values - low) / (high - low) if high > low else np.zeros(len(values))
    table = matplotlib.colormaps["viridis"](np.linspace(0, 1, SHADES))
    at = np.clip(np.nan_to_num(share) * (SHADES - 1), 0, SHADES - 1).astype(int)
    colors = np.where(np.isfinite(values)[:, None], table[at], NO_CLASS_COLOR)
    return np.rint(255 * colors).astype(np.uint8), low, high


def _ramp(steps: int = 12) -> str:
    import matplotlib

    shades = matplotlib.colormaps["viridis"](np.linspace(0, 1, steps))
    return "".join(f'<span style="color: {_css(shade)}">█</span>' for shade in shades)


def _css(color: Any) -> str:
    red, green, blue = (round(255 * float(v)) for v in tuple(color)[:3])
    return f"rgb({red}, {green}, {blue})"
