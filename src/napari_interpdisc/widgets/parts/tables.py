"""Tables to read and to choose a row from."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget

MOST_ROWS = 7
"""Rows that a table shows without scrolling."""


def plain_table(*headers: str) -> QTableWidget:
    """Return a table to read and to choose a row from."""
    table = QTableWidget(0, len(headers))
    table.setHorizontalHeaderLabels(list(headers))
    table.verticalHeader().setVisible(False)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    header = table.horizontalHeader()
    header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    header.setStretchLastSection(True)
    if headers:  # the last column takes what is left, and says the rest in its tooltip
        table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    return table


def fit_height(table: QTableWidget) -> None:
    """Make a table as high as its rows, or as the first of many."""
    table.resizeRowsToContents()
    height = sum(table.rowHeight(i) for i in range(min(table.rowCount(), MOST_ROWS)))
    header = table.horizontalHeader()
    if header.sectionResizeMode(0) is not QHeaderView.ResizeMode.Stretch:
        wide = sum(header.sectionSizeHint(i) for i in range(table.columnCount()))
        if wide + table.verticalHeader().sizeHint().width() > table.width():
            height += table.horizontalScrollBar().sizeHint().height()
    table.setFixedHeight(height + header.sizeHint().height() + 2 * table.frameWidth())
