"""Classification heads: latents, and measured properties by choice, in; signed logits out.

Paper §5.2, eq. 2.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from napari_interpdisc.models.properties import NO_PROPERTIES, HeadProperties


@runtime_checkable
class Head(Protocol):
    """What every head can do, however it came about."""

    kind: str
    properties: HeadProperties

    def __call__(self, latents: Tensor, measured: Tensor | None = None) -> Tensor:
        """Logits (N, K) of latents (N, L) and, if the head reads any, properties (N, P).

        K = 1 for two classes, score ≥ 0 meaning the second. Properties are in their own units, in
        the order of ``properties``. Without those that it reads, a head raises InvalidInput.
        """
        ...

    @property
    def n_weights(self) -> int:
        """Number of active connection weights; biases are not counted (paper, Table 1)."""
        ...

    @property
    def expression_size(self) -> int:
        """Nodes of the expression tree that the head amounts to (paper, Table 1)."""
        ...

    @property
    def size_without_biases(self) -> int:
        """The same, with the biases and their additions left out."""
        ...

    @property
    def used_latents(self) -> tuple[int, ...]:
        """Latents on which the output depends."""
        ...

    @property
    def used_properties(self) -> tuple[str, ...]:
        """Measured properties on which the output depends."""
        ...


def read_columns(head: Head, columns: Tensor) -> Tensor:
    """Logits (N, K) of latents and measured properties side by side, (N, L + P), P the head's."""
    n = len(head.properties)
    return head(columns[:, :-n], columns[:, -n:]) if n else head(columns)


PAPER_LAYERS = (32, 16, 16, 16, 1)
"""Units from the latents to the signed score (paper, Table 1: 1040 weights)."""


def layer_size(inputs: int, units: int, *, output: bool, biases: bool = True) -> int:
    """Nodes of ``units`` equal neurons, each with ``inputs`` active inputs (paper, supplement).

    An upstream neuron counts as one leaf. A pre-activation of n inputs costs 4n + 1 nodes, 4n − 1
    without its bias; swish, x/(1 + exp(−1·x)), uses it twice and adds 6.
    """
    sum_of_products = 4 * inputs + (1 if biases else -1)
    return units * (sum_of_products if output else 2 * sum_of_products + 6)


RADIUS_SIZE = 6
"""Nodes of the radius of a pair, √(a² + b²), beyond the one of a latent: roots and squares."""

LEAST_RADIUS = 1e-6
"""Radius below which a pair has no direction, so that its gradient stays finite."""


def head_inputs(latents: Tensor, inputs: int, pairs: Sequence[tuple[int, int]]) -> Tensor:
    """What a head reads of latents (N, L): (N, ``inputs``).

    The first latents, then the radius √(a² + b²) of each pair (a, b) of latents that rotate
    together. A radius does not change as the cell rotates, so that a head that reads the invariant
    latents and radii cannot depend on how the dish lay.
    """
    plain = latents[:, : inputs - len(pairs)]
    if not pairs:
        return plain
    first, second = (list(members) for members in zip(*pairs, strict=True))
    squares = latents[:, first].square() + latents[:, second].square()
    return torch.cat([plain, (squares + LEAST_RADIUS**2).sqrt()], 1)


def all_inputs(
    latents: Tensor,
    measured: Tensor | None,
    inputs: int,
    pairs: Sequence[tuple[int, int]],
    properties: HeadProperties,
) -> Tensor:
    """What a head reads, (N, ``inputs``): :func:`head_inputs`, then standardised properties."""
    known = properties.standardised(measured, latents)
    read = head_inputs(latents, inputs - len(properties), pairs)
    return read if known is None else torch.cat([read, known], 1)


def unread_inputs(
    columns: Tensor, inputs: int, pairs: Sequence[tuple[int, int]], properties: HeadProperties
) -> Tensor:
    """Which inputs (``inputs``,) a head is not to read: those of latents that are 0 everywhere.

    Parameters
    ----------
    columns
        (…, L + P) latents and properties of the cells that it is trained on.
    inputs, pairs, properties
        See :func:`all_inputs`.
    """
    zero = (columns == 0).flatten(0, -2).all(0)
    plain = zero[: inputs - len(properties) - len(pairs)]
    radii = torch.tensor([bool(zero[a] and zero[b]) for a, b in pairs], dtype=torch.bool)
    return torch.cat([plain, radii, torch.zeros(len(properties), dtype=torch.bool)])


