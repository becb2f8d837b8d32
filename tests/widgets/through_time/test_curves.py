"""Curves of what was found, as data."""

from __future__ import annotations

import numpy as np
import pytest

from napari_interpdisc.through_time.result import ThroughTime, through_time
from napari_interpdisc.widgets.through_time.curves import (
    Curve,
    Curves,
    aligned_curves,
    broken,
    count_curves,
    frame_at,
    survival_curves,
)

from ...through_time.conftest import seen
from .conftest import COLORS


def test_counts_have_a_thick_line_for_each_state_before_a_thin_one(found: ThroughTime) -> None:
    curves = count_curves(found, COLORS)
    assert [line.width > 1 for line in curves.lines] == [False] * 3 + [True] * 3
    assert curves.lines[3].color == COLORS["Interphase"]
    assert curves.lines[3].y.tolist()[:4] == [1, 1, 2, 2]
    assert curves.x_range == (0, 11)
    assert curves.range_of_y() == (0, pytest.approx(1.08 * 2))
    assert frame_at(curves, 3.4) == 3
    assert frame_at(curves, -7) == 0
    assert frame_at(curves, 99) == 11


def test_the_chosen_state_has_its_interval(found: ThroughTime) -> None:
    curves = survival_curves(found, COLORS, 1)
    assert curves is not None
    metaphase, anaphase = curves.lines
    assert metaphase.steps
    assert metaphase.x.tolist() == [0, 6]
    assert metaphase.y.tolist() == [1, 0.5]
    assert metaphase.high is not None
    assert anaphase.low is None
    assert curves.x_title == "duration (min)"
    assert curves.heading[1] == "Metaphase: 2 phases, 1 open; band: 95 %"
    assert survival_curves(through_time(seen({1: (0, "III")})), COLORS) is None


def test_events_stand_at_zero(found: ThroughTime) -> None:
    aligned = found.aligned("Metaphase", "p_M", 2)
    curves = aligned_curves(found, aligned, (1.0, 0.0, 0.0, 1.0))
    *behind, mean = curves.lines
    assert len(behind) == 2
    assert all(line.color is None for line in behind)
    assert mean.x.tolist() == [-4, -2, 0, 2, 4]
    assert mean.y[2] == pytest.approx(0.95)
    assert curves.at == (0.0,)
    assert curves.heading[0] == "p_M: mean ± standard deviation of 2 events"
    assert curves.heading[1] == "2 have a value at 0, 2 to 2 elsewhere"
    assert curves.x_title == "min from Metaphase"


def test_ranges_of_one_point_and_of_none() -> None:
    flat = Curves((Curve(np.array([3.0]), np.array([2.0]), None),), "x")
    assert flat.x_range == (2.5, 3.5)
    assert flat.range_of_y() == (1.5, 2.5)
    none = Curves((Curve(np.array([3.0]), np.array([np.nan]), None),), "x")
    assert none.range_of_y() == (-1, 1)
    assert broken(none.lines[0].y)
    assert not broken(flat.lines[0].y)
