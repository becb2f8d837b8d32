from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_interpdisc.discovery.quality import Quality
from napari_interpdisc.widgets.discover.quality_view import QualityView, told

from .conftest import made_up


@pytest.fixture
def view(qtbot: Any) -> QualityView:
    made = QualityView()
    qtbot.addWidget(made)
    made.show_found(made_up("sha"))
    return made


def test_a_figure_is_told_with_its_interval() -> None:
    assert told(Quality(0.9, 0.9617, (0.914, 0.987), np.eye(2))) == "0.962 [0.91, 0.99]"


def test_a_row_for_each_head_and_a_formula_has_no_weights(view: QualityView) -> None:
    rows = [[view.heads.item(i, j).text() for j in range(4)] for i in range(view.heads.rowCount())]
    assert [row[0] for row in rows] == ["dense", "formula"]
    assert rows[0][1:3] == ["1040", "8641"]
    assert rows[1][1] == "–"
    assert rows[0][3] == "0.850 [0.75, 0.87]"
    assert len(view.curve.values) == 2


def test_the_confusion_matrix_is_that_of_the_head_shown(view: QualityView) -> None:
    found = made_up("sha")
    view.show_chosen("dense", None)
    counts = [[view.confusion.item(i, j).text() for j in range(2)] for i in range(2)]
    assert counts == [["17", "1"], ["2", "16"]]
    assert "33 of 36 held-out cells are right" in view.confusion_title.text()
    assert view.confusion.item(1, 0).toolTip() == (
        "2 cells annotated as class 2 are predicted as class 1: 11%"
    )
    strong, weak = (view.confusion.item(0, j).background().color().alphaF() for j in range(2))
    assert strong > weak
    view.show_chosen("formula", found.front[0])
    assert view.heads.item(1, 2).text() == str(found.front[0].size)
    assert view.heads.item(1, 3).text() == told(found.front[0].quality)


def test_a_head_of_another_model_marks_nothing(view: QualityView) -> None:
    view.show_chosen("dense", None)
    assert view.heads.selectedItems()
    view.show_chosen(None, None)
    assert not view.heads.selectedItems()


def test_a_click_on_a_row_tells_its_kind(view: QualityView) -> None:
    seen: list[str] = []
    view.chosen.connect(seen.append)
    view.heads.cellClicked.emit(1, 2)
    view.heads.cellClicked.emit(0, 0)
    assert seen == ["formula", "dense"]


def test_a_click_on_the_matrix_tells_both_classes(view: QualityView) -> None:
    view.show_chosen("dense", None)
    seen: list[tuple[int, int]] = []
    view.confused.connect(lambda annotated, predicted: seen.append((annotated, predicted)))
    view.confusion.cellClicked.emit(0, 1)
    assert seen == [(0, 1)]
