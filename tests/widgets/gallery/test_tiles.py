"""Which cells have a tile, in what order, and what is told of them: without a window."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from napari_interpdisc.discovery.rashomon import Member, rashomon_set
from napari_interpdisc.flags import CUT, NO_PIXELS
from napari_interpdisc.models.formula import FormulaHead, parse_formula
from napari_interpdisc.widgets.gallery.tiles import (
    Filter,
    Marks,
    Order,
    combined,
    filters_of,
    matching,
    ordered,
    tip,
    value_text,
)
from napari_interpdisc.widgets.session import Session

MARKS = Marks({0: "round", 2: "round", 5: "long"}, {2: "long"})


@pytest.fixture
def apart(session: Session) -> Session:
    """Return the session with heads that disagree: one of three on cells 2 and 3."""
    encoding: Any = session.encoding
    encoding.latents[2:4, 0] = 9
    heads = [Member(t, FormulaHead([parse_formula(t, 2)]), 0.9) for t in ("1", "2", "1 - z0")]
    session.set_compared(rashomon_set(heads, ("no", "yes"), encoding.latents, 1))
    return session


@pytest.mark.parametrize(
    ("wanted", "rows"),
    [
        (Filter(), [*range(8)]),
        (Filter("class", "round"), [0, 1, 5]),
        (Filter("class", "of another head"), []),
        (Filter("unsure"), []),
        (Filter("annotated"), [0, 2, 5]),
        (Filter("annotated", "round"), [0, 2]),
        (Filter("not annotated"), [1, 3, 4, 6, 7]),
        (Filter("flag", CUT), [3]),
        (Filter("flag", NO_PIXELS), [7]),
        (Filter("wrong"), [2]),
        (Filter("disagreement"), []),
        (Filter("track"), [1, 3, 5, 7]),
        (Filter("chosen"), [4, 6]),
        (Filter("listed", "", (6, 1, 99), "a click"), [1, 6]),
    ],
)
def test_a_filter_lets_its_cells_through(session: Session, wanted: Filter, rows: list[int]) -> None:
    session.select(3)
    session.choose([6, 4])
    assert matching(session, MARKS, wanted).tolist() == rows


def test_filters_combine_and_a_second_class_replaces_the_first(session: Session) -> None:
    session.select(3)
    long, round_, cut = Filter("class", "long"), Filter("class", "round"), Filter("flag", CUT)
    both = combined(combined((), long), Filter("track"))
    assert both == (long, Filter("track"))
    assert matching(session, MARKS, *both).tolist() == [3]
    assert combined(both, round_) == (Filter("track"), round_)
    assert combined(both, Filter("unsure")) == (Filter("track"), Filter("unsure"))
    marked = (Filter("annotated", "round"),)
    assert combined(marked, Filter("not annotated")) == (Filter("not annotated"),)
    assert combined((cut,), Filter("flag", NO_PIXELS)) == (cut, Filter("flag", NO_PIXELS))
    assert combined(both, Filter()) == ()
    counted = {text for text, _ in filters_of(session, MARKS, both)}
    assert {"all cells (8)", "round (2)", "long (1)", "cut by the edge (1)"} <= counted


def test_unsure_cells_are_of_no_class(session: Session) -> None:
    session.set_threshold(0.6)
    assert matching(session, MARKS, Filter("unsure")).tolist() == [1, 6]
    assert matching(session, MARKS, Filter("class", "round")).tolist() == [0, 5]


def test_without_what_they_are_about_filters_let_nobody_through(session: Session) -> None:
    assert not len(matching(session, Marks({}), Filter("wrong")))
    assert not len(matching(session, MARKS, Filter("track")))
    session.clear()
    assert not len(matching(session, MARKS, Filter()))
    assert filters_of(session, MARKS) == [("all cells", Filter())]


def test_cells_that_heads_disagree_on(apart: Session) -> None:
    assert matching(apart, MARKS, Filter("disagreement")).tolist() == [2, 3]
    assert ordered(apart, np.arange(8), "disagreement")[:2].tolist() == [2, 3]
    assert value_text(apart, 2, "disagreement") == "33 %"
    assert "33 % of heads disagree" in tip(apart, MARKS, 2)


@pytest.mark.parametrize(
    ("order", "rows"),
    [
        ("unsure", [1, 6, 5, 2, 4, 0, 3, 7]),
        ("sure", [3, 0, 4, 2, 5, 6, 1, 7]),
        ("score", [0, 5, 1, 6, 2, 4, 3, 7]),
        ("class", [0, 5, 1, 3, 4, 2, 6, 7]),
        ("track", [1, 3, 5, 7, 0, 2, 4, 6]),
        ("frame", [1, 0, 3, 2, 5, 4, 7, 6]),
    ],
)
def test_the_order(session: Session, order: Order, rows: list[int]) -> None:
    assert ordered(session, np.arange(8), order).tolist() == rows
    some = [row for row in rows if row % 2]
    assert ordered(session, np.array([1, 3, 5, 7]), order).tolist() == some


def test_a_tile_says_what_it_is_ordered_by(session: Session) -> None:
    orders: tuple[Order, ...] = ("unsure", "score", "track", "frame")
    assert [value_text(session, 0, order) for order in orders] == ["0.98", "−4.00", "7", "t 0"]
    assert value_text(session, 7, "score") == ""


def test_the_tip_says_what_is_known(session: Session) -> None:
    assert tip(session, MARKS, 2).splitlines() == [
        "Cell 7, frame 1",
        "dense: long, 88 % certain",
        "annotated: round",
        "held-out heads: long",
    ]
    assert tip(session, MARKS, 7).splitlines() == ["Cell 3, frame 3", "no pixels: blank frame"]


def test_what_can_be_shown_is_listed_with_numbers(session: Session) -> None:
    texts = [text for text, _ in filters_of(session, Marks({}))]
    assert texts[:6] == [
        "all cells (8)", "round (3)", "long (4)", "chosen cells (0)", "annotated (0)",
        "not annotated (8)",
    ]  # fmt: skip
    assert "cut by the edge (1)" in texts
    session.select(0)
    session.set_threshold(0.6)
    session.list_cells(Filter("listed", "", (1, 2), "round called long"))
    texts = [text for text, _ in filters_of(session, MARKS)]
    assert {"track 7 (4)", "unsure (2)", "annotated: long (1)", "held-out errors (1)"} <= {*texts}
    assert texts[-1] == "round called long (2)"


def test_a_mark_of_a_cell_that_is_gone_is_no_tile(session: Session) -> None:
    marks = replace(MARKS, wrong={2: "long", 50: "long"})
    assert matching(session, marks, Filter("wrong")).tolist() == [2]
