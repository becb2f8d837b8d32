from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.patches import Patches, patches_of_crops
from napari_interpdisc.scrutiny.composites import (
    RIM,
    SegmentedCells,
    among_others,
    backgrounds,
    on_background,
    segment_cells,
    with_neighbour,
)
from napari_interpdisc.simulate.crops import CropSimulation, simulate_crops

LONELY = CropSimulation(
    side=112, neighbours=(0, 0), noise=(0.05, 0.05), offset=(0, 0), grain=(0.05, 0.1)
)
CROWDED = LONELY.model_copy(update={"neighbours": (1, 3), "neighbour_distance": (26.0, 30.0)})


def patches(settings: CropSimulation, n: int = 12, seed: int = 0) -> Patches:
    pixels, _ = simulate_crops(n, seed, settings)
    return patches_of_crops(pixels, 26.0)


@pytest.fixture(scope="module")
def lonely() -> SegmentedCells:
    return segment_cells(patches(LONELY)).cells


@pytest.fixture(scope="module")
def crowded() -> SegmentedCells:
    return segment_cells(patches(CROWDED)).cells


def test_the_central_nucleus_is_found_and_what_is_near_it(
    lonely: SegmentedCells, crowded: SegmentedCells
) -> None:
    assert len(lonely) == 12
    middle = lonely.nucleus.shape[-1] // 2
    assert lonely.nucleus[:, middle, middle].all()
    assert np.isinf(lonely.gap).all()
    assert not lonely.crowded.any()
    assert np.isfinite(crowded.gap).all()
    assert (crowded.gap > 0).all()


def test_cells_without_a_reliable_mask_are_left_out_and_counted() -> None:
    some = patches(LONELY, 4)
    pixels = some.pixels.copy()
    pixels[1] = pixels[1].mean()  # nothing there
    found = segment_cells(Patches(pixels, some.field))
    assert found.rows.tolist() == [0, 2, 3]
    assert found.left_out == 1
    with pytest.raises(InvalidInput, match="None of 1 cells has a reliable mask"):
        segment_cells(Patches(pixels[1:2], some.field))
    with pytest.raises(InvalidInput, match="give the segmentation of these cells"):
        segment_cells(some, np.zeros((4, 3, 3), np.int32))


def test_given_labels_are_used(lonely: SegmentedCells) -> None:
    labels = np.zeros(lonely.nucleus.shape, np.int32)
    middle = labels.shape[-1] // 2
    labels[:, middle - 9 : middle + 9, middle - 9 : middle + 9] = 5
    found = segment_cells(lonely.patches, labels)
    np.testing.assert_array_equal(found.cells.nucleus, labels == 5)


@pytest.mark.parametrize("kind", ["background", "others", "neighbour"])
def test_the_nucleus_itself_keeps_every_pixel(crowded: SegmentedCells, kind: str) -> None:
    made = {
        "background": lambda: on_background(crowded),
        "others": lambda: among_others(crowded, 2.0),
        "neighbour": lambda: with_neighbour(crowded, 2.0),
    }[kind]()
    inside = crowded.nucleus
    np.testing.assert_array_equal(made.pixels[inside], crowded.patches.pixels[inside])
    assert not np.array_equal(made.pixels, crowded.patches.pixels)


def test_a_lonely_nucleus_on_its_background_has_no_seam(lonely: SegmentedCells) -> None:
    """Where two pictures pass into each other, no step stands above the noise."""
    made = on_background(lonely).pixels
    for mask, before, after in zip(lonely.nucleus, lonely.patches.pixels, made, strict=True):
        away = ndimage.distance_transform_edt(~mask)
        far = (away > 3 * RIM) & (away < 30)
        seam = (away > RIM - 1) & (away < RIM + 3)
        noise = before[far].std()

        # the composite is as rough along the seam as the picture was
        def roughness(picture: np.ndarray, where: np.ndarray) -> float:
            return float(np.abs(np.diff(picture, axis=1))[where[:, 1:] & where[:, :-1]].mean())

        assert roughness(after, seam) < 1.3 * roughness(before, seam) + 0.1 * noise
        assert abs(after[seam].mean() - before[seam].mean()) < noise
        assert after[far].std() == pytest.approx(noise, rel=0.35)


def test_neighbours_go_and_come(crowded: SegmentedCells) -> None:
    others = (crowded.regions > 0) & ~crowded.nucleus
    level = np.median(backgrounds(crowded, np.random.default_rng(0)), axis=(1, 2))
    alone, beside = on_background(crowded).pixels, with_neighbour(crowded, 2.0).pixels
    for i, mask in enumerate(others):
        bright = crowded.patches.pixels[i][mask].mean() - level[i]
        core = mask & (ndimage.distance_transform_edt(~crowded.nucleus[i]) > 2 * RIM)
        assert abs(alone[i][core].mean() - level[i]) < 0.15 * bright
        near = ndimage.distance_transform_edt(~crowded.nucleus[i])
        ring = (near > 4) & (near < 20)
        added = (beside[i] - alone[i])[ring] > 0.4 * bright
        assert 0.05 < added.mean() < 0.6


def test_the_seed_decides(crowded: SegmentedCells) -> None:
    a, b, c = (among_others(crowded, seed=seed).pixels for seed in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)


def test_one_cell_has_no_other(crowded: SegmentedCells) -> None:
    one = crowded.take([0])
    for make in (lambda: among_others(one), lambda: with_neighbour(one, 2.0)):
        with pytest.raises(InvalidInput, match="give more cells"):
            make()
    assert on_background(one).pixels.shape == one.patches.pixels.shape
