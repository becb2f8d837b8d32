"""The table of phases."""

from __future__ import annotations

from typing import Any

import pytest
from qtpy.QtCore import Qt

from napari_interpdisc.through_time.result import ThroughTime, through_time
from napari_interpdisc.widgets.through_time.phase_table import PhaseTable

from ...through_time.conftest import seen


@pytest.fixture
def table(qtbot: Any) -> PhaseTable:
    made = PhaseTable()
    qtbot.addWidget(made)
    return made


def test_phases_of_a_state_say_what_was_not_seen(table: PhaseTable, found: ThroughTime) -> None:
    table.show_phases(found, 1)
    assert table.texts() == [
        ["1", "5", "7", "6", "whole"],
        ["9", "4", "7", "≥ 7", "end not seen"],
    ]
    table.show_phases(found, 0)
    assert [line[-1] for line in table.texts()] == [
        "start not seen", "end not seen", "end not seen", "start not seen",
    ]  # fmt: skip
    assert len(found.phases) == 8
    table.show_phases(found)
    assert len(table.texts()) == 8
    table.show_phases(None)
    assert table.texts() == []


def test_parts_and_tracks_of_one_state(table: PhaseTable) -> None:
    found = through_time(seen({1: (0, "MA"), 2: (2, "AI"), 3: (0, "MM")}, {2: 1}))
    table.show_phases(found)
    assert [(line[0], line[-1]) for line in table.texts()] == [
        ("1", "start not seen"),
        ("1", "goes on in daughters"),
        ("2", "whole"),
        ("2", "end not seen"),
        ("3", "neither end seen"),
    ]


def test_rows_are_sorted_by_number_and_go_to_their_cell(
    table: PhaseTable, found: ThroughTime
) -> None:
    told: list[tuple[int, int]] = []
    table.chosen.connect(lambda *given: told.append(given))
    table.show_phases(found, 1)
    table.sortByColumn(3, Qt.SortOrder.DescendingOrder)
    assert [line[0] for line in table.texts()] == ["9", "1"]
    table.clicked.emit(table.model().index(0, 2))
    assert told == [(9, 4)]
