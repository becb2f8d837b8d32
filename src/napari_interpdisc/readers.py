"""Open files of cells in napari: they become Tracks or Points, or the layer that was saved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from napari_interpdisc._types import LayerData
from napari_interpdisc.cells import CellTable
from napari_interpdisc.io.headers import holds_cells
from napari_interpdisc.io.layer_files import is_saved_layer, read_layer
from napari_interpdisc.io.tracks import read_cells

LARGEST_EXACT = 2**53
"""Numbers above it are rounded as floats."""


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
    from napari_interpdisc.widgets.notices import tell

    source = path[0] if isinstance(path, list) else path
    saved = read_layer(source)
    if saved is not None:
        return [saved]
    cells = read_cells(source)
    tell(cells.taken)
    return [layer_of_cells(cells, Path(source).stem)]


def layer_of_cells(cells: CellTable, name: str) -> LayerData:
    """Layer of cells: Tracks with their graph, or Points where no two cells share a track."""
    order = np.lexsort((cells.t, cells.track_id))
    features = {column: np.asarray(values)[order] for column, values in cells.extra.items()}
    if not cells.taken.timed:
        # without a time they fit a still image alone, and must not be the first frame of a movie
        return cells.yx[order], {"name": name, "features": features}, "points"
    places = np.column_stack([cells.t, cells.yx])[order]
    if len(np.unique(cells.track_id)) == len(cells):
        return places, {"name": name, "features": features}, "points"
    ids, graph = cells.track_id[order], dict(cells.graph)
    if np.abs(ids).max() > LARGEST_EXACT or ids.min() < 0:
        # napari holds ids as floats, which would make one of two that are near each other
        features["track_id"] = ids
        known, ids = np.unique(ids, return_inverse=True)
        number = {int(track): i for i, track in enumerate(known)}
        graph = {
            number[child]: tuple(number[p] for p in parents) for child, parents in graph.items()
        }
    arguments: dict[str, Any] = {"name": name, "features": features}
    if graph:
        arguments["graph"] = {child: list(parents) for child, parents in graph.items()}
    return np.column_stack([ids, places]), arguments, "tracks"
