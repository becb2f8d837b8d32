"""What is measured on drawn nuclei is what was drawn."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_interpdisc.cells import CellTable
from napari_interpdisc.crops import normalise
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.properties import PROPERTIES
from napari_interpdisc.nuclei.crops import separate_nuclei
from napari_interpdisc.patches import label_crops
from napari_interpdisc.scrutiny.properties import measure_crops

from ..nuclei.conftest import SIDE, inside, picture


@pytest.mark.parametrize("by_labels", [True, False])
def test_an_ellipse_is_measured_as_it_was_drawn(by_labels: bool) -> None:
    shapes = [
        {"major": 18, "minor": 9, "angle": 0.0},
        {"major": 16, "minor": 12, "angle": 0.5},
        {"major": 12, "minor": 5, "angle": 2.0},
        {"major": 14, "minor": 10, "angle": np.pi / 2, "y": 2.5, "x": -1.5},
    ]
    masks = np.array([inside(**shape) for shape in shapes])
    crops = np.array([picture(mask) for mask in masks])
    found = measure_crops(crops, masks.astype(np.int32) if by_labels else None)
    assert set(found) == set(PROPERTIES)
    for i, s in enumerate(shapes):
        major, minor, angle = s["major"], s["minor"], s["angle"]
        long = 1 - minor / major
        assert found["area"][i] == pytest.approx(np.pi * major * minor, rel=0.08)
        assert found["eccentricity"][i] == pytest.approx(
            np.sqrt(1 - (minor / major) ** 2), abs=0.03
        )
        assert found["elongation_cos"][i] == pytest.approx(long * np.cos(2 * angle), abs=0.04)
        assert found["elongation_sin"][i] == pytest.approx(long * np.sin(2 * angle), abs=0.04)
        assert found["solidity"][i] > 0.93
        assert found["offset_y"][i] == pytest.approx(s.get("y", 0), abs=0.3)
        assert found["offset_x"][i] == pytest.approx(s.get("x", 0), abs=0.3)
        assert found["neighbours"][i] == 0
        assert found["crowding"][i] == 0
        assert np.isnan(found["neighbour_distance"][i])


def test_brightness_and_texture_are_of_the_normalised_crop() -> None:
    mask = inside()
    flat = np.where(mask, 9.0, 4.0)
    expected = normalise(flat[None].astype(np.float32))[0][mask].mean()
    speckled = flat + mask * np.random.default_rng(1).normal(0, 1, flat.shape)
    found = measure_crops(np.array([flat, 70 * flat + 5, speckled]), np.array([mask] * 3, int))
    assert found["brightness"][0] == pytest.approx(expected)
    np.testing.assert_allclose(found["brightness"][0], found["brightness"][1], rtol=1e-5)
    assert found["texture"][0] == pytest.approx(0, abs=1e-5)
    assert found["texture"][2] > 0.2


def test_light_is_measured_on_the_cell_alone() -> None:
    """A bright neighbour rescales the crop, and changes nothing of the cell's own light."""
    one, other = inside(major=12, minor=10), inside(x=26, major=6, minor=6)
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    speckle = 1 + 0.2 * np.sin(2 * np.pi * x / 12) * np.sin(2 * np.pi * y / 12)
    shade = 1 + 0.02 * x
    light = [one * 1.0, one * speckle, one * shade]
    alone = np.array([ndimage.gaussian_filter(v, 1) for v in light]) + 0.1
    beside = alone + ndimage.gaussian_filter(3.0 * other, 1)
    labels = np.array([one + 2 * other] * 3, np.int32)
    found, crowded = measure_crops(alone, labels), measure_crops(beside, labels)
    names = ["granularity_fine", "granularity_coarse", "edge_sharpness", "unevenness"]
    names += ["raggedness", "asymmetry_x", "asymmetry_y"]
    for name in names:
        np.testing.assert_allclose(found[name], crowded[name], atol=0.02, err_msg=name)
    assert found["granularity_coarse"][1] > found["granularity_coarse"][0] + 0.3
    assert found["asymmetry_x"][2] > found["asymmetry_x"][0] + 0.02
    assert abs(found["asymmetry_y"]).max() < 0.01
    # one is the contrast between cell and background
    contrast = (found["contrast"] - crowded["contrast"]) / found["contrast"]
    assert (contrast > 0.2).all(), "in standard deviations of a crop that the neighbour spreads"


def test_three_arms_are_seen_in_the_direction_in_which_they_lie() -> None:
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    angle, radius = np.arctan2(y, x), np.hypot(y, x)
    turned = [0.0, np.pi / 6, 0.4, 0.4 + 2 * np.pi / 3]
    masks = np.array([radius < 12 * (1 + 0.3 * np.cos(3 * (angle - a))) for a in turned])
    round_one = radius < 12
    masks = np.concatenate([masks, [round_one, inside(major=14, minor=8)]])
    found = measure_crops(np.array([picture(mask) for mask in masks]), masks.astype(np.int32))
    lobes = found["threefold_cos"] + 1j * found["threefold_sin"]
    length = abs(lobes[0])
    # the mean of cos 3φ over the area is ε / (1 + ε²/2)
    assert length == pytest.approx(0.3 / 1.045, abs=0.02)
    np.testing.assert_allclose(lobes[:4], length * np.exp(3j * np.array(turned)), atol=0.02)
    assert abs(lobes[4:]).max() < 0.01


