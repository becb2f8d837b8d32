from __future__ import annotations

import numpy as np
import pytest

from napari_interpdisc.discovery.quality import balanced, group_bootstrap, measure


def test_quality_by_hand() -> None:
    target = np.array([0, 0, 0, 0, 1, 1])
    predicted = np.array([0, 0, 0, 1, 1, 0])
    found = measure(target, predicted, np.arange(6), 2)
    assert found.confusion.tolist() == [[3, 1], [1, 1]]
    assert found.accuracy == pytest.approx(4 / 6)
    assert found.balanced_accuracy == pytest.approx((0.75 + 0.5) / 2)
    low, high = found.interval
    assert 0 <= low < found.balanced_accuracy < high <= 1


def test_a_class_without_cells_counts_in_no_mean() -> None:
    assert balanced(np.array([[3, 1, 0], [0, 0, 0], [0, 1, 1]])) == pytest.approx(0.625)


def test_whole_groups_are_drawn() -> None:
    rng = np.random.default_rng(0)
    target = rng.integers(0, 2, 400)
    # every group is right or wrong as a whole: as many independent results as groups
    group = np.repeat(np.arange(20), 20)
    predicted = np.where(group % 4 == 0, 1 - target, target)
    grouped = group_bootstrap(target, predicted, group, 2)
    single = group_bootstrap(target, predicted, np.arange(400), 2)
    assert grouped[1] - grouped[0] > 2 * (single[1] - single[0])
    assert group_bootstrap(target, predicted, group, 2) == grouped


def test_three_classes() -> None:
    target = np.tile([0, 1, 2], 30)
    low, high = group_bootstrap(target, target, np.arange(90) // 3, 3)
    assert (low, high) == (1.0, 1.0)
