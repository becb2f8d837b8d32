from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qtpy.QtGui import QColor, QPainter

from napari_interpdisc.widgets.parts.plot import Plot, faint, round_ticks


class Filled(Plot):
    full = False

    def has_data(self) -> bool:
        return self.full

    def draw(self, painter: QPainter, ink: QColor) -> None:
        painter.fillRect(self.rect(), QColor("red"))


def test_a_sentence_stands_where_there_is_nothing_to_draw(qtbot: Any) -> None:
    plot = Filled(grows=True)
    qtbot.addWidget(plot)
    plot.resize(200, 150)
    blank = plot.grab().toImage()
    plot.empty = "Click a cell"
    said = plot.grab().toImage()
    assert said != blank
    assert said.pixelColor(1, 1) != QColor("red")
    plot.full = True
    assert plot.grab().toImage().pixelColor(1, 1) == QColor("red")
    assert plot.painted == 3


def test_what_cannot_be_seen_is_not_painted(qtbot: Any) -> None:
    plot = Filled(grows=False)
    qtbot.addWidget(plot)
    plot.full = True
    plot.update()
    qtbot.wait(20)
    assert plot.painted == 0


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
