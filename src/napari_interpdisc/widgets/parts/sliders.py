"""Sliders, names and bars of latents."""

from __future__ import annotations

import math
from textwrap import fill

from qtpy.QtCore import QPointF, QRect, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPolygonF, QWheelEvent
from qtpy.QtWidgets import (
    QLabel,
    QSlider,
    QStyle,
    QStyleOptionSlider,
    QStyleOptionToolButton,
    QStylePainter,
    QToolButton,
    QWidget,
)

SLIDER_RANGE = 4.0
"""Latents have a standard normal prior: ±4 holds nearly all that can occur."""

STEPS_PER_UNIT = 100

VALUE_WIDTH = 44
"""Of a number beside its slider, px."""


def reach(*values: float) -> float:
    """Limit of a slider that shows these values."""
    most = max(abs(value) for value in values)
    return SLIDER_RANGE if most <= SLIDER_RANGE - 1 else float(math.ceil(most) + 1)


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
        self.setMinimumWidth(80)
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
        painter.setBrush(self.palette().color(self.foregroundRole()))
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
    """A flat button of a given width; a longer text is cut by …, a number alone is centred.

    The tooltip begins with a text that is cut.
    """

    AIR = 10
    """Room beside the text, px."""

    def __init__(self, text: str, width: int) -> None:
        super().__init__()
        self.setText(text)
        self.setAutoRaise(True)
        self.setFixedWidth(width)
        self._tip = self._mark = ""

    def tell(self, *lines: str) -> None:
        """Set the lines of the tooltip, to which a mark adds."""
        self._tip = wrapped(*lines)
        self._show_tip()

    def mark(self, why: str) -> None:
        """Make the text bold, and tell why in the tooltip; an empty text takes that back."""
        self._mark = why
        font = self.font()
        font.setBold(bool(why))
        self.setFont(font)
        self._show_tip()

    def _show_tip(self) -> None:
        whole = self.text() if self.shown_text() != self.text() else ""
        self.setToolTip("\n".join(filter(None, (whole, self._tip, self._mark))))

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


WIDEST_NAME = 175
"""Of a row's name at most, px."""

TIP_CHARACTERS = 80


def wrapped(*lines: str) -> str:
    """Lines of a tooltip, none too long; empty ones are left out."""
    return "\n".join(fill(line, TIP_CHARACTERS) for line in lines if line)


def fix_size(label: QLabel, width: int) -> None:
    """Give a number beside its slider a size of its own: a change of it lays nothing out."""
    label.setFixedSize(width, label.fontMetrics().height() + 4)


def small_button(text: str) -> QToolButton:
    """Return a button for one sign."""
    made = QToolButton()
    made.setText(text)
    return made
