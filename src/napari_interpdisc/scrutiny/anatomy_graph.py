"""A sparse head as a graph, and its exact decomposition into sub-networks (paper §5.3)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.cell_model import CellModel, NamedHead
from napari_interpdisc.models.heads import SparseHead
from napari_interpdisc.scrutiny.anatomy_parts import (
    HeadInput,
    Input,
    NeuronOutput,
    Part,
    check_takes_apart,
    latent_input,
    margins,
    radius_input,
    whole_name,
)

Place = tuple[int, int]
"""Layer, and position in it; layer 0 holds the inputs, the last layer the outputs."""

FEW = 2
"""Effective inputs of a sub-network at most: what can be drawn as a curve or a map."""


@dataclass(frozen=True)
class Edge:
    """An active connection."""

    source: Place
    target: Place
    weight: float


@dataclass(frozen=True, eq=False)
class HeadGraph:
    """The active connections of a sparse head without its dead neurons.

    It knows no positions on a screen (:func:`layout` gives them) and no cells.

    Attributes
    ----------
    head
        Name of the head.
    classes
        Names of its classes.
    inputs
        What it reads, by place.
    biases
        Bias of every neuron, by place, by rising layer.
    edges
        Active connections, by rising layer.
    outputs
        Places of the K outputs; K = 1 for two classes.
    """

    head: str
    classes: tuple[str, ...]
    inputs: Mapping[Place, HeadInput]
    biases: Mapping[Place, float]
    edges: tuple[Edge, ...]
    outputs: tuple[Place, ...]

    @cached_property
    def into(self) -> Mapping[Place, tuple[Edge, ...]]:
        """Connections that each neuron reads."""
        found: dict[Place, list[Edge]] = {place: [] for place in self.biases}
        for edge in self.edges:
            found[edge.target].append(edge)
        return {place: tuple(edges) for place, edges in found.items()}

    @cached_property
    def readers(self) -> Mapping[Place, tuple[Place, ...]]:
        """Neurons that read each input or neuron."""
        found: dict[Place, list[Place]] = {place: [] for place in (*self.inputs, *self.biases)}
        for edge in self.edges:
            found[edge.source].append(edge.target)
        return {place: tuple(targets) for place, targets in found.items()}

    @cached_property
    def effective(self) -> Mapping[Place, tuple[Place, ...]]:
        """Effective inputs of each neuron: those from which it is reached, in rising order."""
        found: dict[Place, frozenset[Place]] = {place: frozenset((place,)) for place in self.inputs}
        for place in self.biases:
            sources = [found[edge.source] for edge in self.into[place]]
            found[place] = frozenset(itertools.chain.from_iterable(sources))
        return {place: tuple(sorted(found[place])) for place in self.biases}

    def below(self, place: Place, sources: Sequence[Place] = ()) -> tuple[Place, ...]:
        """The neuron and all that it depends on, down to the inputs or ``sources``, sorted."""
        found: set[Place] = set()
        waiting = [place]
        while waiting:
            one = waiting.pop()
            if one not in found:
                found.add(one)
                if one not in sources or one == place:
                    waiting += [edge.source for edge in self.into.get(one, ())]
        return tuple(sorted(found))

    def values(
        self, known: Mapping[Place, Tensor], wanted: Sequence[Place], like: Tensor
    ) -> list[Tensor]:
        """Outputs (N,) of neurons, from those of some places that cut them off.

        Parameters
        ----------
        known
            Values (N,) of inputs or neurons.
        wanted
            Neurons to compute: after swish, but for outputs, which have none.
        like
            (N, …): a constant has its length and type.
        """
        found = dict(known)
        needed = {
            one for place in wanted if place not in known for one in self.below(place, [*known])
        }
        for place in sorted(needed - set(known)):
            total = like.new_full((len(like),), self.biases[place])
            for edge in self.into[place]:
                # one pass over memory for each connection: a map must follow a drag
                total = torch.add(total, found[edge.source], alpha=edge.weight)
            hidden = place not in self.outputs
            found[place] = torch.nn.functional.silu(total) if hidden else total
        return [found[place] for place in wanted]

    def part(
        self,
        place: Place,
        sources: Sequence[Place] | None = None,
        name: str | None = None,
        names: Mapping[Place, str] | None = None,
    ) -> Part:
        """The sub-network below a neuron, as a function of its effective inputs.

        Parameters
        ----------
        place
            The neuron.
        sources
            Neurons, and inputs, at which to stop; the inputs of the head if left out.
        name
            What to call it; its place if left out.
        names
            What to call neurons among the sources; their places if left out.

        Raises
        ------
        InvalidInput
            If there is no such neuron, or sources leave a way from an input to it.
        """
        if place not in self.biases:
            raise InvalidInput(
                f"Head '{self.head}' has no active neuron {place[1]} in layer {place[0]}."
            )
        stops = self.effective[place] if sources is None else tuple(sources)
        reached = self.below(place, stops)
        open_ways = [one for one in reached if one in self.inputs and one not in stops]
        if open_ways:
            raise InvalidInput(
                f"{self.label(place)} also reads {self.label(open_ways[0])} on a way that does not "
                "pass what was given; add it."
            )
        used = tuple(one for one in stops if one in reached)

        def function(x: Tensor) -> Tensor:
            known = dict(zip(used, x.unbind(1), strict=True))
            return self.values(known, [place], x)[0]

        n = len(self.effective[place])
        about = f"{self.label(place)}: {n} effective input{'s' * (n != 1)}"
        if sources is None and n > FEW:
            about += f", more than {FEW}: a map of it is a slice with the others held"
        decides = place in self.outputs and len(self.outputs) == 1
        return Part(name or self.label(place), about, self._inputs(used, names), function, decides)

    def _inputs(
        self, places: Sequence[Place], names: Mapping[Place, str] | None = None
    ) -> tuple[Input, ...]:
        called = names or {}
        return tuple(
            self.inputs[one]
            if one in self.inputs
            else NeuronOutput(called.get(one, self.label(one)), self.part(one))
            for one in places
        )

    def equations(self) -> list[str]:
        """One line for each neuron, from the inputs to the outputs; swish(x) = x / (1 + e⁻ˣ)."""
        lines = []
        for place, bias in self.biases.items():
            terms = [
                f"{'−' if edge.weight < 0 else '+'} {abs(edge.weight):.3g}·"
                f"{self.label(edge.source).replace('neuron ', 'n')}"
                for edge in self.into[place]
            ]
            text = " ".join([*terms, f"{'−' if bias < 0 else '+'} {abs(bias):.3g}"])
            text = text.removeprefix("+ ")
            hidden = place not in self.outputs
            name = self.label(place).replace("neuron ", "n")
            lines.append(f"{name} = swish({text})" if hidden else f"{name} = {text}")
        return lines

    def label(self, place: Place) -> str:
        """What to call an input, a neuron or an output."""
        if place in self.inputs:
            return self.inputs[place].label
        if place not in self.outputs:
            return f"neuron {place[0]}.{place[1]}"
        two = len(self.outputs) == 1
        return f"score of {self.classes[1 if two else self.outputs.index(place)]}"


def head_graph(named: NamedHead, model: CellModel) -> HeadGraph:
    """Graph of a sparse head, dead neurons left out.

    Raises
    ------
    InvalidInput
        If the head is not sparse; heads that can be taken apart are named.
    """
    check_takes_apart(named, model)
    head = named.head
    if not isinstance(head, SparseHead):
        raise InvalidInput(
            f"Head '{named.name}' is a formula and has no neurons; look at its terms, or choose a "
            "sparse head."
        )
    pruned = head.pruned()
    plain = head.layers[0] - len(head.pairs)
    inputs = {
        (0, i): latent_input(model, i) if i < plain else radius_input(model, *head.pairs[i - plain])
        for i in pruned.used_inputs
    }
    last = len(pruned.masks)
    biases, edges = {}, []
    with torch.no_grad():
        for layer, (weight, bias, mask) in enumerate(
            zip(pruned.weights, pruned.biases, pruned.masks, strict=True), 1
        ):
            for unit in range(len(mask)):
                sources = [int(i) for i in mask[unit].nonzero()[:, 0]]
                if sources or layer == last:
                    biases[layer, unit] = float(bias[unit])
                edges += [
                    Edge((layer - 1, i), (layer, unit), float(weight[unit, i])) for i in sources
                ]
    outputs = tuple((last, unit) for unit in range(head.layers[-1]))
    return HeadGraph(named.name, named.classes, inputs, biases, tuple(edges), outputs)


@dataclass(frozen=True, eq=False)
class SubNetwork:
    """A neuron with few effective inputs, and all below it.

    Attributes
    ----------
    place
        The neuron at which it is cut out.
    neurons
        Its neurons, and the inputs that it reads.
    part
        It as a function of its inputs.
    """

    place: Place
    neurons: tuple[Place, ...]
    part: Part


@dataclass(frozen=True, eq=False)
class Cut:
    """A head as a function of sub-networks, exactly.

    Attributes
    ----------
    sub_networks
        The largest ones with at most two effective inputs: something that reads them has more, or
        they are outputs.
    direct
        Inputs that the trunk reads itself.
    trunk
        Neurons above the cut.
    """

    sub_networks: tuple[SubNetwork, ...]
    direct: tuple[Place, ...]
    trunk: tuple[Place, ...]

    @property
    def sources(self) -> tuple[Place, ...]:
        """What the trunk reads: the sub-networks' neurons and the direct inputs."""
        return (*(one.place for one in self.sub_networks), *self.direct)


