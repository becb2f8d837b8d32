"""The table: figures, marks and what it says of a test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor

from napari_interpdisc.scrutiny.scorecard import SIMULATED, Scorecard, ScoreRow
from napari_interpdisc.widgets.scorecard.run import ScorecardResult
from napari_interpdisc.widgets.scorecard.table import (
    FAILED,
    FIRST_HEAD,
    LIMIT,
    MARKS,
    NAME,
    PASSED,
    SHADES,
    ScoreTable,
    grouped_tests,
    limit_text,
    share_text,
    told,
)


@pytest.fixture
def table(found: ScorecardResult, qtbot: Any) -> Iterator[ScoreTable]:
    made = ScoreTable()
    made.resize(500, 300)
    qtbot.addWidget(made)
    made.show_cards(found.cards)
    made.show()
    yield made
    made.hide()


def line_of(table: ScoreTable, row: ScoreRow) -> int:
    names = [table.item(i, NAME).text() for i in range(table.rowCount())]
    title = row.constraint[:1].upper() + row.constraint[1:]
    return names.index(row.name, names.index(title))


def changed_card(card: Scorecard, **shares: Any) -> Scorecard:
    """The same card with its first row changed."""
    return replace(card, rows=(replace(card.rows[0], **shares), *card.rows[1:]))


def test_numbers_as_they_are_written() -> None:
    assert [share_text(share) for share in (0.0, 0.0126, 1.0, float("nan"))] == [
        "0.0 %", "1.3 %", "100.0 %", "–"
    ]  # fmt: skip
    assert [limit_text(limit) for limit in (None, 0.0, 0.01)] == ["–", "0 %", "1 %"]


def test_tests_stand_under_their_constraint(found: ScorecardResult, table: ScoreTable) -> None:
    card = found.cards[0]
    assert SIMULATED in {row.constraint for row in card.table_rows}
    constraints = list(dict.fromkeys(row.constraint for row in card.table_rows))
    texts = [table.item(i, NAME).text() for i in range(table.rowCount())]
    expected = []
    for constraint in constraints:
        expected.append(constraint[0].upper() + constraint[1:])
        expected += [row.name for row in card.table_rows if row.constraint == constraint]
    assert texts == expected
    title = table.item(0, NAME)
    assert title.font().bold()
    assert not title.flags() & Qt.ItemFlag.ItemIsSelectable
    assert table.columnSpan(0, NAME) == table.columnCount()


def test_every_figure_is_that_of_its_head(found: ScorecardResult, table: ScoreTable) -> None:
    headers = [table.horizontalHeaderItem(k).text() for k in range(table.columnCount())]
    assert headers[FIRST_HEAD:] == [card.head for card in found.cards]
    marks = set()
    for k, card in enumerate(found.cards):
        for row in card.table_rows:
            item = table.item(line_of(table, row), FIRST_HEAD + k)
            mark = MARKS[row.passed]
            assert item.text() == f"{mark} {100 * row.changed:.1f} %".strip()
            assert table.item(line_of(table, row), LIMIT).text() == limit_text(row.limit)
            marks.add(mark)
            shade = item.background().color()
            if row.passed is None:
                assert item.background().style() == Qt.BrushStyle.NoBrush
            else:
                assert shade.rgb() & 0xFFFFFF == QColor(SHADES[row.passed]).rgb() & 0xFFFFFF
            low, high = row.interval
            tip = item.toolTip()
            assert f"{share_text(low)} to {share_text(high)}" in tip
            assert tip == item.data(Qt.ItemDataRole.AccessibleTextRole)
    assert {PASSED, FAILED} <= marks, "both kinds were looked at"


def test_what_is_told_has_word_interval_and_classes(found: ScorecardResult) -> None:
    card = changed_card(
        found.cards[0], changed=0.25, interval=(0.1, 0.4), limit=0.01,
        of_class={"Interphase": 0.2, "Metaphase": float("nan")}, clean=0.5, crowded=float("nan"),
    )  # fmt: skip
    text = told(card, card.rows[0])
    assert "failed" in text
    assert "25.0 % of the classes change" in text
    assert "10.0 % to 40.0 %" in text
    assert "Limit: 1 %" in text
    assert "Interphase 20.0 %, room around them 50.0 %" in text
    assert "Metaphase" not in text
    nothing = float("nan")
    card = changed_card(card, changed=nothing, interval=(nothing, nothing))
    text = told(card, card.rows[0])
    assert "– of the classes change" in text
    assert "interval" not in text


def test_heads_with_different_tests_keep_their_own_lines(
    found: ScorecardResult, qtbot: Any
) -> None:
    first, second = found.cards
    less = replace(second, rows=second.rows[1:])
    more = replace(second.rows[0], name="one more")
    made = ScoreTable()
    qtbot.addWidget(made)
    made.show_cards((first, replace(less, rows=(*less.rows, more))))
    groups = grouped_tests((first, replace(less, rows=(*less.rows, more))))
    assert groups[more.constraint][-1] == "one more"
    line = line_of(made, first.rows[0])
    assert made.item(line, FIRST_HEAD + 1).text() == ""
    assert made.item(line_of(made, more), FIRST_HEAD).text() == ""
    assert made.item(line_of(made, more), FIRST_HEAD + 1).text() != ""


def test_a_cell_of_the_table_tells_card_and_row(found: ScorecardResult, table: ScoreTable) -> None:
    picked: list[tuple[Scorecard, ScoreRow]] = []
    table.picked.connect(lambda card, row: picked.append((card, row)))
    row = found.cards[1].rows[3]
    table.setCurrentCell(line_of(table, row), FIRST_HEAD + 1)
    assert picked[-1][0] is found.cards[1]
    assert picked[-1][1] is row
    table.setCurrentCell(0, NAME)  # a title is no test
    assert len(picked) == 1
    table.setCurrentCell(line_of(table, row), NAME)
    other = next(r for r in found.cards[0].rows if r.name == row.name)
    assert picked[-1][1].changed == max(row.changed, other.changed)


def test_arrow_keys_pass_over_titles(found: ScorecardResult, table: ScoreTable, qtbot: Any) -> None:
    rows = found.cards[0].rows
    last = max(i for i, row in enumerate(rows) if row.constraint == rows[0].constraint)
    table.setCurrentCell(line_of(table, rows[last]), FIRST_HEAD)
    picked: list[ScoreRow] = []
    table.picked.connect(lambda _, row: picked.append(row))
    for _ in range(2):
        qtbot.keyClick(table, Qt.Key.Key_Down)
    assert rows[last + 1] in picked


def test_the_worst_failed_test_is_picked(found: ScorecardResult, qtbot: Any) -> None:
    card = found.cards[0]
    rows = [replace(row, changed=0.0) for row in card.rows]
    rows[2] = replace(rows[2], changed=0.4, limit=None)
    rows[5] = replace(rows[5], changed=0.3, limit=0.01)
    rows[6] = replace(rows[6], changed=0.2, limit=0.01)
    made = ScoreTable()
    qtbot.addWidget(made)
    picked: list[ScoreRow] = []
    made.picked.connect(lambda _, row: picked.append(row))
    made.show_cards((replace(card, rows=tuple(rows)),))
    made.pick_worst()
    assert picked == [rows[5]]
    made.show_cards(())
    assert made.rowCount() == 0
    made.pick_worst()
    assert len(picked) == 1


def test_names_are_in_view_first_however_many_heads_there_are(
    found: ScorecardResult, table: ScoreTable
) -> None:
    table.show_cards(found.cards * 5)
    assert table.horizontalScrollBar().maximum() > 0
    table.pick_worst()
    assert table.horizontalScrollBar().value() == 0


def test_names_take_the_room_that_figures_leave(table: ScoreTable) -> None:
    table.resize(700, 300)
    wide = table.columnWidth(NAME)
    assert table.horizontalHeader().length() == table.viewport().width()
    table.resize(450, 300)
    assert table.columnWidth(NAME) < wide