def latents_of_inputs(
    used: Iterable[int], inputs: int, pairs: Sequence[tuple[int, int]]
) -> tuple[int, ...]:
    """Latents behind some inputs of a head, in rising order; of a radius, both."""
    plain = inputs - len(pairs)
    found: set[int] = set()
    for place in used:
        found.update((place,) if place < plain else pairs[place - plain])
    return tuple(sorted(found))


class DenseHead(nn.Module):
    """Fully connected head: 32→16→16→16→1 with swish has 1040 weights (paper, Table 1).

    Parameters
    ----------
    layers
        Number of units from the inputs to the outputs.
    batch_norm
        BatchNorm before each swish, as in scheme 1.
    pairs
        Latents that rotate together, whose radii are the last inputs (:func:`head_inputs`).
    properties
        Measured properties, which are inputs after these.
    """

    kind = "dense"

    def __init__(
        self,
        layers: tuple[int, ...] = PAPER_LAYERS,
        batch_norm: bool = False,
        pairs: Sequence[tuple[int, int]] = (),
        properties: HeadProperties = NO_PROPERTIES,
    ) -> None:
        super().__init__()
        self.layers, self.pairs = tuple(layers), tuple(pairs)
        self.properties = properties
        self.batch_norm = batch_norm
        steps: list[nn.Module] = []
        for n_in, n_out in itertools.pairwise(layers):
            steps += [nn.Linear(n_in, n_out)]
            steps += [nn.BatchNorm1d(n_out)] if batch_norm else []
            steps += [nn.SiLU()]
        self.network = nn.Sequential(*steps[: -2 if batch_norm else -1])

    def forward(self, latents: Tensor, measured: Tensor | None = None) -> Tensor:
        """Logits (N, K) of latents (N, L) and properties (N, P); see :func:`all_inputs`."""
        inputs = all_inputs(latents, measured, self.layers[0], self.pairs, self.properties)
        return self.network(inputs)  # type: ignore[no-any-return]

    @property
    def linears(self) -> list[nn.Linear]:
        """The linear layers, from input to output."""
        return [layer for layer in self.network if isinstance(layer, nn.Linear)]

    @property
    def used_inputs(self) -> tuple[int, ...]:
        """Inputs with a weight: all but those that the head was not to read."""
        return tuple(int(i) for i in self.linears[0].weight.any(0).nonzero()[:, 0])

    @property
    def n_weights(self) -> int:
        """Number of connection weights, without biases and those of inputs that are not read."""
        idle = self.layers[0] - len(self.used_inputs)
        return sum(layer.weight.numel() for layer in self.linears) - idle * self.layers[1]

    @property
    def expression_size(self) -> int:
        """Nodes of the equivalent expression tree, counted layer by layer (:func:`layer_size`).

        BatchNorm adds 11 nodes, twice, to every hidden neuron.
        """
        return self._size(biases=True)

    @property
    def size_without_biases(self) -> int:
        """The same, with the biases and their additions left out."""
        return self._size(biases=False)

    def _size(self, biases: bool) -> int:
        *hidden, last = self.linears
        size = layer_size(last.in_features, last.out_features, output=True, biases=biases)
        for place, layer in enumerate(hidden):
            inputs = layer.in_features if place else len(self.used_inputs)
            size += layer_size(inputs, layer.out_features, output=False, biases=biases)
            size += 22 * layer.out_features * self.batch_norm
        end = self.layers[0] - len(self.properties)
        radii = sum(end - len(self.pairs) <= place < end for place in self.used_inputs)
        return size + RADIUS_SIZE * radii

    @property
    def used_latents(self) -> tuple[int, ...]:
        """All latents but those that it was not to read."""
        inputs = self.layers[0] - len(self.properties)
        own = [place for place in self.used_inputs if place < inputs]
        return latents_of_inputs(own, inputs, self.pairs)

    @property
    def used_properties(self) -> tuple[str, ...]:
        """All of its properties, likewise."""
        return self.properties.names


