"""Reliability diagrams: how often heads are right at each confidence."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from napari_interpdisc.discovery.reliability import TWENTIETHS, Reliabilities, Reliability
from napari_interpdisc.figures.canvas import save_figure
from napari_interpdisc.figures.palette import ON_WHITE

COLUMNS = 4
"""Panels side by side, at most."""

SEEN_ON_BOTH = ("#2b8cc4",)
"""Colour of the curve in a window, on the dark and on the light theme."""

STYLES = (("o", "-"), ("s", "--"), ("^", ":"), ("D", "-."))
"""Marker and line of the second set of cells and those after it, which share a colour."""


def draw_reliability(path: Path, found: Reliabilities) -> None:
    """Write :func:`reliability_figure` as a PNG file."""
    save_figure(reliability_figure(found), path)


def reliability_figure(found: Reliabilities) -> Figure:
    """Draw share right against confidence, one panel for each head.

    A point is a bin of about equal count, a line its 95 % interval by group, and points on the
    dashed diagonal are right. Bars below show how many of the cells have which confidence. The
    first set of cells, that of held-out groups, has one colour; all others share a second one, and
    differ in marker and line.

    Parameters
    ----------
    found
        Reliability of each head on each set of cells, by what to call them.
    """
    sets = list(dict.fromkeys(name for own in found.values() for name in own))
    columns = min(COLUMNS, len(found))
    rows = -(-len(found) // columns)
    figure = Figure(figsize=(2.5 * columns + 0.3, 3.1 * rows + 0.5), layout="constrained")
    grid = figure.subplots(
        2 * rows, columns, squeeze=False, gridspec_kw={"height_ratios": [4, 1] * rows}
    )
    for axes in grid.ravel():
        axes.set_axis_off()
    for k, (head, own) in enumerate(found.items()):
        row, column = divmod(k, columns)
        curve, bars = grid[2 * row : 2 * row + 2, column]
        _draw_head(curve, bars, head, own, sets)
        if column == 0:
            curve.set_ylabel("share right", fontsize=8)
            bars.set_ylabel("cells", fontsize=8)
    by_name = {
        name: handle
        for axes in grid[::2].ravel()
        for handle, name in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    shown = ["confidence is right", *sets]
    figure.legend(
        [by_name[name] for name in shown], shown, loc="outside lower center",
        ncols=min(len(shown), 2 * columns) if columns > 1 else 1, fontsize=8, frameon=False,
    )  # fmt: skip
    return figure


def reliability_panel(
    found: Reliability, ink: str, width: float, height: float, dpi: float
) -> Figure:
    """Draw the reliability of one head on held-out cells, to be put into a window.

    As in :func:`reliability_figure`, without title and legend, on a background that is seen
    through.

    Parameters
    ----------
    found
        Reliability of the head.
    ink
        Colour of texts and axes.
    width, height, dpi
        Size in pixels, and pixels per inch.
    """
    size = (max(width, 100) / dpi, max(height, 100) / dpi)
    figure = Figure(figsize=size, dpi=dpi, layout="constrained", facecolor="none")
    curve, bars = figure.subplots(2, 1, gridspec_kw={"height_ratios": [3, 1]})
    _draw_head(curve, bars, "", {"held out": found}, ["held out"], SEEN_ON_BOTH)
    curve.set_ylabel("share right", fontsize=8, color=ink)
    bars.set_ylabel("cells", fontsize=8, color=ink)
    for axes in (curve, bars):
        axes.set_facecolor("none")
        axes.tick_params(labelsize=7, colors=ink)
        axes.xaxis.label.set_color(ink)
        for spine in axes.spines.values():
            spine.set_color(ink)
    return figure


def _draw_head(
    curve: Axes,
    bars: Axes,
    head: str,
    own: Mapping[str, Reliability],
    sets: list[str],
    colours: tuple[str, ...] = ON_WHITE,
) -> None:
    """Draw the curves of one head, and below them the shares of cells by confidence."""
    edges = np.linspace(0, 1, TWENTIETHS + 1)
    lowest = min(edges[np.flatnonzero(one.histogram)[0]] for one in own.values())
    curve.plot([0, 1], [0, 1], "--", color="0.6", lw=1, label="confidence is right", zorder=0)
    for name, one in own.items():
        place = sets.index(name)
        color, (marker, line) = colours[min(place, 1)], STYLES[max(place - 1, 0) % len(STYLES)]
        error = np.abs(one.right_interval.T - one.right)
        curve.errorbar(
            one.confidence, one.right, np.nan_to_num(error), color=color, marker=marker, ms=4,
            ls=line, lw=1, elinewidth=0.8, alpha=0.85, label=name,
        )  # fmt: skip
        share = one.histogram / one.n_cells
        bars.stairs(share, edges, color=color, ls=line, fill=not place, alpha=0.7)
    for axes in (curve, bars):
        axes.set_axis_on()
        axes.set_xlim(lowest - 0.02, 1.02)
        axes.tick_params(labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
    seen = [lowest, *(np.nanmin([one.right, *one.right_interval.T]) for one in own.values())]
    curve.set_ylim(min(seen) - 0.02, 1.02)
    curve.set_xticklabels([])
    curve.set_title(head, fontsize=9)
    bars.set_ylim(0, 1)
    bars.set_yticks([0, 1], ["0", "100 %"])
    bars.set_xlabel("confidence", fontsize=8)
