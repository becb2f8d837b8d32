from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_interpdisc.discovery import cross_validation
from napari_interpdisc.discovery.card import discovered_model
from napari_interpdisc.discovery.cross_validation import discover
from napari_interpdisc.discovery.labelled import LabelledCells
from napari_interpdisc.discovery.recipe import Recipe, most_used
from napari_interpdisc.discovery.results import Discovery
from napari_interpdisc.discovery.suggest import most_uncertain
from napari_interpdisc.errors import Cancelled, InvalidInput
from napari_interpdisc.models.formula import FormulaHead
from napari_interpdisc.models.store import load_model, save_model
from napari_interpdisc.training.tuning import SparsityTuning

from .conftest import labelled


@pytest.fixture(scope="module")
def found(request: pytest.FixtureRequest) -> Discovery:
    """Return what a training on a plain rule of two latents finds."""
    settings = request.getfixturevalue("quick_module")
    seen: list[tuple[int, int]] = []
    result = discover(labelled(160), settings, lambda *d: seen.append(d), "an encoder")
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1][0] == seen[-1][1]
    return result


@pytest.fixture(scope="module")
def quick_module() -> Recipe:
    from .conftest import quick

    return quick.__wrapped__()  # type: ignore[attr-defined, no-any-return]


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


def test_the_front_grows_in_size_and_each_row_has_a_held_out_figure(found: Discovery) -> None:
    sizes = [row.size for row in found.front]
    assert sizes == sorted(set(sizes))
    assert max(sizes) <= 9
    for row in found.front:
        assert row.size == row.head.expression_size
        assert row.quality.confusion.sum() == 160
        assert "z" in row.text
        assert "z_{" in row.latex()
    assert found.front[-1].training_balanced_accuracy > 0.9
    # the formula that was chosen is one of them, and has one figure
    chosen = found.heads["formula"]
    (row,) = [r for r in found.front if r.head.formulas == chosen.head.formulas]  # type: ignore[attr-defined]
    assert row.quality.balanced_accuracy == chosen.quality.balanced_accuracy


def test_the_learning_curve_ends_with_all_training_cells(found: Discovery) -> None:
    cells = [point.cells for point in found.learning_curve]
    assert cells == sorted(cells)
    assert cells[-1] == pytest.approx(160 * 2 / 3, abs=3)
    assert all(0 <= point.mean <= 1 and point.sd >= 0 for point in found.learning_curve)


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


def test_heads_go_into_a_model_folder_and_come_back(found: Discovery, tmp_path: Path) -> None:
    bundled = load_model(device="cpu")
    mine = replace(found, encoder_sha256=bundled.encoder_sha256)
    model = discovered_model(bundled, mine, "mine", found.front[0])
    assert list(model.heads) == ["dense", "sparse", "formula"]
    assert model.head("formula").head is found.front[0].head
    assert "held-out" in model.head("sparse").summary
    assert "160 annotated cells" in model.card


def test_heads_of_another_encoder_are_refused(found: Discovery) -> None:
    with pytest.raises(InvalidInput, match="another encoder"):
        discovered_model(load_model(device="cpu"), found, "mine")


def test_a_round_trip_keeps_scores_and_identity(quick: Recipe, tmp_path: Path) -> None:
    bundled = load_model(device="cpu")
    cells = labelled(120, n_latents=32)
    result = discover(
        cells, quick.model_copy(update={"curve": False}), encoder_sha256=bundled.encoder_sha256
    )
    model = discovered_model(bundled, result, "mine")
    save_model(model, tmp_path / "mine")
    back = load_model(tmp_path / "mine", device="cpu")
    assert back.sha256 == model.sha256 != bundled.sha256
    assert back.encoder_sha256 == bundled.encoder_sha256
    for kind in ("dense", "sparse", "formula"):
        np.testing.assert_allclose(
            back.score(cells.latents, kind), model.score(cells.latents, kind), rtol=1e-6
        )
        assert back.head(kind).head.expression_size == model.head(kind).head.expression_size


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


def test_the_chosen_formula_is_not_larger_than_asked(quick: Recipe) -> None:
    cells = labelled(160)
    noisy = replace(cells, target=(cells.latents[:, 2] ** 2 + cells.latents[:, 5] > 0).astype(int))
    only = quick.model_copy(update={"kinds": ("formula",), "tolerance": 0.0})
    free = discover(noisy, only)
    small = discover(noisy, only.model_copy(update={"formula_size": 3}))
    assert small.heads["formula"].head.expression_size <= 3
    assert free.heads["formula"].head.expression_size > 3
    assert [row.size for row in small.front] == [row.size for row in free.front]


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


def test_latents_that_most_heads_use() -> None:
    assert most_used([(3, 7), (3, 9), (9, 3)], 2) == [3, 9]
    assert most_used([(4, 1), (2,), (8,)], 2) == [1, 4]  # the best head decides between equals
    assert most_used([(1, 2, 3)], 6) == [1, 2, 3]


def test_the_least_certain_cells_one_per_track() -> None:
    scores = np.array([[0.1], [-0.2], [3.0], [0.0], [0.05]], np.float32)
    tracks = np.array([1, 1, 2, 3, 1])
    assert most_uncertain(scores, tracks) == [3, 4, 2]
    assert most_uncertain(scores, tracks, exclude=[3, 4], n=1) == [0]
    assert most_uncertain(np.array([[2.0, 2.0, 0], [9, 0, 0]], np.float32), tracks[:2]) == [0]


def test_optuna_may_choose_the_sparsity(quick: Recipe, tmp_path: Path) -> None:
    tuning = SparsityTuning(low=0.1, high=0.4, trials=1, folds=2, steps=60, restarts=1)
    settings = quick.model_copy(update={"kinds": ("sparse",), "tuning": tuning, "curve": False})
    result = discover(labelled(120), settings, studies=tmp_path / "study.db")
    # one trial: the highest density, which is tried first
    assert result.heads["sparse"].head.n_weights > round(0.25 * 90)
    assert (tmp_path / "study.db").exists()
