"""What is annotated is on the disk, until it is saved."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from napari_interpdisc.widgets.canvas.image_identity import identify
from napari_interpdisc.widgets.discover import autosave, unsaved
from napari_interpdisc.widgets.discover.annotations import Annotations
from napari_interpdisc.widgets.discover.autosave import AutoSaver, note_saved_without_docks
from napari_interpdisc.widgets.discover.unsaved import (
    LeftAnnotations,
    find_left,
    read_unsaved,
)


@pytest.fixture
def scene(make_scene: Callable[..., SimpleNamespace]) -> SimpleNamespace:
    return make_scene(window=False)


@pytest.fixture
def saver(scene: SimpleNamespace, annotations: Annotations) -> Iterator[AutoSaver]:
    made = AutoSaver(scene.session, annotations)
    made.start()
    yield made
    made.stop()


def on_disk(folder: Path) -> list[list[str]]:
    """Classes of the marks of each file that is there."""
    if not folder.exists():
        return []
    return sorted([m.name for m in read_unsaved(p).marks] for p in folder.glob("*.json"))


def offered(scene: SimpleNamespace) -> list[LeftAnnotations]:
    return find_left([identify(scene.image)])[0]


def test_a_change_is_written_by_a_thread(
    scene: SimpleNamespace,
    annotations: Annotations,
    saver: AutoSaver,
    unsaved_files: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(autosave, "Timer", threading.Timer)
    monkeypatch.setattr(autosave, "DELAY", 0.0)
    annotations.annotate(scene.session.encoding.cells, {0: "round", 4: "long"})
    for thread in threading.enumerate():
        if thread.name == "interpdisc-autosave":
            thread.join()
    assert on_disk(unsaved_files) == [["round", "long"]]
    assert offered(scene) == [], "the window is open"


def test_many_changes_are_written_as_one(
    scene: SimpleNamespace,
    annotations: Annotations,
    saver: AutoSaver,
    unsaved_files: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[Callable[[], object]] = []

    class Late:
        def __init__(self, seconds: float, action: Callable[[], object]) -> None:
            made.append(action)

        def start(self) -> None:
            pass

        cancel = start

    monkeypatch.setattr(autosave, "Timer", Late)
    for row in range(5):
        annotations.annotate(scene.session.encoding.cells, {row: "round"})
    assert len(made) == 1, "a further change does not put it off"
    assert on_disk(unsaved_files) == []
    made[0]()
    assert on_disk(unsaved_files) == [["round"] * 5]
    annotations.annotate(scene.session.encoding.cells, {5: "long"})
    assert len(made) == 2
    saver.leave()
    made[1]()
    assert len(offered(scene)) == 1, "a thread that comes late does not take it back"


def test_a_process_that_is_killed_loses_nothing(
    scene: SimpleNamespace, annotations: Annotations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(autosave, "Timer", threading.Timer)
    monkeypatch.setattr(autosave, "DELAY", 0.01)
    ready, told = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            saver = AutoSaver(scene.session, annotations)
            saver.start()
            annotations.annotate(scene.session.encoding.cells, {0: "round", 4: "long"})
            until = time.monotonic() + 20
            # not one that is being written
            while time.monotonic() < until and not any(
                unsaved.NAME.fullmatch(p.name) for p in unsaved.unsaved_folder().glob("*")
            ):
                time.sleep(0.01)
            os.write(told, b"x")
            time.sleep(60)
        finally:
            os._exit(1)
    os.close(told)
    assert os.read(ready, 1) == b"x"
    os.close(ready)
    assert offered(scene) == [], "the process lives"
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    (found,) = offered(scene)
    assert [(m.name, m.t, m.y, m.x, m.track_id) for m in found.marks] == [
        ("round", 0, 30, 30, 1),
        ("long", 1, 88, 40, 2),
    ]
    assert found.classes == ("round", "long")
    assert found.image.name == "movie"


def test_what_is_saved_is_not_offered(
    scene: SimpleNamespace, annotations: Annotations, saver: AutoSaver, unsaved_files: Path
) -> None:
    cells = scene.session.encoding.cells
    annotations.annotate(cells, {0: "round"})
    assert saver.flush()
    saver.note_saved()
    assert on_disk(unsaved_files) == []
    annotations.annotate(cells, {1: "long"})
    saver.flush()
    assert on_disk(unsaved_files) == [["round", "long"]]
    annotations.undo()
    saver.flush()
    assert on_disk(unsaved_files) == [], "they are as they were saved"
    saver.leave()
    assert offered(scene) == []


def test_what_was_taken_away_is_not_offered(
    scene: SimpleNamespace, annotations: Annotations, saver: AutoSaver, unsaved_files: Path
) -> None:
    annotations.annotate(scene.session.encoding.cells, {0: "round"})
    saver.flush()
    annotations.remove(0)
    assert on_disk(unsaved_files) == []
    annotations.undo()
    saver.flush()
    assert on_disk(unsaved_files) == [["round"]]


def test_a_restoration_that_is_undone_is_offered_again(
    scene: SimpleNamespace, annotations: Annotations, saver: AutoSaver
) -> None:
    annotations.annotate(scene.session.encoding.cells, {0: "round"})
    assert saver.note_restored()
    assert offered(scene) == []
    annotations.undo()
    assert len(offered(scene)) == 1


def test_annotations_of_a_layer_that_was_opened_were_saved_elsewhere(
    scene: SimpleNamespace, annotations: Annotations, saver: AutoSaver, unsaved_files: Path
) -> None:
    cells = scene.session.encoding.cells
    annotations.annotate(cells, {0: "round"})
    saver.take_as_saved()
    saver.flush()
    assert on_disk(unsaved_files) == []
    annotations.annotate(cells, {1: "round"})
    saver.flush()
    assert on_disk(unsaved_files) == [["round", "round"]]


def test_docks_that_close_and_open_go_on_with_the_file(
    scene: SimpleNamespace, annotations: Annotations, unsaved_files: Path
) -> None:
    cells = scene.session.encoding.cells
    first = AutoSaver(scene.session, annotations)
    first.start()
    annotations.annotate(cells, {0: "round"})
    first.stop()
    assert len(offered(scene)) == 1
    second = AutoSaver(scene.session, annotations)
    second.start()
    second.take_as_saved()
    annotations.annotate(cells, {1: "long"})
    second.flush()
    assert on_disk(unsaved_files) == [["round", "long"]]
    assert offered(scene) == []
    second.stop()
    note_saved_without_docks(scene.session, annotations.marks[:1])
    assert len(offered(scene)) == 1
    third = AutoSaver(scene.session, annotations)
    third.start()
    third.stop()
    note_saved_without_docks(scene.session, annotations.marks)


def test_cells_that_go_take_no_annotation_with_them(
    scene: SimpleNamespace, annotations: Annotations, saver: AutoSaver, unsaved_files: Path
) -> None:
    annotations.annotate(scene.session.encoding.cells, {0: "round"})
    saver.flush()
    image = identify(scene.image)
    scene.session.clear()
    annotations.match(None, 0)
    annotations.rename_class("round", "disc")
    saver.leave()
    ((found,), _) = find_left([image])
    assert [m.name for m in found.marks] == ["disc"]


def test_a_disk_that_takes_nothing_is_told_once(
    scene: SimpleNamespace,
    annotations: Annotations,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    monkeypatch.setattr(unsaved, "cache_folder", lambda: blocked)
    monkeypatch.setattr(autosave, "_told", set())
    told: list[str] = []
    for row in range(2):  # two windows
        saver = AutoSaver(scene.session, annotations, told.append)
        saver.start()
        annotations.annotate(scene.session.encoding.cells, {row: "round"})
        assert not saver.flush()
        saver.stop()
    (sentence,) = told
    assert sentence.startswith("Annotations are not kept if the window closes before you save")
    assert str(blocked) in sentence
    assert annotations.by_row == {0: "round", 1: "round"}
