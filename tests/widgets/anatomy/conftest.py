"""The Anatomy dock in a viewer with seven cells, and heads taken apart without one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.scrutiny.anatomy import Anatomy, parts_of
from napari_interpdisc.scrutiny.anatomy_response import drawn_cells, real_cells
from napari_interpdisc.widgets.anatomy.widget import AnatomyWidget

from ...earlier_heads import model_with_earlier_heads
from ..conftest import put_up

Scene = SimpleNamespace
ROW = 3


bundled_model = model_with_earlier_heads


@pytest.fixture(scope="session")
def sparse(bundled_model: CellModel) -> Anatomy:
    """The bundled sparse head, with 200 cells."""
    cells = real_cells(drawn_cells(bundled_model, 200).latents)
    return parts_of(bundled_model, "sparse", cells)


@pytest.fixture(scope="session")
def formula(bundled_model: CellModel) -> Anatomy:
    """The bundled formula, with 200 cells."""
    cells = real_cells(drawn_cells(bundled_model, 200).latents)
    return parts_of(bundled_model, "formula", cells)


@pytest.fixture
def make_dock(make_scene: Callable[..., Scene], qtbot: Any) -> Iterator[Callable[..., Scene]]:
    """Return a function that opens the dock with a head of the bundled model."""
    made: list[AnatomyWidget] = []

    def make(head: str, in_window: bool = False, **given: Any) -> Scene:
        scene = make_scene(show=in_window, window=in_window, **given)
        scene.session.set_model(scene.session.model, head)
        scene.widget = AnatomyWidget(scene.viewer)
        made.append(scene.widget)
        put_up(scene.viewer, scene.widget, "Anatomy", qtbot)
        qtbot.waitUntil(lambda: scene.widget.isVisible() and not scene.widget.tests.running)
        return scene

    yield make
    for one in made:
        one.tests.stop()
        one.work.stop()
