"""Classification heads: latents in, signed logits out (paper §5.2, eq. 2)."""

from __future__ import annotations

import itertools
from typing import Protocol, runtime_checkable

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
    def used_latents(self) -> tuple[int, ...]:
        """Latents on which the output depends."""
        ...


class DenseHead(nn.Module):
    """Fully connected head: 32→16→16→16→1 with swish has 1040 weights (paper, Table 1).

    Parameters
    ----------
    layers
        Number of units from the latents to the outputs.
    """

    kind = "dense"

    def __init__(self, layers: tuple[int, ...] = (32, 16, 16, 16, 1)) -> None:
        super().__init__()
        self.layers = tuple(layers)
        steps: list[nn.Module] = []
        for n_in, n_out in itertools.pairwise(layers):
            steps += [nn.Linear(n_in, n_out), nn.SiLU()]
        self.network = nn.Sequential(*steps[:-1])

    def forward(self, latents: Tensor) -> Tensor:
        """Logits (N, K) of latents (N, L)."""
        return self.network(latents)  # type: ignore[no-any-return]

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
        """Nodes of the equivalent expression tree, counted layer by layer (DESIGN.md §3).

        A pre-activation of n inputs costs 4n + 1 nodes; swish uses it twice and adds 6.
        """
        *hidden, last = self.linears
        return (
            sum((8 * layer.in_features + 8) * layer.out_features for layer in hidden)
            + (4 * last.in_features + 1) * last.out_features
        )

    @property
    def used_latents(self) -> tuple[int, ...]:
        """All latents: a dense head leaves none out."""
        return tuple(range(self.layers[0]))
