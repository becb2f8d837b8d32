from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from napari_interpdisc.cells import CellTable, row_of
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.frames import Frames


def test_from_arrays_fills_ids_and_rows() -> None:
    cells = CellTable.from_arrays([0, 1], [[1, 2], [3, 4]])
    assert len(cells) == 2
    np.testing.assert_array_equal(cells.track_id, [0, 1])
    np.testing.assert_array_equal(cells.row, [0, 1])
    assert cells.t.dtype == cells.track_id.dtype == np.int64


def test_take_keeps_the_row_key() -> None:
    cells = CellTable.from_arrays(
        [0, 1, 2], np.arange(6).reshape(3, 2), [7, 8, 9], extra={"state": ["a", "b", "c"]}
    )
    some = cells.take(np.array([False, True, True]))
    np.testing.assert_array_equal(some.row, [1, 2])
    np.testing.assert_array_equal(some.extra["state"], ["b", "c"])
    assert list(some.to_frame().columns) == ["t", "y", "x", "track_id", "state"]


@pytest.mark.parametrize(
    ("columns", "ids"),
    [
        (["t", "y", "x", "track_id"], [5, 6]),
        (["Frame", "Y", "X", "Track"], [5, 6]),
        (["axis-0", "axis-1", "axis-2", "particle"], [5, 6]),
        (["time", "centroid-0", "centroid-1", "TrackID"], [5, 6]),
        # a number that no two cells share is one of cells, and a label is a class
        (["Frame", "Y", "X", "ID"], [0, 1]),
        (["axis-0", "axis-1", "axis-2", "label"], [0, 1]),
    ],
)
def test_column_names(columns: list[str], ids: list[int]) -> None:
    table = pd.DataFrame([[0, 1.5, 2.5, 5], [1, 3.5, 4.5, 6]], columns=columns)
    cells = CellTable.from_frame(table)
    np.testing.assert_array_equal(cells.t, [0, 1])
    np.testing.assert_array_equal(cells.yx, [[1.5, 2.5], [3.5, 4.5]])
    np.testing.assert_array_equal(cells.track_id, ids)


def test_a_label_of_words_is_a_class_and_no_track() -> None:
    table = pd.DataFrame({"y": [1, 2], "x": [3, 4], "label": ["Interphase", "Metaphase"]})
    cells = CellTable.from_frame(table)
    assert cells.track_id.tolist() == [0, 1]
    assert cells.extra["label"].tolist() == ["Interphase", "Metaphase"]


