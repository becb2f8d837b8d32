"""Whether confidences are right: reliability curve, expected calibration error, Brier score.

Heads are calibrated for classes that are equally frequent (:mod:`.calibration`). So each figure
here weights cells such that all classes count the same, as in a balanced accuracy. scikit-learn's
``calibration_curve`` takes no weights, and its Brier score takes two classes alone before 1.7.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import Float64Array
from napari_interpdisc.bootstrap import DRAWS, LEVELS, drawn_groups
from napari_interpdisc.errors import InvalidInput

BINS = 10
"""Bins of confidence, at most."""

CELLS_A_BIN = 20
"""Cells that a bin has on average at least: fewer cells have fewer bins."""

CHANCE_DRAWS = 200
"""Times that right and wrong are drawn, for the error that chance alone makes."""

TWENTIETHS = 20
"""Parts of 0–1 in which confidences are counted."""


@dataclass(frozen=True)
class Reliability:
    """How right the probabilities of a head are, each class weighted equally.

    Attributes
    ----------
    n_cells, n_groups
        Cells and groups that were tested.
    brier, interval
        Brier score: squared error of the probabilities, summed over classes, 0 (perfect) to 2. With
        its 95 % bootstrap interval by group; NaN for one group alone.
    constant_brier
        The Brier score of a constant forecast: the (weighted) frequencies of the classes that
        occur. It is 1 − 1/K if all K do.
    ece
        Expected calibration error, 0–1: mean distance, over bins, of confidence and share right.
    chance_ece
        The error that as many cells, each on its own, have on average if all confidences are right.
    confidence, right, right_interval, cells
        The reliability curve, by rising confidence, over B bins of about equal count: mean
        confidence (B,), share of cells whose class is right (B,), its 95 % bootstrap interval by
        group (B, 2), and number of cells (B,). The interval is NaN for cells of one group alone.
    histogram
        (20,) number of cells by confidence, in twentieths of 0–1.
    """

    n_cells: int
    n_groups: int
    brier: float
    interval: tuple[float, float]
    constant_brier: float
    ece: float
    chance_ece: float
    confidence: Float64Array
    right: Float64Array
    right_interval: Float64Array
    cells: npt.NDArray[np.int64]
    histogram: npt.NDArray[np.int64]

    @property
    def skill(self) -> float:
        """Brier skill score: 1 is perfect, 0 no better than the constant forecast.

        NaN if all cells are of one class.
        """
        return 1 - self.brier / self.constant_brier if self.constant_brier else float("nan")

    def sentence(self, group_name: str = "group") -> str:
        """How far the confidences are right, beside chance and a constant forecast."""
        return (
            f"On held-out {group_name}s, confidence and share right differ by {self.ece:.3f} on "
            f"average (by chance alone: {self.chance_ece:.3f}). Brier score {self.brier:.3f}; a "
            f"constant forecast has {self.constant_brier:.3f}."
        )


Reliabilities = Mapping[str, Mapping[str, Reliability]]
"""Of each head, by name: reliability on each set of cells, by what to call it."""


def reliability(
    probabilities: npt.ArrayLike,
    target: npt.NDArray[np.int64],
    groups: npt.NDArray[Any],
    bins: int = BINS,
    seed: int = 0,
) -> Reliability:
    """Compare the probabilities of N cells with their true classes, each class weighted equally.

    Parameters
    ----------
    probabilities
        (N, K) probability of each class, 0–1; rows sum to 1.
    target
        (N,) true class position, 0 to K − 1. Classes may be absent.
    groups
        (N,) plate, frame or track of each cell: what the bootstrap draws again.
    bins
        Bins of confidence at most; there are fewer with less than 20 cells a bin. Cells of the same
        confidence share a bin.
    seed
        Of the bootstrap, and of the error by chance.

    Raises
    ------
    InvalidInput
        If there is no cell, numbers of cells differ, a class is unknown, or rows do not sum to 1.
    """
    p = np.asarray(probabilities, np.float64)
    _check(p, target, groups, bins)
    n, n_classes = p.shape
    cells_of = np.bincount(target, minlength=n_classes)
    share = (cells_of > 0) / np.count_nonzero(cells_of)
    weight = (share / np.maximum(cells_of, 1))[target]
    squared = ((p - np.eye(n_classes)[target]) ** 2).sum(1)
    sure = p.max(1)
    # a score of 0 means the second of two classes
    called = (p[:, 1] >= 0.5) if n_classes == 2 else p.argmax(1)
    right = (called == target).astype(np.float64)
    place = _equal_bins(sure, max(1, min(bins, n // CELLS_A_BIN)))
    in_bin = np.eye(place.max() + 1)[place]
    in_class = np.eye(n_classes)[target]
    each_bin = weight @ in_bin
    interval, right_interval = _intervals(squared, right, in_bin, in_class, groups, seed)
    by_chance = np.random.default_rng(seed).random((CHANCE_DRAWS, n)) < sure
    return Reliability(
        n_cells=n,
        n_groups=len(np.unique(groups)),
        brier=float(weight @ squared),
        interval=(float(interval[0]), float(interval[1])),
        constant_brier=float(1 - (share**2).sum()),
        # |mean confidence − share right| of a bin, times its weight
        ece=float(np.abs((weight * (sure - right)) @ in_bin).sum()),
        chance_ece=float(np.abs((weight * (sure - by_chance)) @ in_bin).sum(1).mean()),
        confidence=(weight * sure) @ in_bin / each_bin,
        right=(weight * right) @ in_bin / each_bin,
        right_interval=right_interval,
        cells=np.bincount(place),
        histogram=np.histogram(sure, TWENTIETHS, (0, 1))[0],
    )


def _check(
    p: Float64Array, target: npt.NDArray[np.int64], groups: npt.NDArray[Any], bins: int
) -> None:
    """Refuse what no reliability can be told of."""
    if p.ndim != 2 or p.shape[1] < 2 or not len(p):
        raise InvalidInput(
            f"Probabilities of one or more cells, with a column for each of two or more classes, "
            f"are needed; these have the shape {p.shape}."
        )
    if target.shape != (len(p),) or np.shape(groups) != (len(p),):
        raise InvalidInput(
            f"There are probabilities of {len(p)} cells, {len(target)} true classes and "
            f"{len(groups)} groups; there must be as many of each."
        )
    if target.min() < 0 or target.max() >= p.shape[1]:
        raise InvalidInput(
            f"True classes must be from 0 to {p.shape[1] - 1}; leave out cells of other classes."
        )
    if not (p.min() >= 0 and np.allclose(p.sum(1), 1, atol=1e-3)):
        raise InvalidInput("Probabilities must not be negative, and must sum to 1 for each cell.")
    if bins < 1:
        raise InvalidInput(f"There must be one bin or more, not {bins}.")


def _equal_bins(values: Float64Array, bins: int) -> npt.NDArray[np.intp]:
    """Bin (N,) of each value, by rising value; equal values share a bin, and no bin is empty."""
    inner = np.quantile(values, np.arange(1, bins) / bins)
    return np.unique(np.searchsorted(inner, values, side="right"), return_inverse=True)[1]


def _intervals(
    squared: Float64Array,
    right: Float64Array,
    in_bin: Float64Array,
    in_class: Float64Array,
    groups: npt.NDArray[Any],
    seed: int,
) -> tuple[Float64Array, Float64Array]:
    """The 95 % intervals of Brier score (2,) and share right (B, 2) when groups are drawn again.

    Each draw weights its own classes equally.

    Parameters
    ----------
    squared, right
        (N,) squared error, and 1 for a cell whose class is right.
    in_bin, in_class
        (N, B) and (N, K), 1 where a cell belongs.
    groups, seed
        (N,) unit that is drawn, and the seed of that.
    """
    index, times = drawn_groups(groups, DRAWS, seed)
    n_groups = times.shape[1]
    if n_groups < 2:
        return np.full(2, np.nan), np.full((in_bin.shape[1], 2), np.nan)

    def drawn(values: Float64Array) -> Float64Array:
        """Sums (draws, K) of values (N,) by class."""
        of_group = np.zeros((n_groups, in_class.shape[1]))
        np.add.at(of_group, index, values[:, None] * in_class)
        return np.asarray(times @ of_group)

    drawn_cells = drawn(np.ones(len(index)))
    with np.errstate(divide="ignore", invalid="ignore"):
        brier = np.nanmean(drawn(squared) / drawn_cells, 1)
        weight = np.where(drawn_cells > 0, 1 / drawn_cells, 0)
        shares = []
        for own in in_bin.T:
            share = (drawn(own * right) * weight).sum(1) / (drawn(own) * weight).sum(1)
            several = len(np.unique(index[own > 0])) > 1
            shares.append(np.nanquantile(share, LEVELS) if several else np.full(2, np.nan))
    return np.quantile(brier, LEVELS), np.array(shares)
