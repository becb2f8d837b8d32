from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from napari_interpdisc.errors import InterpdiscError, InvalidInput
from napari_interpdisc.io.results import write_table
from napari_interpdisc.io.tracks import read_cells

from ..mutations.input_files import SAMPLES, mutate_input, read_input

TABLE = pd.DataFrame({"t": [0, 1], "y": [1.5, 2.5], "x": [3.5, 4.5], "track_id": [7, 7]})


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_tables(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"cells{suffix}"
    TABLE.to_csv(path, index=False) if suffix == ".csv" else TABLE.to_parquet(path)
    cells = read_cells(path)
    np.testing.assert_array_equal(cells.yx, [[1.5, 3.5], [2.5, 4.5]])
    np.testing.assert_array_equal(cells.track_id, [7, 7])
    assert cells.source == path.name


def test_swap_xy(tmp_path: Path) -> None:
    TABLE.to_csv(tmp_path / "a.csv", index=False)
    cells = read_cells(tmp_path / "a.csv", swap_xy=True)
    np.testing.assert_array_equal(cells.yx, [[3.5, 1.5], [4.5, 2.5]])


def test_real_csv(microscopy: Callable[[str], Path]) -> None:
    cells = read_cells(microscopy("hela_ctc/seq01_tracks.csv"))
    assert len(cells) == 8601
    assert len(np.unique(cells.track_id)) == 263


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("gone.csv", None, "There is no file .*gone.csv"),
        ("empty.csv", b"", "is empty; give a table with columns"),
        ("header.csv", b"t,y,x\n", "holds no cells"),
        ("names.csv", b"a,b\n1,2\n", "has no column for y and x"),
        ("nan.csv", b"t,y,x\n0,1,\n", "None of the 1 rows of .* has a position"),
        ("broken.parquet", b"PAR1", "cannot be read as a table"),
        ("broken.h5", b"nothing", "not a btrack file"),
        ("tracks.docx", b"x", "not a kind of track file"),
        ("image.xml", b"<OME/>", "is no XML of TrackMate .it holds 'OME'."),
        ("tracks.xlsx", b"x", "is a spreadsheet; save its sheet of cells as CSV"),
        ("tracks.csv.zip", b"x", "is packed; unpack it"),
    ],
)
def test_unusable_files(tmp_path: Path, name: str, content: bytes | None, sentence: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidInput, match=sentence):
        read_cells(tmp_path / name)


def test_other_stores(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["pixels"] = np.zeros(3)
    with pytest.raises(InvalidInput, match="not a btrack file with objects and tracks"):
        read_cells(tmp_path / "other.h5")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InvalidInput, match="not a GEFF store"):
        read_cells(tmp_path / "folder")


def test_a_table_that_its_settings_do_not_describe_is_told(tmp_path: Path) -> None:
    path = tmp_path / "cells.csv"
    frame = pd.DataFrame({"t": [0, 1], "y": [1.0, 2], "x": [3.0, 4], "track_id": [1, 1]})
    write_table(frame, {}, path)
    assert not any("is not the table" in one for one in read_cells(path).taken.notes)
    path.write_text(path.read_text().replace("4.0", "5.0"))
    assert any(
        "is not the table that cells.json describes" in one for one in read_cells(path).taken.notes
    )


@pytest.mark.parametrize("kind", SAMPLES)
def test_a_sample_is_read(tmp_path: Path, kind: str) -> None:
    """So that what is refused is refused for its change."""
    read_input(kind, SAMPLES[kind](tmp_path))


@pytest.mark.parametrize("seed", range(len(SAMPLES)))
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
def test_a_changed_file_is_read_or_refused_in_one_sentence(tmp_path: Path, seed: int) -> None:
    """Seeds in thousands are tried by hand."""
    kind, path, _ = mutate_input(tmp_path, seed)
    told = ""
    try:
        read_input(kind, path)
    except InterpdiscError as refused:
        told = str(refused)
    assert not told or told.isprintable()
