"""Small Qt parts that show cells and their latents."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill
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
    QStyleOptionToolButton,
    QStylePainter,
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

VALUE_WIDTH = 44
"""Of a number beside its slider, px."""


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
    """A slider over real numbers with a mark at the cell's own value.

    Parameters
    ----------
    steps
        Steps per unit.
    """

    def __init__(self, steps: int = STEPS_PER_UNIT) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self._mark: float | None = None
        self._steps = steps
        self.set_limit(SLIDER_RANGE)
        self.setPageStep(STEPS_PER_UNIT // 2)
        self.setSingleStep(STEPS_PER_UNIT // 10)
        self.setMinimumWidth(110)
        # Scrolling through the sliders with the wheel must not change them.
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def set_limit(self, limit: float, low: float | None = None) -> None:
        """Let the slider reach from −limit, or from ``low``, to +limit."""
        low = -limit if low is None else low
        self.setRange(round(low * self._steps), round(limit * self._steps))

    @property
    def limit(self) -> float:
        """Largest value."""
        return float(self.maximum() / self._steps)

    def show_number(self, number: float) -> None:
        """Move to a number, without any signal; the caller sees to it that it is in range."""
        blocked = self.blockSignals(True)
        self.setValue(round(number * self._steps))
        self.blockSignals(blocked)

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
            round(value * self._steps),
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


NAME_WIDTH = 38
"""Of a row's name where it is a number alone, px."""


