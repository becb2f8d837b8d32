"""Outlines around cells, equally wide at any zoom, as a layer of the viewer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Image, Points

from napari_interpdisc.frames import Frames
from napari_interpdisc.widgets.canvas.compat import unwrapped
from napari_interpdisc.widgets.canvas.layers import image_axes, placed_like
from napari_interpdisc.widgets.canvas.picking import keep_width


@dataclass(frozen=True)
class MarkStyle:
    """How some outlines look, and which layer is theirs.

    Attributes
    ----------
    name, role
        Name of the layer, and what its metadata say that it is.
    symbol, colour
        Shape and colour of the line.
    diameters
        Width of the shape, in nuclear diameters.
    width_px
        Width of the line on the screen.
    """

    name: str
    role: str
    symbol: str
    colour: str
    diameters: float
    width_px: float


def is_marks(layer: Any, style: MarkStyle) -> bool:
    """Whether :func:`add_marks` made this layer, in this style."""
    note = layer.metadata.get("interpdisc")
    return isinstance(note, dict) and note.get("role") == style.role


def find_marks(viewer: Any, style: MarkStyle) -> Points | None:
    """Return the layer of a style of a viewer, or None."""
    return next((one for one in unwrapped(viewer).layers if is_marks(one, style)), None)


def add_marks(
    viewer: Any, image: Image, places: npt.NDArray[Any], style: MarkStyle, diameter: float
) -> Points:
    """Outline places (n, axes of ``image``); which layer is active does not change.

    ``diameter`` is that of nuclei, px.
    """
    viewer = unwrapped(viewer)
    chosen, active = set(viewer.layers.selection), viewer.layers.selection.active
    layer = Points(
        places,
        name=style.name,
        symbol=style.symbol,
        size=style.diameters * diameter,
        face_color="transparent",
        border_color=style.colour,
        border_width_is_relative=False,
        metadata={"interpdisc": {"role": style.role}},
        **placed_like(image),
    )
    keep_width(viewer, layer, "border_width", style.width_px)
    viewer.add_layer(layer)
    layer.editable = False
    viewer.layers.selection = chosen
    viewer.layers.selection.active = active
    return layer


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
