"""Pictures of tiles: cut for what is asked, kept up to a number of bytes."""

from __future__ import annotations

import numpy as np
import pytest

from napari_interpdisc.cells import CellTable
from napari_interpdisc.frames import Frames
from napari_interpdisc.widgets.gallery.pictures import Cutter, PictureStore, grey

TILE = np.zeros((10, 10), np.uint8)


@pytest.fixture
def cutter() -> Cutter:
    """Three frames with a bright square at y = 20, x = 30; the second one is blank."""
    movie = np.random.default_rng(0).normal(10, 1, (3, 60, 60)).astype(np.float32)
    movie[:, 15:26, 25:36] += 100
    movie[1] = 0
    cells = CellTable.from_arrays(
        [0, 1, 2, 2], [[20, 30], [20, 30], [20, 30], [45, 15]], [1, 1, 1, 2], source="cells"
    )
    return Cutter(Frames(movie), cells, 10.0, 10.0, 21)


def test_what_was_looked_at_longest_ago_goes_first() -> None:
    store = PictureStore(limit=300)
    store.put({1: TILE, 2: TILE, 3: TILE})
    assert store.nbytes == 300
    assert store.get(1) is TILE
    store.put({4: TILE})
    assert store.missing([1, 2, 3, 4]) == [2]
    store.put({4: TILE})
    assert (len(store), store.nbytes) == (3, 300)
    assert store.get(2) is None
    store.clear()
    assert (len(store), store.nbytes) == (0, 0)


def test_each_row_has_its_own_crop(cutter: Cutter) -> None:
    seen: list[tuple[int, int]] = []
    found = cutter.cut([3, 2, 0, 1], lambda done, n: seen.append((done, n)), patience=60)
    assert sorted(found) == [0, 1, 2, 3]
    assert seen == [(2, 4), (3, 4), (4, 4)]
    assert found[0].shape == (21, 21)
    for row in (0, 2):
        assert found[row][10, 10] > 200
        assert found[row][0, 0] < 50
    assert abs(int(found[3][10, 10]) - 128) < 128
    assert not found[1].any(), "a blank frame has no picture"


def test_when_time_is_up_the_frame_of_the_first_cell_is_there(cutter: Cutter) -> None:
    assert sorted(cutter.cut([3, 0, 2], patience=0)) == [2, 3]
    assert sorted(cutter.cut([0, 3, 2], patience=0)) == [0]


def test_greys_go_from_black_to_white_in_each_crop() -> None:
    ramp = np.linspace(-1, 1, 100, dtype=np.float32).reshape(10, 10)
    greys = grey(np.stack([ramp, 5 * ramp + 3, np.zeros_like(ramp)]))
    assert (greys[0].min(), greys[0].max()) == (0, 255)
    np.testing.assert_array_equal(greys[0], greys[1])
    assert not greys[2].any()
