"""What the tests change."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from napari_interpdisc.crops import normalise
from napari_interpdisc.patches import patches_of_crops
from napari_interpdisc.scrutiny.score_tests import (
    ORIENTATION,
    ScorecardSettings,
    all_tests,
    resampled,
    untested,
)
from napari_interpdisc.scrutiny.segmented import SegmentedCells, segment_cells, without_masks
from napari_interpdisc.simulate.crops import CropSimulation, simulate_crops


@pytest.fixture(scope="module")
def cells() -> SegmentedCells:
    settings = CropSimulation(side=112, noise=(0.05, 0.05), offset=(0, 0))
    return segment_cells(patches_of_crops(simulate_crops(6, 0, settings)[0], 26.0)).cells


def pictures(n: int = 2, side: int = 96) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(n, side, side)).astype(np.float32)


def test_resampling_without_a_change_cuts_the_middle() -> None:
    one = pictures()
    np.testing.assert_allclose(resampled(one, 64), one[:, 16:80, 16:80], atol=1e-4)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_quarter_rotation_is_exact(quarters: int) -> None:
    one = pictures()
    turned = resampled(one, 96, angle=90.0 * quarters)
    # a positive angle turns what is seen as np.rot90 does
    np.testing.assert_allclose(turned, np.rot90(one, quarters, (1, 2)), atol=1e-3)


def test_whole_pixels_are_moved_exactly() -> None:
    one = pictures()
    np.testing.assert_allclose(
        resampled(one, 64, move=(3.0, -2.0)), one[:, 19:83, 14:78], atol=1e-4
    )


def test_zoom_magnifies() -> None:
    y, x = np.mgrid[:96, :96] - 47.5
    disc = (np.hypot(y, x) < 10).astype(np.float32)[None]
    assert resampled(disc, 64, zoom=1.5).sum() == pytest.approx(1.5**2 * disc.sum(), rel=0.03)
    assert resampled(disc, 64, zoom=0.5).sum() == pytest.approx(0.25 * disc.sum(), rel=0.1)


def test_beyond_a_picture_its_outermost_pixels_go_on() -> None:
    one = np.full((1, 96, 96), 7.0, np.float32)
    np.testing.assert_allclose(resampled(one, 64, zoom=0.3), 7.0, rtol=1e-5)


def test_every_variant_is_a_normalised_crop_of_every_cell(cells: SegmentedCells) -> None:
    tests = list(all_tests(cells, 64, ScorecardSettings()))
    assert len({test.name for test in tests}) == len(tests)
    assert sum(len(test.variants) for test in tests) == 82
    for test in tests:
        n = len(cells) if test.rows is None else len(test.rows)
        crops = test.variants[0]()
        assert crops.shape == (n, 1, 64, 64)
        np.testing.assert_allclose(crops, normalise(crops), atol=2e-3)


def test_there_and_back_shows_the_same_cell_softer(cells: SegmentedCells) -> None:
    tests = {test.name: test for test in all_tests(cells, 64, ScorecardSettings())}
    control = tests["6 rotations and back (control: interpolation alone)"]
    assert control.constraint == ORIENTATION
    assert control.limit is None
    plain = cells.patches.crops(64)
    for make in control.variants:
        back = make()
        alike = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(plain, back, strict=True)]
        assert min(alike) > 0.97
        assert np.abs(np.diff(back)).mean() < 0.95 * np.abs(np.diff(plain)).mean()


def test_what_cannot_be_tested_is_told(cells: SegmentedCells) -> None:
    assert untested(cells) == []
    assert "Give more cells" in untested(cells.take([0]))[0]
    assert "no masks" in untested(without_masks(cells.patches).cells)[0]


@pytest.mark.parametrize(
    ("field", "low", "high"),
    [
        ("brightness", 0, None),
        ("distances", 0, 30),
        ("snr", 1e-3, None),
        ("shifts", 0, 16),
        ("diameters", 0.2, 5),
        ("blurs", 0, 16),
        ("gradients", 0, 1),
    ],
)
def test_strengths_have_bounds(field: str, low: float, high: float | None) -> None:
    ScorecardSettings.model_validate({field: (low, high or 1e3)})
    wrong = [low - 0.01, np.nan, np.inf] + ([] if high is None else [high + 0.01])
    for value in wrong:
        with pytest.raises(ValidationError, match=field):
            ScorecardSettings.model_validate({field: (1.0, value)})


@pytest.mark.parametrize(
    ("field", "wrong"),
    [("angles", 361), ("simulated", 10_001), ("seed", -1), ("seed", 2**32), ("snr", (0.0,))],
)
def test_numbers_have_bounds(field: str, wrong: object) -> None:
    with pytest.raises(ValidationError, match=field):
        ScorecardSettings.model_validate({field: wrong})
