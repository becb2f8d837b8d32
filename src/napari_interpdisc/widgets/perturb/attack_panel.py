"""The part of the *Perturb* dock that attacks cells, and lays the result over them."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any, Literal

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)
from superqt import QLabeledDoubleSlider

from napari_interpdisc.crops import usable_cells
from napari_interpdisc.errors import InterpdiscError, InvalidInput
from napari_interpdisc.io.results import write_table
from napari_interpdisc.scrutiny.attacks import FLIP_GRID, AttackSettings
from napari_interpdisc.widgets.canvas.cell_images import grey_limits
from napari_interpdisc.widgets.canvas.picking import frame_shown
from napari_interpdisc.widgets.parts.controls import (
    StatusLine,
    WorkBar,
    button,
    let_shrink,
)
from napari_interpdisc.widgets.parts.links import connect_while_alive
from napari_interpdisc.widgets.parts.pictures import PictureView, grey_picture, signed_picture
from napari_interpdisc.widgets.parts.wording import cell_name
from napari_interpdisc.widgets.parts.workers import Work
from napari_interpdisc.widgets.perturb.attack_table import AttackTable, note_of, table_of
from napari_interpdisc.widgets.perturb.run import (
    METHODS,
    PerturbResult,
    PerturbRun,
    carry_out,
    frozen_from_text,
    grey_out,
    remove_layers,
    search_smallest,
    show_layers,
)
from napari_interpdisc.widgets.perturb.staleness import why_stale
from napari_interpdisc.widgets.session import Session

Space = Literal["image", "latent"]

MAX_EPSILON = 3.0
DEFAULT_EPSILON: dict[Space, float] = {"image": 0.5, "latent": 1.0}
"""The paper's, in standard deviations of the crop and of the prior (§5.5)."""

METHOD_TIPS = {
    "fgsm": "One step of ε along the sign of the gradient",
    "pgd": "Ten shorter steps within the same ε: a stronger attack",
    "random": "Random signs of the same size ε: a control",
}

NO_CELLS = "Run Cells first, then click a cell in the viewer."
ANY_OTHER = "any other class"
SELECT_ONE = "Select one of the cells to learn its smallest ε."


