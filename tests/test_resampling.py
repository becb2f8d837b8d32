from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_interpdisc import resampling
from napari_interpdisc.resampling import resample, smooth_for_zoom


def test_down_sampling_is_smoothed() -> None:
    checker = np.indices((40, 40)).sum(0).astype(np.float32) % 2
    assert smooth_for_zoom(checker, 1.0) is checker
    assert np.ptp(smooth_for_zoom(checker, 1 / 3)[5:-5, 5:-5]) < 0.1


@pytest.mark.parametrize("shape", [(70, 90), (9, 200), (1, 30), (3, 3)])
@pytest.mark.parametrize("zoom", [0.07, 0.57, 1.0, 1.9])
def test_crops_are_those_of_a_general_spline_routine(
    shape: tuple[int, int], zoom: float, rng: np.random.Generator
) -> None:
    """Rows, then columns, with the low-pass in the weights: the same pixels, near edges too."""
    frame = rng.random(shape).astype(np.float32)
    yx = rng.uniform(-10, np.array(shape) + 10, (40, 2))
    yx[:5] = np.rint(yx[:5])
    offsets = (np.arange(16) - 7.5) / zoom
    at = np.broadcast_arrays(
        yx[:, 0, None, None] + offsets[:, None], yx[:, 1, None, None] + offsets
    )
    for low_pass in (False, True):
        seen = smooth_for_zoom(frame, zoom) if low_pass else frame
        wanted = ndimage.map_coordinates(seen, at, order=1, mode="constant", cval=0.5)
        found = np.empty((40, 16, 16), np.float32)
        resample(frame, yx, zoom, found, lambda: 0.5, low_pass)
        np.testing.assert_allclose(found, wanted, atol=2e-6)


def test_blocks_change_nothing_and_each_is_handed_on(
    monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    frame = rng.random((40, 50)).astype(np.float32)
    yx = np.array([[10.2, 20.7], [30, 5.5], [20, 20]])
    whole, parts = np.empty((2, 3, 16, 16), np.float32)
    resample(frame, yx, 0.8, whole, lambda: 0.0)
    monkeypatch.setattr(resampling, "BLOCK_PIXELS", 1)
    seen = []

    def add(some: slice, crops: np.ndarray) -> None:
        seen.append(some)
        crops += 1

    resample(frame, yx, 0.8, parts, lambda: 0.0, then=add)
    assert seen == [slice(0, 1), slice(1, 2), slice(2, 3)]
    np.testing.assert_array_equal(parts, whole + 1)


def test_what_is_beyond_is_asked_for_only_where_a_crop_reaches_it() -> None:
    def never() -> float:
        raise AssertionError

    crops = np.empty((1, 4, 4), np.float32)
    frame = np.ones((20, 20), np.float32)
    resample(frame, np.array([[10.0, 10.0]]), 1.0, crops, never)
    np.testing.assert_allclose(crops, 1)
    resample(frame, np.array([[0.5, 18.5]]), 1.0, crops, lambda: 3.0)
    np.testing.assert_allclose(crops[0], [[3] * 4] + [[1, 1, 1, 3]] * 3)
