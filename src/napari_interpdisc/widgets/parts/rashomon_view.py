"""Heads that are about as good as the best: which they are, what they use, how far they agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QDoubleSpinBox, QLabel, QTableWidgetItem, QVBoxLayout, QWidget

from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.widgets.parts.controls import row
from napari_interpdisc.widgets.parts.tables import fit_height, plain_table

if TYPE_CHECKING:
    from napari_interpdisc.discovery.rashomon import RashomonSet

TITLE = "Heads that are about as good (Rashomon set)"
NUMBERS = (1, 2)
"""Columns that are aligned to the right."""


class RashomonView(QWidget):  # type: ignore[misc]
    """A table of the heads, and one sentence on how far they agree.

    Signals
    -------
    delta_changed
        Balanced accuracy that heads may lose against the best.
    """

    delta_changed = Signal(float)

    def __init__(self, delta: float) -> None:
        super().__init__()
        self.delta = QDoubleSpinBox()
        self.delta.setRange(0, 0.5)
        self.delta.setDecimals(3)
        self.delta.setSingleStep(0.005)
        self.delta.setValue(delta)
        self.delta.setKeyboardTracking(False)
        self.delta.setToolTip(
            "Heads count as about as good if their balanced accuracy on held-out groups is at most "
            "this far below that of the best."
        )
        self.delta.valueChanged.connect(self.delta_changed)
        self.table = plain_table("Head", "Held out", "Nodes", "Latents")
        self.table.setToolTip(
            "Balanced accuracy on held-out groups, nodes of the expression tree, and the latents "
            "that the head reads."
        )
        self.table.setWordWrap(False)
        self.told = QLabel()
        self.told.setWordWrap(True)
        self.told.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.told.setToolTip(
            "Where heads that are about as good disagree, the data do not say which of them is "
            "right. Annotate such cells next."
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(row(QLabel("Loss of accuracy, at most"), self.delta))
        layout.addWidget(self.table)
        layout.addWidget(self.told)
        self.say("")

    def say(self, text: str) -> None:
        """Say why there is nothing to show."""
        self.table.setVisible(False)
        self.told.setText(text)

    def show_set(self, found: RashomonSet, model: CellModel, cells: str = "cells") -> None:
        """Show heads, latents by the names of ``model``; ``cells`` says what they were asked of."""
        self.table.setRowCount(len(found.members))
        for i, one in enumerate(found.members):
            latents = ", ".join([*map(model.latent_label, one.latents), *one.head.used_properties])
            size = one.head.expression_size
            is_other = one.name.startswith("formula of ")
            texts = (
                "other formula" if is_other else one.name,
                f"{one.balanced_accuracy:.3f}",
                str(size),
                f"{len(one.latents)}: {latents}",
            )
            for column, text in enumerate(texts):
                item = QTableWidgetItem(text)
                item.setToolTip(text)
                if column in NUMBERS:
                    item.setTextAlignment(
                        Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
                    )
                self.table.setItem(i, column, item)
        self.table.setVisible(True)
        fit_height(self.table)
        text = found.sentence().replace(" cells.", f" {cells}.")
        if len(found.members) == 1:
            text += " There is none to disagree with; allow a larger loss to see more."
        self.told.setText(text)

    def show_delta(self, delta: float) -> None:
        """Make the box say what was chosen elsewhere."""
        self.delta.blockSignals(True)
        self.delta.setValue(delta)
        self.delta.blockSignals(False)
