"""Classification heads: latents in, signed logits out (paper §5.2, eq. 2)."""

from __future__ import annotations

import itertools
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn


@runtime_checkable
class Head(Protocol):
    """What every head can do, however it came about."""

    kind: str

    def __call__(self, latents: Tensor) -> Tensor:
        """Logits (N, K) of latents (N, L); K = 1 for two classes, score ≥ 0 meaning the second."""
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


PAPER_LAYERS = (32, 16, 16, 16, 1)
"""Units from the latents to the signed score (paper, Table 1: 1040 weights)."""


def layer_size(inputs: int, units: int, *, output: bool, biases: bool = True) -> int:
    """Nodes of ``units`` equal neurons, each with ``inputs`` active inputs (paper, supplement).

    An upstream neuron counts as one leaf. A pre-activation of n inputs costs 4n + 1 nodes, 4n − 1
    without its bias; swish, x/(1 + exp(−1·x)), uses it twice and adds 6.
    """
    sum_of_products = 4 * inputs + (1 if biases else -1)
    return units * (sum_of_products if output else 2 * sum_of_products + 6)


class DenseHead(nn.Module):
    """Fully connected head: 32→16→16→16→1 with swish has 1040 weights (paper, Table 1).

    Parameters
    ----------
    layers
        Number of units from the latents to the outputs.
    batch_norm
        BatchNorm before each swish, as in scheme 1.
    """

    kind = "dense"

    def __init__(self, layers: tuple[int, ...] = PAPER_LAYERS, batch_norm: bool = False) -> None:
        super().__init__()
        self.layers = tuple(layers)
        self.batch_norm = batch_norm
        steps: list[nn.Module] = []
        for n_in, n_out in itertools.pairwise(layers):
            steps += [nn.Linear(n_in, n_out)]
            steps += [nn.BatchNorm1d(n_out)] if batch_norm else []
            steps += [nn.SiLU()]
        self.network = nn.Sequential(*steps[: -2 if batch_norm else -1])

    def forward(self, latents: Tensor) -> Tensor:
        """Logits (N, K) of latents (N, L), of which the first ``layers[0]`` are read."""
        return self.network(latents[:, : self.layers[0]])  # type: ignore[no-any-return]

    @property
    def linears(self) -> list[nn.Linear]:
        """The linear layers, from input to output."""
        return [layer for layer in self.network if isinstance(layer, nn.Linear)]

    @property
    def n_weights(self) -> int:
        """Number of connection weights, without biases."""
        return sum(layer.weight.numel() for layer in self.linears)

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
        for layer in hidden:
            size += layer_size(layer.in_features, layer.out_features, output=False, biases=biases)
            size += 22 * layer.out_features * self.batch_norm
        return size

    @property
    def used_latents(self) -> tuple[int, ...]:
        """All latents: a dense head leaves none out."""
        return tuple(range(self.layers[0]))


class SparseHead(nn.Module):
    """Head with few connections: 2 % of the dense head's (paper §4.2, scheme 3).

    Parameters
    ----------
    layers
        Number of units from the latents to the outputs.

    Notes
    -----
    ``weights[l]`` and ``masks[l]`` are (units, inputs); a weight outside its mask is 0.
    """

    kind = "sparse"

    def __init__(self, layers: tuple[int, ...] = PAPER_LAYERS) -> None:
        super().__init__()
        self.layers = tuple(layers)
        shapes = [(n_out, n_in) for n_in, n_out in itertools.pairwise(layers)]
        self.weights = nn.ParameterList(nn.Parameter(torch.zeros(shape)) for shape in shapes)
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(n_out)) for n_out, _ in shapes)
        for i, shape in enumerate(shapes):
            self.register_buffer(f"mask_{i}", torch.zeros(shape, dtype=torch.bool))

    @property
    def masks(self) -> list[Tensor]:
        """Active connections of each layer: (units, inputs), bool."""
        return [getattr(self, f"mask_{i}") for i in range(len(self.weights))]

    def forward(self, latents: Tensor) -> Tensor:
        """Logits (N, K) of latents (N, L), of which the first ``layers[0]`` are read."""
        x = latents[:, : self.layers[0]]
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
        return sum(
            layer_size(n, 1, output=output, biases=biases) if n else int(biases)
            for n, output in inputs
        )

    @property
    def used_latents(self) -> tuple[int, ...]:
        """Latents with an active connection; all reach the output once pruned."""
        return tuple(int(i) for i in self.masks[0].any(0).nonzero()[:, 0])

    def is_consistent(self) -> bool:
        """Whether every weight outside the active connections is 0."""
        return all(
            not bool(weight[~mask].any())
            for weight, mask in zip(self.weights, self.masks, strict=True)
        )

    @torch.no_grad()
    def pruned(self) -> SparseHead:
        """The same function without dead neurons (paper, supplement).

        1. A neuron that no latent reaches is the constant swish(bias): it is folded into the biases
           of the next layer. 2. A neuron that does not reach an output goes. Until nothing changes.
        """
        head = SparseHead(self.layers).to(self.weights[0].device)
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
