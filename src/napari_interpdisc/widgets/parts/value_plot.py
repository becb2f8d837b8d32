"""A small plot of values with their intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QPointF, Signal
from qtpy.QtGui import QMouseEvent

from napari_interpdisc.widgets.parts.plot import (
    Plot,
    faint,
    line_item,
    nearest_of,
    round_ticks,
)

POINT_COLOUR = "#56b4e9"
REACH_PX = 12.0
"""A click this near to a point means it."""


@dataclass(frozen=True)
class Value:
    """One point: ``y`` from ``low`` to ``high`` at ``x``."""

    x: float
    y: float
    low: float
    high: float


class ValuePlot(Plot):
    """Points with error bars, joined by a line; one of them may be marked.

    Signals
    -------
    clicked
        Place of the point that was clicked.
    """

    clicked = Signal(int)

    def __init__(self, x_title: str, y_title: str) -> None:
        super().__init__(grows=False)
        self.values: list[Value] = []
        self.chosen: int | None = None
        self.x_axis.setLabel(x_title)
        self.set_heading(y_title)

    def has_data(self) -> bool:
        """Whether there are points."""
        return bool(self.values)

    def show_values(self, values: list[Value], chosen: int | None = None, empty: str = "") -> None:
        """Draw points by rising ``x``, or say ``empty`` in their place."""
        self.values, self.chosen, self.empty = values, chosen, empty
        self.redraw()

    def mark(self, chosen: int | None) -> None:
        """Mark one of the points."""
        if chosen != self.chosen:
            self.chosen = chosen
            self.redraw()

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt's name)
        """Tell which point was clicked."""
        near = nearest_of(self.places(), event.position(), REACH_PX)
        if near is not None:
            self.clicked.emit(near)

    def places(self) -> list[QPointF]:
        """Where the points are, px of the widget."""
        return [self.place_of(v.x, v.y) for v in self.values]

    def draw(self) -> None:
        """Draw the line, and the points with their intervals."""
        xs, ys = np.array([(v.x, v.y) for v in self.values]).T
        low = min(v.low for v in self.values)
        high = max(v.high for v in self.values)
        air_x = max(0.05 * float(np.ptp(xs)), 0.5)
        air_y = max(0.08 * (high - low), 0.01)
        x_range = (float(xs.min()) - air_x, float(xs.max()) + air_x)
        y_range = (low - air_y, high + air_y)
        self.set_ranges(x_range, y_range)
        whole = [x for x in round_ticks(*x_range) if x == round(x)]  # both axes count things
        self.x_axis.setTicks([[(x, f"{x:g}") for x in whole]])
        levels = round_ticks(*y_range)
        self.y_axis.setTicks([[(y, f"{y:.3g}") for y in levels]])
        pale = faint(self.ink, 0.3)
        for y in levels:
            self.box.addItem(pg.InfiniteLine(y, angle=0, pen=pg.mkPen(pale, width=1)))
        self.box.addItem(line_item(xs, ys, pale, 1.5))
        for i, value in enumerate(self.values):
            chosen = i == self.chosen
            color = self.chosen_colour if chosen else POINT_COLOUR
            interval = ([value.x, value.x], [value.low, value.high])
            self.box.addItem(line_item(*interval, color, 2 if chosen else 1.2))
        colors = [self.chosen_colour if i == self.chosen else POINT_COLOUR for i in range(len(xs))]
        sizes = [10 if i == self.chosen else 7 for i in range(len(xs))]
        self.box.addItem(pg.ScatterPlotItem(xs, ys, size=sizes, pen=None, brush=colors))
