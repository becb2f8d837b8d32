"""The table of a scorecard: tests by heads, each cell marked as passed or failed."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan

import numpy as np
from qtpy.QtCore import QModelIndex, Qt, Signal
from qtpy.QtGui import QColor, QPainter, QPalette, QPen, QResizeEvent
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableWidget,
    QTableWidgetItem,
)

from napari_interpdisc.scrutiny.scorecard import Scorecard, ScoreRow

PASSED, FAILED = "✓", "✗"
MARKS = {True: PASSED, False: FAILED, None: " "}
WORDS = {True: "passed", False: "failed", None: "no limit is set"}
SHADES = {True: "#009e73", False: "#d55e00"}
"""Okabe and Ito's green and vermilion: told apart with any colour vision, and never alone."""

OPACITY = 0.45
"""Of the shades: the text stays readable on napari's dark and light theme."""

NAME_WIDTH = 120
"""Least width, px, of the column that says what is changed."""

NAME, LIMIT, FIRST_HEAD = 0, 1, 2
"""Columns."""

TestName = tuple[str, str]
"""Constraint and name of a test."""


def share_text(share: float) -> str:
    """Share 0–1 as a percentage with one digit; a dash for none."""
    return "–" if isnan(share) else f"{100 * share:.1f} %"


def limit_text(limit: float | None) -> str:
    """Share that is allowed, as a percentage; a dash if nothing is asked."""
    return "–" if limit is None else f"{100 * limit:g} %"


def told(card: Scorecard, row: ScoreRow) -> str:
    """All that is known of one test of one head, a line for each thing."""
    low, high = row.interval
    lines = [
        f"{card.head}, {row.name}: {WORDS[row.passed]}.",
        f"{share_text(row.changed)} of the classes change.",
        f"Limit: {limit_text(row.limit)}.",
    ]
    if not isnan(low):
        lines.insert(2, f"95 % interval: {share_text(low)} to {share_text(high)}.")
    parts = {**row.of_class, "room around them": row.clean, "crowded": row.crowded}
    told_of = [f"{name} {share_text(share)}" for name, share in parts.items() if not isnan(share)]
    if told_of:
        lines.append(f"By kind of cell: {', '.join(told_of)}.")
    return "\n".join(lines)


def grouped_tests(cards: Sequence[Scorecard]) -> dict[str, list[str]]:
    """Names of the tests of all cards by constraint, in their order."""
    groups: dict[str, list[str]] = {}
    for card in cards:
        for row in card.table_rows:
            names = groups.setdefault(row.constraint, [])
            if row.name not in names:
                names.append(row.name)
    return groups


class _Framed(QStyledItemDelegate):  # type: ignore[misc]
    """Draws a frame around the chosen figure, in place of a colour over what passed or failed."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Draw one cell of the table."""
        plain = QStyleOptionViewItem(option)
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        plain.state &= ~(QStyle.StateFlag.State_Selected | QStyle.StateFlag.State_HasFocus)
        super().paint(painter, plain, index)
        if chosen:
            painter.save()
            painter.setPen(QPen(option.palette.color(QPalette.ColorRole.Text), 2))
            painter.drawRect(option.rect.adjusted(1, 1, -1, -1))
            painter.restore()


