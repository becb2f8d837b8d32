from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from napari_interpdisc.nuclei.masks import (
    DISC,
    RIM,
    cell_masks,
    has_outline,
    is_reliable,
    soft_mask,
)


def disc(y: float, x: float, radius: float, side: int = 96) -> np.ndarray:
    rows, cols = np.ogrid[:side, :side]
    return np.hypot(rows - y, cols - x) <= radius


def test_a_soft_mask_keeps_the_nucleus_and_its_rim() -> None:
    mask = disc(47.5, 47.5, 12)
    soft = soft_mask(mask, np.zeros_like(mask))
    assert (soft[mask] == 1).all()
    away = ndimage.distance_transform_edt(~mask)
    assert soft[(away > 0) & (away < RIM - 1)].min() > 0.6
    assert soft[away > RIM + 4].max() < 0.01


def test_what_belongs_to_another_is_left_out() -> None:
    mask, other = disc(47.5, 40, 12), disc(47.5, 66, 12)
    soft = soft_mask(mask, other)
    assert soft[other].max() < 0.5
    assert soft[disc(47.5, 66, 9)].max() < 0.05


@pytest.mark.parametrize(
    ("mask", "reliable"),
    [
        (disc(47.5, 47.5, 14), True),
        (disc(47.5, 47.5, 3), False),  # debris
        (disc(47.5, 47.5, 30), False),  # several nuclei
        (disc(47.5, 0, 14), False),  # at the border
        (disc(47.5, 35, 12) | disc(47.5, 61, 12) | disc(20, 47, 6), False),
    ],
)
def test_reliable_masks(mask: np.ndarray, reliable: bool) -> None:
    assert is_reliable(mask) == reliable


def test_instance_masks_are_believed() -> None:
    labels = np.zeros((1, 96, 96), np.int32)
    labels[0][disc(47.5, 47.5, 14)] = 7
    labels[0][disc(47.5, 80, 10)] = 3
    soft = cell_masks(np.zeros((1, 96, 96), np.uint8), labels)
    assert soft.dtype == np.uint8
    assert (soft[0][disc(47.5, 47.5, 14)] == 255).all()
    assert soft[0][disc(47.5, 80, 10)].max() < 60


def test_without_instance_masks_the_central_nucleus_is_found() -> None:
    picture = ndimage.gaussian_filter(
        (200.0 * (disc(47.5, 47.5, 13) | disc(47.5, 84, 10))).astype(np.float32), 1
    )
    soft = cell_masks(picture[None])[0]
    assert (soft[disc(47.5, 47.5, 11)] == 255).all()
    assert soft[disc(47.5, 84, 8)].max() < 10


def test_a_disc_stands_for_what_is_not_known() -> None:
    blank = cell_masks(np.zeros((1, 96, 96), np.float32))[0]
    assert blank[47, 47] == 255
    assert blank[disc(47.5, 47.5, DISC - 4)].min() > 240
    assert blank[~disc(47.5, 47.5, DISC + 5)].max() < 5
    nothing = cell_masks(np.zeros((1, 96, 96), np.uint8), np.zeros((1, 96, 96), np.int32))[0]
    np.testing.assert_array_equal(nothing, blank)


def test_most_real_cells_have_an_outline(microscopy: Callable[[str], Path]) -> None:
    from napari_interpdisc.patches import patches_of_crops

    with np.load(microscopy("mitocheck_crops.npz")) as archive:
        images = archive["images"][archive["label"] == "Metaphase"][:40]
    soft = cell_masks(patches_of_crops(images, 26.8).pixels)
    areas = (soft > 127).sum((1, 2))
    # a plate and its rim, and not the disc that stands for the unknown
    assert np.median(areas) < 0.7 * np.pi * DISC**2


@pytest.mark.parametrize(("diameter", "side"), [(28.0, 96), (20.0, 64), (28.0, 65)])
def test_a_disc_that_stands_for_a_cell_is_no_outline(diameter: float, side: int) -> None:
    middle = (side - 1) / 2
    labels = np.zeros((3, side, side), np.int32)
    labels[0][disc(middle, middle, diameter / 2, side)] = 7
    # as large as the disc, and yet an outline
    labels[2][disc(middle, middle, DISC * diameter / 28, side)] = 1
    masks = cell_masks(np.zeros((3, side, side), np.uint8), labels, diameter)
    assert has_outline(masks, diameter).tolist() == [True, False, True]
    assert has_outline(masks[:0], diameter).tolist() == []


def test_of_an_unreliable_picture_no_outline_is_known() -> None:
    nucleus = ndimage.gaussian_filter((200.0 * disc(47.5, 47.5, 13)).astype(np.float32), 1)
    masks = cell_masks(np.stack([nucleus, np.zeros_like(nucleus)]))
    found = has_outline(masks)
    assert found.dtype == bool
    assert found.tolist() == [True, False]
