"""What plots share: pyqtgraph in the colours of the theme, drawn only while they are seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QEvent, QPoint, QPointF, QSize, Qt
from qtpy.QtGui import (
    QColor,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QShowEvent,
    QTextOption,
    QWheelEvent,
)
from qtpy.QtWidgets import QSizePolicy

from napari_interpdisc.number_text import MINUS

EDGE = 8
"""Room right of the axes, px: the last number of an axis stands out."""

FOOT = 6
"""Room below the axes, px: pyqtgraph cuts what is below the line of a title."""


class Axis(pg.AxisItem):  # type: ignore[misc]
    """An axis with the signs of printed numbers, and no prefix such as k or m.

    A title that is longer than the axis is broken into lines.
    """

    def __init__(self, side: str) -> None:
        super().__init__(side, maxTickLength=-4)
        self.enableAutoSIPrefix(False)
        lines = QTextOption(Qt.AlignmentFlag.AlignHCenter)
        lines.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.label.document().setDefaultTextOption(lines)

    def resizeEvent(self, event: Any = None) -> None:  # noqa: N802 (Qt's name)
        """Break the title anew."""
        upright = self.orientation in ("left", "right")
        length = self.size().height() if upright else self.size().width()
        if self.label is not None and length > 0 and length != self.label.textWidth():
            self.label.setTextWidth(length)
            self.showLabel(self.label.isVisible())  # the room that it takes
        super().resizeEvent(event)

    def tickStrings(self, values: Any, scale: float, spacing: float) -> list[str]:  # noqa: N802
        """Numbers of the ticks."""
        return [one.replace("-", MINUS) for one in super().tickStrings(values, scale, spacing)]


class Plot(pg.GraphicsView):  # type: ignore[misc]
    """A plot, or a sentence in its place while there is nothing to draw.

    Qt paints a widget only while it is seen; ``painted`` counts. The mouse neither moves nor zooms
    the axes, and the wheel scrolls what the plot is in. What is added to ``box`` is drawn.

    Parameters
    ----------
    grows
        Whether it takes the height that is left.

    Attributes
    ----------
    box
        Where the axes run, and all that is between them.
    x_axis, y_axis
        The axes.
    """

    def __init__(self, grows: bool) -> None:
        super().__init__(background=None)
        self.painted = 0
        self.empty = ""
        self._heading: list[str] = []
        self.box = pg.ViewBox(enableMenu=False, enableMouse=False, defaultPadding=0)
        self.box.disableAutoRange()
        self.x_axis, self.y_axis = Axis("bottom"), Axis("left")
        grid = self.centralLayout
        grid.setSpacing(0)
        grid.addItem(self.y_axis, 0, 0)
        grid.addItem(self.box, 0, 1)
        grid.addItem(self.x_axis, 1, 1)
        grid.setRowStretchFactor(0, 1)
        grid.setColumnStretchFactor(1, 1)
        for axis in (self.x_axis, self.y_axis):
            axis.linkToView(self.box)
        self.setAntialiasing(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setMinimumHeight(150)
        height = QSizePolicy.Policy.Expanding if grows else QSizePolicy.Policy.Fixed
        self.setSizePolicy(QSizePolicy.Policy.Expanding, height)
        self.set_heading()
        self._take_colours()

    # -- what is drawn ----------------------------------------------------------------------------

    def has_data(self) -> bool:
        """Whether there is anything to draw."""
        raise NotImplementedError

    def draw(self) -> None:
        """Put all that there is into ``box``, in the colours of the theme."""
        raise NotImplementedError

    def redraw(self) -> None:
        """Draw anew, or say what is missing."""
        self.box.clear()
        self.centralWidget.setVisible(self.has_data())
        if self.has_data():
            self.draw()
        self.viewport().update()

    def set_ranges(self, x: tuple[float, float], y: tuple[float, float]) -> None:
        """Let the axes run from (low, high) to each other."""
        self.box.setRange(xRange=x, yRange=y, padding=0, disableAutoRange=True)

    def set_heading(self, *lines: str) -> None:
        """Write lines above the axes; what does not fit is cut, and empty ones take no room."""
        self._heading = [line for line in lines if line]
        top = len(self._heading) * self.fontMetrics().height() + 4 * bool(self._heading) + 4
        self.centralLayout.setContentsMargins(2, top, EDGE, FOOT)
        self.centralLayout.activate()

    # -- colours ----------------------------------------------------------------------------------

    @property
    def ink(self) -> QColor:
        """Colour of texts and axes in the present theme."""
        return self.palette().color(QPalette.ColorRole.WindowText)

    @property
    def chosen_colour(self) -> QColor:
        """Of what is selected or shown just now: no colour that a class may have."""
        return self.ink

    @property
    def is_dark(self) -> bool:
        """Whether the present theme is a dark one."""
        return bool(self.ink.lightnessF() > 0.5)

    def _take_colours(self) -> None:
        self.setBackground(self.palette().color(QPalette.ColorRole.Window))
        for axis in (self.x_axis, self.y_axis):
            axis.setPen(faint(self.ink, 0.5))
            axis.setTextPen(self.ink)

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 (Qt's name)
        """Follow a change of the theme."""
        super().changeEvent(event)
        changes = (QEvent.Type.PaletteChange, QEvent.Type.StyleChange)
        if event.type() in changes and self.isVisible():
            self._take_colours()
            self.redraw()

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """As high as it must be."""
        return QSize(300, self.minimumHeight())

    # -- Qt ---------------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 (Qt's name)
        """Take the colours of the window that it is now in."""
        super().showEvent(event)
        self._take_colours()
        self.redraw()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 (Qt's name)
        """Draw everything."""
        self.painted += 1
        super().paintEvent(event)
        painter = QPainter(self.viewport())
        painter.setPen(self.ink)
        if self.has_data():
            metrics = painter.fontMetrics()
            for k, line in enumerate(self._heading, 1):
                fits = metrics.elidedText(line, Qt.TextElideMode.ElideRight, self.width() - 8)
                painter.drawText(4, k * metrics.height(), fits)
        else:
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(self.rect().adjusted(8, 0, -8, 0), flags, self.empty)
        painter.end()

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802 (Qt's name)
        """Leave the wheel to what the plot is in."""
        event.ignore()

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt's name)
        """Do nothing: pyqtgraph would open its menu, or move the axes."""

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt's name)
        """Do nothing."""

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt's name)
        """Do nothing."""

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt's name)
        """Do nothing."""

    # -- places -----------------------------------------------------------------------------------

    def place_of(self, x: float, y: float) -> QPointF:
        """Where a point of the axes is, px of the widget."""
        inside = self.box.mapViewToScene(QPointF(x, y))
        return self.viewportTransform().map(inside)

    def point_at(self, place: QPointF | QPoint) -> tuple[float, float]:
        """Point (x, y) of the axes at a place, px of the widget."""
        back, _ = self.viewportTransform().inverted()
        point = self.box.mapSceneToView(back.map(QPointF(place)))
        return point.x(), point.y()


def nearest_of(places: Sequence[QPointF], here: QPointF, within: float) -> int | None:
    """Position of the place nearest to ``here``; None if all are farther than ``within`` px."""
    if not places:
        return None
    distance = np.array([np.hypot(p.x() - here.x(), p.y() - here.y()) for p in places])
    best = int(distance.argmin())
    return best if distance[best] <= within else None


def faint(ink: QColor, opacity: float) -> QColor:
    """The same colour, seen through."""
    lighter = QColor(ink)
    lighter.setAlphaF(opacity)
    return lighter


def line_item(
    x: Any, y: Any, color: Any, width: float = 1.0, style: Any = Qt.PenStyle.SolidLine, **more: Any
) -> pg.PlotCurveItem:
    """A line through points (n,)."""
    pen = pg.mkPen(color, width=width, style=style)
    return pg.PlotCurveItem(np.asarray(x, float), np.asarray(y, float), pen=pen, **more)


def round_ticks(low: float, high: float) -> list[float]:
    """Round numbers between ``low`` and ``high``, 0 among them if it is between them."""
    rough = (high - low) / 4
    power = 10.0 ** np.floor(np.log10(rough))
    step = float(power * min((1, 2, 5, 10), key=lambda m: abs(m * power - rough)))
    return [k * step for k in range(int(np.ceil(low / step)), int(np.floor(high / step)) + 1)]
