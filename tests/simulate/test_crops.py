from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from pydantic import ValidationError
from scipy import ndimage
from skimage.measure import label, regionprops

from napari_interpdisc.simulate.crops import (
    FACTORS,
    FULL_SCALE,
    CropSimulation,
    draw_factors,
    render_crops,
    simulate_crops,
)

ALONE = CropSimulation(neighbours=(0, 0), noise=(0, 0), grain=(0, 0))
"""One smooth nucleus without noise."""


EDGE = (ALONE.background + 0.25) * 255 / FULL_SCALE
"""Half of the brightness that a nucleus ends with."""


def measured(patch: npt.NDArray[np.uint8]) -> dict[str, float]:
    """Shape of the object nearest to the centre, cut out half-way up its edge."""
    regions = label(patch > EDGE)
    middle = (patch.shape[0] - 1) / 2
    props = regionprops(regions)
    p = min(props, key=lambda p: np.hypot(*(np.array(p.centroid) - middle)))
    angle = np.pi / 2 - p.orientation  # skimage measures from the rows, ours from x towards y
    return {
        "size": p.equivalent_diameter_area,
        "eccentricity": p.eccentricity,
        "orientation_cos": np.cos(2 * angle),
        "orientation_sin": np.sin(2 * angle),
        "offset_y": p.centroid[0] - middle,
        "offset_x": p.centroid[1] - middle,
    }


def test_shape_and_place_can_be_measured_back() -> None:
    patches, factors = simulate_crops(120, 5, ALONE)
    seen = [measured(patch) for patch in patches]
    found = {name: np.array([s[name] for s in seen]) for name in seen[0]}
    np.testing.assert_allclose(found["size"], factors["size"], rtol=0.06)
    np.testing.assert_allclose(found["offset_y"], factors["offset_y"], atol=0.25)
    np.testing.assert_allclose(found["offset_x"], factors["offset_x"], atol=0.25)
    assert np.corrcoef(found["eccentricity"], factors["eccentricity"])[0, 1] > 0.98
    long = factors["eccentricity"] > 0.5
    for name in ("orientation_cos", "orientation_sin"):
        np.testing.assert_allclose(found[name][long], factors[name][long], atol=0.2)


def test_grain_can_be_measured_back() -> None:
    large = {"blur": 0.0, "size": (26, 28), "eccentricity": (0.3, 0.4), "offset": (0, 0)}
    options = ALONE.model_copy(update={**large, "grain": (0.0, 0.3)})
    patches, factors = simulate_crops(200, 6, options)
    flat = simulate_crops(200, 6, ALONE.model_copy(update=large))[0]
    core = np.s_[:, 24:40, 24:40]
    background = options.background * 255 / FULL_SCALE
    ratio = (patches[core] - background) / (flat[core] - background)
    # 16 × 16 px hold a few grains only, so that single crops scatter
    assert np.corrcoef(ratio.std((1, 2)), factors["grain"])[0, 1] > 0.9
    assert ratio.std() == pytest.approx(np.sqrt((factors["grain"] ** 2).mean()), rel=0.15)


def test_neighbours_can_be_counted_and_their_distance_measured() -> None:
    wide = ALONE.model_copy(update={"neighbours": (0, 6), "side": 112, "eccentricity": (0.3, 0.5)})
    patches, factors = simulate_crops(80, 7, wide)
    assert set(factors["neighbours"]) == set(range(7))
    for i, patch in enumerate(patches):
        props = regionprops(label(patch > EDGE))
        centre = 55.5 + np.array([factors["offset_y"][i], factors["offset_x"][i]])
        gaps = np.sort([np.hypot(*(np.array(p.centroid) - centre)) for p in props])
        assert len(gaps) - 1 == factors["neighbours"][i]
        if len(gaps) > 1:
            assert gaps[1] == pytest.approx(factors["neighbour_distance"][i], abs=0.5)


def test_noise_can_be_measured_back() -> None:
    noisy = ALONE.model_copy(update={"noise": (0.02, 0.25), "background": 1.0})
    patches, factors = simulate_crops(150, 8, noisy)
    # the corner shows background alone, of brightness 1
    spread = patches[:, :16, :16].astype(float).std((1, 2)) * FULL_SCALE / 255
    np.testing.assert_allclose(spread, factors["noise"], rtol=0.25)


def test_the_seed_decides_everything_and_noise_changes_nothing_else() -> None:
    options = CropSimulation()
    first, second = simulate_crops(300, 1, options), simulate_crops(300, 1, options)
    np.testing.assert_array_equal(first[0], second[0])
    for name in FACTORS:
        np.testing.assert_array_equal(first[1][name], second[1][name])
    assert (simulate_crops(300, 2, options)[0] != first[0]).any()
    clean, truth = simulate_crops(300, 1, options.model_copy(update={"noise": (0.0, 0.0)}))
    for name in set(FACTORS) - {"noise"}:
        np.testing.assert_array_equal(truth[name], first[1][name])
    quiet = first[1]["noise"] < 0.04
    error = first[0][quiet].astype(float) - clean[quiet]
    assert np.abs(error).mean() < 0.03 * 255 / FULL_SCALE
    assert np.abs(ndimage.uniform_filter(error, (1, 7, 7))).max() < 0.06 * 255 / FULL_SCALE


