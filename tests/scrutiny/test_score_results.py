"""Rows, verdicts and tables of the scorecard."""

from __future__ import annotations

import numpy as np

from napari_interpdisc.scrutiny.score_results import (
    Scorecard,
    ScoreRow,
    SimulatedScore,
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
        "noise: 20.0% of the classes change [10.0%, 40.0%], but at most 1% may: failed."
    )
    assert row("noise", 0.01).sentence().endswith("at most 1% may: passed.")
    assert row("noise", 0.2, None).sentence().endswith("[10.0%, 40.0%].")
    assert "of the 8 cells that it can be done to (3 left out)" in row("a", 0.2, 0.1, 3).sentence()


def test_what_failed_comes_worst_first() -> None:
    found = card("a", row("few", 0.1), row("many", 0.3), row("fine", 0.0), row("free", 1.0, None))
    assert [r.name for r in found.failed] == ["many", "few"]
    told = found.sentences()
    assert told[0].startswith("a of toy: 1 of 3 tests passed on 8 cells (2 without a reliable mask")
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
    assert table["worst"].tolist() == ["3 1", "0 1", "3 1"]
    assert len(without.to_frame()) == 2


def test_simulated_cells_that_are_called_alike_say_nothing() -> None:
    crops = np.zeros((100, 1, 4, 4), np.float32)

    def told(no: int) -> list[str]:
        calls = {"no": no, "yes": 100 - no}
        return SimulatedScore((row("neighbours", 0.3),), calls, crops).sentences()

    assert "say nothing" in told(100)[0]
    assert "nearly all alike" in told(97)[0]
    assert "alike" not in told(60)[0]
    assert "60% no, 40% yes" in told(60)[0]
    assert told(60)[1].startswith("constraint: neighbours: 30.0%")
