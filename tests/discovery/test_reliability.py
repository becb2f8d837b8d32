"""Reliability of made-up forecasts whose calibration is known."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss
from sklearn.utils.class_weight import compute_sample_weight

from napari_interpdisc.discovery.reliability import reliability
from napari_interpdisc.errors import InvalidInput


def two(second: np.ndarray) -> np.ndarray:
    """Probabilities (N, 2) by that of the second class."""
    return np.stack([1 - second, second], 1)


def right_forecasts(
    n: int, rng: np.random.Generator, n_classes: int = 2
) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (n, K) that are right, and classes (n,) that are about equally frequent."""
    p = rng.dirichlet(np.full(n_classes, 0.5), n)
    return p, (rng.random((n, 1)) > p.cumsum(1)).sum(1).clip(max=n_classes - 1)


def width(interval: np.ndarray | tuple[float, float]) -> float:
    return float(interval[1] - interval[0])


def test_brier_score_by_hand() -> None:
    p = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.5, 0.25, 0.25]])
    found = reliability(p, np.array([0, 1, 2]), np.arange(3))
    each = [0.09 + 0.04 + 0.01, 0.01 + 0.04 + 0.01, 0.25 + 0.0625 + 0.5625]
    assert found.brier == pytest.approx(np.mean(each))
    assert found.constant_brier == pytest.approx(2 / 3)
    assert found.skill == pytest.approx(1 - np.mean(each) * 1.5)
    assert (found.n_cells, found.n_groups) == (3, 3)


def test_each_class_counts_the_same_whatever_its_number_of_cells(rng: np.random.Generator) -> None:
    p, target = rng.random(60), np.repeat([0, 1], [50, 10])
    found = reliability(two(p), target, np.arange(60))
    by_class = [np.mean(2 * (p[target == k] - k) ** 2) for k in (0, 1)]
    assert found.brier == pytest.approx(np.mean(by_class))
    # scikit-learn's score of two classes has one of both terms
    weight = compute_sample_weight("balanced", target)
    assert found.brier == pytest.approx(2 * brier_score_loss(target, p, sample_weight=weight))


