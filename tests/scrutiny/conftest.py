"""Latents with a known truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from napari_interpdisc.models.cell_model import CellModel, NamedHead
from napari_interpdisc.models.formula import FormulaHead, parse_formula
from napari_interpdisc.models.heads import SparseHead
from napari_interpdisc.models.properties import HeadProperties
from napari_interpdisc.models.store import load_model

from ..earlier_heads import with_earlier_heads

N = 300


@pytest.fixture
def columns(rng: np.random.Generator) -> tuple[npt.NDArray[Any], dict[str, npt.NDArray[Any]]]:
    """Return latents (N, 5), two of them alike and one dead, and what they follow."""
    z = rng.normal(size=(N, 5))
    z[:, 4] = 0
    area = np.exp(-z[:, 0] + 0.1 * rng.normal(size=N))
    z[:, 1] = -z[:, 0] + 0.6 * rng.normal(size=N)
    neighbours = np.clip(np.rint(1.5 + z[:, 2]), 0, 4)
    distance = np.where(neighbours > 0, z[:, 3] + rng.normal(size=N), np.nan)
    return z, {"area": area, "neighbours": neighbours, "neighbour_distance": distance}


class Moments:
    """An encoder whose latents are moments of the crop: two pairs, a size and a constant."""

    crop_size = 64
    n_latents = 6

    def encode(self, crops: npt.NDArray[np.float32]) -> tuple[npt.NDArray[Any], None]:
        y, x = np.mgrid[:64, :64] - 31.5
        weight = np.clip(crops[:, 0], 0, None)
        weight = weight / weight.sum((1, 2), keepdims=True)

        def moment(field: npt.NDArray[Any]) -> npt.NDArray[Any]:
            return np.asarray((weight * field).sum((1, 2)))

        whole = moment(y**2 + x**2)
        return np.column_stack(
            [
                moment(2 * x * y) / whole, np.zeros(len(crops)), moment(y),
                moment(x**2 - y**2) / whole, -(crops[:, 0] > 0.5).mean((1, 2)), moment(x),
            ]
        ), None  # fmt: skip


Connection = tuple[int, int, int, float]
"""Layer of the target from 1, source, target, weight."""


def net(
    layers: tuple[int, ...],
    connections: Sequence[Connection],
    pairs: Sequence[tuple[int, int]] = (),
    classes: tuple[str, ...] = ("no", "yes"),
    bias: float = 0.1,
) -> NamedHead:
    """Sparse head with these connections, and one bias everywhere."""
    head = SparseHead(layers, pairs)
    with torch.no_grad():
        for layer, source, target, weight in connections:
            head.weights[layer - 1][target, source] = weight
            head.masks[layer - 1][target, source] = True
        for values in head.biases:
            values.fill_(bias)
    return NamedHead("hand", head.requires_grad_(False), classes)


def rule(
    *texts: str, scales: Sequence[float] = (), classes: tuple[str, ...] = ("no", "yes")
) -> NamedHead:
    """Formula head of these formulas."""
    return NamedHead("rule", FormulaHead([parse_formula(t) for t in texts], scales), classes)


@pytest.fixture(scope="session")
def measuring(h2b: CellModel) -> CellModel:
    """Return the bundled model with one head, which reads the area beside a latent."""
    read = HeadProperties(("area",), (600.0,), (100.0,))
    head = FormulaHead([parse_formula("area - z2", 32, None, read.names)], (), read)
    return replace(h2b, heads={"size": NamedHead("size", head, ("small", "large"))})


@pytest.fixture(scope="session")
def h2b() -> CellModel:
    """Return the bundled model with heads that stay the same."""
    return with_earlier_heads(load_model("h2b", device="cpu"))
