from __future__ import annotations

import numpy as np
import pytest

from napari_interpdisc.frames import Frames
from napari_interpdisc.nuclei.diameter import diameter_from_labels, estimate_diameter
from napari_interpdisc.simulate.movie import (
    SimulationSettings,
    simulate_movie,
)


@pytest.mark.parametrize("scale", [0.6, 1.0, 2.0])
def test_diameter_is_estimated_at_any_magnification(scale: float) -> None:
    side = round(300 * scale)
    made = simulate_movie(
        SimulationSettings(shape=(2, side, side), cells=20, diameter=28 * scale, dividing=0)
    )
    assert estimate_diameter(Frames(made.image)) == pytest.approx(28 * scale, rel=0.15)
    assert estimate_diameter(Frames(made.image), made.labels) == pytest.approx(28 * scale, rel=0.1)


def test_diameter_from_labels_by_hand() -> None:
    labels = np.zeros((2, 50, 50), np.int32)
    labels[0, 5:15, 5:15] = 1
    labels[1, 20:30, 20:30] = 2
    labels[1, 0:2, 0:2] = 3  # too small to be a nucleus
    assert diameter_from_labels(labels) == pytest.approx(np.sqrt(400 / np.pi), rel=0.01)
    assert diameter_from_labels(labels[0]) == pytest.approx(np.sqrt(400 / np.pi), rel=0.01)
