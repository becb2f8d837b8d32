"""Curves of what was found through time, as plain data that any plot can draw. No Qt here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import RGBA, Float64Array
from napari_interpdisc.through_time.alignment import Aligned
from napari_interpdisc.through_time.result import ThroughTime

MOST_LINES = 60
"""Tracks that are drawn one by one behind their mean."""


@dataclass(frozen=True)
class Curve:
    """One line through (n,) points.

    Attributes
    ----------
    x, y
        (n,) each; a line is broken where ``y`` is NaN.
    color
        Its colour; None for a pale one of the theme.
    width
        Its width, px.
    steps
        Whether it stays at each value until the next.
    low, high
        (n,) ends of a band around it, or None.
    """

    x: Float64Array
    y: Float64Array
    color: RGBA | None
    width: float = 2.0
    steps: bool = False
    low: Float64Array | None = None
    high: Float64Array | None = None


@dataclass(frozen=True)
class Curves:
    """All lines of one plot.

    Attributes
    ----------
    lines
        The lines, those behind first.
    x_title
        What the axis below shows.
    heading
        Lines above the axes.
    y_range
        Ends of the upright axis; by the lines if None.
    at
        Where upright thin lines stand.
    """

    lines: tuple[Curve, ...]
    x_title: str
    heading: tuple[str, ...] = ()
    y_range: tuple[float, float] | None = None
    at: tuple[float, ...] = field(default=())

    @property
    def x_range(self) -> tuple[float, float]:
        """Ends of the axis below."""
        low = min(float(line.x.min()) for line in self.lines)
        high = max(float(line.x.max()) for line in self.lines)
        return (low, high) if high > low else (low - 0.5, high + 0.5)

    def range_of_y(self) -> tuple[float, float]:
        """Ends of the upright axis, with some air."""
        if self.y_range is not None:
            return self.y_range
        parts = [v for line in self.lines for v in (line.y, line.low, line.high) if v is not None]
        values = np.concatenate(parts)
        values = values[np.isfinite(values)]
        if not len(values):
            return -1.0, 1.0
        low, high = float(values.min()), float(values.max())
        air = 0.06 * (high - low) or 0.5
        return low - air, high + air


def count_curves(found: ThroughTime, colors: Mapping[str, RGBA]) -> Curves:
    """Cells in each state over frames; thin lines are the classes, frame by frame."""
    counts = found.counts
    frames = counts.t.astype(float)
    lines = [
        Curve(frames, numbers[:, k].astype(float), colors[name], width)
        for numbers, width in ((counts.by_class, 0.8), (counts.by_state, 2.2))
        for k, name in enumerate(found.observed.classes)
    ]
    top = 1.08 * max(1.0, float(max(counts.by_class.max(), counts.by_state.max())))
    return Curves(
        tuple(lines), "frame", ("Cells in each state (thick), of each class (thin)",), (0.0, top)
    )


def survival_curves(
    found: ThroughTime, colors: Mapping[str, RGBA], chosen: int | None = None
) -> Curves | None:
    """Kaplan–Meier curves of all states; that of ``chosen`` with its interval. None without any."""
    lines: list[Curve] = []
    heading = "Share of phases that last longer (Kaplan–Meier)"
    note = ""
    for k, name in enumerate(found.observed.classes):
        curve = found.survival(k)
        if curve is None:
            continue
        x = np.concatenate([[0.0], curve.times])
        y, low, high = (np.concatenate([[1.0], v]) for v in (curve.share, curve.low, curve.high))
        if k == chosen:
            note = f"{name}: {curve.n} phases, {curve.n - curve.n_ended} open; band: 95 %"
            lines.append(Curve(x, y, colors[name], 2.6, True, low, high))
        else:
            lines.append(Curve(x, y, colors[name], 1.4, True))
    if not lines:
        return None
    return Curves(tuple(lines), f"duration ({found.unit})", (heading, note), (0.0, 1.04))


def aligned_curves(found: ThroughTime, aligned: Aligned, color: RGBA) -> Curves:
    """One column around an event: its mean, one standard deviation, and some tracks behind."""
    x = np.asarray(aligned.frames * found.step, np.float64)
    spread = np.nan_to_num(aligned.spread)
    behind = [Curve(x, row, None, 0.8) for row in aligned.values[:MOST_LINES]]
    mean = Curve(x, aligned.mean, color, 2.6, False, aligned.mean - spread, aligned.mean + spread)
    n = len(aligned.tracks)
    at_event = int(aligned.n[aligned.frames == 0][0])
    heading = f"{aligned.column}: mean ± standard deviation of {n} event{'s' * (n != 1)}"
    fewest, most = int(aligned.n.min()), int(aligned.n.max())
    note = f"{at_event} have a value at 0, {fewest} to {most} elsewhere"
    title = f"{found.unit} from {aligned.event}"
    return Curves((*behind, mean), title, (heading, note), None, (0.0,))


def frame_at(curves: Curves, x: float, step: float = 1.0) -> int:
    """Frame nearest to ``x`` of an axis of frames."""
    low, high = curves.x_range
    return int(np.clip(np.rint(x / step), np.ceil(low), np.floor(high)))


def broken(y: npt.ArrayLike) -> bool:
    """Whether a line has gaps."""
    return bool(np.isnan(np.asarray(y, float)).any())
