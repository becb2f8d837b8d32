"""Curves, as they are drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QColor, QPalette

from napari_interpdisc.through_time.result import ThroughTime
from napari_interpdisc.widgets.through_time.curves import Curve, Curves, survival_curves
from napari_interpdisc.widgets.through_time.curves_plot import CurvesPlot

from .conftest import COLORS


@pytest.fixture
def plot(qtbot: Any) -> CurvesPlot:
    made = CurvesPlot()
    qtbot.addWidget(made)
    made.resize(300, 200)
    made.show()
    return made


def items(plot: CurvesPlot, kind: type) -> list[Any]:
    return [item for item in plot.box.addedItems if type(item) is kind]


def test_steps_stay_until_the_next_value(plot: CurvesPlot, found: ThroughTime) -> None:
    plot.show_curves(survival_curves(found, COLORS, 1))
    assert len(items(plot, pg.FillBetweenItem)) == 1
    x, y = items(plot, pg.PlotCurveItem)[2].getData()
    assert x.tolist() == [0, 6, 6]
    assert y.tolist() == [1, 1, 0.5]


def test_the_bar_is_seen_within_the_axis(plot: CurvesPlot) -> None:
    assert not plot.has_data()
    plot.show_bar(3)
    line = Curve(np.arange(5.0), np.array([0, 1, np.nan, 3, 4]), None)
    plot.show_curves(Curves((line,), "frame"))
    assert plot._bar.isVisible()
    assert plot._bar.value() == 3
    for at in (9, None):
        plot.show_bar(at)
        assert not plot._bar.isVisible()


def test_a_click_tells_its_place(plot: CurvesPlot, qtbot: Any) -> None:
    told: list[float] = []
    plot.clicked.connect(told.append)
    middle = QPoint(150, 100)
    qtbot.mouseClick(plot.viewport(), Qt.MouseButton.LeftButton, pos=middle)
    assert told == []
    plot.show_curves(Curves((Curve(np.arange(11.0), np.arange(11.0), None),), "frame"))
    place = plot.place_of(4, 5).toPoint()
    qtbot.mouseClick(plot.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert told == [pytest.approx(4, abs=0.1)]


def test_light_colours_are_darker_on_a_light_ground(plot: CurvesPlot) -> None:
    palette = plot.palette()
    yellow, blue = QColor("#F0E442"), QColor("#0072B2")
    for ink, seen in (("black", yellow.darker(150)), ("white", yellow)):
        palette.setColor(QPalette.ColorRole.WindowText, QColor(ink))
        plot.setPalette(palette)
        assert plot.on_ground(yellow) == seen
        assert plot.on_ground(blue) == blue
