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
from napari_interpdisc.widgets.canvas.annotation_home import is_aside
from napari_interpdisc.widgets.canvas.annotation_layer import find_annotations, is_annotations
from napari_interpdisc.widgets.canvas.image_identity import identify
from napari_interpdisc.widgets.canvas.layers import frames_from_layer, placed_like
from napari_interpdisc.widgets.discover.annotating import Annotating
from napari_interpdisc.widgets.discover.annotation_import import prepare_import
from napari_interpdisc.widgets.discover.annotations import Annotations
from napari_interpdisc.widgets.discover.keeping import AnnotationKeeper
from napari_interpdisc.widgets.discover.unsaved import find_left


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


# -- another movie in the same window -----------------------------------------------------------


@pytest.fixture
def two(scene: SimpleNamespace) -> Any:
    """Two movies, A and B, whose cells are at the same places; annotations and what was said."""
    result = scene.session.classification
    a, viewer, placed = scene.image, scene.viewer, placed_like(scene.image)
    a.name = "A"
    b = viewer.add_image(a.data + 1, name="B", **placed)
    cells = {a: scene.cells, b: viewer.add_points(scene.cells.data, name="cells of B", **placed)}

    def run(image: Any, layer: Any = None) -> None:
        where = cells[image] if layer is None else layer
        scene.session.set_result(image, where, None, frames_from_layer(image), result)

    shared = Annotating(scene.viewer, scene.session)
    shared.join()
    shared.annotations.replace_all(("round", "long"), ())
    said: list[str] = []
    shared.said.connect(lambda text, fault: said.append(text))
    shared.annotations.annotate(scene.session.encoding.cells, {0: "round", 4: "long"})
    made = SimpleNamespace(a=a, b=b, run=run, said=said, shared=shared, cells=cells)
    made.annotations = shared.annotations
    yield made
    made.shared.leave()


def aside(scene: SimpleNamespace) -> list[str]:
    return [layer.name for layer in scene.viewer.layers if is_aside(layer)]


def test_annotations_stay_with_their_movie(scene: SimpleNamespace, two: Any) -> None:
    two.run(two.b)
    annotations = two.annotations
    assert (annotations.marks, annotations.classes) == ((), ("round", "long"))
    assert two.said == [
        "2 annotations of 'A' are set aside in the hidden layer \"Annotations of 'A'\"; they come "
        "back with that image."
    ]
    assert aside(scene) == ["Annotations of 'A'"]
    assert find_annotations(scene.viewer) is None
    assert not annotations.undo(), "what was undone would be of another movie"
    annotations.annotate(scene.session.encoding.cells, {1: "long"})
    two.run(two.a)
    assert annotations.by_row == {0: "round", 4: "long"}
    assert two.said[1:] == [
        "1 annotation of 'B' is set aside in the hidden layer \"Annotations of 'B'\"; it comes "
        "back with that image. 2 annotations of 'A' were found again."
    ]
    layer = find_annotations(scene.viewer)
    assert layer is not None
    assert (layer.name, layer.visible) == ("Annotations", True)
    annotations.annotate(scene.session.encoding.cells, {2: "round"})
    assert len(layer.data) == 3, "it is followed again"
    two.run(two.b)
    assert annotations.by_row == {1: "long"}
    assert aside(scene) == ["Annotations of 'A'"]


def test_the_file_of_what_is_set_aside_is_that_of_its_movie(
    scene: SimpleNamespace, two: Any
) -> None:
    image_a, image_b = identify(two.a), identify(two.b)
    two.run(two.b)  # before the annotations of A were written
    assert [len(left.marks) for left in find_left([image_a])[0]] == [2]
    assert find_left([image_b]) == ([], [])
    two.annotations.annotate(scene.session.encoding.cells, {1: "long"})
    two.shared.saver.flush()
    two.run(two.a)
    two.shared.saver.flush()
    assert find_left([image_a]) == ([], []), "this window goes on with it"
    assert [len(left.marks) for left in find_left([image_b])[0]] == [1]
    two.shared.saver.note_saved()
    two.shared.saver.leave()
    assert find_left([image_a]) == ([], [])
    two.run(two.b)
    two.run(two.a)
    two.shared.saver.flush()
    two.shared.saver.leave()
    assert find_left([image_a]) == ([], []), "they are saved as before"


def test_annotations_whose_layer_was_deleted_are_offered(scene: SimpleNamespace, two: Any) -> None:
    two.run(two.b)
    scene.viewer.layers.remove("Annotations of 'A'")
    two.run(two.a)
    assert not two.annotations.marks
    ((left,), _) = find_left([identify(two.a)])
    two.shared.restore(left)
    assert two.annotations.by_row == {0: "round", 4: "long"}


