"""The few controls that dock widgets share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from magicgui.widgets import ComboBox
from qtpy.QtCore import QEvent, QObject, QSize, Qt, QTimer
from qtpy.QtGui import QColor, QPainter, QPalette, QPixmap, QResizeEvent, QShowEvent
from qtpy.QtWidgets import (
    QBoxLayout,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QWidget,
)
from superqt import QCollapsible

UNLIMITED = 16_777_215
"""Qt's largest height of a widget, px."""

FAULT_COLOR = "#eb4444"
"""Of lines and frames in pictures; read on napari's dark and on its light theme."""

Tone = Literal["plain", "warning", "fault"]

TONES: dict[Tone, tuple[str, str]] = {
    "plain": ("", ""),
    "warning": ("#ffb000", "#8a5000"),
    "fault": ("#ff7b7b", "#b3201c"),
}
"""Colours of text on a dark and on a light ground: a contrast of 5 or more with both of napari's
themes."""


def is_dark(widget: QWidget) -> bool:
    """Whether a widget has light text, as in napari's dark theme."""
    return bool(widget.palette().color(QPalette.ColorRole.WindowText).lightness() > 127)


class _Below:
    """A widget that moves below the control that it tells of."""

    _in: QFormLayout | QBoxLayout | None = None

    def stand_below(self, field: QWidget, layout: QFormLayout | QBoxLayout | None = None) -> None:
        """Move below a widget; ``layout`` is the one it is directly in, of the same page."""
        if isinstance(self._in, QFormLayout):
            at = self._in.getWidgetPosition(self)[0]
            # its item with it: a widget with two never asks for room again
            self._in.removeWidget(self)
            self._in.removeRow(at)
        elif self._in is not None:
            self._in.removeWidget(self)
        self._in = field.parentWidget().layout() if layout is None else layout
        if isinstance(self._in, QFormLayout):
            self._in.insertRow(self._in.getWidgetPosition(field)[0] + 1, self)
        else:
            assert self._in is not None
            self._in.insertWidget(self._in.indexOf(field) + 1, self)


class StatusLine(QLabel, _Below):  # type: ignore[misc]
    """One sentence on what is going on, or in colour a warning, or what is wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setToolTip("What was done, or what is wrong and how to correct it.")
        self.tone: Tone = "plain"
        self._come = QTimer(self)
        self._come.setSingleShot(True)
        self._come.setInterval(0)
        self._come.timeout.connect(self._come_into_view)

    @property
    def is_fault(self) -> bool:
        """Whether it tells what is wrong."""
        return self.tone == "fault"

    def say(self, text: str) -> None:
        """Tell how things go."""
        self._show(text, "plain")

    def warn(self, text: str) -> None:
        """Tell what to look at."""
        self._show(text, "warning")

    def fault(self, text: str) -> None:
        """Tell what is wrong."""
        self._show(text, "fault")

    def forget_fault(self) -> None:
        """Clear a fault or a warning: what caused it was changed."""
        if self.tone != "plain":
            self.say("")

    def _show(self, text: str, tone: Tone) -> None:
        self.tone = tone
        self._colour()
        self.setText(text)
        self._hide_if_empty()
        if tone == "fault":
            self._come.start()  # once it has its place

    def clear(self) -> None:
        """Tell nothing, and take no room."""
        self.say("")

    def _hide_if_empty(self) -> None:
        if self.parentWidget() is not None:  # else it would be a window
            self.setHidden(not self.text())

    def stand_below(self, field: QWidget, layout: QFormLayout | QBoxLayout | None = None) -> None:
        """Move below a widget that is directly in a layout; without a text it takes no room."""
        _Below.stand_below(self, field, layout)
        self._hide_if_empty()

    def _come_into_view(self) -> None:
        page: QWidget | None = self.parentWidget()
        while page is not None and not isinstance(page, QScrollArea):
            page = page.parentWidget()
        if page is not None:
            page.ensureWidgetVisible(self, 0, 4)

    def _colour(self) -> None:
        # its own palette has the colour that it was given
        parent = self.parentWidget()
        color = TONES[self.tone][0 if parent is None or is_dark(parent) else 1]
        sheet = f"color: {color}" if color else ""
        if sheet != self.styleSheet():
            self.setStyleSheet(sheet)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 (Qt's name)
        """Take the colour of the theme: only now the line knows it."""
        super().showEvent(event)
        self._colour()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 (Qt's name)
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange):
            self._colour()


class StillLabel(QWidget):  # type: ignore[misc]
    """A label whose text changes often: the window is laid out anew if its height changes alone.

    A change of a plain label lays out every dock of napari's window.
    """

    def __init__(self) -> None:
        super().__init__()
        self.label = QLabel(self)  # in no layout, which it would ask for another size
        self.label.setWordWrap(True)
        self.label.setAlignment(Qt.AlignmentFlag.AlignHCenter)

    def text(self) -> str:
        """What it says."""
        return str(self.label.text())

    def setText(self, text: str) -> None:  # noqa: N802 (Qt's name)
        """Say something else, as rich text."""
        self.label.setText(text)
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 (Qt's name)
        """Keep the label as wide as this."""
        super().resizeEvent(event)
        self._fit()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 (Qt's name)
        """Follow the font of the theme."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._fit()

    def _fit(self) -> None:
        high = max(0, self.label.heightForWidth(self.width()))  # −1 without text
        if high != self.height():
            self.setFixedHeight(high)
        self.label.resize(self.width(), high)


