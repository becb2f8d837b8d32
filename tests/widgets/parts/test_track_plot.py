from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QColor, QImage

from napari_interpdisc.widgets.parts.track_plot import TrackPlot, TrackSeries

RED, GREEN = (1.0, 0.0, 0.0, 1.0), (0.0, 1.0, 0.0, 1.0)


@pytest.fixture
def plot(qtbot: Any) -> Iterator[TrackPlot]:
    made = TrackPlot()
    qtbot.addWidget(made)
    made.resize(300, 200)
    return made


def series(**changed: Any) -> TrackSeries:
    given = {
        "t": np.array([2, 3, 4, 7]),
        "lines": np.array([[-4], [-3], [4], [5]], np.float32),
        "line_colors": [None],
        "point_colors": [RED, RED, GREEN, GREEN],
        "title": "Cell 3",
    }
    return TrackSeries(**{**given, **changed})


def places(picture: QImage, color: str) -> np.ndarray:
    """(n, 2) of x, y of the pixels of about one colour."""
    wanted = QColor(color)
    return np.array(
        [
            (x, y)
            for x in range(picture.width())
            for y in range(picture.height())
            if all(
                abs(a - b) < 40
                for a, b in zip(
                    picture.pixelColor(x, y).getRgb()[:3], wanted.getRgb()[:3], strict=True
                )
            )
        ]
    ).reshape(-1, 2)


def test_points_go_right_with_time_and_up_with_the_score(plot: TrackPlot) -> None:
    plot.show_series(series())
    picture = plot.grab().toImage()
    low, high = places(picture, "#ff0000"), places(picture, "#00ff00")
    assert len(low) > 20
    assert len(high) > 20
    assert low[:, 0].max() < high[:, 0].min()
    assert low[:, 1].min() > high[:, 1].max()


def test_the_bar_stands_at_the_frame_shown_and_nowhere_outside_the_track(
    plot: TrackPlot, monkeypatch: pytest.MonkeyPatch
) -> None:
    plot.show_series(series())
    monkeypatch.setattr(TrackPlot, "chosen_colour", QColor("#ff00ff"))
    plot.redraw()
    found = {}
    for frame in (2, 7, 9):
        plot.show_frame(frame)
        bar = places(plot.grab().toImage(), "#ff00ff")
        found[frame] = bar[:, 0].mean() if len(bar) else None
    assert found[2] is not None
    assert found[7] is not None
    assert found[2] < found[7] - 100
    assert found[9] is None


def test_a_track_of_one_frame_and_three_classes_can_be_drawn(plot: TrackPlot) -> None:
    one = series(
        t=np.array([5]), lines=np.array([[0.5, 2, -1]], np.float32),
        line_colors=[RED, GREEN, None], point_colors=[GREEN], note="cut by the edge",
    )  # fmt: skip
    plot.show_series(one)
    plot.show_frame(5)
    assert len(places(plot.grab().toImage(), "#00ff00")) > 20
    assert plot.series is one


def test_without_a_track_it_says_what_to_do(plot: TrackPlot) -> None:
    plot.show_series(None, "Click a cell")
    assert not plot.has_data()
    said = plot.grab().toImage()
    plot.show_series(None, "")
    assert plot.grab().toImage() != said


def test_a_click_tells_the_nearest_frame_of_the_track(plot: TrackPlot, qtbot: Any) -> None:
    told: list[int] = []
    plot.clicked.connect(told.append)
    plot.show()
    press = partial(qtbot.mouseClick, plot.viewport(), Qt.MouseButton.LeftButton)
    press(pos=QPoint(150, 100))
    assert told == []  # there is no track
    plot.show_series(series())
    for x in (3.1, 5.2, 6.0):
        press(pos=plot.place_of(x, 0).toPoint())
    assert told == [3, 4, 7]  # the track has no frames 5 and 6
