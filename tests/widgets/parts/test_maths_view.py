"""Maths in a window: drawn when seen, broken anew for another width, in the theme's colour."""

from __future__ import annotations

from typing import Any

import pytest
from qtpy.QtGui import QColor, QPalette

from napari_interpdisc.widgets.parts import maths_view
from napari_interpdisc.widgets.parts.maths_view import MathsView

PARTS = (r"2 \, z_{1}", r"+\ 3 \, z_{2}", r"-\ 4 \, z_{3}^{2}", r"+\ 5 \, z_{4}")


@pytest.fixture
def view(qtbot: Any) -> MathsView:
    made = MathsView()
    qtbot.addWidget(made)
    made.resize(400, 30)
    return made


def test_nothing_is_drawn_while_hidden(view: MathsView, qtbot: Any) -> None:
    view.show_sum(PARTS, "2*z1 …")
    assert view.pixmap is None
    view.show()
    qtbot.waitUntil(lambda: view.pixmap is not None)
    assert view.height() == view.pixmap.height() + 4


def test_a_narrow_view_is_higher(view: MathsView, qtbot: Any) -> None:
    view.show()
    view.show_sum(PARTS, "2*z1 …")
    wide = view.height()
    view.resize(110, wide)
    qtbot.waitUntil(lambda: view.height() > 1.5 * wide)
    assert view.pixmap.width() <= 110


def test_it_is_drawn_again_for_something_else_only(
    view: MathsView, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Any] = []
    draw = maths_view.draw_sum
    monkeypatch.setattr(maths_view, "draw_sum", lambda *what: drawn.append(what) or draw(*what))
    view.show()
    view.show_sum(PARTS, "")
    view.show_sum(PARTS, "")
    view.resize(400, 90)
    assert len(drawn) == 1
    view.show_sum(PARTS[:2], "")
    assert [what[0] for what in drawn] == [PARTS, PARTS[:2]]


def test_ink_has_the_colour_of_text(view: MathsView, qtbot: Any) -> None:
    view.show()
    view.show_sum(PARTS, "")
    colors = QPalette(view.palette())
    for role in (QPalette.ColorRole.WindowText, QPalette.ColorRole.Text):
        colors.setColor(role, QColor(255, 0, 0))
    view.setPalette(colors)
    image = view.pixmap.toImage()
    inked = {
        image.pixelColor(x, y).getRgb()[:3]
        for x in range(image.width())
        for y in range(image.height())
        if image.pixelColor(x, y).alpha() > 200
    }
    assert inked == {(255, 0, 0)}


def test_text_stands_for_what_cannot_be_typeset(view: MathsView) -> None:
    view.show()
    view.show_sum((r"\frac{",), "as text")
    assert view.pixmap is None
    blank = MathsView()
    blank.resize(view.size())
    assert view.grab().toImage() != blank.grab().toImage()
    view.show_sum(PARTS, "")
    assert view.pixmap is not None
