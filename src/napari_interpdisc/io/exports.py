"""The forms in which a result leaves: a table, a GEFF store, btrack's HDF5 file, AnnData."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_interpdisc._types import Plane
from napari_interpdisc.cells import CellTable
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.anndata_file import check_anndata, write_anndata
from napari_interpdisc.io.btrack_results import MARK, add_object_properties
from napari_interpdisc.io.geff_files import (
    add_node_properties,
    node_properties,
    track_edges,
    write_geff,
)
from napari_interpdisc.io.headers import is_btrack, is_geff
from napari_interpdisc.io.results import (
    TABLE_SUFFIXES,
    check_empty_folder,
    check_no_input,
    check_table_path,
    check_writable,
    versions,
    write_table,
)

if TYPE_CHECKING:
    import pandas as pd

HDF5 = (".h5", ".hdf5")
RESULT_SUFFIXES = (*TABLE_SUFFIXES, ".geff", *HDF5, ".h5ad")

CONSTANT = ("model", "head", "diameter")
"""Columns of one value, which a store keeps once, in its settings."""


@dataclass(frozen=True)
class Result:
    """What is written of a classification.

    Attributes
    ----------
    cells
        The cells.
    table
        (N rows) the whole table: cells, their own columns, and results.
    made
        (N rows) columns of results alone.
    classes
        Names of the classes.
    flags
        (N,) flags of every cell.
    settings
        What made it.
    """

    cells: CellTable
    table: pd.DataFrame
    made: pd.DataFrame
    classes: Sequence[str]
    flags: Plane
    settings: Mapping[str, Any]


def check_result_path(
    path: str | Path, tracks: str | Path, inputs: Iterable[str | Path | None] = ()
) -> Path:
    """Return ``path`` if a result can be written there: to be called before long work.

    Parameters
    ----------
    path
        ``.csv``, ``.parquet``, a new ``.geff`` store, ``.h5`` or ``.h5ad``.
    tracks
        Where the cells come from.
    inputs
        Other files that are read.

    Raises
    ------
    InvalidInput
        For another suffix, a place that cannot be written to, an input, a file that this package
        did not write, or ``.h5`` with cells that are not btrack's.
    MissingExtra
        For ``.h5ad`` without the package anndata.
    """
    target, given = Path(path), (tracks, *inputs)
    suffix = target.suffix.lower()
    if suffix in TABLE_SUFFIXES:
        return check_table_path(target, given)
    if suffix not in RESULT_SUFFIXES:
        raise InvalidInput(
            f"{target} is no name for a result: end it in {', '.join(RESULT_SUFFIXES)}."
        )
    check_no_input(target, given)
    if suffix == ".geff":
        return check_empty_folder(target)
    if suffix == ".h5ad":
        check_anndata()
    elif Path(tracks).suffix.lower() not in HDF5 or not is_btrack(tracks):
        raise InvalidInput(
            f"{target} would be a copy of btrack's file with results in it, and {tracks} is none; "
            "end the name in .geff, .csv or .parquet."
        )
    check_writable(target)
    if target.exists() and not _is_ours(target):
        raise InvalidInput(
            f"{target} is there already, and napari-interpdisc did not write it; choose another "
            "name."
        )
    return target


def write_result(result: Result, path: str | Path, tracks: str | Path) -> list[str]:
    """Write a result in the form that the suffix of ``path`` says; returns sentences to tell.

    A GEFF store or btrack's file is copied, and the copy has the results as properties of nodes or
    objects. Other cells become a new GEFF store, with edges along tracks and from parents to
    children.

    Raises
    ------
    InvalidInput
        As :func:`check_result_path` does, and if the disk is full.
    """
    target = Path(path)
    suffix = target.suffix.lower()
    told = {"versions": versions(), **result.settings}
    if suffix in TABLE_SUFFIXES:
        write_table(result.table, result.settings, target)
        return []
    if suffix == ".h5ad":
        write_anndata(result.table, told, target)
        return []
    if suffix in HDF5:
        renamed = add_object_properties(
            tracks, target, result.cells, result.made, result.classes, result.flags, told
        )
        return _of_their_own(renamed, target)
    made = result.made.drop(columns=[name for name in CONSTANT if name in result.made])
    if is_geff(tracks):
        renamed = add_node_properties(tracks, target, made, result.cells.row, told)
        return _of_their_own(renamed, target)
    cells = result.cells
    nodes = result.table.drop(columns=[name for name in CONSTANT if name in result.made])
    graph = getattr(cells, "graph", {})
    edges = track_edges(cells.track_id, cells.t, graph)
    told["properties"] = list(node_properties(made))  # a later result may replace them
    write_geff(target, nodes, ["t", "y", "x"], edges, told)
    return []


def _of_their_own(renamed: Mapping[str, str], path: Path) -> list[str]:
    if not renamed:
        return []
    names = ", ".join(f"'{name}' is stored as '{new}'" for name, new in renamed.items())
    return [f"{path.name} has properties of these names of its own: {names}."]


def _is_ours(path: Path) -> bool:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return MARK in file.attrs or f"uns/{MARK}" in file
    except OSError:
        return False
