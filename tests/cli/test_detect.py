"""``interpdisc detect``: cells that ``classify`` can read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from .conftest import Run, refused


def test_detected_cells_can_be_classified(run: Run, files: Path) -> None:
    out = files / "found.csv"
    done = run("detect", files / "movie.tif", "--diameter", 28, "--out", out)
    assert done.code == 0, done.err
    found, truth = pd.read_csv(out), pd.read_csv(files / "tracks.csv")
    assert list(found.columns) == ["t", "y", "x", "track_id"]
    assert len(found) == pytest.approx(len(truth), rel=0.2)
    assert json.loads((files / "found.json").read_text())["diameter"] == 28
    words = ("--tracks", out, "--diameter", 28, "--out", files / "classes.csv")
    assert run("classify", files / "movie.tif", *words).code == 0
    assert len(pd.read_csv(files / "classes.csv")) == len(found)


def test_detecting_in_a_constant_image(run: Run, files: Path) -> None:
    np.save(files / "flat.npy", np.full((50, 50), 7))
    done = run("detect", files / "flat.npy", "--out", files / "found.csv")
    assert done.code == 1
    assert "blank" in done.err
    assert not (files / "found.csv").exists()


def test_the_image_is_not_replaced(run: Run, files: Path) -> None:
    (files / "movie.tif").rename(files / "movie.json")
    before = (files / "movie.json").read_bytes()
    told = "which is read here; choose another name"
    refused(run, told, "detect", files / "movie.json", "--out", files / "movie.csv")
    assert (files / "movie.json").read_bytes() == before


def test_nuclei_are_linked_if_asked(run: Run, files: Path) -> None:
    out = files / "found.csv"
    words = ("--diameter", 28, "--link", "--divisions")
    done = run("detect", files / "movie.tif", *words, "--out", out)
    assert done.code == 0, done.err
    found = pd.read_csv(out)
    assert 6 <= found["track_id"].nunique() < len(found) / 2
    assert "frames in the median" in done.out
    parents = found[found["parent_id"] > 0]
    assert set(parents["parent_id"]) <= set(found["track_id"])
    assert len(parents)
    note = json.loads((files / "found.json").read_text())
    assert (note["link"], note["reach"], note["divisions"]) == (True, 1.0, True)


def test_how_to_link_without_linking_is_refused(run: Run, files: Path) -> None:
    call = ("detect", files / "movie.tif", "--out", files / "out.csv")
    refused(run, "say how nuclei are linked: give --link too", *call, "--reach", 2)
    refused(run, "--reach 0 is no distance", *call, "--link", "--reach", 0)
    np.save(files / "still.npy", np.zeros((50, 60)))
    call = ("detect", files / "still.npy", "--out", files / "out.csv")
    refused(run, "has one frame: no nuclei can be linked", *call, "--link")
