"""Lanes of a track and its kin."""

from __future__ import annotations

from napari_interpdisc.through_time.result import ThroughTime, through_time
from napari_interpdisc.widgets.through_time.family import MOST_LANES, family_lanes, told_family

from ...through_time.conftest import seen, text_of


def test_a_mother_is_followed_by_her_daughters(found: ThroughTime) -> None:
    lanes = family_lanes(found, 1)
    assert [lane.name for lane in lanes] == ["1", "2 (daughter)", "3 (daughter)"]
    assert [lane.parent for lane in lanes] == [None, 0, 0]
    assert (lanes[0].start, lanes[0].stop) == (2, 8)
    assert text_of(lanes[0].states) == "IIIMMM"
    assert lanes[2].classes.tolist() == [2, 0, -1, 0]
    assert told_family(found, lanes) == (
        "Track 1, frames 2 to 7, divides into 2 and 3, 0 frames with another state than class."
    )


def test_a_daughter_is_shown_below_her_mother(found: ThroughTime) -> None:
    lanes = family_lanes(found, 3)
    assert [lane.name for lane in lanes] == ["1 (mother)", "3"]
    assert told_family(found, lanes).startswith("Track 3, frames 8 to 11, daughter of 1, 0 frames")


def test_a_track_alone_and_no_track(found: ThroughTime) -> None:
    assert [lane.name for lane in family_lanes(found, 9)] == ["9"]
    assert family_lanes(found, 77) == ()
    assert told_family(found, ()) == ""


def test_of_many_generations_the_nearest_are_shown() -> None:
    tracks = {k: (2 * k, "II") for k in range(1, 9)} | {20: (18, "II"), 21: (18, "II")}
    parents = {k: k - 1 for k in range(2, 9)} | {20: 8, 21: 8}
    lanes = family_lanes(through_time(seen(tracks, parents)), 8)
    assert [lane.track for lane in lanes] == [5, 6, 7, 8, 20, 21]
    assert lanes[0].kin == "ancestor"
    assert len(lanes) <= MOST_LANES


def test_flickers_are_counted() -> None:
    found = through_time(seen({1: (0, "IIMIII")}, sure=0.8))
    assert "1 frame with another state than class" in told_family(found, family_lanes(found, 1))
