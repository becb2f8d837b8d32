"""Outlines of the cells that are chosen together."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

from napari_interpdisc.widgets.canvas.chosen_marks import (
    STYLE,
    find_chosen_marks,
    is_chosen_marks,
    show_chosen,
)
from napari_interpdisc.widgets.canvas.compat import camera_of

from ..conftest import CELLS, SCALE


def test_each_cell_has_an_outline_in_its_frame(make_scene: Callable[..., SimpleNamespace]) -> None:
    scene = make_scene(window=False)
    viewer, session = scene.viewer, scene.session
    assert show_chosen(viewer, session) is None
    active = viewer.layers.selection.active
    session.choose([1, 4])
    layer = show_chosen(viewer, session)
    assert layer is find_chosen_marks(viewer)
    np.testing.assert_array_equal(layer.data, CELLS[[1, 4], :3])
    np.testing.assert_array_equal(layer.scale, scene.image.scale)
    assert viewer.layers.selection.active is active
    session.choose([0, 1, 2])
    assert show_chosen(viewer, session) is layer
    np.testing.assert_array_equal(layer.data, CELLS[:3, :3])
    assert len(set(layer.border_width.tolist())) == 1
    camera_of(viewer).zoom = 5.0
    assert layer.border_width == pytest.approx(STYLE.width_px / (5 * SCALE[2]))
    session.choose([])
    assert show_chosen(viewer, session) is layer
    assert not layer.visible
    session.choose([0])
    assert show_chosen(viewer, session) is layer
    np.testing.assert_array_equal(layer.data, CELLS[:1, :3])
    assert layer.visible
    assert sum(map(is_chosen_marks, viewer.layers)) == 1
