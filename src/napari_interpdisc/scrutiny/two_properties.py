"""Latents as functions of two measured properties: what no rank correlation with one can tell."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import Float64Array
from napari_interpdisc.bootstrap import LEVELS, drawn_groups
from napari_interpdisc.models.properties import DIRECTED, FAMILIES
from napari_interpdisc.scrutiny.rotation import RotatingPair

DEGREE = 4
"""Degree of the polynomials."""

FOLDS = 5
"""Parts of the groups, each of which is predicted from the others."""

FEWEST_CELLS = 150
"""Cells in which both properties must be known: ten for each of the 15 coefficients."""

FARTHEST = 3.0
"""Standard deviations at which a property is clipped, so that no outlier bends a polynomial."""


@dataclass(frozen=True)
class TwoProperties:
    """A latent, or a pair that rotates, as a function of two properties.

    Attributes
    ----------
    first, second
        Names of the properties. Of a pair, ``first`` is the family that rotates as it does
        (:data:`FAMILIES`), and ``second`` a property that does not rotate.
    r2
        Share of the variance that the function explains in groups that it was not fitted on; ≤ 1.
    low, high
        Ends of its 95 % interval when whole groups are drawn again.
    cells
        Cells in which both properties are known.
    order
        How many times as fast as the cell the pair rotates; 0 for a single latent.
    """

    first: str
    second: str
    r2: float
    low: float
    high: float
    cells: int
    order: int = 0


def functions_of_two(
    latents: npt.NDArray[Any],
    properties: Mapping[str, npt.NDArray[Any]],
    groups: npt.NDArray[Any],
    pairs: Sequence[RotatingPair] = (),
    draws: int = 500,
    seed: int = 0,
) -> dict[int, TwoProperties]:
    """Find the two properties that explain each latent best.

    A latent that does not rotate is a polynomial of two properties that do not. A pair (a, b) that
    rotates as the family (c, d) does is z_a + i z_b = (c + i d) · f. Here f is a polynomial, with
    complex coefficients, of another property and of the length of (c, d): the pair still rotates.

    Parameters
    ----------
    latents
        (N, L) posterior means.
    properties
        (N,) columns by name, NaN where a cell has no value.
    groups
        (N,) plate, frame or track of each cell. Groups are never split: a function is judged on
        those that it was not fitted on.
    pairs
        Pairs that rotate.
    draws, seed
        Times that groups are drawn again for the interval, and the seed of that.

    Returns
    -------
    By latent; both members of a pair have the same. Latents that are constant are left out, and all
    if there are fewer than :data:`FOLDS` groups or :data:`FEWEST_CELLS` cells.
    """
    z = np.asarray(latents, np.float64)
    columns = {name: np.asarray(values, np.float64) for name, values in properties.items()}
    group = np.unique(np.asarray(groups), return_inverse=True)[1]
    steady = [name for name in columns if name not in DIRECTED]
    best: dict[int, _Fit] = {}
    for pair in pairs:
        for family, (c, d) in FAMILIES.get(pair.order, {}).items():
            if c not in columns or d not in columns:
                continue
            arrow = columns[c] + 1j * columns[d]
            for name in steady:
                for fit in _of_pair(z, pair, (family, name), arrow, columns[name], group):
                    _keep(best, (pair.a, pair.b), fit)
    rotating = {i for pair in pairs for i in (pair.a, pair.b)}
    alone = [i for i in range(z.shape[1]) if i not in rotating]
    for p, q in itertools.combinations(steady, 2) if alone else ():
        rows = _known(columns[p], columns[q], group)
        if rows is not None:
            inputs = _polynomial(columns[p][rows], columns[q][rows])
            fits = _fitted((p, q), inputs, z[rows][:, alone], group[rows])
            for i, fit in zip(alone, fits, strict=True):
                _keep(best, (i,), fit)
    return {i: fit.told(draws, seed) for i, fit in best.items()}


def _of_pair(
    z: Float64Array,
    pair: RotatingPair,
    names: tuple[str, str],
    arrow: npt.NDArray[np.complex128],
    second: Float64Array,
    group: npt.NDArray[np.intp],
) -> list[_Fit]:
    """A pair as what rotates as it does, (N,) complex, times a function of its length and another.

    In which direction the pair turns is not known, so both are tried.
    """
    rows = _known(second, np.abs(arrow), group)
    if rows is None:
        return []
    inputs = arrow[rows, None] * _polynomial(second[rows], np.abs(arrow[rows]))
    target = z[rows, pair.a] + 1j * z[rows, pair.b]
    both = np.stack([target, target.conj()], axis=1)
    return _fitted(names, inputs, both, group[rows], pair.order)


def _keep(best: dict[int, _Fit], members: Sequence[int], fit: _Fit) -> None:
    """Keep what was fitted to one latent, or to both of a pair, if it is the best so far."""
    if fit.varies and (members[0] not in best or fit.r2 > best[members[0]].r2):
        best.update(dict.fromkeys(members, fit))


def _known(
    first: Float64Array, second: Float64Array, group: npt.NDArray[np.intp]
) -> npt.NDArray[np.intp] | None:
    """Rows in which both are known; None if they are few, or one of them does not vary."""
    rows = np.flatnonzero(np.isfinite(first) & np.isfinite(second))
    if len(rows) < FEWEST_CELLS or len(np.unique(group[rows])) < FOLDS:
        return None
    varies = np.ptp(first[rows]) > 0 and np.ptp(second[rows]) > 0
    return rows if varies else None


def _polynomial(first: Float64Array, second: Float64Array) -> Float64Array:
    """All (N, 15) products of powers of two properties, up to :data:`DEGREE`."""
    whole = range(DEGREE + 1)
    powers = [
        np.vander(np.clip((v - v.mean()) / v.std(), -FARTHEST, FARTHEST), DEGREE + 1, True)
        for v in (first, second)
    ]
    terms = [powers[0][:, i] * powers[1][:, j] for i in whole for j in whole if i + j <= DEGREE]
    return np.stack(terms, axis=1)


@dataclass(frozen=True)
class _Fit:
    """A target (N,), what was predicted of it in groups not fitted on, and the groups (N,)."""

    names: tuple[str, str]
    target: npt.NDArray[Any]
    predicted: npt.NDArray[Any]
    group: npt.NDArray[np.intp]
    order: int

    @property
    def varies(self) -> bool:
        """Whether there is anything to explain."""
        return bool((self.target != self.target[0]).any())

    @property
    def r2(self) -> float:
        """Share of the variance that is explained."""
        left = (np.abs(self.target - self.predicted) ** 2).sum()
        return float(1 - left / (np.abs(self.target - self.target.mean()) ** 2).sum())

    def told(self, draws: int, seed: int) -> TwoProperties:
        """The same with its interval."""
        own = self.target
        index, times = drawn_groups(self.group, draws, seed)
        left = np.bincount(index, np.abs(own - self.predicted) ** 2)
        squares, counts = np.bincount(index, np.abs(own) ** 2), np.bincount(index)
        sums = np.bincount(index, own.real) + 1j * np.bincount(index, own.imag)
        varying = times @ squares - np.abs(times @ sums) ** 2 / (times @ counts)
        low, high = np.quantile(1 - (times @ left) / np.maximum(varying, 1e-12), LEVELS)
        return TwoProperties(*self.names, self.r2, float(low), float(high), len(own), self.order)


def _fitted(
    names: tuple[str, str],
    inputs: npt.NDArray[Any],
    targets: npt.NDArray[Any],
    group: npt.NDArray[np.intp],
    order: int = 0,
) -> list[_Fit]:
    """Least squares to targets (N, K), each part of the groups predicted from the others."""
    from sklearn.model_selection import GroupKFold

    predicted = np.empty_like(targets)
    for train, test in GroupKFold(FOLDS).split(inputs, groups=group):
        weights = np.linalg.lstsq(inputs[train], targets[train], rcond=None)[0]
        predicted[test] = inputs[test] @ weights
    return [_Fit(names, t, p, group, order) for t, p in zip(targets.T, predicted.T, strict=True)]
