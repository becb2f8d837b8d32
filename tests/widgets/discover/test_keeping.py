"""The layer of annotations and the annotations say the same."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from napari.layers import Layer
from napari_builtins.io import csv_to_layer_data, napari_write_points

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.widgets.canvas.annotation_layer import find_annotations, is_annotations
from napari_interpdisc.widgets.discover.annotations import Annotations
from napari_interpdisc.widgets.discover.keeping import AnnotationKeeper


@pytest.fixture
def scene(make_scene: Callable[..., SimpleNamespace]) -> SimpleNamespace:
    return make_scene(window=False)


@pytest.fixture
def kept(scene: SimpleNamespace, annotations: Annotations) -> Any:
    keeper = AnnotationKeeper(scene.viewer, scene.session, annotations, lambda *_: None)
    keeper.start()
    yield keeper
    keeper.stop()


def test_the_layer_has_what_is_annotated(
    scene: SimpleNamespace, annotations: Annotations, kept: AnnotationKeeper, to_world: Any
) -> None:
    active = scene.viewer.layers.selection.active
    annotations.annotate(scene.session.encoding.cells, {0: "round", 4: "long"})
    layer = find_annotations(scene.viewer)
    assert layer is not None
    assert scene.viewer.layers.selection.active is active
    world = [layer.data_to_world(point) for point in layer.data]
    np.testing.assert_allclose(world, [to_world(0, (30, 30)), to_world(1, (88, 40))])
    assert layer.features["class"].tolist() == ["round", "long"]
    assert layer.features["track_id"].tolist() == [1, 2]
    assert not np.allclose(*layer.border_color)
    assert layer.metadata["interpdisc"]["classes"] == ["round", "long"]
    annotations.rename_class("long", "thin")
    assert layer.features["class"].tolist() == ["round", "thin"]
    annotations.remove(0)
    annotations.remove(4)
    assert not len(layer.data)
    annotations.undo()
    assert layer.features["class"].tolist() == ["thin"]


def test_points_that_are_deleted_moved_or_added_by_hand(
    scene: SimpleNamespace, annotations: Annotations, kept: AnnotationKeeper
) -> None:
    annotations.annotate(scene.session.encoding.cells, {0: "round", 1: "long", 2: "round"})
    layer = find_annotations(scene.viewer)
    assert layer is not None
    layer.selected_data = {1}
    layer.remove_selected()
    assert annotations.by_row == {0: "round", 2: "round"}
    moved = layer.data.copy()
    moved[0] = (0, 61, 89)
    layer.data = moved
    assert annotations.by_row == {1: "round", 2: "round"}
    np.testing.assert_allclose(layer.data[0], (0, 60, 90))
    layer.add((1, 88, 41))
    assert set(annotations.by_row) == {1, 2, 4}
    annotations.undo()
    annotations.undo()
    annotations.undo()
    assert annotations.by_row == {0: "round", 1: "long", 2: "round"}
    scene.viewer.layers.remove(layer)
    assert not annotations.marks
    annotations.undo()
    assert len(find_annotations(scene.viewer).data) == 3  # type: ignore[union-attr]


def test_cells_that_go_and_come_back(
    scene: SimpleNamespace, annotations: Annotations, kept: AnnotationKeeper
) -> None:
    annotations.annotate(scene.session.encoding.cells, {0: "round", 5: "long"})
    scene.session.clear()
    assert annotations.by_row == {}
    assert annotations.counts() == {"round": (1, 1), "long": (1, 1)}
    assert "2 annotations are kept" in kept.without_cells()
    with pytest.raises(InvalidInput, match="run the Cells widget"):
        kept.check_changeable("round")
    layer = find_annotations(scene.viewer)
    assert len(layer.data) == 2  # type: ignore[union-attr]
    scene.finish()
    assert annotations.by_row == {0: "round", 5: "long"}


def test_a_layer_that_was_saved_and_opened_again(
    scene: SimpleNamespace, annotations: Annotations, kept: AnnotationKeeper, tmp_path: Any
) -> None:
    annotations.annotate(scene.session.encoding.cells, {0: "round", 5: "long"})
    layer = find_annotations(scene.viewer)
    assert layer is not None
    path = str(tmp_path / "Annotations.csv")
    # napari's own writer and reader, whatever plugins earlier tests have loaded
    data, meta, _ = layer.as_layer_data_tuple()
    assert napari_write_points(path, data, meta) == path
    kept.stop()
    scene.viewer.layers.remove(layer)
    found, given, kind = csv_to_layer_data(path)
    named = {**given, "name": "Annotations"}  # after the file, as File ▸ Open does
    opened = scene.viewer.add_layer(Layer.create(found, named, kind))
    assert is_annotations(opened)
    others = Annotations()
    again = AnnotationKeeper(scene.viewer, scene.session, others, lambda *_: None)
    again.start()
    assert others.by_row == {0: "round", 5: "long"}
    assert others.classes == ("round", "long")
    others.annotate(scene.session.encoding.cells, {2: "round"})
    np.testing.assert_allclose(opened.data_to_world(opened.data[0]), (10, -15, 14.5))
    again.stop()
