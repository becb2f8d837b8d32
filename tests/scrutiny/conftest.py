"""Latents with a known truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

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
