"""Annotations: what is counted, undone, renamed and found again."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.widgets.discover.annotations import Annotations, Mark, match_marks


@pytest.fixture
def scene(make_scene: Callable[..., SimpleNamespace]) -> SimpleNamespace:
    return make_scene(window=False)


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


def test_a_name_is_one_line(annotations: Annotations) -> None:
    annotations.rename_class("long", " very\n long ")
    assert annotations.classes == ("round", "very long")


def test_marks_find_the_nearest_cell_of_their_frame(scene: SimpleNamespace) -> None:
    marks = [Mark("a", 0, 33, 30, 7), Mark("b", 0, 29, 30, 7), Mark("c", 2, 60, 90, 7)]
    found = match_marks(marks, scene.session.encoding.cells, 10)
    assert [(m.name, m.row, m.track_id) for m in found] == [("b", 0, 1), ("c", -1, 7)]
    assert (found[0].y, found[0].x) == (30, 30)


def test_many_annotations_go_as_one_change(
    scene: SimpleNamespace, annotations: Annotations
) -> None:
    annotations.annotate(scene.session.encoding.cells, {0: "round", 1: "long", 2: "long"})
    assert annotations.remove(1, 2, 5) == 2
    assert annotations.by_row == {0: "round"}
    annotations.undo()
    assert annotations.by_row == {0: "round", 1: "long", 2: "long"}
    assert annotations.remove(7) == 0


def test_a_label_that_is_kept_can_be_undone(annotations: Annotations) -> None:
    key = ("movie", 0, 1.0, 2.0, "round")
    annotations.keep_label(key)
    assert annotations.kept == {key}
    annotations.keep_label(key)
    assert annotations.undo()
    assert not annotations.kept
    assert not annotations.undo()
