"""Annotations as a Points layer: rings at the cells, and a table that napari can save."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from napari.layers import Points

from napari_interpdisc.figures.palette import class_colors
from napari_interpdisc.frames import Frames
from napari_interpdisc.widgets.canvas.annotation_home import (
    LAYER_NAME,
    ROLE,
    note_home,
    note_of,
)
from napari_interpdisc.widgets.canvas.compat import unwrapped
from napari_interpdisc.widgets.canvas.layers import (
    affine_of,
    data_to_world,
    image_axes,
    placed_like,
    world_to_data,
)
from napari_interpdisc.widgets.discover.annotations import NO_ROW, Mark

COLUMNS = ("class", "track_id", "t", "y", "x", "row")
RING_DIAMETERS = 1.25
"""Outer diameter of a ring, in nuclear diameters."""

GRIP = 1e-3
"""A point that is further than this from its table's place was moved or added by hand, px."""


def is_annotations(layer: Any) -> bool:
    """Whether a layer holds annotations: ours, or ours once saved as CSV and opened again."""
    if not isinstance(layer, Points):
        return False
    note = layer.metadata.get("interpdisc")
    if isinstance(note, dict):
        return note.get("role") == ROLE
    return layer.name.startswith(LAYER_NAME) and set(COLUMNS) <= set(layer.features)


def find_annotations(viewer: Any) -> Points | None:
    """Return the annotation layer of a viewer, or None."""
    return next((layer for layer in unwrapped(viewer).layers if is_annotations(layer)), None)


def write_layer(
    viewer: Any,
    image: Any,
    frames: Frames,
    diameter: float,
    classes: Sequence[str],
    marks: Sequence[Mark],
    cells: Any = None,
) -> Points:
    """Put marks into the annotation layer that is there, or into a new one over ``image``.

    ``cells`` is the layer of the cells that they mark, or None. A new layer is whole when it is
    added: whoever waits for one finds the marks in it.
    """
    viewer = unwrapped(viewer)
    layer = find_annotations(viewer)
    if layer is not None and layer.ndim != image.ndim:
        viewer.layers.remove(layer)
        layer = None
    if layer is None:
        layer = Points(
            np.empty((0, image.ndim)), ndim=image.ndim, name=LAYER_NAME, **placed_like(image)
        )
        _fill(layer, image, frames, diameter, classes, marks, cells)
        if marks:
            chosen, active = set(viewer.layers.selection), viewer.layers.selection.active
            viewer.add_layer(layer)
            viewer.layers.selection = chosen
            viewer.layers.selection.active = active
        return layer
    if not all(map(np.allclose, affine_of(layer), affine_of(image))):
        for name, value in placed_like(image).items():
            setattr(layer, name, value)
    _fill(layer, image, frames, diameter, classes, marks, cells)
    return layer


def _fill(
    layer: Points,
    image: Any,
    frames: Frames,
    diameter: float,
    classes: Sequence[str],
    marks: Sequence[Mark],
    cells: Any,
) -> None:
    data = _points(image, frames, marks)
    with layer.events.data.blocker():
        layer.selected_data = set()
        if layer.data.shape != data.shape or not np.allclose(layer.data, data):
            layer.data = data
    layer.features = pd.DataFrame(
        [(m.name, m.track_id, m.t, m.y, m.x, m.row) for m in marks], columns=[*COLUMNS]
    )
    if marks:
        colors = class_colors(classes)
        layer.symbol = "disc"
        layer.size = RING_DIAMETERS * diameter
        layer.border_width_is_relative = True
        layer.border_width = 0.12
        layer.face_color = "transparent"
        layer.border_color = np.array([colors[m.name] for m in marks])
    note_classes(layer, classes)
    note_home(layer, image, cells, frames)


def note_classes(layer: Points, classes: Sequence[str]) -> None:
    """Store names and order of the classes with the layer."""
    layer.metadata["interpdisc"] = {**note_of(layer), "role": ROLE, "classes": list(classes)}


def classes_of(layer: Points) -> list[str]:
    """Names of the classes that were stored with the layer."""
    return [str(name) for name in note_of(layer).get("classes", ())]


def read_layer(layer: Points, image: Any, frames: Frames | None) -> list[Mark]:
    """Marks of an annotation layer; points without a class are left out.

    The table says where a mark is. A point that was moved or added by hand is where it is drawn.
    """
    table = layer.features.reset_index(drop=True)
    if not set(COLUMNS[:1]) <= set(table):
        return []
    columns = {name: _numbers(table, name) for name in ("t", "y", "x", "track_id")}
    places = np.column_stack([columns[name] for name in ("t", "y", "x")])
    if image is not None and frames is not None and layer.ndim == image.ndim:
        drawn = pixels_of(layer, image, frames)
        placed = all(map(np.allclose, affine_of(layer), affine_of(image)))
        off = ~np.isfinite(places).all(1)
        if placed:
            off |= np.abs(places - drawn).max(1, initial=0.0) > GRIP
        places[off] = drawn[off]
    names = table["class"].astype(object).where(table["class"].notna(), "")
    track = np.nan_to_num(columns["track_id"], nan=NO_ROW)
    return [
        Mark(str(name).strip(), round(t), float(y), float(x), int(track[i]))
        for i, (name, (t, y, x)) in enumerate(zip(names, places.tolist(), strict=True))
        if str(name).strip() and np.isfinite([t, y, x]).all()
    ]


def pixels_of(layer: Points, image: Any, frames: Frames) -> npt.NDArray[np.float64]:
    """(N, 3) of t, y, x, in image pixels, of the points of a layer with the image's axes."""
    axes = image_axes(image, frames)
    pixels = world_to_data(image, data_to_world(layer, layer.data))[:, axes]
    if frames.is_movie:
        return np.asarray(pixels)
    return np.asarray(np.column_stack([np.zeros(len(pixels)), pixels]))


def _points(image: Any, frames: Frames, marks: Sequence[Mark]) -> npt.NDArray[np.float64]:
    """Data coordinates (N, image.ndim) of marks."""
    places = np.array([(m.t, m.y, m.x) for m in marks], dtype=float).reshape(-1, 3)
    columns = list(places.T[0 if frames.is_movie else 1 :])
    if frames.channel_axis is not None:
        axis = frames.channel_axis % image.ndim
        columns.insert(axis, np.full(len(places), float(frames.channel)))
    return np.asarray(np.column_stack(columns), dtype=float)


def _numbers(table: pd.DataFrame, name: str) -> npt.NDArray[np.float64]:
    if name not in table:
        return np.full(len(table), np.nan)
    return np.asarray(pd.to_numeric(table[name], errors="coerce"), dtype=float)
