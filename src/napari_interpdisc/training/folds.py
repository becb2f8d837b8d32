"""Folds for cross-validation, in which no group is both trained and tested on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Fold = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]
"""Rows to train on, and rows to test on."""


def grouped_folds(
    target: npt.NDArray[np.integer], group: npt.NDArray[np.integer], folds: int, seed: int
) -> list[Fold]:
    """Split N cells by group, with about the same shares of classes in every fold.

    Parameters
    ----------
    target, group
        (N,) class, and track or plate.
    folds, seed
        Number of folds, and the seed of the draw.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    return list(splitter.split(target, target, group))
