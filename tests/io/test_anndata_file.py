from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_interpdisc.errors import MissingExtra
from napari_interpdisc.io import anndata_file
from napari_interpdisc.io.anndata_file import write_anndata

TABLE = pd.DataFrame(
    {
        "t": [0, 1],
        "y": [1.0, 2.0],
        "x": [3.0, 4.0],
        "class": pd.Categorical(["a", "b"]),
        "flag": ["", "cut by the edge"],
        "z_0": np.float32([5, 6]),
        "z_1": np.float32([7, 8]),
    }
)


def test_the_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anndata_file, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"pip install 'napari-interpdisc\[anndata\]'"):
        write_anndata(TABLE, {}, tmp_path / "a.h5ad")
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_latents_cells_and_settings_come_back(tmp_path: Path) -> None:
    anndata = pytest.importorskip("anndata")
    settings = {"model": "m", "rule": ["z0 + 1"], "classes": ["a", "b"], "labels": None}
    write_anndata(TABLE, settings, tmp_path / "a.h5ad")
    found = anndata.read_h5ad(tmp_path / "a.h5ad")
    np.testing.assert_array_equal(found.X, [[5, 7], [6, 8]])
    assert found.var_names.tolist() == ["z_0", "z_1"]
    assert found.obs["class"].tolist() == ["a", "b"]
    assert found.obs["flag"].tolist() == ["", "cut by the edge"]
    np.testing.assert_array_equal(found.obsm["spatial"], [[3, 1], [4, 2]])
    assert list(found.uns["interpdisc"]["rule"]) == ["z0 + 1"]
    assert json.loads(found.uns["interpdisc"]["settings"])["labels"] is None
