"""The plot by itself: points, a lasso, a box and clicks by real events of the mouse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt

from napari_interpdisc.widgets.linked_plot.scatter import ScatterPlot

XY = np.array([[0.0, 0.0], [1, 0], [0, 1], [1, 1], [np.nan, 0.5]])
COLORS = np.array([[200, 0, 0, 255]] * 5, np.uint8)
LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
SHIFT, CTRL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def plot(qtbot: Any) -> ScatterPlot:
    made = ScatterPlot()
    qtbot.addWidget(made)
    made.resize(400, 400)
    made.show()
    made.show_points(XY, COLORS, ("right", "up"))
    made.grab()
    return made


def drag(
    plot: ScatterPlot, qtbot: Any, corners: Sequence[tuple[float, float]], modifier: Any = NONE
) -> None:
    places = [plot.place_of(*corner).toPoint() for corner in corners]
    qtbot.mousePress(plot.viewport(), LEFT, modifier, places[0])
    for place in places[1:]:
        qtbot.mouseMove(plot.viewport(), place)
    qtbot.mouseRelease(plot.viewport(), LEFT, modifier, places[-1])


AROUND_LEFT = [(-0.03, -0.03), (0.4, -0.03), (0.4, 1.03), (-0.03, 1.03)]


def test_a_lasso_chooses_what_is_inside(plot: ScatterPlot, qtbot: Any) -> None:
    told: list[tuple[list[int], str]] = []
    plot.lassoed.connect(lambda rows, how: told.append((rows.tolist(), how)))
    drag(plot, qtbot, AROUND_LEFT)
    drag(plot, qtbot, AROUND_LEFT, SHIFT)
    drag(plot, qtbot, AROUND_LEFT, CTRL)
    assert told == [([0, 2], ""), ([0, 2], "add"), ([0, 2], "toggle")]


def test_a_box_has_the_corners_of_the_drag(plot: ScatterPlot, qtbot: Any) -> None:
    told: list[list[int]] = []
    plot.lassoed.connect(lambda rows, how: told.append(rows.tolist()))
    plot.boxes = True
    drag(plot, qtbot, [(-0.03, 0.5), (0.2, 1.02), (1.03, 1.03)])
    assert told == [[2, 3]]


def test_a_click_means_the_nearest_point_or_none(plot: ScatterPlot, qtbot: Any) -> None:
    told: list[tuple[int, str]] = []
    plot.clicked.connect(lambda at, how: told.append((at, how)))
    near = plot.place_of(1, 0).toPoint() + QPoint(3, -2)
    qtbot.mouseClick(plot.viewport(), LEFT, NONE, near)
    qtbot.mouseClick(plot.viewport(), LEFT, CTRL, near)
    qtbot.mouseClick(plot.viewport(), LEFT, NONE, plot.place_of(0.5, 0.5).toPoint())
    assert told == [(1, ""), (1, "toggle"), (-1, "")]


def test_escape_gives_a_lasso_up(plot: ScatterPlot, qtbot: Any) -> None:
    told: list[Any] = []
    plot.lassoed.connect(lambda *given: told.append(given))
    start = plot.place_of(0, 0).toPoint()
    qtbot.mousePress(plot.viewport(), LEFT, NONE, start)
    qtbot.mouseMove(plot.viewport(), start + QPoint(60, 40))
    qtbot.keyPress(plot, Qt.Key.Key_Escape)
    qtbot.mouseRelease(plot.viewport(), LEFT, NONE, start + QPoint(60, 40))
    assert told == []


def test_points_have_their_colour_and_fade_when_others_are_chosen(plot: ScatterPlot) -> None:
    def red_at(row: int) -> int:
        at = plot.place_of(*XY[row]).toPoint()
        return plot.grab().toImage().pixelColor(at).red()

    assert red_at(3) == 200
    plot.show_chosen(np.array([0]), None)
    assert plot._image.image[..., 3].max() == 255
    assert sorted({*plot._image.image[..., 3].ravel().tolist()}) == [0, 50, 255]
    plot.show_chosen(np.zeros(0, np.intp), 2)
    assert plot._spot.data["x"].tolist() == [0]
    plot.show_chosen(np.zeros(0, np.intp), 4)  # has no place
    assert not len(plot._spot.data)


def test_nothing_to_draw_is_told(plot: ScatterPlot) -> None:
    plot.empty = "No cells"
    plot.show_points(np.zeros((0, 2)), np.zeros((0, 4), np.uint8), ("", ""))
    assert not plot.has_data()
    plot.grab()
