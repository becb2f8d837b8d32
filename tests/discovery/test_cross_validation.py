from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_interpdisc.discovery import cross_validation
from napari_interpdisc.discovery.cross_validation import discover
from napari_interpdisc.discovery.labelled import LabelledCells
from napari_interpdisc.discovery.recipe import Recipe
from napari_interpdisc.discovery.reliability import reliability
from napari_interpdisc.discovery.results import Discovery
from napari_interpdisc.errors import Cancelled, InvalidInput
from napari_interpdisc.models.cell_model import class_index, class_probabilities
from napari_interpdisc.models.formula import FormulaHead

from .conftest import labelled


def test_three_kinds_of_heads_tell_held_out_cells_apart(found: Discovery) -> None:
    assert list(found.heads) == ["dense", "sparse", "formula"]
    for kind, fitted in found.heads.items():
        assert fitted.quality.balanced_accuracy > 0.85, kind
        low, high = fitted.quality.interval
        assert low <= fitted.quality.balanced_accuracy <= high
        assert fitted.quality.confusion.sum() == 160
    assert {2, 5} <= set(found.heads["sparse"].head.used_latents)
    assert set(found.heads["formula"].head.used_latents) == {2, 5}
    assert found.engine.startswith("operon ")
    assert (found.cells, found.groups, found.folds) == (160, 40, 3)


def test_the_same_seed_finds_the_same(found: Discovery, quick: Recipe) -> None:
    again = discover(labelled(160), quick, encoder_sha256="an encoder")
    assert [row.text for row in again.front] == [row.text for row in found.front]
    for kind in found.heads:
        np.testing.assert_array_equal(again.heads[kind].predicted, found.heads[kind].predicted)


def test_no_figure_comes_from_cells_that_were_trained_on(quick: Recipe) -> None:
    # labels without any rule: whoever peeks does better than chance
    draw = np.random.default_rng(3)
    noise = replace(labelled(200), target=draw.integers(0, 2, 200))
    result = discover(noise, quick.model_copy(update={"curve": False}))
    for kind, fitted in result.heads.items():
        assert 0.3 < fitted.quality.balanced_accuracy < 0.67, kind
    for row in result.front:
        assert 0.3 < row.quality.balanced_accuracy < 0.67
    assert result.learning_curve == ()


def test_three_classes_have_a_formula_each(quick: Recipe) -> None:
    cells = labelled(240, 3)
    settings = quick.model_copy(update={"curve": False, "kinds": ("sparse", "formula")})
    result = discover(cells, settings)
    head = result.heads["formula"].head
    assert isinstance(head, FormulaHead)
    assert len(head.formulas) == 3
    assert result.heads["formula"].quality.balanced_accuracy > 0.6
    assert result.heads["sparse"].quality.confusion.shape == (3, 3)


def test_bad_labels_are_refused_before_any_training(
    quick: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        cross_validation, "fit_heads", lambda *a, **k: pytest.fail("training began")
    )
    cells = labelled(40)
    with pytest.raises(InvalidInput, match="two classes"):
        discover(replace(cells, target=np.zeros(40, np.int64)), quick)
    with pytest.raises(InvalidInput, match="on one track"):
        discover(replace(cells, group=np.zeros(40, np.int64)), quick)


def test_cells_of_no_class_are_told_a_class_and_change_nothing(quick: Recipe) -> None:
    """Their held-out class is told; no head is fitted to them and no figure counts them."""
    cells = labelled(120)
    others = replace(labelled(24, seed=5), target=np.full(24, -1), group=np.arange(24) // 4 + 100)
    both = LabelledCells(
        np.concatenate([cells.latents, others.latents]),
        np.concatenate([cells.augmented, others.augmented], 1),
        np.concatenate([cells.target, others.target]),
        np.concatenate([cells.group, others.group]),
        cells.classes,
    )
    found = discover(both, quick)
    alone = discover(cells, quick)
    assert (found.cells, found.groups) == (alone.cells, alone.groups) == (120, 30)
    truth = others.latents[:, 2] + others.latents[:, 5] > 0
    for kind, fitted in found.heads.items():
        assert fitted.quality.confusion.sum() == 120
        assert fitted.predicted.shape == (144,)
        assert ((fitted.predicted[120:] == 1) == truth).mean() > 0.7, kind
    assert found.learning_curve[-1].cells == pytest.approx(80, abs=4)
    final, same = (head.heads["dense"].head for head in (found, alone))
    torch.testing.assert_close(final(torch.zeros(1, 8)).sign(), same(torch.zeros(1, 8)).sign())


def test_other_laboratories_are_trained_on_and_not_tested_on(quick: Recipe) -> None:
    """Their labels say the opposite: that shows on held-out cells, and no figure counts them."""
    cells, others = labelled(120), labelled(120, seed=5)
    both = LabelledCells(
        np.concatenate([cells.latents, others.latents]),
        np.concatenate([cells.augmented, others.augmented], 1),
        np.concatenate([cells.target, others.target]),
        np.concatenate([cells.group, others.group + 100]),
        cells.classes,
        laboratory=np.repeat([0, 1], 120),
    )
    recipe = quick.model_copy(update={"kinds": ("dense",), "curve": False})
    found = discover(both, recipe)
    assert (found.cells, found.groups) == (120, 30)
    fitted = found.heads["dense"]
    assert fitted.predicted.shape == (120,)
    assert fitted.quality.confusion.sum() == 120
    assert fitted.quality.balanced_accuracy > 0.85
    wrong = replace(both, target=np.r_[cells.target, 1 - others.target])
    misled = discover(wrong, recipe).heads["dense"].quality.balanced_accuracy
    assert misled < fitted.quality.balanced_accuracy - 0.1


def test_logits_of_held_out_cells_are_kept_and_are_those_of_the_figures(found: Discovery) -> None:
    target = labelled(160).target
    for kind, fitted in found.heads.items():
        assert fitted.logits.shape == (160, 1), kind
        confusion = np.zeros((2, 2), int)
        np.add.at(confusion, (target, class_index(fitted.logits)), 1)
        np.testing.assert_array_equal(confusion, fitted.quality.confusion)
        # as sure as they are right: other folds told how sure to be
        told = class_probabilities(fitted.logits)
        assert reliability(told, target, np.arange(160) // 4).skill > 0.5, kind


def test_a_fold_has_no_say_in_how_sure_a_head_is_of_it(rng: np.random.Generator) -> None:
    """In the first fold logits are ten times too large; the others do not know."""
    cells = labelled(3000)
    true = rng.standard_normal((3000, 1)).astype(np.float32) * 2
    target = (rng.random(3000) < 1 / (1 + np.exp(-true[:, 0]))).astype(np.int64)
    parts = np.array_split(np.arange(3000), 3)
    folds = [(np.setdiff1d(np.arange(3000), test), test) for test in parts]
    logits = true.copy()
    logits[parts[0]] *= 10
    scaled = cross_validation._calibrated_by_other_folds(
        logits, replace(cells, target=target), folds
    )
    factors = [np.median(scaled[test] / logits[test]) for test in parts]
    assert factors[0] == pytest.approx(1, rel=0.15)
    assert max(factors[1:]) < 0.6


def test_latents_with_nan_are_refused(quick: Recipe) -> None:
    cells = labelled(40)
    cells.augmented[0, 3, 3] = np.nan
    with pytest.raises(InvalidInput, match="NaN"):
        discover(cells, quick)


def test_cancelling_stops_it(quick: Recipe) -> None:
    def report(done: int, n: int) -> None:
        if done > 0.3 * n:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        discover(labelled(80), quick, report)