class NameButton(QToolButton):  # type: ignore[misc]
    """A flat button of a given width; a longer text is cut by …, a number alone is centred."""

    AIR = 10
    """Room beside the text, px."""

    def __init__(self, text: str, width: int) -> None:
        super().__init__()
        self.setText(text)
        self.setAutoRaise(True)
        self.setFixedWidth(width)

    def shown_text(self) -> str:
        """What of the text there is room for."""
        room = self.width() - self.AIR
        mode = Qt.TextElideMode.ElideMiddle  # the end may tell twins apart
        return str(self.fontMetrics().elidedText(self.text(), mode, room))

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 (Qt's name)
        """Draw the button with the text that fits."""
        option = QStyleOptionToolButton()
        self.initStyleOption(option)
        option.text = "" if self.width() > NAME_WIDTH else self.text()
        painter = QStylePainter(self)
        painter.drawComplexControl(QStyle.ComplexControl.CC_ToolButton, option)
        if not option.text:
            left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
            painter.setPen(self.palette().color(self.foregroundRole()))
            painter.drawText(self.rect().adjusted(self.AIR // 2, 0, 0, 0), left, self.shown_text())
        painter.end()


WIDEST_NAME = 100
"""Of a row's name at most, px."""

TIP_CHARACTERS = 80


def wrapped(*lines: str) -> str:
    """Lines of a tooltip, none too long; empty ones are left out."""
    return "\n".join(fill(line, TIP_CHARACTERS) for line in lines if line)


def small_button(text: str) -> QToolButton:
    """Return a button for one sign."""
    made = QToolButton()
    made.setText(text)
    return made


class LatentRow(QWidget):  # type: ignore[misc]
    """One latent: name, importance, slider with the cell's own value marked, value, reset.

    Parameters
    ----------
    latent
        Its number.
    kl
        Mean posterior KL on the training data, nats.
    fraction
        The same, relative to the largest: 0–1.
    label
        What to call it: ``z22 size``; its number if left out.
    about
        What it stands for, and why: for the tooltip.
    name_width
        Width of the name, px; a longer one is cut, and the tooltip has all of it.

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

    def __init__(
        self,
        latent: int,
        kl: float,
        fraction: float,
        label: str = "",
        about: str = "",
        name_width: int = NAME_WIDTH,
    ) -> None:
        super().__init__()
        self.latent = latent
        self.name = NameButton(label or f"z{latent}", name_width)
        about = f"z{latent} {about}" if about else ""
        self.name.setToolTip(wrapped(about, f"Show the traversal of z{latent}"))
        self.bar = ImportanceBar(fraction)
        self.bar.setToolTip(
            f"z{latent} carries {kl:.2f} nats (mean posterior KL on the training data): "
            "the longer the bar, the more it matters to the reconstruction."
        )
        self.slider = MarkedSlider()
        self.slider.setToolTip(
            wrapped(
                about,
                f"Change z{latent} and watch the edited cell; the triangle marks the cell's own "
                "value.",
            )
        )
        self.value = QLabel()
        self.value.setFixedWidth(VALUE_WIDTH)
        self.value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.value.setToolTip(f"Value of z{latent} in standard deviations of the prior")
        self.reset = small_button("↺")
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
        self.slider.set_limit(reach(own, value))
        self.slider.blockSignals(blocked)
        self.slider.set_mark(own)
        self.follow(own, value)

    def follow(self, own: float, value: float) -> None:
        """Show another value of the same cell, without any signal; the slider's range may grow."""
        if abs(value) > self.slider.limit:
            blocked = self.slider.blockSignals(True)
            self.slider.set_limit(reach(value))
            self.slider.blockSignals(blocked)
        self.slider.show_number(value)
        self.value.setText(signed(value))
        self.reset.setEnabled(own != value)

    def _moved(self, steps: int) -> None:
        self.moved.emit(self.latent, steps / STEPS_PER_UNIT)

    def _touched(self, *_: Any) -> None:
        self.touched.emit(self.latent)

    def _reset(self, *_: Any) -> None:
        self.reset_asked.emit(self.latent)


def reach(*values: float) -> float:
    """Limit of a slider that shows these values."""
    most = max(abs(value) for value in values)
    return SLIDER_RANGE if most <= SLIDER_RANGE - 1 else float(np.ceil(most) + 1)


class PairRow(QWidget):  # type: ignore[misc]
    """An orientation pair in polar form: z_a = r cos α, z_b = r sin α; two sliders, reset.

    When the cell turns, α goes round and r² = z_a² + z_b² stays.

    Parameters
    ----------
    pair
        Its latents (a, b).
    label
        What to call it: ``z11, z27 elongation``.
    about
        What both latents stand for, line by line: for the tooltip.
    name_width
        Width of the name, px.

    Signals
    -------
    moved
        (pair, r, α in degrees, the part that moved: ``"r"`` or ``"α"``) when the user moves a
        slider.
    touched
        (pair, part) when the user clicks a slider or the name.
    reset_asked
        (pair) when the user presses reset.
    """

    moved = Signal(object, float, float, str)
    touched = Signal(object, str)
    reset_asked = Signal(object)

    def __init__(
        self, pair: tuple[int, int], label: str, about: Sequence[str], name_width: int
    ) -> None:
        super().__init__()
        self.pair = pair
        self.r, self.angle = 0.0, 0.0
        a, b = pair
        self.name = NameButton(label, name_width)
        self._stays = f"z{a}² + z{b}² does not change when the cell turns"
        self.name.setToolTip(
            wrapped(*about, f"An orientation pair: r² = {self._stays}", "Show what a turn does")
        )
        self.r_slider, self.angle_slider = MarkedSlider(), MarkedSlider(1)
        self.r_slider.setToolTip(
            wrapped(f"Change r = √(z{a}² + z{b}²) at the same angle α: z{a} and z{b} follow.")
        )
        self.angle_slider.setToolTip(
            wrapped(
                f"Turn z{a} and z{b} into each other at the same r: the cell turns. From −180° to "
                "180° it turns by half a round, after which an axis looks the same."
            )
        )
        self.angle_slider.set_limit(180)
        self.angle_slider.setPageStep(15)
        self.angle_slider.setSingleStep(5)
        self.r_value, self.angle_value = QLabel(), QLabel()
        for value, tip in (
            (self.r_value, self._stays),
            (self.angle_value, f"α, where z{a} = r cos α and z{b} = r sin α"),
        ):
            widest = value.fontMetrics().horizontalAdvance("\N{MINUS SIGN}180°") + 4
            value.setFixedWidth(max(VALUE_WIDTH, widest))
            value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            value.setToolTip(tip)
        self.reset = small_button("↺")
        self.reset.setToolTip(f"Set z{a} and z{b} back to the cell's own values")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(2, 0, 2, 0)
        layout.setSpacing(4)
        sliders = (self.r_slider, self.angle_slider)
        for slider in sliders:
            slider.setMinimumWidth(48)
        for part in (
            self.name,
            self.r_slider,
            self.r_value,
            self.angle_slider,
            self.angle_value,
            self.reset,
        ):
            layout.addWidget(part, stretch=int(part in sliders))
        layout.insertSpacing(3, 6)
        self.r_slider.valueChanged.connect(self._r_moved)
        self.angle_slider.valueChanged.connect(self._angle_moved)
        self.r_slider.sliderPressed.connect(self._r_touched)
        self.angle_slider.sliderPressed.connect(self._angle_touched)
        self.name.clicked.connect(self._angle_touched)
        self.reset.clicked.connect(self._reset)

    def show_values(self, own: Float32Array, values: Float32Array) -> None:
        """Show a cell's own values (2,) and the present ones, without any signal."""
        r, angle = polar(own)
        blocked = self.r_slider.blockSignals(True)
        self.r_slider.set_limit(reach(r, polar(values)[0]), 0)
        self.r_slider.blockSignals(blocked)
        self.r_slider.set_mark(r)
        self.angle_slider.set_mark(angle if r > 0 else None)
        self.follow(own, values)

    def follow(self, own: Float32Array, values: Float32Array) -> None:
        """Show other values of the same cell, without any signal; at r = 0 the angle stays."""
        r, angle = polar(values)
        if r > self.r_slider.limit:
            blocked = self.r_slider.blockSignals(True)
            self.r_slider.set_limit(reach(r), 0)
            self.r_slider.blockSignals(blocked)
        self.r, self.angle = r, angle if r > 0 else self.angle
        self.r_slider.show_number(self.r)
        self.angle_slider.show_number(self.angle)
        self._tell()
        self.reset.setEnabled(not np.array_equal(own, values))

    def _tell(self) -> None:
        self.r_value.setText(f"r {self.r:.2f}")
        self.r_value.setToolTip(f"r² = {self.r**2:.2f}: {self._stays}")
        self.angle_value.setText(f"{signed(self.angle, 0)}°")

    def _moved(self, part: str) -> None:
        self._tell()
        self.reset.setEnabled(True)
        self.moved.emit(self.pair, self.r, self.angle, part)

    def _r_moved(self, steps: int) -> None:
        self.r = steps / STEPS_PER_UNIT
        self._moved("r")

    def _angle_moved(self, steps: int) -> None:
        self.angle = float(steps)
        self._moved("α")

    def _r_touched(self, *_: Any) -> None:
        self.touched.emit(self.pair, "r")

    def _angle_touched(self, *_: Any) -> None:
        self.touched.emit(self.pair, "α")

    def _reset(self, *_: Any) -> None:
        self.reset_asked.emit(self.pair)


def polar(values: npt.ArrayLike) -> tuple[float, float]:
    """Radius r and angle α, in degrees from −180 to 180, of (z_a, z_b)."""
    a, b = (float(v) for v in np.asarray(values))
    return float(np.hypot(a, b)), float(np.degrees(np.arctan2(b, a)))


def cartesian(r: npt.ArrayLike, angle: npt.ArrayLike) -> Float32Array:
    """Latents (z_a, z_b) of r and α in degrees; for arrays (n,) one row each: (n, 2)."""
    length, radians = np.asarray(r), np.radians(np.asarray(angle))
    both = np.stack([length * np.cos(radians), length * np.sin(radians)], axis=-1)
    return both.astype(np.float32)
