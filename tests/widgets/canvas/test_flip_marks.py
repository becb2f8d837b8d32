"""Squares around flipped cells: in their frame, in every channel, equally wide at any zoom."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

from napari_interpdisc.widgets.canvas.compat import camera_of
from napari_interpdisc.widgets.canvas.flip_marks import (
    STYLE,
    drop_flips,
    find_flip_marks,
    show_flips,
)

CELLS = [[30.0, 40.0], [60.0, 90.0]]


def test_squares_are_at_their_cells_and_frame(make_scene: Callable[..., SimpleNamespace]) -> None:
    scene = make_scene(window=False, finished=False)
    active = scene.viewer.layers.selection.active
    layer = show_flips(scene.viewer, scene.image, scene.frames, 1, CELLS, 20.0)
    assert layer is find_flip_marks(scene.viewer)
    np.testing.assert_array_equal(layer.data, [[1, 30, 40], [1, 60, 90]])
    np.testing.assert_array_equal(layer.scale, scene.image.scale)
    np.testing.assert_array_equal(layer.translate, scene.image.translate)
    assert scene.viewer.layers.selection.active is active
    again = show_flips(scene.viewer, scene.image, scene.frames, 2, CELLS[:1], 20.0)
    assert [found for found in scene.viewer.layers if found.name == layer.name] == [again]
    assert show_flips(scene.viewer, scene.image, scene.frames, 2, np.empty((0, 2)), 20.0) is None
    assert find_flip_marks(scene.viewer) is None
    assert not drop_flips(scene.viewer)


@pytest.mark.parametrize("channel_axis", [0, 1])
def test_squares_are_in_every_channel(
    make_scene: Callable[..., SimpleNamespace], channel_axis: int
) -> None:
    scene = make_scene(window=False, finished=False, channel_axis=channel_axis, scale=(1, 1, 1, 1))
    layer = show_flips(scene.viewer, scene.image, scene.frames, 1, CELLS, 20.0)
    assert layer is not None
    assert len(layer.data) == 4
    assert sorted(layer.data[:, channel_axis]) == [0, 0, 1, 1]
    assert (layer.data[:, 1 - channel_axis] == 1).all()


def test_the_line_has_the_same_width_on_the_screen(
    make_scene: Callable[..., SimpleNamespace],
) -> None:
    scene = make_scene(window=False, finished=False)
    layer = show_flips(scene.viewer, scene.image, scene.frames, 1, CELLS, 20.0)
    assert layer is not None
    camera = camera_of(scene.viewer)
    for zoom in (0.5, 4.0):
        camera.zoom = zoom
        # data pixels are 0.25 world units wide
        np.testing.assert_allclose(layer.border_width * 0.25 * zoom, STYLE.width_px)


def test_squares_are_no_cells_to_choose(make_scene: Callable[..., SimpleNamespace], qtbot) -> None:
    from napari_interpdisc.widgets.cells.widget import CellsWidget

    scene = make_scene(window=False, finished=False)
    show_flips(scene.viewer, scene.image, scene.frames, 1, CELLS, 20.0)
    widget = CellsWidget(scene.viewer)
    qtbot.addWidget(widget)
    assert [name for name, _ in widget._cell_layers()] == ["cells"]
