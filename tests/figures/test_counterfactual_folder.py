"""The folder of a counterfactual path: a row of the table for each step, and what was found."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from skimage.io import imread

from napari_interpdisc.cells import CellTable
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.figures.counterfactual_folder import ShownPath, path_table, write_path
from napari_interpdisc.models.store import load_model
from napari_interpdisc.scrutiny.counterfactual import counterfactual_path, real_cells


@pytest.fixture(scope="module")
def shown() -> ShownPath:
    model = load_model(device="cpu")
    z = (np.random.default_rng(0).normal(size=(40, 32)) * model.latent_sd).astype(np.float32)
    cells = CellTable.from_arrays(np.arange(40) % 4, np.zeros((40, 2)), np.arange(40) // 4)
    real = real_cells(model, z, "states", cells.track_id)
    found = counterfactual_path(model, z[5], real, "states", group=1, steps=3)
    pictures = model.decode(found.latents)[:, 0]
    return ShownPath(found, model, cells, 5, pictures, pictures)


def test_a_row_for_each_step(shown: ShownPath) -> None:
    found, cells = shown.path, shown.cells
    table = path_table(found, shown.model, cells)
    assert table["step"].tolist() == [0, 1, 2]
    scores = table[[f"score_{name}" for name in found.classes]].to_numpy()
    np.testing.assert_array_equal(scores, found.scores)
    assert table["class"].tolist() == [found.classes[k] for k in scores.argmax(1)]
    np.testing.assert_array_equal(table["nearest_track_id"], found.nearest // 4)
    np.testing.assert_array_equal(table["nearest_t"], found.nearest % 4)
    np.testing.assert_array_equal(table[[f"z_{i}" for i in range(32)]], found.latents)


def test_the_folder_is_whole_and_never_written_over(shown: ShownPath, tmp_path: Path) -> None:
    out = write_path(tmp_path / "path", shown, {"image": "movie.tif"})
    assert sorted(p.name for p in out.iterdir()) == ["path.csv", "path.json", "path.png"]
    note = json.loads((out / "path.json").read_text("utf-8"))
    assert (note["image"], note["head"]) == ("movie.tif", "states")
    assert note["cell"] == {"track_id": 1, "t": 1}
    assert note["to"] == shown.path.classes[shown.path.target]
    assert note["sentences"] == list(shown.path.sentences(shown.model))
    assert len(pd.read_csv(out / "path.csv")) == 3
    assert imread(out / "path.png").shape[1] > 300
    with pytest.raises(InvalidInput, match="is not empty"):
        write_path(out, shown, {})
