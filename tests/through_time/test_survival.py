"""Kaplan–Meier: by hand, and on simulated phases of which many ends are not seen."""

from __future__ import annotations

import numpy as np
import pytest

from napari_interpdisc.through_time.survival import kaplan_meier


def test_by_hand() -> None:
    """Six phases, of 1, 2, 2, 3 and more than 2.5 and 3.5 frames."""
    found = kaplan_meier(
        np.array([1.0, 2, 2, 2.5, 3, 3.5]), np.array([True, True, True, False, True, False])
    )
    assert found is not None
    assert found.times.tolist() == [1, 2, 3]
    np.testing.assert_allclose(found.share, [5 / 6, 5 / 6 * 3 / 5, 5 / 6 * 3 / 5 / 2])
    assert found.at_risk.tolist() == [6, 5, 2]
    assert (found.n, found.n_ended) == (6, 4)
    assert found.median == 2
    # log-log interval at 1: Greenwood 1/(6·5), |log(5/6)| = 0.1823
    width = 1.959964 * np.sqrt(1 / 30) / abs(np.log(5 / 6))
    assert found.low[0] == pytest.approx((5 / 6) ** np.exp(width))
    assert found.high[0] == pytest.approx((5 / 6) ** np.exp(-width))
    assert found.median_low == 1  # where the lower curve first has one half
    assert np.isnan(found.median_high)


def test_without_an_end_there_is_no_curve_and_with_all_alike_there_is() -> None:
    assert kaplan_meier(np.array([2.0, 3]), np.zeros(2, bool)) is None
    assert kaplan_meier(np.zeros(0), np.zeros(0, bool)) is None
    found = kaplan_meier(np.full(4, 3.0), np.ones(4, bool))
    assert found is not None
    assert (found.median, found.share.tolist()) == (3.0, [0.0])
    assert (found.low.tolist(), found.high.tolist()) == ([0.0], [1.0])


def test_a_median_that_is_not_reached_is_nan() -> None:
    found = kaplan_meier(np.array([1.0, 5, 5, 5]), np.array([True, False, False, False]))
    assert found is not None
    assert np.isnan(found.median)


def test_censored_phases_are_not_dropped() -> None:
    """Geometric durations of median 7 frames, in movies that end at any time."""
    draw = np.random.default_rng(0)
    true = draw.geometric(0.1, 4000).astype(float)
    until = draw.integers(1, 12, 4000).astype(float)
    ended = true < until
    lasted = np.where(ended, true, until - 0.5)
    found = kaplan_meier(lasted, ended)
    assert found is not None
    assert found.median == np.median(true) == 7
    assert found.median_low <= 7 <= found.median_high
    # what leaves out, or takes for whole, what is censored is far off
    assert np.median(true[ended]) <= 3
    assert np.median(lasted) <= 4
