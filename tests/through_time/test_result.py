"""All of it together: simulated chains and a simulated movie, sentences and tables."""

from __future__ import annotations

import numpy as np
import pytest

from napari_interpdisc.cells import CellTable
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.simulate.movie import STATES, SimulationSettings, simulate_movie
from napari_interpdisc.through_time.observed import observe
from napari_interpdisc.through_time.order import Order, order_of_text
from napari_interpdisc.through_time.result import through_time

from .conftest import CLASSES, seen


def noisy(truth: np.ndarray, wrong: float, draw: np.random.Generator) -> np.ndarray:
    """Probabilities (N, K) of a head that errs in a share of frames, being less sure there."""
    k = int(truth.max()) + 1
    errs = draw.random(len(truth)) < wrong
    said = np.where(errs, draw.integers(0, k, len(truth)), truth)
    sure = np.where(errs, 0.7, 0.95)
    p = np.repeat(((1 - sure) / (k - 1))[:, None], k, 1)
    p[np.arange(len(truth)), said] = sure
    return p


def test_durations_of_simulated_chains_are_recovered() -> None:
    """Metaphase of a median of 6 frames; tracks begin and end at any time."""
    draw = np.random.default_rng(1)
    rows, truth = [], []
    for track in range(300):
        life = np.repeat([0, 1, 2, 0], [draw.integers(5, 15), draw.geometric(0.11), 2, 15])
        begin = draw.integers(0, 6)
        for t, state in enumerate(life[begin : begin + 18]):
            rows.append((track, t))
            truth.append(state)
    ids, times = np.array(rows).T
    cells = CellTable.from_arrays(times, np.zeros((len(ids), 2)), ids)
    found = through_time(observe(cells, noisy(np.array(truth), 0.05, draw), STATES), interval=300.0)
    raw = float((found.observed.index == truth).mean())
    assert raw < 0.97
    assert float((found.states == truth).mean()) > 0.985
    curve = found.survival(1)
    assert curve is not None
    geometric_median = 6 * 5  # minutes
    assert curve.median_low <= geometric_median <= curve.median_high
    assert curve.median_high - curve.median_low <= 15
    # an estimator that took only phases seen from start to end would be far too short
    whole = [p.frames for p in found.phases if p.state == 1 and p.counts and p.end_seen]
    assert np.median(whole) * 5 < curve.median_low


def test_a_simulated_movie() -> None:
    """Daughters have tracks of their own; their mothers are in Metaphase for three frames."""
    movie = simulate_movie(SimulationSettings(shape=(12, 200, 200), cells=12, dividing=0.7, seed=3))
    cells = movie.cells
    truth = np.array([STATES.index(name) for name in cells.extra["state"]])
    p = noisy(truth, 0.03, np.random.default_rng(0))
    found = through_time(observe(cells, p, STATES))
    assert len(found.divisions) == len(cells.graph) / 2 > 3
    assert float((found.states == truth).mean()) > 0.97
    metaphases = [x for x in found.phases if x.state == 1 and x.counts and x.end_seen]
    assert all(x.frames == 3 or x.low <= 3 <= x.high for x in metaphases)
    curve = found.survival(1)
    assert curve is not None
    assert curve.median == 3
    assert found.unit == "frames"


FAMILY = ({1: (0, "IIMMM"), 2: (5, "AAIII"), 3: (5, "AIII."), 4: (2, "MM.M")}, {2: 1, 3: 1})


