from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_interpdisc.cells import CellTable
from napari_interpdisc.crops import (
    CLIP,
    check_diameter,
    cut_crops,
    iter_cells,
    iter_crops,
    normalise,
    paste_crops,
    usable_cells,
)
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.frames import Frames
from napari_interpdisc.resampling import smooth_for_zoom

RAMP = np.add.outer(10 * np.arange(20), np.arange(30)).astype(np.float32)


def test_whole_pixels_are_copied() -> None:
    # with an even size, a centroid half way between pixels lies in the crop's middle
    (crop,) = cut_crops(RAMP, [(9.5, 14.5)], size=4)
    np.testing.assert_allclose(crop, RAMP[8:12, 13:17], rtol=1e-6)


def test_sub_pixel_shift_is_bilinear() -> None:
    (crop,) = cut_crops(RAMP, [(9.75, 14.6)], size=4)
    np.testing.assert_allclose(crop, RAMP[8:12, 13:17] + 10 * 0.25 + 0.1, rtol=1e-5)


def test_zoom_samples_finer() -> None:
    (crop,) = cut_crops(RAMP, [(10, 15)], zoom=2.0, size=4)
    at = (np.arange(4) - 1.5) / 2
    np.testing.assert_allclose(crop, 10 * (10 + at)[:, None] + (15 + at)[None], rtol=1e-5)


def test_over_the_edge_is_the_frames_mean() -> None:
    (crop,) = cut_crops(RAMP, [(0.5, 0.5)], size=6)
    np.testing.assert_allclose(crop[:2], RAMP.mean(), rtol=1e-6)
    np.testing.assert_allclose(crop[:, :2], RAMP.mean(), rtol=1e-6)
    np.testing.assert_allclose(crop[2:, 2:], RAMP[:4, :4], rtol=1e-6)


def test_crops_own_their_pixels() -> None:
    frame = RAMP.copy()
    crops = cut_crops(frame, [(9.5, 9.5), (9.5, 14.5)], size=4)
    assert crops.base is None or crops.base.nbytes == crops.nbytes
    before = crops.copy()
    frame[:] = 0
    np.testing.assert_array_equal(crops, before)


def test_normalise_by_hand() -> None:
    crop = np.array([[0, 0], [0, 8]], np.float32)
    std = np.sqrt(12)
    np.testing.assert_allclose(normalise(crop), [[-2 / std, -2 / std], [-2 / std, 6 / std]], 1e-6)


def test_normalise_clips_and_does_not_divide_by_zero() -> None:
    crops = np.zeros((2, 64, 64), np.float32)
    crops[1, 3, 3] = 1000
    found = normalise(crops)
    assert found[1].max() == CLIP
    np.testing.assert_array_equal(found[0], 0)


def test_normalise_forgets_gain_and_offset(rng: np.random.Generator) -> None:
    crop = rng.normal(size=(64, 64)).astype(np.float32)
    np.testing.assert_allclose(normalise(crop * 37 + 900), normalise(crop), atol=1e-4)


@pytest.mark.parametrize("gain", [1e-30, 1e-6, 1 / 255, 1.0, 1e6, 1e30])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_normalise_knows_no_absolute_scale(
    gain: float, dtype: type[np.floating], rng: np.random.Generator
) -> None:
    """A floor of the spread in absolute units made float images another classifier."""
    crop = rng.integers(20, 200, (64, 64))
    scaled = (crop * gain).astype(dtype)
    np.testing.assert_allclose(normalise(scaled), normalise(crop), atol=1e-5)


def test_rounding_is_no_contrast(rng: np.random.Generator) -> None:
    flat = np.full((64, 64), 37.3, np.float32)
    flat *= 1 + 1e-7 * rng.standard_normal(flat.shape).astype(np.float32)
    np.testing.assert_array_equal(normalise(flat), 0)


@pytest.mark.parametrize("diameter", [0, -3, 2, 501, np.nan, np.inf])
def test_impossible_diameters(diameter: float) -> None:
    with pytest.raises(InvalidInput, match="give the typical diameter of an interphase nucleus"):
        check_diameter(diameter)


