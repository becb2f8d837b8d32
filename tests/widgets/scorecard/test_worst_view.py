"""Pairs of pictures, and buttons that lead to their cells."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_interpdisc.widgets.parts.wording import class_of
from napari_interpdisc.widgets.scorecard.run import ScorecardResult, key_of
from napari_interpdisc.widgets.scorecard.worst_view import (
    BETWEEN,
    NOTHING,
    SIDE,
    WorstView,
    change_text,
    pair_picture,
)


@pytest.fixture
def view(qtbot: Any) -> WorstView:
    made = WorstView()
    qtbot.addWidget(made)
    return made


def grey(picture: Any, x: int, y: int) -> int:
    return int(picture.pixelColor(x, y).lightness())


def test_a_pair_is_the_cell_before_and_after(found: ScorecardResult) -> None:
    card = found.cards[0]
    row = next(row for row in card.rows if "background" in row.name)
    cell = found.worst[key_of(card, row)][0]
    picture = pair_picture(cell)
    assert (picture.width(), picture.height()) == (2 * SIDE + BETWEEN, SIDE)
    assert picture.pixelColor(SIDE + BETWEEN // 2, SIDE // 2).alpha() == 0
    size = cell.before.shape[0]
    for left, pixels in ((0, cell.before), (SIDE + BETWEEN, cell.after)):
        shown = [grey(picture, left + x, y) for y in range(0, SIDE, 4) for x in range(0, SIDE, 4)]
        at = np.minimum(np.arange(0, SIDE, 4) * size // SIDE, size - 1)
        assert np.corrcoef(shown, pixels[np.ix_(at, at)].ravel())[0, 1] > 0.9


def test_buttons_say_which_cell_and_how_its_class_changes(
    found: ScorecardResult, view: WorstView
) -> None:
    encoding = found.run.encoding
    for card in found.cards:
        for row in card.rows:
            view.show_test(found, card, row)
            cells = found.worst[key_of(card, row)]
            assert len(view.buttons) == len(cells)
            assert row.name in view.title.text()
            for button, cell in zip(view.buttons, cells, strict=True):
                track, t = encoding.cells.track_id[cell.row], encoding.cells.t[cell.row]
                assert button.text().startswith(f"Cell {track}, frame {t}\n")
                assert ("class changes" in button.text()) is cell.changes
                tip = button.toolTip()
                assert f"Cell {track}, frame {t}: {change_text(card.classes, cell)}." in tip
                assert class_of(card.classes, cell.changed_scores) in button.accessibleName()


def test_a_button_tells_its_row_by_mouse_and_by_keyboard(
    found: ScorecardResult, view: WorstView, qtbot: Any
) -> None:
    card = found.cards[1]
    view.show_test(found, card, card.rows[0])
    view.show()
    chosen: list[int] = []
    view.chosen.connect(chosen.append)
    cells = found.worst[key_of(card, card.rows[0])]
    qtbot.mouseClick(view.buttons[1], Qt.MouseButton.LeftButton)
    assert view.buttons[2].focusPolicy() == Qt.FocusPolicy.StrongFocus
    qtbot.keyClick(view.buttons[2], Qt.Key.Key_Space)
    assert chosen == [cells[1].row, cells[2].row]


def test_cells_that_are_gone_cannot_be_chosen(found: ScorecardResult, view: WorstView) -> None:
    card = found.cards[0]
    view.set_reachable(False)
    view.show_test(found, card, card.rows[0])
    assert not any(button.isEnabled() for button in view.buttons)
    view.set_reachable(True)
    assert all(button.isEnabled() for button in view.buttons)


def test_the_selected_cell_is_marked(found: ScorecardResult, view: WorstView) -> None:
    card = found.cards[0]
    view.show_test(found, card, card.rows[0])
    rows = [cell.row for cell in found.worst[key_of(card, card.rows[0])]]
    view.mark([rows[2]])
    assert [button.isChecked() for button in view.buttons] == [row == rows[2] for row in rows]
    view.mark([])
    assert not any(button.isChecked() for button in view.buttons)


def test_a_test_without_cells_and_an_empty_view(found: ScorecardResult, view: WorstView) -> None:
    from dataclasses import replace

    card = found.cards[0]
    view.show_test(found, card, card.rows[0])
    view.show_test(replace(found, worst={}), card, card.rows[0])
    assert view.buttons == []
    assert "No cell is kept" in view.title.text()
    view.clear()
    assert view.title.text() == NOTHING
