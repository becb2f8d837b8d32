"""Kaplan–Meier: the share of phases that still last after a time, with some ends not seen."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from napari_interpdisc._types import BoolArray, Float64Array

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Survival:
    """A Kaplan–Meier curve.

    Attributes
    ----------
    times
        (S,) durations at which phases end, rising; in the unit of what was given.
    share
        (S,) share that lasts longer than each.
    low, high
        (S,) its interval of 95 % (log-log, by Greenwood's variance).
    at_risk
        (S,) phases known to last up to each.
    n, n_ended
        Phases, and those whose end was seen.
    median
        Duration after which half of the phases have ended; NaN if fewer have.
    median_low, median_high
        Its interval of 95 % (Brookmeyer and Crowley): where the interval of the curve has 50 %.
        NaN where it has no end.
    """

    times: Float64Array
    share: Float64Array
    low: Float64Array
    high: Float64Array
    at_risk: Float64Array
    n: int
    n_ended: int
    median: float
    median_low: float
    median_high: float


def kaplan_meier(durations: Float64Array, ended: BoolArray) -> Survival | None:
    """Kaplan–Meier curve of P durations; None if no end was seen.

    Parameters
    ----------
    durations
        (P,) duration of each phase, or how long it was seen to last.
    ended
        (P,) whether its end was seen; else it is right-censored there.
    """
    if not ended.any():
        return None
    curve = stats.ecdf(stats.CensoredData.right_censored(durations, ~ended)).sf
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The confidence interval is undefined")
        interval: Any = curve.confidence_interval(CONFIDENCE, method="log-log")
    known = curve.quantiles
    high = np.array(interval.high.probabilities, np.float64)
    for i in np.flatnonzero(np.isnan(high)):  # no phase is left: as it was before
        high[i] = high[i - 1] if i else 1.0
    low = np.nan_to_num(np.asarray(interval.low.probabilities, np.float64))
    share = np.asarray(curve.probabilities, np.float64)
    at = np.isin(known, durations[ended])
    times, share, low, high = (np.asarray(v)[at] for v in (known, share, low, high))
    at_risk = np.array([(durations >= t).sum() for t in times], float)
    return Survival(
        times, share, low, high, at_risk, len(durations), int(ended.sum()),
        _first_below(times, share), _first_below(times, low), _first_below(times, high),
    )  # fmt: skip


def _first_below(times: Float64Array, share: Float64Array) -> float:
    """First time at which a curve is at or below one half; NaN if it never is."""
    below = np.flatnonzero(share <= 0.5)
    return float(times[below[0]]) if len(below) else float("nan")
