"""The part of the *Perturb* dock that finds the smallest change of a cell, and shows its steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from napari_interpdisc.errors import InterpdiscError
from napari_interpdisc.figures.counterfactual_folder import write_path
from napari_interpdisc.io.results import check_empty_folder
from napari_interpdisc.widgets.canvas.cell_images import grey_limits
from napari_interpdisc.widgets.canvas.picking import look_at
from napari_interpdisc.widgets.parts.controls import (
    StatusLine,
    WorkBar,
    button,
    let_shrink,
)
from napari_interpdisc.widgets.parts.links import connect_while_alive
from napari_interpdisc.widgets.parts.pictures import PictureView, grey_picture
from napari_interpdisc.widgets.parts.wording import cell_name
from napari_interpdisc.widgets.parts.workers import Work
from napari_interpdisc.widgets.perturb.change import (
    ChangeResult,
    asked,
    find_change,
    is_shown,
    remove_step,
    show_step,
    target_choices,
)
from napari_interpdisc.widgets.perturb.path_strip import PathStrip
from napari_interpdisc.widgets.perturb.staleness import why_stale
from napari_interpdisc.widgets.session import Session

NO_CELLS = "Run Cells first, then click a cell in the viewer."
NO_CELL = "Click a cell in the viewer, then press Find."
READY = "Choose a class, then press Find."


class ChangePanel(QWidget):  # type: ignore[misc]
    """Find the smallest move of a cell, among real cells, that another class answers to.

    Parameters
    ----------
    viewer
        The viewer of the cells, unwrapped.
    session
        Its session.
    work
        What runs the search; its parent is the dock widget.
    """

    def __init__(self, viewer: Any, session: Session, work: Work) -> None:
        super().__init__()
        self._viewer, self.session, self.work = viewer, session, work
        self.result: ChangeResult | None = None
        self._chosen_for: int | None = None

        self.cell = QLabel()
        self.target = QComboBox()
        self.margin = QComboBox()
        self.run_button = QPushButton("Find")
        self.cancel_button = QPushButton("Cancel")
        self.progress = WorkBar("How much of the search is done.")
        self.status = StatusLine()
        self.stale, self.heading, self.told = StatusLine(), QLabel(), QLabel()
        self.decoded = PictureView("decoded step", "The latents of the step, decoded", 96)
        self.nearest = PictureView(
            "nearest real cell", "The real cell of another track that is nearest to the step", 96
        )
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.strip = PathStrip()
        self.step_told = QLabel()
        self.back_button = button(
            "Back to the cell", self._back, "Go back to the cell that was changed"
        )
        self.near_button = button(
            "Go to real cell", self._go_near, "Select the nearest real cell, and go to it"
        )
        self.save_button = button(
            "Save …", self._save, "Write the strip as PNG and its steps as CSV, in a new folder"
        )
        self.remove_button = button(
            "Remove layer", self._remove_layer, "Remove the layer 'counterfactual' from the viewer"
        )
        self._build()
        self._explain()

        connect_while_alive(
            self,
            (session.selected_changed, self._cell_changed),
            (session.encoding_changed, self._encoding_changed),
            (session.model_changed, self._cell_changed),
            (session.classification_changed, self._cell_changed),
        )
        self._show_result()
        self._cell_changed()

    # -- parts ------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.margin.addItem("to the boundary", "boundary")
        self.margin.addItem("as sure as it is now", "as sure")
        self.cancel_button.setEnabled(False)
        for box in (self.target, self.margin):
            let_shrink(box)
        for label in (self.cell, self.stale, self.heading, self.told, self.step_told):
            label.setWordWrap(True)
            label.setTextFormat(Qt.TextFormat.PlainText)
        self.heading.setStyleSheet("font-weight: bold")
        self.stale.setVisible(False)
        self.slider.setPageStep(1)
        form = QFormLayout()
        for text, field in (
            ("Cell", self.cell),
            ("Make it", self.target),
            ("How far", self.margin),
        ):
            form.addRow(text, field)
        pictures = QHBoxLayout()
        pictures.addWidget(self.decoded)
        pictures.addWidget(self.nearest)
        self.found = QWidget()
        found = QVBoxLayout(self.found)
        found.setContentsMargins(0, 0, 0, 0)
        for part in (self.heading, self.told):
            found.addWidget(part)
        found.addLayout(pictures)
        for part in (self.slider, self.strip, self.step_told):
            found.addWidget(part)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(form)
        layout.addLayout(_beside(self.run_button, self.cancel_button))
        for part in (self.progress, self.status, self.stale, self.found):
            layout.addWidget(part)
        layout.addLayout(_beside(self.near_button, self.back_button))
        layout.addLayout(_beside(self.save_button, self.remove_button))

        self.run_button.clicked.connect(self.run)
        self.cancel_button.clicked.connect(self._cancel)
        self.slider.valueChanged.connect(self._step_changed)
        self.strip.step_chosen.connect(self.slider.setValue)
        self.strip.cell_chosen.connect(self._go_to)
        self.work.progressed.connect(self.progress.show_progress)
        self.work.running_changed.connect(self._running_changed)

    def _explain(self) -> None:
        """Say of every part what it is for."""
        self.cell.setToolTip("The cell that you clicked in the viewer, and what it is called now")
        self.target.setToolTip("The class to reach; the runner-up comes first")
        self.margin.setToolTip(
            "To the boundary: the class just changes.\n"
            "As sure as it is now: the new class gets the margin that the present one has"
        )
        self.run_button.setToolTip(
            "Find the smallest move of the latents that the head uses, among real cells"
        )
        self.cancel_button.setToolTip("Stop. The layer does not change")
        self.stale.setToolTip("Why this result is not about what is chosen now")
        self.found.setToolTip("What was found")
        self.heading.setToolTip("Which cell, to which class, and whose score it is")
        self.told.setToolTip("What moves, and what speaks against trusting it")
        self.slider.setToolTip(
            "The step that is shown, here and in the layer 'counterfactual' over the cell"
        )
        self.step_told.setToolTip(
            "The margin is the logit of the wanted class less the best other one. SD: standard "
            "deviations of the prior, in the latents that the head uses"
        )

    # -- what the user does -----------------------------------------------------------------------

    def run(self, *_: Any) -> None:
        """Find the change on a thread of its own, then show it."""
        try:
            run = asked(
                self.session, self.target.currentData(), self.margin.currentData(), self.result
            )
        except InterpdiscError as fault:
            self.status.fault(str(fault))
            return
        self.status.say("Searching …")
        self.work.start(
            lambda progress: find_change(run, progress), self._finished, self.status.fault
        )

    def _cancel(self, *_: Any) -> None:
        self.work.cancel()
        self.status.say("Cancelled; nothing was changed.")

    def _finished(self, result: ChangeResult) -> None:
        session = self.session
        if result.run.encoding is not session.encoding or session.image not in self._viewer.layers:
            self.status.fault("The cells changed while this ran; search again.")
            return
        self.result = result
        self._show_result()
        show_step(self._viewer, session.image, result, 0)
        self.status.say("The layer 'counterfactual' follows the slider.")

    def _step_changed(self, step: int) -> None:
        result = self.result
        if result is None:
            return
        self._show_pictures()
        # a layer that the user removed stays away
        if self.found.isEnabled() and is_shown(self._viewer):
            show_step(self._viewer, self.session.image, result, step)

    def _go_to(self, row: int) -> None:
        if self.result is not None and self.result.run.encoding is self.session.encoding:
            look_at(self._viewer, self.session, row)

    def _go_near(self) -> None:
        if self.result is not None:
            self._go_to(int(self.result.path.nearest[self.slider.value()]))

    def _back(self) -> None:
        if self.result is not None:
            self._go_to(self.result.run.row)

    def _remove_layer(self) -> None:
        there = remove_step(self._viewer)
        self.status.say("The layer was removed." if there else "There was no such layer.")

    def _save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save in a new folder", "counterfactual")
        if path:
            self.save_to(Path(path))

    def save_to(self, folder: Path) -> None:
        """Write strip and steps into a new folder, on a thread: the picture takes a moment."""
        result, image = self.result, self.session.image
        if result is None:
            return
        note = {
            "image": str(image.source.path or image.name) if image is not None else "",
            "diameter": result.run.encoding.diameter,
            "margin": result.margin,
        }
        try:
            check_empty_folder(folder)
        except InterpdiscError as fault:
            self.status.fault(str(fault))
            return
        self.status.say("Writing …")
        self.work.start(
            lambda progress: write_path(folder, result.shown, note),
            lambda written: self.status.say(f"The path was written to {written}."),
            self.status.fault,
        )

    # -- what is shown ----------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 (Qt's name)
        """Catch up with what changed while hidden."""
        super().showEvent(event)
        self._cell_changed()
        self._show_pictures()

    def _running_changed(self, running: bool) -> None:
        self.run_button.setEnabled(not running)
        self.cancel_button.setEnabled(running)
        self.progress.show_running(running)

    def _encoding_changed(self, *_: Any) -> None:
        """Drop what belongs to cells that are gone."""
        self.work.stop()
        self.result = None
        self._show_result()
        self._cell_changed()

    def _cell_changed(self, *_: Any) -> None:
        """Offer the classes that the selected cell could become."""
        session = self.session
        choices = target_choices(session)
        wanted = self.target.currentData()
        self.target.clear()
        for name in choices:
            self.target.addItem(name, name)
        self.target.setEnabled(bool(choices))
        known = session.selected is not None
        self.cell.setText(_called(session) if known else "none selected")
        # the choice is kept while the cell stays; another cell has another runner-up
        if wanted in choices and session.selected == self._chosen_for:
            self.target.setCurrentIndex(choices.index(wanted))
        self._chosen_for = session.selected
        if not self.work.running and self.result is None:
            missing = NO_CELLS if session.encoding is None else NO_CELL
            self.status.say(READY if known else missing)
        self._update_stale()

    def _update_stale(self) -> None:
        """Grey a result of another model or head; another cell's says whose it is."""
        why = ""
        if self.result is not None:
            why = why_stale(self.session, self.result.run.model, self.result.run.head)
            self.back_button.setEnabled(self.session.selected != self.result.run.row)
        self.stale.warn(why)
        self.stale.setVisible(bool(why))
        self.found.setEnabled(not why)

    def _show_result(self) -> None:
        result = self.result
        for part in (self.found, self.near_button, self.back_button):
            part.setVisible(result is not None)
        self.save_button.setEnabled(result is not None)
        self.strip.show_result(result)
        if result is None:
            return
        # before the range: both ends of the slider belong to this result
        self.slider.blockSignals(True)
        self.slider.setRange(0, len(result.path.scores) - 1)
        self.slider.setValue(0)
        self.slider.blockSignals(False)
        self.heading.setText(result.heading)
        self.told.setText(" ".join(result.path.sentences(result.run.model)))
        self._update_stale()
        self._show_pictures()

    def _show_pictures(self) -> None:
        result = self.result
        if result is None or not self.isVisible():
            return
        step, shown = self.slider.value(), result.shown
        limits = grey_limits(shown.pictures)
        self.decoded.show_picture(grey_picture(shown.pictures[step], limits))
        self.nearest.show_picture(grey_picture(shown.real[step], grey_limits(shown.real)))
        self.strip.show_step(step)
        self.step_told.setText(result.step_told(step))


def _called(session: Session) -> str:
    """The selected cell and its class: ``Cell 12, frame 3: Metaphase``."""
    row, result = session.selected, session.classification
    if row is None or session.encoding is None or session.frames is None:
        return ""
    name = cell_name(session.encoding, row, session.frames.is_movie)
    if result is None or result.index[row] < 0:
        return name
    return f"{name}: {result.classes[result.index[row]]}"


def _beside(*parts: QWidget) -> QHBoxLayout:
    layout = QHBoxLayout()
    for part in parts:
        layout.addWidget(part)
    return layout
