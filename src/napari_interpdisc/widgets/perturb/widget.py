"""The *Perturb* dock widget: adversarial perturbations, laid over the cells."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QShowEvent
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)
from superqt import QLabeledDoubleSlider

from napari_interpdisc.crops import usable_cells
from napari_interpdisc.errors import InterpdiscError, InvalidInput
from napari_interpdisc.number_text import with_sign
from napari_interpdisc.scrutiny.attacks import FLIP_GRID, AttackSettings
from napari_interpdisc.widgets.canvas.cell_images import grey_limits
from napari_interpdisc.widgets.canvas.compat import unwrapped
from napari_interpdisc.widgets.canvas.picking import connect_picking, frame_shown
from napari_interpdisc.widgets.parts.controls import ScrolledPage, StatusLine, WorkBar
from napari_interpdisc.widgets.parts.links import connect_while_alive
from napari_interpdisc.widgets.parts.pictures import PictureView, grey_picture, signed_picture
from napari_interpdisc.widgets.parts.rule_view import RuleView, rule_part
from napari_interpdisc.widgets.parts.wording import (
    CHANGED_COLOUR,
    SCORE_HELP,
    cell_name,
    class_of,
    score_of,
)
from napari_interpdisc.widgets.parts.workers import Work
from napari_interpdisc.widgets.perturb.run import (
    PerturbResult,
    PerturbRun,
    carry_out,
    frozen_from_text,
    show_layers,
)
from napari_interpdisc.widgets.session import session_of

Space = Literal["image", "latent"]

MAX_EPSILON = 3.0
DEFAULT_EPSILON: dict[Space, float] = {"image": 0.5, "latent": 1.0}
"""The paper's, in standard deviations of the crop and of the prior (§5.5)."""

METHODS = {
    "fgsm": ("FGSM", "One step of ε along the sign of the gradient; the layers show it"),
    "pgd": ("PGD", "Ten shorter steps within the same ε: a stronger attack"),
    "random": ("random", "Random signs of the same size ε: a control"),
}

NO_CELLS = "Run Cells first, then click a cell in the viewer."


