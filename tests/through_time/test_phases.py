"""Phases, their durations, and what of them was not seen."""

from __future__ import annotations

import numpy as np
import pytest

from napari_interpdisc.through_time.order import Order, order_of_text
from napari_interpdisc.through_time.phases import Phase, durations, phases_of
from napari_interpdisc.through_time.viterbi import PathSettings, decode

from .conftest import CLASSES, seen

CYCLE = order_of_text("Interphase > Metaphase > Anaphase > Interphase", CLASSES)
INTERPHASE, METAPHASE, ANAPHASE = range(3)


def phases(
    tracks: dict[int, tuple[int, str]], parent: dict[int, int] | None = None, order: Order = CYCLE
) -> list[Phase]:
    found = seen(tracks, parent)
    return list(phases_of(found, decode(found, order, PathSettings(change_cost=0.5))))


def test_a_whole_phase_lasts_its_number_of_frames_between_two_others() -> None:
    first, middle, *_, last = phases({1: (2, "IIMMMAAII")})
    assert (middle.state, middle.first, middle.last) == (METAPHASE, 4, 6)
    assert (middle.frames, middle.low, middle.high) == (3.0, 2.0, 4.0)
    assert middle.start_seen
    assert middle.end_seen
    assert (first.start_seen, first.end_seen, first.counts) == (False, True, False)
    assert (last.start_seen, last.end_seen, last.counts) == (True, False, True)
    # known to have lasted from half a frame before it was seen until it was last seen
    assert last.frames == 1.5
    assert last.high == np.inf


def test_missing_frames_widen_the_bounds() -> None:
    _, middle, *_ = phases({1: (0, "II..M.MM.AA")})
    assert (middle.n_seen, middle.n_filled) == (3, 1)
    assert middle.frames == (7 + 9) / 2 - (1 + 4) / 2
    assert (middle.low, middle.high) == (3.0, 8.0)


def test_a_phase_in_missing_frames_alone_is_none_and_parts_two_others() -> None:
    found = phases({1: (0, "MM..II")})
    assert [p.state for p in found] == [METAPHASE, INTERPHASE]
    assert found[1].start_seen
    again = Order(CLASSES, np.zeros((3, 3), bool))
    (one,) = phases({1: (0, "MM..MM")}, order=again)
    assert (one.n_seen, one.n_filled) == (4, 2)


def test_a_phase_ends_at_a_division_where_the_daughters_are_in_another() -> None:
    found = phases({1: (0, "IMM"), 2: (3, "AII"), 3: (3, "AAI")}, {2: 1, 3: 1})
    mother = found[1]
    assert (mother.track, mother.frames, mother.end_seen) == (1, 2.0, True)
    daughters = [p for p in found if p.state == ANAPHASE]
    assert [(p.track, p.frames, p.start_seen) for p in daughters] == [
        (2, 1.0, True),
        (3, 2.0, True),
    ]


def test_a_phase_that_lasts_through_a_division_is_one_of_each_daughter() -> None:
    found = phases({1: (0, "MA"), 2: (2, "AII"), 3: (2, "AAI")}, {2: 1, 3: 1})
    own = [p for p in found if p.state == ANAPHASE]
    assert [(p.track, p.begins_in, p.counts, p.continues) for p in own] == [
        (1, 1, False, True),
        (2, 1, True, False),
        (3, 1, True, False),
    ]
    lasted, ended = durations(found, ANAPHASE)
    assert lasted.tolist() == [2.0, 3.0]
    assert ended.all()


def test_a_phase_of_a_daughter_is_left_censored_if_that_of_her_mother_is() -> None:
    found = phases({1: (0, "III"), 2: (3, "IIM"), 3: (3, "III")}, {2: 1, 3: 1})
    assert [p.counts for p in found if p.state == INTERPHASE] == [False] * 3
    assert durations(found, INTERPHASE)[0].size == 0


def test_a_division_without_any_class_after_it_ends_nothing() -> None:
    found = phases({1: (0, "IMM"), 2: (3, "??"), 3: (3, "?")}, {2: 1, 3: 1})
    assert [(p.state, p.end_seen) for p in found] == [(INTERPHASE, True), (METAPHASE, False)]


@pytest.mark.parametrize("gap", ["", "?", ".."])
def test_a_gap_before_a_daughter_does_not_break_a_phase(gap: str) -> None:
    n = len(gap)
    found = phases({1: (0, "MA" + gap.replace(".", "?")), 2: (2 + n, "AII")}, {2: 1})
    (whole,) = (p for p in found if p.state == ANAPHASE and p.counts)
    assert (whole.frames, whole.n_filled) == (2.0 + n, n)
