"""A figure in a window: drawn when seen, again for another width, in the theme's ink."""

from __future__ import annotations

from typing import Any

import pytest
from matplotlib.figure import Figure
from qtpy.QtGui import QColor, QPalette

from napari_interpdisc.widgets.parts.figure_view import FigureView

Asked = tuple[str, float, float]


@pytest.fixture
def view(qtbot: Any) -> FigureView:
    made = FigureView(120)
    qtbot.addWidget(made)
    made.resize(300, 120)
    return made


@pytest.fixture
def asked(view: FigureView) -> list[Asked]:
    """Return what the view asked to be drawn: ink, width and height."""
    seen: list[Asked] = []

    def draw(ink: str, width: float, height: float, dpi: float) -> Figure:
        seen.append((ink, width, height))
        return Figure(figsize=(width / dpi, height / dpi), dpi=dpi, facecolor="red")

    view.hide()
    view.show_figure(draw)
    return seen


def test_it_is_drawn_once_in_its_size(view: FigureView, asked: list[Asked], qtbot: Any) -> None:
    view.show()
    qtbot.waitUntil(lambda: view.pixmap is not None)
    assert asked[-1][1:] == (300, 120)
    assert view.pixmap.toImage().pixelColor(150, 60) == QColor("red")
    n = len(asked)
    view.hide()
    view.show()
    assert len(asked) == n
    view.resize(360, 120)
    qtbot.waitUntil(lambda: asked[-1][1] == 360)


def test_it_follows_the_theme(view: FigureView, asked: list[Asked], qtbot: Any) -> None:
    view.show()
    palette = QPalette(view.palette())
    palette.setColor(view.foregroundRole(), QColor("#123456"))
    view.setPalette(palette)
    qtbot.waitUntil(lambda: asked[-1][0] == "#123456")


def test_without_a_figure_it_is_hidden(view: FigureView, asked: list[Asked]) -> None:
    view.show()
    view.show_figure(None)
    assert not view.isVisible()