class PerturbWidget(QWidget):  # type: ignore[misc]
    """Perturb the selected cell, or all cells of the frame, by FGSM.

    Parameters
    ----------
    napari_viewer
        The viewer whose cells are perturbed.
    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self._viewer = unwrapped(napari_viewer)
        self.session = session_of(napari_viewer)
        connect_picking(napari_viewer, self.session)
        self.work = Work(self)
        self.result: PerturbResult | None = None
        self._epsilons = dict(DEFAULT_EPSILON)
        self._space: Space = "image"

        self.cells = QComboBox()
        self.space = QComboBox()
        self.epsilon = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
        self.frozen = QLineEdit()
        self.run_button = QPushButton("Run")
        self.cancel_button = QPushButton("Cancel")
        self.progress = WorkBar("How much of the attack and its controls is done.")
        self.status = StatusLine()
        self.views = {
            "image": PictureView("image", "The crop of the cell, normalised", 80),
            "reconstruction": PictureView("reconstruction", "Its latents, decoded", 80),
            "perturbed": PictureView("perturbed", "The cell after the FGSM step", 80),
            "perturbation": PictureView(
                "perturbation", "Perturbed less original: red is brighter, blue is darker", 80
            ),
        }
        self.rule = RuleView(self.session)
        self.flips = QLabel()
        self.smallest = QLabel()
        self.table = QTableWidget(0, 4)
        self._build()
        self._explain()

        connect_while_alive(
            self,
            (self.session.selected_changed, self._selection_changed),
            (self.session.encoding_changed, self._encoding_changed),
        )
        self._selection_changed()

    # -- parts ------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.cells.addItem("Selected cell", "selected")
        self.cells.addItem("All cells of this frame", "frame")
        self.space.addItem("Image (pixels)", "image")
        self.space.addItem("Latents", "latent")
        self.epsilon.setRange(0, MAX_EPSILON)
        self.epsilon.setSingleStep(0.05)
        self.epsilon.setDecimals(2)
        self.epsilon.setValue(self._epsilons["image"])
        self.frozen.setPlaceholderText("none, or for example 3, 17")
        self.cancel_button.setEnabled(False)
        for label in (self.flips, self.smallest):
            label.setWordWrap(True)
        self.table.setHorizontalHeaderLabels(["Cell", "Class", "Score", "Flipped"])
        self.table.verticalHeader().setVisible(False)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        self.table.setMinimumHeight(120)

        form = QFormLayout()
        for text, field in (
            ("Perturb", self.cells),
            ("in the space of", self.space),
            ("by ε =", self.epsilon),
            ("Frozen latents", self.frozen),
        ):
            form.addRow(text, field)
        buttons = QHBoxLayout()
        buttons.addWidget(self.run_button)
        buttons.addWidget(self.cancel_button)
        pictures = QHBoxLayout()
        for view in self.views.values():
            pictures.addWidget(view)
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.addLayout(form)
        layout.addLayout(buttons)
        for part in (self.progress, self.status):
            layout.addWidget(part)
        layout.addLayout(pictures)
        for part in (self.smallest, self.flips):
            layout.addWidget(part)
        layout.addWidget(rule_part(self.rule))
        layout.addWidget(self.table, stretch=1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(ScrolledPage(page))

        self.space.currentIndexChanged.connect(self._space_changed)
        self.run_button.clicked.connect(self.run)
        self.cancel_button.clicked.connect(self._cancel)
        self.work.progressed.connect(self.progress.show_progress)
        self.work.running_changed.connect(self._running_changed)
        self.table.cellClicked.connect(self._table_clicked)

    def _explain(self) -> None:
        """Say of every part what it is for."""
        self.cells.setToolTip(
            "The cell that you clicked in the viewer, or all cells of the frame that is shown"
        )
        self.space.setToolTip(
            "Image: every pixel of the normalised crop moves by ε. "
            "Latents: every free latent moves by ε, and the result is decoded."
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
            f"The smallest ε up to {max(FLIP_GRID):g} at which the FGSM step changes the class"
        )
        self.flips.setToolTip("\n".join(f"{name}: {tip}" for name, tip in METHODS.values()))
        self.table.setToolTip(
            f"Every perturbed cell before and after; click a row to select it.\n{SCORE_HELP}"
        )

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
        )

    def _cancel(self, *_: Any) -> None:
        self.work.cancel()
        self.status.say("Cancelled; nothing was changed.")

    def _space_changed(self, *_: Any) -> None:
        """Give each space its own ε: they are measured in different units."""
        self._epsilons[self._space] = float(self.epsilon.value())
        self._space = self.space.currentData()
        self.epsilon.setValue(self._epsilons[self._space])

    def _table_clicked(self, line: int, *_: Any) -> None:
        if self.result is not None and self.result.run.encoding is self.session.encoding:
            self.session.select(int(self.result.run.rows[line]))

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
        self.result = None
        self._show_result()
        self._selection_changed()

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
        where = "" if shown == run.frame else f" The layers show at frame {run.frame}."
        self.status.say(
            f"{result.flipped['fgsm']} of {n} cell{'s' * (n > 1)} changed class at "
            f"ε = {run.settings.epsilon:g}.{where} {run.left_out}".rstrip()
        )

    def _show_result(self) -> None:
        result = self.result
        self.table.setRowCount(0)
        self._show_pictures()
        if result is None:
            self.flips.clear()
            self.smallest.clear()
            return
        run, fgsm = result.run, result.fgsm
        n = len(run.rows)
        self.flips.setText(
            f"Flipped at ε = {run.settings.epsilon:g}: "
            + " · ".join(
                f"<b>{METHODS[m][0]}</b> {count} of {n} ({count / n:.0%})"
                for m, count in result.flipped.items()
            )
        )
        self._show_smallest(result)
        classes = run.model.head(run.head).classes
        self.table.setRowCount(n)
        for line, row in enumerate(run.rows):
            before, after = fgsm.scores[line], fgsm.perturbed_scores[line]
            flipped = bool(fgsm.flipped[line])
            old, new = class_of(classes, before), class_of(classes, after)
            words = (
                str(run.encoding.cells.track_id[row]),
                f"{old} → {new}" if flipped else old,
                f"{with_sign(score_of(before))} → {with_sign(score_of(after))}",
                "yes" if flipped else "no",
            )
            for column, word in enumerate(words):
                item = QTableWidgetItem(word)
                if flipped:
                    item.setForeground(QColor(CHANGED_COLOUR))
                self.table.setItem(line, column, item)

    def _show_smallest(self, result: PerturbResult) -> None:
        if result.smallest is None:
            self.smallest.setText("Select a cell to learn the smallest ε that flips it.")
        elif np.isinf(result.smallest):
            self.smallest.setText(f"No ε up to {max(FLIP_GRID):g} flips the selected cell.")
        else:
            self.smallest.setText(
                f"The smallest ε that flips the selected cell is <b>{result.smallest:.2f}</b>."
            )

    def _show_pictures(self) -> None:
        """Show the selected cell if it was perturbed, else the first one that was."""
        result = self.result
        if result is None:
            for view in self.views.values():
                view.show_picture(None)
            return
        if not self.isVisible():
            return
        fgsm = result.fgsm
        here = np.flatnonzero(result.run.rows == self.session.selected)
        i = int(here[0]) if len(here) else 0
        limits = grey_limits(fgsm.original[i], fgsm.reconstruction[i])
        for name, crops in (
            ("image", fgsm.original),
            ("reconstruction", fgsm.reconstruction),
            ("perturbed", fgsm.perturbed),
        ):
            self.views[name].show_picture(grey_picture(crops[i, 0], limits))
        strongest = max(float(np.abs(fgsm.perturbation[i]).max()), 1e-6)
        self.views["perturbation"].show_picture(signed_picture(fgsm.perturbation[i, 0], strongest))
