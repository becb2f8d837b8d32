"""Pictures of the scorecard: changed classes by test, and the cells that change most."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from napari_interpdisc._types import Float32Array
from napari_interpdisc.figures.canvas import GREYS, save_figure
from napari_interpdisc.scrutiny.scorecard import Scorecard

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Okabe and Ito's colours, one for each head."""

MOST_TESTS = 8
"""Tests whose worst cells are drawn."""


def draw_scorecard(path: Path, cards: Sequence[Scorecard]) -> None:
    """Draw the share of changed classes of each test, heads side by side, as a PNG file.

    Bars end at the share, lines show the 95 % interval, and a black mark shows the limit.
    """
    rows, bar = cards[0].rows, 0.8 / len(cards)
    tall = 1.3 + (0.12 + 0.1 * len(cards)) * len(rows)
    figure = Figure(figsize=(9, tall), layout="constrained")
    axes = figure.subplots()
    at = np.arange(len(rows), dtype=float)
    for k, card in enumerate(cards):
        changed = 100 * np.array([row.changed for row in card.rows])
        low, high = (100 * np.array([r.interval[i] for r in card.rows]) for i in (0, 1))
        error = np.clip([changed - low, high - changed], 0, None)
        place = at + bar * (k - (len(cards) - 1) / 2)
        axes.barh(
            place, changed, 0.9 * bar, xerr=error, color=COLOURS[k % len(COLOURS)],
            label=card.head, error_kw={"lw": 0.8, "ecolor": "0.3"},
        )  # fmt: skip
    for y, row in zip(at, rows, strict=True):
        if row.limit is not None:
            axes.plot([100 * row.limit] * 2, [y - 0.45, y + 0.45], color="black", lw=1.2)
    axes.set_yticks(at, [row.name for row in rows], fontsize=8)
    for first, row in enumerate(rows):
        if first and rows[first - 1].constraint != row.constraint:
            axes.axhline(first - 0.5, color="0.8", lw=0.8)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.set_xlabel("cells whose class changes (%), with 95 % interval; black: what is allowed")
    axes.spines[["top", "right"]].set_visible(False)
    cells = f"{cards[0].cells} cells in {cards[0].groups} groups"
    axes.set_title(f"Domain constraints: {cards[0].model}, {cells}", fontsize=10)
    figure.legend(loc="outside lower center", ncols=min(len(cards), 4), fontsize=8, frameon=False)
    save_figure(figure, path)


def draw_worst(path: Path, card: Scorecard, crops: Float32Array) -> None:
    """Draw the cells that change most in the worst tests: as they are, and changed.

    ``crops`` are the (N, 1, S, S) crops that were tested, in their order.
    """
    tests = sorted(card.rows, key=lambda row: -row.changed)[:MOST_TESTS]
    tests = [row for row in tests if row.changed > 0] or tests[:1]
    n = max(len(row.worst) for row in tests)
    figure = Figure(figsize=(1.1 * n + 0.8, 2.5 * len(tests) + 0.5), layout="constrained")
    grid = figure.subplots(2 * len(tests), n, squeeze=False)
    for axes in grid.ravel():
        axes.set(xticks=[], yticks=[])
        for spine in axes.spines.values():
            spine.set_visible(False)
    for k, row in enumerate(tests):
        for column, (cell, changed) in enumerate(zip(row.worst, row.worst_crops, strict=True)):
            grid[2 * k, column].imshow(crops[cell, 0], **GREYS)
            grid[2 * k + 1, column].imshow(changed[0], **GREYS)
            grid[2 * k + 1, column].set_xlabel(f"cell {cell}", fontsize=7, labelpad=2)
        grid[2 * k, 0].set_title(" ", fontsize=8)  # keeps the height; the text may be wider
        name = grid[2 * k, 0].set_title(f"{row.name}: {row.changed:.1%}", fontsize=8, loc="left")
        name.set_in_layout(False)
        grid[2 * k, 0].set_ylabel("as it is", fontsize=7)
        grid[2 * k + 1, 0].set_ylabel("changed", fontsize=7)
    figure.suptitle(f"Cells whose score falls most: head {card.head} of {card.model}", fontsize=10)
    save_figure(figure, path)