class ScoreTable(QTableWidget):  # type: ignore[misc]
    """Tests grouped by constraint, one column for each head.

    Signals
    -------
    picked
        The scorecard and the row of it whose cell became the current one.
    """

    picked = Signal(object, object)

    def __init__(self) -> None:
        super().__init__(0, FIRST_HEAD)
        self._cards: tuple[Scorecard, ...] = ()
        self._rows: list[tuple[ScoreRow, ...]] = []
        self._tests: dict[int, TestName] = {}
        self.verticalHeader().setVisible(False)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setItemDelegate(_Framed(self))
        self.setWordWrap(True)
        self.setMinimumHeight(190)
        self.setTabKeyNavigation(False)  # Tab goes on to the pictures; arrows move in the table
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Interactive)
        self.setToolTip(
            "Share of cells whose class changes though it must not. "
            f"{PASSED} is within what is allowed, {FAILED} is beyond. "
            "Choose a cell of the table to see the cells that change most."
        )
        self.setAccessibleName("Scorecard: tests by heads")
        self.currentCellChanged.connect(self._moved)

    def show_cards(self, cards: Sequence[Scorecard]) -> None:
        """Show scorecards of the same cells side by side; an empty list empties the table."""
        self.blockSignals(True)
        self.clear()
        self.clearSpans()
        self._cards, self._tests = tuple(cards), {}
        self._rows = [card.table_rows for card in cards]
        groups = grouped_tests(cards)
        self.setColumnCount(FIRST_HEAD + len(cards))
        self.setRowCount(sum(1 + len(names) for names in groups.values()))
        self.setHorizontalHeaderLabels(["What is changed", "Limit", *(c.head for c in cards)])
        line = 0
        for constraint, names in groups.items():
            self._show_title(line, constraint)
            line += 1
            for name in names:
                self._tests[line] = (constraint, name)
                self._show_test(line)
                line += 1
        self.blockSignals(False)
        self._fit()

    def pick_worst(self) -> None:
        """Make the failed test with the largest share the current one, else the largest of all."""
        best, place = (False, -1.0), None
        for line in self._tests:
            for k, card in enumerate(self._cards):
                row = self.row_at(line, k)
                # of the given cells alone: only they can be gone to
                given = any(row is own for own in card.rows)
                if row is None or not given or isnan(row.changed):
                    continue
                rank = (row.passed is False, row.changed)
                if rank > best:
                    best, place = rank, (line, FIRST_HEAD + k)
        if place is not None:
            self.setCurrentCell(*place)
            self.scrollToItem(self.item(*place))
            self.horizontalScrollBar().setValue(0)  # names first

    def row_at(self, line: int, k: int) -> ScoreRow | None:
        """Test in a line of the table, of the ``k``-th head; None if there is none."""
        wanted = self._tests.get(line)
        return next((row for row in self._rows[k] if (row.constraint, row.name) == wanted), None)

    def _show_title(self, line: int, constraint: str) -> None:
        item = QTableWidgetItem(constraint[:1].upper() + constraint[1:])
        font = item.font()
        font.setBold(True)
        item.setFont(font)
        item.setFlags(Qt.ItemFlag.NoItemFlags | Qt.ItemFlag.ItemIsEnabled)
        self.setItem(line, NAME, item)
        self.setSpan(line, NAME, 1, self.columnCount())

    def _show_test(self, line: int) -> None:
        found = [self.row_at(line, k) for k in range(len(self._cards))]
        first = next(row for row in found if row is not None)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        for column, text in ((NAME, first.name), (LIMIT, limit_text(first.limit))):
            item = QTableWidgetItem(text)
            item.setToolTip(f"{first.constraint}: {first.name}")
            if column == LIMIT:
                item.setTextAlignment(right)
            self.setItem(line, column, item)
        for k, (card, row) in enumerate(zip(self._cards, found, strict=True)):
            item = QTableWidgetItem("" if row is None else f"{MARKS[row.passed]} ")
            item.setTextAlignment(right)
            if row is not None:
                item.setText(f"{MARKS[row.passed]} {share_text(row.changed)}".strip())
                item.setToolTip(told(card, row))
                item.setData(Qt.ItemDataRole.AccessibleTextRole, told(card, row))
                if row.passed is not None:
                    shade = QColor(SHADES[row.passed])
                    shade.setAlphaF(OPACITY)
                    item.setBackground(shade)
            self.setItem(line, FIRST_HEAD + k, item)

    def _moved(self, line: int, column: int, *_: int) -> None:
        """Tell of the test that is current; in the first columns, of its worst head."""
        if line not in self._tests:
            return
        places = range(len(self._cards)) if column < FIRST_HEAD else [column - FIRST_HEAD]
        rows = [(k, row) for k in places if (row := self.row_at(line, k)) is not None]
        if rows:
            k, row = max(rows, key=lambda found: np.nan_to_num(found[1].changed, nan=-1.0))
            self.picked.emit(self._cards[k], row)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 (Qt's name)
        """Give the names what room the figures leave."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        others = sum(self.columnWidth(k) for k in range(LIMIT, self.columnCount()))
        self.setColumnWidth(NAME, max(NAME_WIDTH, self.viewport().width() - others))
        self.resizeRowsToContents()
