"""All cells of a run in one file of AnnData: what is in it, and when it is written."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from napari_interpdisc.batch.plan import Plan, read_plan
from napari_interpdisc.experiment import anndata
from napari_interpdisc.experiment.anndata import has_anndata, write_run_anndata
from napari_interpdisc.experiment.run import run_plan


def test_the_file_has_the_cells_of_the_data_set_and_follows_it(
    lab: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anndata, "ROWS", 4)  # several parts of each block
    (lab / "movies" / "B2_0.tif").rename(lab / "B2_0.tif")
    with_file = plan.model_copy(update={"anndata": True})
    run_plan(with_file)
    file = plan.out / "cells.h5ad"
    table = pd.read_parquet(plan.out / "cells")
    with h5py.File(file) as found:
        np.testing.assert_array_equal(found["X"][:, 3], table["z_3"])
        np.testing.assert_array_equal(found["obs/t"], table["t"])
        assert found["obs/_index"].asstr()[0] == "A1_0:" + str(table["row"][0])
        assert list(found["uns/interpdisc/classes"].asstr()) == ["Interphase", "Metaphase"]
    before, written = file.read_bytes(), file.stat().st_mtime_ns
    run_plan(plan)
    assert file.stat().st_mtime_ns == written, "nothing has changed"
    file.write_bytes(before[:-1])
    run_plan(with_file)
    assert file.read_bytes() == before, "a damaged one is written again, with the same bytes"
    shutil.move(lab / "B2_0.tif", lab / "movies" / "B2_0.tif")
    run_plan(plan)  # which does not ask for it, but must not leave it behind
    with h5py.File(file) as found:
        assert len(found["X"]) == len(pd.read_parquet(plan.out / "cells")) > len(table)


def test_without_cells_there_is_no_file(tmp_path: Path) -> None:
    assert write_run_anndata(tmp_path, {}, {}) is None
    assert not has_anndata(tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_plan_asks_for_it_without_changing_the_results(lab: Path) -> None:
    path = lab / "PLAN.toml"
    before = read_plan(path)
    assert not before.anndata
    path.write_text("anndata = true\n" + path.read_text())
    assert read_plan(path).anndata
    assert read_plan(path).decisive() == before.decisive()
