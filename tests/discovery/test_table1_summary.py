from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_interpdisc.discovery.table1_summary import aggregate, latent_use, markdown
from napari_interpdisc.models.cell_model import LatentMeaning
from napari_interpdisc.models.store import load_model


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
    meanings = [LatentMeaning("size" if i == 5 else "") for i in range(32)]
    model = replace(load_model(device="cpu"), meanings=tuple(meanings))
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


def test_other_laboratories_have_a_column_each() -> None:
    units = [unit("a", 0, f, 1.0, 20) for f in range(2)]
    for one, value in zip(units, (0.7, 0.9), strict=True):
        for scheme in one["schemes"].values():  # type: ignore[attr-defined]
            scheme["abroad"] = {"hela": value}
    table = aggregate(units).set_index("scheme")
    assert table.loc["sparse", "abroad hela"] == pytest.approx(0.8)  # the mean of both folds
    text = markdown(aggregate(units))
    assert "| balanced accuracy | hela |" in text
    assert "| random forest | – | – | – | 1.000 | 1.000 | 0.800 |" in text
    assert len({line.count("|") for line in text.splitlines() if line.startswith("|")}) == 1
