"""Labelled nuclei of still frames: halves, counts, and what is cut out at their places."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
LABELS = ("Interphase", "Prometaphase", "Metaphase", "MetaphaseAlignment", "Anaphase")


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    yield importlib.import_module("other_movies")
    sys.modules.pop("other_movies", None)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return pd.read_csv(EXPERIMENTS / "labels" / "dsb2018.csv")


def test_halves_share_no_frame_and_no_cell_is_there_twice(table: pd.DataFrame) -> None:
    assert set(table["label"]) == set(LABELS)
    assert set(table["half"]) == {0, 1}
    assert (table.groupby("file")["half"].nunique() == 1).all()
    assert not table.duplicated(["file", "y", "x"]).any()
    for _, rows in table.groupby("file"):
        places = rows[["y", "x"]].to_numpy()
        away = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
        assert away[~np.eye(len(rows), dtype=bool)].min(initial=np.inf) > 3


def test_the_page_on_labels_counts_them(table: pd.DataFrame) -> None:
    page = (EXPERIMENTS / "labels" / "README.md").read_text("utf-8")
    for half, name in ((0, "`half` 0 (`bright` + `random` interphase)"), (1, "`half` 1")):
        own = table[table["half"] == half]
        cells = [f"{((own.label == 'Interphase') & (own.draw == draw)).sum()}"
                 for draw in ("bright", "random")]  # fmt: skip
        counts = [" + ".join(cells), *(str((own["label"] == label).sum()) for label in LABELS[1:])]
        assert f"| {name} | {' | '.join(counts)} |" in page


def test_a_labelled_nucleus_is_in_the_middle_of_its_patch(
    module: Any, microscopy: Callable[[str], Path], table: pd.DataFrame
) -> None:
    data = microscopy("nuclei_frames").parent
    halves = [module.dsb2018(data, half) for half in (0, 1)]
    both = module.dsb2018(data, None)
    assert [len(own.labels) for own in halves] == [(table["half"] == k).sum() for k in (0, 1)]
    assert sorted(both.groups) == sorted([*halves[0].groups, *halves[1].groups])
    crops = both.patches.crops()[:, 0]
    # a nucleus of the typical size is 28 px wide: 64 px hold it and its background
    inside, rim = crops[:, 28:36, 28:36].mean((1, 2)), np.median(crops, axis=(1, 2))
    assert (inside > rim + 0.5).mean() > 0.99


def test_nuclei_that_are_known_to_be_mitotic_are_not_taken_for_interphase(
    module: Any, microscopy: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    data = microscopy("nuclei_frames").parent
    known = module.other_nuclei(data, 0)
    monkeypatch.setattr(module, "LABELS", tmp_path)
    pd.DataFrame({"file": [], "y": [], "x": [], "label": []}).to_csv(tmp_path / "dsb2018.csv")
    everything = module.other_nuclei(data, 0)
    assert len(everything.labels) - len(known.labels) == 2
    assert (known.labels == "Interphase").all()
