"""Dock widget *Gallery*: crops as tiles, to sort, to filter, to choose and to annotate."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QColor, QHideEvent, QIcon, QPixmap, QShowEvent
from qtpy.QtWidgets import (
    QApplication,
    QCheckBox,
    QComboBox,
    QFormLayout,
    QLabel,
    QPushButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)
from superqt import QFlowLayout

from napari_interpdisc.figures.palette import class_colors
from napari_interpdisc.pipeline import UNSURE
from napari_interpdisc.widgets.canvas.compat import unwrapped
from napari_interpdisc.widgets.canvas.overlay import NO_CLASS_COLOR, follow_session
from napari_interpdisc.widgets.canvas.picking import connect_picking, look_at
from napari_interpdisc.widgets.discover.annotating import annotating_of
from napari_interpdisc.widgets.discover.annotations import KEYS
from napari_interpdisc.widgets.gallery.pictures import Cutter, Picture, PictureStore
from napari_interpdisc.widgets.gallery.tile_view import SIDE, SIDES, Look, TileView
from napari_interpdisc.widgets.gallery.tiles import (
    ORDERS,
    Filter,
    Marks,
    Order,
    combined,
    filters_of,
    matching,
    ordered,
    tip,
    value_text,
    wording,
)
from napari_interpdisc.widgets.parts.choosing_row import ChoosingRow
from napari_interpdisc.widgets.parts.controls import SWATCH, StatusLine, button, let_shrink, row
from napari_interpdisc.widgets.parts.links import connect_while_alive, when_destroyed
from napari_interpdisc.widgets.parts.workers import Work
from napari_interpdisc.widgets.session import session_of

NO_CELLS = "No cells yet: run the Cells widget first."
NOBODY = "No cell is like that now."
CHOOSE_FIRST = "Choose cells first: click tiles, or drag across them."

DEPENDS = {
    "annotations": ("annotated", "not annotated", "wrong"),
    "chosen": ("chosen",),
    "selected": ("track",),
    "compared": ("disagreement",),
}
"""Kinds of filters whose cells change with something besides the classes."""

LEAST_HEIGHT = 120


LONGEST_NAME = 160
"""Of a class on its button, px; the tooltip has the whole name."""


class GalleryWidget(QWidget):  # type: ignore[misc]
    """Tiles of the session's cells.

    Choosing tiles chooses the cells in the canvas too, and the other way round. Nothing is drawn or
    cut while the dock is hidden.
    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self._viewer = unwrapped(napari_viewer)
        self._session = session_of(self._viewer)
        self.shared = annotating_of(self._viewer, self._session)
        self.status = StatusLine()
        self.work = Work(self)
        self._store = PictureStore()
        self._cutter: Cutter | None = None
        self._filters: tuple[Filter, ...] = ()
        self._marks = Marks({})
        self._colors: dict[str, tuple[float, float, float, float]] = {}
        self._annotation_colors: dict[str, tuple[float, float, float, float]] = {}
        self._stale = True
        self._come = False
        self._build()
        session = self._session
        connect_while_alive(
            self,
            (self.shared.annotations.changed, self._annotations_changed),
            (self.shared.said, self._say),
            (self.shared.held_out_changed, self._annotations_changed),
            (session.encoding_changed, self._cells_changed),
            (session.classification_changed, self._refresh),
            (session.threshold_changed, self._refresh),
            (session.compared_changed, self._compared),
            (session.selected_changed, self._selected),
            (session.chosen_changed, self._chosen),
            (session.listed_changed, self._listed),
        )
        follow_session(self._viewer, session)
        connect_picking(self._viewer, session)
        shared = weakref.ref(self.shared)

        def leave() -> None:
            if (left := shared()) is not None:
                left.annotator.switch(False, by="Gallery")
                left.leave()

        when_destroyed(self, leave)
        self.shared.join()
        if isinstance(session.listed, Filter):
            self._filters = combined((), session.listed)

    # -- what it looks like ---------------------------------------------------------------------

    def _build(self) -> None:
        self.shown, self.order = QComboBox(), QComboBox()
        self.shown.setToolTip(
            "Which cells have a tile. A second choice is combined with the first. A number of the "
            "confusion matrix in Discover, or a name in the legend of Classify, chooses too."
        )
        self.shown.activated.connect(self._choose_filter)
        self.order.setToolTip("In which order the tiles stand; the number on a tile is by what.")
        for order, text in ORDERS.items():
            self.order.addItem(text, order)
        self.order.activated.connect(self._reorder)
        for box in (self.shown, self.order):
            let_shrink(box)
        self.side = QSlider(Qt.Orientation.Horizontal)
        self.side.setRange(*SIDES)
        self.side.setValue(SIDE)
        self.side.setToolTip("Size of the tiles.")
        self.choosing = ChoosingRow(self._viewer, self._session)
        self.tiles = TileView()
        self.side.valueChanged.connect(self.tiles.set_side)
        self.tiles.setMinimumHeight(LEAST_HEIGHT)
        self.tiles.setToolTip(
            "The frame has the colour of the class. A coloured corner is an annotation, crossed "
            "out where held-out heads say otherwise. Stripes: flagged. Drag across tiles, or use "
            "Shift and Ctrl (⌘), to choose many. Double-click to go to a cell."
        )
        self.tiles.tiles.tip_of = lambda one: tip(self._session, self._marks, one)
        self.tiles.delegate.picture_of = self._store.get
        self.tiles.delegate.look_of = self._look
        self.tiles.chosen.connect(self._choose)
        self.tiles.picked.connect(self._pick)
        self.tiles.jumped.connect(self._jump)
        self.tiles.pressed_key.connect(self._press)
        self.tiles.seen.connect(self._cut)
        self.keys = QCheckBox("Keys annotate")
        self.keys.setChecked(True)
        self.keys.setToolTip(
            "Press the key of a class, here or in the canvas, to give it to the chosen cells; 0 or "
            "Delete to remove their annotations. Without this, keys in the canvas are napari's."
        )
        self.keys.toggled.connect(self._switch_keys)
        self.undo = button("Undo", self._undo, "Take back the last annotation or change.")
        self.hint = QLabel()
        self.hint.setWordWrap(True)
        self._classes = QWidget()
        self._class_buttons: list[QPushButton] = []
        self._flow = QFlowLayout(self._classes)
        self._flow.setContentsMargins(0, 0, 0, 0)
        self._used = QWidget()
        self._used_buttons: list[QPushButton] = []
        self._used_flow = QFlowLayout(self._used)
        self._used_flow.setContentsMargins(0, 0, 0, 0)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Show", self.shown)
        form.addRow(self._used)
        form.addRow("Order", self.order)
        form.addRow("Size", self.side)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self.tiles, 1)
        layout.addWidget(self.choosing)
        layout.addWidget(self._classes)
        layout.addWidget(row(self.keys, self.undo))
        layout.addWidget(self.hint)
        self.status.stand_below(self.hint)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 (Qt's name)
        """Bring up to date what was not drawn while hidden."""
        super().showEvent(event)
        self._switch_keys(self.keys.isChecked())
        if self._stale:
            self._refresh()

    def hideEvent(self, event: QHideEvent) -> None:  # noqa: N802 (Qt's name)
        """Give napari its keys back: they must not annotate for a widget that nobody sees."""
        super().hideEvent(event)
        if not event.spontaneous():
            self._switch_keys(self.keys.isChecked())
            self.choosing.leave_off()

    def _is_seen(self) -> bool:
        return bool(self.isVisible())

    def _say(self, text: str, is_fault: bool = False) -> None:
        (self.status.fault if is_fault else self.status.say)(text)

    def _look(self, cell: int) -> Look:
        """What a tile looks like."""
        session, result = self._session, self._session.classification
        if result is None or cell >= len(result.index):
            return Look(NO_CLASS_COLOR)
        index = int(result.index[cell])
        if index < 0:
            color = NO_CLASS_COLOR
        elif result.confidence[cell] < session.threshold:
            color = self._colors[UNSURE]
        else:
            color = self._colors[result.classes[index]]
        annotated = self._marks.annotated.get(cell)
        return Look(
            color,
            None if annotated is None else self._annotation_colors[annotated],
            value_text(session, cell, self.order.currentData()),
            self._marks.wrong is not None and cell in self._marks.wrong,
            bool(self._flags[cell]),
        )

    # -- which tiles ----------------------------------------------------------------------------

    def _cells_changed(self, *_: object) -> None:
        self.work.stop()
        self._store.clear()
        self._cutter = None
        self._filters = tuple(
            one for one in self._filters if one.kind not in ("listed", "track", "chosen")
        )
        self._refresh()

    def _refresh(self, *_: object) -> None:
        """Show the tiles that are wanted now, in their order."""
        self._stale = True
        if not self._is_seen():
            return
        self._stale = False
        session, result = self._session, self._session.classification
        self._read_marks()
        has = result is not None
        for part in (self.tiles, self.shown, self.order, self.choosing, self.side):
            part.setEnabled(has)
        self._show_classes()
        if result is None:
            self.tiles.set_rows(np.zeros(0, np.intp), 0, ())
            self._show_filters()
            self.status.say(NO_CELLS)
            return
        if self.status.text() in (NO_CELLS, NOBODY):
            self.status.clear()
        self._colors = class_colors(result.classes)
        self._flags = result.encoding.flags
        rows = ordered(session, matching(session, self._marks, *self._filters), self._order())
        self.tiles.set_rows(rows, len(result.index), session.chosen)
        self.tiles.select(session.selected, come=self._come)
        self._come = False
        self._show_filters()
        if not len(rows):
            self.status.say(NOBODY)

    def _order(self) -> Order:
        order: Order = self.order.currentData()
        return order

    def _read_marks(self) -> None:
        annotations, held_out = self.shared.annotations, self.shared.held_out
        wrong = None if held_out is None else held_out.wrong(self._session)
        self._marks = Marks(annotations.by_row, wrong)
        self._annotation_colors = class_colors(annotations.classes)

    def _show_filters(self) -> None:
        """List what can be shown, and mark what is."""
        self.shown.clear()
        session = self._session
        found = filters_of(session, self._marks, self._filters)
        for text, wanted in found:
            self.shown.addItem(text, wanted)
        offered, used = [wanted for _, wanted in found], self._filters or (Filter(),)
        if len(used) == 1 and used[0] in offered:
            place = offered.index(used[0])
        else:  # several, or one that is not there, as a class of another head
            told = wording(session, used[0]) if len(used) == 1 else f"{len(used)} filters"
            n = len(matching(session, self._marks, *used))
            self.shown.addItem(f"{told} ({n})", None)
            place = len(found)
        self.shown.setCurrentIndex(place)
        self._show_used()

    def _show_used(self) -> None:
        """A button for each filter that takes it away, and one for all where there are several."""
        for made in self._used_buttons:
            self._used_flow.removeWidget(made)
            made.hide()
            made.deleteLater()
        self._used_buttons = []
        for one in self._filters:
            told = wording(self._session, one)
            left = tuple(other for other in self._filters if other != one)
            self._add_used(f"{told}  ✕", f"Show cells that are not '{told}' too.", left)
        if len(self._filters) > 1:
            self._add_used("Show all", "Take all of these filters away.", ())
        self._used.setVisible(bool(self._filters))

    def _add_used(self, text: str, tooltip: str, left: tuple[Filter, ...]) -> None:
        made = QPushButton(text.replace("&", "&&"))
        made.setToolTip(tooltip)
        made.clicked.connect(lambda *_: self.show_cells(*left))
        self._used_flow.addWidget(made)
        self._used_buttons.append(made)

    def _choose_filter(self, place: int) -> None:
        wanted = self.shown.itemData(place)
        if wanted is not None:
            self.show_cells(*combined(self._filters, wanted))

    def show_cells(self, *wanted: Filter) -> None:
        """Show the tiles that all of these filters let through, from the first one on."""
        self._filters = tuple(one for one in wanted if one.kind != "all")
        self.status.clear()
        self._refresh()
        self.tiles.scrollToTop()

    def _reorder(self) -> None:
        self._refresh()
        self.tiles.scrollToTop()

    def _listed(self, wanted: object) -> None:
        if isinstance(wanted, Filter):
            self.show_cells(wanted)

    def _depends_on(self, what: str) -> bool:
        return any(one.kind in DEPENDS[what] for one in self._filters)

    def _compared(self, *_: object) -> None:
        if self._depends_on("compared") or self._order() == "disagreement":
            self._refresh()
        elif self._is_seen():
            self._show_filters()

    # -- annotations ----------------------------------------------------------------------------

    def _annotations_changed(self, *_: object) -> None:
        if self._depends_on("annotations") or not self._is_seen():
            self._refresh()
            return
        self._read_marks()
        self._show_classes()
        self._show_filters()
        self.tiles.viewport().update()

    def _show_classes(self) -> None:
        """A button for each class that can be given."""
        annotations = self.shared.annotations
        for made in self._class_buttons:
            self._flow.removeWidget(made)
            made.hide()
            made.deleteLater()
        self._class_buttons = []
        counts = annotations.counts()
        for k, name in enumerate(annotations.classes):
            made = QPushButton()
            key = f"{k + 1}  " if k < KEYS else ""
            short = self.fontMetrics().elidedText(name, Qt.TextElideMode.ElideRight, LONGEST_NAME)
            made.setText(f"{key}{short} ({counts[name][0]})".replace("&", "&&"))
            square = QPixmap(SWATCH, SWATCH)
            square.fill(QColor.fromRgbF(*class_colors(annotations.classes)[name]))
            made.setIcon(QIcon(square))
            made.setIconSize(QSize(SWATCH, SWATCH))
            made.setToolTip(f"Give '{name}' to the chosen cells. Classes are named in Discover.")
            made.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            made.clicked.connect(lambda *_, name=name: self._give(name))
            self._flow.addWidget(made)
            self._class_buttons.append(made)
        self.undo.setEnabled(annotations.can_undo)
        self._show_hint()

    def _show_hint(self) -> None:
        n = min(KEYS, len(self.shared.annotations.classes))
        on = self.keys.isChecked() and self._session.classification is not None
        self.hint.setVisible(on and n > 0)
        keys = "1" if n == 1 else f"1 – {n}"
        self.hint.setText(f"Press {keys} to annotate the chosen cells, 0 to remove annotations.")

    def _switch_keys(self, on: bool) -> None:
        has = self._session.classification is not None
        self.shared.annotator.switch(on and has and self._is_seen(), False, by="Gallery")
        self._show_hint()

    def _give(self, name: str) -> None:
        if not self.shared.annotator.give(name):
            self.status.say(CHOOSE_FIRST)

    def _press(self, key: str) -> None:
        if not self.keys.isChecked():
            return
        if not len(self._session.chosen):
            self.status.say(CHOOSE_FIRST)
        else:
            self.shared.annotator.press(key)

    def _undo(self) -> None:
        if self.shared.annotations.undo():
            self.status.say("The last change was taken back.")

    # -- what is chosen, here and elsewhere -----------------------------------------------------

    def _choose(self) -> None:
        """Choose the cells of the chosen tiles; with Ctrl, those that have no tile here stay."""
        session, rows = self._session, self.tiles.chosen_rows()
        if QApplication.keyboardModifiers() & Qt.KeyboardModifier.ControlModifier:
            apart = np.setdiff1d(session.chosen, self.tiles.tiles.rows)
            rows = np.union1d(rows, apart)
        session.choose(rows, self)

    def _chosen(self, by: object) -> None:
        if by is self or not self._is_seen():
            self._stale = self._stale or by is not self
        elif self._depends_on("chosen"):
            self._refresh()
        else:
            self.tiles.choose(self._session.chosen)

    def _pick(self, cell: int) -> None:
        self._session.select(cell)

    def _jump(self, cell: int) -> None:
        look_at(self._viewer, self._session, cell)

    def _selected(self, cell: int | None) -> None:
        if not self._is_seen():
            self._stale = self._come = True
        elif self._depends_on("selected"):
            self._come = True
            self._refresh()
        else:
            self._show_filters()  # its track is one of them
            self.tiles.select(cell)

    # -- pictures -------------------------------------------------------------------------------

    def _cut(self, rows: list[int]) -> None:
        """Cut the pictures of the tiles in sight on a thread, those that are not there yet."""
        missing = self._store.missing(rows)
        self.tiles.viewport().update()
        if not missing or self.work.running or not self._is_seen():
            return
        session = self._session
        if self._cutter is None:
            if session.encoding is None or session.frames is None:
                return
            self._cutter = Cutter(
                session.frames,
                session.encoding.cells,
                session.encoding.diameter,
                session.model.model_diameter,
                session.model.crop_size,
            )
        cutter = self._cutter

        def done(pictures: dict[int, Picture]) -> None:
            if cutter is self._cutter:
                self._store.put(pictures)
                self._cut(self.tiles.rows_in_sight())

        self.work.start(lambda report: cutter.cut(missing, report), done, self.status.fault)
