"""The folder of a run: what is finished, and what only looks so."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from napari_interpdisc.batch.run_folder import (
    ImageFolder,
    is_as_noted,
    made,
    noted,
    read_note,
    sweep,
    write_note,
)
from napari_interpdisc.io.results import CannotWrite


@pytest.fixture
def finished(tmp_path: Path) -> ImageFolder:
    """An image with one part, finished."""
    folder = ImageFolder(tmp_path, "a/b", "A1")
    folder.make()
    (folder.parts / "part-000000.parquet").write_bytes(b"part")
    folder.summary("tracks").write_text("rows\n")
    folder.publish()
    files = {
        "parts": [folder.final / "part-000000.parquet"],
        "summaries": [folder.summary("tracks")],
    }
    note = {
        kind: {path.relative_to(tmp_path).as_posix(): noted(path) for path in paths}
        for kind, paths in files.items()
    }
    write_note(folder.note, note)
    return folder


def test_names_of_folders_are_safe_and_distinct(tmp_path: Path) -> None:
    a, b = ImageFolder(tmp_path, "a/b"), ImageFolder(tmp_path, "a_b")
    assert a.scratch.parent == b.scratch.parent
    assert a.final != b.final
    assert b.final == tmp_path / "cells" / "a_b"
    assert ImageFolder(tmp_path, "a", "A1").final == tmp_path / "cells" / "A1" / "a"


def test_a_finished_image_is_believed_by_size_and_hash(finished: ImageFolder) -> None:
    assert finished.finished() is not None
    (finished.final / "part-000000.parquet").write_bytes(b"tart")
    assert finished.finished() is None


def test_a_part_that_is_gone(finished: ImageFolder) -> None:
    finished.summary("tracks").unlink()
    assert finished.finished() is None


def test_parts_without_a_note_are_taken_back(finished: ImageFolder) -> None:
    finished.take_back()
    assert finished.final.exists()  # with a note they stay
    finished.note.unlink()
    finished.take_back()
    assert not finished.final.exists()
    assert (finished.parts / "part-000000.parquet").read_bytes() == b"part"


def test_forgetting_leaves_nothing_of_it_and_all_of_others(finished: ImageFolder) -> None:
    other = finished.note.with_name("other.tracks.csv")
    other.write_text("")
    finished.forget()
    files = [path for path in finished.root.rglob("*") if path.is_file()]
    assert files == [other]


def test_notes_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "note.json"
    assert read_note(path) is None
    for text in ("", "{", "[1]", "[" * 100_000):
        path.write_text(text)
        assert read_note(path) is None
    write_note(path, {"b": 1, "a": "ä"})
    assert read_note(path) == {"a": "ä", "b": 1}
    assert not is_as_noted(tmp_path / "none", {"size": 1, "sha256": ""})


def test_unfinished_files_are_swept(tmp_path: Path) -> None:
    kept = tmp_path / "x.partial.csv"
    for path in (kept, made(tmp_path / "a" / "b") / ".x.12-5-0123abcd-4567ef.partial.parquet"):
        path.write_text("")
    sweep(tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [kept]


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CannotWrite, match="the disk is full"):
        write_note(tmp_path / "note.json", {})
    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(CannotWrite, match="the disk is full"):
        made(tmp_path / "new")
    assert not list(tmp_path.iterdir())
