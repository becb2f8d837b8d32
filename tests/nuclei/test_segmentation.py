"""Segmentation of one frame: touching nuclei, debris, faults and magnification."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage

from napari_interpdisc._types import Float32Array
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.nuclei.segmentation import (
    NothingFound,
    _broadly_smoothed,
    checked_frame,
    segment_at,
)


def scene(
    *discs: tuple[float, float, float, float], side: int = 160, noise: float = 1.0
) -> Float32Array:
    """Frame with discs of (y, x, radius, brightness) on a background of 10."""
    rows, cols = np.mgrid[:side, :side]
    out = np.full((side, side), 10.0)
    for y, x, radius, bright in discs:
        out[np.hypot(rows - y, cols - x) <= radius] = 10 + bright
    out = ndimage.gaussian_filter(out, 1.2)
    return (out + noise * np.random.default_rng(0).normal(size=out.shape)).astype(np.float32)


def at(labels: npt.NDArray[np.int32], *places: tuple[int, int]) -> list[int]:
    return [int(labels[place]) for place in places]


def test_touching_nuclei_are_told_apart() -> None:
    labels = segment_at(scene((80, 66, 14, 100), (80, 93, 14, 100)), 28.0)
    first, second = at(labels, (80, 66), (80, 93))
    assert 0 not in (first, second)
    assert first != second
    assert labels.max() == 2


def test_a_bright_mitotic_cell_beside_a_dim_one_is_an_object_of_its_own() -> None:
    labels = segment_at(scene((80, 66, 14, 60), (80, 88, 7, 400)), 28.0)
    first, second = at(labels, (80, 60), (80, 88))
    assert 0 not in (first, second)
    assert first != second


def test_a_nucleus_is_cut_at_its_edge() -> None:
    labels = segment_at(scene((80, 80, 14, 100)), 28.0)
    assert (labels > 0).sum() == pytest.approx(np.pi * 14**2, rel=0.12)
    assert labels.dtype == np.int32
    assert set(np.unique(labels)) == {0, 1}


def test_debris_is_dropped_and_labels_have_no_gaps() -> None:
    labels = segment_at(scene((40, 40, 14, 100), (110, 110, 14, 80), (40, 120, 2.5, 120)), 28.0)
    assert set(np.unique(labels)) == {0, 1, 2}
    assert labels[40, 120] == 0


@pytest.mark.parametrize(("gain", "offset"), [(50.0, 0.0), (0.01, 0.0), (1.0, 900.0)])
def test_gain_and_offset_of_the_camera_do_not_matter(gain: float, offset: float) -> None:
    frame = scene((50, 50, 14, 100), (100, 105, 13, 40))
    wanted, found = segment_at(frame, 28.0) > 0, segment_at(gain * frame + offset, 28.0) > 0
    assert (wanted & found).sum() / (wanted | found).sum() > 0.97


def test_large_nuclei_are_found_on_a_reduced_image() -> None:
    big = scene((160, 130, 28, 100), (160, 188, 28, 100), side=320)
    labels = segment_at(big, 56.0)
    assert labels.shape == big.shape
    assert labels.max() == 2
    first, second = at(labels, (160, 130), (160, 188))
    assert first != second
    assert (labels == first).sum() == pytest.approx(np.pi * 28**2, rel=0.12)


def test_a_constant_frame_has_nothing_in_it() -> None:
    with pytest.raises(NothingFound, match="No nuclei were found"):
        segment_at(np.full((90, 90), 7, np.float32), 28.0)
    assert issubclass(NothingFound, InvalidInput)


def test_frames_that_cannot_be_used() -> None:
    assert checked_frame(np.ones((3, 4), np.uint16)).dtype == np.float32  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match=r"shape \(2, 3, 4\)"):
        checked_frame(np.ones((2, 3, 4), np.float32))
    for value in (np.nan, np.inf):
        bad = np.ones((3, 4), np.float32)
        bad[1, 2] = value
        with pytest.raises(InvalidInput, match="NaN or infinite pixels"):
            checked_frame(bad)


def test_a_wide_gaussian_on_few_pixels_is_the_one_on_all() -> None:
    rng = np.random.default_rng(0)
    background = ndimage.minimum_filter(rng.normal(100, 10, (201, 333)).astype(np.float32), 61)
    background += np.linspace(0, 50, 333, dtype=np.float32)
    coarse = _broadly_smoothed(background, 28.0)
    exact = ndimage.gaussian_filter(background, 28.0)
    assert coarse.shape == exact.shape
    assert np.abs(coarse - exact).max() < 0.02 * np.ptp(exact)
