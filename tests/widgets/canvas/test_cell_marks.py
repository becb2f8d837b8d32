"""Outlines of cells: found again by their style, and at every position of other axes."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np

from napari_interpdisc.widgets.canvas.cell_marks import (
    MarkStyle,
    add_marks,
    find_marks,
    is_marks,
    places_in,
)

ROUND = MarkStyle("round ones", "round", "disc", "#ffffff", 1.5, 2.0)
SQUARE = MarkStyle("square ones", "square", "square", "#ff00ff", 2.0, 1.0)


def test_outlines_of_two_styles_are_told_apart(make_scene: Callable[..., SimpleNamespace]) -> None:
    scene = make_scene(window=False, finished=False)
    active = scene.viewer.layers.selection.active
    assert find_marks(scene.viewer, ROUND) is None
    made = add_marks(scene.viewer, scene.image, np.array([[0, 30.0, 40.0]]), ROUND, 20.0)
    other = add_marks(scene.viewer, scene.image, np.array([[1, 3.0, 4.0]]), SQUARE, 20.0)
    assert find_marks(scene.viewer, ROUND) is made
    assert find_marks(scene.viewer, SQUARE) is other
    assert not is_marks(scene.image, ROUND)
    assert made.size.tolist() == [30.0]
    assert other.symbol[0].value == "square"
    assert scene.viewer.layers.selection.active is active


def test_a_cell_has_a_place_in_each_channel(make_scene: Callable[..., SimpleNamespace]) -> None:
    scene = make_scene(window=False, finished=False, channel_axis=1, scale=(1, 1, 1, 1))
    places = places_in(scene.image, scene.frames, 2, np.array([[30.0, 40.0]]))
    assert sorted(places.tolist()) == [[2, 0, 30, 40], [2, 1, 30, 40]]
