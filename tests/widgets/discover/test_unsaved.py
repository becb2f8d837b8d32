"""Files of unsaved annotations: exact, apart for each window, bounded, guarded."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.processes import own_mark
from napari_interpdisc.widgets.canvas.image_identity import ImageIdentity
from napari_interpdisc.widgets.discover import unsaved
from napari_interpdisc.widgets.discover.annotations import Mark
from napari_interpdisc.widgets.discover.unsaved import (
    DAMAGED,
    UnsavedFile,
    check_folder,
    discard,
    find_left,
    left_files,
    places,
    read_unsaved,
    remove_old,
)

from ...killing import killed_at_each_step, unfinished

HELA = ImageIdentity("HeLa", "/data/hela.tif", (20, 512, 512), "ab" * 32)
CLASSES = ("round", "long")
MARKS = (Mark("round", 0, 30.1, 1 / 3, 7, 4), Mark("long", 19, 511.0, 0.0, -1, 0))


@pytest.fixture
def folder(unsaved_files: Path) -> Path:
    return check_folder()


def left(image: ImageIdentity = HELA, marks: tuple[Mark, ...] = MARKS) -> UnsavedFile:
    made = UnsavedFile()
    made.write(image, CLASSES, marks)
    made.leave()
    return made


def test_what_is_left_is_found_again_exactly(folder: Path) -> None:
    made = left()
    (found,), faults = find_left([HELA])
    assert not faults
    assert found.image == HELA
    assert found.classes == CLASSES
    assert places(found.marks) == places(MARKS)
    assert [(m.track_id, m.row) for m in found.marks] == [(7, -1), (-1, -1)]
    assert found.file == made.path
    when = f"{found.saved.day} {found.saved:%b %H:%M}"
    assert found.sentence() == f"2 annotations of 'HeLa' of {when} were left unsaved."
    discard(found)
    assert not list(folder.iterdir())


def test_the_files_of_living_windows_are_not_offered(folder: Path) -> None:
    one, two = UnsavedFile(), UnsavedFile()
    one.write(HELA, CLASSES, MARKS)
    two.write(HELA, CLASSES, MARKS[:1])
    assert len(list(folder.iterdir())) == 2, "windows of one image have a file each"
    assert left_files([HELA.shape]) == []
    two.leave()
    assert left_files([HELA.shape]) == [two.path]
    assert left_files([(20, 512, 513)]) == []
    two.write(HELA, CLASSES, MARKS)
    assert left_files([HELA.shape]) == []
    one.remove()
    two.remove()
    assert not list(folder.iterdir())


def test_the_file_of_a_process_that_is_gone_is_offered(folder: Path) -> None:
    made = UnsavedFile()
    path = made.write(HELA, CLASSES, MARKS)
    pid, start, machine = own_mark().split("-")
    dead = path.with_name(path.name.replace(own_mark(), f"{pid}-{int(start) + 1}-{machine}"))
    path.rename(dead)
    assert left_files([HELA.shape]) == [dead]
    # a process of another machine cannot be asked: its file is, once it has rested
    other = dead.with_name(dead.name.replace(machine, "0" * 8))
    dead.rename(other)
    assert left_files([HELA.shape]) == []
    long_ago = time.time() - unsaved.REST - 1
    os.utime(other, (long_ago, long_ago))
    assert left_files([HELA.shape]) == [other]


def test_marks_of_another_image_stay_in_a_file_of_their_own(folder: Path) -> None:
    other = ImageIdentity("B", "", (3, 8, 8), "cd" * 32)
    made = UnsavedFile()
    made.write(HELA, CLASSES, MARKS)
    made.write(other, CLASSES, MARKS[:1])
    ((found,), _) = find_left([HELA, other])
    assert found.image == HELA
    made.leave()
    assert [one.image.name for one in find_left([HELA, other])[0]] == ["B", "HeLa"]


def test_what_was_left_is_not_lost_to_what_comes_after(folder: Path) -> None:
    made = left(marks=MARKS[:1])
    made.write(HELA, CLASSES, MARKS[1:])
    made.leave()
    assert [len(one.marks) for one in find_left([HELA])[0]] == [1, 1]
    made.write(HELA, CLASSES, MARKS)
    assert [places(one.marks) for one in find_left([HELA])[0]] == [places(MARKS[:1])]
    made.leave()
    (found,), _ = find_left([HELA])
    assert len(found.marks) == 2, "an older file that has nothing beside them is not offered"
    discard(found)
    assert not list(folder.iterdir())


def test_saving_removes_what_was_saved_alone(folder: Path) -> None:
    made = left()
    made.remove(places(MARKS[:1]))
    assert len(left_files([HELA.shape])) == 1
    made = left()
    made.remove(places(MARKS))
    assert len(left_files([HELA.shape])) == 1


def changed(**fields: Any) -> Callable[[dict[str, Any]], object]:
    return lambda note: note.update(fields)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (changed(marks=[["round", 0, 1.0, 2.0]]), "at 'marks.0.4'"),
        (changed(marks=[["round", 2**40, 1.0, 2.0, 0]]), "at 'marks.0.1'"),
        (changed(marks=[["round", 0, 1e300, 2.0, 0]]), "at 'marks.0.2'"),
        (changed(classes=["a"] * 21), "at 'classes'"),
        (changed(unsaved_annotations=2), "at 'unsaved_annotations'"),
        (changed(saved="yesterday"), "at 'saved'"),
        (lambda note: note.pop("image"), "at 'image'"),
    ],
)
def test_a_damaged_file_is_told_once(
    change: Callable[[dict[str, Any]], object], told: str, folder: Path
) -> None:
    path = left().path
    assert path is not None
    note = json.loads(path.read_text("utf-8"))
    change(note)
    path.write_text(json.dumps(note), "utf-8")
    found, (fault,) = find_left([HELA])
    assert not found
    assert told in fault
    assert fault.endswith("it was passed over.")
    assert find_left([HELA]) == ([], [])
    assert [p.name.endswith(DAMAGED) for p in folder.iterdir()] == [True]


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b"null", b'{"a": NaN}'])
def test_bytes_that_are_no_annotations(content: bytes, folder: Path) -> None:
    path = left().path
    assert path is not None
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match=r"hold|no JSON|UTF-8"):
        read_unsaved(path)
    assert len(find_left([HELA])[1]) == 1


def test_old_files_and_too_many_are_removed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unsaved, "MOST_FILES", 3)
    now, day = time.time(), 86400
    made = [left() for _ in range(5)]
    alive = UnsavedFile()
    alive.write(HELA, CLASSES, MARKS)
    for k, one in enumerate([*made, alive]):
        assert one.path is not None
        os.utime(one.path, (now - 10 * k * day - 1, now - 10 * k * day - 1))
    (folder / "notes.txt").write_text("not ours")
    assert remove_old(folder) == 2
    kept = {one.path for one in made[:3]} | {alive.path, folder / "notes.txt"}
    assert set(folder.iterdir()) == kept
    for one in made[:3]:
        assert one.path is not None
        os.utime(one.path, (now - 31 * day, now - 31 * day))
    assert remove_old(folder) == 3


def test_a_kill_while_it_is_written_loses_no_more_than_the_last_change(folder: Path) -> None:
    """Before each step on the disk, the file is as it was or as it is to be."""
    kept: list[UnsavedFile] = []

    def before() -> None:
        for path in folder.iterdir():
            path.unlink()
        kept[:] = [UnsavedFile()]
        kept[0].write(HELA, CLASSES, MARKS[:1])

    steps = 0
    for _ in killed_at_each_step(lambda: kept[0].write(HELA, CLASSES, MARKS), before):
        assert kept[0].path is not None
        assert places(read_unsaved(kept[0].path).marks) in (places(MARKS[:1]), places(MARKS))
        check_folder()
        assert not unfinished(folder)
        steps += 1
    assert steps >= 3


def test_without_a_home_it_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(unsaved, "cache_folder", homeless)
    with pytest.raises(InvalidInput, match="set INTERPDISC_CACHE"):
        check_folder()
    assert left_files([HELA.shape]) == []
