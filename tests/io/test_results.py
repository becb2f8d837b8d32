from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io import results

from ..killing import killed_at_each_step, unfinished

TABLE = pd.DataFrame({"t": [0, 1], "class": pd.Categorical(["a", "b"])})


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_table_with_settings(tmp_path: Path, suffix: str) -> None:
    path = results.write_table(TABLE, {"diameter": 28.0}, tmp_path / f"cells{suffix}")
    back = pd.read_csv(path) if suffix == ".csv" else pd.read_parquet(path)
    assert list(back["class"]) == ["a", "b"]
    note = json.loads((tmp_path / "cells.json").read_text())
    assert note["diameter"] == 28.0
    assert note["rows"] == 2
    assert {"python", "torch", "numpy"} <= note["versions"].keys()
    assert {p.name for p in tmp_path.iterdir()} == {f"cells{suffix}", "cells.json"}


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("cells.txt", "end the file name in .csv or .parquet"), ("no/cells.csv", "does not exist")],
)
def test_unusable_paths(tmp_path: Path, name: str, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        results.check_table_path(tmp_path / name)


def test_a_folder_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "cells.csv").mkdir()
    with pytest.raises(InvalidInput, match="is a folder; give the name of a file"):
        results.check_table_path(tmp_path / "cells.csv")


@pytest.mark.parametrize(
    ("code", "sentence"),
    [(errno.ENOSPC, "the disk is full"), (errno.EACCES, "no permission"), (errno.EIO, "error")],
)
def test_a_fault_leaves_the_old_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, sentence: str
) -> None:
    path = results.write_table(TABLE, {}, tmp_path / "cells.csv")
    before = path.read_bytes()

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(pd.DataFrame, "to_csv", fail)
    with pytest.raises(InvalidInput, match=sentence):
        results.write_table(TABLE.iloc[:1], {}, path)
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cells.csv", "cells.json"]


def test_new_folder_is_whole_or_not_there(tmp_path: Path) -> None:
    with results.new_folder(tmp_path / "out") as folder:
        (folder / "a").write_text("1")
        assert not (tmp_path / "out").exists()
    assert (tmp_path / "out" / "a").read_text() == "1"
    with pytest.raises(InvalidInput, match="already exists and is not empty"):
        results.check_empty_folder(tmp_path / "out")

    def stopped() -> None:
        with results.new_folder(tmp_path / "other") as unfinished:
            (unfinished / "a").write_text("1")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        stopped()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out"]


def test_a_table_never_stands_beside_settings_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = results.write_table(TABLE, {"run": 1}, tmp_path / "cells.csv")
    rename = os.replace

    def fail(partial: Path, target: Path) -> None:
        if target.suffix == ".csv":
            raise OSError(errno.ENOSPC, "full")
        rename(partial, target)

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(InvalidInput, match="the disk is full"):
        results.write_table(TABLE.iloc[:1], {"run": 2}, path)
    assert len(pd.read_csv(path)) == 2
    assert json.loads((tmp_path / "cells.json").read_text())["run"] == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cells.csv", "cells.json"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork")
@pytest.mark.parametrize("replaced", [True, False])
def test_a_pair_that_was_killed_in_between_is_known(tmp_path: Path, replaced: bool) -> None:
    path = tmp_path / "cells.csv"

    def before() -> None:
        for old in tmp_path.iterdir():
            old.unlink()
        if replaced:
            results.write_table(TABLE, {"run": 1}, path)

    found = set()
    for _ in killed_at_each_step(
        lambda: results.write_table(TABLE.iloc[:1], {"run": 2}, path), before
    ):
        if path.exists():
            rows = len(pd.read_csv(path))
            run = json.loads(path.with_suffix(".json").read_text())["run"]
            doubt = results.doubt_of_pair(path)
            found.add((rows, run))
            assert bool(doubt) == ((rows, run) not in {(2, 1), (1, 2)})
            assert "is not the table that cells.json describes" in doubt or not doubt
        results.check_table_path(path)  # and is in the way of nobody
        assert unfinished(tmp_path) == []
    assert found == ({(2, 1), (2, 2), (1, 2)} if replaced else {(1, 2)})
    assert results.doubt_of_pair(path) == ""


def test_no_input_is_replaced(tmp_path: Path) -> None:
    cells = tmp_path / "cells.csv"
    cells.write_text("t,y,x\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "link.csv").symlink_to(cells)
    for path in (cells, tmp_path / "sub" / ".." / "cells.csv", tmp_path / "link.csv"):
        with pytest.raises(InvalidInput, match=r"would replace .*cells.csv, which is read here"):
            results.check_table_path(path, (None, cells))
    with pytest.raises(InvalidInput, match="choose another name for the result"):
        results.check_table_path(tmp_path / "a.csv", (tmp_path / "a.json",))
    assert results.check_table_path(tmp_path / "other.csv", (cells, None))


@pytest.mark.parametrize("text", ["{}", '{"scale": 2}', "[1]", "not json", ""])
def test_a_json_file_of_others_is_not_replaced(tmp_path: Path, text: str) -> None:
    (tmp_path / "cells.json").write_text(text)
    with pytest.raises(InvalidInput, match="napari-interpdisc did not write; choose another name"):
        results.write_table(TABLE, {}, tmp_path / "cells.csv")
    assert [p.name for p in tmp_path.iterdir()] == ["cells.json"]
    assert (tmp_path / "cells.json").read_text() == text


def test_own_results_are_replaced(tmp_path: Path) -> None:
    results.write_table(TABLE, {"run": 1}, tmp_path / "cells.csv")
    results.write_table(TABLE, {"run": 2}, tmp_path / "cells.csv")
    assert json.loads((tmp_path / "cells.json").read_text())["run"] == 2


@pytest.mark.parametrize("path", [".", "..", "/"])
def test_a_new_folder_needs_a_name(path: str) -> None:
    with pytest.raises(InvalidInput, match="is no name for a new folder; give one"):
        results.check_empty_folder(path)


def test_safe_names() -> None:
    assert results.safe_name("dense") == "dense"
    assert results.safe_name("é-2.1") == "é-2.1"
    unsafe = ["a/b", "a\\b", "a:b", "../x", "", ".", "a b", "x" * 300]
    made = [results.safe_name(text) for text in unsafe]
    assert len(set(made)) == len(unsafe)
    for name in made:
        assert name == Path(name).name
        assert not name.startswith(".")
        assert len(name) < 100


def test_the_settings_of_another_table_are_not_replaced(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1]})
    results.write_table(frame, {"run": 1}, tmp_path / "a.csv")
    with pytest.raises(InvalidInput, match=r"a\.json, which belongs to a\.csv"):
        results.write_table(frame, {"run": 2}, tmp_path / "a.parquet")
    assert json.loads((tmp_path / "a.json").read_text())["run"] == 1
    results.write_table(frame, {"run": 3}, tmp_path / "a.csv")
    (tmp_path / "a.csv").unlink()
    results.write_table(frame, {"run": 4}, tmp_path / "a.parquet")
    assert json.loads((tmp_path / "a.json").read_text())["run"] == 4