class AttackPanel(QWidget):  # type: ignore[misc]
    """Perturb the selected cell, or all cells of the frame, by FGSM, PGD or random signs.

    Parameters
    ----------
    viewer
        The viewer whose cells are perturbed, unwrapped.
    session
        Its session.
    work
        What runs the attack; its parent is the dock widget.
    """

    def __init__(self, viewer: Any, session: Session, work: Work) -> None:
        super().__init__()
        self._viewer, self.session, self.work = viewer, session, work
        self.search = Work(work.parent())
        self.result: PerturbResult | None = None
        self._epsilons = dict(DEFAULT_EPSILON)
        self._space: Space = "image"

        self.cells = QComboBox()
        self.space = QComboBox()
        self.method = QComboBox()
        self.target = QComboBox()
        self.epsilon = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
        self.frozen = QLineEdit()
        self.run_button = QPushButton("Run")
        self.cancel_button = QPushButton("Cancel")
        self.progress = WorkBar("How much of the attack and its controls is done.")
        self.status = StatusLine()
        self.stale, self.heading = StatusLine(), QLabel()
        self.views = {
            "image": PictureView("image", "The crop of the cell, normalised", 66),
            "reconstruction": PictureView("decoded", "Its latents, decoded", 66),
            "perturbed": PictureView("perturbed", "The cell after the attack", 66),
            "perturbation": PictureView(
                "change", "Perturbed less original: red is brighter, blue is darker", 66
            ),
        }
        self.flips = QLabel()
        self.smallest = QLabel()
        self.table = AttackTable()
        self.export_button = button(
            "Export table …", self._export, "Write the table as CSV, with its settings beside it"
        )
        self.remove_button = button(
            "Remove layers",
            self._remove_layers,
            "Remove the layers that Perturb laid over the cells, and the outlines of flips",
        )
        self._build()
        self._explain()

        connect_while_alive(
            self,
            (self.session.selected_changed, self._selection_changed),
            (self.session.encoding_changed, self._encoding_changed),
            (self.session.model_changed, self._head_changed),
            (self.session.classification_changed, self._head_changed),
            (self._viewer.dims.events.current_step, self._update_stale),
        )
        self._head_changed()
        self._selection_changed()
        self._show_result()

    # -- parts ------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.cells.addItem("Selected cell", "selected")
        self.cells.addItem("All cells of this frame", "frame")
        self.space.addItem("Image (pixels)", "image")
        self.space.addItem("Latents", "latent")
        for method, name in METHODS.items():
            self.method.addItem(name, method)
        self.epsilon.setRange(0, MAX_EPSILON)
        self.epsilon.setSingleStep(0.05)
        self.epsilon.setDecimals(2)
        self.epsilon.setValue(self._epsilons["image"])
        self.frozen.setPlaceholderText("none, or for example 3, 17")
        self.cancel_button.setEnabled(False)
        for box in (self.cells, self.space, self.method, self.target):
            let_shrink(box)
        for label in (self.flips, self.smallest, self.heading, self.stale):
            label.setWordWrap(True)
        self.heading.setTextFormat(Qt.TextFormat.PlainText)
        self.heading.setStyleSheet("font-weight: bold")
        self.stale.setVisible(False)

        form = QFormLayout()
        for text, field in (
            ("Perturb", self.cells),
            ("by", self.method),
            ("towards", self.target),
            ("in the space of", self.space),
            ("ε =", self.epsilon),
            ("Frozen latents", self.frozen),
        ):
            form.addRow(text, field)
        buttons = QHBoxLayout()
        buttons.addWidget(self.run_button)
        buttons.addWidget(self.cancel_button)
        pictures = QHBoxLayout()
        pictures.setSpacing(4)
        for view in self.views.values():
            pictures.addWidget(view)
        self.found = QWidget()
        found = QVBoxLayout(self.found)
        found.setContentsMargins(0, 0, 0, 0)
        found.addWidget(self.heading)
        found.addLayout(pictures)
        for part in (self.smallest, self.flips):
            found.addWidget(part)
        found.addWidget(self.table, stretch=1)
        after = QHBoxLayout()
        after.addWidget(self.export_button)
        after.addWidget(self.remove_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(form)
        layout.addLayout(buttons)
        for part in (self.progress, self.status, self.stale):
            layout.addWidget(part)
        layout.addWidget(self.found, stretch=1)
        layout.addLayout(after)

        self.space.currentIndexChanged.connect(self._space_changed)
        self.run_button.clicked.connect(self.run)
        self.cancel_button.clicked.connect(self._cancel)
        self.work.progressed.connect(self.progress.show_progress)
        self.work.running_changed.connect(self._running_changed)
        self.table.chosen.connect(self._go_to)

    def _explain(self) -> None:
        """Say of every part what it is for."""
        self.cells.setToolTip(
            "The cell that you clicked in the viewer, or all cells of the frame that is shown"
        )
        self.space.setToolTip(
            "Image: every pixel of the normalised crop moves by ε. "
            "Latents: every free latent moves by ε, and the result is decoded."
        )
        self.method.setToolTip(
            "The attack whose pictures and layers are shown; all three are run.\n"
            + "\n".join(f"{METHODS[m]}: {tip}" for m, tip in METHOD_TIPS.items())
        )
        self.target.setToolTip(
            "The class to reach. Cells that are called it already stay as they are"
        )
        self.epsilon.setToolTip(
            "Size of the step in standard deviations: of the crop's pixels (the paper uses 0.5), "
            "or of the latents (the paper uses 1.0)"
        )
        self.frozen.setToolTip(
            "Latents that are kept, as numbers or names. Can the class change without them?"
        )
        self.run_button.setToolTip("Perturb, and lay the result over the cells as image layers")
        self.cancel_button.setToolTip("Stop. The layers do not change")
        self.smallest.setToolTip(
            f"The smallest ε up to {max(FLIP_GRID):g} at which the attack that is shown changes "
            "the class of the selected cell, or reaches the class aimed at"
        )
        self.flips.setToolTip("\n".join(f"{METHODS[m]}: {tip}" for m, tip in METHOD_TIPS.items()))
        self.heading.setToolTip("What was perturbed, how, and whose score it was")
        self.stale.setToolTip("Why this result is not about what is chosen now")
        self.found.setToolTip("The result of the last run")

    # -- what the user does -----------------------------------------------------------------------

    def run(self, *_: Any) -> None:
        """Perturb on a thread of its own, then add the layers."""
        try:
            run = self._asked()
        except InterpdiscError as fault:
            self.status.fault(str(fault))
            return
        self.status.say(f"Perturbing … {run.left_out}".strip())
        self.work.start(
            lambda progress: carry_out(run, progress), self._finished, self.status.fault
        )

    def _asked(self) -> PerturbRun:
        """Take down what the form asks for.

        Raises
        ------
        InvalidInput
            If there are no such cells, or a field cannot be used.
        """
        session = self.session
        if session.encoding is None or session.frames is None:
            raise InvalidInput(NO_CELLS)
        if self.cells.currentData() == "selected":
            if session.selected is None:
                raise InvalidInput("No cell is selected; click one in the viewer first.")
            session.crop(session.selected)  # a cell without pixels is refused here
            rows = np.array([session.selected], dtype=np.int64)
            left_out = ""
        else:
            t = frame_shown(self._viewer, session)
            rows = np.flatnonzero(session.encoding.cells.t == t)
            if not len(rows):
                raise InvalidInput(
                    "There are no cells in the frame that is shown; move to one with cells."
                )
            usable, left_out = usable_cells(session.encoding.no_pixels[rows], f"frame {t}")
            rows = rows[usable]
        model = session.model
        settings = AttackSettings(
            space=self._space,
            method=self.method.currentData(),
            target=self.target.currentData(),
            epsilon=round(float(self.epsilon.value()), 3),
            frozen_latents=frozen_from_text(
                self.frozen.text(), model.n_latents, model.latent_names
            ),
        )
        return PerturbRun(
            session.frames,
            session.encoding,
            rows,
            session.selected,
            model,
            session.head_name,
            settings,
            left_out,
            self.cells.currentData() == "frame",
        )

    def _cancel(self, *_: Any) -> None:
        self.work.cancel()
        self.status.say("Cancelled; nothing was changed.")

    def _space_changed(self, *_: Any) -> None:
        """Give each space its own ε: they are measured in different units."""
        self._epsilons[self._space] = float(self.epsilon.value())
        self._space = self.space.currentData()
        self.epsilon.setValue(self._epsilons[self._space])

    def _go_to(self, row: int) -> None:
        if self.result is not None and self.result.run.encoding is self.session.encoding:
            self.session.select(row)

    def _remove_layers(self) -> None:
        n = remove_layers(self._viewer)
        self.status.say(f"Removed {n} layer{'s' * (n != 1)}." if n else "There was no such layer.")

    def _export(self) -> None:
        if self.result is None:
            return
        path, _ = QFileDialog.getSaveFileName(
            self, "Export the table", "attack.csv", "Tables (*.csv *.parquet)"
        )
        if path:
            self.export_to(Path(path))

    def export_to(self, path: Path) -> None:
        """Write the table of the last run, with its settings beside it."""
        if self.result is None:
            return
        image = self.session.image
        source = str((image.source.path or image.name) if image is not None else "")
        try:
            write_table(table_of(self.result), note_of(self.result, source), path)
        except InterpdiscError as fault:
            self.status.fault(str(fault))
            return
        self.status.say(f"The table was written to {path}.")

    # -- what is shown ----------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 (Qt's name)
        """Catch up with what changed while hidden."""
        super().showEvent(event)
        self._selection_changed()

    def _running_changed(self, running: bool) -> None:
        self.run_button.setEnabled(not running)
        self.cancel_button.setEnabled(running)
        self.progress.show_running(running)

    def _encoding_changed(self, *_: Any) -> None:
        """Drop what belongs to cells that are gone."""
        self.work.stop()
        self.search.stop()
        self.result = None
        grey_out(self._viewer, True)
        self._show_result()
        self._selection_changed()

    def _head_changed(self, *_: Any) -> None:
        """Offer the classes of the head; a class that it has too stays chosen."""
        session = self.session
        classes: tuple[str, ...] = ()
        if session.has_model:
            classes = session.model.head(session.head_name).classes
        wanted = self.target.currentData()
        if [self.target.itemData(k) for k in range(1, self.target.count())] != list(classes):
            self.target.clear()
            self.target.addItem(ANY_OTHER, None)
            for name in classes:
                self.target.addItem(name, name)
            self.target.setCurrentIndex(classes.index(wanted) + 1 if wanted in classes else 0)
        self._update_stale()

    def _update_stale(self, *_: Any) -> None:
        """Grey a result of another model, head or frame."""
        why = ""
        if self.result is not None:
            run = self.result.run
            shown = frame_shown(self._viewer, self.session)
            why = why_stale(self.session, run.model, run.head, run.frame, shown)
        self.stale.warn(why)
        self.stale.setVisible(bool(why))
        self.found.setEnabled(not why)
        if self.result is not None:
            grey_out(self._viewer, bool(why))

    def _selection_changed(self, *_: Any) -> None:
        session = self.session
        if session.encoding is None or session.frames is None:
            self.status.say(NO_CELLS)
            return
        if session.selected is None:
            self.cells.setItemText(0, "Selected cell (click one in the viewer)")
        else:
            name = cell_name(session.encoding, session.selected, session.frames.is_movie)
            self.cells.setItemText(0, f"Selected cell ({name})")
        if not self.work.running and self.result is None:
            self.status.say("Choose what to perturb, then press Run.")
        self._show_pictures()
        self._show_smallest()

    def _show_smallest(self) -> None:
        """Tell the smallest ε of the selected cell, and search it if it is not known yet."""
        result, selected = self.result, self.session.selected
        if result is None:
            return
        if selected is None or selected not in result.run.rows:
            self.search.stop()
            self.smallest.setText(SELECT_ONE)
        elif selected == result.run.selected:
            self.search.stop()
            self.smallest.setText(result.smallest_told())
        elif self.isVisible():
            self.smallest.setText("Searching its smallest ε …")
            self.search.start(
                lambda progress: search_smallest(result, selected, progress),
                self._searched,
                self.smallest.setText,
            )

    def _searched(self, found: PerturbResult) -> None:
        if self.result is not None and found.shown is self.result.shown:
            self.result = found
            self.smallest.setText(found.smallest_told())

    def _finished(self, result: PerturbResult) -> None:
        run, session = result.run, self.session
        if run.encoding is not session.encoding or session.image not in self._viewer.layers:
            self.status.fault("The cells changed while this ran; run again.")
            return
        self.result = result
        show_layers(self._viewer, session.image, result)
        self._show_result()
        shown = frame_shown(self._viewer, session)
        n = len(run.rows)
        aim, n_already = run.settings.target, int(result.shown.there_already.sum())
        did = f"became {aim}" if aim else "changed class"
        already = f" {n_already} called {aim} already." if n_already else ""
        where = "" if shown == run.frame else f" The layers show at frame {run.frame}."
        self.status.say(
            f"{result.flips[run.settings.method].sum()} of {result.attacked} "
            f"cell{'s' * (n > 1)} {did} at ε = {run.settings.epsilon:g}."
            f"{already}{result.without_told()}{where} {run.left_out}".rstrip()
        )

    def _show_result(self) -> None:
        result = self.result
        self.found.setVisible(result is not None)
        self.export_button.setEnabled(result is not None)
        self.table.show_result(result)
        self._show_pictures()
        self._update_stale()
        if result is None:
            return
        settings = result.run.settings
        self.heading.setText(result.heading)
        did = f"Reached {settings.target}" if settings.target else "Flipped"
        self.flips.setText(
            f"{escape(did)} at ε = {settings.epsilon:g}: "
            + " · ".join(f"<b>{name}</b> {result.counted(m)}" for m, name in METHODS.items())
        )
        self._show_smallest()

    def _show_pictures(self) -> None:
        """Show the selected cell if it was perturbed, else the first one that was."""
        result = self.result
        if result is None:
            for view in self.views.values():
                view.show_picture(None)
            return
        if not self.isVisible():
            return
        shown = result.shown
        here = np.flatnonzero(result.run.rows == self.session.selected)
        i = int(here[0]) if len(here) else 0
        limits = grey_limits(shown.original[i], shown.reconstruction[i])
        for name, crops in (
            ("image", shown.original),
            ("reconstruction", shown.reconstruction),
            ("perturbed", shown.perturbed),
        ):
            self.views[name].show_picture(grey_picture(crops[i, 0], limits))
        strongest = max(float(np.abs(shown.perturbation[i]).max()), 1e-6)
        self.views["perturbation"].show_picture(signed_picture(shown.perturbation[i, 0], strongest))
