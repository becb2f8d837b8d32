"""Pictures of cells in a window: crops, decodings, traversals."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import QRect, QSize, Qt
from qtpy.QtGui import QColor, QImage, QPainter, QPaintEvent
from qtpy.QtWidgets import (
    QLabel,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_interpdisc._types import Float32Array
from napari_interpdisc.widgets.parts.controls import is_dark

DISABLED_OPACITY = 0.35
"""Of pictures of what no longer holds."""


def grey_picture(pixels: Float32Array, limits: tuple[float, float]) -> QImage:
    """Grey picture of (Y, X) pixels, black and white at ``limits``."""
    low, high = limits
    grey = np.clip((pixels - low) / (high - low) * 255, 0, 255).astype(np.uint8)
    grey = np.ascontiguousarray(grey)
    height, width = grey.shape
    return QImage(grey.tobytes(), width, height, width, QImage.Format.Format_Grayscale8).copy()


def signed_picture(pixels: Float32Array, limit: float) -> QImage:
    """Blue (−limit) over black (0) to red (+limit) picture of (Y, X) pixels."""
    x = np.clip(pixels / limit, -1, 1)
    rgb = np.stack([np.maximum(x, 0), 0.35 * np.abs(x), np.maximum(-x, 0)], axis=-1)
    data = np.ascontiguousarray((rgb * 255).astype(np.uint8))
    height, width = pixels.shape
    return QImage(data.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888).copy()


class PictureView(QWidget):  # type: ignore[misc]
    """A square picture, scaled smoothly to the room there is, with a caption above."""

    def __init__(self, caption: str, tip: str, side: int = 128) -> None:
        super().__init__()
        self.picture: QImage | None = None
        self.caption = QLabel(caption)
        self.caption.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.canvas = _Canvas(self, side)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.caption)
        layout.addWidget(self.canvas)
        self.setToolTip(tip)

    def show_picture(self, picture: QImage | None) -> None:
        """Show a picture, or none."""
        self.picture = picture
        self.canvas.update()


class _Canvas(QWidget):  # type: ignore[misc]
    def __init__(self, view: PictureView, side: int) -> None:
        super().__init__()
        self._view, self._side = view, side
        self.setMinimumSize(side, side)
        self.setMaximumHeight(2 * side)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        return QSize(self._side, self._side)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 (Qt's name)
        side = min(self.width(), self.height())
        square = QRect((self.width() - side) // 2, (self.height() - side) // 2, side, side)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        if self._view.picture is None:
            painter.fillRect(square, QColor(0, 0, 0, 60))
        else:
            painter.setOpacity(1.0 if self.isEnabled() else DISABLED_OPACITY)
            painter.drawImage(square, self._view.picture)
        painter.end()


SCORE_COLOURS = {True: "#8fb8de", False: "#1f5c99"}
"""Of scores below pictures, on a dark and on a light ground."""


class TraversalStrip(QWidget):  # type: ignore[misc]
    """Pictures in a row, each with the value of the latent and the score below it."""

    LABEL_HEIGHT = 32

    def __init__(self, n: int) -> None:
        super().__init__()
        self.n = n
        self.pictures: list[QImage] = []
        self.labels: list[tuple[str, str]] = []
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(
            "Traversal of the latent that was touched last. All other latents are kept. "
            "Below each picture: the value of the latent, and the score."
        )

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """Room for all pictures and their labels."""
        return QSize(self.n * 56, 54 + self.LABEL_HEIGHT)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """Room for small pictures with readable labels."""
        return QSize(self.n * 44, 54 + self.LABEL_HEIGHT)

    def show_pictures(self, pictures: list[QImage], labels: list[tuple[str, str]]) -> None:
        """Show one picture per label (latent's value, score)."""
        self.pictures, self.labels = pictures, labels
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 (Qt's name)
        """Draw the pictures side by side."""
        if not self.pictures:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        font = painter.font()
        font.setPointSizeF(max(7.0, font.pointSizeF() - 1))
        painter.setFont(font)
        column = self.width() / len(self.pictures)
        side = int(min(column - 2, self.height() - self.LABEL_HEIGHT))
        for i, (picture, (value, score)) in enumerate(zip(self.pictures, self.labels, strict=True)):
            left = int(i * column)
            painter.drawImage(QRect(left + int((column - side) / 2), 0, side, side), picture)
            middle = int(Qt.AlignmentFlag.AlignHCenter)
            painter.setPen(self.palette().windowText().color())
            painter.drawText(QRect(left, side + 1, int(column), 15), middle, value)
            painter.setPen(QColor(SCORE_COLOURS[is_dark(self)]))
            painter.drawText(QRect(left, side + 15, int(column), 15), middle, score)
        painter.end()