def test_iter_crops_in_any_order_and_small_batches(rng: np.random.Generator) -> None:
    movie = rng.normal(size=(3, 50, 60)).astype(np.float32)
    t = np.array([2, 0, 2, 1, 0, 0, 2])
    yx = rng.uniform(5, 45, (7, 2))
    cells = CellTable.from_arrays(t, yx)
    found = np.full((7, 1, 16, 16), np.nan, np.float32)
    for rows, crops in iter_crops(Frames(movie), cells, 14.0, 28.0, 16, batch=2):
        assert len(rows) <= 2
        found[rows] = crops
    for i in range(7):
        expected = normalise(cut_crops(movie[t[i]], yx[i], 2.0, 16))
        np.testing.assert_allclose(found[i], expected, atol=1e-5)


@pytest.mark.parametrize("zoom", [0.7, 1.0, 1.6])
def test_paste_is_the_way_back(zoom: float) -> None:
    frame = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(80, 90)), 4)
    frame = frame.astype(np.float32)
    crops = cut_crops(smooth_for_zoom(frame, zoom), [(40.3, 44.8)], zoom, 32)
    canvas = paste_crops(crops, [(40.3, 44.8)], zoom, frame.shape)
    there = np.isfinite(canvas)
    assert there[40, 44]
    assert not there[0, 0]
    half = 31 / 2 / zoom
    assert there.sum() == pytest.approx((2 * half) ** 2, rel=0.1)
    assert np.abs(canvas - frame)[there].max() < 0.15 * np.ptp(frame)


def test_overlapping_crops_go_to_the_nearest_centroid() -> None:
    crops = np.stack([np.full((8, 8), 1.0), np.full((8, 8), 2.0)]).astype(np.float32)
    canvas = paste_crops(crops, [(10, 8), (10, 12)], 1.0, (20, 20))
    assert canvas[10, 9] == 1
    assert canvas[10, 11] == 2
    off_frame = paste_crops(crops[:1], [(-50, -50)], 1.0, (20, 20))
    assert np.isnan(off_frame).all()


def test_cells_without_pixels_are_counted_and_told() -> None:
    why = np.array(["", "no pixels: a blank frame", "", "no pixels: a blank frame"], object)
    usable, left_out = usable_cells(why, "cells.csv")
    assert usable.tolist() == [True, False, True, False]
    assert left_out == "2 cells have no pixels (2 a blank frame); they are left out."
    assert usable_cells(why[:2], "a")[1] == (
        "1 cell has no pixels (1 a blank frame); it is left out."
    )
    assert usable_cells(why[:1], "a")[1] == ""
    with pytest.raises(InvalidInput, match=r"No cell of 'a' can be used: 1 cell has no pixels"):
        usable_cells(why[1:2], "a")


@pytest.fixture
def movie(rng: np.random.Generator) -> tuple[Frames, CellTable]:
    """Five cells of three frames, the first without contrast."""
    pixels = rng.integers(0, 4000, (3, 60, 60), dtype=np.uint16)
    pixels[0] = 7
    return Frames(pixels), CellTable.from_arrays(
        [2, 0, 1, 1, 2], [[20, 20], [30, 30], [40, 20], [10, 50], [31, 2]]
    )


def test_batches_hold_cells_of_one_frame_or_of_several(movie: tuple[Frames, CellTable]) -> None:
    of_frames = list(iter_cells(*movie, 20.0, 28.0, 16, 2))
    assert [part.rows.tolist() for part in of_frames] == [[1], [2, 3], [0, 4]]
    across = list(iter_cells(*movie, 20.0, 28.0, 16, 4, across=True))
    assert [part.rows.tolist() for part in across] == [[1, 2, 3, 0], [4]]
    for name in ("crops", "no_pixels", "at_top"):
        one, other = (
            np.concatenate([getattr(part, name) for part in parts]) for parts in (of_frames, across)
        )
        np.testing.assert_array_equal(one, other)
    assert (across[0].no_pixels != "").tolist() == [True, False, False, False]


def test_crops_are_normalised_as_they_are_cut(movie: tuple[Frames, CellTable]) -> None:
    (raw,) = iter_cells(*movie, 20.0, 28.0, 16, 8, across=True)
    (found,) = iter_cells(*movie, 20.0, 28.0, 16, 8, normalised=True, across=True)
    np.testing.assert_array_equal(found.crops, normalise(raw.crops))
    np.testing.assert_array_equal(found.at_top, raw.at_top)
