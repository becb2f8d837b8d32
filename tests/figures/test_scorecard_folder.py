"""The folder of a scorecard."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from napari_interpdisc.errors import Cancelled, InvalidInput
from napari_interpdisc.figures.scorecard_folder import write_scorecard

from .test_scorecard import card

CARDS = (card("a", 0.2, 0.0, 0.1), card("b", 0.4, 0.1, 0.0))
CROPS = np.random.default_rng(1).normal(size=(5, 1, 64, 64)).astype(np.float32)
NOTE = {"crops": "some.npz"}


def test_each_head_has_its_own_picture(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    out = write_scorecard(tmp_path / "out", CARDS, CROPS, NOTE, lambda *step: steps.append(step))
    assert steps == [(i, 5) for i in (1, 2, 3, 4, 5)]
    assert sorted(path.name for path in out.iterdir()) == [
        "scorecard.csv", "scorecard.json", "scorecard.md", "scorecard.png", "worst-a.png",
        "worst-b.png",
    ]  # fmt: skip
    note = json.loads((out / "scorecard.json").read_text("utf-8"))
    assert note["crops"] == "some.npz"
    assert note["sentences"] == {c.head: c.sentences() for c in CARDS}


def test_a_folder_with_something_in_it_is_kept(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InvalidInput, match="already exists and is not empty"):
        write_scorecard(tmp_path, CARDS, CROPS, NOTE)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_nothing_is_left_of_a_folder_that_was_cancelled(tmp_path: Path) -> None:
    def cancel(done: int, _: int) -> None:
        if done == 2:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        write_scorecard(tmp_path / "out", CARDS, CROPS, NOTE, cancel)
    assert list(tmp_path.iterdir()) == []