def test_tables_have_minutes_where_the_interval_is_known() -> None:
    found = through_time(seen(*FAMILY), interval=90.0)
    phases = found.phase_table()
    row = phases[(phases["track_id"] == 1) & (phases["state"] == "Metaphase")].iloc[0]
    assert (row["frames"], row["minutes"], row["counted"]) == (3.0, 4.5, True)
    assert len(phases) == 7
    medians = found.median_table().set_index("state")
    assert medians.loc["Metaphase", ["phases", "start_not_seen", "whole"]].tolist() == [2, 1, 1]
    assert medians.loc["Anaphase", "median_minutes"] == 1.5
    survival = found.survival_table()
    assert survival.columns[:3].tolist() == ["state", "minutes", "share_lasting"]
    counts = found.count_table()
    assert counts["cells"].tolist() == [1, 1, 2, 2, 1, 3, 2, 2, 2, 1]
    assert counts.loc[2, "state_share_Metaphase"] == 1.0
    assert counts.loc[4, "minutes"] == 6.0
    divisions = found.division_table()
    assert divisions[["parent", "child", "t"]].to_numpy().tolist() == [[1, 2, 5], [1, 3, 5]]
    aligned = found.aligned_table([found.aligned("division", "p_M", 3)])
    assert aligned["frames"].tolist() == list(range(-3, 4))
    assert aligned["minutes"].iloc[0] == -4.5
    assert aligned.loc[aligned["frames"] == -1, "mean"].item() == 0.95
    assert set(aligned["tracks"]) == {1}
    assert found.names().tolist()[:5] == ["Interphase"] * 2 + ["Metaphase"] * 3


def test_without_an_interval_nothing_is_in_minutes() -> None:
    found = through_time(seen(*FAMILY))
    tables = (found.phase_table(), found.count_table(), found.survival_table())
    assert not any("minutes" in table for table in tables)
    assert "median_frames" in found.median_table()
    assert "The time between frames is not known: durations are in frames." in found.sentences()


def test_sentences_say_what_was_censored() -> None:
    told = through_time(seen(*FAMILY)).sentences()
    assert told[0] == "17 cells on 4 tracks; 0 have another state than class."
    assert told[1] == "1 division."
    assert told[2] == "1 frames in which a cell is missing or has no class, filled in."
    assert told[5] == (
        "Metaphase: 2 phases, 1 left out, since their start was not seen; median 3 frames "
        "(95 %: 3 to ?)."
    )
    interphase = told[4]
    assert "1 left out" in interphase
    assert "2 whose end was not seen; no median, since none was seen from start" in interphase


def test_a_phase_through_a_division_is_told() -> None:
    found = through_time(seen({1: (0, "MA"), 2: (2, "AII"), 3: (2, "AII")}, {2: 1, 3: 1}))
    assert found.sentences()[-1].startswith("2 phases last through a division")


def test_a_half_that_has_not_ended_has_no_median() -> None:
    free = Order(CLASSES, np.ones((3, 3), bool))
    tracks = {k: (0, "IMMMMM") for k in range(4)} | {9: (0, "IIMMAA")}
    told = through_time(seen(tracks), free).duration_sentence(1)
    assert told == "Metaphase: 5 phases, 4 whose end was not seen; no median, since less than " \
        "half have ended."  # fmt: skip


def test_faults_of_the_call() -> None:
    found = seen(*FAMILY)
    with pytest.raises(InvalidInput, match="The order is of Interphase, Metaphase, the cells"):
        through_time(found, order_of_text("any", CLASSES[:2]))
    with pytest.raises(InvalidInput, match="0 s is no time between frames"):
        through_time(found, interval=0.0)
    with pytest.raises(InvalidInput, match="'Mitosis' is no event; choose Interphase, Metaphase"):
        through_time(found).events("Mitosis")


def test_empty_survival_and_divisions_keep_their_columns() -> None:
    found = through_time(seen({1: (0, "III")}))
    assert found.survival_table().columns[1] == "frames"
    assert not len(found.survival_table())
    assert found.division_table().columns.tolist()[:2] == ["parent", "child"]


def test_progress_counts_tracks() -> None:
    done: list[tuple[int, int]] = []
    through_time(seen(*FAMILY), progress=lambda n, of: done.append((n, of)))
    assert done[-1] == (4, 4)
