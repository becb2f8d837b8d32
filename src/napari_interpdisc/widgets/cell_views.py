"""Small Qt parts that show cells and their latents."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QPointF, QRect, QSize, Qt, Signal
from qtpy.QtGui import QColor, QImage, QPainter, QPaintEvent, QPolygonF, QWheelEvent
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QSlider,
    QStyle,
    QStyleOptionSlider,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_interpdisc.widgets.picking import RING_COLOUR
from napari_interpdisc.widgets.wording import signed

Float32Array = npt.NDArray[np.float32]

SLIDER_RANGE = 4.0
"""Latents have a standard normal prior: ±4 holds nearly all that can occur."""

STEPS_PER_UNIT = 100


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
            painter.drawImage(square, self._view.picture)
        painter.end()


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
            "What the latent touched last does while all others stay. "
            "Below each picture: the latent's value and the score."
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
            painter.setPen(QColor("#8fb8de"))
            painter.drawText(QRect(left, side + 15, int(column), 15), middle, score)
        painter.end()


class MarkedSlider(QSlider):  # type: ignore[misc]
    """A slider over real numbers with a mark at the cell's own value."""

    def __init__(self) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self._mark: float | None = None
        self.set_limit(SLIDER_RANGE)
        self.setPageStep(STEPS_PER_UNIT // 2)
        self.setSingleStep(STEPS_PER_UNIT // 10)
        self.setMinimumWidth(110)
        # Scrolling through the sliders with the wheel must not change them.
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def set_limit(self, limit: float) -> None:
        """Let the slider reach from −limit to +limit."""
        steps = round(limit * STEPS_PER_UNIT)
        self.setRange(-steps, steps)

    @property
    def mark(self) -> float | None:
        """Value that is marked."""
        return self._mark

    def set_mark(self, value: float | None) -> None:
        """Mark a value on the groove, or none."""
        self._mark = value
        self.update()

    def mark_x(self, value: float) -> float:
        """Position of ``value`` along the widget, px."""
        option = QStyleOptionSlider()
        self.initStyleOption(option)
        style, control = self.style(), QStyle.ComplexControl.CC_Slider
        groove = style.subControlRect(control, option, QStyle.SubControl.SC_SliderGroove, self)
        handle = style.subControlRect(control, option, QStyle.SubControl.SC_SliderHandle, self)
        along = QStyle.sliderPositionFromValue(
            self.minimum(),
            self.maximum(),
            round(value * STEPS_PER_UNIT),
            groove.width() - handle.width(),
        )
        return float(groove.x() + handle.width() / 2 + along)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 (Qt's name)
        """Draw the slider, and a triangle pointing at the mark from above."""
        super().paintEvent(event)
        if self._mark is None:
            return
        x = self.mark_x(self._mark)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(RING_COLOUR))
        painter.drawPolygon(QPolygonF([QPointF(x - 4, 0), QPointF(x + 4, 0), QPointF(x, 6)]))
        painter.end()

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802 (Qt's name)
        """Leave the wheel to the scroll area."""
        event.ignore()


class ImportanceBar(QWidget):  # type: ignore[misc]
    """A small bar: how much of the largest posterior KL a latent has."""

    def __init__(self, fraction: float) -> None:
        super().__init__()
        self.fraction = fraction
        self.setFixedSize(26, 14)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 (Qt's name)
        """Draw the bar over its groove."""
        painter = QPainter(self)
        painter.fillRect(QRect(0, 4, self.width(), 6), QColor(128, 128, 128, 70))
        painter.fillRect(QRect(0, 4, round(self.width() * self.fraction), 6), QColor("#8fb8de"))
        painter.end()


class LatentRow(QWidget):  # type: ignore[misc]
    """One latent: name, importance, slider with the cell's own value marked, value, reset.

    Signals
    -------
    moved
        (latent, value) when the user moves the slider.
    touched
        (latent) when the user clicks the slider, its name or its reset button.
    reset_asked
        (latent) when the user presses reset.
    """

    moved = Signal(int, float)
    touched = Signal(int)
    reset_asked = Signal(int)

    def __init__(self, latent: int, kl: float, fraction: float) -> None:
        super().__init__()
        self.latent = latent
        self.name = QToolButton()
        self.name.setText(f"z{latent}")
        self.name.setAutoRaise(True)
        self.name.setFixedWidth(38)
        self.name.setToolTip(f"Show the traversal of z{latent}")
        self.bar = ImportanceBar(fraction)
        self.bar.setToolTip(
            f"z{latent} carries {kl:.2f} nats (mean posterior KL on the training data): "
            "the longer the bar, the more it matters to the reconstruction."
        )
        self.slider = MarkedSlider()
        self.slider.setToolTip(
            f"Change z{latent} and watch the edited cell; the triangle marks the cell's own value."
        )
        self.value = QLabel()
        self.value.setFixedWidth(44)
        self.value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.value.setToolTip(f"Value of z{latent} in standard deviations of the prior")
        self.reset = QToolButton()
        self.reset.setText("↺")
        self.reset.setToolTip(f"Set z{latent} back to the cell's own value")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(2, 0, 2, 0)
        layout.setSpacing(4)
        for part in (self.name, self.bar, self.slider, self.value, self.reset):
            layout.addWidget(part, stretch=int(part is self.slider))
        self.slider.valueChanged.connect(self._moved)
        self.slider.sliderPressed.connect(self._touched)
        self.name.clicked.connect(self._touched)
        self.reset.clicked.connect(self._reset)

    def show_value(self, own: float, value: float) -> None:
        """Show a cell's own value and the present one, without any signal."""
        blocked = self.slider.blockSignals(True)
        self.slider.set_limit(max(SLIDER_RANGE, np.ceil(max(abs(own), abs(value))) + 1))
        self.slider.setValue(round(value * STEPS_PER_UNIT))
        self.slider.blockSignals(blocked)
        self.slider.set_mark(own)
        self.value.setText(signed(value))
        self.reset.setEnabled(own != value)

    def _moved(self, steps: int) -> None:
        self.moved.emit(self.latent, steps / STEPS_PER_UNIT)

    def _touched(self, *_: Any) -> None:
        self.touched.emit(self.latent)

    def _reset(self, *_: Any) -> None:
        self.reset_asked.emit(self.latent)
