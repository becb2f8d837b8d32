from __future__ import annotations

import numpy as np
import pytest

from napari_interpdisc.widgets.explorer.polar import cartesian, polar


@pytest.mark.parametrize(
    ("values", "r", "angle"),
    [((2, 0), 2, 0), ((0, 3), 3, 90), ((-1, 0), 1, 180), ((0, -1), 1, -90), ((1, 1), 2**0.5, 45)],
)
def test_there_and_back(values: tuple[float, float], r: float, angle: float) -> None:
    assert polar(values) == pytest.approx((r, angle))
    np.testing.assert_allclose(cartesian(r, angle), values, atol=1e-6)


def test_many_angles_are_rows() -> None:
    found = cartesian(np.full(3, 2.0), [0, 90, 180])
    np.testing.assert_allclose(found, [[2, 0], [0, 2], [-2, 0]], atol=1e-6)
    assert found.dtype == np.float32


def test_nothing_has_no_length() -> None:
    assert polar((0, 0))[0] == 0
