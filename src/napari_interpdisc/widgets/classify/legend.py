"""The legend: colours of the classes, stripes of the flags, and how many cells have each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QGridLayout, QGroupBox, QLabel

from napari_interpdisc._types import RGBA
from napari_interpdisc.flags import CUT, FLAG_NAMES, NO_PIXELS, OUT_OF_DISTRIBUTION, SATURATED
from napari_interpdisc.paint import stripes
from napari_interpdisc.widgets.canvas.overlay import (
    NO_CLASS_COLOR,
    STRIPE_COLOR,
    shown,
)
from napari_interpdisc.widgets.canvas.picking import frame_shown
from napari_interpdisc.widgets.parts.controls import SWATCH, swatch
from napari_interpdisc.widgets.session import Session

FLAGS = {
    OUT_OF_DISTRIBUTION: "Out of distribution: the latents, or sharpness and grain of the crop, "
    "are further from the middle than those of 99.5 % of the training cells. What the head says of "
    "such a cell is a guess. The feature 'flag' of the cells layer says which.",
    CUT: "The centroid is less than half a nuclear diameter from the edge of the image. A part of "
    "the nucleus may be missing.",
    SATURATED: "A part of the nucleus is cut off at the top of the frame's brightness scale. Its "
    "texture is lost there.",
    NO_PIXELS: "The frame is blank or damaged, or has no values around the centroid. Such a cell "
    "has no class and is grey.",
}
"""What cells are hatched for, in the order of the legend."""

TITLES = {
    "class": "Classes",
    "state": "States along tracks",
    "disagreement": "Disagreement of heads",
}
"""What stands above the rows, by what cells are coloured by."""

UNDER_STRIPES = (0.75, 0.75, 0.75, 1.0)
UNKNOWN = "This model does not store what its training data looked like."


SEE = "Click to see these cells in the Gallery."


class _Link(QLabel):  # type: ignore[misc]
    """A name that can be clicked."""

    clicked = Signal()

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.setTextFormat(Qt.TextFormat.PlainText)  # a class may be called '<b>'
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt's name)
        if event.button() == Qt.MouseButton.LeftButton:
            self.clicked.emit()


class Legend(QGroupBox):  # type: ignore[misc]
    """One row for each colour of the overlay, and for each flag, with numbers of cells.

    Attributes
    ----------
    names
        What the rows are of, flags left out; None before there were any.
    counts
        (this frame, all frames) of each row.

    Signals
    -------
    asked
        Position of a row whose name was clicked; the flags come last.
    """

    asked = Signal(int)

    def __init__(self) -> None:
        super().__init__("Classes")
        self.setToolTip("Number of cells of each colour, in the frame shown and in all frames.")
        self.names: tuple[str, ...] | None = None
        self.counts: list[tuple[QLabel, QLabel]] = []
        self._grid = QGridLayout(self)
        self._grid.setColumnStretch(1, 1)

    def show_names(self, colors: Mapping[str, RGBA], what: str = "class") -> None:
        """Make a row for each colour of the overlay, and for each flag."""
        self.setTitle(TITLES[what])
        while self._grid.count():
            item = self._grid.takeAt(0).widget()
            if item is not None:
                item.hide()  # it is deleted later, and would be seen below the new rows till then
                item.deleteLater()
        for column, text in ((2, "this frame"), (3, "all frames")):
            self._grid.addWidget(QLabel(text), 0, column, Qt.AlignmentFlag.AlignRight)
        self.counts = []
        for name, color in colors.items():
            self._add_row(swatch(color), _Link(name))
        for flag, about in FLAGS.items():
            text = _Link(FLAG_NAMES[flag])
            text.setToolTip(f"{about} {SEE}")
            where = stripes((SWATCH, SWATCH), flag, 5)
            below = NO_CLASS_COLOR if flag == NO_PIXELS else UNDER_STRIPES
            self._add_row(swatch(below, STRIPE_COLOR, where), text)
        self.names = tuple(colors)

    def _add_row(self, square: QLabel, text: _Link) -> None:
        at, numbers = len(self.counts) + 1, (QLabel(), QLabel())
        text.clicked.connect(lambda: self.asked.emit(at - 1))
        if not text.toolTip():
            text.setToolTip(SEE)
        self._grid.addWidget(square, at, 0)
        self._grid.addWidget(text, at, 1)
        for column, number in enumerate(numbers, start=2):
            self._grid.addWidget(number, at, column, Qt.AlignmentFlag.AlignRight)
        self.counts.append(numbers)

    def show_counts(self, viewer: Any, session: Session) -> None:
        """Count the session's cells, in the frame that the viewer shows and in all."""
        result = session.classification
        if result is None:
            for here, everywhere in self.counts:
                here.setText("–")
                everywhere.setText("–")
            return
        encoding, n = result.encoding, len(self.counts) - len(FLAGS)
        values, flags = shown(session).values, encoding.flags
        cells = [values == k + 1 for k in range(n)] + [(flags & flag) > 0 for flag in FLAGS]
        in_frame = encoding.cells.t == frame_shown(viewer, session)
        for (here, everywhere), some in zip(self.counts, cells, strict=True):
            here.setText(str(int((some & in_frame).sum())))
            everywhere.setText(str(int(some.sum())))
        unknown = encoding.familiarity is None
        for number in self.counts[n + list(FLAGS).index(OUT_OF_DISTRIBUTION)]:
            number.setToolTip(UNKNOWN if unknown else "")
            if unknown:  # which is not to say that there are none
                number.setText("–")
