from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_interpdisc.frames import Frames
from napari_interpdisc.nuclei.diameter import (
    DiameterEstimate,
    diameter_from_labels,
    estimate_diameter,
    measure_diameter,
)
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


def test_few_or_uneven_nuclei_make_an_estimate_unsure() -> None:
    sure = DiameterEstimate.of(np.array([26.0, 27, 28, 29, 30]))
    assert (sure.diameter, sure.nuclei, sure.doubt) == (28.0, 5, "")
    few = DiameterEstimate.of(np.array([28.0]))
    assert "28.0 px is unsure (1 nucleus was measured): measure a few nuclei by eye" in few.doubt
    assert "(4 nuclei were measured)" in DiameterEstimate.of(np.full(4, 28.0)).doubt
    pieces = DiameterEstimate.of(np.array([8.0] * 6 + [10.0, 30, 36, 36, 40, 40]))
    assert "half of the 12 objects measure 8 to 36 px" in pieces.doubt


def test_nuclei_that_fill_the_image_make_an_estimate_unsure() -> None:
    large = np.full(6, 51.0)
    assert DiameterEstimate.of(large).doubt == ""
    assert DiameterEstimate.of(large, 204).doubt == ""
    assert "(that is 26% of the image's shorter side)" in DiameterEstimate.of(large, 200).doubt


def test_an_inverted_image_is_doubted() -> None:
    made = simulate_movie(SimulationSettings(shape=(1, 200, 240), cells=12, dividing=0))
    image = made.image[0].astype(np.float64)
    assert measure_diameter(Frames(image)).side == 200
    assert measure_diameter(Frames(image.max() - image)).doubt
    assert measure_diameter(Frames(image), made.labels[0]).side is None


def test_an_image_that_is_cut_to_pieces_is_doubted(microscopy: Callable[[str], Path]) -> None:
    """Large textured nuclei, of which detection takes every grain for one."""
    file = microscopy("nuclei_frames/NIH3T3_dna-33.tif")
    pixels, masks = tifffile.imread(file)
    found = measure_diameter(Frames(pixels))
    right = diameter_from_labels(masks.astype(np.int32))
    assert found.diameter < 0.5 * right
    assert found.doubt
    assert measure_diameter(Frames(pixels), masks.astype(np.int32)).doubt == ""
