"""A sparse head as a graph of neurons, of which one may be picked."""

from __future__ import annotations

from typing import Any

import pyqtgraph as pg
from qtpy.QtCore import QPointF, Qt, Signal
from qtpy.QtGui import QColor, QMouseEvent

from napari_interpdisc.figures.palette import ON_WHITE
from napari_interpdisc.scrutiny.anatomy_graph import Cut, HeadGraph, Place, layout
from napari_interpdisc.widgets.parts.plot import Plot, faint, line_item, nearest_of

WEIGHTS = {True: ("#b2abd2", "#fdb863"), False: ("#5e3c99", "#e66101")}
"""Colours of weights below and above 0 in a dark and in a light theme: those of the maps."""

NEURON_PX, INPUT_PX = 24, 9
LAYER_PX, LEAST_NAME_PX = 34, 60
"""Least distance of two layers, and least width of the names of inputs, px."""

REACH_PX = 15.0
FADED = 0.2
"""Opacity of what is not in the sub-network that is picked."""


class GraphView(Plot):
    """Inputs to the left with their names, outputs to the right; sub-networks have colours.

    Signals
    -------
    picked
        Place of a neuron that was clicked.
    """

    picked = Signal(object)

    def __init__(self) -> None:
        super().__init__(grows=False)
        self.graph: HeadGraph | None = None
        self.cut: Cut | None = None
        self.chosen: Place | None = None
        self.at: dict[Place, tuple[float, float]] = {}
        self.shown: dict[Place, str] = {}
        for axis in (self.x_axis, self.y_axis):
            axis.hide()
        self.box.sigResized.connect(lambda *_: self.redraw())  # names keep their size
        self.setToolTip(
            "Orange weights are above 0, purple ones below; a wider line weighs more. Click a "
            "neuron to see its sub-network, and what it responds to. To the right are the scores."
        )

    def has_data(self) -> bool:
        """Whether there is a graph."""
        return self.graph is not None

    def show_graph(self, graph: HeadGraph | None, cut: Cut | None = None) -> None:
        """Draw a head, or nothing."""
        self.graph, self.cut, self.chosen = graph, cut, None
        self.at = {} if graph is None else layout(graph)
        widest = max((sum(p[0] == k for p in self.at) for k, _ in self.at), default=1)
        self.setFixedHeight(min(max(110, 24 * widest + 24), 260))
        self.redraw()

    def mark(self, place: Place | None) -> None:
        """Highlight the sub-network of a neuron, or none."""
        if place != self.chosen:
            self.chosen = place
            self.redraw()

    def highlighted(self) -> set[Place]:
        """Neurons and inputs in the sub-network of the chosen neuron; all without one."""
        if self.graph is None:
            return set()
        return set(self.at if self.chosen is None else self.graph.below(self.chosen))

    def colour_of(self, place: Place) -> str | None:
        """Colour of the sub-network that a neuron is in; None above them."""
        if self.cut is None:
            return None
        for number, one in enumerate(self.cut.sub_networks):
            if place in one.neurons:
                return ON_WHITE[number % len(ON_WHITE)]
        return None

    def places(self) -> dict[Place, QPointF]:
        """Where neurons are, px of the widget."""
        assert self.graph is not None
        return {place: self.place_of(*self.at[place]) for place in self.graph.biases}

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt's name)
        """Tell which neuron was clicked."""
        if self.graph is None or event.button() != Qt.MouseButton.LeftButton:
            return
        places = self.places()
        near = nearest_of([*places.values()], event.position(), REACH_PX)
        if near is not None:
            self.picked.emit([*places][near])

    def _range(self) -> None:
        """Let names of inputs fit to the left, and those of outputs to the right."""
        assert self.graph is not None
        last = max(layer for layer, _ in self.at)
        metrics = self.fontMetrics()
        names = [self.output_name(place) for place in self.graph.outputs]
        right = max(map(metrics.horizontalAdvance, names)) + NEURON_PX
        # layers must not overlap: long names of inputs end in …
        room = self.box.width() - right - 24 - last * LAYER_PX
        self.shown = {
            place: metrics.elidedText(
                one.label, Qt.TextElideMode.ElideRight, max(int(room), LEAST_NAME_PX)
            )
            for place, one in self.graph.inputs.items()
        }
        left = max(map(metrics.horizontalAdvance, self.shown.values())) + 24
        px = max(self.box.width() - left - right, 40) / max(last, 1)
        self.set_ranges((-left / px, last + right / px), (-0.02, 1.08))

    def draw(self) -> None:
        """Draw connections, then neurons and names."""
        graph = self.graph
        assert graph is not None
        self._range()
        bright = self.highlighted()
        negative, positive = WEIGHTS[self.is_dark]
        largest = max((abs(edge.weight) for edge in graph.edges), default=1.0)
        for edge in sorted(graph.edges, key=lambda one: abs(one.weight)):
            share = abs(edge.weight) / largest
            seen = {edge.source, edge.target} <= bright
            color = QColor(positive if edge.weight > 0 else negative)
            (x0, y0), (x1, y1) = self.at[edge.source], self.at[edge.target]
            opacity = 0.5 + 0.5 * share if seen else FADED
            item = line_item([x0, x1], [y0, y1], faint(color, opacity), 0.8 + 4 * share)
            item.setToolTip(
                f"{graph.label(edge.source)} → {graph.label(edge.target)}: {edge.weight:.3g}"
            )
            self.box.addItem(item)
        for place in graph.inputs:
            shade = faint(self.ink, 1.0 if place in bright else FADED)
            self._spot(place, "s", INPUT_PX, shade, pg.mkPen(None))
            named = self._text(self.shown[place], place, shade, (1.0, 0.5), -INPUT_PX)
            named.setToolTip(graph.inputs[place].label)
        for place in graph.biases:
            self._draw_neuron(graph, place, place in bright)

    def _draw_neuron(self, graph: HeadGraph, place: Place, seen: bool) -> None:
        color = self.colour_of(place)
        ink = faint(self.ink, 1.0 if seen else FADED)
        fill = QColor(color) if color else self.backgroundBrush().color()
        if not seen:
            fill = faint(fill, FADED)
        chosen = place == self.chosen
        pen = pg.mkPen(self.chosen_colour if chosen else ink, width=3.5 if chosen else 1.2)
        self._spot(place, "o", NEURON_PX, fill, pen)
        on = QColor("white" if fill.lightnessF() < 0.6 else "black")
        text = faint(on, 1.0 if seen else FADED) if color else ink
        self._text(f"{place[0]}.{place[1]}", place, text, (0.5, 0.5), 0)
        if place in graph.outputs:
            self._text(self.output_name(place), place, ink, (0.0, 0.5), NEURON_PX // 2)

    def _spot(self, place: Place, symbol: str, size: int, fill: QColor, pen: Any) -> None:
        x, y = self.at[place]
        self.box.addItem(
            pg.ScatterPlotItem([x], [y], symbol=symbol, size=size, brush=fill, pen=pen)
        )

    def output_name(self, place: Place) -> str:
        """Class whose score an output is."""
        assert self.graph is not None
        return self.graph.label(place).removeprefix("score of ")

    def _text(
        self, said: str, place: Place, color: QColor, anchor: tuple[float, float], right: int
    ) -> pg.TextItem:
        """Write beside a place, ``right`` px from it."""
        item = pg.TextItem(said, color=color, anchor=anchor)
        x, y = self.at[place]
        left, end = self.box.viewRange()[0]
        item.setPos(x + right * (end - left) / max(self.box.width(), 1), y)
        self.box.addItem(item)
        return item
