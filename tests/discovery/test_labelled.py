from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_interpdisc.discovery.labelled import LabelledCells, check_labels, encode_labels
from napari_interpdisc.errors import InvalidInput

from .conftest import labelled, measured


def test_labels_become_positions_and_gaps_become_minus_one() -> None:
    target, names = encode_labels(["b", None, "a", float("nan"), "", " a ", "nan"])
    assert names == ("a", "b")
    assert target.tolist() == [1, -1, 0, -1, -1, 0, -1]


def test_numbers_are_names_too() -> None:
    target, names = encode_labels(np.array([1.0, np.nan, 2.0]))
    assert names == ("1", "2")
    assert target.tolist() == [0, -1, 1]


def test_the_order_of_classes_is_the_users() -> None:
    target, names = encode_labels(["b", "a"], ["b", "a"])
    assert names == ("b", "a")
    assert target.tolist() == [0, 1]


def test_a_label_that_is_no_class() -> None:
    with pytest.raises(InvalidInput, match="'c' is none of the classes a, b"):
        encode_labels(["a", "c"], ["a", "b"])


def test_a_column_of_anything_is_not_taken_for_classes() -> None:
    with pytest.raises(InvalidInput, match="right column"):
        encode_labels([str(i) for i in range(50)])


def fault(target: list[int], group: list[int], folds: int = 2, n_classes: int = 2) -> str:
    names = ["a", "b", "c"][:n_classes]
    with pytest.raises(InvalidInput) as caught:
        check_labels(np.array(target, dtype=np.int64), np.array(group), names, folds)
    assert str(caught.value).endswith(".")
    return str(caught.value)


def test_what_cannot_be_trained_on() -> None:
    assert "all labelled cells are 'a'" in fault([0, 0, 0], [0, 1, 2])
    assert "no cell has a label" in fault([], [])
    assert "Class 'b' has 1 labelled cell, fewer than the 2 folds" in fault([0, 0, 1], [0, 1, 2])
    assert "on one track" in fault([0, 0, 1, 1], [5, 5, 5, 5])
    assert "Class 'c' has 0" in fault([0, 0, 1, 1], [0, 1, 0, 1], n_classes=3)
    assert "on 2 tracks, fewer than the 3 folds" in fault([0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 0, 1], 3)
    assert "All cells of class 'b' are on one track" in fault([0, 0, 1, 1], [0, 1, 2, 2])


def test_what_can() -> None:
    check_labels(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), ["a", "b"], 2)


def test_in_each_class_every_laboratory_counts_the_same() -> None:
    target = np.array([0] * 10 + [1] * 4 + [0] * 3 + [1] * 8)
    laboratory = np.repeat([0, 1], [14, 11])
    latents = np.arange(25, dtype=np.float32)[:, None]
    cells = LabelledCells(
        latents, latents[None], target, np.arange(25), ("a", "b"), laboratory=laboratory
    )
    even = cells.evened(0)
    for k, wanted in ((0, 10), (1, 8)):
        of_class = even.laboratory[even.target == k]
        assert np.bincount(of_class).tolist() == [wanted, wanted]
    assert set(even.latents[:, 0].astype(int)) == set(range(25)), "no cell is lost"
    np.testing.assert_array_equal(even.augmented[0], even.latents)
    alone = replace(cells, laboratory=None)
    assert alone.evened(0) is alone
    assert alone.tested.all()
    assert cells.tested.sum() == 14


def test_columns_of_properties_are_told_from_latents() -> None:
    cells = measured(12)
    assert cells.n_latents == cells.own_latents.shape[1] == 8
    assert list(cells.measured) == ["area", "solidity"]
    np.testing.assert_array_equal(cells.measured["area"], cells.latents[:, 8])
    read = cells.head_properties
    assert read.centre[0] == pytest.approx(float(cells.latents[:, 8].mean()), rel=1e-5)
    assert cells.take([3, 1]).properties == ("area", "solidity")
    assert len(labelled(8).head_properties) == 0
    kept = replace(cells, rows=np.arange(12) + 5).take([4])
    assert kept.rows is not None
    assert kept.rows.tolist() == [9]