def cut(graph: HeadGraph) -> Cut:
    """Cut a head at its largest sub-networks with at most two effective inputs.

    A neuron is cut out if it has one or two effective inputs, and is an output or is read by a
    neuron with more. A neuron that feeds one of each kind is a sub-network, and part of another.
    """
    trunk = tuple(place for place, inputs in graph.effective.items() if len(inputs) > FEW)
    above = set(trunk)
    found: list[SubNetwork] = []
    for place, inputs in graph.effective.items():
        read = place in graph.outputs or bool(above.intersection(graph.readers[place]))
        if 1 <= len(inputs) <= FEW and read:
            part = graph.part(place, name=f"sub-network {len(found) + 1}")
            found.append(SubNetwork(place, graph.below(place), part))
    direct = tuple(one for one in graph.inputs if above.intersection(graph.readers[one]))
    return Cut(tuple(found), direct, trunk)


def bottleneck(graph: HeadGraph, output: Place) -> tuple[Place, ...]:
    """One or two hidden neurons through which all inputs reach an output; none if there are none.

    The whole head is then a map over their outputs, as sub-network 4 of the paper. Fewer neurons
    come first, then those nearest to the inputs. For an output with at most two effective inputs
    there is nothing to narrow.
    """
    if len(graph.effective[output]) <= FEW:
        return ()
    hidden = [place for place in graph.below(output) if place in graph.biases and place != output]
    for n in (1, FEW):
        for places in itertools.combinations(hidden, n):
            reached = graph.below(output, places)
            if not any(one in graph.inputs for one in reached):
                return tuple(one for one in places if one in reached)
    return ()


