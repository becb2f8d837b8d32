"""Figures of cells through time: counts, survival curves, and scores around an event."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from napari_interpdisc.figures.canvas import save_figure
from napari_interpdisc.figures.palette import ON_WHITE
from napari_interpdisc.through_time.alignment import Aligned
from napari_interpdisc.through_time.result import ThroughTime

WIDTH = 5.2
COLUMNS = 3
"""Panels side by side, at most."""


def draw_through_time(path: Path, figure: Figure) -> None:
    """Write a figure as PNG or SVG, by its suffix.

    Raises
    ------
    InvalidInput
        If the file cannot be written.
    """
    save_figure(figure, path, dpi=150)


def _color(k: int) -> str:
    return ON_WHITE[k % len(ON_WHITE)]


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)


def counts_figure(found: ThroughTime) -> Figure:
    """Draw the share of each state over time; a thin line is the class, frame by frame."""
    figure = Figure(figsize=(WIDTH, 3.2), layout="constrained")
    axes = figure.subplots()
    times = found.counts.t * found.step
    for k, name in enumerate(found.observed.classes):
        for numbers, style in ((found.counts.by_state, 1.8), (found.counts.by_class, 0.7)):
            total = numbers.sum(1)
            share = np.divide(
                numbers[:, k], total, np.full(len(total), np.nan), where=total > 0
            )  # fmt: skip
            label = name if style > 1 else None
            axes.plot(times, share, color=_color(k), linewidth=style, label=label)
    axes.set_xlabel(f"time ({found.unit})" if found.minutes else "frame", fontsize=9)
    axes.set_ylabel("share of cells", fontsize=9)
    axes.set_ylim(0, 1)
    axes.set_title("State (thick) and class frame by frame (thin)", fontsize=9)
    _plain(axes)
    figure.legend(loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    return figure


def survival_figure(found: ThroughTime) -> Figure:
    """Draw the Kaplan–Meier curve of each state with its interval, and its median."""
    names = found.observed.classes
    columns = min(COLUMNS, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(2.6 * columns + 0.4, 2.6 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid[len(names) :]:
        axes.set_axis_off()
    for k, (name, axes) in enumerate(zip(names, grid, strict=False)):
        curve = found.survival(k)
        _plain(axes)
        axes.set_title(name, fontsize=8)
        axes.set_ylim(0, 1.02)
        axes.set_xlabel(f"duration ({found.unit})", fontsize=8)
        if k % columns == 0:
            axes.set_ylabel("share lasting longer", fontsize=8)
        if curve is None:
            axes.text(
                0.5, 0.5, "no phase was\nseen to its end", ha="center", va="center", fontsize=8,
                transform=axes.transAxes,
            )  # fmt: skip
            continue
        times = np.concatenate([[0.0], curve.times])
        share, low, high = (
            np.concatenate([[1.0], values]) for values in (curve.share, curve.low, curve.high)
        )
        axes.fill_between(times, low, high, step="post", color=_color(k), alpha=0.2, linewidth=0)
        axes.step(times, share, where="post", color=_color(k), linewidth=1.8)
        if np.isfinite(curve.median):
            axes.plot([0, curve.median, curve.median], [0.5, 0.5, 0], color="#777777", lw=0.8)
        said = "not reached" if np.isnan(curve.median) else f"{curve.median:.4g} {found.unit}"
        still = curve.n - curve.n_ended
        axes.set_title(f"{name}\nmedian {said}; {curve.n} phases, {still} open", fontsize=8)
        axes.set_xlim(left=0)
    return figure


def aligned_figure(found: ThroughTime, aligned: Sequence[Aligned]) -> Figure:
    """Draw columns against the time from an event: mean, and one standard deviation around it."""
    figure = Figure(figsize=(WIDTH, 2.2 * len(aligned) + 0.4), layout="constrained")
    grid = figure.subplots(len(aligned), 1, squeeze=False, sharex=True).ravel()
    for axes, one in zip(grid, aligned, strict=True):
        times = one.frames * found.step
        mean, spread = one.mean, np.nan_to_num(one.spread)
        axes.axvline(0, color="#777777", linewidth=0.8)
        axes.fill_between(times, mean - spread, mean + spread, color=_color(0), alpha=0.2, lw=0)
        axes.plot(times, mean, color=_color(0), linewidth=1.8)
        axes.set_ylabel(one.column, fontsize=8)
        _plain(axes)
    first = aligned[0]
    what = "division" if first.event not in found.observed.classes else f"start of {first.event}"
    grid[0].set_title(f"{len(first.tracks)} tracks, mean ± standard deviation", fontsize=9)
    grid[-1].set_xlabel(f"{found.unit} from the {what}", fontsize=9)
    return figure
