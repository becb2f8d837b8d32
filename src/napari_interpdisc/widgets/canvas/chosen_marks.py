"""Thin white outlines around the cells that are chosen together, as a layer of the viewer."""

from __future__ import annotations

from typing import Any

from napari.layers import Points

from napari_interpdisc.widgets.canvas.compat import unwrapped
from napari_interpdisc.widgets.canvas.flip_marks import places_in
from napari_interpdisc.widgets.canvas.layers import affine_of, placed_like
from napari_interpdisc.widgets.canvas.picking import keep_width
from napari_interpdisc.widgets.session import Session

LAYER_NAME = "chosen cells"
ROLE = "chosen"

COLOUR = "#ffffff"
"""Of no class. The line is thin and whole; that of the selected cell is thick and dashed."""

OUTLINE_DIAMETERS = 1.38
"""Diameter, in nuclear diameters: between annotation and ring of the selected cell."""

WIDTH_PX = 1.5
"""Width of the line on the screen, at any zoom."""


def is_chosen_marks(layer: Any) -> bool:
    """Whether :func:`show_chosen` made this layer."""
    note = layer.metadata.get("interpdisc")
    return isinstance(note, dict) and note.get("role") == ROLE


def find_chosen_marks(viewer: Any) -> Points | None:
    """Return the layer of outlines of a viewer, or None."""
    return next((layer for layer in unwrapped(viewer).layers if is_chosen_marks(layer)), None)


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
        chosen, active = set(viewer.layers.selection), viewer.layers.selection.active
        layer = Points(
            places,
            name=LAYER_NAME,
            symbol="disc",
            size=OUTLINE_DIAMETERS * encoding.diameter,
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
    if not all((a == b).all() for a, b in zip(affine_of(layer), affine_of(image), strict=True)):
        for name, value in placed_like(image).items():
            setattr(layer, name, value)
    width = float(layer.border_width[0]) if len(layer.data) else WIDTH_PX
    layer.visible = True  # first: napari slices no hidden layer, and would look for points gone
    layer.data = places
    layer.size = OUTLINE_DIAMETERS * encoding.diameter
    layer.border_width = width
    layer.border_color = COLOUR
    layer.face_color = "transparent"
    return layer
