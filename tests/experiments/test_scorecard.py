"""The frames of the crowded movie, and the commands of the scorecards."""

from __future__ import annotations

import importlib.util
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile

SCRIPT = Path(__file__).parents[2] / "experiments" / "scorecard.py"


@pytest.fixture
def script() -> Any:
    spec = importlib.util.spec_from_file_location("experiments_scorecard", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_frames(script: Any, folder: Path, masks: int) -> None:
    (folder / "hela_ctc").mkdir(exist_ok=True)
    for t in script.FRAMES:
        frame = np.stack([np.full((20, 30), t, np.uint16), np.full((20, 30), masks, np.uint16)])
        tifffile.imwrite(
            folder / "hela_ctc" / f"seq01_t{t:03d}.tif", frame, photometric="minisblack"
        )
    times = range(max(script.FRAMES) + 1)
    table = pd.DataFrame({"t": times, "y": 1.0, "x": 2.0, "id": times, "track_id": 7})
    table.to_csv(folder / "hela_ctc" / "seq01_tracks.csv", index=False)


def test_frames_far_apart_become_a_movie(script: Any, tmp_path: Path) -> None:
    write_frames(script, tmp_path, 3)
    script.crowded_movie(tmp_path, tmp_path)
    movie = tifffile.imread(tmp_path / "movie.tif")
    assert movie[:, 0, 0].tolist() == list(script.FRAMES)
    assert (tifffile.imread(tmp_path / "masks.tif") == 3).all()
    cells = pd.read_csv(tmp_path / "cells.csv")
    assert cells["t"].tolist() == list(range(len(script.FRAMES)))


def test_a_frame_without_masks_is_refused(script: Any, tmp_path: Path) -> None:
    write_frames(script, tmp_path, 0)
    with pytest.raises(SystemExit, match="has no masks"):
        script.crowded_movie(tmp_path, tmp_path)


def test_all_heads_and_both_controls_are_tested(script: Any) -> None:
    made = script.commands()
    assert set(made) == set(script.KEPT)
    words = list(itertools.chain(*made.values()))
    heads = {word for before, word in itertools.pairwise(words) if before == "--head"}
    assert heads == {*script.TWO, *script.FIVE}
    assert {"cnn", "forest"} <= set(made["two"])
