"""How well held-out cells were classified, and how sure that figure is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_interpdisc.bootstrap import DRAWS, LEVELS, drawn_groups


@dataclass(frozen=True)
class Quality:
    """How well held-out cells were classified, pooled over folds.

    Attributes
    ----------
    accuracy, balanced_accuracy
        0–1.
    interval
        95 % bootstrap interval of the balanced accuracy, resampling groups.
    confusion
        (K, K) number of cells; rows are the annotated class, columns the head's.
    """

    accuracy: float
    balanced_accuracy: float
    interval: tuple[float, float]
    confusion: npt.NDArray[np.int64]


def measure(
    target: npt.NDArray[np.int64],
    predicted: npt.NDArray[np.int64],
    group: npt.NDArray[np.int64],
    n_classes: int,
    seed: int = 0,
) -> Quality:
    """Quality of predictions (N,) of classes (N,) of cells in groups (N,).

    A class without cells counts in no mean.
    """
    confusion = _confusion(target, predicted, n_classes)
    return Quality(
        float((predicted == target).mean()),
        float(balanced(confusion)),
        group_bootstrap(target, predicted, group, n_classes, seed=seed),
        confusion,
    )


def balanced(confusion: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Balanced accuracy (...) of confusion matrices (..., K, K): mean over classes that occur."""
    cells = confusion.sum(-1)
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    share = np.divide(right, cells, out=np.full(cells.shape, np.nan), where=cells > 0)
    return np.asarray(np.nanmean(share, axis=-1))


def group_bootstrap(
    target: npt.NDArray[np.int64],
    predicted: npt.NDArray[np.int64],
    group: npt.NDArray[np.int64],
    n_classes: int,
    draws: int = DRAWS,
    seed: int = 0,
) -> tuple[float, float]:
    """The 95 % interval of the balanced accuracy when whole groups are drawn again.

    Parameters
    ----------
    target, predicted, group
        (N,) true class, predicted class, and track or plate.
    n_classes, draws, seed
        Number of classes, of draws with replacement, and their seed.
    """
    index, times = drawn_groups(group, draws, seed)
    of_group = np.stack(
        [
            _confusion(target[index == g], predicted[index == g], n_classes)
            for g in range(times.shape[1])
        ]
    )
    values = balanced(np.tensordot(times, of_group, axes=1))
    low, high = np.quantile(values, LEVELS)
    return float(low), float(high)


def _confusion(
    target: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64], n_classes: int
) -> npt.NDArray[np.int64]:
    pairs = np.bincount(target * n_classes + predicted, minlength=n_classes**2)
    return pairs.reshape(n_classes, n_classes)
