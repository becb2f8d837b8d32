"""Cells of btrack files: tracks, states, parents, and files that lack some of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.tracks import read_cells

from ..mutations.input_files import SAMPLES


def _write_btrack(path: Path) -> None:
    with h5py.File(path, "w") as file:
        objects = file.create_group("objects/obj_type_1")
        # t, x, y, z, label
        objects["coords"] = np.array(
            [[0, 10, 1, 0, 0], [0, 20, 2, 0, 0], [1, 11, 1, 0, 1], [2, 12, 1, 0, 1]], np.float32
        )
        objects["labels"] = np.array([[0], [0], [3], [3]], np.float32)
        tracks = file.create_group("tracks/obj_type_1")
        # track 1 is objects 0, 2, a dummy (-1) and 3; track 4 is object 1
        tracks["tracks"] = np.array([0, 2, -1, 3, 1], np.int32)
        tracks["map"] = np.array([[0, 4], [4, 5]], np.uint32)
        tracks["LBEPR"] = np.array([[1, 0, 2, 1, 1, 0], [4, 0, 0, 4, 4, 0]], np.int32)


def test_btrack_without_dummies(tmp_path: Path) -> None:
    _write_btrack(tmp_path / "tracks.h5")
    cells = read_cells(tmp_path / "tracks.h5")
    np.testing.assert_array_equal(cells.track_id, [1, 1, 1, 4])
    np.testing.assert_array_equal(cells.t, [0, 1, 2, 0])
    np.testing.assert_array_equal(cells.yx, [[1, 10], [1, 11], [1, 12], [2, 20]])
    np.testing.assert_array_equal(cells.extra["state"], [0, 3, 3, 0])


def test_real_btrack_file(microscopy: Callable[[str], Path]) -> None:
    cells = read_cells(microscopy("btrack/tracks.h5"), swap_xy=True)
    objects = pd.read_csv(microscopy("btrack/objects.csv"))
    assert len(cells) == len(objects) == 52581
    assert len(np.unique(cells.track_id)) == 409
    ours = np.column_stack([cells.t, cells.yx, cells.extra["state"]])
    theirs = objects[["t", "y", "x", "label"]].to_numpy()
    np.testing.assert_allclose(
        ours[np.lexsort(ours.T[2::-1])], theirs[np.lexsort(theirs.T[2::-1])], atol=1e-3
    )


def test_btrack_references_count_the_filtered_objects(tmp_path: Path) -> None:
    path = tmp_path / "tracks.h5"
    _write_btrack(path)
    with h5py.File(path, "r+") as file:
        file["objects/obj_type_1/properties/area"] = np.array([5.0, 500, 500, 500])
        tracks = file["tracks/obj_type_1"]
        tracks.attrs["f_expr"] = "area>100"
        tracks["tracks"][:] = [0, 1, -1, 2, 0]  # objects 1, 2, a dummy, 3; and 1 again
    np.testing.assert_array_equal(read_cells(path).yx[:, 1], [20, 11, 12, 20])
    with h5py.File(path, "r+") as file:
        file["tracks/obj_type_1"].attrs["f_expr"] = "roundness>1"
    with pytest.raises(InvalidInput, match="without a filter"):
        read_cells(path)


@pytest.mark.parametrize("what", ["lineage", "reference"])
def test_damaged_btrack_file(tmp_path: Path, what: str) -> None:
    path = tmp_path / "tracks.h5"
    _write_btrack(path)
    with h5py.File(path, "r+") as file:
        tracks = file["tracks/obj_type_1"]
        if what == "reference":
            tracks["tracks"][1] = 99
        else:
            del tracks["LBEPR"]
            tracks["LBEPR"] = np.ones((3, 6), np.int32)
    with pytest.raises(InvalidInput, match="is damaged: its tracks refer to objects"):
        read_cells(path)


def test_parents_properties_and_depth(tmp_path: Path) -> None:
    path = tmp_path / "tracks.h5"
    _write_btrack(path)
    with h5py.File(path, "r+") as file:
        file["tracks/obj_type_1/LBEPR"][1, 3] = 1  # track 4 descends from track 1
        file["objects/obj_type_1/properties/area"] = np.array([5.0, 6, 7, 8])
        file["objects/obj_type_1/properties/box"] = np.arange(8).reshape(4, 2)
        file["objects/obj_type_1/coords"][:, 3] = [0, 1, 2, 3]
    cells = read_cells(path)
    assert cells.graph == {4: (1,)}
    np.testing.assert_array_equal(cells.extra["parent_id"], [0, 0, 0, 1])
    np.testing.assert_array_equal(cells.extra["area"], [5, 7, 8, 6])
    np.testing.assert_array_equal(cells.extra["box-1"], [1, 5, 7, 3])
    np.testing.assert_array_equal(cells.extra["z"], [0, 2, 3, 1])
    assert cells.taken.notes == ("1 dummies of btrack in 'tracks.h5' are left out.",)
    assert "2 tracks, 1 with a parent" in cells.taken.sentence


def test_objects_of_another_type_and_objects_without_tracks(tmp_path: Path) -> None:
    path = tmp_path / "tracks.h5"
    _write_btrack(path)
    with h5py.File(path, "r+") as file:
        for group in ("objects", "tracks"):
            file.move(f"{group}/obj_type_1", f"{group}/obj_type_2")
    assert read_cells(path).track_id.tolist() == [1, 1, 1, 4]
    with h5py.File(path, "r+") as file:
        file.copy("objects/obj_type_2", "objects/obj_type_1")
    assert len(read_cells(path)) == 4  # one of them has tracks
    with h5py.File(path, "r+") as file:
        file.copy("tracks/obj_type_2", "tracks/obj_type_1")
    with pytest.raises(InvalidInput, match=r"several types of objects .obj_type_1, obj_type_2"):
        read_cells(path)
    with h5py.File(path, "r+") as file:
        del file["tracks"], file["objects/obj_type_1"]
    cells = read_cells(path)
    np.testing.assert_array_equal(cells.yx, [[1, 10], [2, 20], [1, 11], [1, 12]])
    assert not cells.taken.tracked
    assert "no tracks" in cells.taken.sentence


def test_a_file_of_ilastik_is_told(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["exported_data"] = np.zeros(3)
    with pytest.raises(InvalidInput, match=r"it holds exported_data.; of ilastik, export .* CSV"):
        read_cells(tmp_path / "a.h5")


def test_fill_values_take_no_memory(tmp_path: Path) -> None:
    path = SAMPLES["btrack"](tmp_path)
    with h5py.File(path, "r+") as file:
        del file["objects/obj_type_1/coords"]
        shape = (10**9, 5)
        file.create_dataset("objects/obj_type_1/coords", shape, "f4", chunks=True, fillvalue=1)
    with pytest.raises(InvalidInput, match=r"coords' in .* asks for 18.6 GiB"):
        read_cells(path)


@pytest.mark.parametrize(
    ("name", "values", "told"),
    [
        ("tracks/obj_type_1/tracks", [0.5] * 6, "holds 0.5 where whole numbers"),
        ("tracks/obj_type_1/map", [0, 3], "shape"),
        ("tracks/obj_type_1/LBEPR", [[np.nan] * 6] * 2, "holds nan"),
        ("tracks/obj_type_1/LBEPR", [[1e19] * 6] * 2, r"holds 1e.19"),
        ("objects/obj_type_1/coords", [[[0.0]]], "shape"),
    ],
)
def test_data_of_another_rank_or_kind_are_refused(
    tmp_path: Path, name: str, values: Any, told: str
) -> None:
    path = SAMPLES["btrack"](tmp_path)
    with h5py.File(path, "r+") as file:
        del file[name]
        file[name] = np.array(values)
    with pytest.raises(InvalidInput, match=f"is damaged: its '{name}' .*{told}"):
        read_cells(path)
