"""The cells that a test changes most: pairs of pictures, which lead to the cells in the viewer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from qtpy.QtCore import QRect, QSize, Qt, Signal
from qtpy.QtGui import QIcon, QImage, QPainter, QPixmap
from qtpy.QtWidgets import QLabel, QToolButton, QVBoxLayout, QWidget
from superqt import QFlowLayout

from napari_interpdisc.scrutiny.scorecard import Scorecard, ScoreRow
from napari_interpdisc.widgets.canvas.cell_images import grey_limits
from napari_interpdisc.widgets.parts.pictures import grey_picture
from napari_interpdisc.widgets.parts.wording import SCORE_HELP, cell_name, class_of, verdict
from napari_interpdisc.widgets.scorecard.run import ScorecardResult, WorstCell, key_of
from napari_interpdisc.widgets.scorecard.table import WORDS, share_text

SIDE, BETWEEN = 48, 4
"""Side of a picture, and the gap between the two of a pair, px."""

FOCUS_COLOUR = "#4b93e8"

STYLE = f"""
QToolButton {{ border: 2px solid rgba(128, 128, 128, 90); border-radius: 3px; padding: 2px }}
QToolButton:hover, QToolButton:focus {{ border-color: {FOCUS_COLOUR} }}
QToolButton:checked {{ border-color: palette(text) }}
"""

NOTHING = "Choose a cell of the table to see the cells that change most."


def pair_picture(cell: WorstCell) -> QImage:
    """A cell as it is, and changed, side by side under the same contrast limits."""
    limits = grey_limits(cell.before, cell.after)
    pair = QImage(2 * SIDE + BETWEEN, SIDE, QImage.Format.Format_ARGB32_Premultiplied)
    pair.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pair)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    for left, pixels in ((0, cell.before), (SIDE + BETWEEN, cell.after)):
        painter.drawImage(QRect(left, 0, SIDE, SIDE), grey_picture(np.asarray(pixels), limits))
    painter.end()
    return pair


def change_text(classes: tuple[str, ...], cell: WorstCell) -> str:
    """How class and score change: ``Metaphase +2.31 → Interphase −0.40``."""
    return f"{verdict(classes, cell.scores)} → {verdict(classes, cell.changed_scores)}"


class WorstView(QWidget):  # type: ignore[misc]
    """The worst cells of one test and head, as buttons.

    Signals
    -------
    chosen
        Row, in the encoding, of the cell whose button was pressed.
    """

    chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.title = QLabel(NOTHING)
        self.title.setWordWrap(True)
        self.title.setTextFormat(Qt.TextFormat.PlainText)
        self.buttons: list[QToolButton] = []
        self._reachable = True
        self._pairs = QWidget()
        self._flow = QFlowLayout(self._pairs)
        self._flow.setContentsMargins(0, 0, 0, 0)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.title)
        layout.addWidget(self._pairs)
        tip = "Left: the cell as it is. Right: what the test made of it. Press to go to the cell."
        self.setToolTip(tip)
        self.title.setToolTip(tip)

    def clear(self) -> None:
        """Show no cell."""
        self.title.setText(NOTHING)
        self._empty()

    def show_test(self, result: ScorecardResult, card: Scorecard, row: ScoreRow) -> None:
        """Show the cells that a test of a head changes most, worst first."""
        self._empty()
        cells = result.worst.get(key_of(card, row), ())
        self.title.setText(
            f"{card.head}, {row.name}: {share_text(row.changed)} change ({WORDS[row.passed]}). "
            + (f"The {len(cells)} cells that change most:" if cells else "No cell is kept.")
        )
        encoding, is_movie = result.run.encoding, result.run.frames.is_movie
        for cell in cells:
            self._add(cell, cell_name(encoding, cell.row, is_movie), card.classes)
        self.set_reachable(self._reachable)

    def set_reachable(self, reachable: bool) -> None:
        """Say whether the cells are still there to go to."""
        self._reachable = reachable
        for made in self.buttons:
            made.setEnabled(reachable)

    def mark(self, rows: Sequence[int]) -> None:
        """Press the buttons of the cells of these rows in, and no others."""
        for made in self.buttons:
            made.setChecked(made.property("cell_row") in rows)

    def _empty(self) -> None:
        for made in self.buttons:
            self._flow.removeWidget(made)
            made.hide()
            made.deleteLater()
        self.buttons = []

    def _add(self, cell: WorstCell, name: str, classes: tuple[str, ...]) -> None:
        made = QToolButton()
        made.setIcon(QIcon(QPixmap.fromImage(pair_picture(cell))))
        made.setIconSize(QSize(2 * SIDE + BETWEEN, SIDE))
        made.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        made.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        made.setStyleSheet(STYLE)
        made.setCheckable(True)
        made.setProperty("cell_row", cell.row)
        made.setText(f"{name}\n{'class changes' if cell.changes else 'same class'}")
        change = change_text(classes, cell)
        made.setToolTip(f"{name}: {change}.\nPress to go to the cell.\n{SCORE_HELP}")
        made.setAccessibleName(
            f"{name}, {class_of(classes, cell.scores)} becomes "
            f"{class_of(classes, cell.changed_scores)}"
        )
        made.clicked.connect(lambda *_, row=cell.row: self.chosen.emit(row))
        self._flow.addWidget(made)
        self.buttons.append(made)
