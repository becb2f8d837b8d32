"""Nuclei of patches: found, judged, and what their background is like."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.patches import Patches, patches_of_crops
from napari_interpdisc.scrutiny.segmented import SegmentedCells, segment_cells, without_masks
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


def test_each_patch_is_told() -> None:
    seen: list[tuple[int, int]] = []
    segment_cells(patches(LONELY, 3), progress=lambda *step: seen.append(step))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_cells_that_the_edge_may_cut_are_left_out() -> None:
    cut = np.array([False, True, False, True])
    found = segment_cells(patches(LONELY, 4), cut=cut)
    assert found.rows.tolist() == [0, 2]
    assert (found.left_out, found.at_edge) == (2, 2)
    with pytest.raises(InvalidInput, match="All 4 cells are cut by the edge of the image"):
        segment_cells(patches(LONELY, 4), cut=np.ones(4, bool))


def test_a_nucleus_that_cannot_be_seen_is_left_out(lonely: SegmentedCells) -> None:
    labels = lonely.regions.copy()
    pixels = lonely.patches.pixels.copy()
    noise = np.random.default_rng(0).normal(10, 1, pixels[0].shape)
    pixels[0] = noise + 1.5 * lonely.nucleus[0]
    found = segment_cells(replace(lonely.patches, pixels=pixels.astype(np.float32)), labels)
    assert 0 not in found.rows
    assert found.left_out == 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"diameter": float("nan")}, "diameter"),
        ({"diameter": 0.0}, "diameter"),
        ({"cut": np.zeros(3, bool)}, "'cut' has the shape"),
    ],
)
def test_what_cannot_be_segmented(
    lonely: SegmentedCells, change: dict[str, Any], told: str
) -> None:
    with pytest.raises(InvalidInput, match=told):
        segment_cells(lonely.patches, **change)


def test_patches_that_hold_nothing(lonely: SegmentedCells) -> None:
    with pytest.raises(InvalidInput, match="no cells"):
        segment_cells(lonely.patches.take(np.zeros(0, int)))
    pixels = lonely.patches.pixels.copy()
    pixels[0, 3, 3] = np.nan
    with pytest.raises(InvalidInput, match="NaN or infinite"):
        segment_cells(replace(lonely.patches, pixels=pixels))
    empty = np.zeros(pixels.shape, np.int32)
    with pytest.raises(InvalidInput, match="the segmentation is empty here"):
        segment_cells(lonely.patches, empty)


def test_cells_without_masks_are_all_there(lonely: SegmentedCells) -> None:
    found = without_masks(lonely.patches)
    assert len(found.cells) == len(lonely)
    assert found.left_out == 0
    assert not found.cells.masked
    assert lonely.masked


def test_the_background_and_the_height_of_the_nucleus_are_those_simulated() -> None:
    settings = LONELY.model_copy(update={"background": 0.2, "grain": (0, 0), "noise": (0, 0)})
    cells = segment_cells(patches(settings)).cells
    level = cells.ground[:, 0]
    unit = 255 / 2.5
    np.testing.assert_allclose(level, 0.2 * unit, atol=1)
    # a dome: 1.1 in the middle, less at the rim
    assert ((cells.height > 0.6 * unit) & (cells.height < 1.1 * unit)).all()


def test_soft_weights_are_whole_in_the_nucleus_and_none_far_away(crowded: SegmentedCells) -> None:
    assert (crowded.soft[crowded.nucleus] == 1).all()
    assert (crowded.soft[crowded.away > 8] < 1e-3).all()
    assert (crowded.away[crowded.nucleus] == 0).all()
    others = (crowded.regions > 0) & ~crowded.nucleus
    assert crowded.soft[others & (crowded.away > 3)].max() < 0.5
