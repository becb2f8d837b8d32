"""A path as two rows of small pictures: decoded steps, and the nearest real cell below each."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import QEvent, QPoint, QRect, QSize, Qt, Signal
from qtpy.QtGui import QColor, QHelpEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_interpdisc.figures.palette import class_colors
from napari_interpdisc.models.cell_model import NO_CLASS, class_index
from napari_interpdisc.number_text import with_sign
from napari_interpdisc.widgets.canvas.cell_images import grey_limits
from napari_interpdisc.widgets.parts.controls import FAULT_COLOR
from napari_interpdisc.widgets.parts.pictures import DISABLED_OPACITY, grey_picture
from napari_interpdisc.widgets.perturb.change import ChangeResult

BAR, TEXT, GAP = 4, 14, 2
"""Heights of the bar in the class's colour and of the line of numbers, and a gap, px."""

CHOSEN_COLOUR = "#4b93e8"
"""Of the frame of the step that is shown: seen on black pictures, in either theme."""

SMALLEST, LARGEST = 28, 72
"""Side of a picture, px."""


class PathStrip(QWidget):  # type: ignore[misc]
    """The steps of a path, from the cell as it is to the other class.

    A bar above each decoded picture has the colour of its class; below is the margin of the target.
    A step where hardly any real cell is has a red frame.

    Signals
    -------
    step_chosen
        Step whose decoded picture was clicked.
    cell_chosen
        Row, in the encoding, of the real cell that was clicked.
    """

    step_chosen = Signal(int)
    cell_chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.result: ChangeResult | None = None
        self.step = 0
        self._decoded: list[object] = []
        self._real: list[object] = []
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setToolTip(
            "Above: the decoded steps; click one to show it. Below: the nearest real cell of "
            "another track; click one to go to it."
        )

    @property
    def n(self) -> int:
        """Number of steps."""
        return len(self._decoded)

    @property
    def side(self) -> int:
        """Side of a picture, px."""
        room = self.width() // max(self.n, 1) - GAP
        return int(np.clip(room, SMALLEST, LARGEST))

    def show_result(self, result: ChangeResult | None) -> None:
        """Show the steps of a result, or none."""
        self.result, self.step = result, 0
        self._decoded, self._real = [], []
        if result is not None:
            limits = grey_limits(result.shown.pictures)
            self._decoded = [grey_picture(picture, limits) for picture in result.shown.pictures]
            # real crops are sharper than decoded ones, so they have limits of their own
            own = grey_limits(result.shown.real)
            self._real = [grey_picture(picture, own) for picture in result.shown.real]
        self.updateGeometry()
        self.update()

    def show_step(self, step: int) -> None:
        """Mark a step."""
        self.step = step
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """Room for two rows of pictures."""
        n = max(self.n, 1)
        return QSize(n * (SMALLEST + GAP), BAR + 2 * (self.side + GAP) + TEXT + GAP)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """Room for the smallest pictures."""
        return QSize(max(self.n, 1) * (SMALLEST + GAP), self.sizeHint().height())

    def resizeEvent(self, event: object) -> None:  # noqa: N802 (Qt's name)
        """Take the height that pictures of this width need."""
        super().resizeEvent(event)
        self.updateGeometry()

    def place(self, step: int, real: bool = False) -> QRect:
        """Where the decoded picture of a step is drawn, or its real cell."""
        column, side = self.width() / max(self.n, 1), self.side
        top = BAR + GAP + (side + GAP + TEXT if real else 0)
        return QRect(int(step * column + (column - side) / 2), top, side, side)

    def at(self, point: QPoint) -> tuple[int, bool] | None:
        """Step at a point, and whether its real cell is there; None beside all pictures."""
        for step in range(self.n):
            for real in (False, True):
                if self.place(step, real).contains(point):
                    return step, real
        return None

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt's name)
        """Choose a step or a real cell."""
        found = self.at(event.position().toPoint())
        if found is None or self.result is None:
            return
        step, real = found
        self.step_chosen.emit(step)
        if real:
            self.cell_chosen.emit(int(self.result.path.nearest[step]))

    def event(self, event: QEvent) -> bool:
        """Say what is under the mouse."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            found = self.at(event.pos())
            if found is not None and self.result is not None:
                told = self.result.step_told(found[0])
                does = "Click to go to the real cell." if found[1] else "Click to show the step."
                QToolTip.showText(event.globalPos(), f"{told}\n{does}", self)
                return True
        return bool(super().event(event))

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 (Qt's name)
        """Draw the two rows."""
        if self.result is None:
            return
        path = self.result.path
        colors, called = class_colors(path.classes), class_index(path.scores)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        if not self.isEnabled():
            painter.setOpacity(DISABLED_OPACITY)
        font = painter.font()
        font.setPixelSize(10)
        painter.setFont(font)
        text = self.palette().windowText().color()
        for step in range(self.n):
            above, below = self.place(step), self.place(step, real=True)
            bar = QRect(above.left(), 0, above.width(), BAR)
            if called[step] != NO_CLASS:
                painter.fillRect(bar, QColor.fromRgbF(*colors[path.classes[called[step]]]))
            painter.drawImage(above, self._decoded[step])
            painter.drawImage(below, self._real[step])
            painter.setPen(text)
            line = QRect(above.left() - GAP, above.bottom() + 1, above.width() + 2 * GAP, TEXT)
            margin = with_sign(float(path.margins[step]), 1)
            painter.drawText(line, int(Qt.AlignmentFlag.AlignCenter), margin)
            if not path.real[step]:
                painter.setPen(QPen(QColor(FAULT_COLOR), 2))
                painter.drawRect(above.adjusted(1, 1, -1, -1))
            if step == self.step:
                painter.setPen(QPen(QColor(CHOSEN_COLOUR), 2))
                painter.drawRect(above.united(below).adjusted(-1, -1, 1, 1))
        painter.end()
