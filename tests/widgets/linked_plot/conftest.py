"""The dock *Plot* in a viewer with seven cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from napari_interpdisc.widgets.linked_plot.widget import LinkedPlotWidget

from ...earlier_heads import model_with_earlier_heads
from ..conftest import put_up

Scene = SimpleNamespace


bundled_model = model_with_earlier_heads


@pytest.fixture
def make_dock(make_scene: Callable[..., Scene], qtbot: Any) -> Iterator[Callable[..., Scene]]:
    """Return a function that opens the dock; it is held until Qt has closed it."""
    made: list[LinkedPlotWidget] = []

    def make(**given: Any) -> Scene:
        scene = make_scene(window=False, **given)
        scene.session.set_model(scene.session.model, "formula-strict")
        scene.widget = LinkedPlotWidget(scene.viewer)
        scene.widget.resize(420, 700)
        made.append(scene.widget)
        put_up(scene.viewer, scene.widget, "Plot", qtbot)
        return scene

    yield make
    for one in made:
        one.work.stop()
        one.close()  # what is seen is painted while the parts go, one by one
