"""Dock widget *Anatomy*: a head taken apart, and what each part responds to."""

from __future__ import annotations

import time
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import QSignalBlocker, QSize, Qt, QTimer
from qtpy.QtGui import QColor, QShowEvent
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from napari_interpdisc._types import Float64Array
from napari_interpdisc.errors import InterpdiscError, InvalidInput
from napari_interpdisc.figures.palette import class_colors
from napari_interpdisc.number_text import with_sign
from napari_interpdisc.scrutiny.anatomy import Anatomy, parts_of
from napari_interpdisc.scrutiny.anatomy_findings import Finding
from napari_interpdisc.scrutiny.anatomy_graph import Place
from napari_interpdisc.scrutiny.anatomy_parts import Part, check_takes_apart
from napari_interpdisc.widgets.anatomy.choice_panel import ChoicePanel
from napari_interpdisc.widgets.anatomy.findings_view import FindingsView
from napari_interpdisc.widgets.anatomy.graph_view import GraphView
from napari_interpdisc.widgets.anatomy.part_view import PartView
from napari_interpdisc.widgets.anatomy.pictures_panel import PicturesPanel
from napari_interpdisc.widgets.anatomy.response_plot import ResponsePlot, reach_of
from napari_interpdisc.widgets.anatomy.run import (
    SUFFIXES,
    find_in_turn,
    kind_of_file,
    plan_report,
    write_graph,
    write_head_report,
    write_plot,
)
from napari_interpdisc.widgets.anatomy.seen_cells import SeenCells, seen_cells
from napari_interpdisc.widgets.canvas.compat import unwrapped
from napari_interpdisc.widgets.canvas.picking import connect_picking, look_at
from napari_interpdisc.widgets.parts.controls import (
    ScrolledPage,
    StatusLine,
    WorkBar,
    button,
    folded,
    let_grow,
    row,
)
from napari_interpdisc.widgets.parts.links import connect_while_alive
from napari_interpdisc.widgets.parts.rule_view import RuleView, rule_part
from napari_interpdisc.widgets.parts.wording import cell_name
from napari_interpdisc.widgets.parts.workers import Work
from napari_interpdisc.widgets.session import session_of

REDRAW_MS = 15
"""Moves within this time are drawn once."""

MINIMUM_HEIGHT = 300
WIDTH = 420

MIDDLE = "No cell is selected: all is held at the middle cell. Click a cell to have its dot."
NOT_TESTED = "This part was not tested; press Test."
TESTING = "Testing …"
PLOTS = "PNG (*.png);;SVG (*.svg);;CSV (*.csv)"


