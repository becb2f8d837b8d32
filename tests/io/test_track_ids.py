"""Track ids: exact numbers, names, none, and parents."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from napari_interpdisc.io.track_ids import are_rounded, id_text, number_tracks, parents_of


@pytest.mark.parametrize(
    ("raw", "ids", "text"),
    [
        ([7, 7, 8], [7, 7, 8], False),
        (["7", "7.0", " 8 "], [7, 7, 8], False),
        ([7.0, 7.0, 8.0], [7, 7, 8], False),
        (["9007199254740993", "9007199254740992", "1"], [2**53 + 1, 2**53, 1], False),
        (["cell_b", "cell_a", "cell_b"], [1, 2, 1], True),
        (["1.5", "2.5", "1.5"], [1, 2, 1], True),
        (["99999999999999999999", "3", "3"], [1, 2, 2], True),
        (["-4", "-4", "0"], [-4, -4, 0], False),
    ],
)
def test_ids_are_exact_or_numbered(raw: list[object], ids: list[int], text: bool) -> None:
    found = number_tracks(pd.Series(raw))
    assert found.ids.tolist() == ids
    assert found.text is text
    assert not found.missing.any()


def test_unsigned_numbers_beyond_the_signed_ones() -> None:
    raw = pd.Series(np.array([2**63 + 5, 2**63 + 5, 4], np.uint64))
    assert number_tracks(raw).ids.tolist() == [1, 1, 2]


@pytest.mark.parametrize("none", [None, np.nan, "", "nan", pd.NA])
def test_a_cell_without_a_track_has_an_id_of_its_own(none: object) -> None:
    found = number_tracks(pd.Series([3, none, none], dtype=object))
    assert found.ids.tolist() == [3, 4, 5]
    assert found.missing.tolist() == [False, True, True]


def test_numbers_that_stand_for_no_track() -> None:
    found = number_tracks(pd.Series([-1, 5, -1]), np.array([True, False, True]))
    assert found.ids.tolist() == [6, 5, 7]


def test_an_own_id_is_free_even_at_the_end_of_the_numbers() -> None:
    top = np.iinfo(np.int64).max
    assert number_tracks(pd.Series([str(top), None], dtype=object)).ids.tolist() == [top, 1]


@pytest.mark.parametrize(
    ("ids", "parent", "wanted"),
    [
        ([1, 2, 3], [0, 1, 1], [0, 1, 1]),
        ([1, 2, 3], [1, 1, 1], [0, 1, 1]),  # btrack: a root is its own parent
        ([1, 2, 3], [-1, 1, 1], [0, 1, 1]),
        ([1, 2, 3], [None, "1.0", "1"], [0, 1, 1]),
        ([1, 2, 3], [0, 9, 1], [0, 9, 1]),  # a parent that has no cells here
        ([0, 1, 2], [0, 0, 1], [-1, -1, 1]),  # 0 is a track, and what stands for none
        ([0, 1, 2], [-1, 0, 1], [-1, 0, 1]),
        (["a", "b", "c"], [None, "a", "z"], [0, 1, 0]),
    ],
)
def test_parents(ids: list[object], parent: list[object], wanted: list[int]) -> None:
    found = number_tracks(pd.Series(ids)).parents(pd.Series(parent, dtype=object))
    assert found.tolist() == wanted


def test_parents_that_refer_to_another_column() -> None:
    numbered = number_tracks(pd.Series([7, 7, 8]))
    parents = numbered.parents(pd.Series([-1, -1, 20]), pd.Series([10, 20, 30]))
    assert parents.tolist() == [0, 0, 7]


def test_the_graph_has_tracks_alone() -> None:
    ids, parent = np.array([1, 2, 2, 3, 4]), np.array([0, 1, 1, 1, 9])
    assert parents_of(ids, parent) == {2: (1,), 3: (1,)}
    assert parents_of(np.array([5, 5]), np.array([1, 2])) == {}
    # a merge has two
    assert parents_of(np.array([1, 2, 3, 3]), np.array([0, 0, 1, 2])) == {3: (1, 2)}


def test_ids_in_scientific_notation_are_whole_numbers() -> None:
    raw = pd.Series(["1.5E+1", "2e3", "15"])
    assert number_tracks(raw).ids.tolist() == [15, 2000, 15]
    assert [id_text(v) for v in ("inf", float("inf"), "1e-3", "12.5")] == ["", "", "1e-3", "12.5"]


@pytest.mark.parametrize(
    ("raw", "rounded"),
    [(["1.5E+1"], False), (["1.5E+15"], True), (["150"], False), ([1e17], True), ([7.0], False)],
)
def test_ids_that_lost_digits(raw: list[Any], rounded: bool) -> None:
    assert are_rounded(pd.Series(raw)) is rounded
