"""``interpdisc scorecard``: what is written, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_interpdisc.simulate.crops import CropSimulation, simulate_crops

from .conftest import Run, refused


@pytest.fixture
def crops(tmp_path: Path) -> Path:
    """Return an archive of 24 crops on four plates, half of them Interphase."""
    images, _ = simulate_crops(24, 0, CropSimulation(side=112, noise=(0.05, 0.05)))
    np.savez(
        tmp_path / "crops.npz",
        images=images,
        label=np.where(np.arange(24) % 2, "Interphase", "Metaphase"),
        plate=np.arange(24) // 6,
    )
    return tmp_path / "crops.npz"


def test_a_table_sentences_and_pictures(run: Run, crops: Path) -> None:
    out = crops.parent / "out"
    code, told, err = run(
        "scorecard", "h2b", "--head", "dense", "--head", "formula", "--crops", crops,
        "--diameter", 26, "--most", 8, "--classes", "Interphase", "--out", out,
    )  # fmt: skip
    assert code == 0, err
    assert "dense of h2b:" in told
    assert "formula of h2b:" in told
    table = pd.read_csv(out / "scorecard.csv")
    assert set(table["head"]) == {"dense", "formula"}
    assert table["changed"].between(0, 1).all()
    note = json.loads((out / "scorecard.json").read_text("utf-8"))
    assert note["classes"] == ["Interphase"]
    assert note["group"] == "plate"
    assert note["settings"]["target_limit"] == 0.01
    assert "of h2b" in " ".join(note["sentences"]["dense"])
    told = (out / "scorecard.md").read_text("utf-8")
    assert told.startswith("| constraint | what is changed | allowed | dense | formula |")
    files = {path.name for path in out.iterdir()}
    assert {"scorecard.png", "worst-dense.png", "worst-formula.png"} <= files


def test_a_movie_with_masks(run: Run, files: Path) -> None:
    code, _, err = run(
        "scorecard", "h2b", "--image", files / "movie.tif", "--cells", files / "tracks.csv",
        "--labels", files / "masks.tif", "--most", 6, "--out", files / "out",
    )  # fmt: skip
    assert code == 0, err
    assert (files / "out" / "scorecard.csv").is_file()
    note = json.loads((files / "out" / "scorecard.json").read_text("utf-8"))
    assert note["image"].endswith("movie.tif")


def test_what_is_refused(run: Run, crops: Path) -> None:
    out = crops.parent / "out"
    refused(run, "Give --image and --cells, or --crops", "scorecard", "h2b", "--out", out)
    refused(
        run, "No cell has a label of Anaphase in 'label'", "scorecard", "h2b", "--crops", crops,
        "--diameter", 26, "--classes", "Anaphase", "--out", out,
    )  # fmt: skip
    refused(
        run, "has no head 'nothing'", "scorecard", "h2b", "--crops", crops, "--diameter", 26,
        "--head", "nothing", "--out", out,
    )  # fmt: skip
