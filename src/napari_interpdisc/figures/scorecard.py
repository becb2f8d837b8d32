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
    rows = cards[0].rows
    height = 0.18 * len(cards) + 0.16
    figure = Figure(figsize=(9, 1.4 + height * len(rows)), layout="constrained")
    axes = figure.subplots()
    at = np.arange(len(rows)) * height
    for k, card in enumerate(cards):
        changed = 100 * np.array([row.changed for row in card.rows])
        low, high = (100 * np.array([r.interval[i] for r in card.rows]) for i in (0, 1))
        error = np.clip([changed - low, high - changed], 0, None)
        axes.barh(
            at + 0.18 * k, changed, 0.16, xerr=error, color=COLOURS[k % len(COLOURS)],
            label=card.head, error_kw={"lw": 0.8, "ecolor": "0.3"},
        )  # fmt: skip
    middle = 0.09 * (len(cards) - 1)
    for y, row in zip(at + middle, rows, strict=True):
        if row.limit is not None:
            reach = 0.1 * len(cards)
            axes.plot([100 * row.limit] * 2, [y - reach, y + reach], color="black", lw=1.2)
    axes.set_yticks(at + middle, [row.name for row in rows], fontsize=8)
    for first, row in enumerate(rows):
        if first and rows[first - 1].constraint != row.constraint:
            axes.axhline(at[first] - 0.14, color="0.8", lw=0.8)
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.set_xlabel("cells whose class changes (%), with 95 % interval; black: what is allowed")
    axes.spines[["top", "right"]].set_visible(False)
    cells = f"{cards[0].cells} cells in {cards[0].groups} groups"
    axes.set_title(f"Domain constraints: {cards[0].model}, {cells}", fontsize=10)
    axes.legend(fontsize=8, loc="lower right")
    save_figure(figure, path)


def draw_worst(path: Path, card: Scorecard, crops: Float32Array) -> None:
    """Draw the cells that change most in the worst tests: as they are, and changed.

    ``crops`` are the (N, 1, S, S) crops that were tested, in their order.
    """
    tests = sorted(card.rows, key=lambda row: -row.changed)[:MOST_TESTS]
    tests = [row for row in tests if row.changed > 0] or tests[:1]
    n = max(len(row.worst) for row in tests)
    figure = Figure(figsize=(1.1 * n + 2.4, 2.15 * len(tests) + 0.5), layout="constrained")
    grid = figure.subplots(2 * len(tests), n, squeeze=False)
    for axes in grid.ravel():
        axes.set(xticks=[], yticks=[])
        for spine in axes.spines.values():
            spine.set_visible(False)
    for k, row in enumerate(tests):
        for column, (cell, changed) in enumerate(zip(row.worst, row.worst_crops, strict=True)):
            grid[2 * k, column].imshow(crops[cell, 0], **GREYS)
            grid[2 * k + 1, column].imshow(changed[0], **GREYS)
            grid[2 * k, column].set_title(f"cell {cell}", fontsize=7, pad=2)
        name = row.name.replace(", ", ",\n").replace(" of ", "\nof ")
        grid[2 * k, 0].set_ylabel("as it is", fontsize=7)
        grid[2 * k + 1, 0].set_ylabel(f"{name}\n{row.changed:.1%}", fontsize=7)
    figure.suptitle(f"Cells whose score falls most: head {card.head} of {card.model}", fontsize=10)
    save_figure(figure, path)
