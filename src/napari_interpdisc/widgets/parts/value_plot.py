"""A small plot of values with their intervals, drawn by Qt while it is seen."""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtCore import QPointF, QRectF, Qt, Signal
from qtpy.QtGui import QColor, QMouseEvent, QPainter, QPen, QPolygonF

from napari_interpdisc.widgets.parts.plot import (
    CHOSEN_COLOUR,
    Plot,
    draw_level,
    faint,
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
        self._titles = x_title, y_title
        self.values: list[Value] = []
        self.chosen: int | None = None

    def has_data(self) -> bool:
        """Whether there are points."""
        return bool(self.values)

    def show_values(self, values: list[Value], chosen: int | None = None, empty: str = "") -> None:
        """Draw points by rising ``x``, or say ``empty`` in their place."""
        self.values, self.chosen, self.empty = values, chosen, empty
        self.update()

    def mark(self, chosen: int | None) -> None:
        """Mark one of the points."""
        self.chosen = chosen
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt's name)
        """Tell which point was clicked."""
        place = self._places()
        here = event.position()
        near = [(abs(p.x() - here.x()) + abs(p.y() - here.y()), i) for i, p in enumerate(place)]
        if near and min(near)[0] <= REACH_PX:
            self.clicked.emit(min(near)[1])

    def _box(self) -> QRectF:
        metrics = self.fontMetrics()
        line, left = metrics.height(), metrics.horizontalAdvance("0.00") + 12
        return QRectF(left, line + 8, self.width() - left - 12, self.height() - 3 * line - 14)

    def _spans(self) -> tuple[tuple[float, float], tuple[float, float]]:
        xs = [v.x for v in self.values]
        low = min(v.low for v in self.values)
        high = max(v.high for v in self.values)
        air_x = max(0.05 * (max(xs) - min(xs)), 0.5)
        air_y = max(0.08 * (high - low), 0.01)
        return (min(xs) - air_x, max(xs) + air_x), (low - air_y, high + air_y)

    def _at(self, x: float, y: float) -> QPointF:
        box, ((first, last), (low, high)) = self._box(), self._spans()
        return QPointF(
            box.left() + (x - first) / (last - first) * box.width(),
            box.bottom() - (y - low) / (high - low) * box.height(),
        )

    def _places(self) -> list[QPointF]:
        return [self._at(v.x, v.y) for v in self.values]

    def draw(self, painter: QPainter, ink: QColor) -> None:
        """Draw titles, axes, the line, and the points with their intervals."""
        pale = faint(ink, 0.3)
        box, ((first, last), (low, high)) = self._box(), self._spans()
        line = painter.fontMetrics().height()
        x_title, y_title = self._titles
        painter.drawText(QPointF(4, line), y_title)
        for y in round_ticks(low, high):
            draw_level(painter, box, self._at(first, y).y(), f"{y:.3g}", QPen(pale, 1), ink)
        middle = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop
        for x in round_ticks(first, last):
            if x == round(x):
                at = self._at(x, low).x()
                painter.drawText(QRectF(at - 30, box.bottom() + 2, 60, line), middle, f"{x:g}")
        below = QRectF(box.left(), box.bottom() + 2 + line, box.width(), line + 4)
        painter.drawText(below, middle, x_title)
        places = self._places()
        painter.setPen(QPen(pale, 1.5))
        painter.drawPolyline(QPolygonF(places))
        for i, (value, place) in enumerate(zip(self.values, places, strict=True)):
            color = QColor(CHOSEN_COLOUR if i == self.chosen else POINT_COLOUR)
            painter.setPen(QPen(color, 2 if i == self.chosen else 1.2))
            painter.drawLine(self._at(value.x, value.low), self._at(value.x, value.high))
            painter.setBrush(color)
            radius = 5.0 if i == self.chosen else 3.5
            painter.drawEllipse(place, radius, radius)
