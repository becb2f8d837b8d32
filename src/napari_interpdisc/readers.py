"""Open files of cells in napari: they become Tracks or Points, or the layer that was saved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from napari_interpdisc._types import LayerData
from napari_interpdisc.io.headers import holds_cells
from napari_interpdisc.io.layer_files import is_saved_layer, read_layer
from napari_interpdisc.io.tracks import read_cells


def get_reader(path: str | list[str]) -> Callable[[str], list[LayerData]] | None:
    """Return the reader of one file of cells, or None for anything else.

    The header decides. napari's own tables of Points and Shapes are left to napari, unless this
    package saved them.
    """
    if isinstance(path, list):
        if len(path) != 1:
            return None
        path = path[0]
    if not claims(path):
        return None
    return read_tracks


def claims(path: str | Path) -> bool:
    """Whether a file or store is one of cells, by its header."""
    return holds_cells(path) or is_saved_layer(path)


def read_tracks(path: str | list[str]) -> list[LayerData]:
    """Layer of the cells in a file: the layer that was saved there, Tracks, or Points.

    Points are made where no two cells share a track.

    Raises
    ------
    InvalidInput
        If the file has no usable cells.
    """
    source = path[0] if isinstance(path, list) else path
    saved = read_layer(source)
    if saved is not None:
        return [saved]
    cells = read_cells(source)
    name = Path(source).stem
    order = np.lexsort((cells.t, cells.track_id))
    features = {column: np.asarray(values)[order] for column, values in cells.extra.items()}
    places = np.column_stack([cells.t, cells.yx])[order]
    if len(np.unique(cells.track_id)) == len(cells):
        return [(places, {"name": name, "features": features}, "points")]
    tracks = np.column_stack([cells.track_id[order], places])
    return [(tracks, {"name": name, "features": features}, "tracks")]
