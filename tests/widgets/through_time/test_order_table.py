"""The grid of allowed changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_interpdisc.through_time.order import Order, order_of_text
from napari_interpdisc.widgets.through_time.order_table import OrderTable

from ...through_time.conftest import CLASSES


@pytest.fixture
def table(qtbot: Any) -> OrderTable:
    made = OrderTable()
    qtbot.addWidget(made)
    return made


def test_an_order_is_shown_and_read_back(table: OrderTable) -> None:
    order = order_of_text("Interphase > Metaphase > Anaphase", CLASSES)
    table.show_order(order)
    np.testing.assert_array_equal(table.order().allowed, order.allowed)
    assert table.order().classes == CLASSES
    assert table.item(0, 1).checkState() == Qt.CheckState.Checked
    assert table.item(1, 1).text() == "lasts"
    assert table.horizontalHeaderItem(1).text() == "→ Metaphase"


def test_a_tick_is_told_and_showing_is_not(table: OrderTable) -> None:
    told: list[Order] = []
    table.edited.connect(told.append)
    table.show_order(order_of_text("Interphase > Metaphase > Anaphase", CLASSES))
    assert told == []
    table.item(2, 0).setCheckState(Qt.CheckState.Checked)
    assert [order.text for order in told] == ["Interphase > Metaphase > Anaphase > Interphase"]
    table.show_order(order_of_text("any", CLASSES[:2]))
    assert table.order().is_free
