from __future__ import annotations

import pytest

from napari_interpdisc.number_text import mean_sd, percent, signed, with_sign


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(-0.974, 2, "−0.97"), (0.5, 2, "0.50"), (-12, 0, "−12"), (3.14159, 3, "3.142")],
)
def test_a_real_minus_and_no_plus(value: float, digits: int, text: str) -> None:
    assert signed(value, digits) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.25, "+1.25"), (-1.25, "−1.25"), (0, "0.00"), (0.004, "0.00"), (-0.004, "0.00")],
)
def test_always_a_sign_but_for_zero(value: float, text: str) -> None:
    assert with_sign(value) == text
    assert "-" not in with_sign(value)


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0 %"), (0.001, "< 1 %"), (0.0049, "< 1 %"), (0.01, "1 %"), (0.876, "88 %"), (1, "100 %")],
)
def test_a_share_that_is_not_nothing_is_not_told_as_nothing(share: float, text: str) -> None:
    assert percent(share) == text


def test_mean_and_standard_deviation_of_a_sample() -> None:
    assert mean_sd([1, 3], 2) == "2.00 ± 1.41"  # √2, not 1: the spread of what was drawn
    assert mean_sd([0.5]) == "0.500"
