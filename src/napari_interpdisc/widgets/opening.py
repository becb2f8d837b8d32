"""Open files of cells from napari's menus and from the dock widgets.

napari asks the user to choose as soon as two plugins claim a file's name, and its own reader claims
every ``.csv`` and every folder. So this plugin leaves those to napari, and opens them here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import napari
import numpy as np
from napari.layers import Image, Layer
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_interpdisc.cells import CellTable, Taken
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.frames import Frames
from napari_interpdisc.io.columns import Asked, Movie
from napari_interpdisc.io.layer_files import read_layer
from napari_interpdisc.io.tables import columns_of_file
from napari_interpdisc.io.tracks import read_cells
from napari_interpdisc.readers import layer_of_cells
from napari_interpdisc.widgets.canvas.compat import unwrapped
from napari_interpdisc.widgets.canvas.layers import image_axes, movie_of_layer
from napari_interpdisc.widgets.columns_form import ColumnsForm
from napari_interpdisc.widgets.notices import tell

FILES = "Cells (*.csv *.tsv *.txt *.gz *.parquet *.xml *.h5 *.hdf5);;All files (*)"


def ask_file(parent: QWidget | None = None) -> str:
    """Ask for a file of cells; an empty path if the user does not choose one."""
    return str(QFileDialog.getOpenFileName(parent, "Open cells", "", FILES)[0])


def ask_store(parent: QWidget | None = None) -> str:
    """Ask for a GEFF store or another folder of cells; an empty path if there is no answer."""
    return str(QFileDialog.getExistingDirectory(parent, "Open a GEFF store"))


def open_cells(viewer: napari.Viewer) -> None:
    """Ask for a file of cells, and add its layer: the command of the menu."""
    if path := ask_file():
        tell(add_cells(viewer, path)[1])


def open_geff(viewer: napari.Viewer) -> None:
    """Ask for a GEFF store, which is a folder, and add its layer: the command of the menu."""
    if path := ask_store():
        tell(add_cells(viewer, path)[1])


def add_cells(
    viewer: Any,
    path: str | Path,
    image: Image | None = None,
    frames: Frames | None = None,
    parent: QWidget | None = None,
) -> tuple[Layer, Taken]:
    """Add the layer of a file of cells, and ask for what the file leaves open.

    Parameters
    ----------
    viewer
        Where the layer is added.
    path
        The file, or the store.
    image, frames
        The image that the cells are of, if it is known: they are placed on it.
    parent
        Widget that the form of columns belongs to.

    Returns
    -------
    The layer, and what was taken for what.

    Raises
    ------
    InvalidInput
        If the file cannot be read, or the user does not answer.
    """
    saved = read_layer(path)
    if saved is not None:
        return unwrapped(viewer).add_layer(Layer.create(*saved)), Taken()
    movie = None if frames is None else Movie(*frames.shape)
    if image is not None and frames is not None:
        movie = movie_of_layer(image, frames)
    cells = _asked_cells(str(path), movie, parent)
    if frames is not None:
        cells.check_inside(frames)
    data, arguments, kind = layer_of_cells(cells, Path(path).stem)
    if image is not None and (frames is not None or image.ndim <= 3):
        axes = image_axes(image, frames) if frames is not None else list(range(image.ndim))
        axes = axes[-(data.shape[1] - (kind == "tracks")) :]
        for key in ("scale", "translate"):
            arguments[key] = np.asarray(getattr(image, key))[axes]
    return unwrapped(viewer).add_layer(Layer.create(data, arguments, kind)), cells.taken


def _asked_cells(path: str, movie: Movie | None, parent: QWidget | None) -> CellTable:
    asked = Asked()
    while True:
        try:
            return read_cells(path, asked=asked, movie=movie)
        except InvalidInput as fault:
            columns = columns_of_file(path)
            form = ColumnsForm(columns, str(fault), parent, movie) if columns else None
            if form is None or not form.exec():
                raise
            asked = form.asked()
