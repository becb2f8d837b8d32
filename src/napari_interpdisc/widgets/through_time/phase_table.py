"""A table of phases that stays quick with many thousands of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from qtpy.QtCore import QAbstractTableModel, QModelIndex, QSortFilterProxyModel, Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from napari_interpdisc.through_time.phases import Phase
from napari_interpdisc.through_time.result import ThroughTime

WHOLE, LEFT, RIGHT, BOTH, PART = (
    "whole",
    "start not seen",
    "end not seen",
    "neither end seen",
    "goes on in daughters",
)


DURATION = 3
"""Column of the duration."""


def told_censoring(phase: Phase) -> str:
    """What of a phase was not seen."""
    if phase.continues:
        return PART
    if phase.start_seen:
        return WHOLE if phase.end_seen else RIGHT
    return LEFT if phase.end_seen else BOTH


class _Phases(QAbstractTableModel):  # type: ignore[misc]
    """Phases in rows; text to show, and numbers to sort by."""

    def __init__(self) -> None:
        super().__init__()
        self.phases: list[Phase] = []
        self.step, self.unit = 1.0, "frames"

    @property
    def _headers(self) -> tuple[str, ...]:
        return ("track", "from", "to", self.unit, "seen")

    def rowCount(self, _: QModelIndex | None = None) -> int:  # noqa: N802 (Qt's name)
        return len(self.phases)

    def columnCount(self, _: QModelIndex | None = None) -> int:  # noqa: N802 (Qt's name)
        return len(self._headers)

    def headerData(self, section: int, orientation: Any, role: int = 0) -> Any:  # noqa: N802
        if role == Qt.ItemDataRole.DisplayRole and orientation == Qt.Orientation.Horizontal:
            return self._headers[section]
        return None

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        if role not in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.UserRole):
            return None
        phase = self.phases[index.row()]
        lasted = float(np.round(phase.frames * self.step, 6))
        more = "" if phase.start_seen and phase.end_seen else "≥ "
        seen = told_censoring(phase)
        values = (phase.track, phase.first, phase.last, lasted, seen)
        value = values[index.column()]
        if role == Qt.ItemDataRole.UserRole:
            return value
        return f"{more}{lasted:.4g}" if index.column() == DURATION else str(value)

    def put(self, phases: Sequence[Phase], found: ThroughTime | None) -> None:
        self.beginResetModel()
        self.phases = list(phases)
        if found is not None:
            self.step, self.unit = found.step, found.unit
        self.endResetModel()


class PhaseTable(QTableView):  # type: ignore[misc]
    """Phases of one state, or of all.

    Signals
    -------
    chosen
        (track, frame) of the phase whose row was pressed: its first frame on that track.
    """

    chosen = Signal(int, int)

    def __init__(self) -> None:
        super().__init__()
        self._rows = _Phases()
        self._sorted = QSortFilterProxyModel(self)
        self._sorted.setSourceModel(self._rows)
        self._sorted.setSortRole(Qt.ItemDataRole.UserRole)
        self.setModel(self._sorted)
        self.setSortingEnabled(True)
        self.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        self.verticalHeader().setVisible(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setStretchLastSection(True)
        self.setMinimumHeight(130)
        self.setToolTip(
            "Every phase of the state chosen above. Click a row to go to its first frame, and a "
            "heading to sort. A duration of which an end was not seen is at least so long."
        )
        self.clicked.connect(self._clicked)

    def show_phases(self, found: ThroughTime | None, state: int | None = None) -> None:
        """Show the phases of a state, or of all; none without a result."""
        phases = [] if found is None else found.phases
        self._rows.put([p for p in phases if state is None or p.state == state], found)

    def texts(self) -> list[list[str]]:
        """All rows as they are shown."""
        model = self._sorted
        return [
            [str(model.index(i, j).data()) for j in range(model.columnCount())]
            for i in range(model.rowCount())
        ]

    def _clicked(self, index: QModelIndex) -> None:
        phase = self._rows.phases[self._sorted.mapToSource(index).row()]
        self.chosen.emit(phase.begins_in, phase.first)
