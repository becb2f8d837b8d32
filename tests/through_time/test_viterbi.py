"""The likeliest states: against all paths of short chains, and on tracks that divide."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from napari_interpdisc.through_time.order import Order, order_of_text
from napari_interpdisc.through_time.viterbi import (
    PathSettings,
    best_path,
    decode,
    log_emissions,
    log_transitions,
    states_of_cells,
)

from .conftest import CLASSES, seen, text_of

CYCLE = order_of_text("Interphase > Metaphase > Anaphase > Interphase", CLASSES)


def score(path: tuple[int, ...], emissions: np.ndarray, steps: np.ndarray) -> float:
    seen_score = sum(emissions[i, k] for i, k in enumerate(path))
    return float(seen_score + sum(steps[a, b] for a, b in itertools.pairwise(path)))


@settings(max_examples=60, deadline=None)
@given(
    n=some.integers(1, 6), k=some.integers(2, 3), seed=some.integers(0, 10**6),
    cost=some.floats(0, 4),
)  # fmt: skip
def test_no_path_of_a_short_chain_is_likelier(n: int, k: int, seed: int, cost: float) -> None:
    draw = np.random.default_rng(seed)
    emissions = np.log(draw.dirichlet(np.ones(k), n))
    emissions[draw.random(n) < 0.2] = 0.0
    steps = log_transitions(Order(CLASSES[:k], draw.random((k, k)) < 0.6), cost)
    found = best_path(emissions, steps)
    best = max(score(path, emissions, steps) for path in itertools.product(range(k), repeat=n))
    assert score(tuple(found.tolist()), emissions, steps) == pytest.approx(best)


@settings(max_examples=30, deadline=None)
@given(seed=some.integers(0, 10**6))
def test_no_states_of_a_family_are_likelier(seed: int) -> None:
    """A mother of two frames, a daughter at once, and one after a frame that is missing."""
    draw = np.random.default_rng(seed)
    family = seen({1: (0, "IM"), 2: (2, "MA"), 3: (3, "AI")}, {2: 1, 3: 1})
    p = draw.dirichlet(np.ones(3), 6)
    family.probabilities[:] = p
    emissions, steps = log_emissions(p, 0.01), log_transitions(CYCLE, 1.0)
    born = log_transitions(CYCLE, 0.5)

    def total(path: tuple[int, ...]) -> float:
        mother, one, gap, other = path[:2], path[2:4], path[4:5], path[5:]
        there = sum(emissions[i, k] for i, k in enumerate((*mother, *one, *other)))
        there += born[mother[1], one[0]] + born[mother[1], gap[0]]
        lines = (mother, one, (*gap, *other))
        return float(there + sum(steps[a, b] for x in lines for a, b in itertools.pairwise(x)))

    best = max(map(total, itertools.product(range(3), repeat=7)))
    mother, one, other = decode(family, CYCLE, PathSettings(change_cost=1.0))
    found = (*mother.states, *one.states, *other.before, *other.states)
    assert total(found) == pytest.approx(best)


def states_of(text: str, **given: float) -> str:
    (one,) = decode(seen({1: (0, text)}, sure=0.9), CYCLE, PathSettings(**given))
    return text_of(one.states)


def test_a_flicker_is_smoothed_unless_changes_cost_less_than_it_says() -> None:
    # one frame says log 0.9 − log 0.05 = 2.9 nats more of its class
    assert states_of("IIIMIII") == "IIIIIII"  # Metaphase is not left for Interphase
    assert states_of("IIIMAIII", change_cost=2) == "IIIIIIII"  # 5.8 < 3 changes
    assert states_of("IIIMAIII", change_cost=1.9) == "IIIMAIII"


def test_the_order_is_obeyed() -> None:
    assert states_of("IIIMMMIII", change_cost=0.1) == "IIIMMMAII"
    free = Order(CLASSES, np.ones((3, 3), bool))
    (one,) = decode(seen({1: (0, "IIIMMMIII")}), free)
    assert text_of(one.states) == "IIIMMMIII"


def test_missing_frames_are_filled_and_change_late() -> None:
    (one,) = decode(seen({7: (3, "III..?MMM")}), CYCLE)
    assert (one.track, one.start, one.stop) == (7, 3, 12)
    assert text_of(one.states) == "IIIIIIMMM"
    assert one.seen.tolist() == [True] * 3 + [False] * 3 + [True] * 3
    (back,) = decode(seen({1: (0, "AAA..III")}), CYCLE)
    assert text_of(back.states) == "AAAAAIII"  # also where the later class is the first


def test_children_start_from_what_may_follow_their_mother() -> None:
    family = seen({1: (0, "IIMMM"), 2: (5, "AII"), 3: (6, "III")}, {2: 1, 3: 1})
    mother, one, other = decode(family, CYCLE, PathSettings(change_cost=0.5))
    assert text_of(mother.states) == "IIMMM"
    assert text_of(one.states) == "AII"
    assert text_of(other.before) == "A"  # Metaphase cannot be followed by Interphase at once
    assert text_of(other.states) == "III"
    # a daughter that seems to be in Metaphase after a mother in Anaphase is not
    wrong = seen({1: (0, "MMAA"), 2: (4, "MII"), 3: (4, "AII")}, {2: 1, 3: 1})
    states = decode(wrong, CYCLE)
    assert text_of(states[1].states)[0] in "AI"


def test_daughters_tell_of_their_mother() -> None:
    """One frame of doubt of the mother: what two daughters show decides."""
    family = seen({1: (0, "MM?"), 2: (3, "AAI"), 3: (3, "AAI")}, {2: 1, 3: 1})
    strange = seen({1: (0, "II?"), 2: (3, "AAI"), 3: (3, "AAI")}, {2: 1, 3: 1})
    assert text_of(decode(family, CYCLE)[0].states) == "MMM"
    assert text_of(decode(strange, CYCLE)[0].states)[-1] == "M"  # on the way to Anaphase


def test_states_of_cells_follow_the_rows() -> None:
    found = seen({2: (0, "IIMM"), 1: (1, "M.M")})
    states = states_of_cells(found, decode(found, CYCLE))
    assert text_of(states) == "IIMMMM"
    assert log_emissions(np.array([[0.999, 0.001], [np.nan, np.nan]]), 0.01).tolist() == [
        [pytest.approx(np.log(0.999)), pytest.approx(np.log(0.01))],
        [0.0, 0.0],
    ]
