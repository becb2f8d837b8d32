"""A list of terms, each with its numbers filled in and a bar for what it adds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from qtpy.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QFontMetrics, QHelpEvent, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_interpdisc.number_text import signed, with_sign
from napari_interpdisc.widgets.parts.plot import faint

LESS, MORE = QColor("#9970ab"), QColor("#5aae61")
"""Of what lowers a score and what raises it: told apart by colour-blind eyes, and no class."""

LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter

NUMBER = 58
"""Room for a number, px."""

INSET = 6
"""As far from the left as napari has the text of labels, px."""


@dataclass(frozen=True)
class Bar:
    """One line of the list.

    Attributes
    ----------
    name
        What it is; cut where there is no room.
    filled
        The same with numbers, below the name; no second line if empty.
    value
        Length of the bar, and the number beside the name.
    tip
        All of it, and more, for the tooltip.
    """

    name: str
    filled: str
    value: float
    tip: str = ""


class TermBars(QWidget):  # type: ignore[misc]
    """Bars of several values on one scale: from the middle if any can be negative.

    Attributes
    ----------
    bars, total
        What is shown; ``total`` is a line of its own below, or None.
    """

    AIR = 4

    def __init__(self) -> None:
        super().__init__()
        self.bars: tuple[Bar, ...] = ()
        self.total: Bar | None = None
        self.signed = True
        self.painted = 0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_bars(
        self, bars: Sequence[Bar], total: Bar | None = None, *, signed: bool = True
    ) -> None:
        """Show values; ``signed`` says whether they have a sign."""
        before = self.sizeHint().height()
        self.bars, self.total, self.signed = tuple(bars), total, signed
        if self.sizeHint().height() != before:
            self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """Room for every line."""
        return QSize(220, sum(self._heights()) + 1)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """Room for every line, with short names."""
        return QSize(160, self.sizeHint().height())

    def _lines(self) -> list[Bar]:
        return [*self.bars, *([self.total] if self.total else [])]

    def _heights(self) -> list[int]:
        line = self.fontMetrics().height()
        return [line * (1 + bool(bar.filled)) + self.AIR for bar in self._lines()]

    def bar_at(self, y: float) -> Bar | None:
        """The line at a height of the widget, px."""
        for bar, height in zip(self._lines(), self._heights(), strict=True):
            if y < height:
                return bar
            y -= height
        return None

    def event(self, event: QEvent) -> bool:
        """Tell all of a line in its tooltip."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            bar = self.bar_at(event.pos().y())
            QToolTip.showText(event.globalPos(), bar.tip if bar else "", self)
            return True
        return bool(super().event(event))

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 (Qt's name)
        """Draw names, numbers and bars."""
        self.painted += 1
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink = self.palette().color(self.foregroundRole())
        finite = [abs(bar.value) for bar in self.bars if abs(bar.value) < float("inf")]
        longest = max(finite, default=0.0) or 1.0
        y = 0.0
        for bar, height in zip(self._lines(), self._heights(), strict=True):
            box = QRectF(INSET, y, self.width() - INSET, height - self.AIR)
            self._draw_text(painter, box, bar, ink)
            if bar is self.total:
                painter.setPen(QPen(faint(ink, 0.5), 1))
                painter.drawLine(QPointF(INSET, y - 1), QPointF(self.width(), y - 1))
            else:
                self._draw_bar(painter, box, bar, longest, ink)
            y += height
        painter.end()

    def _draw_text(self, painter: QPainter, box: QRectF, bar: Bar, ink: QColor) -> None:
        font, line = self.fontMetrics(), self.fontMetrics().height()
        last = QRectF(box.left(), box.bottom() - line, box.width(), line)
        number = with_sign(bar.value) if self.signed else signed(bar.value)
        bold = painter.font()
        bold.setBold(bar is self.total)
        painter.setFont(bold)
        painter.setPen(ink)
        painter.drawText(last, RIGHT, number)
        name = QRectF(box.left(), box.top(), box.width(), line)
        if not bar.filled:  # bar and number stand on the same line
            name.setRight(box.right() - NUMBER if bar is self.total else self._track(last).left())
        painter.drawText(name, LEFT, elided(font, bar.name, name.width()))
        if bar.filled:
            painter.setPen(faint(ink, 0.7))
            left = QRectF(last.left() + 8, last.top(), 0, line)
            left.setRight(self._track(last).left() - 4)
            painter.drawText(left, LEFT, elided(font, bar.filled, left.width()))

    def _track(self, line: QRectF) -> QRectF:
        """Where bars are, in a line of text."""
        left, right = line.left() + 0.45 * line.width(), line.right() - NUMBER
        return QRectF(left, line.top() + 3, max(right - left, 10.0), line.height() - 6)

    def _draw_bar(
        self, painter: QPainter, box: QRectF, bar: Bar, longest: float, ink: QColor
    ) -> None:
        line = self.fontMetrics().height()
        track = self._track(QRectF(box.left(), box.bottom() - line, box.width(), line))
        zero = track.center().x() if self.signed else track.left()
        if not math.isnan(bar.value):
            reach = (track.right() - zero) * min(abs(bar.value) / longest, 1.0)
            to = -reach if bar.value < 0 else reach
            filled = QRectF(zero, track.top(), to, track.height()).normalized()
            plain = faint(ink, 0.5)  # what has no sign raises and lowers nothing
            color = plain if not self.signed else LESS if bar.value < 0 else MORE
            painter.fillRect(filled, color)
        painter.setPen(QPen(faint(ink, 0.5), 1))
        painter.drawLine(QPointF(zero, track.top() - 2), QPointF(zero, track.bottom() + 2))


class ClassLine(QWidget):  # type: ignore[misc]
    """Name and score of one class, bold if it is the one that is chosen.

    It is painted and no label: a label that changes has the whole dock laid out anew.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.score: float | None = None
        self.decides = False
        self.setToolTip("The class with the highest score is chosen: the bold one.")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """One line."""
        return QSize(160, self.fontMetrics().height() + 4)

    def show_score(self, score: float | None, decides: bool) -> None:
        """Show a score, or none."""
        self.score, self.decides = score, decides
        self.update()

    @property
    def text(self) -> str:
        """What stands on the left."""
        return f"▸ {self.name}: highest score" if self.decides else self.name

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 (Qt's name)
        """Draw name and score."""
        painter = QPainter(self)
        bold = painter.font()
        bold.setBold(self.decides)
        painter.setFont(bold)
        painter.setPen(self.palette().color(self.foregroundRole()))
        box = QRectF(self.rect()).adjusted(INSET, 0, 0, 0)
        room = box.width() - NUMBER
        painter.drawText(box, LEFT, elided(self.fontMetrics(), self.text, room))
        if self.score is not None:
            painter.drawText(box, RIGHT, with_sign(self.score))
        painter.end()


def elided(font: QFontMetrics, text: str, room: float) -> str:
    """Text, its end cut where there is no room, px."""
    return str(font.elidedText(text, Qt.TextElideMode.ElideRight, int(room)))
