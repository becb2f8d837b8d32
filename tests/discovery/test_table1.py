from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_interpdisc.discovery import table1
from napari_interpdisc.discovery.recipe import Recipe
from napari_interpdisc.discovery.table1 import TASKS, Abroad, Table1Settings, run_table1
from napari_interpdisc.discovery.table1_summary import SCHEMES
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.labelled_crops import read_labelled_crops
from napari_interpdisc.io.results import doubt_of_pair
from napari_interpdisc.symbolic.settings import SearchSettings
from napari_interpdisc.training.cnn import CNNTraining
from napari_interpdisc.training.heads import HeadTraining
from napari_interpdisc.training.rigl import SparseTraining
from napari_interpdisc.training.tuning import SparsityTuning

TASK = "Interphase vs Metaphase"


@pytest.fixture
def quick() -> Table1Settings:
    """Return settings under which a unit takes seconds."""
    return Table1Settings(
        seeds=1,
        cnn=CNNTraining(steps=4, batch=8),
        recipe=Recipe(
            folds=2,
            augmented=3,
            search_augmented=1,
            dense=HeadTraining(steps=200),
            sparse=SparseTraining(steps=200, restarts=1, density=0.05),
            tuning=SparsityTuning(trials=1, folds=2, steps=50, restarts=1),
            search=SearchSettings(engine="operon", generations=4, individuals=80, cells=200),
        ),
    )


def test_the_table_of_real_cells_and_a_run_that_goes_on(
    microscopy: Callable[[str], Path],
    tmp_path: Path,
    quick: Table1Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    images, labels, plates = read_labelled_crops(microscopy("mitocheck_crops.npz"))
    out = tmp_path / "table"
    tasks = {TASK: TASKS[TASK]}
    own = np.isin(labels, ("Interphase", "Metaphase"))
    some = np.flatnonzero(own)[::5]
    abroad = {"other": Abroad(images[some], labels[some], plates[some], 26.8)}

    def stop(done: int, n: int) -> None:
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_table1(
            images, labels, plates, 26.8, out, quick,
            jobs=1, progress=stop, tasks=tasks, abroad=abroad,
        )  # fmt: skip
    stored = list((out / "units").glob("*.json"))
    assert len(stored) == 1
    before = stored[0].read_bytes()

    seen: list[tuple[int, int]] = []
    table = run_table1(
        images, labels, plates, 26.8, out, quick,
        jobs=1, progress=lambda *p: seen.append(p), tasks=tasks, abroad=abroad,
    ).table  # fmt: skip
    assert seen == [(1, 2), (2, 2)]
    assert stored[0].read_bytes() == before
    assert list(table["scheme"]) == list(SCHEMES)
    found = table.set_index("scheme")
    assert found.loc["cnn", "size"] == 9697
    assert found.loc["dense", ["weights", "size"]].tolist() == [832, 7019]
    assert found.loc["sparse", "weights"] <= 0.05 * 1040
    assert found.loc["formula", "size"] <= 17
    assert found.loc["dense", "balanced_accuracy"] > 0.85
    assert found.loc["forest", "balanced_accuracy"] > 0.9
    assert found.loc["tree", "balanced_accuracy"] > 0.8
    assert found.loc["tree", "size"] <= 7 * 5 + 1 + 7 * 6
    assert (found["abroad other"] > 0.5).sum() >= len(found) - 1  # the CNN has had four steps
    # no plate is on both sides of a split
    units = [json.loads(p.read_text()) for p in (out / "units").glob("*.json")]
    keep = np.isin(labels, ("Interphase", "Metaphase"))
    assert sum(len(u["target"]) for u in units) == keep.sum()
    for name in ("table1.csv", "table1.md", "settings.json"):
        assert (out / name).stat().st_size > 100
    note = json.loads((out / "table1.json").read_text("utf-8"))
    digest = hashlib.sha256((out / "table1.md").read_bytes()).hexdigest()
    assert (note["text"], note["text_sha256"]) == ("table1.md", digest)
    assert note["table_sha256"]
    assert doubt_of_pair(out / "table1.csv") == ""
    assert not list(out.glob("inputs*"))
    # a complete run is only read
    monkeypatch.setattr(table1, "run_units", lambda *a: pytest.fail("a unit was run again"))
    again = run_table1(images, labels, plates, 26.8, out, quick, jobs=1, tasks=tasks, abroad=abroad)
    pd.testing.assert_frame_equal(again.table, table)
    other = quick.model_copy(update={"cnn": CNNTraining(steps=5)})
    with pytest.raises(InvalidInput, match="other data, model or settings"):
        run_table1(images, labels, plates, 26.8, out, other, jobs=1, tasks=tasks, abroad=abroad)


def test_what_cannot_be_tabled(tmp_path: Path, quick: Table1Settings) -> None:
    images = np.zeros((100, 64, 64), np.uint8)
    labels = np.array(["Interphase"] * 95 + ["Metaphase"] * 5)
    plates = np.arange(100) % 10
    out = tmp_path / "table"
    with pytest.raises(InvalidInput, match="20 crops labelled Metaphase"):
        run_table1(images, labels, plates, 26.8, out, quick)
    assert not out.exists()
    labels = np.array(["Interphase", "Metaphase"] * 50)
    out.mkdir()
    (out / "mine.txt").write_text("keep")
    with pytest.raises(InvalidInput, match="is not empty"):
        run_table1(images, labels, plates, 26.8, out, quick, tasks={TASK: TASKS[TASK]})
    assert [p.name for p in out.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("change", [{"properties": ("area",)}, {"latents": False}])
def test_table_1_is_of_latents_alone(
    tmp_path: Path, quick: Table1Settings, change: dict[str, object]
) -> None:
    """Its schemes would take columns of properties for latents."""
    asked = quick.model_copy(update={"recipe": quick.recipe.model_copy(update=change)})
    with pytest.raises(InvalidInput, match="heads that read latents alone"):
        run_table1(np.zeros((2, 64, 64)), np.zeros(2), np.zeros(2), 28.0, tmp_path / "t", asked)
    assert not (tmp_path / "t").exists()
