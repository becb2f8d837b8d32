"""Open files of cells from napari's menus and from the dock widgets.

napari asks the user to choose as soon as two plugins claim a file's name, and its own reader claims
every ``.csv`` and every folder. So this plugin leaves those to napari, and opens them here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import napari
from napari.layers import Layer
from qtpy.QtWidgets import QFileDialog

from napari_interpdisc.readers import read_tracks
from napari_interpdisc.widgets.canvas.compat import unwrapped

FILES = "Cells (*.csv *.parquet *.h5 *.hdf5);;All files (*)"


def open_cells(viewer: napari.Viewer) -> None:
    """Ask for a file of cells, and add its layer: the command of the menu."""
    path, _ = QFileDialog.getOpenFileName(None, "Open cells", "", FILES)
    if path:
        add_cells(viewer, path)


def open_geff(viewer: napari.Viewer) -> None:
    """Ask for a GEFF store, which is a folder, and add its layer: the command of the menu."""
    path = QFileDialog.getExistingDirectory(None, "Open a GEFF store")
    if path:
        add_cells(viewer, path)


def add_cells(viewer: Any, path: str | Path) -> list[Layer]:
    """Add the layer of a file of cells to a viewer.

    Raises
    ------
    InvalidInput
        If the file has no usable cells.
    """
    return [
        unwrapped(viewer).add_layer(Layer.create(data, arguments, kind))
        for data, arguments, kind in read_tracks(str(path))
    ]
