"""Intervals of figures over cells that are not independent: whole groups are drawn again."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

DRAWS = 1000
"""Times that groups are drawn again."""

LEVELS = (0.025, 0.975)
"""Ends of an interval: 95 %."""


def drawn_groups(
    groups: npt.NDArray[Any], draws: int = DRAWS, seed: int = 0
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.int64]]:
    """Index (N,) of each cell's group, and how often (draws, G) each of G groups is drawn.

    Parameters
    ----------
    groups
        (N,) plate, frame or track of each cell.
    draws, seed
        Times that G groups are drawn with replacement, and the seed of that.
    """
    values, index = np.unique(groups, return_inverse=True)
    n = len(values)
    return index, np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), draws)


def mean_interval(
    values: npt.NDArray[np.floating], groups: npt.NDArray[Any], seed: int = 0
) -> tuple[float, float]:
    """The 95 % interval of the mean of (N,) values when whole groups are drawn again.

    It is NaN for no cells and for one group alone: then nothing is known of the variation.
    """
    if len(np.unique(groups)) < 2:
        return float("nan"), float("nan")
    index, times = drawn_groups(groups, DRAWS, seed)
    sums, counts = np.bincount(index, values), np.bincount(index)
    low, high = np.quantile((times @ sums) / np.maximum(times @ counts, 1), LEVELS)
    return float(low), float(high)
