"""Curves, bands and a bar at the frame that is shown."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import Signal
from qtpy.QtGui import QColor, QMouseEvent

from napari_interpdisc.number_text import MINUS
from napari_interpdisc.widgets.parts.plot import Plot, faint, line_item, round_ticks
from napari_interpdisc.widgets.through_time.curves import Curves, broken

LIGHT, DARKER = 0.7, 150
"""Luminance from which a line is hard to see on white, and Qt's factor of a darker one."""


class CurvesPlot(Plot):
    """Lines with bands; a bar may stand at a value.

    Signals
    -------
    clicked
        Value of the axis below where the mouse was pressed.
    """

    clicked = Signal(float)

    def __init__(self) -> None:
        super().__init__(grows=True)
        self.curves: Curves | None = None
        self._at: float | None = None
        self._bar = pg.InfiniteLine(angle=90)

    def has_data(self) -> bool:
        """Whether there are lines."""
        return self.curves is not None

    def show_curves(self, curves: Curves | None, empty: str = "") -> None:
        """Draw curves, or say ``empty`` in their place."""
        self.curves, self.empty = curves, empty
        self.redraw()

    def show_bar(self, at: float | None) -> None:
        """Move the bar; None hides it."""
        self._at = at
        self._place_bar()

    def draw(self) -> None:
        """Draw bands, then lines, then the bar."""
        curves = self.curves
        assert curves is not None
        self.set_heading(*curves.heading)
        x_range, y_range = curves.x_range, curves.range_of_y()
        air = 0.02 * (x_range[1] - x_range[0])
        self.set_ranges((x_range[0] - air, x_range[1] + air), y_range)
        self.x_axis.setLabel(curves.x_title)
        for axis, span in ((self.x_axis, x_range), (self.y_axis, y_range)):
            ticks = [(v, f"{v:g}".replace("-", MINUS)) for v in round_ticks(*span)]
            axis.setTicks([ticks])
        pale = faint(self.ink, 0.3)
        for x in curves.at:
            self.box.addItem(pg.InfiniteLine(x, angle=90, pen=pg.mkPen(self.ink, width=1)))
        for line in curves.lines:
            color = pale if line.color is None else self.on_ground(QColor.fromRgbF(*line.color))
            if line.low is not None and line.high is not None:
                ends = [
                    _line(line.x, values, QColor(0, 0, 0, 0), 1.0, line.steps)
                    for values in (line.low, line.high)
                ]
                for end in ends:
                    self.box.addItem(end)
                self.box.addItem(pg.FillBetweenItem(*ends, brush=pg.mkBrush(faint(color, 0.25))))
            self.box.addItem(_line(line.x, line.y, color, line.width, line.steps))
        self._bar.setPen(pg.mkPen(self.chosen_colour, width=2))
        self.box.addItem(self._bar)
        self._place_bar()

    def on_ground(self, color: QColor) -> QColor:
        """A colour as it is drawn: a light one is darker on a light ground, to be seen."""
        light = 0.299 * color.redF() + 0.587 * color.greenF() + 0.114 * color.blueF()
        return color.darker(DARKER) if not self.is_dark and light > LIGHT else color

    def _place_bar(self) -> None:
        inside = False
        if self.curves is not None and self._at is not None:
            low, high = self.curves.x_range
            inside = low <= self._at <= high
            self._bar.setValue(self._at)
        self._bar.setVisible(inside)

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt's name)
        """Tell where the mouse was pressed."""
        if self.has_data():
            self.clicked.emit(self.point_at(event.position())[0])


def _line(
    x: np.ndarray, y: np.ndarray, color: QColor, width: float, steps: bool
) -> pg.PlotCurveItem:
    if steps:  # stays at each value until the next x
        x, y = np.repeat(x, 2)[1:], np.repeat(y, 2)[:-1]
    connect = "finite" if broken(y) else "all"
    return line_item(x, y, color, width, connect=connect)
