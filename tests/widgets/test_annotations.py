"""Annotations and their layer: what is kept, undone, counted, imported and found again."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.widgets.canvas.annotation_layer import find_annotations, is_annotations
from napari_interpdisc.widgets.discover.annotation_import import (
    LABEL_VALUE,
    columns_of,
    prepare_import,
)
from napari_interpdisc.widgets.discover.annotations import Annotations, Mark, match_marks
from napari_interpdisc.widgets.discover.keeping import AnnotationKeeper


@pytest.fixture
def scene(make_scene: Callable[..., SimpleNamespace]) -> SimpleNamespace:
    return make_scene()


@pytest.fixture
def annotations() -> Annotations:
    made = Annotations()
    made.start_with("round", "long")
    return made


@pytest.fixture
def kept(scene: SimpleNamespace, annotations: Annotations) -> Any:
    keeper = AnnotationKeeper(scene.viewer, scene.session, annotations, lambda *_: None)
    keeper.start()
    yield keeper
    keeper.stop()


def test_annotate_count_and_undo(scene: SimpleNamespace, annotations: Annotations) -> None:
    cells = scene.session.encoding.cells
    annotations.annotate(cells, {0: "round"})
    annotations.annotate(cells, {2: "round", 1: "long"})
    annotations.annotate(cells, {0: "long"})
    assert annotations.counts() == {"round": (1, 1), "long": (2, 2)}
    annotations.undo()
    assert annotations.counts() == {"round": (2, 1), "long": (1, 1)}
    assert annotations.remove(0)
    assert not annotations.remove(0)
    assert annotations.remove_class("round") == 1
    assert annotations.classes == ("long",)
    for _ in range(2):
        annotations.undo()
    assert annotations.by_row == {0: "round", 1: "long", 2: "round"}
    rows, names = annotations.labelled()
    assert rows.tolist() == [0, 1, 2]
    assert names == ["round", "long", "round"]
    while annotations.undo():
        pass
    assert annotations.classes == ("round", "long")
    assert not annotations.marks


@pytest.mark.parametrize(
    ("name", "sentence"),
    [(" ", "needs a name"), ("Round", "is a class 'Round' already"), ("unsure", "use another")],
)
def test_names_that_cannot_be(annotations: Annotations, name: str, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        annotations.rename_class("long", name)
    assert annotations.classes == ("round", "long")


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
    (path,) = layer.save(str(tmp_path / "Annotations.csv"))
    kept.stop()
    scene.viewer.layers.remove(layer)
    (opened,) = scene.viewer.open(path, plugin="napari")
    assert is_annotations(opened)
    others = Annotations()
    again = AnnotationKeeper(scene.viewer, scene.session, others, lambda *_: None)
    again.start()
    assert others.by_row == {0: "round", 5: "long"}
    assert others.classes == ("round", "long")
    others.annotate(scene.session.encoding.cells, {2: "round"})
    np.testing.assert_allclose(opened.data_to_world(opened.data[0]), (10, -15, 14.5))
    again.stop()


def test_marks_find_the_nearest_cell_of_their_frame(scene: SimpleNamespace) -> None:
    marks = [Mark("a", 0, 33, 30, 7), Mark("b", 0, 29, 30, 7), Mark("c", 2, 60, 90, 7)]
    found = match_marks(marks, scene.session.encoding.cells, 10)
    assert [(m.name, m.row, m.track_id) for m in found] == [("b", 0, 1), ("c", -1, 7)]
    assert (found[0].y, found[0].x) == (30, 30)


def taken(layer: Any, column: str, scene: SimpleNamespace) -> Any:
    return prepare_import(layer, column, scene.session)(lambda done, n: None)


def test_import_from_the_cells_features(scene: SimpleNamespace) -> None:
    scene.cells.features = pd.DataFrame(
        {"mine": ["a", "", "b", None, "a", "b", "a"], "z_0": range(7)}
    )
    assert columns_of(scene.cells, scene.session) == ["mine"]
    found = taken(scene.cells, "mine", scene)
    assert found.names == {0: "a", 2: "b", 4: "a", 5: "b", 6: "a"}
    assert found.sentence() == "5 cells were annotated from 'mine' of 'cells': 3 a, 2 b."
    scene.session.cells_layer.data = scene.cells.data[:3]
    with pytest.raises(InvalidInput, match="was changed; run Cells again"):
        taken(scene.cells, "mine", scene)


def test_import_from_points_counts_what_is_near_no_cell(
    scene: SimpleNamespace, to_world: Any
) -> None:
    places = [to_world(0, (32, 30)), to_world(2, (38, 40)), to_world(1, (5, 110))]
    points = scene.viewer.add_points(places, features={"class": ["a", "b", "b"]}, name="other")
    found = taken(points, "class", scene)
    assert found.names == {0: "a", 5: "b"}
    assert found.sentence().endswith("1 a, 1 b; 1 label is near no cell and left out.")


def test_import_from_labels(scene: SimpleNamespace) -> None:
    planes = np.zeros((3, 120, 130), int)
    planes[0, 25:35, 25:35] = 1
    planes[1, 66:70, 90:94] = 2  # beside the cell
    planes[1, 5:9, 5:9] = 2  # near none
    labels = scene.viewer.add_labels(
        planes, name="brush", scale=scene.image.scale, translate=scene.image.translate
    )
    found = taken(labels, LABEL_VALUE, scene)
    assert found.names == {0: "1", 3: "2"}
    assert found.missed == 1
    labels.features = pd.DataFrame({"index": [0, 1, 2], "name": ["", "a", "b"]})
    assert taken(labels, "name", scene).names == {0: "a", 3: "b"}


def test_import_refuses_what_names_no_classes(scene: SimpleNamespace) -> None:
    scene.cells.features = pd.DataFrame({"none": [None] * 7})
    with pytest.raises(InvalidInput, match="No cell has a label"):
        taken(scene.cells, "none", scene)
    with pytest.raises(InvalidInput, match="Choose a layer and a column"):
        taken(None, "none", scene)
    scene.session.clear()
    with pytest.raises(InvalidInput, match="run the Cells widget first"):
        taken(scene.cells, "none", scene)
