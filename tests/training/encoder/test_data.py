"""Patches for an encoder: the same pixels as the pipeline's crops, and what is held out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_interpdisc.cells import CellTable
from napari_interpdisc.crops import iter_crops
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.frames import Frames
from napari_interpdisc.patches import RIM
from napari_interpdisc.training.encoder.data import (
    EncoderSource,
    at_most,
    hold_out,
    joined,
    source_of_cells,
    source_of_crops,
    with_masks,
)
from napari_interpdisc.training.encoder.report import plain_crops
from napari_interpdisc.training.encoder.settings import PatchSource

from .conftest import source


def made(n: int, group: np.ndarray) -> EncoderSource:
    patches = np.zeros((n, 8, 8), np.uint8)
    patches[:, 0, 0] = np.arange(n)
    return EncoderSource("some", patches, 8.0, group.astype(np.int64), "plate")


def numbers(part: PatchSource) -> set[int]:
    return set(part.patches[:, 0, 0].tolist())


def test_patches_of_cells_show_what_the_pipeline_crops(rng: np.random.Generator) -> None:
    frames = Frames(rng.integers(0, 4000, (3, 200, 220)).astype(np.uint16))
    cells = CellTable.from_arrays(
        rng.integers(0, 3, 12), np.column_stack([rng.uniform(0, 199, 12), rng.uniform(0, 219, 12)])
    )
    said: list[tuple[int, int]] = []
    source = source_of_cells(
        frames, cells, 20.0, 28.0, 64, "movie", lambda done, n: said.append((done, n))
    )
    assert source.patches.shape == (12, 96, 96)
    assert source.patches.dtype == np.uint8
    assert source.field == 96
    assert said[-1] == (12, 12)
    found = plain_crops([PatchSource("movie", source.patches, 96.0, np.ones(12))], 64)
    for rows, crops in iter_crops(frames, cells, 20.0):
        np.testing.assert_allclose(found[rows], crops, atol=0.03)  # 256 grey levels


@pytest.mark.parametrize(
    ("t", "tracks", "name", "groups"),
    [
        ([0, 1, 2, 0, 1, 2], [1, 1, 1, 2, 2, 2], "track", [0, 0, 0, 1, 1, 1]),
        ([0, 1, 2, 0, 1, 2], None, "frame", [0, 1, 2, 0, 1, 2]),
    ],
)
def test_groups_are_tracks_or_frames(
    rng: np.random.Generator, t: list[int], tracks: list[int] | None, name: str, groups: list[int]
) -> None:
    frames = Frames(rng.normal(size=(3, 100, 100)))
    cells = CellTable.from_arrays(t, np.full((6, 2), 50.0), tracks)
    source = source_of_cells(frames, cells, 28.0, 28.0, 64, "movie")
    assert (source.group_name, source.group.tolist()) == (name, groups)


def test_each_cell_of_a_still_image_is_its_own_group(rng: np.random.Generator) -> None:
    cells = CellTable.from_arrays([0] * 4, np.full((4, 2), 50.0))
    source = source_of_cells(Frames(rng.normal(size=(100, 100))), cells, 28.0, 28.0, 64, "still")
    assert (source.group_name, source.group.tolist()) == ("cell", [0, 1, 2, 3])


def test_whole_groups_are_held_out() -> None:
    group = np.repeat(np.arange(20), 10)
    train, tested = hold_out(made(200, group), seed=1)
    assert len(tested.patches) == 20
    assert not numbers(train) & numbers(tested)
    assert numbers(train) | numbers(tested) == set(range(200))
    assert not {group[i] for i in numbers(train)} & {group[i] for i in numbers(tested)}
    again, _ = hold_out(made(200, group), seed=1)
    assert numbers(again) == numbers(train)
    assert numbers(hold_out(made(200, group), seed=2)[0]) != numbers(train)


@pytest.mark.parametrize("group", [np.zeros(100), np.arange(100) % 4, np.r_[np.zeros(94), 1:7]])
def test_with_few_or_lopsided_groups_most_cells_stay(group: np.ndarray) -> None:
    for seed in range(8):
        _, tested = hold_out(made(100, group), seed)
        assert 2 <= len(tested.patches) <= 16


def test_crops_are_brought_to_the_diameter_of_the_model(rng: np.random.Generator) -> None:
    source = source_of_crops(
        rng.normal(size=(6, 64, 80)), 26.8, 28.0, 64, "crops", np.array(list("aabbcc")), "plate"
    )
    assert source.patches.shape == (6, 96, 96)
    assert source.field == pytest.approx(64 * 28 / 26.8 + RIM)
    assert (source.group.tolist(), source.group_name) == ([0, 0, 1, 1, 2, 2], "plate")


def test_crops_that_cannot_be_used(rng: np.random.Generator) -> None:
    good = rng.normal(size=(4, 64, 64))
    bad = good.copy()
    bad[2, 3, 4] = np.nan
    for told, images, px in (
        ("hold NaN or infinite", bad, 28.0),
        (r"shape \(64, 64\)", good[0], 28.0),
        (r"shape \(0, 64, 64\)", good[:0], 28.0),
        ("give images of at least 39 px", good[:, :30], 28.0),
        ("cannot be used", good, 0.0),
    ):
        with pytest.raises(InvalidInput, match=told):
            source_of_crops(images, px, 28.0, 64, "these")


def test_masks_go_where_their_patches_go() -> None:
    made = source(n=40)
    assert made.masks is None
    known = with_masks(made, 28.0)
    assert known.masks is not None
    assert known.outlined is not None
    assert known.masks.shape == known.patches.shape
    assert known.outlined.shape == (40,)
    assert known.sha256 != made.sha256
    assert with_masks(known, 28.0) is known
    both = joined([known, known], "both")
    assert both.masks is not None
    assert len(both.masks) == 80
    assert both.outlined is not None
    assert len(both.outlined) == 80
    assert joined([known, made], "one").masks is None
    assert joined([known, made], "one").outlined is None
    train, tested = hold_out(known, 0)
    order = {patch.tobytes(): mask for patch, mask in zip(known.patches, known.masks, strict=True)}
    for part in (train, tested, at_most(train, 5, 0)):
        assert part.masks is not None
        for patch, mask in zip(part.patches, part.masks, strict=True):
            np.testing.assert_array_equal(order[patch.tobytes()], mask)


def test_outlines_and_shares_go_where_their_patches_go() -> None:
    number = np.arange(40)
    some = replace(made(40, number), masks=np.zeros((40, 8, 8), np.uint8), share=2.5)
    known = replace(some, outlined=number % 3 == 0)
    assert joined([known, known], "both").share == 2.5
    train, tested = hold_out(known, 0)
    for part in (train, tested, at_most(train, 5, 0)):
        assert part.share == 2.5
        assert part.outlined is not None
        np.testing.assert_array_equal(part.outlined, part.patches[:, 0, 0] % 3 == 0)


def test_masks_tell_which_of_them_are_outlines() -> None:
    patches = np.zeros((2, 96, 96), np.uint8)
    rows, cols = np.mgrid[:96, :96] - 47.5
    patches[1][np.hypot(rows, cols) < 13] = 200
    found = with_masks(EncoderSource("two", patches, 96.0, np.arange(2), "cell"), 28.0)
    assert found.outlined is not None
    assert found.outlined.tolist() == [False, True]
