from __future__ import annotations

from typing import Any

import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QColor

from napari_interpdisc.widgets.parts.value_plot import Value, ValuePlot

from .test_track_plot import places

MARKED = "#ff00ff"
VALUES = [Value(3, 0.7, 0.6, 0.8), Value(5, 0.8, 0.75, 0.85), Value(9, 0.9, 0.85, 0.95)]


@pytest.fixture
def plot(qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> ValuePlot:
    monkeypatch.setattr(ValuePlot, "chosen_colour", QColor(MARKED))
    made = ValuePlot("size", "accuracy")
    qtbot.addWidget(made)
    made.resize(300, 200)
    made.show()
    made.show_values(VALUES)
    made.grab()  # lays the axes out
    return made


def test_a_click_near_a_point_means_it_and_one_beside_means_nothing(
    plot: ValuePlot, qtbot: Any
) -> None:
    seen: list[int] = []
    plot.clicked.connect(seen.append)
    where = plot.places()
    assert [p.x() for p in where] == sorted(p.x() for p in where)
    assert [p.y() for p in where] == sorted((p.y() for p in where), reverse=True)
    for i, place in enumerate(where):
        at = QPoint(round(place.x()) + 3, round(place.y()) - 3)
        qtbot.mouseClick(plot.viewport(), Qt.MouseButton.LeftButton, pos=at)
        assert seen == list(range(i + 1))
    qtbot.mouseClick(plot.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(2, 2))
    assert seen == [0, 1, 2]


def test_the_marked_point_has_a_colour_of_its_own(plot: ValuePlot) -> None:
    assert not len(places(plot.grab().toImage(), MARKED))
    plot.mark(1)
    found = places(plot.grab().toImage(), MARKED)
    assert len(found) > 20
    assert found[:, 0].mean() == pytest.approx(plot.places()[1].x(), abs=2)
    # the bar of its interval goes beyond the point
    assert found[:, 1].max() - found[:, 1].min() > 12
    plot.mark(None)
    assert not len(places(plot.grab().toImage(), MARKED))


def test_one_point_alone_and_none_can_be_drawn(plot: ValuePlot, qtbot: Any) -> None:
    plot.show_values([Value(4, 1.0, 1.0, 1.0)], chosen=0)
    assert len(places(plot.grab().toImage(), MARKED)) > 20
    plot.show_values([], empty="Nothing yet")
    assert not plot.has_data()
    plot.grab()
    seen: list[int] = []
    plot.clicked.connect(seen.append)
    qtbot.mouseClick(plot.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(150, 100))
    assert not seen
