"""Times as text become seconds and counted texts become numbers, or neither."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_interpdisc.io.clock import numbers_of, seconds_of


@pytest.mark.parametrize(
    ("texts", "unit", "seconds"),
    [
        (["0:00:00", "0:05:00", "1:00:01.5"], "", [0, 300, 3601.5]),
        (["00:00.000", "05:00.000"], "m:s", [0, 300]),
        (["0:00:10", None, " "], "", [10, np.nan, np.nan]),
    ],
)
def test_times_with_colons_are_seconds(
    texts: list[str | None], unit: str, seconds: list[float]
) -> None:
    np.testing.assert_array_equal(seconds_of(pd.Series(texts), unit), seconds)


def test_durations_are_seconds() -> None:
    found = seconds_of(pd.Series(pd.to_timedelta([0, 5], unit="min")))
    assert found is not None
    assert found.tolist() == [0, 300]


@pytest.mark.parametrize("texts", [["0:05", "0:10"], ["2024-05-01 10:00:00"], ["a"], ["1", "2"]])
def test_what_may_be_something_else_is_no_time(texts: list[str]) -> None:
    assert seconds_of(pd.Series(texts)) is None


def test_numbers_after_the_same_word() -> None:
    found = numbers_of(pd.Series(["t000", "t011", None]))
    np.testing.assert_array_equal(found, [0, 11, np.nan])


@pytest.mark.parametrize("texts", [["a1", "b2"], ["t1.5"], ["t1 of 3"], ["x"], ["-1"]])
def test_other_texts_are_no_numbers(texts: list[str]) -> None:
    assert numbers_of(pd.Series(texts)) is None


def test_numbers_are_left_as_they_are() -> None:
    assert seconds_of(pd.Series([1.0])) is None
    assert numbers_of(pd.Series([1.0])) is None
