from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_interpdisc.discovery import table1
from napari_interpdisc.discovery.recipe import Recipe
from napari_interpdisc.discovery.table1 import TASKS, Table1Settings, run_table1
from napari_interpdisc.discovery.table1_summary import SCHEMES, aggregate, latent_use, markdown
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.labelled_crops import read_labelled_crops
from napari_interpdisc.models.store import load_model
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
    shared_data: Path, tmp_path: Path, quick: Table1Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, labels, plates = read_labelled_crops(shared_data / "mitocheck_crops.npz")
    out = tmp_path / "table"
    tasks = {TASK: TASKS[TASK]}

    def stop(done: int, n: int) -> None:
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_table1(images, labels, plates, 26.8, out, quick, jobs=1, progress=stop, tasks=tasks)
    stored = list((out / "units").glob("*.json"))
    assert len(stored) == 1
    before = stored[0].read_bytes()

    seen: list[tuple[int, int]] = []
    table = run_table1(
        images, labels, plates, 26.8, out, quick,
        jobs=1, progress=lambda *p: seen.append(p), tasks=tasks,
    ).table  # fmt: skip
    assert seen == [(1, 2), (2, 2)]
    assert stored[0].read_bytes() == before
    assert list(table["scheme"]) == list(SCHEMES)
    found = table.set_index("scheme")
    assert found.loc["cnn", "size"] == 9697
    assert found.loc["dense", ["weights", "size"]].tolist() == [1040, 8641]
    assert found.loc["sparse", "weights"] <= 0.05 * 1040
    assert found.loc["formula", "size"] <= 17
    assert found.loc["dense", "balanced_accuracy"] > 0.85
    assert found.loc["forest", "balanced_accuracy"] > 0.9
    # no plate is on both sides of a split
    units = [json.loads(p.read_text()) for p in (out / "units").glob("*.json")]
    keep = np.isin(labels, ("Interphase", "Metaphase"))
    assert sum(len(u["target"]) for u in units) == keep.sum()
    for name in ("table1.csv", "table1.md", "settings.json"):
        assert (out / name).stat().st_size > 100
    assert not list(out.glob("inputs*"))
    # a complete run is only read
    monkeypatch.setattr(table1, "run_units", lambda *a: pytest.fail("a unit was run again"))
    again = run_table1(images, labels, plates, 26.8, out, quick, jobs=1, tasks=tasks)
    pd.testing.assert_frame_equal(again.table, table)
    other = quick.model_copy(update={"cnn": CNNTraining(steps=5)})
    with pytest.raises(InvalidInput, match="other data, model or settings"):
        run_table1(images, labels, plates, 26.8, out, other, jobs=1, tasks=tasks)


def unit(task: str, seed: int, fold: int, right: float, weights: int) -> dict[str, object]:
    target = [0] * 10 + [1] * 10
    wrong = round((1 - right) * 10)
    predicted = [0] * 10 + [0] * wrong + [1] * (10 - wrong)
    dense = {"predicted": target, "weights": 1040, "size": 8641, "size_without_biases": 8447}
    sparse = {
        "predicted": predicted, "weights": weights, "size": 200.0, "size_without_biases": 180.0
    }  # fmt: skip
    schemes = {"forest": {"predicted": predicted}, "sparse": sparse, "dense": dense}
    return {"task": task, "seed": seed, "fold": fold, "target": target, "schemes": schemes}


def test_folds_are_pooled_and_seeds_give_mean_and_spread() -> None:
    units = [unit("a", 0, f, r, 20) for f, r in enumerate((0.8, 1.0))]
    units += [unit("a", 1, f, r, 24) for f, r in enumerate((0.6, 0.6))]
    table = aggregate(units).set_index("scheme")
    assert list(table.index) == ["dense", "sparse", "forest"]
    row = table.loc["sparse"]
    # seed 0: 18 of 20 positives; seed 1: 12 of 20; all negatives are right
    assert row["balanced_accuracy"] == pytest.approx(((1 + 0.9) / 2 + (1 + 0.6) / 2) / 2)
    assert row["balanced_accuracy_sd"] == pytest.approx(np.std([0.95, 0.8], ddof=1))
    assert row["weights"] == 22
    assert row["weights_of_dense"] == pytest.approx(22 / 1040)
    assert row["balanced_accuracy_of_dense"] == pytest.approx(0.875)
    assert row["seeds"] == 2
    assert np.isnan(table.loc["forest", "size"])


def test_how_many_heads_use_a_latent() -> None:
    units = []
    for latents in ([3, 7], [3], [3, 9]):
        schemes = {"sparse": {"latents": latents}, "formula": {"latents": [latents[0]]}}
        units.append({"task": "a", "schemes": schemes})
    model = load_model(device="cpu")
    text = latent_use(units, model)
    assert "- a, sparse, of 3: z3 3, z7 1, z9 1" in text
    assert "- a, formula, of 3: z3 3" in text
    named = latent_use(
        [{"task": "a", "schemes": {"sparse": {"latents": [5]}, "formula": {"latents": []}}}], model
    )
    assert "z5 (size) 1" in named


def test_the_columns_of_the_paper_in_markdown() -> None:
    text = markdown(aggregate([unit("a", s, 0, 1.0, 20 + s) for s in range(3)]))
    assert "**a** (3 seeds)" in text
    assert "| β-TCVAE | sparse (RigL) | 21 ± 1 | 200 | 180 | 1.000 ± 0.000 |" in text
    assert "| regionprops | random forest | – | – | – |" in text


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
