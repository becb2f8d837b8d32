"""The folder that is written, beside the one that the command writes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import tifffile

from napari_interpdisc._types import silent
from napari_interpdisc.cli.app import app
from napari_interpdisc.errors import Cancelled, InvalidInput
from napari_interpdisc.scrutiny.scorecard import ScorecardSettings
from napari_interpdisc.widgets.scorecard.run import ScorecardResult, ScorecardRun, carry_out
from napari_interpdisc.widgets.scorecard.saving import write_scorecard

from ..conftest import CELLS, DIAMETER
from .conftest import HEADS, movie


def test_the_folder_has_what_the_command_writes(a_run: ScorecardRun, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    found = carry_out(replace(a_run, heads=HEADS[:1], settings=ScorecardSettings()), silent)
    out = write_scorecard(tmp_path / "ours", found.cards, found.crops, found.note)
    assert out == tmp_path / "ours"

    # the same cells: all but the first
    tifffile.imwrite(tmp_path / "movie.tif", movie(), photometric="minisblack")
    table = pd.DataFrame(CELLS[1:], columns=["t", "y", "x", "track_id"])
    table.to_csv(tmp_path / "cells.csv", index=False)
    words = [
        "scorecard", "h2b", "--head", HEADS[0], "--image", "movie.tif", "--cells", "cells.csv",
        "--diameter", f"{DIAMETER:g}", "--out", "theirs",
    ]  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    names = sorted(path.name for path in out.iterdir())
    assert names == sorted(path.name for path in (tmp_path / "theirs").iterdir())
    ours, theirs = (pd.read_csv(tmp_path / name / "scorecard.csv") for name in ("ours", "theirs"))
    pd.testing.assert_frame_equal(ours, theirs)
    texts = [(tmp_path / name / "scorecard.md").read_text("utf-8") for name in ("ours", "theirs")]
    assert texts[0] == texts[1]
    notes = [
        json.loads((tmp_path / name / "scorecard.json").read_text("utf-8"))
        for name in ("ours", "theirs")
    ]
    for key in ("model", "model_sha256", "heads", "settings", "sentences"):
        assert notes[0][key] == notes[1][key]


def test_each_head_has_its_own_picture(found: ScorecardResult, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    write_scorecard(
        tmp_path / "out", found.cards, found.crops, found.note, lambda *step: steps.append(step)
    )
    assert steps == [(i, 5) for i in (1, 2, 3, 4, 5)]
    pictures = sorted(path.stem for path in (tmp_path / "out").glob("*.png"))
    assert pictures == ["scorecard", *(f"worst-{head}" for head in HEADS)]


def test_a_folder_with_something_in_it_is_kept(found: ScorecardResult, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InvalidInput, match="already exists and is not empty"):
        write_scorecard(tmp_path, found.cards, found.crops, found.note)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_nothing_is_left_of_a_folder_that_was_cancelled(
    found: ScorecardResult, tmp_path: Path
) -> None:
    def cancel(done: int, _: int) -> None:
        if done == 2:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        write_scorecard(tmp_path / "out", found.cards, found.crops, found.note, cancel)
    assert list(tmp_path.iterdir()) == []
