"""The table of perturbed cells: sorted by value, and told by method."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_interpdisc.cells import CellTable
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.scrutiny.attacks import AttackSettings, Perturbation
from napari_interpdisc.widgets.perturb.attack_table import AttackTable, note_of, table_of
from napari_interpdisc.widgets.perturb.run import PerturbResult, PerturbRun

BEFORE = np.array([[-2.0], [1.0], [-10.0]], np.float32)
AFTER = np.array([[0.5], [0.9], [-4.0]], np.float32)


@pytest.fixture
def result(bundled_model: CellModel) -> PerturbResult:
    """Return tracks 10, 9 and 100, of which the first flips by FGSM and the last by PGD alone."""
    cells = CellTable.from_arrays([4, 4, 4], np.zeros((3, 2)), [10, 9, 100])
    encoding: Any = SimpleNamespace(cells=cells, diameter=20.0)
    frames: Any = SimpleNamespace(is_movie=True)
    run = PerturbRun(
        frames, encoding, np.arange(3), None, bundled_model, None, AttackSettings(), "", True
    )
    empty = np.zeros((3, 1, 2, 2), np.float32)
    shown = Perturbation(*[empty] * 5, *[np.zeros((3, 4), np.float32)] * 2, BEFORE, AFTER)
    flips = {
        "fgsm": np.array([True, False, False]),
        "pgd": np.array([True, False, True]),
        "random": np.zeros(3, bool),
    }
    return PerturbResult(run, shown, flips, None)


def column(table: AttackTable, k: int) -> list[str]:
    return [
        table.item(line, k).text().replace("\N{NO-BREAK SPACE}", " ")
        for line in range(table.rowCount())
    ]


def test_words(qtbot: Any, result: PerturbResult) -> None:
    table = AttackTable()
    qtbot.addWidget(table)
    table.show_result(result)
    assert column(table, 0) == ["10", "9", "100"]
    assert column(table, 1) == ["Interphase → Metaphase", "Metaphase", "Interphase"]
    assert column(table, 2) == ["−2.00 → +0.50", "+1.00 → +0.90", "−10.00 → −4.00"]
    assert column(table, 3) == ["F P", "–", "P"]
    assert table.item(0, 0).toolTip().endswith("flipped by FGSM, PGD")
    assert table.item(0, 0).font().bold()
    assert not table.item(2, 0).font().bold(), "PGD is not what is shown"
    table.show_result(None)
    assert table.rowCount() == 0


def test_columns_are_sorted_by_value_and_lines_stay_with_their_cells(
    qtbot: Any, result: PerturbResult
) -> None:
    table = AttackTable()
    qtbot.addWidget(table)
    table.show_result(result)
    chosen: list[int] = []
    table.chosen.connect(chosen.append)
    table.sortItems(0, Qt.SortOrder.AscendingOrder)
    assert column(table, 0) == ["9", "10", "100"], "as numbers"
    table.cellClicked.emit(0, 0)
    assert chosen == [1]
    table.sortItems(2, Qt.SortOrder.DescendingOrder)
    assert column(table, 0) == ["100", "10", "9"], "by the change of the score"
    table.sortItems(3, Qt.SortOrder.DescendingOrder)
    assert column(table, 3) == ["F P", "P", "–"]
    table.show_result(result)
    assert column(table, 0) == ["10", "9", "100"], "a new result comes in its own order"


def test_the_table_to_save(result: PerturbResult) -> None:
    table = table_of(result)
    assert table["track_id"].tolist() == [10, 9, 100]
    assert table["class_after"].tolist() == ["Metaphase", "Metaphase", "Interphase"]
    assert table["flipped"].tolist() == [True, False, False]
    assert table["flipped_by_pgd"].tolist() == [True, False, True]
    note = note_of(result, "movie.tif")
    assert (note["image"], note["frame"], note["attacked_cells"]) == ("movie.tif", 4, 3)
    assert note["flipped"] == {"fgsm": 1, "pgd": 2, "random": 0}
