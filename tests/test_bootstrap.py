"""Groups that are drawn again, and the intervals that come of it."""

from __future__ import annotations

import numpy as np
import pytest

from napari_interpdisc.bootstrap import drawn_groups, mean_interval


def test_as_many_groups_are_drawn_as_there_are() -> None:
    index, times = drawn_groups(np.array(["b", "a", "b", "c"]), draws=50, seed=1)
    assert index.tolist() == [1, 0, 1, 2]
    assert times.shape == (50, 3)
    assert (times.sum(1) == 3).all()
    assert len(np.unique(times, axis=0)) > 5, "the draws differ"
    np.testing.assert_array_equal(times, drawn_groups(np.arange(3), 50, 1)[1])
    assert not np.array_equal(times, drawn_groups(np.arange(3), 50, 2)[1])


def test_intervals_know_groups() -> None:
    values = np.repeat([0.0, 1.0], 50)
    wide = mean_interval(values, np.repeat(np.arange(4), 25))
    narrow = mean_interval(values, np.arange(100))
    assert wide[1] - wide[0] > 2 * (narrow[1] - narrow[0])
    assert narrow[0] < 0.5 < narrow[1]


def test_the_interval_is_as_wide_as_theory_says() -> None:
    values = np.random.default_rng(0).normal(size=400)
    low, high = mean_interval(values, np.arange(400))
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)


def test_of_one_group_alone_nothing_is_known() -> None:
    assert np.isnan(mean_interval(np.array([0.0, 1.0]), np.array([7, 7]))).all()
    assert np.isnan(mean_interval(np.zeros(0), np.zeros(0, int))).all()
