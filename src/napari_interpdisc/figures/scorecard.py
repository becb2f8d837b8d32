"""Pictures of the scorecard: changed classes by test, and the cells that change most."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from napari_interpdisc._types import Float32Array
from napari_interpdisc.figures.canvas import GREYS, save_figure
from napari_interpdisc.figures.palette import ON_WHITE
from napari_interpdisc.scrutiny.scorecard import SIMULATED, Scorecard, ScoreRow

ROWS = 24
"""Tests that stand below each other, before a second column begins."""

MOST_TESTS = 8
"""Tests whose worst cells are drawn."""


def draw_scorecard(path: Path, cards: Sequence[Scorecard]) -> None:
    """Write :func:`scorecard_figure` as a PNG file."""
    save_figure(scorecard_figure(cards), path)


def scorecard_figure(cards: Sequence[Scorecard], columns: int | None = None) -> Figure:
    """Draw the share of changed classes of each test, heads side by side.

    ``columns`` of tests, or as many as it takes if left out.

    Bars end at the share, lines show the 95 % interval, and a black mark shows the limit. Simulated
    factors come last.
    """
    rows = cards[0].all_rows
    columns = columns or (1 if len(rows) <= ROWS else 2)
    deep = -(-len(rows) // columns)
    tall = 1.3 + (0.16 + 0.07 * len(cards)) * deep
    figure = Figure(figsize=(9 * columns, tall), layout="constrained")
    for axes, first in zip(
        figure.subplots(1, columns, squeeze=False)[0], range(0, len(rows), deep), strict=True
    ):
        _draw_bars(axes, cards, first, min(first + deep, len(rows)))
    about = f"{cards[0].cells} cells in {cards[0].groups} groups"
    figure.suptitle(f"Domain constraints: {cards[0].model}, {about}", fontsize=10)
    handles, names = figure.axes[0].get_legend_handles_labels()
    figure.legend(
        handles, names, loc="outside lower center", ncols=min(len(cards), 4 * columns), fontsize=8,
        frameon=False,
    )  # fmt: skip
    return figure


def _draw_bars(axes: Axes, cards: Sequence[Scorecard], first: int, end: int) -> None:
    """Draw rows ``first`` to ``end`` of all cards side by side."""
    rows, bar = cards[0].all_rows[first:end], 0.8 / len(cards)
    at = np.arange(len(rows), dtype=float)
    for k, card in enumerate(cards):
        shown = card.all_rows[first:end]
        # of a test that could not be made, or of one group alone, there is nothing to draw
        changed = np.nan_to_num(100 * np.array([row.changed for row in shown]))
        low, high = (100 * np.array([row.interval[i] for row in shown]) for i in (0, 1))
        error = np.nan_to_num(np.clip([changed - low, high - changed], 0, None))
        place = at + bar * (k - (len(cards) - 1) / 2)
        axes.barh(
            place, changed, 0.9 * bar, xerr=error, color=ON_WHITE[k % len(ON_WHITE)],
            label=card.head, error_kw={"lw": 0.8, "ecolor": "0.3"},
        )  # fmt: skip
    for y, row in zip(at, rows, strict=True):
        if row.limit is not None:
            axes.plot([100 * row.limit] * 2, [y - 0.45, y + 0.45], color="black", lw=1.2)
    axes.set_yticks(at, [row.name for row in rows], fontsize=8)
    for n, row in enumerate(rows):
        if n and rows[n - 1].constraint == row.constraint:
            continue
        if n:
            axes.axhline(n - 0.5, color="0.8", lw=0.8)
        axes.annotate(
            row.constraint, (1, n - 0.45), xycoords=("axes fraction", "data"), ha="right",
            va="top", fontsize=8, color="0.4",
        )  # fmt: skip
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.set_xlabel("cells whose class changes (%), with 95 % interval; black: what is allowed")
    axes.spines[["top", "right"]].set_visible(False)


def draw_worst(
    path: Path, card: Scorecard, crops: Float32Array, names: Sequence[str] | None = None
) -> None:
    """Draw the cells that change most in the worst tests: as they are, and changed.

    Tests that failed come first, those of real cells before those of simulated ones. What may
    matter, or has no limit, fills what room is left.

    Parameters
    ----------
    path
        PNG file to write.
    card
        The scorecard.
    crops
        (N, 1, S, S) crops that were tested, in their order.
    names
        (N,) what to call these cells; their numbers if left out.
    """
    called = [str(i) for i in range(len(crops))] if names is None else list(names)
    tests = [(row, crops, called) for row in card.rows]
    if card.simulated is not None:
        made = card.simulated
        told = [f"simulated {i}" for i in range(len(made.crops))]
        tests += [(row, made.crops, told) for row in made.rows]
    tests = [test for test in tests if test[0].worst and test[0].changed >= 0]
    tests = sorted(tests, key=_rank)[:MOST_TESTS]
    tests = [test for test in tests if test[0].changed > 0] or tests[:1]
    n = max((len(row.worst) for row, *_ in tests), default=1)
    # two blocks of tests side by side are easier to see at once than one that is twice as tall
    blocks = 1 if len(tests) < 3 else 2
    deep = -(-len(tests) // blocks)
    figure = Figure(figsize=(blocks * (1.05 * n + 0.4), 2.5 * deep + 0.5), layout="constrained")
    parts = figure.subfigures(1, blocks, wspace=0.03, squeeze=False)[0]
    titles = []
    for part, start in zip(parts, range(0, max(len(tests), 1), max(deep, 1)), strict=False):
        grid = part.subplots(2 * deep, n, squeeze=False)
        for axes in grid.ravel():
            axes.set_axis_off()
        for k, (row, shown, told) in enumerate(tests[start : start + deep]):
            titles.append(_draw_pairs(grid[2 * k : 2 * k + 2], row, shown, told))
    figure.suptitle(
        f"Cells that change most: {card.head} of {card.model} (above as they are, below changed)",
        fontsize=10,
    )
    # titles are wider than their axes: they come when everything has its place
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes, text in titles:
        axes.set_title(text, fontsize=8, loc="left")
    save_figure(figure, path)


def _rank(test: tuple[ScoreRow, Float32Array, list[str]]) -> tuple[bool, bool, float]:
    """Failed tests first, then real cells, then by the share that changes."""
    row = test[0]
    return row.passed is not False, row.constraint == SIMULATED, -row.changed


def _draw_pairs(
    grid: npt.NDArray[Any], row: ScoreRow, crops: Float32Array, names: Sequence[str]
) -> tuple[Axes, str]:
    """Draw the worst cells of a test into axes (2, n): above as they are, below changed.

    Returns
    -------
    The axes and the text of the title.
    """
    for column, (cell, changed) in enumerate(zip(row.worst, row.worst_crops, strict=True)):
        grid[0, column].imshow(crops[cell, 0], **GREYS)
        grid[1, column].imshow(changed[0], **GREYS)
        grid[1, column].text(
            0.03, 0.03, names[cell], transform=grid[1, column].transAxes, fontsize=6,
            color="white", bbox={"facecolor": "black", "edgecolor": "none", "pad": 1},
        )  # fmt: skip
    grid[0, 0].set_title(" ", fontsize=8)  # keeps the height
    text = f"{row.name}: {100 * row.changed:.1f} %"
    return grid[0, 0], text.replace("(control: interpolation alone)", "(control)")
