from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from napari_interpdisc.cells import CellTable
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.btrack_results import add_object_properties
from napari_interpdisc.io.tracks import read_cells

CLASSES = ("a", "b")


def write_btrack(path: Path, kinds: tuple[str, ...] = ("obj_type_1",)) -> Path:
    """Four objects, of which two are a track and one is another."""
    with h5py.File(path, "w") as file:
        for kind in kinds:
            objects = file.create_group(f"objects/{kind}")
            objects["coords"] = np.float32(
                [[0, 2.5, 1, 0], [1, 3, 1.5, 0], [1, 9, 9, 0], [0, 7.1, 8, 0]]
            )
            objects["labels"] = np.float32([[3, 0], [3, 0], [4, 0], [4, 0]])
            objects["properties/area"] = np.float32([1, 2, 3, 4])
            objects["properties/score"] = np.float32([5, 6, 7, 8])
            tracks = file.create_group(f"tracks/{kind}")
            tracks["tracks"] = np.int32([[0], [1], [3]])
            tracks["map"] = np.uint32([[0, 2], [2, 3]])
            tracks["LBEPR"] = np.int32([[1, 0, 1, 1, 0], [2, 0, 0, 2, 0]])
    return path


def result(n: int = 3) -> pd.DataFrame:
    columns = {name: np.arange(n, dtype=float) for name in ("surprise", "latent_norm")}
    return pd.DataFrame(
        {
            "class": pd.Categorical(["b", "a", "b"][:n], categories=CLASSES),
            "score": [2.0, -1.0, 0.5][:n],
            "confidence": [0.9, 0.8, 0.7][:n],
            "reconstruction_error": [0.1] * n,
            **columns,
        }
    )


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_btrack(tmp_path / "a.h5")


def test_objects_get_class_score_and_flags_in_a_copy(source: Path, tmp_path: Path) -> None:
    before, cells = source.read_bytes(), read_cells(source)
    out = tmp_path / "b.h5"
    flags = np.uint8([0, 2, 1])
    renamed = add_object_properties(
        source, out, cells, result(), CLASSES, flags, {"model": "m", "diameter": np.float32(20)}
    )
    assert source.read_bytes() == before
    assert renamed == {"score": "interpdisc_score"}
    with h5py.File(out) as file:
        objects = file["objects/obj_type_1"]
        properties = {name: values[:].tolist() for name, values in objects["properties"].items()}
        assert objects["properties/class"].attrs["classes"].tolist() == ["a", "b"]
        labels = objects["labels"][:]
        assert objects["labels_before"][:, 0].tolist() == [3, 3, 4, 4]
        assert '"model": "m"' in file.attrs["interpdisc"]
    assert properties["class"] == [1, 0, -1, 1]
    assert properties["flag"] == [0, 2, -1, 1]
    assert properties["area"] == [1, 2, 3, 4]
    assert properties["score"] == [5, 6, 7, 8]
    np.testing.assert_allclose(properties["interpdisc_score"], [2, -1, np.nan, 0.5])
    np.testing.assert_allclose(labels[:, 0], [1, 0, -1, 1])
    np.testing.assert_allclose(labels[1, 1:], [1 / (1 + np.exp(-1)), 1 / (1 + np.exp(1))], 1e-6)
    np.testing.assert_array_equal(read_cells(out).yx, cells.yx)  # it is still btrack's file


def test_a_second_result_replaces_the_first(source: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "b.h5", tmp_path / "c.h5"
    cells, flags = read_cells(source), np.zeros(3, np.uint8)
    add_object_properties(source, first, cells, result(), CLASSES, flags, {})
    again = result().assign(score=[7.0, 8.0, 9.0])
    add_object_properties(first, second, cells, again, CLASSES, flags, {})
    with h5py.File(second) as file:
        objects = file["objects/obj_type_1"]
        assert objects["properties/interpdisc_score"][:].tolist()[:2] == [7, 8]
        assert "interpdisc_class" not in objects["properties"]
        assert objects["labels_before"][:, 0].tolist() == [3, 3, 4, 4]


def test_several_classes_have_a_score_each(source: Path, tmp_path: Path) -> None:
    scores = {"score_a": [3.0, 0, 0], "score_b": [0.0, 3, 0], "score_c": [0.0, 0, 3]}
    table = result().drop(columns="score").assign(**scores)
    table["class"] = pd.Categorical(["a", "b", "c"])
    cells = read_cells(source)
    flags = np.zeros(3, np.uint8)
    add_object_properties(source, tmp_path / "b.h5", cells, table, "abc", flags, {})
    with h5py.File(tmp_path / "b.h5") as file:
        labels = file["objects/obj_type_1/labels"][:]
    assert labels.shape == (4, 4)
    np.testing.assert_allclose(labels[[0, 1, 3], 1:].sum(1), 1, rtol=1e-6)
    assert labels[[0, 1, 3], 1:].argmax(1).tolist() == [0, 1, 2]


def test_x_and_y_may_have_been_exchanged(source: Path, tmp_path: Path) -> None:
    cells = read_cells(source, swap_xy=True)
    flags = np.zeros(3, np.uint8)
    add_object_properties(source, tmp_path / "b.h5", cells, result(), CLASSES, flags, {})
    with h5py.File(tmp_path / "b.h5") as file:
        found = file["objects/obj_type_1/properties/class"][:].tolist()
    assert found == [1, 0, -1, 1]


def test_cells_of_another_file_are_refused(source: Path, tmp_path: Path) -> None:
    others = CellTable.from_arrays([0], [[1.0, 2.0]])
    arguments = (tmp_path / "b.h5", others, result(1), CLASSES, np.zeros(1, np.uint8), {})
    with pytest.raises(InvalidInput, match="are not where"):
        add_object_properties(source, *arguments)
    several = write_btrack(tmp_path / "two.h5", ("obj_type_1", "obj_type_2"))
    with pytest.raises(InvalidInput, match="several types of objects"):
        add_object_properties(several, *arguments)
    assert not (tmp_path / "b.h5").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.h5", "two.h5"]
