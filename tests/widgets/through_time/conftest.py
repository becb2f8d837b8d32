"""A family of tracks through time, and the dock in a viewer with seven cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from napari_interpdisc.figures.palette import class_colors
from napari_interpdisc.through_time.result import ThroughTime, through_time
from napari_interpdisc.widgets.through_time.widget import ThroughTimeWidget

from ...through_time.conftest import CLASSES, seen
from ..conftest import put_up

Scene = SimpleNamespace
COLORS = class_colors(CLASSES)


@pytest.fixture(scope="session")
def found() -> ThroughTime:
    """A mother, who begins in frame 2, her two daughters, and a track of its own."""
    tracks = {1: (2, "IIIMMM"), 2: (8, "AAII"), 3: (8, "AI.I"), 9: (0, "IIIIMMMM")}
    return through_time(seen(tracks, {2: 1, 3: 1}), interval=120.0)


@pytest.fixture
def make_dock(make_scene: Callable[..., Scene], qtbot: Any) -> Iterator[Callable[..., Scene]]:
    """Return a function that opens the dock, and waits for what it finds."""
    made: list[ThroughTimeWidget] = []

    def make(in_window: bool = False, **given: Any) -> Scene:
        scene = make_scene(show=in_window, window=in_window, **given)
        scene.widget = ThroughTimeWidget(scene.viewer)
        made.append(scene.widget)
        put_up(scene.viewer, scene.widget, "Through time", qtbot)
        qtbot.waitUntil(lambda: scene.widget.isVisible() and not scene.widget.work.running)
        return scene

    yield make
    for one in made:
        one.work.stop()
