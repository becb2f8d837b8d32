from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from qtpy.QtCore import QPoint, Qt

from napari_interpdisc.scrutiny.anatomy import Anatomy
from napari_interpdisc.widgets.anatomy.graph_view import NEURON_PX, GraphView


@pytest.fixture
def graph(sparse: Anatomy, qtbot: Any) -> GraphView:
    made = GraphView()
    qtbot.addWidget(made)
    made.resize(400, 200)
    made.show_graph(sparse.graph, sparse.cut)
    made.show()
    made.grab()
    return made


def test_inputs_are_to_the_left_and_all_fits(graph: GraphView, sparse: Anatomy) -> None:
    places = graph.places()
    assert sparse.graph is not None
    assert set(places) == set(sparse.graph.biases)
    layers = sorted({place[0] for place in places})
    columns = [min(p.x() for one, p in places.items() if one[0] == k) for k in layers]
    assert columns == sorted(columns)
    names = max(
        graph.fontMetrics().horizontalAdvance(one.label) for one in sparse.graph.inputs.values()
    )
    assert graph.place_of(0, 0.5).x() > names
    right = graph.fontMetrics().horizontalAdvance("Metaphase")
    assert places[sparse.graph.outputs[0]].x() + right < graph.width()
    assert graph.output_name(sparse.graph.outputs[0]) == "Metaphase"


def test_long_names_leave_room_for_the_layers(graph: GraphView, sparse: Anatomy) -> None:
    assert sparse.graph is not None
    whole = sparse.graph
    graph.resize(900, 200)
    graph.grab()
    assert set(graph.shown.values()) == {one.label for one in whole.inputs.values()}
    graph.resize(400, 200)
    long = {
        place: replace(one, label=f"{one.label} {'m' * 60}") for place, one in whole.inputs.items()
    }
    graph.show_graph(replace(whole, inputs=long), sparse.cut)
    graph.grab()
    places = graph.places()
    columns = sorted({round(at.x()) for at in places.values()})
    assert min(b - a for a, b in pairwise(columns)) >= NEURON_PX
    assert all(name.endswith("…") for name in graph.shown.values())
    names = max(map(graph.fontMetrics().horizontalAdvance, graph.shown.values()))
    assert graph.place_of(0, 0.5).x() > names


def test_a_click_picks_a_neuron(graph: GraphView, sparse: Anatomy, qtbot: Any) -> None:
    picked: list[Any] = []
    graph.picked.connect(picked.append)
    for place, at in graph.places().items():
        qtbot.mouseClick(
            graph.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(round(at.x()), round(at.y()))
        )
        assert picked[-1] == place
    n = len(picked)
    qtbot.mouseClick(graph.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(2, 2))
    assert len(picked) == n


def test_the_sub_network_of_a_neuron_stands_out(graph: GraphView, sparse: Anatomy) -> None:
    assert sparse.graph is not None
    assert sparse.cut is not None
    assert graph.highlighted() == set(graph.at)
    plain = graph.grab().toImage()
    one = sparse.cut.sub_networks[0]
    graph.mark(one.place)
    assert graph.highlighted() == set(one.neurons) < set(graph.at)
    assert graph.grab().toImage() != plain
    graph.mark(None)
    assert graph.highlighted() == set(graph.at)


def test_each_sub_network_has_a_colour_and_the_trunk_none(
    graph: GraphView, sparse: Anatomy
) -> None:
    assert sparse.cut is not None
    colours = [graph.colour_of(one.place) for one in sparse.cut.sub_networks]
    assert None not in colours
    assert len(set(colours)) == len(colours)
    assert {graph.colour_of(place) for place in sparse.cut.trunk} == {None}


def test_without_a_head_there_is_nothing(graph: GraphView) -> None:
    graph.show_graph(None)
    assert not graph.has_data()
    assert graph.highlighted() == set()
    graph.grab()
