"""``interpdisc counterfactual``: the path that it writes, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from skimage.io import imread

from .conftest import Run, sentence


def test_counterfactual(run: Run, many: Path) -> None:
    out = many / "path"
    words = ["counterfactual", many / "movie.tif", "--tracks", many / "tracks.csv"]
    words += ["--diameter", 28, "--cell", "1:2", "--head", "formula-strict", "--out", out]
    done = run(*words)
    assert done.code == 0, done.err
    table, note = pd.read_csv(out / "path.csv"), json.loads((out / "path.json").read_text())
    assert len(table) == 9
    assert note["cell"] == {"track_id": 1, "t": 2}
    assert note["sentences"][0] in done.out
    assert note["reached"] == (table["class"].iloc[-1] == note["to"])
    assert not (table["nearest_track_id"] == 1).any()
    latents = table[[f"z_{i}" for i in range(32)]].to_numpy()
    assert note["length"] == pytest.approx(np.linalg.norm(latents[-1] - latents[0]), abs=1e-4)
    assert imread(out / "path.png").ndim == 3
    assert "not empty" in run(*words).err  # nothing is overwritten


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--cell", "1:2", "--to", "Telophase"], "no class 'Telophase'"),
        (["--cell", "99:0"], "no track 99"),
        (["--cell", "the big one", "--labels", "none.tif"], "is no cell: give its track and its"),
    ],
)
def test_refuses(run: Run, many: Path, words: list[str], said: str) -> None:
    call = ["counterfactual", many / "movie.tif", "--tracks", many / "tracks.csv"]
    done = run(*call, "--diameter", 28, "--out", many / "out", *words)
    assert said in sentence(done, many)
