"""The table of perturbed cells: before and after, and which attacks flip each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QFont
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from napari_interpdisc.number_text import with_sign
from napari_interpdisc.scrutiny.movie_attack import attack_columns
from napari_interpdisc.widgets.parts.wording import SCORE_HELP, class_of, score_of
from napari_interpdisc.widgets.perturb.run import METHODS, PerturbResult

LETTERS = {"fgsm": "F", "pgd": "P", "random": "R"}
"""Of the attacks: their names would leave no room for the classes."""

ARROW = "→\N{NO-BREAK SPACE}"
"""Stays with what comes after it, where a line is broken."""

COLUMNS = {
    "Cell": "Track of the cell",
    "Class": "Class before → after, by the attack that is shown",
    "Score": "Score before → after; sorted by the change",
    "By": "Attacks that change the class, or reach the class aimed at, at this ε.\n"
    + ", ".join(f"{letter}: {METHODS[method]}" for method, letter in LETTERS.items()),
}
LINE = int(Qt.ItemDataRole.UserRole)
KEY = LINE + 1


class _Item(QTableWidgetItem):  # type: ignore[misc]
    """A cell of the table that is sorted by a value, and not by its text."""

    def __lt__(self, other: Any) -> bool:
        return bool(self.data(KEY) < other.data(KEY))


class AttackTable(QTableWidget):  # type: ignore[misc]
    """Every perturbed cell before and after; a press on a heading sorts.

    Signals
    -------
    chosen
        Row, in the encoding, of the cell whose line was clicked.
    """

    chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__(0, len(COLUMNS))
        self.result: PerturbResult | None = None
        self.setHorizontalHeaderLabels(list(COLUMNS))
        for column, tip in enumerate(COLUMNS.values()):
            self.horizontalHeaderItem(column).setToolTip(tip)
        self.verticalHeader().setVisible(False)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        # in a narrow dock, classes and scores take two lines each
        for column in (1, 2):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Stretch)
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.setSortingEnabled(True)
        self.setMinimumHeight(120)
        self.setToolTip(
            "Every perturbed cell before and after. Click a line to select the cell, and a heading "
            f"to sort.\n{SCORE_HELP}"
        )
        self.cellClicked.connect(self._clicked)

    def show_result(self, result: PerturbResult | None) -> None:
        """Show the cells of a result in their order, or none."""
        self.result = result
        self.setSortingEnabled(False)
        self.horizontalHeader().setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.setRowCount(0)
        if result is not None:
            self.setRowCount(len(result.run.rows))
            for line in range(len(result.run.rows)):
                self._fill(result, line)
        self.setSortingEnabled(True)

    def _fill(self, result: PerturbResult, line: int) -> None:
        run, shown = result.run, result.shown
        classes = run.model.head(run.head).classes
        before, after = shown.scores[line], shown.perturbed_scores[line]
        old, new = class_of(classes, before), class_of(classes, after)
        track = run.encoding.cells.track_id[run.rows[line]]
        by = [method for method in METHODS if result.flips[method][line]]
        change = float(np.nan_to_num(np.abs(after - before), nan=-1.0).max())
        words = (
            (str(track), track),
            (f"{old} {ARROW}{new}" if old != new else old, f"{old} {new}"),
            (f"{with_sign(score_of(before))} {ARROW}{with_sign(score_of(after))}", change),
            (" ".join(LETTERS[method] for method in by) or "–", len(by)),
        )
        names = ", ".join(METHODS[method] for method in by) or "no attack"
        tip = f"{words[1][0]}, {words[2][0]}, flipped by {names}"
        for column, (word, key) in enumerate(words):
            item = _Item(word)
            item.setData(LINE, line)
            item.setData(KEY, key.item() if hasattr(key, "item") else key)
            item.setToolTip(tip)
            if result.flips[run.settings.method][line] and column in (0, 3):
                font = QFont(self.font())
                font.setBold(True)
                item.setFont(font)
            self.setItem(line, column, item)

    def _clicked(self, line: int, _: int) -> None:
        if self.result is not None:
            index = self.item(line, 0).data(LINE)
            self.chosen.emit(int(self.result.run.rows[index]))


def table_of(result: PerturbResult) -> pd.DataFrame:
    """The cells of a result as a table to save, in their order in the frame."""
    run, shown = result.run, result.shown
    columns = attack_columns(
        run.model.head(run.head).classes,
        shown.scores,
        shown.perturbed_scores,
        result.flips,
        run.settings.target,
    )
    return run.encoding.cells.take(run.rows).to_frame(columns)


def note_of(result: PerturbResult, source: str) -> dict[str, Any]:
    """Source and settings of a result, to be kept beside its table."""
    run = result.run
    return {
        "image": source,
        "model": run.model.name,
        "model_sha256": run.model.sha256,
        "head": run.model.head(run.head).name,
        "classes": list(run.model.head(run.head).classes),
        "diameter": run.encoding.diameter,
        "frame": run.frame,
        "attack": run.settings.model_dump(),
        "attacked_cells": result.attacked,
        "flipped": {method: int(flipped.sum()) for method, flipped in result.flips.items()},
    }
