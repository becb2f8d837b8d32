"""The score of one track through time, drawn small."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPen, QPolygonF

from napari_interpdisc._types import RGBA
from napari_interpdisc.number_text import MINUS
from napari_interpdisc.widgets.parts.plot import (
    CHOSEN_COLOUR,
    Plot,
    draw_level,
    faint,
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
    """Lines of score over frames, points in the colour of the class, a bar at the current frame."""

    def __init__(self) -> None:
        super().__init__(grows=True)
        self.series: TrackSeries | None = None
        self._frame = 0

    def has_data(self) -> bool:
        """Whether a track is drawn."""
        return self.series is not None

    def show_series(self, series: TrackSeries | None, empty: str = "") -> None:
        """Draw a track, or say ``empty`` in its place."""
        self.series, self.empty = series, empty
        self.update()

    def show_frame(self, t: int) -> None:
        """Move the bar to frame ``t``."""
        if t != self._frame:
            self._frame = t
            self.update()

    def draw(self, painter: QPainter, ink: QColor) -> None:
        """Draw title, axes, lines, points, and the bar at the frame shown."""
        series, pale = self.series, faint(ink, 0.35)
        assert series is not None
        line = painter.fontMetrics().height()
        low, high = _span(series.lines)
        ticks = round_ticks(low, high)
        left = max(painter.fontMetrics().horizontalAdvance(f"{v:g}") for v in ticks) + 10
        head = line * (1 + bool(series.note)) + 8
        box = QRectF(left, head, self.width() - left - 10, self.height() - head - 2 * line - 6)
        first, last = int(series.t[0]), int(series.t[-1])
        if first == last:
            first, last = first - 1, last + 1

        def at(t: float, value: float) -> QPointF:
            x = box.left() + (t - first) / (last - first) * box.width()
            return QPointF(x, box.bottom() - (value - low) / (high - low) * box.height())

        painter.setPen(ink)
        for k, said in enumerate((series.title, series.note), start=1):
            text = painter.fontMetrics().elidedText(
                said, Qt.TextElideMode.ElideRight, self.width() - 8
            )
            painter.drawText(QPointF(4, k * line), text)
        for value in ticks:
            pen = QPen(pale, 1, Qt.PenStyle.SolidLine if value else Qt.PenStyle.DashLine)
            text = f"{value:g}".replace("-", MINUS)
            draw_level(painter, box, at(first, value).y(), text, pen, ink)
        for t, flag in ((first, Qt.AlignmentFlag.AlignLeft), (last, Qt.AlignmentFlag.AlignRight)):
            painter.drawText(QRectF(box.left(), box.bottom() + 2, box.width(), line), flag, str(t))
        middle = QRectF(box.left(), box.bottom() + 2 + line * 0.9, box.width(), line)
        painter.drawText(middle, Qt.AlignmentFlag.AlignCenter, "frame")
        if first <= self._frame <= last:
            painter.setPen(QPen(QColor(CHOSEN_COLOUR), 2))
            painter.drawLine(at(self._frame, low), at(self._frame, high))
        for values, color in zip(series.lines.T, series.line_colors, strict=True):
            painter.setPen(QPen(pale if color is None else QColor.fromRgbF(*color), 1.5))
            painter.drawPolyline(
                QPolygonF(
                    [at(t, v) for t, v in zip(series.t.tolist(), values.tolist(), strict=True)]
                )
            )
        painter.setPen(Qt.PenStyle.NoPen)
        highest = series.lines.max(1)
        for t, value, point in zip(series.t, highest, series.point_colors, strict=True):
            painter.setBrush(QColor.fromRgbF(*point))
            painter.drawEllipse(at(int(t), float(value)), 3.5, 3.5)


def _span(lines: npt.NDArray[np.float32]) -> tuple[float, float]:
    """Range of an axis that holds all values and 0, with some air."""
    low, high = min(0.0, float(lines.min())), max(0.0, float(lines.max()))
    air = max(0.5, 0.08 * (high - low))
    return low - air, high + air
