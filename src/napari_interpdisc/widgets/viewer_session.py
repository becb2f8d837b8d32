"""*Save session* and *Open session*: what is in the viewer, as a folder of plain files.

Beside what :mod:`napari_interpdisc.session_folder` keeps, the folder has the cells layer, the
segmentation, and the model if it is none of the bundled ones. The image stays where it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import napari
import numpy as np
import pandas as pd
from napari.layers import Image, Layer
from qtpy.QtWidgets import QFileDialog

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.layer_files import read_layer, write_layer
from napari_interpdisc.models.store import installed_models, load_model, save_model
from napari_interpdisc.pipeline import classify_encoding
from napari_interpdisc.session_folder import Ask, SavedSession, open_session, save_session
from napari_interpdisc.widgets.canvas import annotation_layer
from napari_interpdisc.widgets.canvas.annotation_home import is_of
from napari_interpdisc.widgets.canvas.compat import unwrapped
from napari_interpdisc.widgets.canvas.layers import frames_from_layer
from napari_interpdisc.widgets.canvas.overlay import follow_session, update_overlay
from napari_interpdisc.widgets.discover.annotating import (
    note_annotations_saved,
    set_annotations_aside,
)
from napari_interpdisc.widgets.discover.annotations import Mark
from napari_interpdisc.widgets.session import session_of

CELLS, SEGMENTATION, MODEL = "cells_layer.parquet", "segmentation.parquet", "model"


def save_session_as(viewer: napari.Viewer) -> None:
    """Ask for a new folder, and save the session there: the command of the menu."""
    path, _ = QFileDialog.getSaveFileName(None, "Save the session in a new folder", "session")
    if path:
        napari.utils.notifications.show_info(save_viewer(viewer, path))


def open_saved_session(viewer: napari.Viewer) -> None:
    """Ask for the folder of a session, and open it: the command of the menu."""
    path = QFileDialog.getExistingDirectory(None, "Open a session")
    if path:
        napari.utils.notifications.show_info(open_viewer(viewer, path, _ask_where))


def _ask_where(role: str, old: Path) -> Path | None:
    title = f"Where is the {role} that was {old}?"
    if old.suffix.lower() in (".zarr", "") or old.is_dir():
        path = QFileDialog.getExistingDirectory(None, title)
    else:
        path, _ = QFileDialog.getOpenFileName(None, title)
    return Path(path) if path else None


def save_viewer(viewer: Any, folder: str | Path) -> str:
    """Save result, annotations, model and layers of a viewer; returns a sentence to show.

    Raises
    ------
    InvalidInput
        If there is no result, its image was not opened from a file, or the folder is in the way.
    """
    viewer = unwrapped(viewer)
    session = session_of(viewer)
    result, image, frames = session.classification, session.image, session.frames
    if result is None or image is None or frames is None:
        raise InvalidInput("There is no result to save: run the Cells widget first.")
    path = image.source.path
    if not path or not Path(path).exists():
        raise InvalidInput(
            f"The image '{image.name}' was not opened from a file: save it, open the file, and "
            "run the Cells widget on it."
        )
    marks, classes = None, []
    found: list[Mark] = []
    layer = annotation_layer.find_annotations(viewer)
    if layer is not None and is_of(layer, viewer, image, session.cells_layer, frames):
        found = annotation_layer.read_layer(layer, image, frames)
        classes = annotation_layer.classes_of(layer)
        marks = pd.DataFrame(
            [(m.t, m.y, m.x, m.track_id, m.name) for m in found],
            columns=["t", "y", "x", "track_id", "class"],
        )
    model, bundled = session.model, _is_bundled(session.model)
    settings = {
        "channel_axis": frames.channel_axis,
        "channel": frames.channel,
        "z_axis": frames.z_axis,
        "z": frames.z,
        "reader": image.source.reader_plugin,
        "image": {
            "name": image.name,
            "shape": list(image.data.shape) if not image.multiscale else list(image.data[0].shape),
            "scale": np.asarray(image.scale).tolist(),
            "translate": np.asarray(image.translate).tolist(),
        },
        "threshold": session.threshold,
        "classes": classes,
        "bundled": bundled,
        "labels": "cells" if session.labels is session.cells_layer else "own",
    }

    def beside(partial: Path) -> None:
        _write(session.cells_layer, partial / CELLS)
        if session.labels is not None and session.labels is not session.cells_layer:
            _write(session.labels, partial / SEGMENTATION)
        if not bundled:
            save_model(model, partial / MODEL)

    saved = SavedSession(
        result.encoding, model.sha256, result.head, {"image": Path(path)}, marks, settings
    )
    save_session(folder, saved, beside)
    note_annotations_saved(session, found)
    return f"The session was saved in {folder}: {len(result.index)} cells, head '{result.head}'."


def open_viewer(viewer: Any, folder: str | Path, ask: Ask | None = None) -> str:
    """Open a session that :func:`save_viewer` saved; returns a sentence to show.

    ``ask`` is asked where the image is, if it moved. Layers that are there already stay.

    Raises
    ------
    InvalidInput
        If this is no session, its image or model is not there, or the image is another one. No
        layer is left then.
    """
    viewer, source = unwrapped(viewer), Path(folder)
    saved = open_session(source, ask)
    settings = saved.settings
    if "image" not in saved.files:
        raise InvalidInput("The image of the session was not chosen; nothing was opened.")
    if not settings or "image" not in settings or not (source / CELLS).exists():
        raise InvalidInput(
            f"{source} was not saved from a viewer; open_session of the Python library reads it."
        )
    model = load_model(saved.encoding.model_name if settings["bundled"] else source / MODEL)
    if model.sha256 != saved.model_sha256:
        raise InvalidInput(
            f"The session was saved with another version of the model '{model.name}'; install the "
            "napari-interpdisc that saved it, or run the cells anew."
        )
    result = classify_encoding(saved.encoding, model, saved.head)
    before = set(viewer.layers)
    try:
        image = _open_image(viewer, saved.files["image"], settings)
        frames = frames_from_layer(
            image, settings["channel_axis"], settings["channel"], settings["z_axis"], settings["z"]
        )
        cells = _add(viewer, source / CELLS)
        labels = cells if settings["labels"] == "cells" else None
        if (source / SEGMENTATION).exists():
            labels = _add(viewer, source / SEGMENTATION)
    except Exception:
        for layer in [layer for layer in viewer.layers if layer not in before]:
            viewer.layers.remove(layer)
        raise
    session = session_of(viewer)
    follow_session(viewer, session)
    set_annotations_aside(viewer, session)
    session.clear()
    n = 0
    if saved.annotations is not None:
        marks = [
            Mark(str(row["class"]), int(row["t"]), row["y"], row["x"], int(row["track_id"]))
            for row in saved.annotations.to_dict("records")
        ]
        n = len(marks)
        diameter = saved.encoding.diameter
        # before the cells: they are looked for among those, as after each run
        annotation_layer.write_layer(
            viewer, image, frames, diameter, settings["classes"], marks, cells
        )
    session.set_model(model, saved.head)
    session.set_result(image, cells, labels, frames, result)
    session.set_threshold(settings["threshold"])
    update_overlay(viewer, session).visible = True
    return (
        f"Opened {source}: {len(result.index)} cells, {n} annotations, model '{model.name}', head "
        f"'{saved.head}'."
    )


def _is_bundled(model: Any) -> bool:
    return model.name in installed_models() and load_model(model.name).sha256 == model.sha256


def _write(layer: Layer, path: Path) -> None:
    data, arguments, kind = layer.as_layer_data_tuple()
    write_layer(path, kind, data, arguments)


def _add(viewer: Any, path: Path) -> Layer:
    saved = read_layer(path)
    if saved is None:
        raise InvalidInput(f"{path} is not the layer that was saved; the session is damaged.")
    return viewer.add_layer(Layer.create(*saved))


def _open_image(viewer: Any, path: Path, settings: Any) -> Image:
    """Open the image as it was opened, and check that it is the one of the session."""
    wanted, reader = settings["image"], settings["reader"]
    opened = viewer.open(str(path), **({"plugin": reader} if reader else {}))
    for layer in opened:
        if isinstance(layer, Image):
            data = layer.data[0] if layer.multiscale else layer.data
            if list(data.shape) == wanted["shape"]:
                layer.scale, layer.translate = wanted["scale"], wanted["translate"]
                layer.name = wanted["name"]
                return layer
    raise InvalidInput(
        f"{path} holds no image of the shape {tuple(wanted['shape'])}; choose the image that the "
        "session was saved with."
    )
