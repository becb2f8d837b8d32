from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from napari_interpdisc._types import silent
from napari_interpdisc.discovery.cross_validation import discover
from napari_interpdisc.discovery.recipe import Recipe, Steps, fit_heads, most_used, read_as_radii
from napari_interpdisc.training.tuning import SparsityTuning

from .conftest import labelled


def test_the_chosen_formula_is_not_larger_than_asked(quick: Recipe) -> None:
    cells = labelled(160)
    noisy = replace(cells, target=(cells.latents[:, 2] ** 2 + cells.latents[:, 5] > 0).astype(int))
    only = quick.model_copy(update={"kinds": ("formula",), "tolerance": 0.0})
    free = discover(noisy, only)
    small = discover(noisy, only.model_copy(update={"formula_size": 3}))
    assert small.heads["formula"].head.expression_size <= 3
    assert free.heads["formula"].head.expression_size > 3
    assert [row.size for row in small.front] == [row.size for row in free.front]


def test_latents_that_most_heads_use() -> None:
    assert most_used([(3, 7), (3, 9), (9, 3)], 2) == [3, 9]
    assert most_used([(4, 1), (2,), (8,)], 2) == [1, 4]  # the best head decides between equals
    assert most_used([(1, 2, 3)], 6) == [1, 2, 3]


def test_optuna_may_choose_the_sparsity(quick: Recipe, tmp_path: Path) -> None:
    tuning = SparsityTuning(low=0.1, high=0.4, trials=1, folds=2, steps=60, restarts=1)
    settings = quick.model_copy(update={"kinds": ("sparse",), "tuning": tuning, "curve": False})
    result = discover(labelled(120), settings, studies=tmp_path / "study.db")
    # one trial: the highest density, which is tried first
    assert result.heads["sparse"].head.n_weights > round(0.25 * 90)
    assert (tmp_path / "study.db").exists()


def test_heads_read_radii_where_the_network_rotates_its_latents(quick: Recipe) -> None:
    cells = replace(labelled(80), pairs=((4, 5), (6, 7)))
    recipe = quick.model_copy(update={"kinds": ("dense", "sparse")})
    found = fit_heads(cells, recipe, Steps(silent, 2))
    assert found.heads["dense"].pairs == found.heads["sparse"].pairs == ((4, 5), (6, 7))
    assert found.heads["dense"].layers[0] == 6
    plain = fit_heads(cells, recipe.model_copy(update={"invariant": False}), Steps(silent, 2))
    assert plain.heads["dense"].pairs == ()
    assert plain.heads["dense"].layers[0] == 8
    # pairs that were found somewhere among the latents are no such network's
    assert read_as_radii(replace(cells, pairs=((1, 5),))) == ()
