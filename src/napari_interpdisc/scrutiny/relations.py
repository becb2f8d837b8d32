"""Rank correlation and mutual information of latents and measured properties."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import Float64Array, Progress, silent
from napari_interpdisc.bootstrap import LEVELS, drawn_groups
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.scrutiny.rotation import RotatingPair

if TYPE_CHECKING:
    import pandas as pd


FEWEST_CELLS = 50
"""Cells on which a property must be known."""

DRAWS = 500
"""Times that groups are drawn again for an interval."""

INFORMATION_CELLS = 1500
"""Mutual information is estimated on this many cells at most, drawn at random."""


@dataclass(frozen=True)
class Relations:
    """How Q quantities (L latents, and z_a² + z_b² of each pair) follow P properties.

    Attributes
    ----------
    quantities, properties
        (Q,) and (P,) names.
    rho
        (Q, P) Spearman's rank correlation; NaN for a property that cannot be ranked.
    low, high
        (Q, P) ends of its 95 % interval when whole groups are drawn again.
    information
        (Q, P) mutual information in nats, ≥ 0; None if it was not asked for.
    cells
        (P,) cells on which each property is known; 0 if it cannot be ranked.
    groups
        Number of groups.
    draws
        (R, Q, P) the correlations of every draw.
    """

    quantities: tuple[str, ...]
    properties: tuple[str, ...]
    rho: Float64Array
    low: Float64Array
    high: Float64Array
    information: Float64Array | None
    cells: npt.NDArray[np.int64]
    groups: int
    draws: npt.NDArray[np.float32]

    @property
    def strength(self) -> Float64Array:
        """(Q, P) lower end of the interval of |ρ|; 0 where the interval of ρ holds 0, or is NaN."""
        away = np.where(self.low > 0, self.low, np.where(self.high < 0, -self.high, 0.0))
        return np.asarray(np.nan_to_num(away))

    @property
    def explained(self) -> Float64Array:
        """(Q, P) information, nats, of two normal variables of the same rank correlation."""
        pearson = np.clip(2 * np.sin(np.pi / 6 * self.rho), -0.9999, 0.9999)
        return np.asarray(-0.5 * np.log1p(-(pearson**2)))

    def to_frame(self) -> pd.DataFrame:
        """One row per quantity and property: rho, low, high, information (nats), cells."""
        import pandas as pd

        q, p = len(self.quantities), len(self.properties)
        table = pd.DataFrame(
            {
                "latent": np.repeat(self.quantities, p),
                "property": np.tile(self.properties, q),
                "rho": self.rho.ravel(),
                "low": self.low.ravel(),
                "high": self.high.ravel(),
            }
        )
        if self.information is not None:
            table["information"] = self.information.ravel()
        table["cells"] = np.tile(self.cells, q)
        table["groups"] = self.groups
        return table


def relate(
    latents: npt.NDArray[Any],
    properties: Mapping[str, npt.NDArray[Any]],
    groups: npt.NDArray[Any],
    pairs: Sequence[RotatingPair] = (),
    draws: int = DRAWS,
    seed: int = 0,
    information: bool = True,
    progress: Progress = silent,
) -> Relations:
    """Rank correlations, their intervals, and mutual information.

    Cells that have none of the properties are left out; a property that is missing in some cells is
    judged on the others. A property that is the same in every cell, or known in fewer than
    :data:`FEWEST_CELLS`, is not ranked.

    Parameters
    ----------
    latents
        (N, L) posterior means.
    properties
        (N,) columns by name, NaN where a cell has no value.
    groups
        (N,) plate, frame or track of each cell: cells of one group are not independent, and are
        drawn together.
    pairs
        Rotating pairs, whose sums of squares are related too.
    draws, seed
        Times that groups are drawn again, and the seed of that.
    information
        Whether mutual information is estimated.
    progress
        Called with (steps done, steps in all).

    Raises
    ------
    InvalidInput
        If lengths differ, a latent is not finite, fewer than :data:`FEWEST_CELLS` cells have
        properties, no property can be ranked, or all cells are in one group.
    """
    z = np.asarray(latents, np.float64)
    names = tuple(properties)
    y = np.column_stack([np.asarray(properties[name], np.float64) for name in names])
    groups = np.asarray(groups)
    _check_rows(z, y, groups)
    known = np.isfinite(y).any(1)
    z, y, groups = z[known], y[known], groups[known]
    usable = _usable(y)
    _check_known(len(z), usable, groups)
    quantities = tuple(f"z{i}" for i in range(z.shape[1]))
    quantities += tuple(f"z{pair.a}² + z{pair.b}²" for pair in pairs)
    x = np.column_stack([z, *(z[:, pair.a] ** 2 + z[:, pair.b] ** 2 for pair in pairs)])
    index, counts = drawn_groups(groups, draws, seed)
    shape = (x.shape[1], y.shape[1])
    rho = np.full(shape, np.nan)
    found = np.full((draws, *shape), np.nan, np.float32)
    patterns = np.unique(np.isfinite(y[:, usable]), axis=1).T
    steps = len(patterns) * draws + information * x.shape[1]
    done = 0
    for rows in patterns:
        # properties that are known in the same cells are ranked together
        columns = np.flatnonzero(usable & (np.isfinite(y) == rows[:, None]).all(0))
        correlation = _RankCorrelation(x[rows], y[rows][:, columns])
        rho[:, columns] = correlation(np.ones(int(rows.sum())))
        for r in range(draws):
            found[r][:, columns] = correlation(counts[r, index[rows]].astype(np.float64))
            done += 1
            progress(done, steps)
    low, high = np.full(shape, np.nan), np.full(shape, np.nan)
    ranked = np.isfinite(found).any(0)
    low[ranked], high[ranked] = np.nanquantile(found[:, ranked], LEVELS, axis=0)
    told = None
    if information:
        told = _information(x, y, usable, seed, lambda k: progress(done + k, steps))
    cells = np.where(usable, np.isfinite(y).sum(0), 0)
    return Relations(quantities, names, rho, low, high, told, cells, counts.shape[1], found)


def _check_rows(z: Float64Array, y: Float64Array, groups: npt.NDArray[Any]) -> None:
    if z.ndim != 2 or len(y) != len(z) or len(groups) != len(z):
        raise InvalidInput(
            f"There are latents of shape {z.shape}, {len(y)} rows of properties and {len(groups)} "
            "groups; one row of each for every cell is needed."
        )
    if not np.isfinite(z).all():
        raise InvalidInput("Some latents are NaN or infinite; encode the cells again.")


def _usable(y: Float64Array) -> npt.NDArray[np.bool_]:
    """(P,) whether a property varies and is known in enough cells."""
    known = np.isfinite(y)
    varies = np.array([len(np.unique(v[k])) > 1 for v, k in zip(y.T, known.T, strict=True)])
    return np.asarray(varies & (known.sum(0) >= FEWEST_CELLS))


def _check_known(n: int, usable: npt.NDArray[np.bool_], groups: npt.NDArray[Any]) -> None:
    if n < FEWEST_CELLS:
        raise InvalidInput(
            f"Only {n} cells could be measured, {FEWEST_CELLS} are needed; give more cells, and "
            "check the diameter."
        )
    if not usable.any():
        raise InvalidInput(
            "Every property is the same in all cells, so that nothing can be related to it; give "
            "cells that differ."
        )
    if len(np.unique(groups)) < 2:
        raise InvalidInput(
            "All cells that could be measured are in one group, so no interval can be computed; "
            "give cells of several tracks, frames or plates."
        )


class _RankCorrelation:
    """Spearman's correlation of columns x (N, Q) and y (N, P) of cells that count several times."""

    def __init__(self, x: Float64Array, y: Float64Array) -> None:
        values = np.concatenate([x.T, y.T])
        columns, n = values.shape
        self.split = x.shape[1]
        self.order = np.argsort(values, axis=1, kind="stable")
        ordered = np.take_along_axis(values, self.order, 1)
        first, last = np.empty((columns, n), np.int64), np.empty((columns, n), np.int64)
        for c in range(columns):
            first[c, self.order[c]] = np.searchsorted(ordered[c], ordered[c], "left")
            last[c, self.order[c]] = np.searchsorted(ordered[c], ordered[c], "right")
        # places in the raveled (columns, n + 1) sums of what comes before
        start = (np.arange(columns) * (n + 1))[:, None]
        self.first, self.last = first + start, last + start

    def __call__(self, times: Float64Array) -> Float64Array:
        """(Q, P) where cell i occurs ``times[i]`` times (N,); NaN where a column is constant."""
        before = np.zeros((len(self.order), len(times) + 1))
        np.cumsum(times[self.order], axis=1, out=before[:, 1:])
        ranks = before.ravel()[self.first]
        ranks += before.ravel()[self.last]  # twice the mean rank of equal values, less one
        total = times.sum()
        if total == 0:
            return np.full((self.split, len(ranks) - self.split), np.nan)
        ranks -= (ranks @ times / total)[:, None]
        weighted = ranks * times
        spread = np.sqrt(np.einsum("cn,cn->c", weighted, ranks))
        both = weighted[: self.split] @ ranks[self.split :].T
        scale = np.outer(spread[: self.split], spread[self.split :])
        flat = scale <= 1e-9 * total
        return np.where(flat, np.nan, np.clip(both / np.where(flat, 1, scale), -1, 1))


