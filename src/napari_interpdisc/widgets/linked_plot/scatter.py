"""The scatter plot: cells as points, a lasso, and the line at which the head changes its mind."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from qtpy.QtCore import QPointF, QRectF, Qt, Signal
from qtpy.QtGui import QKeyEvent, QMouseEvent
from skimage.measure import points_in_poly

from napari_interpdisc._types import BoolArray, Float64Array
from napari_interpdisc.widgets.linked_plot.raster import raster
from napari_interpdisc.widgets.parts.plot import Plot, line_item

CLICK_PX, REACH_PX = 4.0, 8.0
"""A press that moves further is a drag; a click farther than this from a point means none."""

SMALL = 20_000
"""Above this number of points, they are smaller."""

OUTLINED = 1000
"""Chosen points that have an outline at most; of more, the others are pale."""

PALE = 50
"""Opacity, 0–255, of points that are not chosen while some are."""

Y_AXIS, X_AXIS = 48, 38
"""Room for numbers and title of each axis, px."""

AIR = 0.04
"""Room around the points, relative to their range."""


class ScatterPlot(Plot):
    """Points that are chosen by a lasso or a box, and clicked one by one.

    Signals
    -------
    lassoed
        (rows, modifiers): positions of the points inside, and "", "add" or "toggle".
    clicked
        Position of the point that was clicked, and the modifier; −1 beside all points.
    typed
        A digit, "Delete" or "Backspace".

    Attributes
    ----------
    boxes
        Whether a drag draws a box in place of a lasso.
    """

    lassoed = Signal(object, str)
    clicked = Signal(int, str)
    typed = Signal(str)

    def __init__(self) -> None:
        super().__init__(grows=True)
        self.boxes = False
        self.xy: Float64Array = np.zeros((0, 2))
        self.colors: npt.NDArray[np.uint8] = np.zeros((0, 4), np.uint8)
        self.chosen: npt.NDArray[np.intp] = np.zeros(0, np.intp)
        self.selected: int | None = None
        self.lines: Sequence[Float64Array] = ()
        self._path: list[QPointF] = []
        self._image = pg.ImageItem(axisOrder="row-major")
        self._rings = pg.ScatterPlotItem(size=11, brush=None)
        self._spot = pg.ScatterPlotItem(size=13, brush="w", pen=pg.mkPen("k", width=2))
        self._lasso = pg.PlotCurveItem()
        for z, item in enumerate((self._image, self._rings, self._spot, self._lasso)):
            item.setZValue(10 + 2 * z)
        # they would find their size only once they were drawn
        self.y_axis.setWidth(Y_AXIS)
        self.x_axis.setHeight(X_AXIS)
        self.setMinimumHeight(230)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.box.sigResized.connect(lambda *_: self.redraw())

    def has_data(self) -> bool:
        """Whether there are points."""
        return bool(np.isfinite(self.xy).all(1).any())

    # -- what is shown ----------------------------------------------------------------------------

    def show_points(
        self, xy: Float64Array, colors: npt.NDArray[np.uint8], labels: tuple[str, str]
    ) -> None:
        """Draw points (N, 2) in colours (N, 4); those that are NaN are left out."""
        self.xy, self.colors = xy, colors
        self.x_axis.setLabel(labels[0])
        self.y_axis.setLabel(labels[1])
        self.redraw()

    def show_colors(self, colors: npt.NDArray[np.uint8]) -> None:
        """Draw the same points in other colours."""
        self.colors = colors
        self._draw_points()

    def show_chosen(self, rows: npt.NDArray[np.intp], selected: int | None) -> None:
        """Outline the chosen points, and mark the selected one."""
        self.chosen, self.selected = rows, selected
        if self.has_data():
            self._draw_points()

    def show_lines(self, lines: Sequence[Float64Array]) -> None:
        """Draw the boundary: pieces (n, 2)."""
        self.lines = lines
        self.redraw()

    @property
    def spans(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """(low, high) of each axis."""
        found = []
        for values in self.xy.T:
            known = values[np.isfinite(values)]
            low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
            room = AIR * (high - low) or 1.0
            found.append((low - room, high + room))
        return found[0], found[1]

    def draw(self) -> None:
        """Draw points, boundary, and what is chosen."""
        self.set_ranges(*self.spans)
        for points in self.lines:
            self.box.addItem(line_item(points[:, 0], points[:, 1], self.ink, 2.0))
        self._rings.setPen(pg.mkPen(self.chosen_colour, width=1.5))
        self._lasso.setPen(pg.mkPen(self.ink, width=1.2, style=Qt.PenStyle.DashLine))
        for item in (self._image, self._rings, self._spot, self._lasso):
            self.box.addItem(item)
        self._draw_points()

    def _draw_points(self) -> None:
        width, height = max(int(self.box.width()), 1), max(int(self.box.height()), 1)
        (left, right), (low, high) = self.spans
        known = np.flatnonzero(np.isfinite(self.xy).all(1))
        colors = self.colors.copy()
        if len(self.chosen):
            colors[np.setdiff1d(np.arange(len(colors)), self.chosen), 3] = PALE
        x = (self.xy[known, 0] - left) / (right - left) * width - 0.5
        y = (high - self.xy[known, 1]) / (high - low) * height - 0.5
        size = 5 if len(known) <= SMALL else 3
        picture = raster(np.stack([y, x], 1), colors[known], (height, width), size)
        self._image.setImage(picture[::-1], autoLevels=False)
        self._image.setRect(QRectF(left, low, right - left, high - low))
        outlined = self.chosen if len(self.chosen) <= OUTLINED else self.chosen[:0]
        self._rings.setData(*self.xy[outlined].T)
        own = self.selected
        shown = self.xy[:0] if own is None else self.xy[own : own + 1]
        self._spot.setData(*shown[np.isfinite(shown).all(1)].T)

    # -- the mouse --------------------------------------------------------------------------------

    def inside(self, corners: Float64Array) -> BoolArray:
        """(N,) whether each point lies inside a polygon (n, 2) of the axes."""
        return np.asarray(points_in_poly(np.nan_to_num(self.xy, nan=np.inf), corners), bool)

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt's name)
        """Begin a lasso, or a click."""
        if event.button() == Qt.MouseButton.LeftButton and self.has_data():
            self._path = [event.position()]

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt's name)
        """Draw the lasso along."""
        if not self._path:
            return
        self._path = [*self._path[: 1 if self.boxes else None], event.position()]
        corners = self._corners()
        closed = np.concatenate([corners, corners[:1]])
        self._lasso.setData(closed[:, 0], closed[:, 1])

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt's name)
        """Choose what is inside, or the point that was clicked."""
        if not self._path:
            return
        start, end = self._path[0], event.position()
        moved = max(abs(p.x() - start.x()) + abs(p.y() - start.y()) for p in (*self._path, end))
        how = _modifier(event.modifiers())
        if moved <= CLICK_PX:
            self._path = []
            self.clicked.emit(self._nearest(end), how)
            return
        self._path = [*self._path[: 1 if self.boxes else None], end]
        corners = self._corners()
        self._drop_lasso()
        self.lassoed.emit(np.flatnonzero(self.inside(corners)), how)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 (Qt's name)
        """Give a lasso up, or tell the key of a class."""
        named = {Qt.Key.Key_Delete: "Delete", Qt.Key.Key_Backspace: "Backspace"}
        if event.key() == Qt.Key.Key_Escape and self._path:
            self._drop_lasso()
        elif event.key() in named or event.text().isdigit():
            self.typed.emit(named.get(event.key(), event.text()))
        else:
            super().keyPressEvent(event)

    def _drop_lasso(self) -> None:
        self._path = []
        self._lasso.setData([], [])

    def _corners(self) -> Float64Array:
        path = np.array([self.point_at(place) for place in self._path])
        if not self.boxes or len(path) < 2:
            return path
        (x0, y0), (x1, y1) = path[0], path[-1]
        return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])

    def _nearest(self, place: QPointF) -> int:
        x, y = self.point_at(place)
        (left, right), (low, high) = self.spans
        px = np.array([self.box.width() / (right - left), self.box.height() / (high - low)])
        distance = np.hypot(*((self.xy - (x, y)) * px).T)
        if not np.isfinite(distance).any():
            return -1
        best = int(np.nanargmin(distance))
        return best if distance[best] <= REACH_PX else -1


def _modifier(pressed: Qt.KeyboardModifier) -> str:
    if pressed & Qt.KeyboardModifier.ShiftModifier:
        return "add"
    return "toggle" if pressed & Qt.KeyboardModifier.ControlModifier else ""