def test_other_cells_or_another_channel_keep_the_annotations(
    scene: SimpleNamespace, two: Any
) -> None:
    again = scene.viewer.add_points(scene.cells.data, name="detected again")
    two.run(two.a, again)
    two.run(two.b, again)
    assert two.said == [
        "2 annotations of 'A' were found again.",
        "2 annotations of 'A' were found again in 'B'.",
    ]
    assert two.annotations.by_row == {0: "round", 4: "long"}
    assert aside(scene) == []
    two.run(two.a)
    assert aside(scene) == ["Annotations of 'B'"], "they are those of B from then on"


def test_another_shape_is_another_movie(scene: SimpleNamespace, two: Any) -> None:
    longer = np.concatenate([two.a.data, two.a.data])
    two.run(scene.viewer.add_image(longer, name="longer"), scene.cells)
    assert not two.annotations.marks
    assert aside(scene) == ["Annotations of 'A'"]


def test_docks_that_were_closed_meanwhile(scene: SimpleNamespace, two: Any) -> None:
    image_a = identify(two.a)
    two.shared.leave()
    two.run(two.b)
    two.shared = Annotating(scene.viewer, scene.session)
    said: list[str] = []
    two.shared.said.connect(lambda text, fault: said.append(text))
    two.shared.join()
    assert not two.shared.annotations.marks
    assert said[0].startswith("2 annotations of 'A' are set aside")
    assert [len(left.marks) for left in find_left([image_a])[0]] == [2]
    two.shared.leave()
    two.run(two.a)
    two.shared = Annotating(scene.viewer, scene.session)
    two.shared.join()
    assert two.shared.annotations.by_row == {0: "round", 4: "long"}


def test_an_image_that_is_deleted_and_opened_again(scene: SimpleNamespace, two: Any) -> None:
    two.run(two.b)
    scene.viewer.layers.remove(two.a)
    again = scene.viewer.add_image(two.a.data.copy(), name="opened again")
    two.run(again, scene.viewer.add_points(scene.cells.data))
    assert two.annotations.by_row == {0: "round", 4: "long"}
    assert two.said[-1] == "2 annotations of 'A' were found again in 'opened again'."


def test_what_is_set_aside_can_be_imported_by_place(scene: SimpleNamespace, two: Any) -> None:
    two.run(two.b)
    work = prepare_import(scene.viewer.layers["Annotations of 'A'"], "class", scene.session)
    two.shared.keeper.take(work(lambda *_: None), scene.session.encoding)
    assert two.annotations.by_row == {0: "round", 4: "long"}
    layer = find_annotations(scene.viewer)
    assert layer is not None
    assert layer.name == "Annotations"
    two.run(two.a)
    assert aside(scene) == ["Annotations of 'B'"]


def test_two_viewers_keep_theirs_apart(
    scene: SimpleNamespace, two: Any, make_scene: Callable[..., SimpleNamespace]
) -> None:
    other = make_scene(window=False)
    shared = Annotating(other.viewer, other.session)
    shared.join()
    shared.annotations.annotate(other.session.encoding.cells, {5: "long"})
    two.run(two.b)
    assert shared.annotations.by_row == {5: "long"}
    assert aside(other) == []
    shared.leave()


def test_a_layer_that_is_opened_is_taken_though_only_the_classes_were_changed_before(
    scene: SimpleNamespace, two: Any
) -> None:
    two.run(two.b)
    two.annotations.add_class("flat")
    layer = scene.viewer.layers["Annotations of 'A'"]
    data, given, kind = layer.as_layer_data_tuple()
    given = {**given, "name": "Annotations", "metadata": {}}
    scene.viewer.add_layer(Layer.create(data, given, kind))
    assert two.annotations.by_row == {0: "round", 4: "long"}


def test_annotations_that_were_opened_beside_others_are_taken_once_those_are_deleted(
    scene: SimpleNamespace, annotations: Annotations, kept: AnnotationKeeper
) -> None:
    annotations.annotate(scene.session.encoding.cells, {0: "round", 4: "long"})
    layer = find_annotations(scene.viewer)
    assert layer is not None
    data, given, kind = layer.as_layer_data_tuple()
    opened = scene.viewer.add_layer(Layer.create(data, {**given, "metadata": {}}, kind))
    annotations.annotate(scene.session.encoding.cells, {1: "long"})
    scene.viewer.layers.remove(layer)
    assert annotations.by_row == {0: "round", 4: "long"}
    annotations.annotate(scene.session.encoding.cells, {2: "long"})
    assert len(opened.data) == 3


def test_annotations_that_were_carried_to_another_channel_and_saved_are_offered_in_neither(
    scene: SimpleNamespace, two: Any
) -> None:
    image_a, image_b = identify(two.a), identify(two.b)
    two.shared.saver.flush()
    two.run(two.b, scene.cells)
    two.shared.saver.flush()
    assert len(find_left([image_a])[0]) == 1
    two.shared.saver.note_saved()
    two.shared.saver.leave()
    assert find_left([image_a, image_b]) == ([], [])
