"""Which movie an annotation layer is of; one of another movie is set aside until that is back.

What it is of stands in the layer's metadata, so that it stays known while no dock is open.
"""

from __future__ import annotations

import secrets
from typing import Any

from napari.layers import Points

from napari_interpdisc.frames import Frames
from napari_interpdisc.widgets.canvas.compat import unwrapped
from napari_interpdisc.widgets.canvas.image_identity import identify

LAYER_NAME = "Annotations"
ROLE, ASIDE = "annotations", "annotations set aside"

_PROCESS = secrets.token_hex(6)
"""Ids of layers mean nothing in another process, as after a layer was saved and opened."""


def note_of(layer: Any) -> dict[str, Any]:
    """What we noted of a layer; empty if nothing."""
    note = layer.metadata.get("interpdisc")
    return note if isinstance(note, dict) else {}


def home_of(layer: Any) -> dict[str, Any]:
    """What an annotation layer is of; empty if nobody knows."""
    home = note_of(layer).get("of")
    return home if isinstance(home, dict) and isinstance(home.get("shape"), list) else {}


def image_name(layer: Any) -> str:
    """Name of the image that an annotation layer is of; empty if nobody knows."""
    return str(home_of(layer).get("name", ""))


def home_key(layer: Any) -> str:
    """Mark of the image layer that an annotation layer is of; empty if nobody knows."""
    return str(home_of(layer).get("image", ""))


def note_home(layer: Any, image: Any, cells: Any, frames: Frames) -> None:
    """Note that annotations are of an image, on the cells of a layer (or of none)."""
    home = {
        "name": str(image.name),
        "path": str(image.source.path or ""),
        "shape": [int(n) for n in frames.shape],
        "image": str(image.unique_id),
        "cells": "" if cells is None else str(cells.unique_id),
        "process": _PROCESS,
    }
    layer.metadata["interpdisc"] = {**note_of(layer), "of": home}


def note_pixels(layers: Any, image: Any) -> None:
    """Note by which pixels an image that goes is recognised, with the annotations of it."""
    for layer in layers:
        if is_aside(layer) or note_of(layer).get("role") == ROLE:
            home = home_of(layer)
            if home.get("image") == str(image.unique_id):
                home["digest"] = identify(image).digest


def is_of(layer: Any, viewer: Any, image: Any, cells: Any, frames: Frames) -> bool:
    """Whether an annotation layer is of an image, or of another channel of it.

    It is if the image or the layer of cells is the same, and the image has the same shape in t, y
    and x. An image that was opened again is the same by its pixels, or else by its file and name.
    One that was saved, and that the user opened himself, is of any image of its shape.
    """
    home = home_of(layer)
    if not home:
        return True
    if list(frames.shape) != home["shape"]:
        return False
    if home.get("process") != _PROCESS:
        return True
    if home["image"] == str(image.unique_id):
        return True
    if cells is not None and home["cells"] == str(cells.unique_id):
        return True
    if any(str(other.unique_id) == home["image"] for other in unwrapped(viewer).layers):
        return False
    if home.get("digest"):
        return identify(image).digest == str(home["digest"])
    path = str(image.source.path or "")
    return bool(path) and (path, image.name) == (home["path"], home["name"])


def is_aside(layer: Any) -> bool:
    """Whether a layer holds annotations that were set aside."""
    return isinstance(layer, Points) and note_of(layer).get("role") == ASIDE


def set_aside(layer: Any) -> None:
    """Hide an annotation layer, and let its name say what it is of."""
    name = image_name(layer)
    layer.metadata["interpdisc"] = {**note_of(layer), "role": ASIDE}
    layer.name = f"{LAYER_NAME} of '{name}'" if name else f"{LAYER_NAME} of before"
    layer.visible = False


def bring_back(layer: Any) -> None:
    """Make an annotation layer that was set aside the one that is annotated in."""
    layer.metadata["interpdisc"] = {**note_of(layer), "role": ROLE}
    layer.name = LAYER_NAME
    layer.visible = True
