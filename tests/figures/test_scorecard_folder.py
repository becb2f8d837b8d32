"""The folder of a scorecard."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_interpdisc.errors import Cancelled, InvalidInput
from napari_interpdisc.figures.scorecard_folder import write_scorecard
from napari_interpdisc.scrutiny.shortcut import Shortcut

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


def test_whose_each_latent_is_stands_beside_the_table(tmp_path: Path) -> None:
    share = np.array([0.9, 0.1, 0.3])
    shortcut = Shortcut((0,), np.array([0.1] * 5), np.array([0.2] * 5), (1,), share)
    cards = (CARDS[0], replace(CARDS[1], shortcut=shortcut))
    out = write_scorecard(tmp_path / "out", cards, CROPS, NOTE)
    note = json.loads((out / "scorecard.json").read_text("utf-8"))
    assert note["surroundings_share"] == [0.9, 0.1, 0.3]
    assert (note["latents_of_surroundings"], note["latents_of_cell"]) == ([0], [1])


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
