"""Tracks of a family as lanes: class frame by frame above, state below, in colours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from qtpy.QtCore import QRectF, Signal
from qtpy.QtGui import QMouseEvent

from napari_interpdisc._types import RGBA
from napari_interpdisc.widgets.parts.plot import Plot, faint, line_item, round_ticks
from napari_interpdisc.widgets.through_time.family import Lane

CLASS_HEIGHT, STATE_HEIGHT = 0.24, 0.42
"""Heights of the two strips of a lane, of 1."""


class FamilyPlot(Plot):
    """Two strips for each track: its class frame by frame, and its state below.

    Signals
    -------
    clicked
        (track, frame) of the lane and the frame where the mouse was pressed.
    """

    clicked = Signal(int, int)

    def __init__(self) -> None:
        super().__init__(grows=True)
        self.lanes: tuple[Lane, ...] = ()
        self._colors: list[RGBA] = []
        self._frame = 0
        self._heading_text = ""
        self.x_axis.setLabel("frame")
        self._bar = pg.InfiniteLine(angle=90)

    def has_data(self) -> bool:
        """Whether there is a track."""
        return bool(self.lanes)

    def show_lanes(
        self, lanes: Sequence[Lane], colors: Sequence[RGBA], heading: str = "", empty: str = ""
    ) -> None:
        """Draw lanes in the colours of the classes, or say ``empty`` in their place."""
        self.lanes, self._colors = tuple(lanes), list(colors)
        self._heading_text, self.empty = heading, empty
        self.redraw()

    def show_frame(self, t: int) -> None:
        """Move the bar to frame ``t``."""
        self._frame = t
        self._place_bar()

    def _frames(self) -> tuple[float, float]:
        return (
            min(lane.start for lane in self.lanes) - 0.5,
            max(lane.stop for lane in self.lanes) - 0.5,
        )

    def _middle(self, place: int) -> float:
        """Height of the middle of a lane; the first is on top."""
        return len(self.lanes) - 1 - place

    def draw(self) -> None:
        """Draw the strips of every lane, and what joins mothers and daughters."""
        self.set_heading(self._heading_text)
        low, high = self._frames()
        self.set_ranges((low, high), (-0.6, len(self.lanes) - 0.4))
        ticks = [t for t in round_ticks(low, high) if t == round(t) and t >= 0]
        self.x_axis.setTicks([[(t, f"{t:g}") for t in ticks]])
        names = [(self._middle(i), lane.name) for i, lane in enumerate(self.lanes)]
        self.y_axis.setTicks([names])
        for i, lane in enumerate(self.lanes):
            middle = self._middle(i)
            if lane.parent is not None:
                x = lane.start - 0.5
                ends = ([x, x], [self._middle(lane.parent), middle])
                self.box.addItem(line_item(*ends, faint(self.ink, 0.6), 1.5))
            filled = lane.classes < 0
            self._add_strip(lane.start, middle + 0.02, CLASS_HEIGHT, lane.classes, ~filled)
            shades = np.where(filled, 0.35, 1.0)
            self._add_strip(lane.start, middle - STATE_HEIGHT, STATE_HEIGHT, lane.states, shades)
        self._bar.setPen(pg.mkPen(self.chosen_colour, width=2))
        self.box.addItem(self._bar)
        self._place_bar()

    def _add_strip(
        self, start: int, bottom: float, height: float, values: npt.NDArray[np.int64],
        opacity: npt.ArrayLike,
    ) -> None:  # fmt: skip
        colors = np.array([color[:3] for color in self._colors])[values]
        alpha = np.asarray(opacity, float)[:, None]
        pixels = np.rint(255 * np.concatenate([colors, alpha], 1)).astype(np.ubyte)
        picture = pg.ImageItem(pixels[:, None], levels=None)
        picture.setRect(QRectF(start - 0.5, bottom, len(values), height))
        self.box.addItem(picture)

    def _place_bar(self) -> None:
        if self.lanes:
            low, high = self._frames()
            self._bar.setValue(self._frame)
            self._bar.setVisible(low <= self._frame <= high)

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt's name)
        """Tell the lane and the frame."""
        if not self.has_data():
            return
        x, y = self.point_at(event.position())
        place = int(np.clip(len(self.lanes) - 1 - np.rint(y), 0, len(self.lanes) - 1))
        low, high = self._frames()
        frame = int(np.clip(np.rint(x), np.ceil(low), np.floor(high)))
        self.clicked.emit(self.lanes[place].track, frame)
