"""Dock widget *Through time*: states along tracks, how long they last, and what happens when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import QSignalBlocker, QSize, Qt, QTimer
from qtpy.QtGui import QColor, QShowEvent
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QSpinBox,
    QTableWidgetItem,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_interpdisc._types import RGBA, Progress
from napari_interpdisc.errors import InterpdiscError
from napari_interpdisc.figures.palette import class_colors
from napari_interpdisc.pipeline import Classification
from napari_interpdisc.through_time.order import Order, default_order
from napari_interpdisc.through_time.result import REACH, ThroughTime
from napari_interpdisc.through_time.viterbi import PathSettings
from napari_interpdisc.widgets.canvas.compat import unwrapped
from napari_interpdisc.widgets.canvas.picking import (
    connect_picking,
    frame_shown,
    go_to_frame,
    look_at,
)
from napari_interpdisc.widgets.cells.run import forget_states
from napari_interpdisc.widgets.parts.controls import (
    ScrolledPage,
    StatusLine,
    WorkBar,
    button,
    folded,
    let_grow,
    let_shrink,
    row,
)
from napari_interpdisc.widgets.parts.links import connect_while_alive
from napari_interpdisc.widgets.parts.tables import fit_height, plain_table
from napari_interpdisc.widgets.parts.workers import Work
from napari_interpdisc.widgets.session import session_of
from napari_interpdisc.widgets.through_time.curves import (
    aligned_curves,
    count_curves,
    frame_at,
    survival_curves,
)
from napari_interpdisc.widgets.through_time.curves_plot import CurvesPlot
from napari_interpdisc.widgets.through_time.family import family_lanes, told_family
from napari_interpdisc.widgets.through_time.family_plot import FamilyPlot
from napari_interpdisc.widgets.through_time.order_table import OrderTable
from napari_interpdisc.widgets.through_time.phase_table import PhaseTable
from napari_interpdisc.widgets.through_time.run import (
    columns_of,
    events_of,
    first_event,
    follow,
    interval_of,
    own_columns,
    row_at,
    save,
    write_states,
)

MINIMUM_HEIGHT = 300
WIDTH = 420
WAIT_MS = 250
"""Changes of settings within this time are followed once."""

NO_CELLS = "No cells yet: run the Cells widget first, on tracks."
NO_TRACK = "Click a cell in the image to see its track."
NO_CURVE = "No phase was seen from its start to its end."
NO_EVENT = "No track shows an event and what was before it."


class ThroughTimeWidget(QWidget):  # type: ignore[misc]
    """Follow the session's classes along tracks.

    The states are found on a thread as soon as there are classes, and again when these or the
    settings change. They are the feature ``state`` of the cells layer; ``class`` stays as it is.

    Parameters
    ----------
    napari_viewer
        The viewer whose cells are followed.

    Attributes
    ----------
    found
        What was found of the present classes, or None.
    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self._viewer = unwrapped(napari_viewer)
        self.session = session_of(napari_viewer)
        connect_picking(napari_viewer, self.session)
        self.work = Work(self)
        self.found: ThroughTime | None = None
        self._followed: Classification | None = None
        self._wanted: Classification | None = None
        self._classes: tuple[str, ...] = ()
        self._asked_interval: Any = None
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(WAIT_MS)
        self._soon.timeout.connect(self.follow)
        self._build()
        session = self.session
        connect_while_alive(
            self,
            (session.classification_changed, self._classes_changed),
            (session.colouring_changed, self._colouring_changed),
            (session.selected_changed, self._show_family),
            (self._viewer.dims.events.current_step, self._frame_moved),
        )

    # -- what it looks like -----------------------------------------------------------------------

    def _build(self) -> None:
        self.order_text = QLabel()
        self.order_text.setWordWrap(True)
        self.order_text.setToolTip("Which class may follow which, from one frame to the next.")
        self.order = OrderTable()
        self.order.edited.connect(self._order_edited)
        self.by_names = button(
            "By names", self._order_by_names, "Take the order that the names of the classes tell."
        )
        self.skip = QCheckBox("phases may be skipped")
        self.skip.setChecked(True)
        self.skip.setToolTip(
            "A phase that is shorter than the time between frames is often not seen. Without the "
            "tick, a cell goes through every phase: for movies in which each lasts several frames."
        )
        self.skip.clicked.connect(self._order_by_names)
        self.cost = QDoubleSpinBox()
        self.cost.setRange(0, 50)
        self.cost.setSingleStep(0.5)
        self.cost.setValue(PathSettings().change_cost)
        self.cost.setToolTip(
            "What each change of state costs, in nats. The higher, the fewer changes: a single "
            "frame of another class is kept if its log-odds outweigh the changes to it and back."
        )
        self.cost.valueChanged.connect(self._follow_soon)
        self.minutes = QDoubleSpinBox()
        self.minutes.setRange(0, 100_000)
        self.minutes.setDecimals(3)
        self.minutes.setSpecialValueText("not known")
        self.minutes.setSuffix(" min")
        self.minutes.setToolTip(
            "Minutes between frames. Taken from the image, or its file, if they tell; without it, "
            "durations are in frames."
        )
        self.minutes.valueChanged.connect(self._interval_changed)
        self.tabs = QTabWidget()
        self.tabs.addTab(self._cell_tab(), "Cell")
        self.tabs.addTab(self._count_tab(), "Counts")
        self.tabs.addTab(self._duration_tab(), "Durations")
        self.tabs.addTab(self._event_tab(), "Event")
        self.tabs.currentChanged.connect(self._draw)
        self.legend = QLabel()
        self.legend.setWordWrap(True)
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        self.legend.setToolTip("Colours of the classes, in all plots.")
        self.run_button = button("Follow", self.follow, "Find the states of all tracks anew.")
        self.save_button = button(
            "Save …", self._save, "Write all tables and figures into a new folder."
        )
        self.cancel = button("Cancel", self._cancel, "Stop. What was found before is dropped.")
        self.progress = WorkBar("Tracks done, of all tracks.")
        self.status = StatusLine()
        self.work.progressed.connect(self.progress.show_progress)
        self.work.running_changed.connect(self._show_running)
        self._lay_out()
        self._show_running(False)

    def _cell_tab(self) -> QWidget:
        self.family = FamilyPlot()
        self.family.setToolTip(
            "Each track has two strips: its class frame by frame above, its state below; pale "
            "where the cell is missing or has no class. Click to go there."
        )
        self.family.clicked.connect(self.go_to)
        self.told_cell = QLabel()
        self.told_cell.setWordWrap(True)
        return _page(self.family, self.told_cell)

    def _count_tab(self) -> QWidget:
        self.counts = CurvesPlot()
        self.counts.setToolTip(
            "Cells in each state, frame by frame. Click to go to a frame; the bar is the "
            "frame that is shown."
        )
        self.counts.clicked.connect(self._count_clicked)
        return _page(self.counts)

    def _duration_tab(self) -> QWidget:
        self.survival = CurvesPlot()
        self.survival.setMinimumHeight(190)
        self.survival.setToolTip(
            "Share of phases that last longer than a time. A phase whose end was not seen counts "
            "for as long as it was seen; one whose start was not seen is left out."
        )
        self.medians = plain_table("state", "n", "no start", "no end", "median", "95 %")
        self.medians.setToolTip(
            "Phases of each state, those whose start was not seen and are left out, those whose "
            "end was not seen, and the median duration (Kaplan–Meier). Click a row to see its "
            "interval and its phases."
        )
        self.medians.itemSelectionChanged.connect(self._show_durations)
        self.phases = PhaseTable()
        self.phases.chosen.connect(self.go_to)
        return _page(self.survival, self.medians, self.phases)

    def _event_tab(self) -> QWidget:
        self.event, self.column = QComboBox(), QComboBox()
        for box, tip in (
            (self.event, "Tracks are laid over each other at the first frame of this state."),
            (self.column, "What is drawn: a score, a latent, or a column of the cells."),
        ):
            let_shrink(box)
            box.setToolTip(tip)
            box.activated.connect(self._show_aligned)
        self.reach = QSpinBox()
        self.reach.setRange(1, 10_000)
        self.reach.setValue(REACH)
        self.reach.setSuffix(" frames")
        self.reach.setToolTip("Frames before and after the event.")
        self.reach.valueChanged.connect(self._show_aligned)
        self.aligned = CurvesPlot()
        self.aligned.setToolTip(
            "Mean, and one standard deviation around it, against the time from the event. Thin "
            "lines are single tracks. Before a track began, its mother is followed; after a "
            "division, the mean of the daughters."
        )
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Event", row(self.event, self.reach))
        form.addRow("Column", self.column)
        page = _page(self.aligned)
        page.layout().insertLayout(0, form)
        return page

    def _lay_out(self) -> None:
        chain = folded("Which class may follow which")
        inner = QWidget()
        box = QVBoxLayout(inner)
        box.setContentsMargins(0, 0, 0, 0)
        box.addWidget(self.order)
        box.addWidget(self.by_names)
        let_grow(chain, inner)
        chain.toggleButton().setToolTip("Show or fold the grid of allowed changes.")
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Order", self.skip)
        for label, field in (("Cost of a change", self.cost), ("Between frames", self.minutes)):
            form.addRow(label, field)
            form.labelForField(field).setToolTip(field.toolTip())
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setSpacing(4)
        layout.addWidget(self.order_text)
        layout.addWidget(chain)
        layout.addLayout(form)
        layout.addWidget(self.tabs, 1)
        layout.addWidget(self.legend)
        foot = QVBoxLayout()
        foot.setContentsMargins(8, 0, 8, 0)
        foot.setSpacing(4)
        buttons = QHBoxLayout()
        for knob in (self.run_button, self.save_button, self.cancel):
            buttons.addWidget(knob)
        foot.addLayout(buttons)
        foot.addWidget(self.progress)
        foot.addWidget(self.status)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 4)
        outer.addWidget(ScrolledPage(page), 1)
        outer.addLayout(foot)
        self.setMinimumHeight(MINIMUM_HEIGHT)

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """As wide as plots want to be; napari shares out the height."""
        return QSize(WIDTH, super().sizeHint().height())

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 (Qt's name)
        """Catch up with what changed while hidden."""
        super().showEvent(event)
        if self.session.classification is not self._wanted or self.session.classification is None:
            self._classes_changed()
        else:
            self._draw()

    # -- what is asked for ------------------------------------------------------------------------

    def _classes_changed(self, *_: Any) -> None:
        """Drop what was found of other classes, and follow the present ones if that is seen."""
        result = self.session.classification
        self.work.stop()
        self.found = self._followed = self._wanted = None
        self.session.set_states(None)
        if self.session.cells_layer is not None:
            forget_states(self.session.cells_layer)
        if not self._is_wanted():
            return
        if result is None:
            self._show_nothing(NO_CELLS)
            return
        self._wanted = result
        if result.classes != self._classes:
            self._classes = result.classes
            self._order_by_names()
        self._take_interval()
        self.follow()

    def _is_wanted(self) -> bool:
        """Whether states are seen, here or as the colours of the cells."""
        return bool(self.isVisible()) or self.session.colouring == "state"

    def _colouring_changed(self, *_: Any) -> None:
        if self.session.colouring == "state" and self.found is None and not self.work.running:
            self._classes_changed()

    def _take_interval(self) -> None:
        """Show the interval of the image, once for each image."""
        if self.session.image is self._asked_interval:
            return
        self._asked_interval = self.session.image
        interval = interval_of(self.session)
        with QSignalBlocker(self.minutes):
            self.minutes.setValue(0.0 if interval is None else interval / 60)

    def _order_by_names(self, *_: Any) -> None:
        if not self._classes:
            return
        order, sentence = default_order(self._classes, self.skip.isChecked())
        self.order.show_order(order)
        self.order_text.setText(sentence)
        self._follow_soon()

    def _order_edited(self, order: Order) -> None:
        self.order_text.setText(f"Order by hand: {order.text}.")
        self._follow_soon()

    def _follow_soon(self, *_: Any) -> None:
        if self.session.classification is not None and self.isVisible():
            self._soon.start()

    def _interval_changed(self, *_: Any) -> None:
        if self.found is not None:
            self.found = replace(self.found, interval=self._interval())
            self._show_found()

    def _interval(self) -> float | None:
        return 60 * self.minutes.value() or None

    def _settings(self) -> PathSettings:
        return PathSettings(change_cost=self.cost.value())

    # -- work -------------------------------------------------------------------------------------

    def follow(self) -> None:
        """Find the states of all tracks, on a thread."""
        self._soon.stop()
        result = self.session.classification
        if result is None or result.classes != self._classes:
            self._classes_changed()
            return
        order, settings, interval = self.order.order(), self._settings(), self._interval()
        columns = own_columns(self.session)

        def work(progress: Progress) -> ThroughTime:
            return follow(result, order, settings, interval, progress, columns)

        self.status.say("Following cells …")
        self.work.start(work, lambda found: self._take(result, found), self._show_fault)

    def _take(self, result: Classification, found: ThroughTime) -> None:
        if self.session.classification is not result:
            return
        # the interval may have been given meanwhile
        self.found, self._followed = replace(found, interval=self._interval()), result
        self.session.set_states(found.states)
        told = self._guarded(lambda: write_states(self.session, found))
        self._fill_choices()
        self._show_found()
        if told:
            self.status.say(f"{self.status.text()}\n⚠ {told}")

    def _show_fault(self, why: str) -> None:
        self._show_nothing(why)
        self.status.fault(why)

    def _cancel(self) -> None:
        self.work.stop()
        self._show_nothing("Cancelled; press Follow to find the states.")

    def _guarded(self, action: Callable[[], None]) -> str:
        """Do something; return what is wrong, in a sentence, or nothing."""
        try:
            action()
        except InterpdiscError as fault:
            return str(fault)
        return ""

    def _show_running(self, running: bool) -> None:
        self.progress.show_running(running)
        self.cancel.setEnabled(running)
        self.tabs.setEnabled(not running)
        self.run_button.setEnabled(not running)
        self.save_button.setEnabled(not running and self.found is not None)

    # -- what was found ---------------------------------------------------------------------------

    def _show_nothing(self, why: str) -> None:
        self.found = self._followed = None
        self.save_button.setEnabled(False)
        for plot in (self.counts, self.survival, self.aligned):
            plot.show_curves(None, why)
        self.family.show_lanes((), (), "", why)
        self.told_cell.setText("")
        self.medians.setRowCount(0)
        self.phases.show_phases(None)
        self.legend.setText("")
        self.status.say(why)

    def _colors(self) -> dict[str, RGBA]:
        return class_colors(self._classes)

    def _fill_choices(self) -> None:
        """Offer the events and columns that there are, and keep what was chosen."""
        assert self.found is not None
        events = events_of(self.found)
        for box, names, first in (
            (self.event, events, first_event(events)),
            (self.column, columns_of(self.found), ""),
        ):
            before = box.currentText()
            with QSignalBlocker(box):
                box.clear()
                box.addItems(names)
                wanted = before if before in names else first
                box.setCurrentIndex(max(0, names.index(wanted) if wanted else 0))

    def _show_found(self) -> None:
        found = self.found
        if found is None:
            return
        self.save_button.setEnabled(not self.work.running)
        self.status.say(" ".join([*found.observed.notes, *found.sentences()[:2]]))
        self.legend.setText(
            " ".join(
                f'<span style="color:{QColor.fromRgbF(*color).name()}">■</span> {escape(name)}'
                for name, color in self._colors().items()
                if name in self._classes
            )
        )
        self._fill_medians(found)
        self._draw()

    def _fill_medians(self, found: ThroughTime) -> None:
        table = found.median_table()
        chosen = self._chosen_state()
        with QSignalBlocker(self.medians):
            self.medians.setRowCount(len(table))
            for i, line in enumerate(table.itertuples(index=False)):
                median, low, high = line[5:8]
                words = (
                    str(line[0]), str(line[1]), str(line[2]), str(line[3]),
                    "–" if np.isnan(median) else f"{median:.4g} {found.unit}",
                    "–" if np.isnan(median) else f"{_end(low)} to {_end(high)}",
                )  # fmt: skip
                for j, word in enumerate(words):
                    item = QTableWidgetItem(word)
                    item.setToolTip(found.duration_sentence(i))
                    self.medians.setItem(i, j, item)
            if chosen is None:
                # the state that is asked about most, if it is there
                chosen = self._classes.index("Metaphase") if "Metaphase" in self._classes else 0
            self.medians.selectRow(min(chosen, len(table) - 1))
        fit_height(self.medians)

    def _chosen_state(self) -> int | None:
        rows = self.medians.selectionModel().selectedRows()
        return rows[0].row() if rows else None

    def _draw(self, *_: Any) -> None:
        """Draw the tab that is seen."""
        if not self.isVisible() or self.found is None:
            return
        draws = (self._show_family, self._show_counts, self._show_durations, self._show_aligned)
        draws[self.tabs.currentIndex()]()

    def _show_family(self, *_: Any) -> None:
        found, encoding = self.found, self.session.encoding
        if found is None or encoding is None or not self.isVisible():
            return
        selected = self.session.selected
        track = None if selected is None else int(encoding.cells.track_id[selected])
        lanes = () if track is None else family_lanes(found, track)
        colors = [self._colors()[name] for name in self._classes]
        self.family.show_lanes(lanes, colors, "Class above, state below", NO_TRACK)
        self.told_cell.setText(told_family(found, lanes))
        self._frame_moved()

    def _show_counts(self) -> None:
        assert self.found is not None
        self.counts.show_curves(count_curves(self.found, self._colors()))
        self._frame_moved()

    def _show_durations(self) -> None:
        if self.found is None:
            return
        state = self._chosen_state()
        curves = survival_curves(self.found, self._colors(), state)
        self.survival.show_curves(curves, NO_CURVE)
        self.phases.show_phases(self.found, state)

    def _show_aligned(self, *_: Any) -> None:
        found, event, column = self.found, self.event.currentText(), self.column.currentText()
        if found is None:
            return
        if not event or not column:
            self.aligned.show_curves(None, NO_EVENT)
            return
        curves = None
        color = self._colors().get(event, (0.6, 0.6, 0.6, 1.0))

        def draw() -> None:
            nonlocal curves
            aligned = found.aligned(event, column, self.reach.value())
            curves = aligned_curves(found, aligned, color)

        why = self._guarded(draw)
        self.aligned.show_curves(curves, why)

    # -- time -------------------------------------------------------------------------------------

    def _frame_moved(self, *_: Any) -> None:
        if not self.isVisible():
            return
        shown = frame_shown(self._viewer, self.session)
        self.family.show_frame(-1 if shown is None else shown)
        self.counts.show_bar(shown)

    def _count_clicked(self, x: float) -> None:
        if self.counts.curves is not None:
            go_to_frame(self._viewer, self.session, frame_at(self.counts.curves, x))

    def go_to(self, track: int, t: int) -> None:
        """Go to the cell of a track in a frame; where it is missing, to the frame alone."""
        found = row_at(self.session, track, t)
        if found is None:
            go_to_frame(self._viewer, self.session, t)
        else:
            look_at(self._viewer, self.session, found)

    # -- files ------------------------------------------------------------------------------------

    def _save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Name of a new folder", "through-time")
        if path:
            self.save_to(Path(path))

    def save_to(self, out: Path) -> None:
        """Write all tables and figures into a new folder."""
        found, session = self.found, self.session
        if found is None or session.classification is not self._followed:
            return
        event, column = self.event.currentText(), self.column.currentText()

        def work(progress: Progress) -> Path:
            progress(0, 1)
            save(session, found, event, column, out)
            return out

        self.status.say("Writing …")
        self.work.start(
            work, lambda path: self.status.say(f"Written to {path}."), self.status.fault
        )


def _end(value: float) -> str:
    """End of an interval; a question mark if there is none."""
    return "?" if np.isnan(value) else f"{value:.4g}"


def _page(*widgets: QWidget) -> QWidget:
    """A page of widgets one above the other, the first taking the room that is left."""
    page = QWidget()
    layout = QVBoxLayout(page)
    layout.setContentsMargins(0, 4, 0, 0)
    layout.setSpacing(4)
    for i, widget in enumerate(widgets):
        layout.addWidget(widget, int(i == 0))
    return page
