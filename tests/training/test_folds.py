from __future__ import annotations

import numpy as np
import pytest

from napari_interpdisc.training.folds import grouped_folds

GROUP = np.repeat(np.arange(30), 6)
TARGET = (np.arange(180) % 6 == 0).astype(np.int64)  # one cell in six is of class 1


@pytest.mark.parametrize("folds", [2, 5])
def test_no_group_is_on_both_sides_and_each_cell_is_tested_once(folds: int) -> None:
    made = grouped_folds(TARGET, GROUP, folds, seed=0)
    assert len(made) == folds
    for train, test in made:
        assert not set(GROUP[train]) & set(GROUP[test])
        assert len(train) + len(test) == 180
    np.testing.assert_array_equal(np.sort(np.concatenate([t for _, t in made])), np.arange(180))


def test_every_fold_has_its_share_of_a_rare_class() -> None:
    rare = np.isin(GROUP, [0, 7, 13, 21, 28]).astype(np.int64)
    for _, test in grouped_folds(rare, GROUP, 5, seed=3):
        assert rare[test].sum() == 6


def test_the_seed_decides() -> None:
    first, again, other = (grouped_folds(TARGET, GROUP, 3, seed) for seed in (1, 1, 2))
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a[1], b[1]) for a, b in zip(first, other, strict=True))
