"""Pictures of cells as layers: at the cell's own place, time and size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image

from napari_interpdisc.widgets.canvas.cell_images import (
    drop_tile,
    grey_limits,
    is_tile,
    place,
    place_crops,
    show_tile,
)
from napari_interpdisc.widgets.canvas.layers import data_to_world, frames_from_layer

PIXELS = np.arange(16, dtype=np.float32).reshape(4, 4)
PLACED = {"scale": (2.0, 0.5, 0.25), "translate": (10.0, -30.0, 7.0)}


def movie(**placed: Any) -> Image:
    return Image(np.zeros((3, 40, 50)), name="movie", **placed)


def test_a_picture_lies_on_its_frame_and_pixel() -> None:
    image = movie(**PLACED)
    data, arguments = place(image, frames_from_layer(image), 2, PIXELS, (8, 20), zoom=2)
    laid = Image(data, **arguments)
    assert data.shape == (1, 4, 4)
    np.testing.assert_allclose(
        data_to_world(laid, [[0, 0, 0], [0, 3, 3]]),
        data_to_world(image, [[2, 8, 20], [2, 9.5, 21.5]]),
    )
    assert laid.axis_labels == image.axis_labels


def test_a_rotated_image_has_rotated_pictures() -> None:
    image = movie(rotate=30.0, scale=(1, 2, 2))
    data, arguments = place(image, frames_from_layer(image), 1, PIXELS, (8, 20), zoom=4)
    assert "affine" in arguments
    laid = Image(data, **arguments)
    np.testing.assert_allclose(
        data_to_world(laid, [[0, 2, 1]]), data_to_world(image, [[1, 8.5, 20.25]]), atol=1e-9
    )


def test_an_image_with_channels_shows_the_picture_in_each() -> None:
    image = Image(np.zeros((3, 2, 40, 50)))
    frames = frames_from_layer(image, channel_axis=1, channel=1)
    data, arguments = place(image, frames, 1, PIXELS)
    assert data.shape == (1, 2, 4, 4)
    np.testing.assert_array_equal(data[0, 0], data[0, 1])
    assert arguments["translate"][0] == 1


def test_one_crop_is_centred_on_its_cell_and_many_share_a_layer() -> None:
    image = movie()
    frames = frames_from_layer(image)
    crop = np.ones((1, 5, 5), np.float32)
    data, arguments = place_crops(image, frames, 1, crop, [[20, 30]], zoom=1)
    np.testing.assert_allclose(data_to_world(Image(data, **arguments), [[0, 2, 2]]), [[1, 20, 30]])
    both = np.stack([crop[0], 3 * crop[0]])
    data, arguments = place_crops(image, frames, 2, both, [[10, 10], [30, 40]], zoom=1)
    assert data.shape == (1, 40, 50)
    assert (data[0, 10, 10], data[0, 30, 40]) == (1, 3)
    assert np.isnan(data[0, 20, 25]), "transparent where there is no crop"


def test_a_layer_of_ours_is_used_again_and_one_of_the_users_is_not() -> None:
    viewer: Any = ViewerModel()
    own = viewer.add_image(np.zeros((1, 4, 4)), name="edited")
    active = viewer.layers.selection.active
    image = movie()

    def show(value: float, **first: Any) -> Any:
        data, arguments = place(image, frames_from_layer(image), 1, PIXELS + value)
        return show_tile(
            viewer, "edited", data, arguments, limits=(0, 9), about={"z": value}, **first
        )

    made = show(0, opacity=0.5)
    assert made is not own
    assert is_tile(made, "edited")
    assert not is_tile(own, "edited")
    assert viewer.layers.selection.active is active
    made.opacity = 0.9
    assert show(5, opacity=0.5) is made
    assert made.opacity == 0.9, "what the user changed stays"
    assert made.metadata["interpdisc"]["z"] == 5
    assert made.data[0, 0, 0] == 5
    assert tuple(made.contrast_limits) == (0, 9)
    drop_tile(viewer, "edited")
    assert made not in viewer.layers
    assert own in viewer.layers


def test_a_tile_lies_below_the_overlay_of_classes_and_above_the_image() -> None:
    viewer: Any = ViewerModel()
    image = viewer.add_layer(movie())
    note = {"interpdisc": {"role": "overlay"}}
    overlay = viewer.add_labels(np.zeros((3, 40, 50), int), metadata=note)
    data, arguments = place(image, frames_from_layer(image), 1, PIXELS)
    tile = show_tile(viewer, "edited", data, arguments, limits=(0, 9), about={})
    assert list(viewer.layers) == [image, tile, overlay]


def test_grey_limits_ignore_one_odd_pixel_and_are_never_empty() -> None:
    picture = np.linspace(0, 1, 10_000, dtype=np.float32).reshape(100, 100)
    odd = picture.copy()
    odd[3, 4] = 1e6
    low, high = grey_limits(picture, odd)
    assert (low, high) == pytest.approx((0.005, 0.995), abs=1e-3)
    low, high = grey_limits(np.full((4, 4), 2, np.float32))
    assert low == 2 < high
