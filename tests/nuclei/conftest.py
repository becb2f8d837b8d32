"""Drawn nuclei."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

SIDE = 64


CENTRE = (SIDE - 1) / 2


def inside(
    y: float = 0, x: float = 0, major: float = 14, minor: float = 14, angle: float = 0
) -> npt.NDArray[np.bool_]:
    """Pixels of an ellipse at (y, x) from the centre; ``angle`` from the x axis towards y."""
    dy, dx = np.mgrid[:SIDE, :SIDE] - CENTRE - np.array([y, x])[:, None, None]
    along = dx * np.cos(angle) + dy * np.sin(angle)
    across = -dx * np.sin(angle) + dy * np.cos(angle)
    return np.asarray((along / major) ** 2 + (across / minor) ** 2 <= 1)


def picture(*nuclei: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """A noisy crop of equally bright nuclei."""
    noise = np.random.default_rng(0).normal(0, 3, (SIDE, SIDE))
    return (100 + 80 * np.any(nuclei, axis=0) + noise).astype(np.float32)
