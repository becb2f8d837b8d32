"""Values against the time from an event."""

from __future__ import annotations

import numpy as np
import pytest

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.through_time.alignment import (
    Aligned,
    Event,
    align,
    events_at_division,
    events_at_state,
)
from napari_interpdisc.through_time.counts import divisions_of
from napari_interpdisc.through_time.order import order_of_text
from napari_interpdisc.through_time.phases import phases_of
from napari_interpdisc.through_time.viterbi import decode

from .conftest import CLASSES, seen

CYCLE = order_of_text("Interphase > Metaphase > Anaphase > Interphase", CLASSES)


def test_tracks_are_laid_over_each_other_at_the_event() -> None:
    found = seen({1: (0, "IIIMM"), 2: (5, "IMMMM"), 3: (0, "MMM")})
    events = events_at_state(phases_of(found, decode(found, CYCLE)), 1)
    assert events == (Event(1, 3), Event(2, 6))  # of track 3, the start was not seen
    aligned = align(found, events, "Metaphase", "t", 2)
    assert aligned.frames.tolist() == [-2, -1, 0, 1, 2]
    np.testing.assert_array_equal(aligned.values, [[1, 2, 3, 4, np.nan], [np.nan, 5, 6, 7, 8]])
    assert aligned.n.tolist() == [1, 2, 2, 2, 1]
    np.testing.assert_allclose(aligned.mean, [1, 3.5, 4.5, 5.5, 8])
    np.testing.assert_allclose(aligned.spread[1:4], np.std([2, 5], ddof=1))
    assert np.isnan(aligned.spread[[0, 4]]).all()


def test_ancestors_are_followed_back_and_daughters_are_averaged() -> None:
    found = seen({1: (0, "IMM"), 2: (3, "AA"), 3: (3, "AI"), 4: (5, "I")}, {2: 1, 3: 1, 4: 2})
    p = found.probabilities[:, 1]
    row = {(k, t): i for i, (k, t) in enumerate(zip(found.track_id, found.t, strict=True))}
    p[[row[2, 3], row[3, 3], row[2, 4], row[3, 4], row[4, 5]]] = [0.1, 0.3, 0.2, 0.6, 0.9]
    tracks = decode(found, CYCLE)
    events = events_at_division(divisions_of(found, tracks))
    assert events == (Event(1, 3),)
    aligned = align(found, events, "division", "p_M", 3)
    np.testing.assert_allclose(aligned.values[0, 3:], [0.2, 0.4, 0.9, np.nan])
    np.testing.assert_allclose(aligned.values[0, :3], p[[row[1, t] for t in range(3)]])
    (own,) = align(found, (Event(4, 5),), "x", "t", 2).values
    np.testing.assert_array_equal(own, [3, 4, 5, np.nan, np.nan])


def test_a_phase_through_a_division_is_one_event() -> None:
    found = seen({1: (0, "MA"), 2: (2, "AII"), 3: (2, "AAI")}, {2: 1, 3: 1})
    assert events_at_state(phases_of(found, decode(found, CYCLE)), 2) == (Event(1, 1),)


def test_nothing_to_align_is_said() -> None:
    found = seen({1: (0, "II")})
    with pytest.raises(InvalidInput, match="no column 'area' of numbers; there are p_M, t, y, x"):
        align(found, (Event(1, 0),), "division", "area", 1)
    with pytest.raises(InvalidInput, match="No track has the event 'division'"):
        align(found, (), "division", "t", 1)


def test_mean_and_spread_of_nothing_are_nan() -> None:
    empty = Aligned("e", "c", np.arange(2), np.full((3, 2), np.nan), np.arange(3))
    assert np.isnan(empty.mean).all()
    assert np.isnan(empty.spread).all()