class AnatomyWidget(QWidget):  # type: ignore[misc]
    """Show the parts of the session's head, and the selected cell as a dot in them.

    Sparse heads and formulas are taken apart. Of a dense head it says why not, and shows which
    latents weigh most. Plots are there at once; tests of the parts run on a thread.

    Parameters
    ----------
    napari_viewer
        The viewer whose cells are looked at.

    Attributes
    ----------
    seen
        The cells at which the head is looked at, or None while hidden.
    anatomy
        The head taken apart, or None.
    view
        The part that is drawn, or None.
    found
        What was tested of each part, by its name.
    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self._viewer = unwrapped(napari_viewer)
        self.session = session_of(napari_viewer)
        connect_picking(napari_viewer, self.session)
        self.work, self.tests = Work(self), Work(self)
        self.seen: SeenCells | None = None
        self.anatomy: Anatomy | None = None
        self.view: PartView | None = None
        self.found: dict[str, tuple[Finding, ...]] = {}
        self._colors: list[QColor] = []
        self._taken: tuple[object, object, object] = (None, None, None)
        self._stale = self._limits_stale = True
        self._legend = ""
        self._drawn_at = 0.0
        self._pointed: Float64Array | None = None
        self._redraw, self._repoint = QTimer(self), QTimer(self)
        self._build()
        session = self.session
        connect_while_alive(
            self,
            (session.model_changed, self._head_changed),
            (session.encoding_changed, self._head_changed),
            (session.classification_changed, self._head_changed),
            (session.selected_changed, self._cell_changed),
            (session.edited_changed, self._draw_soon),
        )

    # -- parts ------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.head = QComboBox()
        self.head.setToolTip("Choose the head to take apart. It classifies the cells from then on.")
        self.head.activated.connect(self._choose_head)
        self.about = StatusLine()
        self.about.setToolTip("With which cells the head is looked at.")
        self.graph = GraphView()
        self.graph.picked.connect(self.pick_neuron)
        self.choice = ChoicePanel()
        self.choice.part_chosen.connect(self.show_part)
        self.choice.axes_chosen.connect(self._choose_axes)
        self.plot = ResponsePlot()
        self.plot.dragged.connect(self._dragged)
        self.plot.pointed.connect(self._point)
        self.plot.clicked.connect(self._go_to)
        self.legend = QLabel()
        self.legend.setWordWrap(True)
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        self.legend.setToolTip("What the colours and lines of the plot mean.")
        self.whose = QLabel()
        self.whose.setWordWrap(True)
        self.whose.setToolTip("The cell whose values all inputs off the axes keep.")
        self.reset = button("Reset", self._reset, "Give the cell its own latents back.")
        self.pictures = PicturesPanel()
        self.findings = FindingsView()
        self.rule = RuleView(self.session, own_cell=False)
        self.apart = QWidget()
        inner = QVBoxLayout(self.apart)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(4)
        tested = folded("What was tested")
        tested.toggleButton().setToolTip("Show or fold the sentences on this part.")
        let_grow(tested, self.findings)
        tested.expand(animate=False)
        for part in (self.graph, self.choice):
            inner.addWidget(part)
        inner.addWidget(self.plot, 1)
        for part in (row(self.whose, self.reset), self.pictures, self.legend, tested):
            inner.addWidget(part)
        self.progress = WorkBar("How much of the work is done.")
        self.status = StatusLine()
        self.test = button("Test", self.run_tests, "Test what is not yet tested of this head.")
        self.save = button(
            "Save plot …", self._save_plot, "Save the plot as a picture, or its numbers as a table."
        )
        self.save_net = button(
            "Save graph …", self._save_graph, "Save the graph as a picture, or its weights."
        )
        self.report = button(
            "Report …", self._save_report,
            "Write all that is known of this head as one HTML file, for a paper's supplement.",
        )  # fmt: skip
        self.cancel = button("Cancel", self._cancel, "Stop. What was tested stays.")
        for timer, action in ((self._redraw, self._draw), (self._repoint, self._draw_pointed)):
            timer.setSingleShot(True)
            timer.setInterval(REDRAW_MS)
            timer.timeout.connect(action)
        for work in (self.work, self.tests):
            work.progressed.connect(self._progressed)
            work.running_changed.connect(self._show_running)
        self._lay_out()
        self._show_running()

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Head", self.head)
        form.labelForField(self.head).setToolTip(self.head.toolTip())
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setSpacing(4)
        layout.addLayout(form)
        layout.addWidget(self.about)
        layout.addWidget(self.apart, 1)
        layout.addWidget(rule_part(self.rule))
        layout.addStretch()
        foot = QVBoxLayout()
        foot.setContentsMargins(8, 0, 8, 0)
        foot.setSpacing(4)
        buttons = QHBoxLayout()
        buttons.setSpacing(4)
        for knob in (self.test, self.save, self.save_net, self.report, self.cancel):
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

    # -- a head -----------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 (Qt's name)
        """Catch up with what changed while hidden."""
        super().showEvent(event)
        if self._stale:
            self._take_apart()
        else:
            self._draw()

    def _head_changed(self, *_: Any) -> None:
        self._stale = True
        if self.isVisible():
            self._take_apart()

    def _take_apart(self) -> None:
        """Take the session's head apart, if that was not done with these cells."""
        self._stale = False
        session = self.session
        try:
            model = session.model
            named = model.head(session.head_name)
            self._show_heads()
            given = (model, named, session.encoding)
            if any(new is not old for new, old in zip(given, self._taken, strict=True)):
                self.tests.stop()
                self.seen = seen_cells(session)
                self._taken = given
                self.found, self.anatomy, self.view = {}, None, None
                check_takes_apart(named, model)
                self.anatomy = parts_of(model, named.name, self.seen.population)
        except InterpdiscError as fault:
            self._show_nothing(str(fault))
            return
        if self.anatomy is not None and self.seen is not None:
            self._show_apart(self.anatomy, self.seen)

    def _show_heads(self) -> None:
        session = self.session
        names = {one.name: f"{one.name} ({one.head.kind})" for one in session.model.heads.values()}
        with QSignalBlocker(self.head):
            self.head.clear()
            for name, text in names.items():
                self.head.addItem(text, name)
            here = session.model.head(session.head_name).name
            self.head.setCurrentIndex(self.head.findData(here))

    def _choose_head(self, index: int) -> None:
        self._clear_status()
        self._guarded(lambda: self.session.set_model(self.session.model, self.head.itemData(index)))

    def _show_nothing(self, why: str) -> None:
        """Say why nothing is taken apart; the rule below still tells what weighs most."""
        self.anatomy = self.view = None
        self.apart.setVisible(False)
        self.about.say(why)
        self.graph.show_graph(None)
        self.plot.show_response(None, None, [])
        self.rule.show_latents(self.session.edited)
        self._show_running()

    def _show_apart(self, anatomy: Anatomy, seen: SeenCells) -> None:
        self._colors = self._cell_colors(seen)
        self.about.say(seen.note)
        self.apart.setVisible(True)
        if self.view is None:
            self.pictures.set_model(self.session.model, anatomy.head)
            self.graph.setVisible(anatomy.graph is not None)
            self.graph.show_graph(anatomy.graph, anatomy.cut)
            self.choice.show_parts([*anatomy.parts, *anatomy.wholes])
            drawable = [one for one in (*anatomy.wholes, *anatomy.parts) if one.inputs]
            if not drawable:
                self._show_nothing(f"Head '{anatomy.head}' is a constant: it reads no latent.")
                return
            self.show_part(drawable[0])
            self.run_tests()
        else:
            self._show_legend()
            self._cell_changed()
        self._show_running()

    def _cell_colors(self, seen: SeenCells) -> list[QColor]:
        """Colour of each point: that of the cell's class."""
        result = self.session.classification
        if seen.rows is None:
            return []
        if result is None or result.encoding is not seen.encoding:
            return [QColor("#9a9a9a")] * len(seen.rows)
        palette = class_colors(result.classes)
        colors = [QColor.fromRgbF(*palette[name]) for name in result.classes]
        return [colors[k] for k in result.index[seen.rows]]

    # -- a part -----------------------------------------------------------------------------------

    def pick_neuron(self, place: Place) -> None:
        """Show the sub-network below a neuron."""
        anatomy = self.anatomy
        if anatomy is None or anatomy.graph is None or anatomy.cut is None:
            return
        cut_out = [one.part for one in anatomy.cut.sub_networks if one.place == place]
        self.show_part(cut_out[0] if cut_out else anatomy.graph.part(place), place=place)

    def show_part(
        self, part: Part, axes: tuple[int, ...] | None = None, place: Place | None = None
    ) -> None:
        """Draw a part over some of its inputs: its strongest if left out."""
        if self.seen is None or self.anatomy is None:
            return
        if not part.inputs:
            self.status.say(f"{part.name} is a constant: there is nothing to draw.")
            self.choice.show_chosen(self.view.part if self.view else None, self._axes())
            return
        self._clear_status()
        self.view = PartView(part, self.seen.population, self.session.model, axes)
        self.choice.show_chosen(part, self._axes())
        self.graph.mark(place if place is not None else self._place_of(part))
        self._point(None)
        self._show_legend()
        self._cell_changed()
        self._show_findings()
        if self.isVisible() and part.name not in self.found and not self.tests.running:
            self.run_tests()

    def _axes(self) -> tuple[int, ...]:
        return () if self.view is None else self.view.axes

    def _place_of(self, part: Part) -> Place | None:
        """Neuron of a sub-network in the list."""
        cut = None if self.anatomy is None else self.anatomy.cut
        found = [one.place for one in cut.sub_networks if one.part is part] if cut else []
        return found[0] if found else None

    def _choose_axes(self, axes: tuple[int, int]) -> None:
        if self.view is not None:
            self.show_part(self.view.part, axes, self.graph.chosen)

    def _show_legend(self) -> None:
        view, seen = self.view, self.seen
        if view is None or seen is None or self.anatomy is None:
            return
        lines = []
        if view.is_map:
            zero = "0, the decision boundary" if view.part.decides else "0"
            lines.append(f"Thick line: {zero}. Arrows point to higher values.")
        else:
            lines.append("Diamonds: 0, the decision boundary." if view.part.decides else "")
        if seen.are_real:
            lines.append("Grey: no cell nearby.")
            lines.append("" if view.is_map else "The cells are below the curve.")
            result = self.session.classification
            if result is not None and result.encoding is seen.encoding:
                palette = class_colors(result.classes)
                lines.append(
                    " ".join(
                        f'<span style="color:{QColor.fromRgbF(*palette[name]).name()}">●</span> '
                        f"{escape(name)}"
                        for name in result.classes
                    )
                )
                absent = [c for k, c in enumerate(result.classes) if not (result.index == k).any()]
                if absent:
                    lines.append(f"No present cell is called {escape(' or '.join(absent))}.")
        if not view.can_move:
            lines.append("An axis is a neuron and no latent: the dot cannot be dragged here.")
        self._legend = " ".join(filter(None, lines))

    def _tell_scale(self) -> None:
        """Say what the colours of a map are, in front of the legend."""
        told = self._legend
        if self.view is not None and self.view.is_map and self.plot.found is not None:
            reach = reach_of(self.plot.found)
            told = (
                f"Colours: purple {with_sign(-reach)}, white 0, orange {with_sign(reach)}. {told}"
            )
        if self.legend.text() != told:
            self.legend.setText(told)

    # -- a cell -----------------------------------------------------------------------------------

    def _latents(self) -> Float64Array:
        """Latents at which all is held: those of the selected cell, or of the middle one."""
        assert self.seen is not None
        assert self.view is not None
        if self.session.edited is not None and self.seen.are_real:
            return self.session.edited.astype(float)
        population = self.seen.population
        return np.asarray(population.latents[population.middle(self.view.part)])

    def _cell_changed(self, *_: Any) -> None:
        """Take over the selected cell."""
        if self._stale or not self.isVisible():
            self._stale = self._stale or self.view is None
            self._limits_stale = True
            return
        session = self.session
        if self.view is None or self.seen is None:
            self.rule.show_latents(session.edited)
            return
        if not self.seen.are_real:
            self.whose.setText("There is no dot: all is held at a drawn cell in the middle.")
        elif session.edited is None:
            self.whose.setText(MIDDLE)
        self._limits_stale = False
        self.pictures.set_limits(self.view.corners(self._latents()))
        self._draw()

    def _draw_soon(self, *_: Any) -> None:
        if self.isVisible() and not self._redraw.isActive():
            # at once after a rest, and no sooner than 15 ms after what was drawn last
            rest = (time.monotonic() - self._drawn_at) * 1000
            self._redraw.start(max(0, round(REDRAW_MS - rest)))

    def _draw(self) -> None:
        """Draw the part, the dot, what the latents decode to, and the rule's values."""
        view, session, seen = self.view, self.session, self.seen
        if not self.isVisible() or view is None or seen is None:
            return
        if self._limits_stale:
            self._cell_changed()
            return
        self._drawn_at = time.monotonic()
        z = self._latents()
        has = session.edited is not None and seen.are_real
        self.plot.show_response(view, view.response(z), self._colors)
        before = session.own if has and session.is_edited else None
        own = None if before is None else view.place(before)[0]
        dot = view.place(z) if has else None
        self.plot.show_dot(dot, own)
        if dot is not None:
            self._tell_cell(dot[0])
        self.pictures.show_cell(z, session.own if has else None)
        self.rule.show_latents(session.edited)
        self.reset.setEnabled(session.is_edited)
        self._tell_scale()

    def _tell_cell(self, place: Float64Array) -> None:
        """Say whose dot it is, and where it cannot be seen."""
        session, view = self.session, self.view
        assert session.encoding is not None
        assert session.selected is not None
        assert view is not None
        is_movie = session.frames is not None and session.frames.is_movie
        told = cell_name(session.encoding, session.selected, is_movie)
        if not np.allclose(view.inside(place), place, atol=1e-5):
            told += ": its dot is beyond the axes"
        if self.whose.text() != told:
            self.whose.setText(told)

    def _dragged(self, values: Float64Array) -> None:
        if self.view is not None and self.session.edited is not None:
            self.session.edit(self.view.moved(self.session.edited, values), by=self)

    def _point(self, values: Float64Array | None) -> None:
        self._pointed = values
        if not self._repoint.isActive():
            self._repoint.start()

    def _draw_pointed(self) -> None:
        """Decode what is under the mouse."""
        view = self.view
        if not self.isVisible() or view is None:
            return
        if self._pointed is None or not view.can_move:
            self.pictures.show_pointed(None)
        else:
            self.pictures.show_pointed(view.moved(self._latents(), self._pointed))

    def _go_to(self, at: int) -> None:
        seen = self.seen
        if seen is not None and seen.rows is not None and seen.encoding is self.session.encoding:
            look_at(self._viewer, self.session, int(seen.rows[at]))

    def _reset(self) -> None:
        self.session.reset_edited(by=self)

    # -- tests ------------------------------------------------------------------------------------

    def run_tests(self) -> None:
        """Test all parts on a thread, that which is drawn first; what was tested stays."""
        anatomy, view = self.anatomy, self.view
        if anatomy is None or view is None or not self.isVisible():
            return
        every = [view.part, *(p for p in (*anatomy.parts, *anatomy.wholes) if p is not view.part)]
        model, cells, found = self.session.model, anatomy.cells, self.found
        self.tests.start(
            lambda progress: find_in_turn(every, model, cells, found, progress),
            lambda _: self._tested(every),
            self.status.fault,
        )
        self._show_findings()

    def _tested(self, tested: list[Part]) -> None:
        self._show_findings()
        # a neuron may have been picked meanwhile
        if self.view is not None and not any(one is self.view.part for one in tested):
            self.run_tests()

    def _show_findings(self) -> None:
        if self.view is None:
            return
        part = self.view.part
        found = self.found.get(part.name)
        if found is not None:
            self.findings.show_findings(part, found)
        else:
            self.findings.say(TESTING if self.tests.running else NOT_TESTED)

    def _progressed(self, done: int, n: int) -> None:
        self.progress.show_progress(done, n)
        if self.view is not None and self.findings.lines and self.tests.running:
            self._show_findings()

    def _show_running(self, *_: Any) -> None:
        running = self.work.running or self.tests.running
        self.progress.show_running(running)
        self.cancel.setVisible(running)
        shown = self.view is not None
        untested = self.anatomy is not None and any(
            one.name not in self.found for one in (*self.anatomy.parts, *self.anatomy.wholes)
        )
        self.test.setVisible(shown and untested and not running)
        self.save.setEnabled(shown and not self.work.running)
        has_graph = self.anatomy is not None and self.anatomy.graph is not None
        self.save_net.setVisible(has_graph)
        self.save_net.setEnabled(not self.work.running)
        self.report.setEnabled(not self.work.running)
        if not self.tests.running:
            self._show_findings()

    def _clear_status(self) -> None:
        """Take back what was said, but not of a file that is being written."""
        if not self.work.running:
            self.status.clear()

    def _cancel(self) -> None:
        for work in (self.work, self.tests):
            work.cancel()
        self.status.say("Stopping …")

    # -- files ------------------------------------------------------------------------------------

    def _guarded(self, action: Callable[[], Any]) -> None:
        try:
            action()
        except InterpdiscError as fault:
            self.status.fault(str(fault))

    def _ask_plot(self, title: str, name: str) -> Path | None:
        """Ask for the file of a plot; without a suffix it is the kind that was chosen."""
        text, kind = QFileDialog.getSaveFileName(self, title, f"{name}.png", PLOTS)
        if not text:
            return None
        path = Path(text)
        suffix = next((one for one in SUFFIXES if one in kind), SUFFIXES[0])
        return path if path.suffix else path.with_name(path.name + suffix)

    def _save_plot(self) -> None:
        if self.view is not None:
            path = self._ask_plot("Save the plot", self.view.part.name.replace(" ", "-"))
            if path is not None:
                self.save_plot_to(path)

    def save_plot_to(self, path: Path) -> None:
        """Write the present plot as a figure or a table, by the file's suffix; on a thread."""
        view, anatomy = self.view, self.anatomy
        if view is None or anatomy is None:
            return
        z = self._latents()
        title = f"{anatomy.head} of {anatomy.model}"

        def begin() -> None:
            kind_of_file(path)
            self._write(lambda: write_plot(path, view.panel(z), view.cells, title), path)

        self._guarded(begin)

    def _save_graph(self) -> None:
        if self.anatomy is not None:
            path = self._ask_plot("Save the graph", f"{self.anatomy.head}-graph")
            if path is not None:
                self.save_graph_to(path)

    def save_graph_to(self, path: Path) -> None:
        """Write the graph of a sparse head as a figure or a table of weights; on a thread."""
        anatomy = self.anatomy

        def begin() -> None:
            kind_of_file(path)
            if anatomy is not None:
                self._write(lambda: write_graph(path, anatomy), path)

        self._guarded(begin)

    def _write(self, work: Callable[[], Any], path: Path) -> None:
        self.status.say("Writing …")
        self.work.start(
            lambda _: work(), lambda _: self.status.say(f"Written: {path}."), self.status.fault
        )

    def _save_report(self) -> None:
        try:
            name = self.session.model.head(self.session.head_name).name
        except InterpdiscError as fault:
            self.status.fault(str(fault))
            return
        text, _ = QFileDialog.getSaveFileName(
            self, "Write a report", f"{name}-report.html", "HTML (*.html)"
        )
        if text:
            path = Path(text)
            self.report_to(path if path.suffix else path.with_name(path.name + ".html"))

    def report_to(self, path: Path) -> None:
        """Write the report on the present head, with the present cells; on a thread."""

        def begin() -> None:
            if path.suffix.lower() not in (".html", ".htm"):
                raise InvalidInput(f"{path.name} is no HTML file; let its name end with .html.")
            run = plan_report(self.session)
            n = 0 if run.rows is None else len(run.rows)
            self.status.say(f"Writing the report with {n} cells; this takes a few minutes …")
            self.work.start(
                lambda progress: write_head_report(path, run, progress),
                lambda written: self.status.say(f"The report was written to {written}."),
                self.status.fault,
            )

        self._guarded(begin)
