"""Places are checked before work; what is written is whole or not there, whenever it is killed."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from napari_interpdisc import writing
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.processes import machine
from napari_interpdisc.writing import (
    CannotWrite,
    KeptElsewhere,
    check_empty_folder,
    check_filled_folder,
    check_new_folder,
    check_no_input,
    check_writable,
    new_folder,
    or_elsewhere,
    place_of,
    sweep_partials,
    told_at_the_end,
    write_whole,
)

from .killing import killed_at_each_step, unfinished

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="fork")


def put(path: Path, text: str) -> Path:
    return write_whole(path, lambda partial: partial.write_text(text))


def fill(path: Path, text: str) -> None:
    with new_folder(path) as partial:
        (partial / "a").write_text(text)
        (partial / "b").write_text(text)


def test_no_permission_is_seen_before_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise PermissionError(errno.EACCES, "denied")

    monkeypatch.setattr(writing.tempfile, "TemporaryFile", fail)
    for check in (check_writable, check_empty_folder, check_new_folder, check_filled_folder):
        with pytest.raises(CannotWrite, match="no permission there; choose another folder"):
            check(tmp_path / "out")


def test_a_read_only_file_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path / "a.csv", "1")
    path.chmod(stat.S_IRUSR)
    if os.access(path, os.W_OK):  # root may write to all files, and replaces them as other tools do
        assert check_writable(path) == path
        monkeypatch.setattr(writing.os, "access", lambda *_: False)
    with pytest.raises(CannotWrite, match=r"a\.csv is read-only"):
        check_writable(path)


def test_a_new_folder_may_lack_those_above_it(tmp_path: Path) -> None:
    assert check_new_folder(tmp_path / "a" / "b" / "c") == tmp_path / "a" / "b" / "c"
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InvalidInput, match="already exists; choose another folder"):
        check_new_folder(tmp_path)


def test_files_go_into_a_folder_that_is_there(tmp_path: Path) -> None:
    assert check_filled_folder(tmp_path) == tmp_path
    with pytest.raises(InvalidInput, match="is a file; give a folder"):
        check_filled_folder(put(tmp_path / "a", "1"))


@pytest.mark.parametrize("check", [check_empty_folder, check_new_folder, check_filled_folder])
def test_no_folder_goes_into_an_input(tmp_path: Path, check: Any) -> None:
    (tmp_path / "in.zarr").mkdir()
    with pytest.raises(InvalidInput, match=r"among the files of .*in\.zarr"):
        check(tmp_path / "in.zarr" / "out", (None, tmp_path / "in.zarr"))
    assert check(tmp_path / "out", (tmp_path / "in.zarr",)) == tmp_path / "out"


def test_a_table_may_lie_beside_the_pictures_of_an_input_folder(tmp_path: Path) -> None:
    (tmp_path / "frame_0.TIF").touch()
    assert check_no_input(tmp_path / "out.csv", (tmp_path,)) == tmp_path / "out.csv"
    assert check_no_input(tmp_path / "out", (tmp_path,)) == tmp_path / "out"
    with pytest.raises(InvalidInput, match="among the files"):
        check_no_input(tmp_path / "out.tif", (tmp_path,))
    (tmp_path / "zarr.json").touch()
    with pytest.raises(InvalidInput, match="among the files"):
        check_no_input(tmp_path / "out.csv", (tmp_path,))


def test_no_file_goes_among_those_of_a_pattern(tmp_path: Path) -> None:
    pattern = f"{tmp_path}/*.tif"
    with pytest.raises(InvalidInput, match="among the files"):
        check_no_input(tmp_path / "x.tif", (pattern,))
    assert check_no_input(tmp_path / "x.csv", (pattern,)) == tmp_path / "x.csv"


@forks
def test_a_file_is_old_or_new_whenever_it_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    found = set()
    for _ in killed_at_each_step(lambda: put(path, "new"), lambda: put(path, "old")):
        found.add(path.read_text())
        assert len(unfinished(tmp_path)) <= 1
        check_writable(path)
        assert unfinished(tmp_path) == []
    assert found == {"old", "new"}
    assert path.read_text() == "new"


@forks
def test_a_folder_is_whole_or_not_there_whenever_it_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "out"

    def clear() -> None:
        if path.exists():
            for file in path.iterdir():
                file.unlink()
            path.rmdir()

    found = set()
    for _ in killed_at_each_step(lambda: fill(path, "1"), clear):
        there = path.exists()
        found.add(there)
        if there:
            assert sorted(p.name for p in path.iterdir()) == ["a", "b"]
        else:
            fill(path, "2")  # a kill is in the way of nobody
            assert (path / "b").read_text() == "2"
        assert unfinished(tmp_path) == []
    assert found == {True, False}


def test_what_the_living_are_at_stays(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as living:
        names = [
            f".a.{living.pid}-0-{machine()}-abcdef.partial",  # alive
            f".b.{living.pid}-0-00000000-abcdef.partial.csv",  # of another machine
            ".c.partial",  # of nobody
        ]
        for name in names:
            (tmp_path / name).write_text("1")
        assert sweep_partials(tmp_path) == 0
        living.communicate(b"\n")
    assert sweep_partials(tmp_path) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == names[1:]


def test_two_folders_of_one_name_end_with_one(tmp_path: Path) -> None:
    out = tmp_path / "out"

    def slow() -> None:
        with new_folder(out) as partial:
            (partial / "a").write_text("slow")
            fill(out, "quick")

    with pytest.raises(CannotWrite, match="something of that name is there by now"):
        slow()
    assert (out / "a").read_text() == "quick"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out"]


def test_a_result_is_kept_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spare = tmp_path / "spare"
    spare.mkdir()
    monkeypatch.setattr(writing, "system_temporary", lambda: spare)
    gone = tmp_path / "gone" / "a.txt"
    with pytest.raises(KeptElsewhere, match="The result was kept in") as told:
        or_elsewhere(gone, _put_if_there)
    assert told.value.place.read_text() == "1"
    assert told.value.place.parent.parent == spare

    out = tmp_path / "out"

    def late(path: Path) -> None:
        with new_folder(path) as partial:
            (partial / "a").write_text("mine")
            if path == out:
                fill(out, "other")

    with pytest.raises(KeptElsewhere) as told:
        or_elsewhere(out, late)
    assert told.value.place.parent == tmp_path
    assert (told.value.place / "a").read_text() == "mine"
    assert (out / "a").read_text() == "other"


def test_results_that_went_elsewhere_are_told_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "system_temporary", lambda: tmp_path)
    gone = [tmp_path / "gone" / name for name in ("a.txt", "b.txt")]

    def both() -> None:
        for path in gone:
            or_elsewhere(path, _put_if_there)
            assert place_of(path).read_text() == "1"

    with pytest.raises(KeptElsewhere) as told, told_at_the_end():
        both()
    assert str(told.value).count("The result was kept in") == 2
    assert told.value.target == gone[0]

    def then_a_fault() -> None:
        with told_at_the_end():
            both()
            raise InvalidInput("No.")

    with pytest.raises(InvalidInput, match=r"^No\. .*a\.txt.*kept in"):
        then_a_fault()
    with told_at_the_end():
        or_elsewhere(tmp_path / "c.txt", _put_if_there)
        assert place_of(tmp_path / "c.txt") == tmp_path / "c.txt"
    assert place_of(gone[0]) == gone[0]


def test_a_folder_whose_name_was_taken_meanwhile_is_kept_elsewhere(tmp_path: Path) -> None:
    fill(tmp_path / "out", "other")
    with pytest.raises(KeptElsewhere, match="already exists and is not empty") as told:
        or_elsewhere(tmp_path / "out", lambda place: fill(place, "mine"))
    assert (told.value.place / "a").read_text() == "mine"


def test_whoever_holds_a_folder_removes_all_that_is_unfinished(tmp_path: Path) -> None:
    of_another_machine = tmp_path / ".a.1-2-00000000-abcdef.partial.csv"
    of_another_machine.touch()
    assert sweep_partials(tmp_path) == 0
    assert sweep_partials(tmp_path, held=True) == 1
    assert list(tmp_path.iterdir()) == []


def _put_if_there(path: Path) -> None:
    if not path.parent.is_dir():
        raise CannotWrite(f"{path} cannot be written: its folder is gone.")
    put(path, "1")


def test_no_place_takes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "system_temporary", lambda: tmp_path)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)

    def full(path: Path) -> None:
        raise CannotWrite(f"{path.name}: the disk is full.")

    with pytest.raises(CannotWrite, match=r"a\.txt: the disk is full"):
        or_elsewhere(tmp_path / "a.txt", full)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path / "a.txt", "old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CannotWrite, match="the disk is full"):
        put(path, "new")
    assert [p.read_text() for p in tmp_path.iterdir()] == ["old"]
