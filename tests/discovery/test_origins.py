"""Where labelled cells are, whatever they were given as."""

from __future__ import annotations

import numpy as np

from napari_interpdisc.cells import CellTable
from napari_interpdisc.discovery.origins import Origins


def test_cells_of_movies_and_of_groups_are_joined_and_taken() -> None:
    cells = CellTable.from_arrays([0, 4], [[1.0, 2.0], [3.0, 4.0]], [7, 8])
    joined = Origins.joined(
        [Origins.of_groups("a.tif", np.array(["3 1", "3 2"])), Origins.of_cells("b.tif", cells)]
    )
    assert len(joined) == 4
    found = joined.take([3, 0])
    assert found.movie.tolist() == ["b.tif", "a.tif"]
    assert found.track.tolist() == ["8", "3 1"]
    assert found.t.tolist() == [4, -1]
    assert found.row.tolist() == [-1, -1]
    np.testing.assert_array_equal(found.yx, [[3, 4], [np.nan, np.nan]])


def test_cells_of_an_archive_have_rows() -> None:
    found = Origins.of_archive("crops.npz", [5, 2])
    assert found.row.tolist() == [5, 2]
    assert found.movie.tolist() == ["crops.npz"] * 2
    assert found.t.tolist() == [-1, -1]
