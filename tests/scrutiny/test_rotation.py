"""Rotating pairs of latents with a known order."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.scrutiny.naming import study_latents
from napari_interpdisc.scrutiny.rotation import find_rotating_pairs, rotating_pairs_of

from .conftest import Moments, N


def turned_views(rng: np.random.Generator, orders: list[int], noise: float) -> npt.NDArray[Any]:
    """Latents (8, N, 2 per order + 2) of cells that rotate; the last two do not, or are noise."""
    angle = 2 * np.pi * np.arange(8)[:, None] / 8 + rng.uniform(0, 2 * np.pi, N)
    parts = []
    for k, order in enumerate(orders):
        size = rng.gamma(4, 1, N)
        sense = (-1) ** k
        parts += [size * np.cos(order * angle + 0.3), sense * size * np.sin(order * angle + 0.3)]
    z = np.stack([*parts, np.tile(rng.normal(size=N), (8, 1)), rng.normal(size=(8, N))], -1)
    return z + noise * rng.normal(size=z.shape)


def test_turning_pairs_and_their_order_are_found(rng: np.random.Generator) -> None:
    z = turned_views(rng, [2, 1, 3], 0.2)
    mixed = z[:, :, [4, 0, 6, 2, 1, 7, 3, 5]]
    found = rotating_pairs_of(mixed)
    assert {(p.a, p.b, p.order) for p in found} == {(1, 4, 2), (3, 6, 1), (0, 7, 3)}
    assert all(0.9 < p.score <= 1.001 and p.wobble < 0.1 and p.cells == N for p in found)
    assert rotating_pairs_of(mixed, least=1.1) == ()
    assert rotating_pairs_of(np.zeros((8, 5, 3))) == ()


def test_a_pair_on_an_ellipse_is_told_by_its_wobble(rng: np.random.Generator) -> None:
    z = turned_views(rng, [2], 0.0) * [1, 4, 1, 1]
    (pair,) = rotating_pairs_of(z)
    assert (pair.a, pair.b, pair.order) == (0, 1, 2)
    assert pair.wobble > 0.3
    study = study_latents(z[0], {"p": z[0, :, 0]}, np.arange(N), [pair], draws=10)
    assert study.orientation_pairs == ()


def test_crops_that_cannot_be_turned_are_refused() -> None:
    model = cast("CellModel", Moments())
    for shape, told in [
        ((4, 60, 60), "60 px wide"),
        ((4, 65, 65), "even number"),
        ((4, 64, 66), "number, side, side"),
        ((1, 64, 64), "number, side, side"),
    ]:
        with pytest.raises(InvalidInput, match=told):
            find_rotating_pairs(model, np.zeros(shape))
