"""The pictures of the scorecard."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from napari_interpdisc.figures.scorecard import draw_scorecard, draw_worst
from napari_interpdisc.scrutiny.scorecard import (
    ORIENTATION,
    SIMULATED,
    TARGET,
    Scorecard,
    ScoreRow,
    SimulatedScore,
)

from .conftest import whole_picture


def row(constraint: str, name: str, changed: float, limit: float | None) -> ScoreRow:
    crops = np.random.default_rng(0).normal(size=(2, 1, 64, 64)).astype(np.float32)
    low, high = max(changed - 0.05, 0), min(changed + 0.05, 1)
    return ScoreRow(
        constraint, name, limit, changed, (low, high), {}, changed, changed, 0.1, (3, 1), crops
    )


def card(head: str, *changed: float) -> Scorecard:
    rows = (
        row(TARGET, "another nucleus 1 px away", changed[0], 0.01),
        row(ORIENTATION, "24 angles", changed[1], 0.01),
        row(ORIENTATION, "light", changed[2], None),
    )
    return Scorecard("toy", head, ("no", "yes"), rows, 5, 0, 5, {"no": 2, "yes": 3}, None)


def test_bars_of_heads_stand_side_by_side(tmp_path: Path, drawn: list[Figure]) -> None:
    draw_scorecard(tmp_path / "card.png", [card("a", 0.2, 0.0, 0.1), card("b", 0.4, 0.1, 0.0)])
    whole_picture(tmp_path / "card.png")
    axes = drawn[0].axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()][1] == "24 angles"
    first, second = axes.containers[1], axes.containers[3]
    assert np.allclose([bar.get_width() for bar in first], [20, 0, 10])
    assert np.allclose([bar.get_width() for bar in second], [40, 10, 0])
    ends = [(bar.get_y(), bar.get_y() + bar.get_height()) for bar in (first[0], second[0])]
    assert ends[0][1] <= ends[1][0], "they do not cover each other"
    assert [text.get_text() for text in drawn[0].legends[0].get_texts()] == ["a", "b"]


def test_the_worst_cells_are_shown_before_and_after(tmp_path: Path, drawn: list[Figure]) -> None:
    crops = np.random.default_rng(1).normal(size=(5, 1, 64, 64)).astype(np.float32)
    found = card("a", 0.2, 0.0, 0.1)
    draw_worst(tmp_path / "worst.png", found, crops)
    whole_picture(tmp_path / "worst.png")
    shown = drawn[0].axes
    assert len(shown) == 2 * 2 * 2, "two tests that change something, two cells each"
    np.testing.assert_array_equal(shown[0].images[0].get_array(), crops[3, 0])
    np.testing.assert_array_equal(shown[2].images[0].get_array(), found.rows[0].worst_crops[0, 0])
    assert shown[0].get_title(loc="left") == "another nucleus 1 px away: 20.0 %"


def test_simulated_cells_and_tests_of_no_cell_are_drawn_too(
    tmp_path: Path, drawn: list[Figure]
) -> None:
    crops = np.random.default_rng(1).normal(size=(5, 1, 64, 64)).astype(np.float32)
    found = card("a", 0.2, float("nan"), 0.0)
    simulated = SimulatedScore((row(SIMULATED, "grain", 0.5, None),), {"no": 2, "yes": 3}, crops)
    found = replace(found, simulated=simulated)
    draw_scorecard(tmp_path / "card.png", [found])
    bars = drawn[0].axes[0].containers[1]
    assert np.allclose([bar.get_width() for bar in bars], [20, 0, 0, 50])
    draw_worst(tmp_path / "worst.png", found, np.zeros_like(crops))
    whole_picture(tmp_path / "worst.png")
    # what failed on real cells comes first; of simulated factors their own crops are shown
    shown = [axes.images[0].get_array() for axes in drawn[1].axes if axes.images]
    np.testing.assert_array_equal(shown[0], 0 * crops[3, 0])
    assert any(np.array_equal(each, crops[3, 0]) for each in shown)
    texts = [text.get_text() for axes in drawn[1].axes for text in axes.texts]
    assert "simulated 3" in texts
    draw_worst(tmp_path / "named.png", found, crops, [f"track {i}, t 0" for i in range(5)])
    texts = [text.get_text() for axes in drawn[2].axes for text in axes.texts]
    assert texts[0] == "track 3, t 0"


def test_titles_of_worst_cells_do_not_run_into_each_other(
    tmp_path: Path, drawn: list[Figure]
) -> None:
    crops = np.random.default_rng(1).normal(size=(6, 1, 64, 64)).astype(np.float32)
    names = ("surroundings of another cell, 0.5 × as bright", "neighbours at 29, 32 and 36 px", "c")
    rows = tuple(
        replace(
            row(TARGET, name, 0.2, 0.01), worst=tuple(range(6)), worst_crops=crops
        )
        for name in names
    )  # fmt: skip
    draw_worst(tmp_path / "worst.png", replace(card("a", 0, 0, 0), rows=rows), crops)
    figure = drawn[0]
    boxes = [
        axes._left_title.get_window_extent()
        for axes in figure.axes
        if axes.get_title(loc="left").strip()
    ]
    assert len(boxes) == 3
    assert all(box.x0 >= 0 and box.x1 <= figure.bbox.width for box in boxes)
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
