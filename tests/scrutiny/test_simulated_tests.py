"""Simulated cells: one factor is changed, and nothing else."""

from __future__ import annotations

import numpy as np

from napari_interpdisc.scrutiny.score_tests import SIMULATED, ScorecardSettings
from napari_interpdisc.scrutiny.simulated_tests import simulated_cells

CELLS = simulated_cells(30, 64, ScorecardSettings(seed=3))
BY_NAME = {test.name: test for test in CELLS.tests}


def test_every_factor_is_changed() -> None:
    assert list(BY_NAME) == [
        "0, 2, 4 and 6 neighbours",
        "neighbours at 29, 32 and 36 px",
        "noise of 0.02, 0.06 and 0.1",
        "centroid ± 2 px",
        "rotations by 45°, 90° and 135°",
        "diameters of 14, 20 and 26 px (may matter)",
        "eccentricities of 0.5, 0.73 and 0.97 (may matter)",
        "grain of 0, 0.15 and 0.3 (may matter)",
    ]
    assert {test.constraint for test in CELLS.tests} == {SIMULATED}
    assert [test.limit for test in CELLS.tests] == [0.02] * 5 + [None] * 3
    assert CELLS.crops.shape == (30, 1, 64, 64)
    for test in CELLS.tests:
        made = np.stack([variant() for variant in test.variants])
        base = CELLS.crops if test.rows is None else CELLS.crops[test.rows]
        assert made[0].shape == base.shape
        assert (made != base).any((2, 3, 4)).mean() > 0.6, test.name


def test_only_cells_with_a_neighbour_have_it_moved() -> None:
    rows = BY_NAME["neighbours at 29, 32 and 36 px"].rows
    assert rows is not None
    np.testing.assert_array_equal(rows, np.flatnonzero(CELLS.crowded))
    assert 0 < len(rows) < 30


def test_rotated_cells_are_as_bright_and_as_large() -> None:
    half, quarter, _ = (make() for make in BY_NAME["rotations by 45°, 90° and 135°"].variants)
    assert not np.allclose(half, quarter)
    y, x = np.mgrid[:64, :64] - 31.5
    near = np.hypot(y, x) < 16
    # the nucleus has the same mass, in units of the crop's spread; that of round ones is about 600
    whole = [(crops[:, 0] * near).sum((1, 2)) for crops in (CELLS.crops, half, quarter)]
    np.testing.assert_allclose(whole[1], whole[0], atol=60)
    np.testing.assert_allclose(whole[2], whole[0], atol=60)


def test_the_seed_decides() -> None:
    same = simulated_cells(30, 64, ScorecardSettings(seed=3))
    other = simulated_cells(30, 64, ScorecardSettings(seed=4))
    np.testing.assert_array_equal(same.crops, CELLS.crops)
    assert not np.array_equal(other.crops, CELLS.crops)
