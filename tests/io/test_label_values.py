from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.label_values import objects_of


def nuclei(*values: int) -> npt.NDArray[np.int32]:
    """Two frames of 40 by 60 px with one nucleus of 8 by 8 px of each value, in a row."""
    frames = np.zeros((2, 40, 60), np.int32)
    for k, value in enumerate(values):
        frames[:, 10:18, 2 + 10 * k : 10 + 10 * k] = value
    return frames


def numbers(labels: Any) -> list[int]:
    return sorted(set(np.asarray(labels).ravel().tolist()))


def test_one_number_for_each_object_stays() -> None:
    labels = nuclei(3, 9, 10**9)
    found, told = objects_of(labels, "a.tif")
    assert told == ""
    np.testing.assert_array_equal(np.asarray(found), labels)


@pytest.mark.parametrize("dtype", [bool, np.uint8])
def test_pieces_of_a_mask_are_objects(dtype: Any) -> None:
    found, told = objects_of(nuclei(1, 1, 1).astype(dtype), "a.tif")
    assert numbers(found) == [0, 1, 2, 3]
    assert told == "a binary mask: each connected piece is an object"


def test_pieces_of_classes_are_objects() -> None:
    found, told = objects_of(nuclei(1, 2, 1, 2, 1), "a.tif")
    assert numbers(found) == [0, 1, 2, 3, 4, 5]
    assert told == "a map of 2 classes: each connected piece of a class is an object"


def test_daughters_that_keep_their_mothers_number_make_no_map_of_classes() -> None:
    labels = nuclei(1, 2, 3, 2)
    np.testing.assert_array_equal(np.asarray(objects_of(labels, "a.tif")[0]), labels)


@pytest.mark.parametrize("around", [1, -1])
def test_a_background_that_is_not_0(around: int) -> None:
    labels = nuclei(2, 3)
    found, told = objects_of(np.where(labels == 0, around, labels), "a.tif")
    np.testing.assert_array_equal(np.asarray(found), labels)
    assert told == f"{around}, which is around the objects of every frame, is the background"


def test_what_ilastik_calls_a_simple_segmentation() -> None:
    found, _ = objects_of(nuclei(1, 1, 1).astype(np.uint8) + 1, "a.tif")
    assert numbers(found) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (np.where(nuclei(1, 1) == 0, 255, 0), "The value 255 fills more than half of a frame"),
        (np.ones((2, 9, 9), int), "The value 1 fills more than half of a frame"),
        (nuclei(4, -2), "a.tif holds negative numbers"),
        (
            np.random.default_rng(0).integers(0, 99, (2, 40, 60)),
            "a.tif looks like an image and no segmentation",
        ),
    ],
)
def test_no_segmentation(labels: npt.NDArray[Any], sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        objects_of(labels, "a.tif")
