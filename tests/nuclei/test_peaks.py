"""Maxima that last: the h-maxima, and one for each piece of a mask."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from skimage.morphology import h_maxima

from napari_interpdisc.nuclei.peaks import lasting_peaks


@pytest.mark.parametrize("seed", range(5))
def test_lasting_peaks_are_the_h_maxima(seed: int) -> None:
    rng = np.random.default_rng(seed)
    landscape = ndimage.gaussian_filter(rng.normal(size=(90, 70)), 3)
    depth = float(landscape.std())
    everywhere = np.ones(landscape.shape, dtype=bool)
    found = lasting_peaks(landscape, everywhere, depth)
    expected = h_maxima(landscape, depth)
    np.testing.assert_array_equal(found > 0, expected > 0)
    assert found.max() == ndimage.label(expected, np.ones((3, 3)))[1] > 3
    assert lasting_peaks(landscape, everywhere, 0.0).max() > found.max()


def test_each_piece_of_a_mask_keeps_its_highest_peak() -> None:
    landscape = np.zeros((9, 20))
    landscape[4, 3], landscape[4, 6], landscape[4, 15] = 3.0, 2.9, 0.01
    landscape[4, 4:6] = 2.85  # a pass between the first two that is not deep
    mask = landscape > 0
    found = lasting_peaks(landscape, mask, 0.1)
    assert sorted(zip(*(k.tolist() for k in np.nonzero(found)), strict=True)) == [(4, 3), (4, 15)]
    assert not lasting_peaks(landscape, np.zeros_like(mask), 0.1).any()
