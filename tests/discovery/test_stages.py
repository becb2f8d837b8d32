from __future__ import annotations

import pytest

from napari_interpdisc.discovery.cross_validation import discover
from napari_interpdisc.discovery.recipe import Recipe
from napari_interpdisc.discovery.stages import (
    Event,
    FormulasFound,
    HeadsTested,
    StageBegan,
    told_time,
)
from napari_interpdisc.errors import Cancelled

from .conftest import labelled


def test_a_share_of_a_stage_is_told_by_progress() -> None:
    stage = StageBegan("sparse", 600, 1200, 6)
    assert stage.title == "Sparse heads"
    assert [stage.share(done) for done in (0, 600, 750, 1200, 1500)] == [0, 0, 0.25, 1, 1]


def test_remaining_time_is_unknown_until_one_of_the_equal_parts_is_done() -> None:
    stage = StageBegan("dense", 0, 600, 6)
    assert stage.seconds_left(0.1, 10.0) is None
    assert stage.seconds_left(0.25, 10.0) == pytest.approx(30.0)
    assert stage.seconds_left(1.0, 10.0) is None
    assert StageBegan("dense", 0, 100, 1).seconds_left(0.5, 10.0) is None


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (None, ""),
        (3.0, "a few seconds left"),
        (42.0, "about 40 s left"),
        (89.0, "about 90 s left"),
        (150.0, "about 2 min left"),
    ],
)
def test_remaining_time_in_words(seconds: float | None, told: str) -> None:
    assert told_time(seconds) == told


def test_dense_heads_are_ready_first_and_formulas_are_seen_before_they_are_tested(
    quick: Recipe,
) -> None:
    events: list[Event] = []
    done: list[int] = []
    short = quick.model_copy(update={"folds": 2})
    found = discover(labelled(80), short, lambda n, _: done.append(n), on_stage=events.append)
    names = [e.name if isinstance(e, StageBegan) else type(e).__name__ for e in events]
    assert names == [
        "dense", "HeadsTested", "sparse", "HeadsTested",
        "formula", "FormulasFound", "HeadsTested", "curve",
    ]  # fmt: skip
    ready = [list(e.found.heads) for e in events if isinstance(e, HeadsTested)]
    assert ready == [["dense"], ["dense", "sparse"], ["dense", "sparse", "formula"]]
    first = next(e.found for e in events if isinstance(e, HeadsTested))
    assert first.front == ()
    assert first.heads["dense"] is found.heads["dense"]
    (untested,) = (e.rows for e in events if isinstance(e, FormulasFound))
    sizes = {row.size for row in untested}
    assert {row.size for row in (*found.front, *found.dominated)} == sizes
    # stages follow one another, and progress runs through all of them
    stages = [e for e in events if isinstance(e, StageBegan)]
    assert [s.last for s in stages[:-1]] == [s.first for s in stages[1:]]
    assert (stages[0].first, stages[-1].last) == (0, done[-1])
    assert done == sorted(done)


def test_what_was_ready_before_a_cancel_was_handed_over(quick: Recipe) -> None:
    ready: list[str] = []

    def tell(event: Event) -> None:
        if isinstance(event, HeadsTested):
            ready.extend(event.found.heads)
        if isinstance(event, StageBegan) and event.name == "sparse":
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        discover(labelled(60), quick.model_copy(update={"folds": 2}), on_stage=tell)
    assert ready == ["dense"]
