"""Lanes, as they are drawn and clicked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
import pytest
from qtpy.QtCore import Qt

from napari_interpdisc.through_time.result import ThroughTime
from napari_interpdisc.widgets.through_time.family import family_lanes
from napari_interpdisc.widgets.through_time.family_plot import FamilyPlot

from ...through_time.conftest import CLASSES
from .conftest import COLORS


@pytest.fixture
def plot(qtbot: Any, found: ThroughTime) -> FamilyPlot:
    made = FamilyPlot()
    qtbot.addWidget(made)
    made.resize(320, 240)
    made.show()
    made.show_lanes(family_lanes(found, 1), [COLORS[name] for name in CLASSES], "Track 1")
    return made


def test_each_track_has_a_strip_of_classes_and_one_of_states(plot: FamilyPlot) -> None:
    strips = [item for item in plot.box.addedItems if isinstance(item, pg.ImageItem)]
    assert len(strips) == 6
    classes, states = strips[4].image[:, 0], strips[5].image[:, 0]
    blue = np.rint(255 * np.array(COLORS["Interphase"][:3]))
    np.testing.assert_array_equal(states[1:, :3], [blue] * 3)
    assert states[:, 3].tolist() == [255, 255, 89, 255]  # pale where the cell is missing
    assert classes[:, 3].tolist() == [255, 255, 0, 255]


@pytest.mark.parametrize(("place", "track"), [(2, 1), (1, 2), (0, 3)])
def test_a_click_tells_track_and_frame(
    plot: FamilyPlot, qtbot: Any, place: int, track: int
) -> None:
    told: list[tuple[int, int]] = []
    plot.clicked.connect(lambda *given: told.append(given))
    at = plot.place_of(9.1, place - 0.1).toPoint()
    qtbot.mouseClick(plot.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert told == [(track, 9)]


def test_the_bar_follows_within_the_tracks(plot: FamilyPlot) -> None:
    plot.show_frame(4)
    assert plot._bar.isVisible()
    assert plot._bar.value() == 4
    plot.show_frame(1)
    assert not plot._bar.isVisible()
    plot.show_lanes((), (), "", "no track")
    assert not plot.has_data()
    plot.show_frame(4)
