"""Tables to read: as high as their rows."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QTableWidgetItem

from napari_interpdisc.widgets.parts.tables import MOST_ROWS, fit_height, plain_table


def test_a_table_is_as_high_as_its_rows_up_to_a_limit(qtbot: Any) -> None:
    heights = []
    for n in (1, 3, MOST_ROWS, MOST_ROWS + 20):
        table = plain_table("a", "b")
        qtbot.addWidget(table)
        table.resize(400, 50)
        table.setRowCount(n)
        for i in range(n):
            table.setItem(i, 0, QTableWidgetItem("x"))
        fit_height(table)
        heights.append(table.height())
    assert heights[0] < heights[1] < heights[2] == heights[3]
