"""Open track files in napari: btrack HDF5, GEFF, CSV and Parquet become Tracks or Points layers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from napari_interpdisc._types import LayerData
from napari_interpdisc.io.tracks import read_cells

SUFFIXES = (".csv", ".parquet", ".h5", ".hdf5", ".geff")


def get_reader(path: str | list[str]) -> Callable[[str], list[LayerData]] | None:
    """Return the reader of one track file, or None for anything else."""
    if isinstance(path, list) or Path(path).suffix.lower() not in SUFFIXES:
        return None
    return read_tracks


def read_tracks(path: str) -> list[LayerData]:
    """Layer of the cells in a file: Tracks, or Points where no two cells share a track.

    Raises
    ------
    InvalidInput
        If the file has no usable cells.
    """
    cells = read_cells(path)
    name = Path(path).stem
    order = np.lexsort((cells.t, cells.track_id))
    features = {column: np.asarray(values)[order] for column, values in cells.extra.items()}
    places = np.column_stack([cells.t, cells.yx])[order]
    if len(np.unique(cells.track_id)) == len(cells):
        return [(places, {"name": name, "features": features}, "points")]
    tracks = np.column_stack([cells.track_id[order], places])
    return [(tracks, {"name": name, "features": features}, "tracks")]
