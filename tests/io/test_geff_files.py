from __future__ import annotations

from pathlib import Path

import geff
import numpy as np
import pandas as pd
import pytest
from geff.core_io import read_to_memory

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.geff_files import (
    add_node_properties,
    node_properties,
    read_node_table,
    track_edges,
    write_geff,
)
from napari_interpdisc.io.tracks import read_cells

CELLS = pd.DataFrame(
    {
        "t": [0, 1, 1, 1],
        "y": [1.0, 2.0, 3.0, 4.0],
        "x": [5.0, 6.0, 7.0, 8.0],
        "track_id": [1, 2, 3, 4],
        "class": ["theirs"] * 4,
    }
)


def files(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    edges = track_edges(CELLS["track_id"], CELLS["t"], {2: [1], 3: [1]})
    return write_geff(tmp_path / "a.geff", CELLS, ["t", "y", "x"], edges, {"model": "m"})


def test_edges_follow_tracks_and_divisions() -> None:
    edges = track_edges([7, 2, 7, 2, 5], [3, 0, 2, 1, 2], {7: [2], 5: [2], 9: [2], 2: [8]})
    assert sorted(map(tuple, edges.tolist())) == [(1, 3), (2, 0), (3, 2), (3, 4)]
    assert len(track_edges([], [])) == 0


def test_a_new_store_is_valid_and_reads_back(store: Path) -> None:
    geff.validate_structure(str(store))
    table, about = read_node_table(store)
    pd.testing.assert_frame_equal(table[list(CELLS)], CELLS)
    assert about == {"model": "m"}
    metadata = read_to_memory(str(store))["metadata"]
    assert [axis.name for axis in metadata.axes] == ["t", "y", "x"]
    assert metadata.track_node_props == {"tracklet": "track_id"}
    assert read_cells(store).track_id.tolist() == [1, 2, 3, 4]
    with pytest.raises(InvalidInput, match="already exists"):
        write_geff(store, CELLS, ["t", "y", "x"], np.zeros((0, 2)), {})


def test_results_go_into_a_copy(store: Path, tmp_path: Path) -> None:
    before = files(store)
    result = pd.DataFrame(
        {
            "class": pd.Categorical(["b", "a"]),
            "score": [0.5, -0.5],
            "flag": ["", "cut by the edge"],
            "z_0": np.float32([1, 2]),
            "z_1": np.float32([3, 4]),
        }
    )
    about = {"model": "m", "diameter": np.float32(20)}
    renamed = add_node_properties(store, tmp_path / "b.geff", result, [2, 0], about)
    assert renamed == {"class": "interpdisc_class"}
    assert files(store) == before
    geff.validate_structure(str(tmp_path / "b.geff"))
    table, told = read_node_table(tmp_path / "b.geff")
    assert table["class"].tolist() == ["theirs"] * 4
    assert table["interpdisc_class"].dropna().to_dict() == {2: "b", 0: "a"}
    assert table["score"].dropna().to_dict() == {2: 0.5, 0: -0.5}
    assert table.loc[2, ["z_0", "z_1"]].tolist() == [1, 3]
    assert told["model"] == "m"
    again = result.assign(score=[9.0, 8.0])
    add_node_properties(tmp_path / "b.geff", tmp_path / "c.geff", again, [2, 0], about)
    table, _ = read_node_table(tmp_path / "c.geff")
    assert table["score"].dropna().to_dict() == {2: 9.0, 0: 8.0}
    assert "interpdisc_score" not in table
    edges = [read_to_memory(str(path))["edge_ids"] for path in (store, tmp_path / "c.geff")]
    np.testing.assert_array_equal(*edges)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_stores_of_either_zarr_format_take_results(tmp_path: Path, zarr_format: int) -> None:
    from geff.core_io import write_arrays
    from geff_spec import Axis, GeffMetadata

    axes = [Axis(name="t", type="time"), *(Axis(name=name, type="space") for name in "yx")]
    properties = {n: {"values": np.arange(3.0), "missing": None} for n in "tyx"}
    write_arrays(
        str(tmp_path / "a.geff"),
        np.arange(3, dtype=np.uint8),
        properties,
        np.array([[0, 1]], np.uint8),
        {},
        GeffMetadata(directed=True, axes=axes, node_props_metadata={}, edge_props_metadata={}),
        zarr_format=zarr_format,
    )
    result = pd.DataFrame({"class": ["a", "é", "b"]})
    add_node_properties(tmp_path / "a.geff", tmp_path / "b.geff", result, [0, 1, 2], {})
    assert read_node_table(tmp_path / "b.geff")[0]["class"].tolist() == ["a", "é", "b"]


def test_nothing_stays_of_a_copy_that_failed(store: Path, tmp_path: Path) -> None:
    with pytest.raises(IndexError):
        add_node_properties(store, tmp_path / "b.geff", CELLS[["t"]], [9, 9, 9, 9], {})
    assert [path.name for path in tmp_path.iterdir()] == ["a.geff"]


def test_values_that_zarr_does_not_know() -> None:
    table = pd.DataFrame(
        {"none": [None, None], "n": pd.array([1, None], dtype="Int64"), "a/b": [True, False]}
    )
    found = node_properties(table)
    assert found["none"]["missing"].tolist() == [True, True]
    assert found["n"]["values"].tolist() == [1, 0]
    assert found["n"]["missing"].tolist() == [False, True]
    assert found["a%2Fb"]["values"].dtype == bool


def test_other_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="is not a GEFF store that can be read"):
        read_node_table(tmp_path)
