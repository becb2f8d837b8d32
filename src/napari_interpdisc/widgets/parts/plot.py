"""What small plots share, all drawn by Qt and only while they are seen."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_interpdisc.widgets.canvas.picking import RING_COLOUR

CHOSEN_COLOUR = RING_COLOUR
"""Of what is selected or shown just now."""


class Plot(QWidget):  # type: ignore[misc]
    """A plot, or a sentence in its place while there is nothing to draw.

    Qt paints a widget only while it is seen, so a hidden plot costs nothing; ``painted`` counts.

    Parameters
    ----------
    grows
        Whether it takes the height that is left.
    """

    def __init__(self, grows: bool) -> None:
        super().__init__()
        self.painted = 0
        self.empty = ""
        self.setMinimumHeight(150)
        height = QSizePolicy.Policy.Expanding if grows else QSizePolicy.Policy.Fixed
        self.setSizePolicy(QSizePolicy.Policy.Expanding, height)

    def has_data(self) -> bool:
        """Whether there is anything to draw."""
        raise NotImplementedError

    def draw(self, painter: QPainter, ink: QColor) -> None:
        """Draw all that there is, texts and axes in ``ink``."""
        raise NotImplementedError

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 (Qt's name)
        """Draw everything."""
        self.painted += 1
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink = self.palette().color(self.foregroundRole())
        painter.setPen(ink)
        if self.has_data():
            self.draw(painter, ink)
        else:
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(self.rect().adjusted(8, 0, -8, 0), flags, self.empty)
        painter.end()


def faint(ink: QColor, opacity: float) -> QColor:
    """The same colour, seen through."""
    lighter = QColor(ink)
    lighter.setAlphaF(opacity)
    return lighter


def draw_level(painter: QPainter, box: QRectF, y: float, text: str, pen: QPen, ink: QColor) -> None:
    """Draw a line across ``box`` at height ``y``, and its number to the left of the box."""
    painter.setPen(pen)
    painter.drawLine(QPointF(box.left(), y), QPointF(box.right(), y))
    painter.setPen(ink)
    line = painter.fontMetrics().height()
    right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
    painter.drawText(QRectF(0, y - line / 2, box.left() - 5, line), right, text)


def round_ticks(low: float, high: float) -> list[float]:
    """Round numbers between ``low`` and ``high``, 0 among them if it is between them."""
    rough = (high - low) / 4
    power = 10.0 ** np.floor(np.log10(rough))
    step = float(power * min((1, 2, 5, 10), key=lambda m: abs(m * power - rough)))
    return [k * step for k in range(int(np.ceil(low / step)), int(np.floor(high / step)) + 1)]
