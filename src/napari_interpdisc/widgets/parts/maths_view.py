"""Typeset maths in a window."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from qtpy.QtCore import QEvent, QRect, QSize, Qt
from qtpy.QtGui import QImage, QPainter, QPaintEvent, QPixmap, QResizeEvent, QShowEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.figures.maths import draw_sum
from napari_interpdisc.widgets.parts.term_bars import INSET

LARGER = 1.15
"""Letters of maths, compared with those of the window: indices are small."""


class MathsView(QWidget):  # type: ignore[misc]
    """A sum as typeset maths, in lines that fit the width, in the theme's colour.

    It is drawn when it is first seen, and again for another width or theme. What cannot be typeset
    is shown as plain text.
    """

    def __init__(self) -> None:
        super().__init__()
        self.parts: tuple[str, ...] = ()
        self.plain = ""
        self.pixmap: QPixmap | None = None
        self._drawn: object = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_sum(self, parts: Sequence[str], plain: str) -> None:
        """Show LaTeX, a piece for each term; ``plain`` is the same as text."""
        self.parts, self.plain = tuple(parts), plain
        self._draw()

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """As high as what is drawn."""
        return QSize(200, self.height())

    def _draw(self) -> None:
        if not self.isVisible() or not self.parts:
            return
        font, ratio = self.fontMetrics(), self.devicePixelRatioF()
        color = self.palette().color(self.foregroundRole()).getRgbF()
        # the size of a font in pixels is not always known, the height of its lines is
        size = round(0.8 * LARGER * font.height() * ratio, 1)
        asked = (self.parts, round((self.width() - INSET) * ratio), size, color)
        if asked == self._drawn:
            return
        self._drawn = asked
        try:
            self.pixmap = _pixmap(draw_sum(*asked), ratio)
            height = self.pixmap.deviceIndependentSize().height()
        except InvalidInput:
            self.pixmap = None
            room = QRect(0, 0, self.width() - INSET, 10_000)
            height = font.boundingRect(room, Qt.TextFlag.TextWordWrap, self.plain).height()
        self.setFixedHeight(round(height) + 4)
        self.update()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 (Qt's name)
        """Draw what was asked for while hidden."""
        super().showEvent(event)
        self._draw()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 (Qt's name)
        """Break lines anew."""
        super().resizeEvent(event)
        self._draw()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 (Qt's name)
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() in (
            QEvent.Type.PaletteChange,
            QEvent.Type.StyleChange,
            QEvent.Type.FontChange,
        ):
            self._draw()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 (Qt's name)
        """Paint the picture, or the text in its place."""
        painter = QPainter(self)
        if self.pixmap is not None:
            painter.drawPixmap(INSET, 2, self.pixmap)
        else:
            painter.drawText(
                self.rect().adjusted(INSET, 0, 0, 0), Qt.TextFlag.TextWordWrap, self.plain
            )
        painter.end()


def _pixmap(pixels: np.ndarray, ratio: float) -> QPixmap:
    height, width, _ = pixels.shape
    # Agg's colours are not multiplied by their opacity
    image = QImage(pixels.tobytes(), width, height, 4 * width, QImage.Format.Format_RGBA8888)
    pixmap = QPixmap.fromImage(image.copy())
    pixmap.setDevicePixelRatio(ratio)
    return pixmap
