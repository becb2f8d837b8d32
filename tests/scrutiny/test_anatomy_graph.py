"""The graph of a sparse head, and where it is cut."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.cell_model import CellModel, NamedHead
from napari_interpdisc.models.heads import SparseHead
from napari_interpdisc.scrutiny.anatomy_graph import (
    HeadGraph,
    bottleneck,
    cut,
    head_graph,
    layout,
    whole_parts,
)

from .conftest import net


def swish(x: float) -> float:
    return float(x / (1 + np.exp(-x)))


def recomposed(graph: HeadGraph, z: np.ndarray) -> np.ndarray:
    """Scores (N, K) of latents (N, L): the trunk of what the sub-networks give."""
    sub = cut(graph)
    known = {one.place: torch.from_numpy(one.part.of_latents(z)) for one in sub.sub_networks}
    known |= {place: torch.from_numpy(graph.inputs[place].read(z)) for place in sub.direct}
    return np.stack([v.numpy() for v in graph.values(known, graph.outputs, torch.from_numpy(z))], 1)


CHAIN = net((3, 2, 2, 1), [(1, 2, 0, 2.0), (2, 0, 1, -1.0), (3, 1, 0, 3.0)])
DIAMOND = net(
    (4, 3, 2, 1),
    [
        (1, 0, 0, 1.0), (1, 1, 0, 1.0),
        (1, 1, 1, 1.0), (1, 2, 1, -1.0),
        (2, 0, 0, 1.0), (2, 1, 0, 1.0),
        (3, 0, 0, 1.0),
    ],
)  # fmt: skip
SHARED = net(
    (4, 3, 2, 1),
    [
        (1, 0, 0, 1.0), (1, 1, 0, 1.0),
        (1, 2, 1, 1.0), (1, 3, 1, 1.0),
        (2, 0, 0, 1.0),
        (2, 0, 1, 1.0), (2, 1, 1, 1.0),
        (3, 0, 0, 1.0), (3, 1, 0, 1.0),
    ],
)  # fmt: skip


def places(graph: HeadGraph) -> list[tuple[int, int]]:
    return [one.place for one in cut(graph).sub_networks]


def test_a_chain_is_one_sub_network(h2b: CellModel) -> None:
    graph = head_graph(CHAIN, h2b)
    assert [one.label for one in graph.inputs.values()] == ["z2 granularity_coarse"]
    assert [(e.source, e.target, e.weight) for e in graph.edges] == [
        ((0, 2), (1, 0), 2.0),
        ((1, 0), (2, 1), -1.0),
        ((2, 1), (3, 0), 3.0),
    ]
    sub = cut(graph)
    assert places(graph) == [(3, 0)]
    assert sub.trunk == ()
    assert sub.direct == ()
    (one,) = sub.sub_networks
    assert one.neurons == ((0, 2), (1, 0), (2, 1), (3, 0))
    inner = swish(2 * 0.7 + 0.1)
    want = 3 * swish(-inner + 0.1) + 0.1
    assert one.part([[0.7]]) == pytest.approx([want], rel=1e-6)
    assert one.part.decides
    assert bottleneck(graph, (3, 0)) == ()


def test_a_diamond_with_a_shared_input_is_cut_below_its_join(h2b: CellModel) -> None:
    graph = head_graph(DIAMOND, h2b)
    assert graph.effective[1, 0] == ((0, 0), (0, 1))
    assert graph.effective[2, 0] == ((0, 0), (0, 1), (0, 2))
    assert places(graph) == [(1, 0), (1, 1)]
    sub = cut(graph)
    assert sub.trunk == ((2, 0), (3, 0))
    assert sub.direct == ()
    assert bottleneck(graph, (3, 0)) == ((2, 0),)
    above = graph.part((3, 0), [(2, 0)])
    assert [one.label for one in above.inputs] == ["neuron 2.0"]
    assert above([[0.4]]) == pytest.approx([0.5], rel=1e-6)


def test_a_sub_network_that_feeds_two_neurons_is_in_both(h2b: CellModel) -> None:
    graph = head_graph(SHARED, h2b)
    # 1.0 feeds 2.0, which has two inputs, and 2.1, which has four
    assert places(graph) == [(1, 0), (1, 1), (2, 0)]
    nested = cut(graph).sub_networks[2]
    assert nested.neurons == ((0, 0), (0, 1), (1, 0), (2, 0))
    assert [one.part.name for one in cut(graph).sub_networks] == [
        "sub-network 1", "sub-network 2", "sub-network 3",
    ]  # fmt: skip


def test_an_input_by_two_ways_counts_once(h2b: CellModel) -> None:
    twice = net(
        (3, 2, 2, 1),
        [
            (1, 0, 0, 1.0), (1, 0, 1, -2.0),
            (2, 0, 0, 1.0), (2, 1, 0, 1.0),
            (2, 0, 1, 1.0), (3, 0, 0, 1.0), (3, 1, 0, 1.0),
        ],
    )  # fmt: skip
    graph = head_graph(twice, h2b)
    assert graph.effective[3, 0] == ((0, 0),)
    assert places(graph) == [(3, 0)]
    assert len(cut(graph).sub_networks[0].part.inputs) == 1


def test_inputs_that_reach_the_trunk_alone_are_direct(h2b: CellModel) -> None:
    wide = net(
        (4, 2, 1),
        [
            (1, 0, 0, 1.0), (1, 1, 0, 1.0), (1, 2, 0, 1.0), (1, 3, 1, 1.0),
            (2, 0, 0, 1.0), (2, 1, 0, 1.0),
        ],
    )  # fmt: skip
    sub = cut(head_graph(wide, h2b))
    assert [one.place for one in sub.sub_networks] == [(1, 1)]
    assert sub.direct == ((0, 0), (0, 1), (0, 2))
    assert sub.sources == ((1, 1), (0, 0), (0, 1), (0, 2))


def test_a_radius_is_one_input_of_two_latents(h2b: CellModel) -> None:
    radial = net((3, 1, 1), [(1, 0, 0, 1.0), (1, 2, 0, 1.0), (2, 0, 0, 1.0)], pairs=[(18, 19)])
    graph = head_graph(radial, h2b)
    assert [one.label for one in graph.inputs.values()] == ["z0 size", "√(z18²+z19²) elongation"]
    assert places(graph) == [(2, 0)]
    assert cut(graph).sub_networks[0].part.latents == (0, 18, 19)


def test_dead_neurons_are_left_out(h2b: CellModel) -> None:
    dead = net(
        (3, 3, 2, 1),
        [
            (1, 0, 0, 1.0), (2, 0, 0, 1.0), (3, 0, 0, 2.0),
            (1, 1, 1, 5.0),  # reaches no output
            (2, 2, 1, 5.0), (3, 1, 0, 1.0),  # is reached by no input: a constant
        ],
    )  # fmt: skip
    graph = head_graph(dead, h2b)
    assert set(graph.biases) == {(1, 0), (2, 0), (3, 0)}
    assert set(graph.inputs) == {(0, 0)}
    constant = swish(5.0 * swish(0.1) + 0.1)
    assert graph.biases[3, 0] == pytest.approx(0.1 + constant, rel=1e-5)


def test_several_classes_have_a_cut_for_each_output(h2b: CellModel) -> None:
    many = net(
        (4, 2, 4),
        [
            (1, 0, 0, 1.0), (1, 1, 0, 1.0), (1, 2, 1, 1.0),
            (2, 0, 0, 1.0),
            (2, 0, 1, 1.0), (2, 1, 1, 1.0),
            (2, 1, 2, 1.0),
        ],
        classes=("a", "b", "c", "d"),
    )  # fmt: skip
    graph = head_graph(many, h2b)
    assert graph.effective[2, 3] == ()
    # the score of d is a constant: no sub-network, and no trunk
    assert places(graph) == [(1, 0), (1, 1), (2, 0), (2, 2)]
    assert cut(graph).trunk == ((2, 1),)
    assert graph.label((2, 2)) == "score of c"
    z = np.random.default_rng(0).normal(size=(50, 32))
    scores = many.head(torch.from_numpy(z.astype(np.float32))).numpy()
    assert recomposed(graph, z) == pytest.approx(scores, abs=1e-5)
    wholes = whole_parts(graph, many)
    assert [one.name for one in wholes] == [f"lead of {c}" for c in "abcd"]
    lead = wholes[1].of_latents(z)
    assert np.array_equal(lead > 0, scores.argmax(1) == 1)


def test_any_neuron_gives_what_is_below_it(h2b: CellModel) -> None:
    graph = head_graph(DIAMOND, h2b)
    wide = graph.part((2, 0))
    assert len(wide.inputs) == 3
    assert "more than 2: a map of it is a slice" in wide.about
    narrow = graph.part((1, 1), name="right")
    assert narrow.name == "right"
    assert narrow([[0.5, 0.2]]) == pytest.approx([swish(0.5 - 0.2 + 0.1)], rel=1e-6)
    assert narrow.about == "neuron 1.1: 2 effective inputs"
    with pytest.raises(InvalidInput, match="has no active neuron 2 in layer 1"):
        graph.part((1, 2))
    with pytest.raises(InvalidInput, match=r"neuron 2\.0 also reads z1 granularity_fine on a way"):
        graph.part((2, 0), [(1, 0)])


def test_a_formula_has_no_graph(h2b: CellModel) -> None:
    with pytest.raises(InvalidInput, match="'formula' is a formula and has no neurons"):
        head_graph(h2b.head("formula"), h2b)
    with pytest.raises(InvalidInput, match="has no sparse form"):
        head_graph(h2b.head("dense"), h2b)


@pytest.mark.parametrize("name", ["sparse", "sparse-plain", "sparse-strict", "states-sparse"])
def test_bundled_heads_are_recomposed_exactly(h2b: CellModel, name: str) -> None:
    named = h2b.head(name)
    graph = head_graph(named, h2b)
    z = np.random.default_rng(0).normal(size=(200, 32))
    scores = h2b.score(z, name)
    assert recomposed(graph, z) == pytest.approx(scores, abs=3e-5)
    for output in graph.outputs:
        neck = bottleneck(graph, output)
        if neck:
            k = graph.outputs.index(output)
            above = graph.part(output, neck).of_latents(z)
            assert above == pytest.approx(scores[:, k], abs=3e-5)


@given(st.integers(0, 10**6), st.floats(0.05, 0.5), st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_random_sparse_heads_are_recomposed(seed: int, density: float, outputs: int) -> None:
    model = LABELS
    rng = np.random.default_rng(seed)
    layers = (6, 5, 4, outputs)
    head = SparseHead(layers, [(10, 11), (12, 13)])
    with torch.no_grad():
        for weight, mask, bias in zip(head.weights, head.masks, head.biases, strict=True):
            mask.copy_(torch.from_numpy(rng.random(mask.shape) < density))
            weight.copy_(torch.from_numpy(rng.normal(size=mask.shape)) * mask)
            bias.copy_(torch.from_numpy(rng.normal(size=bias.shape)))
    classes = ("no", "yes") if outputs == 1 else tuple("abcd"[:outputs])
    graph = head_graph(NamedHead("random", head.requires_grad_(False), classes), model)
    z = rng.normal(size=(20, 32))
    scores = head(torch.from_numpy(z.astype(np.float32))).numpy()
    assert recomposed(graph, z) == pytest.approx(scores, rel=1e-4, abs=1e-4)
    for one in cut(graph).sub_networks:
        assert 1 <= len(one.part.inputs) <= 2


class _Labels:
    """What a graph asks of a model: names."""

    heads: dict[str, NamedHead] = {}  # noqa: RUF012

    def latent_label(self, index: int) -> str:
        return f"z{index}"

    def pair_label(self, a: int, b: int) -> str:
        return f"z{a}, z{b}"


LABELS: CellModel = _Labels()  # type: ignore[assignment]


def test_equations_say_the_whole_head(h2b: CellModel) -> None:
    assert head_graph(CHAIN, h2b).equations() == [
        "n1.0 = swish(2·z2 granularity_coarse + 0.1)",
        "n2.1 = swish(− 1·n1.0 + 0.1)",
        "score of yes = 3·n2.1 + 0.1",
    ]


def test_a_layout_uncrosses_what_can_be_uncrossed(h2b: CellModel) -> None:
    crossed = net((2, 2, 1), [(1, 0, 1, 1.0), (1, 1, 0, 1.0), (2, 0, 0, 1.0), (2, 1, 0, 1.0)])
    at = layout(head_graph(crossed, h2b))
    assert {place[0] for place in at} == {0, 1, 2}
    assert all(x == layer for (layer, _), (x, _) in at.items())
    assert (at[0, 0][1] > at[0, 1][1]) == (at[1, 1][1] > at[1, 0][1])
    assert at[2, 0] == (2.0, 0.5)
