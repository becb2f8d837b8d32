"""Squares around the cells whose class a perturbation changes, as a layer of the viewer."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Image, Points

from napari_interpdisc.frames import Frames
from napari_interpdisc.widgets.canvas.compat import unwrapped
from napari_interpdisc.widgets.canvas.layers import image_axes, placed_like
from napari_interpdisc.widgets.canvas.picking import keep_width

LAYER_NAME = "flipped cells"
ROLE = "flips"

COLOUR = "#ff4dff"
"""Of no class, nor of the selected cell."""

SQUARE_DIAMETERS = 1.8
"""Side of a square, in nuclear diameters: outside the ring of the selected cell."""

WIDTH_PX = 2.0
"""Width of the line on the screen, at any zoom."""


def is_flip_marks(layer: Any) -> bool:
    """Whether :func:`show_flips` made this layer."""
    note = layer.metadata.get("interpdisc")
    return isinstance(note, dict) and note.get("role") == ROLE


def find_flip_marks(viewer: Any) -> Points | None:
    """Return the layer of squares of a viewer, or None."""
    return next((layer for layer in unwrapped(viewer).layers if is_flip_marks(layer)), None)


def show_flips(
    viewer: Any, image: Image, frames: Frames, t: int, yx: npt.ArrayLike, diameter: float
) -> Points | None:
    """Outline cells of frame ``t``, in every channel, instead of those of an earlier call.

    Parameters
    ----------
    viewer
        The napari viewer.
    image, frames
        The layer of the cells, and its data as frames.
    t
        The frame.
    yx
        (n, 2) centroids in pixels of ``image``.
    diameter
        Nuclear diameter, px.

    Returns
    -------
    The layer, or None if there is no cell to outline; the active layer does not change.
    """
    viewer = unwrapped(viewer)
    drop_flips(viewer)
    places = places_in(image, frames, t, np.asarray(yx, float).reshape(-1, 2))
    if not len(places):
        return None
    chosen, active = set(viewer.layers.selection), viewer.layers.selection.active
    layer = Points(
        places,
        name=LAYER_NAME,
        symbol="square",
        size=SQUARE_DIAMETERS * diameter,
        face_color="transparent",
        border_color=COLOUR,
        border_width_is_relative=False,
        metadata={"interpdisc": {"role": ROLE}},
        **placed_like(image),
    )
    keep_width(viewer, layer, "border_width", WIDTH_PX)
    viewer.add_layer(layer)
    layer.editable = False
    viewer.layers.selection = chosen
    viewer.layers.selection.active = active
    return layer


def drop_flips(viewer: Any) -> bool:
    """Remove the squares; False if there were none."""
    viewer = unwrapped(viewer)
    found = [layer for layer in viewer.layers if is_flip_marks(layer)]
    for layer in found:
        viewer.layers.remove(layer)
    return bool(found)


def places_in(
    image: Image, frames: Frames, t: npt.ArrayLike, yx: npt.NDArray[Any]
) -> npt.NDArray[Any]:
    """Cells (n, 2) of frames ``t`` (one, or n) in all axes of the image.

    Along axes that are no frames, such as channels, a cell has a place at each position.
    """
    axes = image_axes(image, frames)
    places = np.zeros((len(yx), image.ndim))
    places[:, axes[-2:]] = yx
    if frames.is_movie:
        places[:, axes[0]] = t
    shape = image.data[0].shape if image.multiscale else image.data.shape
    for axis in sorted(set(range(image.ndim)) - set(axes)):
        copies = np.repeat(places[None], shape[axis], 0)
        copies[:, :, axis] = np.arange(shape[axis])[:, None]
        places = copies.reshape(-1, image.ndim)
    return places
