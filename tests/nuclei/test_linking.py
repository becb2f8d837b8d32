"""Tracks of cells that wander, vanish for a frame, and divide."""

from __future__ import annotations

import numpy as np
import pytest

from napari_interpdisc.cells import CellTable
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.nuclei.linking import link_cells, told_links
from napari_interpdisc.simulate.movie import SimulationSettings, simulate_movie

# (t, y, x): one that wanders and is missing from frame 2, and one that is always there
CELLS = np.array(
    [
        (0, 10, 10), (1, 11, 12), (3, 13, 12), (4, 14, 14),
        (0, 50, 50), (1, 50, 51), (2, 50, 52), (3, 50, 53), (4, 50, 54),
    ], float,
)  # fmt: skip


def cells(order: np.ndarray) -> CellTable:
    rows = CELLS[order]
    return CellTable.from_arrays(rows[:, 0], rows[:, 1:], source="dots", extra={"mark": order})


def members(found: CellTable) -> set[frozenset[int]]:
    """Cells of each track, by their marks."""
    mark = found.extra["mark"]
    return {frozenset(mark[found.track_id == k].tolist()) for k in np.unique(found.track_id)}


@pytest.mark.parametrize("seed", [0, 1])
def test_cells_in_any_order_are_linked(seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(CELLS))
    found = link_cells(cells(order), 10)
    assert members(found) == {frozenset({0, 1, 2, 3}), frozenset({4, 5, 6, 7, 8})}
    assert found.taken.tracked
    assert found.graph == {}
    assert "parent_id" not in found.extra
    np.testing.assert_array_equal(found.yx, CELLS[order][:, 1:])
    assert told_links(found) == "9 cells on 2 tracks, 4.5 frames in the median."


def test_divisions_of_a_simulated_movie_are_found() -> None:
    settings = SimulationSettings(shape=(10, 200, 200), cells=8, dividing=0.7, seed=3)
    truth = simulate_movie(settings).cells
    found = link_cells(truth, 28, divisions=True)
    mine = {int(a): int(b) for a, b in zip(truth.track_id, found.track_id, strict=True)}
    expected = {mine[child]: (mine[mother],) for child, (mother,) in truth.graph.items()}
    assert found.graph.items() <= expected.items()  # none is made up
    n = len(found.graph) // 2
    assert n >= 0.8 * len(expected) / 2 > 3
    assert told_links(found).endswith(f", {n} divide.")
    parents = {
        int(k): int(p) for k, p in zip(found.track_id, found.extra["parent_id"], strict=True)
    }
    assert all(parents[child] == mother for child, (mother,) in found.graph.items())
    assert 0 in parents.values()


def test_reach_is_in_diameters() -> None:
    found = link_cells(cells(np.arange(len(CELLS))), 10, reach=0.15)
    assert frozenset({4, 5, 6, 7, 8}) in members(found)  # 1 px a frame
    assert frozenset({0}) in members(found)
    assert "of one frame alone" in told_links(found)


def test_what_cannot_be_linked_is_refused() -> None:
    some = cells(np.arange(len(CELLS)))
    with pytest.raises(InvalidInput, match="0 diameters is no distance to link over"):
        link_cells(some, 10, reach=0)
    with pytest.raises(InvalidInput, match="'dots' has cells of one frame only"):
        link_cells(some.take(some.t == 0), 10)
