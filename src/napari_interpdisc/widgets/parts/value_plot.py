"""A small plot of values with their intervals, drawn by Qt while it is seen."""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtCore import QPointF, QRectF, Qt, Signal
from qtpy.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_interpdisc.widgets.parts.track_plot import round_ticks

POINT_COLOUR = "#56b4e9"
CHOSEN_COLOUR = "#ffd400"
REACH_PX = 12.0
"""A click this near to a point means it."""


@dataclass(frozen=True)
class Value:
    """One point: ``y`` from ``low`` to ``high`` at ``x``."""

    x: float
    y: float
    low: float
    high: float


class ValuePlot(QWidget):  # type: ignore[misc]
    """Points with error bars, joined by a line; one of them may be marked.

    Signals
    -------
    clicked
        Place of the point that was clicked.
    """

    clicked = Signal(int)

    def __init__(self, x_title: str, y_title: str) -> None:
        super().__init__()
        self._titles = x_title, y_title
        self.values: list[Value] = []
        self.chosen: int | None = None
        self._empty = ""
        self.painted = 0
        self.setMinimumHeight(150)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_values(self, values: list[Value], chosen: int | None = None, empty: str = "") -> None:
        """Draw points by rising ``x``, or say ``empty`` in their place."""
        self.values, self.chosen, self._empty = values, chosen, empty
        self.update()

    def mark(self, chosen: int | None) -> None:
        """Mark one of the points."""
        self.chosen = chosen
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 (Qt's name)
        """Draw everything."""
        self.painted += 1
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink = self.palette().color(self.foregroundRole())
        painter.setPen(ink)
        if self.values:
            self._draw(painter, ink)
        else:
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(self.rect().adjusted(8, 0, -8, 0), flags, self._empty)
        painter.end()

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

    def _draw(self, painter: QPainter, ink: QColor) -> None:
        faint = QColor(ink)
        faint.setAlphaF(0.3)
        box, ((first, last), (low, high)) = self._box(), self._spans()
        line = painter.fontMetrics().height()
        x_title, y_title = self._titles
        painter.drawText(QPointF(4, line), y_title)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        for y in round_ticks(low, high):
            here = self._at(first, y).y()
            painter.setPen(QPen(faint, 1))
            painter.drawLine(QPointF(box.left(), here), QPointF(box.right(), here))
            painter.setPen(ink)
            painter.drawText(QRectF(0, here - line / 2, box.left() - 6, line), right, f"{y:.3g}")
        middle = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop
        for x in round_ticks(first, last):
            if x == round(x):
                at = self._at(x, low).x()
                painter.drawText(QRectF(at - 30, box.bottom() + 2, 60, line), middle, f"{x:g}")
        below = QRectF(box.left(), box.bottom() + 2 + line, box.width(), line + 4)
        painter.drawText(below, middle, x_title)
        places = self._places()
        painter.setPen(QPen(faint, 1.5))
        painter.drawPolyline(QPolygonF(places))
        for i, (value, place) in enumerate(zip(self.values, places, strict=True)):
            color = QColor(CHOSEN_COLOUR if i == self.chosen else POINT_COLOUR)
            painter.setPen(QPen(color, 2 if i == self.chosen else 1.2))
            painter.drawLine(self._at(value.x, value.low), self._at(value.x, value.high))
            painter.setBrush(color)
            radius = 5.0 if i == self.chosen else 3.5
            painter.drawEllipse(place, radius, radius)
