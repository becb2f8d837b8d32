"""What a training is worth: a row for each head, the confusion matrix, the learning curve."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLabel,
    QSizePolicy,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_interpdisc.widgets.parts.tables import fit_height, plain_table
from napari_interpdisc.widgets.parts.value_plot import Value, ValuePlot

if TYPE_CHECKING:
    from napari_interpdisc.discovery.quality import Quality
    from napari_interpdisc.discovery.results import Discovery, FrontRow

HELD_OUT = (
    "Balanced accuracy on held-out tracks: the mean of the classes' accuracies. In brackets: its "
    "95 % interval by bootstrap over tracks."
)
STRETCHED = 3
"""Columns of a confusion matrix that share the width; more of them may need to scroll."""


def told(quality: Quality) -> str:
    """Balanced accuracy with its interval: ``0.962 [0.91, 0.99]``."""
    low, high = quality.interval
    return f"{quality.balanced_accuracy:.3f} [{low:.2f}, {high:.2f}]"


class QualityView(QWidget):  # type: ignore[misc]
    """Heads, confusion matrix of the chosen one, learning curve.

    Signals
    -------
    chosen
        Kind of the head whose row was picked.
    confused
        Row and column of the confusion matrix that were clicked: annotated and predicted class.
    """

    chosen = Signal(str)
    confused = Signal(int, int)

    def __init__(self) -> None:
        super().__init__()
        self._found: Discovery | None = None
        self.heads = plain_table("Head", "Weights", "Size", "Balanced accuracy")
        self.heads.setToolTip(
            "The heads that were trained; pick one to colour the cells by it.\n"
            "Weights: active connections. Size: nodes of the expression tree.\n" + HELD_OUT
        )
        self.heads.cellClicked.connect(self._clicked)
        self.confusion_title = QLabel()
        self.confusion_title.setWordWrap(True)
        self.confusion_title.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self.confusion = plain_table()
        self.confusion.verticalHeader().setVisible(True)
        self.confusion.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.confusion.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.confusion.setToolTip(
            "Number of held-out cells by annotated class (rows) and predicted class (columns). "
            "Click a number to see its cells in the Gallery."
        )
        self.confusion.cellClicked.connect(self.confused)
        self.curve = ValuePlot("annotated cells trained on", "Learning curve: balanced accuracy")
        self.curve.setToolTip(
            "Held-out balanced accuracy against the number of training cells: mean and standard "
            "deviation over folds. If it still rises at the end, annotate more cells."
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for part in (self.heads, self.confusion_title, self.confusion, self.curve):
            layout.addWidget(part)

    def show_found(self, found: Discovery) -> None:
        """Show what a training found."""
        self._found = found
        self.heads.setRowCount(len(found.heads))
        for i, (kind, fitted) in enumerate(found.heads.items()):
            head = fitted.head
            # a formula has constants, and no weights in the sense of Table 1
            weights = "–" if kind == "formula" else str(head.n_weights)
            texts = (kind, weights, str(head.expression_size), told(fitted.quality))
            for column, text in enumerate(texts):
                item = QTableWidgetItem(text)
                if column in (1, 2):
                    item.setTextAlignment(
                        Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
                    )
                self.heads.setItem(i, column, item)
        fit_height(self.heads)
        points = found.learning_curve
        self.curve.show_values(
            [Value(p.cells, p.mean, p.mean - p.sd, min(1.0, p.mean + p.sd)) for p in points]
        )
        self.curve.setVisible(bool(points))

    def show_chosen(self, kind: str | None, formula: FrontRow | None) -> None:
        """Mark the head that colours the cells, and show its confusion matrix.

        ``formula`` is the row of the front that is used instead of the formula that was chosen.
        """
        found = self._found
        if found is None:
            return
        kinds = [str(k) for k in found.heads]
        if kind not in kinds:
            self.heads.clearSelection()
            return
        fitted = list(found.heads.values())[kinds.index(kind)]
        self.heads.selectRow(kinds.index(kind))
        quality = fitted.quality
        row = kinds.index(kind)
        if kind == "formula" and formula is not None:
            quality = formula.quality
            self.heads.item(row, 2).setText(str(formula.size))
            self.heads.item(row, 3).setText(told(quality))
        self._show_confusion(kind, quality, found.classes)

    def _show_confusion(self, kind: str, quality: Quality, classes: tuple[str, ...]) -> None:
        right, n = int(quality.confusion.trace()), int(quality.confusion.sum())
        self.confusion_title.setText(
            f"<b>{kind}</b>: {right} of {n} held-out cells are right "
            "(rows: annotated, columns: predicted)"
        )
        table = self.confusion
        table.setRowCount(len(classes))
        table.setColumnCount(len(classes))
        table.setHorizontalHeaderLabels(list(classes))
        table.setVerticalHeaderLabels(list(classes))
        mode = QHeaderView.ResizeMode
        table.horizontalHeader().setStretchLastSection(False)
        table.horizontalHeader().setSectionResizeMode(
            mode.Stretch if len(classes) <= STRETCHED else mode.ResizeToContents
        )
        for i, counts in enumerate(quality.confusion.tolist()):
            for j, count in enumerate(counts):
                item = QTableWidgetItem(str(count))
                item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
                shade = QColor("#009e73" if i == j else "#d55e00")
                shade.setAlphaF(0.75 * count / max(sum(counts), 1))
                item.setBackground(shade)
                share = count / max(sum(counts), 1)
                item.setToolTip(
                    f"{count} cells annotated as {classes[i]} are predicted as {classes[j]}: "
                    f"{share:.0%}"
                )
                table.setItem(i, j, item)
        fit_height(table)

    def _clicked(self, row: int, _column: int) -> None:
        if self._found is not None:
            self.chosen.emit(str(list(self._found.heads)[row]))
