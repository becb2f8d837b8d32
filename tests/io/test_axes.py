from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.axes import AxisChoice, arrange
from napari_interpdisc.io.source import Source

T, Z, C, Y, X = 5, 6, 2, 7, 8
LENGTH = {"T": T, "Z": Z, "C": C, "Y": Y, "X": X, "S": 3, "1": 1, "R": 2}
WHOLE = np.arange(T * Z * C * Y * X).reshape(T, Z, C, Y, X)


def source(axes: str, named: str | None = None) -> Source:
    """An array with these axes, a part of one whole; the file calls them ``named``."""
    data: Any = WHOLE[tuple(slice(None) if a in axes else 0 for a in "TZCYX")]
    there = [a for a in "TZCYX" if a in axes]
    data = data.transpose([there.index(a) for a in axes if a in there])
    for k, a in enumerate(axes):
        if a not in there:
            data = np.repeat(np.expand_dims(data, k), LENGTH[a], k)
    letters = axes.replace("1", "Z") if named is None else named
    return Source(Path("m.tif"), data, letters)


@pytest.mark.parametrize(
    ("axes", "named", "choice", "found"),
    [
        ("TYX", None, {}, "TYX"),
        ("TXY", None, {}, "TYX"),
        ("YXT", "???", {"time_axis": 2}, "TYX"),
        ("YXT", "?YX", {"time_axis": -1}, "TYX"),  # tifffile does not know better
        ("TYX", "ZYX", {"time_axis": "z"}, "TYX"),
        ("TYX", "CYX", {"time_axis": 0}, "TYX"),
        ("ZTYX", "TZYX", {"time_axis": "Z", "z": "max"}, "TZYX"),  # the two exchanged
        ("ZYX", "???", {"z": "mid"}, "ZYX"),
        ("TZYX", "????", {"time_axis": 0, "z": "mid"}, "TZYX"),
        ("TCYX", None, {"channel": 1}, "TCYX"),
        ("TYXC", "????", {"channel": 1, "channel_axis": 3}, "TCYX"),
        ("T1YX", "????", {}, "TYX"),
        ("T1YX", None, {"z": "max"}, "TYX"),
        ("1YX", "???", {}, "YX"),
        ("TYX1", "????", {}, "TYX"),
        ("YX", None, {"channel": 0}, "YX"),
        ("TYX", None, {"channel": 0}, "TYX"),
    ],
)
def test_axes_in_order(axes: str, named: str | None, choice: dict[str, Any], found: str) -> None:
    arranged = arrange(source(axes, named), AxisChoice(**choice))
    assert arranged.axes == found
    wanted = WHOLE[tuple(slice(None) if a in axes else 0 for a in "TZCYX")]
    here = [a for a in "TZCYX" if a in axes]
    np.testing.assert_array_equal(
        np.asarray(arranged.data), wanted.transpose([here.index(a) for a in found])
    )


@pytest.mark.parametrize(
    ("axes", "named", "choice", "sentence"),
    [
        ("ZYX", None, {}, "is a z-stack of 6 planes .* give --time-axis Z"),
        ("TZYX", None, {}, r"--z centroid\.$"),
        ("CYX", None, {}, "has 2 channels; choose one, .* give --time-axis C"),
        ("TCYX", None, {}, r"from 0 to 1, with --channel\.$"),
        ("TCYX", None, {"channel": 2}, "Channel 2 does not exist: the image has 2 channels"),
        ("TYX", None, {"channel": 1}, "has 1 channel .*leave --channel out"),
        ("TYX", None, {"z": "max"}, "--z needs a z-stack"),
        ("TYX", None, {"time_axis": 3}, "--time-axis 3 does not exist"),
        ("TYX", None, {"time_axis": "Q"}, "has no axis of that name"),
        ("TYX", "???", {"channel": 1}, "does not say which of its axes"),
        ("TZYX", "????", {}, "does not say what its axes are"),
        ("TCYX", "????", {"time_axis": 1, "channel_axis": 1}, "are the same axis"),
        ("RTYX", None, {}, "axes that are neither time"),
        ("TYXS", None, {}, "is an RGB image"),
    ],
)
def test_what_is_open_is_asked(
    axes: str, named: str | None, choice: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        arrange(source(axes, named), AxisChoice(**choice))


def test_it_is_said_what_was_taken_for_time() -> None:
    told = arrange(source("TYX", "ZYX"), AxisChoice(time_axis="Z")).taken
    assert told == ("time is axis Z of the file (5)",)


@pytest.mark.parametrize("named", ["???", "?YX"])
def test_a_short_last_axis_may_be_time(named: str) -> None:
    movie = Source(Path("m.tif"), np.zeros((40, 50, 5)), named)
    with pytest.raises(InvalidInput, match="if the last one is time give --time-axis 2"):
        arrange(movie, AxisChoice())
    assert arrange(movie, AxisChoice(time_axis=2)).data.shape == (5, 40, 50)
    assert arrange(movie, AxisChoice(time_axis=0)).data.shape == (40, 50, 5)
