from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from napari_interpdisc.io.geff_files import write_geff
from napari_interpdisc.io.headers import (
    HEADER_BYTES,
    header_rows,
    holds_cells,
    is_btrack,
    is_geff,
    names_cells,
    parquet_columns,
)


@pytest.mark.parametrize(
    "text",
    [
        "t,y,x,track_id\n0,1,2,3\n",
        '"Y";"X"\n1,5;2\n',
        "POSITION_X\tPOSITION_Y\tFRAME\n1\t2\t3\n",
        "exported by a program\n\nt,centroid-0,centroid-1\n0,1,2\n",
    ],
)
def test_tables_of_cells_are_known_by_their_header(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.csv"
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        path.write_text(text, encoding)
        assert holds_cells(path), encoding


@pytest.mark.parametrize(
    "text",
    [
        "index,axis-0,axis-1\n0,10,20\n",
        "index,axis-0,axis-1,axis-2,t,y,x\n0,1,10,20,1,1,1\n",
        "index,shape-type,vertex-index,axis-0,axis-1,axis-2\n0,polygon,0,0,1,1\n",
        "well,drug,dose\nA1,x,3\n",
        "y,intensity\n1,2\n",
        "",
    ],
)
def test_other_tables_are_not(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    assert not holds_cells(path)


def test_little_of_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("#" * HEADER_BYTES + "\ny,x\n1,2\n")
    assert len(header_rows(path)) == 1
    path.write_bytes(b"\0\1y,x\n")
    assert header_rows(path) == []
    assert header_rows(tmp_path / "none.csv") == []


def test_parquet_is_known_by_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pd.DataFrame({"y": [1.0], "x": [2.0], "area": [3]}).to_parquet(path)
    assert names_cells(parquet_columns(path))
    pd.DataFrame({"gene": ["a"], "x": [2.0]}).to_parquet(path)
    assert not holds_cells(path)
    path.write_bytes(b"no parquet")
    assert not holds_cells(path)


def test_hdf5_is_btracks_or_somebody_elses(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["exported_data"] = np.zeros((3, 4, 4))  # as ilastik writes
    assert not holds_cells(path)
    with h5py.File(path, "w") as file:
        file.create_group("objects/obj_type_1")
        file.create_group("tracks/obj_type_1")
    assert holds_cells(path)
    path.write_bytes(b"no hdf5")
    assert not is_btrack(path)


def test_folders_are_geff_stores_or_not(tmp_path: Path) -> None:
    images = tmp_path / "movie.zarr"
    images.mkdir()
    for text in ('{"attributes": {"ome": {}}}', '{"attributes": 1}', "[]", "no json"):
        (images / "zarr.json").write_text(text)
        assert not holds_cells(images)
    store = write_geff(
        tmp_path / "a.geff",
        pd.DataFrame({"t": [0], "y": [1.0], "x": [2.0]}),
        ["t", "y", "x"],
        np.zeros((0, 2)),
        {},
    )
    assert is_geff(store)
    assert holds_cells(store)


def test_kinds_that_cannot_be_read_are_not_claimed(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("y,x\n1,2\n")
    assert not holds_cells(path)
