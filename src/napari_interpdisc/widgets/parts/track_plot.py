"""The score of one track through time, drawn small."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor, QMouseEvent

from napari_interpdisc._types import RGBA
from napari_interpdisc.number_text import MINUS
from napari_interpdisc.widgets.parts.plot import (
    Plot,
    faint,
    line_item,
    round_ticks,
)


@dataclass(frozen=True)
class TrackSeries:
    """What is drawn of one track.

    Attributes
    ----------
    t
        (n,) frames, rising.
    lines
        (n, K) score of each class, or one column.
    line_colors
        K colours.
    point_colors
        n colours: of the class at each time.
    title
        Said above the plot.
    note
        Said below the title, if anything.
    """

    t: npt.NDArray[np.int64]
    lines: npt.NDArray[np.float32]
    line_colors: list[RGBA | None]
    point_colors: list[RGBA] = field(default_factory=list)
    title: str = ""
    note: str = ""


class TrackPlot(Plot):
    """Lines of score over frames, points in the colour of the class, a bar at the current frame.

    Signals
    -------
    clicked
        Frame of the track that is nearest to where the mouse was pressed.
    """

    clicked = Signal(int)

    def __init__(self) -> None:
        super().__init__(grows=True)
        self.series: TrackSeries | None = None
        self._frame = 0
        self.x_axis.setLabel("frame")
        self._bar = pg.InfiniteLine(angle=90)

    def has_data(self) -> bool:
        """Whether a track is drawn."""
        return self.series is not None

    def show_series(self, series: TrackSeries | None, empty: str = "") -> None:
        """Draw a track, or say ``empty`` in its place."""
        self.series, self.empty = series, empty
        self.redraw()

    def show_frame(self, t: int) -> None:
        """Move the bar to frame ``t``."""
        if t != self._frame:
            self._frame = t
            self._place_bar()

    def draw(self) -> None:
        """Draw lines, points, and the bar at the frame shown."""
        series = self.series
        assert series is not None
        self.set_heading(series.title, series.note)
        low, high = _span(series.lines)
        first, last = self._frames()
        self.set_ranges((first, last), (low, high))
        frames = [t for t in round_ticks(first, last) if t == round(t) and t >= 0]
        self.x_axis.setTicks([[(t, f"{t:g}") for t in frames]])
        pale = faint(self.ink, 0.35)
        ticks = round_ticks(low, high)
        self.y_axis.setTicks([[(v, f"{v:g}".replace("-", MINUS)) for v in ticks]])
        for value in ticks:
            style = Qt.PenStyle.SolidLine if value else Qt.PenStyle.DashLine
            self.box.addItem(
                pg.InfiniteLine(value, angle=0, pen=pg.mkPen(pale, width=1, style=style))
            )
        self._bar.setPen(pg.mkPen(self.chosen_colour, width=2))
        self.box.addItem(self._bar)
        self._place_bar()
        for values, color in zip(series.lines.T, series.line_colors, strict=True):
            ink = pale if color is None else QColor.fromRgbF(*color)
            self.box.addItem(line_item(series.t, values, ink, 1.5))
        if series.point_colors:
            brushes = [pg.mkBrush(QColor.fromRgbF(*color)) for color in series.point_colors]
            self.box.addItem(
                pg.ScatterPlotItem(series.t, series.lines.max(1), size=7, pen=None, brush=brushes)
            )

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt's name)
        """Tell the frame that was clicked."""
        if self.series is not None:
            t = self.series.t
            x = self.point_at(event.position())[0]
            self.clicked.emit(int(t[np.abs(t - x).argmin()]))

    def _frames(self) -> tuple[float, float]:
        assert self.series is not None
        first, last = float(self.series.t[0]), float(self.series.t[-1])
        air = 0.02 * (last - first) or 1.0  # room for the points at either end
        return first - air, last + air

    def _place_bar(self) -> None:
        if self.series is not None:
            self._bar.setValue(self._frame)
            first, last = self._frames()
            self._bar.setVisible(first <= self._frame <= last)


def _span(lines: npt.NDArray[np.float32]) -> tuple[float, float]:
    """Range of an axis that holds all values and 0, with some air."""
    low, high = min(0.0, float(lines.min())), max(0.0, float(lines.max()))
    air = max(0.5, 0.08 * (high - low))
    return low - air, high + air
