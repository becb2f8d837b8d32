from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_interpdisc._types import silent
from napari_interpdisc.discovery.cross_validation import discover
from napari_interpdisc.discovery.recipe import (
    Fitting,
    Recipe,
    Steps,
    cell_logits,
    fit_heads,
    head_logits,
    most_used,
    read_as_radii,
    wrong_without_value,
)
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.cell_model import class_index
from napari_interpdisc.models.formula import parse_formula
from napari_interpdisc.symbolic.search import Candidate, WorkerEngine
from napari_interpdisc.training.augment import Augmentation
from napari_interpdisc.training.tuning import SparsityTuning

from .conftest import labelled, measured


def test_the_chosen_formula_is_not_larger_than_asked(quick: Recipe) -> None:
    cells = labelled(160)
    noisy = replace(cells, target=(cells.latents[:, 2] ** 2 + cells.latents[:, 5] > 0).astype(int))
    only = quick.model_copy(update={"kinds": ("formula",), "tolerance": 0.0})
    free = fit_heads(noisy, only, Steps(silent, 1))
    small = fit_heads(noisy, only.model_copy(update={"formula_size": 3}), Steps(silent, 1))
    assert small.heads["formula"].expression_size <= 3
    assert free.heads["formula"].expression_size > 3
    assert [size for size, _ in small.front] == [size for size, _ in free.front]


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


def test_a_planted_rule_on_area_is_recovered(quick: Recipe) -> None:
    cells = measured(200)  # 600 px² and more, and solidity does not matter
    found = discover(cells, quick.model_copy(update={"curve": False}))
    for kind, fitted in found.heads.items():
        assert fitted.quality.balanced_accuracy > 0.9, kind
        assert "area" in fitted.head.used_properties
        np.testing.assert_array_equal(
            head_logits(fitted.head, cells.own_latents, cells.measured),
            cell_logits(fitted.head, cells),
        )
    formula = found.heads["formula"].head
    assert formula.used_properties == ("area",)
    assert formula.used_latents == ()
    # the threshold, in px²
    areas = np.linspace(500, 700, 201).astype(np.float32)
    given = {"area": areas, "solidity": np.full(201, 0.9, np.float32)}
    called = head_logits(formula, np.zeros((201, 8), np.float32), given)[:, 0] >= 0
    assert areas[called][0] == pytest.approx(600, abs=8)
    assert called[areas >= areas[called][0]].all()
    with pytest.raises(InvalidInput, match="beside latents"):
        head_logits(formula, cells.own_latents)


def test_heads_may_read_properties_alone(quick: Recipe) -> None:
    cells = measured(80)
    only = replace(cells, latents=cells.latents[:, 8:], augmented=cells.augmented[..., 8:])
    found = fit_heads(only, quick, Steps(silent, 3))
    for head in found.heads.values():
        assert head.used_latents == ()
        given = {"area": np.array([500, 700], np.float32), "solidity": np.full(2, 0.9, np.float32)}
        logits = head_logits(head, np.zeros((2, 32), np.float32), given)[:, 0]
        assert (logits >= 0).tolist() == [False, True]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"properties": ("size",)}, "There is no property 'size'"),
        ({"latents": False}, "must read latents, measured properties, or both"),
        (
            {"latents": False, "properties": ("area",), "named": True},
            "'named' chooses among latents, and none is read",
        ),
    ],
)
def test_what_no_head_can_read_is_refused(given: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Recipe(**given)


def test_kinds_come_one_by_one_and_progress_never_falls(quick: Recipe) -> None:
    seen: list[tuple[int, int]] = []
    steps = Steps(lambda *d: seen.append(d), 2)
    fitting = Fitting(labelled(120), quick)
    fitting.fit("dense", steps)
    assert list(fitting.fitted.heads) == ["dense"]
    fitting.fit("formula", steps)
    assert list(fitting.fitted.heads) == ["dense", "formula"]
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1] == (200, 200)


def test_a_search_begins_with_the_formulas_it_is_given(
    quick: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the engine cannot find, because it finds nothing, the start brings; refitted."""
    monkeypatch.setattr(WorkerEngine, "search", lambda *_: [Candidate("z0", 1, 1.0)])
    only = quick.model_copy(update={"kinds": ("formula",)})
    start = parse_formula("z2 + z5 + 3.5", 8)
    fitting = Fitting(labelled(120), only, starts=[[start]])
    head = fitting.fit("formula", Steps(silent, 1))
    assert set(head.used_latents) == {2, 5}
    assert "3.5" not in fitting.fitted.by_class[0][-1].text


def test_a_cell_without_a_value_counts_as_wrong() -> None:
    """Whatever its class is: an undefined formula recognises nothing."""
    nan = np.float32(np.nan)
    target = np.array([0, 1, 1, -1])
    two = wrong_without_value(np.array([[nan], [nan], [2], [nan]], np.float32), target)
    assert class_index(two).tolist() == [1, 0, 1, 1]
    assert np.abs(two[[0, 1, 3]]).max() <= 1e-6, "as unsure as can be"
    three = wrong_without_value(np.array([[nan, 1, 2], [0, nan, 9], [0, 3, 1]], np.float32),
                                np.array([0, 1, 1]))  # fmt: skip
    assert (class_index(three) == [0, 1, 1]).tolist() == [False, False, True]
    known = np.ones((2, 1), np.float32)
    assert wrong_without_value(known, target[:2]) is known


def test_strengths_that_are_left_out_stay_as_they_are() -> None:
    usual = Recipe().augmentation
    given = Recipe.model_validate({"augmentation": {"haze": 0.4}}).augmentation
    assert given == usual.model_copy(update={"haze": 0.4})
    assert usual.edge > 0
    # a whole one is taken as it is, and so is what was stored with a model
    plain = Augmentation()
    assert Recipe(augmentation=plain).augmentation == plain
    assert Recipe.model_validate({"augmentation": plain.model_dump()}).augmentation == plain