def test_a_touching_neighbour_is_not_counted_into_the_cell() -> None:
    one, other = inside(major=13, minor=13), inside(x=24.5, major=13, minor=13)
    crop = picture(one, other)
    regions = separate_nuclei(crop)
    assert regions.max() == 2
    found = measure_crops(crop[None])
    assert found["area"][0] == pytest.approx(one.sum(), rel=0.1)
    assert found["neighbours"][0] == 1
    assert found["neighbour_distance"][0] < 3
    assert found["crowding_x"][0] > 0.05
    assert abs(found["crowding_y"][0]) < 0.01
    assert found["crowding_cos"][0] > 0.08


def test_neighbours_and_their_gap_are_counted_exactly_in_labels() -> None:
    labels = np.zeros((1, SIDE, SIDE), np.int32)
    labels[0, 25:40, 25:40] = 7
    labels[0, 25:40, 44:52] = 3  # begins five columns beyond column 39
    labels[0, 2:12, 2:12] = 9
    labels[0, 60:62, 60:62] = 4  # debris
    found = measure_crops(np.random.default_rng(0).normal(size=(1, SIDE, SIDE)), labels)
    assert found["area"][0] == 225
    assert found["neighbours"][0] == 2
    assert found["neighbour_distance"][0] == 5
    assert found["crowding"][0] == pytest.approx((15 * 8 + 100) / SIDE**2)


def test_what_cannot_be_measured_is_nan_throughout() -> None:
    crops = np.array(
        [
            np.full((SIDE, SIDE), 5.0),  # no contrast
            picture(inside(x=24, major=6, minor=6)),  # no nucleus in the centre
            picture(inside(major=40, minor=10)),  # cut by the border
            picture(inside()),
        ],
        np.float32,
    )
    found = np.column_stack(list(measure_crops(crops).values()))
    assert np.isnan(found[:3]).all()
    assert np.isfinite(found[3, :10]).all()
    none = measure_crops(crops[3:], np.zeros((1, SIDE, SIDE), np.int32))
    assert np.isnan(none["area"][0])


def test_labels_are_rescaled_to_the_models_diameter() -> None:
    y, x = np.mgrid[:150, :150]
    big = np.hypot(y - 70, x - 80) <= 28
    movie = np.zeros((2, 150, 150), np.int64)
    movie[1][big] = 3_000_000_000
    movie[1, :4] = -2
    cells = CellTable.from_arrays([1, 1], [(70, 80), (5, 140)])
    cut = label_crops(movie, cells, diameter=56)
    assert cut.shape == (2, SIDE, SIDE)
    assert cut.dtype == np.int32
    found = measure_crops(np.where(cut > 0, 2.0, 1.0), cut)
    assert found["area"][0] == pytest.approx(big.sum() / 4, rel=0.02)
    assert cut[1, :, 45:].max() == 0  # beyond the frame
    assert len(np.unique(cut[1])) == 3  # background, the nucleus and the strip above
    full = np.ones((150, 150), int)  # no background at all
    middle = CellTable.from_arrays([0], [(70, 80)])
    assert (label_crops(full, middle, 28) == 1).all()


def test_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    measure_crops(np.zeros((3, 1, 16, 16)), progress=lambda done, n: told.append((done, n)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(InvalidInput, match="number, side, side"):
        measure_crops(np.zeros((3, 16, 18)))
    with pytest.raises(InvalidInput, match="segmentation of these crops"):
        measure_crops(np.zeros((3, 16, 16)), np.zeros((2, 16, 16), int))
    with pytest.raises(InvalidInput, match="same movie"):
        label_crops(np.zeros((2, 9, 9), int), CellTable.from_arrays([2], [(4, 4)]), 28)


def test_a_spot_beside_the_nucleus_is_measured_and_a_neighbour_is_none() -> None:
    nucleus = inside(major=12, minor=12)
    spot = inside(major=2, minor=2, x=17)
    touching = inside(major=2.5, minor=2.5, x=13.5)
    other = inside(major=10, minor=10, x=24)
    pictures = np.array(
        [picture(m) for m in (nucleus, nucleus | spot, nucleus | touching, nucleus | other)]
    )
    for labels in (None, np.array([nucleus, nucleus, nucleus, nucleus + 2 * other], int)):
        alone, small, near, beside = measure_crops(pictures, labels)["satellite"]
        assert small > 0.3
        assert near > 0.3
        assert max(alone, beside) < 0.15