def test_factors_are_uncorrelated_and_within_their_ranges() -> None:
    options = CropSimulation()
    _, factors = simulate_crops(2000, 9, options)
    assert tuple(factors) == FACTORS
    table = np.array(list(factors.values()))
    # 3.6 standard errors: of 45 pairs, one is beyond in one case of seventy
    assert np.abs(np.corrcoef(table) - np.eye(len(table))).max() < 0.08
    for name in ("size", "eccentricity", "grain", "neighbours", "neighbour_distance", "noise"):
        low, high = getattr(options, name)
        assert low <= factors[name].min()
        assert factors[name].max() <= high
    np.testing.assert_allclose(factors["orientation_cos"] ** 2 + factors["orientation_sin"] ** 2, 1)


def test_patches_are_unclipped_bytes() -> None:
    patches, _ = simulate_crops(300, 3)
    assert patches.shape == (300, 64, 64)
    assert patches.dtype == np.uint8
    assert (patches == 255).mean() < 1e-4
    empty, factors = simulate_crops(0, 3)
    assert empty.shape == (0, 64, 64)
    assert len(factors["size"]) == 0


def test_wrong_settings_are_refused() -> None:
    for wrong in (
        {"neighbours": (0, 7)},
        {"eccentricity": (0.2, 1.0)},
        {"size": (30, 20)},
        {"noise": (-0.1, 0.2)},
    ):
        with pytest.raises(ValidationError):
            CropSimulation.model_validate(wrong)
    with pytest.raises(ValueError, match="cannot be simulated"):
        simulate_crops(-1)


def test_factors_can_be_drawn_without_pictures() -> None:
    _, factors = simulate_crops(20, 4)
    for name, column in draw_factors(20, 4).items():
        np.testing.assert_array_equal(column, factors[name])


def test_noise_free_pictures_are_those_of_the_simulation() -> None:
    patches, factors = simulate_crops(6, 2, ALONE)
    np.testing.assert_array_equal(render_crops(factors, 2, ALONE), patches)


def test_changing_one_factor_of_one_crop_changes_that_alone() -> None:
    options = CropSimulation(neighbours=(2, 4), noise=(0.05, 0.1))
    factors = draw_factors(8, 5, options)
    before = render_crops(factors, 5, options).astype(float)
    size = factors["size"].copy()
    size[3] += 4
    after = render_crops({**factors, "size": size}, 5, options).astype(float)
    rows = np.arange(8) != 3
    np.testing.assert_array_equal(before[rows], after[rows])
    changed = np.abs(after[3] - before[3]) > 0
    y, x = np.mgrid[:64, :64] - 31.5
    away = np.hypot(y - factors["offset_y"][3], x - factors["offset_x"][3])
    assert changed.any()
    assert not changed[away > (size[3] / 2) * 1.5 + 6].any(), "noise and neighbours are the same"


def test_neighbours_come_and_go_around_the_same_cell() -> None:
    options = CropSimulation(noise=(0.03, 0.03))
    factors = draw_factors(30, 6, options)
    none, many = (
        render_crops({**factors, "neighbours": np.full(30, n)}, 6, options).astype(float)
        for n in (0.0, 6.0)
    )
    y, x = np.mgrid[:64, :64] - 31.5
    far = np.hypot(y, x) > 24
    near = np.hypot(y, x) < 8
    np.testing.assert_array_equal(none[:, near], many[:, near])
    assert (many[:, far].mean(1) > none[:, far].mean(1) + 5).all()


def test_the_noise_of_rendered_crops_is_that_of_counted_photons() -> None:
    noisy = ALONE.model_copy(update={"noise": (0.02, 0.25), "background": 1.0})
    factors = draw_factors(150, 8, noisy)
    corner = render_crops(factors, 8, noisy)[:, :16, :16].astype(float) * FULL_SCALE / 255
    np.testing.assert_allclose(corner.std((1, 2)), factors["noise"], rtol=0.25)
    np.testing.assert_allclose(corner.mean((1, 2)), 1, atol=0.06)


def test_a_factor_that_is_missing_is_told() -> None:
    factors = draw_factors(2)
    del factors["grain"]
    with pytest.raises(ValueError, match="lack 'grain'"):
        render_crops(factors)


def test_the_texture_is_carried_along_with_the_cell() -> None:
    options = ALONE.model_copy(update={"grain": (0.3, 0.3), "offset": (0, 0)})
    factors = draw_factors(5, 3, options)
    before = render_crops(factors, 3, options).astype(float)
    moved = render_crops({**factors, "offset_y": np.full(5, 2.0)}, 3, options)
    np.testing.assert_allclose(moved[:, 10:54, 8:56], before[:, 8:52, 8:56], atol=1)
    # 90° more: cos 2θ and sin 2θ change their signs; x goes to y
    flipped = {name: -factors[name] for name in ("orientation_cos", "orientation_sin")}
    rotated = render_crops({**factors, **flipped}, 3, options).astype(float)
    alike = [
        max(np.abs(np.rot90(a, k) - b)[20:44, 20:44].mean() for k in (1,))
        if np.abs(np.rot90(a, 1) - b)[20:44, 20:44].mean() < 3
        else np.abs(np.rot90(a, 3) - b)[20:44, 20:44].mean()
        for a, b in zip(before, rotated, strict=True)
    ]
    assert max(alike) < 3
    assert np.abs(before - rotated)[:, 20:44, 20:44].mean() > 6
