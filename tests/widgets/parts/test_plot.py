from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QColor, QPalette, QWheelEvent

from napari_interpdisc.widgets.parts.plot import Plot, faint, line_item, nearest_of, round_ticks

from .test_track_plot import places


class Filled(Plot):
    full = False
    drawn = 0

    def has_data(self) -> bool:
        return self.full

    def draw(self) -> None:
        self.drawn += 1
        self.set_ranges((0, 10), (0, 5))
        self.box.addItem(line_item([0, 10], [2.5, 2.5], "red", 40))


@pytest.fixture
def plot(qtbot: Any) -> Filled:
    made = Filled(grows=True)
    qtbot.addWidget(made)
    made.resize(300, 200)
    return made


def test_a_sentence_stands_where_there_is_nothing_to_draw(plot: Filled) -> None:
    plot.redraw()
    blank = plot.grab().toImage()
    plot.empty = "Click a cell"
    said = plot.grab().toImage()
    assert said != blank
    assert plot.drawn == 0
    assert not len(places(said, "#ff0000"))
    plot.full = True
    plot.redraw()
    assert len(places(plot.grab().toImage(), "#ff0000")) > 1000
    assert plot.painted == 3


def test_what_cannot_be_seen_is_not_painted(plot: Filled, qtbot: Any) -> None:
    plot.full = True
    plot.redraw()
    qtbot.wait(20)
    assert plot.painted == 0


def test_places_and_points_are_each_others_inverse(plot: Filled) -> None:
    plot.full = True
    plot.redraw()
    plot.grab()
    low, high = plot.place_of(0, 0), plot.place_of(10, 5)
    assert low.x() < high.x() <= 300
    assert 0 <= high.y() < low.y(), "y goes up"
    assert plot.point_at(plot.place_of(3, 4)) == pytest.approx((3, 4))


@pytest.mark.parametrize("side", ["x_axis", "y_axis"])
def test_a_title_longer_than_its_axis_is_broken(plot: Filled, side: str) -> None:
    axis = getattr(plot, side)
    plot.full = True
    axis.setLabel("short")
    plot.redraw()
    plot.grab()
    line = axis.label.boundingRect().height()
    axis.setLabel("a title that is longer than any axis of a plot as small as this one is")
    plot.grab()
    title = axis.label.mapToParent(axis.label.boundingRect()).boundingRect()
    assert axis.label.boundingRect().height() > 1.5 * line
    along = (title.left(), title.right(), axis.size().width())
    if side == "y_axis":
        along = (title.top(), title.bottom(), axis.size().height())
    assert along[0] >= -1
    assert along[1] <= along[2] + 1


def test_the_nearest_place_within_reach(qapp: Any) -> None:
    three = [QPointF(0, 0), QPointF(10, 0), QPointF(0, 10)]
    assert nearest_of(three, QPointF(9, 3), 5) == 1
    assert nearest_of(three, QPointF(9, 9), 5) is None
    assert nearest_of([], QPointF(9, 9), 5) is None


def test_it_follows_the_theme(plot: Filled) -> None:
    plot.full = True
    plot.show()
    for ink, paper in (("#f0f0f0", "#202020"), ("#101010", "#fafafa")):
        colors = plot.palette()
        colors.setColor(QPalette.ColorRole.WindowText, QColor(ink))
        colors.setColor(QPalette.ColorRole.Window, QColor(paper))
        plot.setPalette(colors)
        assert plot.is_dark == (ink == "#f0f0f0")
        assert plot.grab().toImage().pixelColor(1, 1) == QColor(paper)
        assert plot.x_axis.textPen().color() == QColor(ink)


def test_a_long_heading_is_cut_and_takes_room(plot: Filled) -> None:
    plot.full = True
    plot.redraw()
    plot.grab()
    top = plot.place_of(0, 5).y()
    plot.set_heading("balanced accuracy " * 20, "", "a < b")
    plot.grab()
    assert plot.place_of(0, 5).y() > top + 20, "two lines"
    assert plot.place_of(10, 5).x() <= 300


def test_the_wheel_is_left_to_the_dock(plot: Filled) -> None:
    event = QWheelEvent(
        QPointF(50, 50), QPointF(50, 50), QPoint(0, 0), QPoint(0, 120), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    plot.wheelEvent(event)
    assert not event.isAccepted()


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (-1, 1, [-1, -0.5, 0, 0.5, 1]),
        (0, 10, [0, 2, 4, 6, 8, 10]),
        (-0.3, 7.6, [0, 2, 4, 6]),
        (0.52, 0.98, [0.6, 0.7, 0.8, 0.9]),
        (-40, 900, [0, 200, 400, 600, 800]),
    ],
)
def test_ticks_are_round_numbers_within(low: float, high: float, ticks: list[float]) -> None:
    assert round_ticks(low, high) == pytest.approx(ticks)


def test_ticks_of_any_range_are_a_few_and_evenly_spaced(rng: np.random.Generator) -> None:
    for _ in range(200):
        low = float(rng.normal(0, 10 ** rng.uniform(-3, 3)))
        high = low + float(10 ** rng.uniform(-3, 4))
        ticks = round_ticks(low, high)
        assert 2 <= len(ticks) <= 9
        assert low - 1e-9 <= ticks[0]
        assert ticks[-1] <= high + 1e-9
        np.testing.assert_allclose(np.diff(ticks), ticks[1] - ticks[0])


def test_a_faint_colour_is_the_same_colour(qapp: Any) -> None:
    ink = QColor("red")
    assert faint(ink, 0.3).alphaF() == pytest.approx(0.3, abs=0.01)
    assert faint(ink, 0.3).red() == 255
    assert ink.alphaF() == 1
