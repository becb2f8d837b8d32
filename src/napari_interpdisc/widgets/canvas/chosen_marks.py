"""Thin white outlines around the cells that are chosen together, as a layer of the viewer."""

from __future__ import annotations

from typing import Any

from napari.layers import Points

from napari_interpdisc.widgets.canvas.cell_marks import (
    MarkStyle,
    add_marks,
    find_marks,
    is_marks,
    places_in,
)
from napari_interpdisc.widgets.canvas.compat import unwrapped
from napari_interpdisc.widgets.canvas.layers import affine_of, placed_like
from napari_interpdisc.widgets.session import Session

STYLE = MarkStyle("chosen cells", "chosen", "disc", "#ffffff", 1.38, 1.5)
"""A colour of no class; between annotation and ring of the selected cell.

The line is thin and whole; that of the selected cell is thick and dashed.
"""


def is_chosen_marks(layer: Any) -> bool:
    """Whether :func:`show_chosen` made this layer."""
    return is_marks(layer, STYLE)


def find_chosen_marks(viewer: Any) -> Points | None:
    """Return the layer of outlines of a viewer, or None."""
    return find_marks(viewer, STYLE)


def show_chosen(viewer: Any, session: Session) -> Points | None:
    """Outline the chosen cells, each in its own frame, and no others.

    Returns
    -------
    The layer, or None as long as no cell was chosen; which layer is active does not change.
    """
    viewer, image, frames = unwrapped(viewer), session.image, session.frames
    layer = find_chosen_marks(viewer)
    encoding, rows = session.encoding, session.chosen
    if encoding is None or image is None or frames is None or not len(rows):
        if layer is not None:
            # not removed: this may be the callback of another layer's removal
            layer.visible = False
        return layer
    places = places_in(image, frames, encoding.cells.t[rows], encoding.cells.yx[rows])
    if layer is not None and layer.ndim != image.ndim:
        viewer.layers.remove(layer)
        layer = None
    if layer is None:
        return add_marks(viewer, image, places, STYLE, encoding.diameter)
    if not all((a == b).all() for a, b in zip(affine_of(layer), affine_of(image), strict=True)):
        for name, value in placed_like(image).items():
            setattr(layer, name, value)
    width = float(layer.border_width[0]) if len(layer.data) else STYLE.width_px
    layer.visible = True  # first: napari slices no hidden layer, and would look for points gone
    layer.data = places
    layer.size = STYLE.diameters * encoding.diameter
    layer.border_width = width
    layer.border_color = STYLE.colour
    layer.face_color = "transparent"
    return layer
