"""What is seen of cells, and which cells cannot be followed through time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_interpdisc.cells import CellTable
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.through_time.observed import check_steps, observe

from .conftest import CLASSES, seen


def cells(t: list[int], track: list[int] | None, **more: object) -> CellTable:
    return CellTable.from_arrays(t, np.zeros((len(t), 2)), track, source="a.csv", **more)


def test_the_likeliest_class_of_each_cell() -> None:
    found = seen({1: (0, "IM?A")})
    assert found.index.tolist() == [0, 1, -1, 2]
    even = replace(found, classes=CLASSES[:2], probabilities=np.full((4, 2), 0.5))
    assert even.index.tolist() == [1] * 4  # a score of 0 means the second class, as everywhere


@pytest.mark.parametrize(
    ("t", "track", "told"),
    [
        ([0, 0], [1, 2], "cells of one frame only"),
        ([0, 1], [1, 2], "not linked: every track has one cell"),
        ([0, 1], None, "not linked"),
        ([0, 1, 1], [1, 1, 1], "Track 1 of 'a.csv' has 2 cells in frame 1"),
    ],
)
def test_cells_that_cannot_be_followed(t: list[int], track: list[int] | None, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        observe(cells(t, track), np.full((len(t), 2), 0.5), CLASSES[:2])


def test_cells_without_any_class_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"No cell of 'a.csv' has a class"):
        observe(cells([0, 1], [1, 1]), np.full((2, 2), np.nan), CLASSES[:2])


def test_parents_that_cannot_be_are_told_and_not_used() -> None:
    t, track = [0, 1, 0, 1, 1, 2, 2, 3], [1, 1, 2, 2, 3, 3, 4, 4]
    graph = {4: (1, 2), 3: (1,), 9: (1,)}
    found = observe(cells(t, track, graph=graph), np.full((8, 2), 0.5), CLASSES[:2])
    assert found.parent == {}
    assert found.notes == (
        "1 tracks have two parents (first: 4); none is used.",
        "1 tracks begin before their parent ends (first: 3); that parent is not used.",
        "1 links to a parent are of tracks that are not among the cells.",
    )
    good = observe(cells(t, track, graph={4: (2,)}), np.full((8, 2), 0.5), CLASSES[:2])
    assert good.parent == {4: 2}
    assert good.notes == ()


def test_numbers_that_are_no_tracks_are_refused() -> None:
    """Labels that are numbered in each frame anew, from left to right."""
    draw = np.random.default_rng(0)
    t, track = np.repeat(np.arange(6), 20), np.tile(np.arange(20), 6)
    yx = draw.uniform(0, 500, (120, 2))
    random = CellTable.from_arrays(t, yx, track, source="masks")
    with pytest.raises(InvalidInput, match="of 'masks' are longer than 2 nuclear diameters: its"):
        check_steps(random, 20)
    still = np.tile(yx[:20], (6, 1)) + draw.normal(0, 5, (120, 2))
    assert check_steps(CellTable.from_arrays(t, still, track), 20) == ""
    still[t == 3, 0] += 60 * (np.arange(20) < 3)  # three cells there and back: 6 of 100 steps
    told = check_steps(CellTable.from_arrays(t, still, track), 20)
    assert told.startswith("6 % of the steps along tracks are longer than 2 nuclear diameters")


def test_only_steps_between_successive_frames_count() -> None:
    far = CellTable.from_arrays([0, 5, 0, 1], [[0, 0], [0, 90], [50, 0], [50, 1]], [1, 1, 2, 2])
    assert check_steps(far, 20) == ""
    alone = CellTable.from_arrays([0, 5], [[0, 0], [0, 90]], [1, 1])
    assert check_steps(alone, 20) == ""
