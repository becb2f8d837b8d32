"""Annotations as a Points layer: written, read, and told from a layer of the user's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from napari.components import ViewerModel
from napari.layers import Points

from napari_interpdisc.figures.palette import class_colors
from napari_interpdisc.widgets.canvas.annotation_layer import (
    classes_of,
    find_annotations,
    is_annotations,
    note_classes,
    pixels_of,
    read_layer,
    write_layer,
)
from napari_interpdisc.widgets.canvas.layers import frames_from_layer
from napari_interpdisc.widgets.discover.annotations import Mark

MARKS = [Mark("round", 0, 10.0, 20.0, 4, 0), Mark("long", 2, 30.0, 5.5, 7, 1)]


@pytest.fixture
def viewer() -> Any:
    made: Any = ViewerModel()
    made.add_image(np.zeros((3, 40, 50)), scale=(2, 0.5, 0.5), translate=(1, 2, 3), name="movie")
    return made


def written(viewer: Any, marks: list[Mark] = MARKS) -> Any:
    image = viewer.layers["movie"]
    return write_layer(viewer, image, frames_from_layer(image), 12.0, ("round", "long"), marks)


def test_marks_come_back_as_they_were_written(viewer: Any) -> None:
    layer, image = written(viewer), viewer.layers["movie"]
    assert find_annotations(viewer) is layer
    frames = frames_from_layer(image)
    found = read_layer(layer, image, frames)
    assert [(m.name, m.t, m.y, m.x, m.track_id) for m in found] == [
        (m.name, m.t, m.y, m.x, m.track_id) for m in MARKS
    ]
    np.testing.assert_allclose(pixels_of(layer, image, frames), [[0, 10, 20], [2, 30, 5.5]])
    assert classes_of(layer) == ["round", "long"]
    colors = class_colors(("round", "long"))
    np.testing.assert_allclose(layer.border_color, [colors["round"], colors["long"]])
    assert layer.size.tolist() == pytest.approx([15, 15]), "a ring around the nucleus"


def test_without_marks_no_layer_is_made_and_later_it_is_used_again(viewer: Any) -> None:
    assert written(viewer, []) not in viewer.layers
    assert find_annotations(viewer) is None
    layer = written(viewer)
    assert written(viewer, MARKS[:1]) is layer
    assert len(layer.data) == 1
    assert written(viewer, []) is layer
    assert not len(layer.data)


def test_a_point_that_was_moved_by_hand_is_where_it_is_drawn(viewer: Any) -> None:
    layer, image = written(viewer), viewer.layers["movie"]
    data = layer.data.copy()
    data[1] = (1, 31, 6)
    layer.data = data
    found = read_layer(layer, image, frames_from_layer(image))
    assert [(m.t, m.y, m.x) for m in found] == [(0, 10, 20), (1, 31, 6)]


def test_points_without_a_class_are_left_out(viewer: Any) -> None:
    layer, image = written(viewer), viewer.layers["movie"]
    table = layer.features.copy()
    table["class"] = ["  ", "long"]
    layer.features = table
    assert [m.name for m in read_layer(layer, image, frames_from_layer(image))] == ["long"]
    other = Points([[0, 1, 1]], features={"phase": ["a"]})
    assert read_layer(other, image, frames_from_layer(image)) == []


def test_only_what_was_written_here_counts_as_annotations(viewer: Any) -> None:
    layer = written(viewer)
    assert is_annotations(layer)
    assert not is_annotations(viewer.layers["movie"])
    plain = Points([[0, 1, 1]], name="Annotations")
    assert not is_annotations(plain), "a layer of the user's that is called alike"
    assert classes_of(plain) == []
    opened = Points(layer.data, name="Annotations [1]", features=pd.DataFrame(layer.features))
    assert is_annotations(opened), "ours, once saved as CSV and opened again"
    note_classes(layer, ["long"])
    assert classes_of(layer) == ["long"]