class SparseHead(nn.Module):
    """Head with few connections: 2 % of the dense head's (paper §4.2, scheme 3).

    Parameters
    ----------
    layers
        Number of units from the inputs to the outputs.
    pairs
        Latents that rotate together, whose radii are the last inputs (:func:`head_inputs`).
    properties
        Measured properties, which are inputs after these.

    Notes
    -----
    ``weights[l]`` and ``masks[l]`` are (units, inputs); a weight outside its mask is 0.
    """

    kind = "sparse"

    def __init__(
        self,
        layers: tuple[int, ...] = PAPER_LAYERS,
        pairs: Sequence[tuple[int, int]] = (),
        properties: HeadProperties = NO_PROPERTIES,
    ) -> None:
        super().__init__()
        self.layers, self.pairs = tuple(layers), tuple(pairs)
        self.properties = properties
        shapes = [(n_out, n_in) for n_in, n_out in itertools.pairwise(layers)]
        self.weights = nn.ParameterList(nn.Parameter(torch.zeros(shape)) for shape in shapes)
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(n_out)) for n_out, _ in shapes)
        for i, shape in enumerate(shapes):
            self.register_buffer(f"mask_{i}", torch.zeros(shape, dtype=torch.bool))

    @property
    def masks(self) -> list[Tensor]:
        """Active connections of each layer: (units, inputs), bool."""
        return [getattr(self, f"mask_{i}") for i in range(len(self.weights))]

    def forward(self, latents: Tensor, measured: Tensor | None = None) -> Tensor:
        """Logits (N, K) of latents (N, L) and properties (N, P); see :func:`all_inputs`."""
        x = all_inputs(latents, measured, self.layers[0], self.pairs, self.properties)
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = nn.functional.linear(x if i == 0 else nn.functional.silu(x), weight, bias)
        return x

    @property
    def n_weights(self) -> int:
        """Number of active connections, without biases."""
        return int(sum(mask.sum() for mask in self.masks))

    @property
    def expression_size(self) -> int:
        """Nodes of the equivalent expression tree: the dense head's rule, neuron by neuron."""
        return self._size(biases=True)

    @property
    def size_without_biases(self) -> int:
        """The same, with the biases and their additions left out."""
        return self._size(biases=False)

    def _size(self, biases: bool) -> int:
        *hidden, last = self.masks
        inputs = [(int(n), True) for n in last.sum(1)]
        inputs += [(int(n), False) for mask in hidden for n in mask.sum(1) if n]
        # an output that has lost every input is its bias: one constant
        size = sum(
            layer_size(n, 1, output=output, biases=biases) if n else int(biases)
            for n, output in inputs
        )
        end = self.layers[0] - len(self.properties)
        radii = sum(end - len(self.pairs) <= place < end for place in self.used_inputs)
        return size + RADIUS_SIZE * radii

    @property
    def used_inputs(self) -> tuple[int, ...]:
        """Inputs with an active connection; all reach the output once pruned."""
        return tuple(int(i) for i in self.masks[0].any(0).nonzero()[:, 0])

    @property
    def used_latents(self) -> tuple[int, ...]:
        """Latents behind these inputs."""
        inputs = self.layers[0] - len(self.properties)
        own = [place for place in self.used_inputs if place < inputs]
        return latents_of_inputs(own, inputs, self.pairs)

    @property
    def used_properties(self) -> tuple[str, ...]:
        """Measured properties behind these inputs."""
        inputs = self.layers[0] - len(self.properties)
        own = [place - inputs for place in self.used_inputs if place >= inputs]
        return tuple(self.properties.names[place] for place in own)

    def is_consistent(self) -> bool:
        """Whether every weight outside the active connections is 0."""
        return all(
            not bool(weight[~mask].any())
            for weight, mask in zip(self.weights, self.masks, strict=True)
        )

    @torch.no_grad()
    def pruned(self) -> SparseHead:
        """The same function without dead neurons (paper, supplement).

        1. A neuron that no input reaches is the constant swish(bias): it is folded into the biases
           of the next layer. 2. A neuron that does not reach an output goes. Until nothing changes.
        """
        head = SparseHead(self.layers, self.pairs, self.properties).to(self.weights[0].device)
        head.load_state_dict(self.state_dict())
        weights, biases, masks = list(head.weights), list(head.biases), head.masks
        last = len(masks) - 1
        while True:
            before = head.n_weights
            for i in range(last):
                constant = ~masks[i].any(1)
                value = nn.functional.silu(biases[i]) * constant
                biases[i + 1] += (weights[i + 1] * masks[i + 1]) @ value
                masks[i + 1][:, constant] = False
            for i in range(last, 0, -1):
                masks[i - 1][~masks[i].any(0)] = False
            for weight, mask in zip(weights, masks, strict=True):
                weight.mul_(mask)
            for i in range(last):
                biases[i].mul_(masks[i].any(1))
            if head.n_weights == before:
                return head.train(self.training)
