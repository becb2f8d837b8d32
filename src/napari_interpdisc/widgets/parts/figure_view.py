"""A figure of matplotlib in a window, in the colours of the theme."""

from __future__ import annotations

from collections.abc import Callable

from matplotlib.figure import Figure
from qtpy.QtCore import QEvent
from qtpy.QtGui import QImage, QPainter, QPaintEvent, QPixmap, QResizeEvent, QShowEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_interpdisc.figures.canvas import figure_pixels

DPI = 96.0

Draw = Callable[[str, float, float, float], Figure]
"""A figure in an ink, of a width and a height in pixels, at pixels per inch."""


class FigureView(QWidget):  # type: ignore[misc]
    """A figure that is drawn when it is first seen, and again for another width or theme."""

    def __init__(self, height: int) -> None:
        super().__init__()
        self.pixmap: QPixmap | None = None
        self._draw_figure: Draw | None = None
        self._drawn: object = None
        self.setFixedHeight(height)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_figure(self, draw: Draw | None) -> None:
        """Show what ``draw`` draws, or nothing."""
        self._draw_figure = draw
        self.setVisible(draw is not None)
        self._draw()

    def _draw(self) -> None:
        if not self.isVisible() or self._draw_figure is None:
            return
        ratio, ink = self.devicePixelRatioF(), self.palette().color(self.foregroundRole()).name()
        size = (self.width() * ratio, self.height() * ratio)
        asked = (self._draw_figure, ink, size)
        if asked == self._drawn:
            return
        self._drawn = asked
        pixels = figure_pixels(self._draw_figure(ink, *size, DPI * ratio))
        height, width, _ = pixels.shape
        # Agg's colours are not multiplied by their opacity
        image = QImage(pixels.tobytes(), width, height, 4 * width, QImage.Format.Format_RGBA8888)
        self.pixmap = QPixmap.fromImage(image.copy())
        self.pixmap.setDevicePixelRatio(ratio)
        self.update()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 (Qt's name)
        """Draw what was asked for while hidden."""
        super().showEvent(event)
        self._draw()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 (Qt's name)
        """Draw for another width."""
        super().resizeEvent(event)
        self._draw()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 (Qt's name)
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange):
            self._draw()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 (Qt's name)
        """Paint the picture."""
        if self.pixmap is None:
            return
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self.pixmap)
        painter.end()
