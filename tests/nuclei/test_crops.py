"""Nuclei of one crop, told apart."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_interpdisc.nuclei.crops import separate_nuclei

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


def test_a_thin_plate_and_a_bean_are_not_split() -> None:
    plate = inside(major=14, minor=3)
    bean = inside(major=15, minor=10) & ~inside(y=-10, major=5, minor=4)
    for mask in (plate, bean):
        regions = separate_nuclei(picture(mask))
        assert len(np.unique(regions[mask & (regions > 0)])) == 1
