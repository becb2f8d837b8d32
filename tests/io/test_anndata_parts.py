from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from napari_interpdisc.io.anndata_parts import AnnDataParts

PARTS: list[dict[str, Any]] = [
    {
        "names": ["a:0", "a:1"],
        "columns": {
            "t": np.array([0, 1]),
            "class": np.array(["Metaphase", None], object),
            "unfamiliar": np.array([True, False]),
        },
        "latents": np.array([[1, 2], [3, 4]], np.float32),
        "xy": np.array([[5, 6], [7, 8.5]]),
    },
    {
        "names": ["b:0"],
        "columns": {
            "t": np.array([2]),
            "class": np.array(["Interphase"], object),
            "unfamiliar": np.array([False]),
        },
        "latents": np.array([[5, 6]], np.float32),
        "xy": np.array([[9.0, 10]]),
    },
]


def written(path: Path) -> Path:
    notes = {"model": "h2b", "classes": ["Interphase", "Metaphase"], "rule": []}
    with AnnDataParts(path, ["z_0", "z_1"], notes) as file:
        for part in PARTS:
            file.add(**part)
    return path


def test_parts_follow_each_other(tmp_path: Path) -> None:
    with h5py.File(written(tmp_path / "a.h5ad")) as file:
        assert dict(file.attrs) == {"encoding-type": "anndata", "encoding-version": "0.1.0"}
        np.testing.assert_array_equal(file["X"], [[1, 2], [3, 4], [5, 6]])
        obs = file["obs"]
        assert list(obs.attrs["column-order"]) == ["t", "class", "unfamiliar"]
        assert list(obs["_index"].asstr()) == ["a:0", "a:1", "b:0"]
        assert obs["t"][:].tolist() == [0, 1, 2]
        assert obs["class/codes"][:].tolist() == [0, -1, 1]
        assert list(obs["class/categories"].asstr()) == ["Metaphase", "Interphase"]
        assert file["uns/interpdisc/model"].asstr()[()] == "h2b"


def test_the_same_parts_are_the_same_bytes(tmp_path: Path) -> None:
    one, other = written(tmp_path / "a.h5ad"), written(tmp_path / "b.h5ad")
    assert one.read_bytes() == other.read_bytes()


def test_what_ended_in_a_fault_is_no_anndata(tmp_path: Path) -> None:
    def stop() -> None:
        with AnnDataParts(tmp_path / "a.h5ad", ["z_0", "z_1"], {}) as file:
            file.add(**PARTS[0])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        stop()
    with h5py.File(tmp_path / "a.h5ad") as left:
        assert "encoding-type" not in left["obs"].attrs


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_the_package_reads_it(tmp_path: Path) -> None:
    anndata = pytest.importorskip("anndata", reason="anndata keeps pandas below 3")
    found = anndata.read_h5ad(written(tmp_path / "a.h5ad"))
    np.testing.assert_array_equal(found.X, [[1, 2], [3, 4], [5, 6]])
    assert found.obs_names.tolist() == ["a:0", "a:1", "b:0"]
    assert found.var_names.tolist() == ["z_0", "z_1"]
    assert found.obs["class"].astype(object).fillna("").tolist() == ["Metaphase", "", "Interphase"]
    assert found.obs["unfamiliar"].tolist() == [True, False, False]
    np.testing.assert_array_equal(found.obsm["spatial"], [[5, 6], [7, 8.5], [9, 10]])
    assert list(found.uns["interpdisc"]["classes"]) == ["Interphase", "Metaphase"]
