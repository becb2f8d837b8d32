"""Real cells of the Cell Tracking Challenge, from files to a table."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

FRAMES = (1, 2, 4, 7)


@pytest.fixture(scope="module")
def files(microscopy: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with movie.tif, masks.tif and tracks.csv of a few frames."""
    folder = tmp_path_factory.mktemp("hela")
    paths = [microscopy(f"hela_ctc/seq01_t{t:03d}.tif") for t in FRAMES]
    planes = np.stack([tifffile.imread(path) for path in paths])
    for name, data in (("movie.tif", planes[:, 0]), ("masks.tif", planes[:, 1])):
        tifffile.imwrite(folder / name, data, photometric="minisblack", metadata={"axes": "TYX"})
    tracks = pd.read_csv(microscopy("hela_ctc/seq01_tracks.csv"))
    tracks = tracks[tracks["t"].isin(FRAMES)]
    tracks = tracks.assign(t=tracks["t"].map({t: i for i, t in enumerate(FRAMES)}))
    tracks.to_csv(folder / "tracks.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def table(files: Path) -> pd.DataFrame:
    """Return what the command line makes of them, the diameter being measured on the masks."""
    command = [sys.executable, "-m", "napari_interpdisc.cli", "classify", str(files / "movie.tif")]
    command += ["--tracks", str(files / "tracks.csv"), "--labels", str(files / "masks.tif")]
    command += ["--out", str(files / "cells.csv")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return pd.read_csv(files / "cells.csv")


def test_every_tracked_cell_has_a_row(files: Path, table: pd.DataFrame) -> None:
    tracks = pd.read_csv(files / "tracks.csv")
    assert len(table) == len(tracks) > 150
    np.testing.assert_array_equal(table["track_id"], tracks["track_id"])
    assert np.isfinite(table.filter(like="z_")).all().all()
    note = json.loads((files / "cells.json").read_text())
    assert note["rows"] == len(table)
    assert note["diameter"] == pytest.approx(27.5, abs=2)


def test_metaphase_is_rare(table: pd.DataFrame) -> None:
    """HeLa cells spend about a twentieth of their cycle in mitosis."""
    share = (table["class"] == "Metaphase").mean()
    assert 0.005 < share < 0.15


def test_metaphase_plates_are_small_and_bright(files: Path, table: pd.DataFrame) -> None:
    """By area and intensity, which the model never sees as such: crops are normalised."""
    movie, masks = (tifffile.imread(files / name) for name in ("movie.tif", "masks.tif"))
    at = tuple(np.rint(table[["t", "y", "x"]].to_numpy()).astype(int).T)
    labels = masks[at]
    known = labels > 0
    area = np.array([(masks[t] == n).sum() for t, n in zip(at[0], labels, strict=True)])
    mean = movie[at].astype(float)
    metaphase = known & (table["class"] == "Metaphase").to_numpy()
    interphase = known & ~metaphase
    assert np.median(area[metaphase]) < 0.75 * np.median(area[interphase])
    assert np.median(mean[metaphase]) > 1.2 * np.median(mean[interphase])


def test_the_diameter_can_be_estimated_without_masks(files: Path, table: pd.DataFrame) -> None:
    """Detection and masks agree on the diameter, and so do the classes on nearly all cells."""
    from napari_interpdisc.io.images import read_frames
    from napari_interpdisc.io.tracks import read_cells
    from napari_interpdisc.models.store import load_model
    from napari_interpdisc.nuclei.diameter import estimate_diameter
    from napari_interpdisc.pipeline import classify

    frames = read_frames(files / "movie.tif")
    diameter = estimate_diameter(frames)
    assert diameter == pytest.approx(27.5, rel=0.15)
    result = classify(frames, read_cells(files / "tracks.csv"), load_model(), diameter)
    assert (result.names() == table["class"].to_numpy()).mean() > 0.97