def test_track_id_wins_over_id() -> None:
    table = pd.DataFrame({"id": [1, 2], "track_id": [8, 9], "y": [0, 0], "x": [0, 0]})
    cells = CellTable.from_frame(table)
    np.testing.assert_array_equal(cells.track_id, [8, 9])
    np.testing.assert_array_equal(cells.t, [0, 0])
    np.testing.assert_array_equal(cells.extra["id"], [1, 2])


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (pd.DataFrame({"t": [0], "y": [1]}), "has no column for x"),
        (pd.DataFrame({"a": [0]}), "has no column for y and x"),
        (pd.DataFrame({"y": [], "x": []}), "holds no cells"),
        (pd.DataFrame({"y": ["north"], "x": [1]}), "Column 'y' of .* are not numbers"),
        (pd.DataFrame({"y": [1], "x": [np.inf]}), "None of the 1 rows of .* has a position"),
        (pd.DataFrame({"t": [0.5], "y": [1], "x": [1]}), "whole and not negative"),
        (pd.DataFrame({"t": [-1], "y": [1], "x": [1]}), "whole and not negative"),
    ],
)
def test_unusable_tables(table: pd.DataFrame, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        CellTable.from_frame(table)


@pytest.mark.parametrize(
    ("kwargs", "sentence"),
    [
        ({"t": [0, 0], "yx": [[1, np.nan], [1, 2]]}, "1 of 2 cells .* NaN or infinite .* row 0"),
        ({"t": [0], "yx": [[1, 2]], "track_id": [np.nan]}, "without a track id"),
        ({"t": [0], "yx": [[1, 2], [3, 4]]}, "1 times but 2 centroids"),
        ({"t": [0], "yx": [[1, 2]], "track_id": [1, 2]}, "Column 'track_id' .* has 2 rows, not 1"),
    ],
)
def test_unequal_lengths(kwargs: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        CellTable.from_arrays(**kwargs)


def test_columns_of_the_sources_own_come_before_results_under_names_that_are_free() -> None:
    extra = {"class": ["a", "b"], "area": [1, 2], "t": [0.5, 1.5], "class_in_file": [7, 8]}
    cells = CellTable.from_arrays([0, 1], [[1, 2], [3, 4]], [5, 5], extra=extra)
    table = cells.to_frame(pd.DataFrame({"class": ["x", "y"], "score": [1.0, 2.0]}))
    assert list(table) == [
        *("t", "y", "x", "track_id", "class_in_file", "area", "t_in_file"),
        *("class_in_file_in_file", "class", "score"),
    ]
    assert table["class"].tolist() == ["x", "y"]
    assert table["class_in_file"].tolist() == ["a", "b"]
    assert table["t_in_file"].tolist() == [0.5, 1.5]


def test_a_column_is_found_by_either_name() -> None:
    table = pd.DataFrame({"Frame": [0, 1], "Y": [1, 2], "X": [3, 4], "Track": [5, 5], "kind": "a"})
    cells = CellTable.from_frame(table)
    for name in ("track_id", "Track"):
        np.testing.assert_array_equal(cells.column(name), [5, 5])
    np.testing.assert_array_equal(cells.column("Frame"), [0, 1])
    assert cells.column("kind").tolist() == ["a", "a"]
    with pytest.raises(InvalidInput, match="has no column 'phase'; it has track_id, t, y, x, kind"):
        cells.column("phase")


def test_take_keeps_graph_and_what_was_taken() -> None:
    cells = CellTable.from_arrays([0, 1], [[1, 2], [3, 4]], [1, 2], graph={2: (1,)})
    assert cells.take([1]).graph == {2: (1,)}
    assert cells.take([1]).taken is cells.taken
    assert not CellTable.from_arrays([0], [[1, 2]]).taken.tracked


def test_cells_without_times_need_a_still_image() -> None:
    cells = CellTable.from_frame(pd.DataFrame({"y": [1], "x": [2], "area": [3]}))
    cells.check_inside(Frames(np.zeros((10, 20))))
    with pytest.raises(
        InvalidInput, match=r"no column of times .* \(it has y, x, area\).*--columns"
    ):
        cells.check_inside(Frames(np.zeros((2, 10, 20))))


def test_inside() -> None:
    frames = Frames(np.zeros((2, 10, 20)))
    CellTable.from_arrays([0, 1], [[-0.5, 0], [9.5, 19.5]]).check_inside(frames)
    with pytest.raises(InvalidInput, match="at times up to 2, but the image has 2 frames"):
        CellTable.from_arrays([2], [[1, 1]]).check_inside(frames)
    with pytest.raises(InvalidInput, match=r"1 of 2 cells .* lie outside the image of 10 by 20 px"):
        CellTable.from_arrays([0, 0], [[1, 1], [15, 2]]).check_inside(frames)


def test_row_of_a_cell_by_track_and_frame() -> None:
    cells = CellTable.from_arrays([0, 1, 1, 4], np.zeros((4, 2)), track_id=[7, 7, 8, 7])
    assert [row_of(cells, text) for text in ("7:0", " 7:4", "8")] == [0, 3, 2]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("7", "Track 7 has 3 cells; give the frame too, such as 7:0"),
        ("7:2", "no cell in frame 2; its frames go from 0 to 4, counted from 0"),
        ("9:1", "no track 9; it has 2 tracks, from 7 to 8"),
        ("a:1", "'a:1' is no cell"),
        ("8:", "'8:' is no cell"),
    ],
)
def test_no_cell(text: str, said: str) -> None:
    cells = CellTable.from_arrays([0, 1, 1, 4], np.zeros((4, 2)), track_id=[7, 7, 8, 7])
    with pytest.raises(InvalidInput, match=said):
        row_of(cells, text)


@pytest.mark.parametrize(
    ("t", "ids", "told"),
    [
        ([1e19], [1], "time of 1e.19 .* at most 2147483647"),
        ([0.0], [1.5], "track id of 1.5 in row 0"),
        ([0.0], [2.0**63], "below 2.63"),
        ([0.0], np.array([2**63], np.uint64), "below 2.63"),
    ],
)
def test_numbers_that_integers_do_not_hold_are_refused(t: Any, ids: Any, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        CellTable.from_arrays(t, [[1.0, 1.0]], ids)
