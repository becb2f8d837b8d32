"""The folder of a head taken apart."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.figures.anatomy_folder import write_anatomy
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.models.store import load_model
from napari_interpdisc.scrutiny.anatomy import part_panels, slice_panels, take_apart
from napari_interpdisc.scrutiny.anatomy_constants import constant_intervals
from napari_interpdisc.scrutiny.anatomy_response import drawn_cells

from ..earlier_heads import with_earlier_heads


@pytest.fixture(scope="module")
def h2b() -> CellModel:
    return with_earlier_heads(load_model("h2b", device="cpu"))


def test_a_sparse_head(tmp_path: Path, h2b: CellModel) -> None:
    found = take_apart(h2b, "sparse", drawn_cells(h2b, 100))
    cell = found.cells.latents[0]
    slices = slice_panels(found, h2b, cell, [(0, 1)])
    out = write_anatomy(
        tmp_path / "out", found, part_panels(found, h2b, cell), slices, note={"selected": "it"}
    )
    assert {path.name for path in out.iterdir()} == {
        "anatomy.json", "graph.csv", "graph.png", "graph.svg", "slices.csv", "slices.png",
        "slices.svg", "sub-networks.csv", "sub-networks.png", "sub-networks.svg",
    }  # fmt: skip
    edges = pd.read_csv(out / "graph.csv")
    assert list(edges) == ["from", "to", "weight"]
    assert len(edges) == 19
    note = json.loads((out / "anatomy.json").read_text("utf-8"))
    assert note["selected"] == "it"
    assert note["model_sha256"] == h2b.sha256
    assert note["versions"]["torch"]
    with pytest.raises(InvalidInput, match="already exists and is not empty"):
        write_anatomy(out, found, [], [])


def test_a_formula_and_its_constants(tmp_path: Path, h2b: CellModel) -> None:
    found = take_apart(h2b, "formula-strict", drawn_cells(h2b, 200))
    z = found.cells.latents
    labels = np.where(h2b.score(z, "formula-strict")[:, 0] > 0, "Metaphase", "Interphase")
    constants = constant_intervals(
        h2b.head("formula-strict"), z, labels, np.arange(200) // 10, draws=20
    )
    out = write_anatomy(tmp_path / "out", found, part_panels(found, h2b, z[0]), [], constants)
    names = {path.name for path in out.iterdir()}
    assert {"components.png", "components.svg", "components.csv", "constants.csv"} <= names
    assert not names & {"graph.png", "slices.png", "slices.csv"}
    table = pd.read_csv(out / "constants.csv")
    assert list(table) == ["stored", "refitted", "low", "high"]
    assert table["stored"].tolist() == pytest.approx([0.351, 0.507], abs=1e-3)
    note = json.loads((out / "anatomy.json").read_text("utf-8"))
    assert note["constants"]["draws"] == 20
