"""Tracks that are built by following links, and divisions of a table of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.track_links import (
    NO_ROW,
    follow_links,
    parents_from_splits,
    read_splits,
    rows_of_parents,
)

NONE = np.zeros(6, np.int64)


def test_one_child_goes_on_and_two_begin_new_tracks() -> None:
    #  0 ─ 1 ┬ 2        a division in frame 1; 5 has no links
    #        └ 3 ─ 4
    parent = np.array([NO_ROW, 0, 1, 1, 3, NO_ROW])
    t = np.array([0, 1, 2, 2, 4, 2])
    ids, before = follow_links(parent, t, NONE)
    assert ids.tolist() == [1, 1, 2, 3, 3, 4]
    assert before.tolist() == [0, 0, 1, 1, 1, 0]


def test_the_order_of_rows_does_not_matter() -> None:
    parent, t = np.array([1, 2, NO_ROW]), np.array([2, 1, 0])
    ids, before = follow_links(parent, t, NONE[:3])
    assert (ids.tolist(), before.tolist()) == ([1, 1, 1], [0, 0, 0])


def test_a_track_keeps_its_number_and_daughters_get_free_ones() -> None:
    parent = np.array([NO_ROW, 0, 0, NO_ROW])
    ids, before = follow_links(parent, np.array([0, 1, 1, 1]), np.array([7, 7, 7, 9]))
    assert ids.tolist() == [7, 10, 11, 9]
    assert before.tolist() == [0, 7, 7, 0]


def test_links_that_go_back_in_time_are_refused() -> None:
    with pytest.raises(InvalidInput, match="1 links between cells do not go forward in time"):
        follow_links(np.array([NO_ROW, 0]), np.array([1, 1]), NONE[:2])


@pytest.mark.parametrize(
    ("cells", "parents", "rows"),
    [
        (["5", "6", "7"], ["-1", "5", "5"], [NO_ROW, 0, 0]),
        (["5", "6", "7"], ["", "5", "6"], [NO_ROW, 0, 1]),
        (["0", "1", "2"], ["-1", "0", "1"], [NO_ROW, 0, 1]),
        (["0", "1", "2"], ["0", "0", "1"], [NO_ROW, NO_ROW, 1]),
        (["5", "5", "7"], ["-1", "5", "5"], None),
        (["5", "6", "7"], ["-1", "5", "99"], None),
        (["5", "6", "7"], ["-1", "-1", "0"], None),
    ],
)
def test_rows_of_parents(cells: list[str], parents: list[str], rows: list[int] | None) -> None:
    found = rows_of_parents(cells, parents)
    assert (None if found is None else found.tolist()) == rows


def test_a_table_of_divisions(tmp_path: Path) -> None:
    path = tmp_path / "split.csv"
    path.write_text(",parent_track_id,child_track_id\n0,4,8\n1,4,9\n")
    assert read_splits(path) == {"8": "4", "9": "4"}
    assert parents_from_splits(["4", "8", "5", "8"], read_splits(path), "a") == ["", "4", "", "4"]
    with pytest.raises(InvalidInput, match=r"between tracks of 'a' \(first: track 4 to 8\)"):
        parents_from_splits(["1", "2"], read_splits(path), "a")
    path.write_text("track,n\n1,2\n")
    with pytest.raises(InvalidInput, match="is no table of divisions"):
        read_splits(path)
