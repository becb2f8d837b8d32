from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import pytest

from napari_interpdisc.io.planes import Planes, by_plane, rearranged

ARRAY = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)


def planes(read: list[int] | None = None) -> Planes:
    def plane(k: int) -> Any:
        if read is not None:
            read.append(k)
        return ARRAY.reshape(6, 4, 5)[k]

    return Planes((2, 3), (4, 5), ARRAY.dtype, plane)


@pytest.mark.parametrize(
    "key", [1, (0, 2), (slice(None), 1), (..., 2), (1, ..., slice(1, 3), 0), slice(0, 0), (1, -1)]
)
def test_they_are_indexed_as_arrays_are(key: Any) -> None:
    np.testing.assert_array_equal(planes()[key], ARRAY[key])


def test_only_the_planes_that_are_asked_for_are_read() -> None:
    read: list[int] = []
    found = planes(read)
    found[1, 2]
    found[0, :2]
    assert read == [5, 0, 1]


@pytest.mark.parametrize("kept", [[1, 0, 2, 3], [0, 1, 3, 2], [2, 0, 3, 1], [0, 1, 2, 3]])
def test_axes_in_another_order(kept: list[int]) -> None:
    wanted = ARRAY.transpose(kept)
    for data in (planes(), ARRAY, da.from_array(ARRAY)):
        np.testing.assert_array_equal(np.asarray(rearranged(data, kept)), wanted)


def test_axes_of_length_one_are_left_out() -> None:
    one = Planes((2, 1), (4, 5), ARRAY.dtype, lambda k: ARRAY[k, 0])
    np.testing.assert_array_equal(np.asarray(rearranged(one, [0, 2, 3])), ARRAY[:, 0])


def test_each_plane_is_changed_when_it_is_read() -> None:
    changed = by_plane(ARRAY, lambda plane, k: plane * 2 + k, int)
    np.testing.assert_array_equal(changed[1, 2], ARRAY[1, 2] * 2 + 5)
    np.testing.assert_array_equal(by_plane(ARRAY[0, 0], lambda p, _: -p, int), -ARRAY[0, 0])