def _information(
    x: Float64Array,
    y: Float64Array,
    usable: npt.NDArray[np.bool_],
    seed: int,
    progress: Callable[[int], None],
) -> Float64Array:
    """Mutual information (Q, P) in nats, of ranks: the estimate then fears no outliers."""
    from scipy.special import ndtri
    from scipy.stats import rankdata
    from sklearn.feature_selection import mutual_info_regression

    generator = np.random.default_rng(seed)
    out = np.full((x.shape[1], y.shape[1]), np.nan)
    sets = []
    for p in np.flatnonzero(usable):
        rows = np.flatnonzero(np.isfinite(y[:, p]))
        if len(rows) > INFORMATION_CELLS:
            rows = np.sort(generator.choice(rows, INFORMATION_CELLS, replace=False))
        values = y[rows, p]
        counted = len(np.unique(values)) <= 20
        normal = ndtri(rankdata(values) / (len(rows) + 1))
        sets.append((p, rows, (values if counted else normal)[:, None], counted))
    for q in range(x.shape[1]):
        for p, rows, values, counted in sets:
            latent = ndtri(rankdata(x[rows, q]) / (len(rows) + 1))
            if np.ptp(latent) > 0:
                out[q, p] = mutual_info_regression(
                    values, latent, discrete_features=counted, random_state=seed
                )[0]
        progress(q + 1)
    return out
