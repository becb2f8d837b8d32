"""Rows, verdicts and tables of the scorecard."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from napari_interpdisc.scrutiny.score_results import (
    Scorecard,
    ScoreRow,
    SimulatedScore,
    cell_names,
    markdown,
)
from napari_interpdisc.scrutiny.shortcut import Shortcut

NONE = np.zeros((0, 1, 4, 4), np.float32)


def row(name: str, changed: float, limit: float | None = 0.01, left_out: int = 0) -> ScoreRow:
    return ScoreRow(
        "constraint", name, limit, changed, (changed / 2, 2 * changed), {"no": changed}, changed,
        changed, 0.1, (3, 1), NONE, 8, left_out,
    )  # fmt: skip


def card(head: str, *rows: ScoreRow, shortcut: Shortcut | None = None) -> Scorecard:
    simulated = SimulatedScore((row("grain", 0.5, None),), {"no": 5, "yes": 5}, np.zeros((10,)))
    return Scorecard(
        "toy", head, ("no", "yes"), rows, 8, 2, 5, {"no": 2, "yes": 6}, shortcut, "", ("A note.",),
        simulated,
    )  # fmt: skip


def test_a_sentence_has_the_share_the_interval_and_the_verdict() -> None:
    assert row("noise", 0.2).sentence() == (
        "noise: 20.0 % of the classes change [10.0 %, 40.0 %], but at most 1 % may: failed."
    )
    assert row("noise", 0.01).sentence().endswith("at most 1 % may: passed.")
    assert row("noise", 0.2, None).sentence().endswith("[10.0 %, 40.0 %].")
    unsure = row("noise", 0.2, 0.15).sentence()
    assert unsure.endswith(
        "failed, though the interval reaches what is allowed: more cells would tell."
    )


def test_a_class_that_changes_more_than_the_others_is_named() -> None:
    of_class = {"no": 0.05, "yes": 0.6, "none": float("nan")}
    assert "change [10.0 %, 40.0 %] (of yes 60.0 %), but" in (
        replace(row("noise", 0.2), of_class=of_class).sentence()
    )
    alike = replace(row("noise", 0.2), of_class={"no": 0.15, "yes": 0.3})
    assert "(of" not in alike.sentence()


def test_why_cells_were_left_out() -> None:
    found = card("a", row("few", 0.1))
    assert found.why_left_out == "2 without a reliable mask left out"
    both = replace(found, left_out=5, at_edge=2)
    assert both.why_left_out == "3 without a reliable mask and 2 at the edge of the image left out"
    assert replace(found, left_out=0).why_left_out == "none left out"
    assert not any("Most of the cells" in told for told in both.sentences())
    most = replace(found, left_out=9).sentences()
    assert most[1].startswith("Most of the cells could not be tested: check the diameter")


def test_cells_have_the_names_that_they_are_given() -> None:
    names = cell_names([7, 7, 9], [0, 1, 0])
    assert names == ["track 7, t 0", "track 7, t 1", "track 9, t 0"]
    table = card("a", row("x", 0.3)).to_frame([f"cell {i}" for i in range(8)])
    assert table["worst"].tolist() == ["cell 3; cell 1", "simulated 3; simulated 1"]
    assert "of the 8 cells that it can be done to (3 left out)" in row("a", 0.2, 0.1, 3).sentence()


def test_what_failed_comes_worst_first() -> None:
    found = card("a", row("few", 0.1), row("many", 0.3), row("fine", 0.0), row("free", 1.0, None))
    assert [r.name for r in found.failed] == ["many", "few"]
    told = found.sentences()
    assert told[0] == (
        "a of toy: 1 of 3 tests of these cells passed on 8 cells (2 without a reliable mask left "
        "out)."
    )
    assert told[1] == "A note."
    assert [line.split(":")[1] for line in told[2:4]] == [" many", " few"]


def test_tables_hold_the_shortcut_and_simulated_factors() -> None:
    shortcut = Shortcut((1,), np.array([0.1, 0.5]), np.array([0.2, 0.4]), limit=0.05)
    with_it, without = card("a", row("x", 0.3), shortcut=shortcut), card("b", row("x", 0.0))
    lines = markdown([with_it, without]).splitlines()
    assert lines[0].endswith("| allowed | a | b |")
    assert lines[2].endswith("| 1 | **30.0 [15.0, 60.0]** | 0.0 [0.0, 0.0] |")
    assert lines[3].startswith("| shortcut |")
    assert lines[3].endswith("| 5 | **50.0** | – |")
    assert lines[4].endswith("| – | 50.0 [25.0, 100.0] | 50.0 [25.0, 100.0] |")
    table = with_it.to_frame()
    assert table["test"].tolist()[::2] == ["x", "grain"]
    assert table["changed"].tolist() == [0.3, 0.5, 0.5]
    assert table["worst"].tolist() == ["3; 1", "0; 1", "simulated 3; simulated 1"]
    assert len(without.to_frame()) == 2


def test_simulated_cells_that_are_called_alike_say_nothing() -> None:
    crops = np.zeros((100, 1, 4, 4), np.float32)

    def told(no: int) -> list[str]:
        calls = {"no": no, "yes": 100 - no}
        return SimulatedScore((row("neighbours", 0.3),), calls, crops).sentences()

    assert "say nothing" in told(100)[0]
    assert "nearly all alike" in told(97)[0]
    assert "alike" not in told(60)[0]
    assert "60 % no, 40 % yes" in told(60)[0]
    assert told(60)[1].startswith("constraint: neighbours: 30.0 %")