@pytest.mark.parametrize("n_classes", [2, 5])
def test_right_confidences_have_no_error_but_that_of_chance(
    n_classes: int, rng: np.random.Generator
) -> None:
    p, target = right_forecasts(40_000, rng, n_classes)
    found = reliability(p, target, np.arange(len(target)) // 100)
    assert found.ece < 0.01
    np.testing.assert_allclose(found.right, found.confidence, atol=0.03)
    assert 0.2 < found.skill < 1
    # few cells have an error by chance, and it is told how large
    some = [reliability(p[rows], target[rows], rows) for rows in np.arange(4000).reshape(20, 200)]
    assert np.mean([one.ece for one in some]) > 0.02
    assert np.mean([one.ece for one in some]) == pytest.approx(
        np.mean([one.chance_ece for one in some]), rel=0.2
    )


def test_too_high_a_confidence_is_the_error() -> None:
    """In each class 70 of 100 cells are right, and 95 % is said."""
    target = np.repeat([0, 1], 100)
    called = np.where(np.arange(200) % 100 < 70, target, 1 - target)
    found = reliability(two(np.where(called == 1, 0.95, 0.05)), target, np.arange(200))
    assert found.ece == pytest.approx(0.25)
    assert found.chance_ece < 0.03
    # cells of the same confidence share a bin
    assert found.confidence.tolist() == pytest.approx([0.95])
    assert found.right.tolist() == pytest.approx([0.7])
    assert found.cells.tolist() == [200]


def test_a_rare_class_does_not_make_right_confidences_wrong(rng: np.random.Generator) -> None:
    """Confidences are meant for equal frequencies, and are tested for these."""
    second = np.where(rng.random(40_000) < 3 / 7, 0.9, 0.2)  # half of the cells, all in all
    target = (rng.random(40_000) < second).astype(int)
    rows = np.flatnonzero((target == 0) | (rng.random(40_000) < 0.1))
    second, target = second[rows], target[rows]
    found = reliability(two(second), target, np.arange(len(rows)) // 100)
    np.testing.assert_allclose(found.confidence, [0.8, 0.9])
    np.testing.assert_allclose(found.right, [0.8, 0.9], atol=0.03)
    assert found.ece < 0.03
    # counted one by one, few of the cells that are called the rare class are of it
    assert (target[second == 0.9] == 1).mean() < 0.55


def test_a_constant_forecast_has_no_skill() -> None:
    target = np.array([0, 0, 0, 1, 2])
    found = reliability(np.full((5, 3), 1 / 3), target, np.arange(5))
    assert found.brier == pytest.approx(found.constant_brier) == pytest.approx(2 / 3)
    assert found.skill == pytest.approx(0)
    # a class without cells counts in nothing
    assert reliability(np.full((4, 3), 1 / 3), target[:4], np.arange(4)).constant_brier == 0.5
    alone = reliability(np.full((3, 3), 1 / 3), target[:3], np.arange(3))
    assert alone.constant_brier == 0
    assert np.isnan(alone.skill)


def test_bins_have_equal_counts_and_fewer_cells_have_fewer(rng: np.random.Generator) -> None:
    p, target = right_forecasts(1003, rng)
    found = reliability(p, target, np.arange(1003))
    assert len(found.cells) == 10
    assert set(found.cells) <= {100, 101}
    assert found.cells.sum() == found.histogram.sum() == 1003
    assert (np.diff(found.confidence) > 0).all()
    assert found.histogram[:10].sum() == 0
    assert len(reliability(p, target, np.arange(1003), bins=3).cells) == 3
    assert len(reliability(p[:70], target[:70], np.arange(70)).cells) == 3
    assert len(reliability(p[:7], target[:7], np.arange(7)).cells) == 1


def test_fewer_groups_make_wider_intervals(rng: np.random.Generator) -> None:
    # every group is right or wrong as a whole
    n, target = 1200, np.tile([0, 1], 600)
    by_groups = {}
    for size in (1, 20, 100):
        group = np.arange(n) // size
        called = np.where(group % 4 == 0, 1 - target, target)
        p = two(np.where(called == 1, 0.75, 0.25))
        by_groups[size] = reliability(p, target, group)
    for one in by_groups.values():
        assert one.interval[0] < one.brier < one.interval[1]
        low, high = one.right_interval[0]
        assert low < one.right[0] < high
    cells, tracks, plates = by_groups.values()
    for of in (lambda one: one.interval, lambda one: one.right_interval[0]):
        assert width(of(plates)) > 1.5 * width(of(tracks)) > 1.5 * 1.5 * width(of(cells))


def test_one_group_tells_nothing_of_the_variation(rng: np.random.Generator) -> None:
    p, target = right_forecasts(200, rng)
    found = reliability(p, target, np.zeros(200))
    assert np.isnan([*found.interval, *found.right_interval.ravel()]).all()
    # nor does a bin with cells of one group alone
    sure = two(np.repeat([0.6, 0.9], 100))
    found = reliability(sure, np.tile([0, 1], 100), np.repeat([0, 1], 100), bins=2)
    assert np.isnan(found.right_interval).all()
    assert np.isfinite(found.interval).all()


def test_one_half_is_a_call_of_the_second_class() -> None:
    """As a score of 0 is."""
    found = reliability(np.full((3, 2), 0.5), np.array([1, 1, 1]), np.arange(3))
    assert found.right.tolist() == [1]


@pytest.mark.parametrize(
    ("p", "target", "told"),
    [
        (np.zeros((0, 2)), np.zeros(0, int), "one or more cells"),
        (np.full((3, 1), 1.0), np.zeros(3, int), "two or more classes"),
        (np.full((3, 2), 0.5), np.zeros(2, int), "as many of each"),
        (np.full((3, 2), 0.5), np.array([0, 1, -1]), "from 0 to 1"),
        (np.full((3, 2), 0.5), np.array([0, 1, 2]), "from 0 to 1"),
        (np.full((3, 2), 0.6), np.array([0, 1, 1]), "sum to 1"),
        (np.full((3, 2), np.nan), np.array([0, 1, 1]), "sum to 1"),
        (np.tile([1.5, -0.5], (3, 1)), np.array([0, 1, 1]), "not be negative"),
    ],
)
def test_what_cannot_be_told(p: np.ndarray, target: np.ndarray, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        reliability(p, target, np.arange(len(p)))
    with pytest.raises(InvalidInput, match="one bin or more"):
        reliability(np.full((2, 2), 0.5), np.array([0, 1]), np.arange(2), bins=0)


def test_a_sentence_on_confidences_beside_chance_and_a_constant_forecast() -> None:
    p = np.tile([[0.8, 0.2], [0.2, 0.8]], (20, 1))
    found = reliability(p, np.tile([0, 1], 20), np.arange(40) // 4)
    assert found.sentence("plate").startswith(
        "On held-out plates, confidence and share right differ by 0.200 on average (by chance"
    )
    assert found.sentence().endswith("Brier score 0.080; a constant forecast has 0.500.")