def combo(choices: Callable[[Any], list[tuple[str, Any]]], tooltip: str) -> ComboBox:
    """Return a combo box that asks ``choices`` for (text, value) pairs at each reset_choices()."""
    box = ComboBox(choices=choices, tooltip=tooltip)
    let_shrink(box.native)
    return box


def let_shrink(box: QComboBox) -> None:
    """Keep a long choice from widening the dock; it can be read in the open list."""
    box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    box.setMinimumContentsLength(10)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)


def button(text: str, pressed: Callable[[], None], tooltip: str) -> QPushButton:
    """Return a button that calls ``pressed``."""
    made = QPushButton(text)
    made.clicked.connect(lambda *_: pressed())
    made.setToolTip(tooltip)
    return made


def row(*widgets: QWidget) -> QWidget:
    """Lay widgets side by side; the first takes the room that is left."""
    made = QWidget()
    layout = QHBoxLayout(made)
    layout.setContentsMargins(0, 0, 0, 0)
    for i, widget in enumerate(widgets):
        layout.addWidget(widget, int(i == 0))
    made.setToolTip(widgets[0].toolTip())
    return made


class Folded(QCollapsible):  # type: ignore[misc]
    """A part under a heading that folds it, with an arrow in the colour of the theme."""

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 (Qt's name)
        """Draw the arrows: only now does the part know its theme."""
        super().showEvent(event)
        self._draw_arrows()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 (Qt's name)
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange):
            self._draw_arrows()

    def _draw_arrows(self) -> None:
        self.setExpandedIcon("▾")
        self.setCollapsedIcon("▸")


def folded(title: str) -> QCollapsible:
    """Return a part that is folded until its title is pressed."""
    part = Folded(title, expandedIcon="▾", collapsedIcon="▸")
    part.setDuration(0)  # a scroll area is in the way of the animation
    part.layout().setContentsMargins(0, 0, 0, 0)
    # napari paints a button that is pressed in its accent colour; this one is a heading
    part.toggleButton().setStyleSheet(
        "text-align: left; border: none; outline: none; background: transparent;"
    )
    return part


def let_grow(part: QCollapsible, content: QWidget) -> None:
    """Put into a folded part what may change its height, and what does nothing while hidden."""
    # by addWidget, superqt would keep the height that there was when it was unfolded
    part.content().layout().addWidget(content)

    def follow(wanted: bool) -> None:
        part.content().setMaximumHeight(UNLIMITED if wanted else 0)
        part.content().setVisible(wanted)

    part.toggled.connect(follow)
    follow(part.isExpanded())


class ScrolledPage(QScrollArea):  # type: ignore[misc]
    """A page that scrolls up and down where the dock is lower than it; its width is never cut."""

    def __init__(self, page: QWidget) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setWidget(page)
        page.installEventFilter(self)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """As wide as the page needs, and the bar beside it."""
        page, bar = self.widget().minimumSizeHint(), self.verticalScrollBar().sizeHint()
        return QSize(page.width() + bar.width(), super().minimumSizeHint().height())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 (Qt's name)
        """Ask for another width when the page needs it."""
        if event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return bool(super().eventFilter(watched, event))


class WorkBar(QProgressBar, _Below):  # type: ignore[misc]
    """How much of the work is done; invisible while none goes on."""

    def __init__(self, tooltip: str) -> None:
        super().__init__()
        self.setToolTip(tooltip)
        self.show_running(False)

    def show_running(self, running: bool) -> None:
        """Appear, busy until the first report, or vanish."""
        self.setRange(0, 0)
        self.setVisible(running)

    def show_progress(self, done: int, n: int) -> None:
        """Move to ``done`` of ``n``."""
        self.setRange(0, n)
        self.setValue(done)


class Told:
    """How work goes and what came of it, below the control that began it.

    Attributes
    ----------
    progress, status
        How much is done, and what is told.
    """

    def __init__(self, tooltip: str) -> None:
        self.progress, self.status = WorkBar(tooltip), StatusLine()

    def stand_below(self, field: QWidget, layout: QFormLayout | QBoxLayout) -> None:
        """Move below a widget that is directly in a layout of the same page."""
        self.status.stand_below(field, layout)
        self.progress.stand_below(field, layout)


SWATCH = 14
"""Side of a swatch, px."""


def swatch(
    color: tuple[float, ...],
    over: tuple[float, ...] = (),
    where: npt.NDArray[np.bool_] | None = None,
) -> QLabel:
    """Return a small square of one RGBA colour, 0–1, with another one over it ``where`` asked."""
    pixmap = QPixmap(SWATCH, SWATCH)
    pixmap.fill(QColor.fromRgbF(*color))
    if where is not None:
        painter = QPainter(pixmap)
        for y, x in np.argwhere(where).tolist():
            painter.fillRect(x, y, 1, 1, QColor.fromRgbF(*over))
        painter.end()
    label = QLabel()
    label.setPixmap(pixmap)
    return label
