"""Cells and tracks from files of any kind that is known, by what is in them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from napari_interpdisc.cells import CellTable
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.guarded_files import one_sentence
from napari_interpdisc.io.btrack_reader import read_btrack
from napari_interpdisc.io.columns import Asked, Movie, cells_of_frame
from napari_interpdisc.io.ctc_reader import ctc_folder, read_ctc
from napari_interpdisc.io.geff_reader import read_geff, read_trackmate_xml
from napari_interpdisc.io.results import doubt_of_pair
from napari_interpdisc.io.tables import STDIN, TEXT_SUFFIXES, Table, read_parquet, read_table
from napari_interpdisc.io.trackmate_tracks import read_trackmate_tracks, root_of

TIFF = (".tif", ".tiff")
SPREADSHEETS = (".xlsx", ".xlsm", ".xlsb", ".ods")
PACKED = (".zip", ".bz2", ".xz", ".7z", ".tar", ".zst")


def read_cells(
    path: str | Path,
    swap_xy: bool = False,
    asked: Asked | None = None,
    movie: Movie | None = None,
) -> CellTable:
    """Read the cells of a movie; positions are in pixels.

    Parameters
    ----------
    path
        The file or store, or ``-`` for a table on standard input.
    swap_xy
        Exchange x and y, for files that mean the rows of the image by x.
    asked
        What the user says of columns, units and the first frame.
    movie
        The image that the cells belong to; it settles what a table leaves open.

    Notes
    -----
    Tables of text (``.csv``, ``.tsv``, ``.txt``, also gzipped) and ``.parquet`` by their columns
    (:func:`napari_interpdisc.io.columns.cells_of_frame`); ``.h5`` and ``.hdf5`` as written by
    btrack; TrackMate's ``.xml``; masks of the Cell Tracking Challenge with their ``man_track.txt``;
    another folder as a GEFF store.

    Raises
    ------
    InvalidInput
        If the file is missing, of another kind, or has no usable cells.
    """
    with one_sentence(path, "cells"):
        cells = _read_any(Path(path), asked or Asked(), movie)
    return replace(cells, yx=cells.yx[:, ::-1].copy()) if swap_xy else cells


def _read_any(source: Path, asked: Asked, movie: Movie | None) -> CellTable:
    if str(source) == STDIN:
        return _of_table(read_table(source, asked.named), asked, movie)
    if not source.exists():
        raise InvalidInput(f"There is no file {source}; check the path.")
    if ctc_folder(source) is not None:
        return read_ctc(source, asked, movie)
    if source.is_dir():
        return read_geff(source, asked, movie)
    suffix = source.suffix.lower()
    if suffix in (".h5", ".hdf5"):
        return read_btrack(source)
    if suffix == ".xml":
        root = root_of(source)
        if root == "Tracks":
            return read_trackmate_tracks(source, asked, movie)
        if root not in ("", "TrackMate"):
            raise InvalidInput(
                f"{source} is no XML of TrackMate (it holds '{root}'); export the cells as CSV."
            )
        return read_trackmate_xml(source, asked, movie)
    if suffix == ".parquet":
        return _of_table(read_parquet(source), asked, movie, source)
    if suffix == ".gz":
        suffix = Path(source.stem).suffix.lower()
    if suffix in TEXT_SUFFIXES or not source.is_file():  # a pipe has no suffix
        file = source if source.is_file() else None
        return _of_table(read_table(source, asked.named), asked, movie, file)
    if suffix in TIFF:
        raise InvalidInput(
            f"{source} is an image; give a table of cells, or the folder of masks with its "
            "man_track.txt."
        )
    if suffix in SPREADSHEETS:
        raise InvalidInput(f"{source} is a spreadsheet; save its sheet of cells as CSV.")
    if suffix in PACKED:
        raise InvalidInput(f"{source} is packed; unpack it, or pack the table with gzip.")
    raise InvalidInput(
        f"{source} is not a kind of track file that can be read: give a table (.csv, .tsv, .txt or "
        ".parquet), btrack's .h5, TrackMate's .xml, a GEFF store, or masks with man_track.txt."
    )


def _of_table(
    table: Table, asked: Asked, movie: Movie | None, file: Path | None = None
) -> CellTable:
    cells = cells_of_frame(table.frame, table.source, asked, movie, table.units, table.told)
    doubt = "" if file is None else doubt_of_pair(file)
    if not doubt:
        return cells
    return replace(cells, taken=replace(cells.taken, notes=(*cells.taken.notes, doubt)))
