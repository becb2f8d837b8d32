from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from napari_interpdisc.cells import CellTable
from napari_interpdisc.errors import InvalidInput, MissingExtra
from napari_interpdisc.io import anndata_file
from napari_interpdisc.io.exports import Result, check_result_path, write_result
from napari_interpdisc.io.geff_files import read_node_table
from napari_interpdisc.io.tracks import read_cells

from .test_btrack_results import CLASSES, result, write_btrack


def of(cells: CellTable) -> Result:
    made = result(len(cells)).assign(model="m", flag="", z_0=np.float32(1))
    table = cells.to_frame(made)
    flags = np.zeros(len(cells), np.uint8)
    return Result(cells, table, made, CLASSES, flags, {"model": "m", "classes": list(CLASSES)})


def test_each_suffix_has_its_form(tmp_path: Path) -> None:
    source = write_btrack(tmp_path / "a.h5")
    made = of(read_cells(source))
    for name in ("b.csv", "b2.parquet", "b.geff"):
        check_result_path(tmp_path / name, source)
        assert write_result(made, tmp_path / name, source) == []
    for name in ("b.csv", "b.geff"):
        assert read_cells(tmp_path / name).track_id.tolist() == [1, 1, 2]
    assert (tmp_path / "b.json").exists()
    nodes, about = read_node_table(tmp_path / "b.geff")
    assert nodes["class"].tolist() == ["b", "a", "b"]
    assert "model" not in nodes
    assert about["model"] == "m"
    check_result_path(tmp_path / "b.h5", source)
    (sentence,) = write_result(made, tmp_path / "b.h5", source)
    assert "'score' is stored as 'interpdisc_score'" in sentence
    with h5py.File(tmp_path / "b.h5") as file:
        assert file["objects/obj_type_1/properties/class"][:].tolist() == [1, 0, -1, 1]


def test_a_geff_store_is_copied_and_may_be_classified_again(tmp_path: Path) -> None:
    cells = CellTable.from_arrays([0, 1, 1], [[1, 2], [3, 4], [5, 6]], [1, 1, 2])
    write_result(of(cells), tmp_path / "a.geff", "cells.csv")
    again = of(read_cells(tmp_path / "a.geff"))
    again.made["score"] = [7.0, 8.0, 9.0]
    assert write_result(again, tmp_path / "b.geff", tmp_path / "a.geff") == []
    assert read_node_table(tmp_path / "b.geff")[0]["score"].tolist() == [7, 8, 9]
    assert read_node_table(tmp_path / "a.geff")[0]["score"].tolist() == [2, -1, 0.5]


def test_nothing_of_somebody_else_is_replaced(tmp_path: Path) -> None:
    source = write_btrack(tmp_path / "a.h5")
    with pytest.raises(InvalidInput, match="which is read here"):
        check_result_path(source, source)
    with pytest.raises(InvalidInput, match="which is read here"):
        check_result_path(tmp_path / "a.h5", "cells.csv", (None, source))
    other = write_btrack(tmp_path / "b.h5")
    with pytest.raises(InvalidInput, match="did not write it"):
        check_result_path(other, source)
    other.write_bytes(b"no hdf5")
    with pytest.raises(InvalidInput, match="did not write it"):
        check_result_path(other, source)
    write_result(of(read_cells(source)), tmp_path / "c.h5", source)
    check_result_path(tmp_path / "c.h5", source)  # ours
    (tmp_path / "d.geff").mkdir()
    (tmp_path / "d.geff" / "zarr.json").touch()
    with pytest.raises(InvalidInput, match="is not empty"):
        check_result_path(tmp_path / "d.geff", source)


def test_forms_that_cannot_be_are_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidInput, match=r"end it in \.csv, \.parquet, \.geff"):
        check_result_path(tmp_path / "a.xlsx", "cells.csv")
    with pytest.raises(InvalidInput, match="a copy of btrack's file"):
        check_result_path(tmp_path / "a.h5", "cells.csv")
    with pytest.raises(InvalidInput, match="does not exist"):
        check_result_path(tmp_path / "none" / "a.geff", "cells.csv")
    monkeypatch.setattr(anndata_file, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="anndata"):
        check_result_path(tmp_path / "a.h5ad", "cells.csv")