def whole_parts(graph: HeadGraph, named: NamedHead) -> tuple[Part, ...]:
    """The head as functions of all its inputs, one for each score.

    For two classes it is the score. For more it is the lead of a class, its score less the best of
    the others: where it is 0 is the decision boundary.
    """
    places = tuple(graph.inputs)

    def scores(x: Tensor) -> list[Tensor]:
        return graph.values(dict(zip(places, x.unbind(1), strict=True)), graph.outputs, x)

    inputs = graph._inputs(places)
    about = "the whole head"
    if len(graph.outputs) == 1:
        return (Part(whole_name(named, 0), about, inputs, lambda x: scores(x)[0], True),)
    return tuple(
        Part(whole_name(named, k), about, inputs, margins(scores, k), True)
        for k in range(len(graph.outputs))
    )


def layout(graph: HeadGraph, sweeps: int = 4) -> dict[Place, tuple[float, float]]:
    """Positions (x, y) of inputs and neurons: x is the layer, y spreads each layer over 0–1.

    Each layer is ordered by the mean height of its neighbours, there and back, so that few
    connections cross. The first input is on top (y = 1).
    """
    columns: dict[int, list[Place]] = {}
    for place in (*graph.inputs, *graph.biases):
        columns.setdefault(place[0], []).append(place)
    sources = {place: [edge.source for edge in edges] for place, edges in graph.into.items()}
    height: dict[Place, float] = {}

    def spread(column: list[Place]) -> None:
        n = len(column)
        for k, place in enumerate(column):
            height[place] = 0.5 if n == 1 else 1 - (k + 0.5) / n

    for column in columns.values():
        spread(column)
    for sweep in range(2 * sweeps):
        forward = sweep % 2 == 0
        for layer in sorted(columns, reverse=not forward):
            column = columns[layer]
            beside = sources if forward else graph.readers
            mean = {
                place: sum(height[one] for one in beside[place]) / len(beside[place])
                if beside.get(place)
                else height[place]
                for place in column
            }
            column.sort(key=lambda place: -mean[place])
            spread(column)
    return {place: (float(place[0]), y) for place, y in height.items()}
