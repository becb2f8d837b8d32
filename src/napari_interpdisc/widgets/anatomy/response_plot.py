"""The response of a part as a curve or a map, with a dot that can be dragged."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from qtpy.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from qtpy.QtGui import QColor, QMouseEvent

from napari_interpdisc._types import Float64Array
from napari_interpdisc.scrutiny.anatomy_response import Response, contour
from napari_interpdisc.widgets.anatomy.part_view import PartView
from napari_interpdisc.widgets.parts.plot import Plot, faint, line_item, nearest_of

GRAB_PX = 12.0
"""A press this near to the dot takes hold of it."""

REACH_PX = 8.0
"""A click this near to a cell means it."""

CLICK_PX = 4.0
"""A press that moves further is no click."""

ARROWS, LINES = 7, 6
"""Gradient arrows along each side of a map, and its thin contours."""

BAND = 0.1
"""Share of the height of a curve, at its foot, in which the cells are."""

GREY = np.array([128, 128, 128])
GREYED = 0.7
"""Colour of regions without cells, and how much of it is in them."""

CURVE = {True: "#56b4e9", False: "#0072b2"}
"""Colour of a curve in a dark and in a light theme."""


@cache
def diverging() -> npt.NDArray[np.uint8]:
    """Colours (256, 3) of a map: purple below 0, white, orange above, as in figures."""
    from matplotlib import colormaps

    from napari_interpdisc.figures.anatomy import DIVERGING

    return (colormaps[DIVERGING](np.arange(256))[:, :3] * 255).astype(np.uint8)


def reach_of(found: Response) -> float:
    """Value at which the colours of a map end: 98 % of it, where cells are, is below."""
    shown = found.values[~found.ground.empty & np.isfinite(found.values)]
    if not len(shown):
        shown = found.values[np.isfinite(found.values)]
    return max(float(np.quantile(np.abs(shown), 0.98)), 1e-9) if len(shown) else 1.0


def coloured(found: Response) -> npt.NDArray[np.uint8]:
    """Picture (H, W, 4) of a map: greyed where no cells are, nothing where it is undefined."""
    share = np.nan_to_num(found.values, nan=0.0) / reach_of(found)
    rgb = diverging()[np.clip((share + 1) * 127.5, 0, 255).astype(int)].astype(float)
    empty = found.ground.empty
    rgb[empty] = GREYED * GREY + (1 - GREYED) * rgb[empty]
    alpha = np.where(np.isfinite(found.values), 255, 0)
    return np.dstack([rgb, alpha]).astype(np.uint8)


def arrows(found: Response, height_by_width: float) -> tuple[Float64Array, Float64Array]:
    """Points x and y of arrows along the gradient of a map, two for each stroke.

    They are drawn where cells are; ``height_by_width`` is the shape of the plot.
    """
    x, y = found.ground.points
    at = np.linspace(0, len(x) - 1, ARROWS + 2).round().astype(int)[1:-1]
    rows, columns = (one.ravel() for one in np.meshgrid(at, at, indexing="ij"))
    # everything in widths of the plot, so that heads are not sheared
    wide, tall = x[-1] - x[0], (y[-1] - y[0]) / height_by_width
    steps = np.stack(
        [found.gradient[0][rows, columns] * wide, found.gradient[1][rows, columns] * tall], 1
    )
    length = np.hypot(*steps.T)
    seen = ~found.ground.empty[rows, columns] & np.isfinite(length) & (length > 0)
    if not seen.any():
        return np.zeros(0), np.zeros(0)
    rows, columns, steps, length = rows[seen], columns[seen], steps[seen], length[seen]
    size = 0.085 * np.clip(length / length.max(), 0.4, 1)
    along = steps / length[:, None] * size[:, None]
    across = np.stack([-along[:, 1], along[:, 0]], 1)
    tip, tail = along / 2, -along / 2
    strokes = [tail, tip, tip, tip - 0.35 * along + 0.2 * across]
    strokes += [tip, tip - 0.35 * along - 0.2 * across]
    ends = np.stack(strokes, 1)  # (n, 6, 2)
    px = x[columns][:, None] + ends[..., 0] * wide
    py = y[rows][:, None] + ends[..., 1] * tall
    return px.ravel(), py.ravel()


def pieces(lines: tuple[Float64Array, ...]) -> tuple[Float64Array, Float64Array]:
    """Several lines (n, 2) as one, NaN between them."""
    gap = np.full((1, 2), np.nan)
    joined = np.concatenate([part for line in lines for part in (line, gap)] or [gap])
    return joined[:, 0], joined[:, 1]


class ResponsePlot(Plot):
    """A curve or a map, the cells as points, and the selected cell as a dot to be dragged.

    Signals
    -------
    dragged
        Place (1,) or (2,) on the axes to which the dot is dragged.
    pointed
        Place under the mouse while nothing is dragged; None once it has left.
    clicked
        Position, among the cells, of the one that was clicked.

    Attributes
    ----------
    drawn
        How often everything was drawn; moving the dot draws it alone.
    """

    dragged = Signal(object)
    pointed = Signal(object)
    clicked = Signal(int)

    def __init__(self) -> None:
        super().__init__(grows=True)
        self.drawn = 0
        self.view: PartView | None = None
        self.found: Response | None = None
        self._colors: list[QColor] = []
        self._own: Float64Array | None = None
        self._dot: tuple[Float64Array, float] | None = None
        self._pressed: QPointF | None = None
        self._dragging = False
        self._spot = pg.ScatterPlotItem(size=15, brush="w", pen=pg.mkPen("k", width=2))
        self._ring = pg.ScatterPlotItem(size=11, brush=None)
        self._spot.setZValue(20)
        self._ring.setZValue(19)
        self.setMinimumHeight(230)
        self.viewport().setMouseTracking(True)
        self.box.sigResized.connect(lambda *_: self.redraw())  # arrows keep their shape
        self.setToolTip(
            "Drag the white dot, the selected cell, to change its latents. Point anywhere to see "
            "what is decoded there. Click the point of another cell to go to it."
        )

    def has_data(self) -> bool:
        """Whether a part is shown."""
        return self.found is not None

    # -- what is shown ----------------------------------------------------------------------------

    def show_response(
        self, view: PartView | None, found: Response | None, colors: list[QColor]
    ) -> None:
        """Draw a part, or nothing; ``colors`` (N,) are those of the cells, none for draws."""
        if found is self.found and view is self.view and colors is self._colors:
            return
        if view is not self.view:
            self._dot = self._own = None  # they were places on other axes
        self.view, self.found, self._colors = view, found, colors
        if view is not None:
            self.x_axis.setLabel(view.labels[0])
            self.y_axis.setLabel(view.labels[1] if view.is_map else self._value_name(view))
        self.redraw()

    @staticmethod
    def _value_name(view: PartView) -> str:
        return "score" if view.part.decides else "response"

    def show_dot(
        self, dot: tuple[Float64Array, float] | None, own: Float64Array | None = None
    ) -> None:
        """Put the dot at (place, value), or nowhere; a ring marks where the cell was, if given."""
        self._dot, self._own = dot, own
        self._place_dot()

    @property
    def dot(self) -> Float64Array | None:
        """Place of the dot on the axes."""
        return None if self._dot is None else self._dot[0]

    def _at(self, place: Float64Array, value: float) -> tuple[float, float]:
        """Point of a place on the axes: of a curve, at its value."""
        return float(place[0]), float(place[1]) if len(place) == 2 else value

    def _place_dot(self) -> None:
        if self._dot is None or not all(np.isfinite(self._at(*self._dot))):
            self._spot.setData([], [])
        else:
            x, y = self._at(*self._dot)
            self._spot.setData([x], [y])
        if self._own is None:
            self._ring.setData([], [])
        else:
            value = self._curve_at(float(self._own[0])) if len(self._own) == 1 else 0.0
            x, y = self._at(self._own, value)
            self._ring.setData([x], [y])

    def _curve_at(self, x: float) -> float:
        assert self.found is not None
        return float(np.interp(x, self.found.ground.points[0], self.found.values))

    def draw(self) -> None:
        """Draw the curve or map, the cells and the dot."""
        found, view = self.found, self.view
        assert found is not None
        assert view is not None
        self.drawn += 1
        if view.is_map:
            self._draw_map(found, view)
        else:
            self._draw_curve(found, view)
        self._ring.setPen(pg.mkPen(self.chosen_colour, width=2))
        for item in (self._ring, self._spot):
            self.box.addItem(item)
        self._place_dot()

    def _draw_curve(self, found: Response, view: PartView) -> None:
        (line,) = found.ground.points
        values = found.values[np.isfinite(found.values)]
        low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
        low, high = min(low, 0.0), max(high, 0.0)
        air = 0.08 * (high - low) or 1.0
        below = 2 * air if self._colors else air
        self.set_ranges((line[0], line[-1]), (low - below, high + air))
        half = (line[1] - line[0]) / 2
        for start, end in runs(found.ground.empty):
            region = pg.LinearRegionItem(
                (line[start] - half, line[end] + half), movable=False,
                brush=faint(QColor(*GREY.tolist()), 0.4), pen=pg.mkPen(None),
            )  # fmt: skip
            self.box.addItem(region)
        dashed = pg.mkPen(faint(self.ink, 0.6), width=1, style=Qt.PenStyle.DashLine)
        self.box.addItem(pg.InfiniteLine(0, angle=0, pen=dashed))
        self.box.addItem(line_item(line, found.values, CURVE[self.is_dark], 2.5, connect="finite"))
        for points in found.boundary:
            self.box.addItem(
                pg.ScatterPlotItem(
                    points[:, 0], np.zeros(len(points)), symbol="d", size=10, pen=None,
                    brush=self.ink,
                )
            )  # fmt: skip

        if self._colors:
            self._draw_cells(view.points[:, 0], self._heights())

    def _heights(self) -> Float64Array:
        """Heights (N,) of the cells: of a curve in a band below it, at random, to be told apart."""
        assert self.view is not None
        if self.view.is_map:
            return self.view.points[:, 1]
        low, high = self.box.viewRange()[1]
        band = np.random.default_rng(0).uniform(0.01, BAND, len(self.view.points))
        return np.asarray(low + (high - low) * band)

    def _draw_map(self, found: Response, view: PartView) -> None:
        x, y = found.ground.points
        self.set_ranges((x[0], x[-1]), (y[0], y[-1]))
        image = pg.ImageItem(coloured(found), axisOrder="row-major")
        dx, dy = x[1] - x[0], y[1] - y[0]
        image.setRect(QRectF(x[0] - dx / 2, y[0] - dy / 2, dx * len(x), dy * len(y)))
        self.box.addItem(image)
        # on the colours of the map, and not on those of the theme
        black = QColor("black")
        if self._colors:
            self._draw_cells(view.points[:, 0], self._heights())
        finite = found.values[np.isfinite(found.values)]
        if len(finite) and finite.max() > finite.min():
            levels = np.linspace(finite.min(), finite.max(), LINES + 2)[1:-1]
            thin = tuple(one for level in levels for one in contour(found.values, (x, y), level))
            self.box.addItem(line_item(*pieces(thin), faint(black, 0.4), 1, connect="finite"))
        self.box.addItem(
            line_item(*pieces(found.boundary), black, 3, connect="finite", antialias=True)
        )
        shape = max(self.box.height(), 1) / max(self.box.width(), 1)
        self.box.addItem(line_item(*arrows(found, shape), faint(black, 0.75), 1.2, connect="pairs"))

    def _draw_cells(self, x: Float64Array, y: Float64Array) -> None:
        brushes: dict[Any, Any] = {}
        for color in self._colors:
            brushes.setdefault(color.rgba(), pg.mkBrush(faint(color, 0.75)))
        rim = pg.mkPen(faint(QColor("black"), 0.6), width=0.7)
        self.box.addItem(
            pg.ScatterPlotItem(
                x, y, size=6, pen=rim, brush=[brushes[one.rgba()] for one in self._colors]
            )
        )

    # -- the mouse --------------------------------------------------------------------------------

    def place_of_dot(self) -> QPointF | None:
        """Where the dot is, px of the widget."""
        return None if self._dot is None else self.place_of(*self._at(*self._dot))

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt's name)
        """Take hold of the dot, or begin a click."""
        if event.button() != Qt.MouseButton.LeftButton or self.view is None:
            return
        self._pressed = event.position()
        dot = self.place_of_dot()
        near = dot is not None and nearest_of([dot], self._pressed, GRAB_PX) is not None
        self._dragging = near and self.view.can_move
        if self._dragging:
            self.pointed.emit(None)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt's name)
        """Drag the dot, or tell where the mouse is."""
        if self.view is None:
            return
        place = self._place_under(event.position())
        if self._dragging:
            self.dragged.emit(self.view.inside(place))
        elif self._pressed is None:
            inside = bool(np.allclose(self.view.inside(place), place))
            self.pointed.emit(place if inside else None)
            dot = self.place_of_dot()
            over = dot is not None and nearest_of([dot], event.position(), GRAB_PX) is not None
            hand = Qt.CursorShape.OpenHandCursor
            self.viewport().setCursor(
                hand if over and self.view.can_move else Qt.CursorShape.ArrowCursor
            )

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt's name)
        """Let go of the dot, or end a click on a cell."""
        pressed, dragging = self._pressed, self._dragging
        self._pressed, self._dragging = None, False
        if pressed is None or dragging or self.view is None or not self._colors:
            return
        if nearest_of([pressed], event.position(), CLICK_PX) is None:
            return
        points = zip(self.view.points[:, 0], self._heights(), strict=True)
        places = [self.place_of(x, y) for x, y in points]
        near = nearest_of(places, event.position(), REACH_PX)
        if near is not None:
            self.clicked.emit(near)

    def _place_under(self, here: QPointF) -> Float64Array:
        assert self.view is not None
        return np.array(self.point_at(here)[: len(self.view.axes)])

    def leaveEvent(self, event: QEvent) -> None:  # noqa: N802 (Qt's name)
        """Tell that the mouse has left."""
        super().leaveEvent(event)
        self.pointed.emit(None)


def runs(flags: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and last position of each run of True."""
    padded = np.concatenate([[False], flags, [False]])
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    return [(int(a), int(b) - 1) for a, b in edges.reshape(-1, 2)]
