"""Squares around the cells whose class a perturbation changes, as a layer of the viewer."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Image, Points

from napari_interpdisc.frames import Frames
from napari_interpdisc.widgets.canvas.cell_marks import (
    MarkStyle,
    add_marks,
    find_marks,
    is_marks,
    places_in,
)
from napari_interpdisc.widgets.canvas.compat import unwrapped

STYLE = MarkStyle("flipped cells", "flips", "square", "#ff4dff", 1.8, 2.0)
"""A colour of no class, nor of the selected cell; outside the ring of that."""


def is_flip_marks(layer: Any) -> bool:
    """Whether :func:`show_flips` made this layer."""
    return is_marks(layer, STYLE)


def find_flip_marks(viewer: Any) -> Points | None:
    """Return the layer of squares of a viewer, or None."""
    return find_marks(viewer, STYLE)


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
    return add_marks(viewer, image, places, STYLE, diameter)


def drop_flips(viewer: Any) -> bool:
    """Remove the squares; False if there were none."""
    viewer = unwrapped(viewer)
    found = [layer for layer in viewer.layers if is_flip_marks(layer)]
    for layer in found:
        viewer.layers.remove(layer)
    return bool(found)
