from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.tracks import read_cells

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


def test_real_csv(microscopy: Callable[[str], Path]) -> None:
    cells = read_cells(microscopy("hela_ctc/seq01_tracks.csv"))
    assert len(cells) == 8601
    assert len(np.unique(cells.track_id)) == 263


@pytest.mark.parametrize("with_ids", [True, False])
def test_geff(tmp_path: Path, with_ids: bool) -> None:
    import geff
    import networkx as nx

    graph = nx.DiGraph()
    for node, (t, y, x) in enumerate([(0, 1, 2), (1, 1.5, 2), (2, 1, 1), (2, 3, 3), (3, 3, 4)]):
        graph.add_node(node, t=t, y=float(y), x=float(x), **({"track_id": 9} if with_ids else {}))
    graph.add_edges_from([(0, 1), (1, 2), (1, 3), (3, 4)])
    store = tmp_path / "tracks.geff"
    geff.write(graph, store, axis_names=["t", "y", "x"], axis_types=["time", "space", "space"])
    cells = read_cells(store)
    order = np.lexsort((cells.yx[:, 0], cells.t))
    np.testing.assert_array_equal(cells.t[order], [0, 1, 2, 2, 3])
    np.testing.assert_array_equal(cells.yx[order][:, 0], [1, 1.5, 1, 3, 3])
    ids = cells.track_id[order]
    if with_ids:
        np.testing.assert_array_equal(ids, 9)
    else:
        # a division ends one track and starts two
        assert ids[0] == ids[1]
        assert ids[3] == ids[4]
        assert len(set(ids)) == 3


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("gone.csv", None, "There is no file .*gone.csv"),
        ("empty.csv", b"", "is empty; give a table with columns"),
        ("header.csv", b"t,y,x\n", "holds no cells"),
        ("names.csv", b"a,b\n1,2\n", "has no column for y and x"),
        ("nan.csv", b"t,y,x\n0,1,\n", "NaN or infinite coordinates"),
        ("broken.parquet", b"PAR1", "cannot be read as a table"),
        ("broken.h5", b"nothing", "not a btrack file"),
        ("tracks.docx", b"x", "not a kind of track file"),
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


def test_geff_with_gaps_depth_and_other_names(tmp_path: Path) -> None:
    import geff
    import networkx as nx

    graph = nx.DiGraph([(0, 1)])
    for node in graph:
        graph.nodes[node].update(t=node, row=1.0 + node, col=5.0)
    graph.nodes[0]["track_id"] = 7  # node 1 has none: the graph decides
    flat = tmp_path / "flat.geff"
    geff.write(graph, flat, axis_names=["t", "row", "col"], axis_types=["time", "space", "space"])
    cells = read_cells(flat)
    np.testing.assert_array_equal(cells.yx, [[1, 5], [2, 5]])
    assert cells.track_id[0] == cells.track_id[1] == 1

    for node in graph:
        graph.nodes[node].update(z=float(node), y=1.0, x=2.0)
    deep = tmp_path / "deep.geff"
    kinds = ["time", "space", "space", "space"]
    geff.write(graph, deep, axis_names=["t", "z", "y", "x"], axis_types=kinds)
    with pytest.raises(InvalidInput, match="different depths"):
        read_cells(deep)
