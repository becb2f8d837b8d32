from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.nuclei.masks import RIM
from napari_interpdisc.patches import Patches, patches_of_crops
from napari_interpdisc.scrutiny.composites import (
    Neighbours,
    SegmentedCells,
    among_others,
    backgrounds,
    filled,
    on_background,
    paste_neighbours,
    place_neighbours,
    segment_cells,
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


def pasted(cells: SegmentedCells) -> Patches:
    """All cells beside another nucleus at a gap of 2 px."""
    places = place_neighbours(cells, 2.0)
    assert places.placed.all()
    return paste_neighbours(cells, places)


@pytest.mark.parametrize("kind", ["background", "others", "neighbour"])
def test_the_nucleus_itself_keeps_every_pixel(crowded: SegmentedCells, kind: str) -> None:
    made = {
        "background": lambda: on_background(crowded),
        "others": lambda: among_others(crowded, 2.0),
        "neighbour": lambda: pasted(crowded),
    }[kind]()
    assert len(made) == len(crowded)
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
    alone, beside = on_background(crowded).pixels, pasted(crowded).pixels
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
    for make in (lambda: among_others(one), lambda: place_neighbours(one, 2.0)):
        with pytest.raises(InvalidInput, match="give more cells"):
            make()
    assert on_background(one).pixels.shape == one.patches.pixels.shape


@pytest.mark.parametrize("distance", [1.0, 6.0])
def test_the_pasted_nucleus_is_as_far_away_as_asked(
    lonely: SegmentedCells, distance: float
) -> None:
    places = place_neighbours(lonely, distance)
    assert places.placed.all()
    for i, (k, shift) in enumerate(zip(places.donors, places.shifts, strict=True)):
        assert i != k
        at = np.argwhere(lonely.nucleus[k]) + shift
        at = at[((at >= 0) & (at < lonely.nucleus.shape[-1])).all(1)]
        gap = lonely.away[i][at[:, 0], at[:, 1]].min() - 1
        assert distance <= gap < distance + 2


def test_no_dark_seam_lies_between_nuclei_that_touch(lonely: SegmentedCells) -> None:
    """Light adds up: beside the outline, a pasted nucleus is no darker than its own rim is."""
    places = place_neighbours(lonely, 0.0)
    made = paste_neighbours(lonely, places).pixels
    alone = on_background(lonely).pixels
    added = made - alone
    for i, (k, shift) in enumerate(zip(places.donors, places.shifts, strict=True)):
        theirs = np.roll(lonely.nucleus[k], shift, (0, 1))
        touching = theirs & (lonely.away[i] <= 2)
        assert touching.any()
        bright = lonely.height[i]
        assert added[i][touching].mean() > 0.25 * bright
        assert added[i][theirs & (lonely.away[i] > 4)].mean() > 0.6 * bright


def test_a_cell_beside_which_there_is_no_place_is_left_out(lonely: SegmentedCells) -> None:
    # at a gap of 40 px, no place is within the crop, in whatever direction
    places = place_neighbours(lonely, 40.0)
    assert not places.placed.any()
    # nothing is pasted beside those that have no place
    half = Neighbours(places.donors, places.shifts, np.zeros(len(lonely), bool))
    np.testing.assert_array_equal(
        paste_neighbours(lonely, half).pixels, on_background(lonely).pixels
    )


def test_other_directions_are_tried(lonely: SegmentedCells) -> None:
    """A nucleus near the side of its patch has room on the other side alone."""
    moved = np.roll(lonely.nucleus, 26, 2)
    aside = SegmentedCells(lonely.patches, lonely.regions, moved, lonely.gap)
    places = place_neighbours(aside, 3.0)
    assert places.placed.all()
    middles = [np.argwhere(moved[k]).mean(0) for k in places.donors]
    own = [np.argwhere(mask).mean(0) for mask in moved]
    side = [m[1] + s[1] - o[1] for m, s, o in zip(middles, places.shifts, own, strict=True)]
    assert max(side) < 15, "none lies beyond the side"


def test_where_ready_made_crops_end_background_goes_on() -> None:
    images, _ = simulate_crops(8, 0, LONELY.model_copy(update={"side": 64}))
    cells = segment_cells(patches_of_crops(images, 26.0)).cells
    made = filled(cells).pixels
    real = cells.real
    assert 0.4 < real.mean() < 0.6
    np.testing.assert_array_equal(made[:, real], cells.patches.pixels[:, real])
    level = cells.ground[:, :1]
    bright = cells.height[:, None]
    before, after = cells.patches.pixels[:, ~real] - level, made[:, ~real] - level
    assert (np.abs(after.mean(1)) < 0.03 * bright[:, 0]).all()
    assert (np.abs(before.mean(1)) > 0.06 * bright[:, 0]).all(), "the mean was seen as a frame"


def test_whole_patches_are_left_as_they_are(lonely: SegmentedCells) -> None:
    whole = SegmentedCells(
        Patches(lonely.patches.pixels, 96.0), lonely.regions, lonely.nucleus, lonely.gap
    )
    assert filled(whole) is whole.patches
