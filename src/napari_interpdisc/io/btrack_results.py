"""Results as properties of the objects of a copy of btrack's HDF5 file."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import Plane
from napari_interpdisc.cells import CellTable
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.results import settings_text, write_whole

if TYPE_CHECKING:
    import pandas as pd

MARK = "interpdisc"
"""Attribute of the file, and of each dataset, that this package wrote."""

MEASURES = ("confidence", "surprise", "reconstruction_error", "latent_norm")
"""Columns of a result that become properties, if it has them, beside class, scores and flags."""


def add_object_properties(
    source: str | Path,
    path: str | Path,
    cells: CellTable,
    table: pd.DataFrame,
    classes: Sequence[str],
    flags: Plane,
    settings: Mapping[str, Any],
) -> dict[str, str]:
    """Copy btrack's file and give its objects the columns of a result; the source stays as it is.

    Properties are numbers: ``class`` is the position in ``classes``, −1 for objects without a
    result, and ``flag`` the sum of :mod:`napari_interpdisc.flags`. The attributes of the dataset
    ``class`` have the names. The dataset ``labels`` becomes class and probabilities, as btrack
    wants it; what it held before is kept as ``labels_before``.

    Parameters
    ----------
    source, path
        The file, and the copy.
    cells, table
        The cells and, in the same order, their result.
    classes
        Names of the classes.
    flags
        (N,) flags.
    settings
        What is kept, as JSON, in the attribute ``interpdisc`` of the file.

    Returns
    -------
    renamed
        Properties that were there already, and under which names the results are instead.

    Raises
    ------
    InvalidInput
        If the cells are not objects of the file, or the copy cannot be written.
    """
    from napari_interpdisc.io.hdf5_files import hdf5_file

    renamed: dict[str, str] = {}

    def write(partial: Path) -> None:
        shutil.copyfile(source, partial)
        with hdf5_file(partial, "r+") as (file, _):
            objects = _objects_of(Path(source), file)
            rows = _rows_of(Path(source), objects["coords"][:], cells)
            known = rows >= 0
            properties = objects.require_group("properties")
            for name, values in _properties(table, flags).items():
                empty = -1.0 if name in ("class", "flag") else np.nan
                spread = np.where(known, values[rows], empty).astype(np.float32)
                new = name
                if name in properties and MARK not in properties[name].attrs:
                    new = renamed[name] = f"interpdisc_{name}"
                if new in properties:
                    del properties[new]
                stored = properties.create_dataset(new, data=spread)
                stored.attrs[MARK] = True
                if name == "class":
                    stored.attrs["classes"] = list(classes)
            _write_labels(objects, np.where(known[:, None], _labels(table)[rows], -1.0))
            file.attrs[MARK] = settings_text({"table": Path(path).name, **settings})

    write_whole(path, write)
    return renamed


def _properties(table: pd.DataFrame, flags: Plane) -> dict[str, npt.NDArray[np.float64]]:
    """Numbers (N,) of each property."""
    scores = [str(n) for n in table if n == "score" or str(n).startswith("score_")]
    measures = [name for name in MEASURES if name in table]
    columns = {name: table[name].to_numpy(np.float64) for name in (*scores, *measures)}
    return {
        "class": table["class"].cat.codes.to_numpy(np.float64),
        **{name.replace("/", "_"): values for name, values in columns.items()},
        "flag": flags.astype(np.float64),
    }


def _labels(table: pd.DataFrame) -> npt.NDArray[np.float64]:
    """(N, 1 + K) class and the probability of every class."""
    if "score" in table:
        score = table["score"].to_numpy(np.float64)
        logits = np.column_stack([np.zeros(len(score)), score])
    else:
        logits = table.filter(regex="^score_").to_numpy(np.float64)
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    return np.column_stack(
        [table["class"].cat.codes.to_numpy(np.float64), shifted / shifted.sum(1, keepdims=True)]
    )


def _write_labels(objects: Any, labels: npt.NDArray[np.float64]) -> None:
    if "labels" in objects and MARK not in objects["labels"].attrs:
        if "labels_before" in objects:
            del objects["labels_before"]
        objects.move("labels", "labels_before")
    elif "labels" in objects:
        del objects["labels"]
    objects.create_dataset("labels", data=labels.astype(np.float32)).attrs[MARK] = True


def _objects_of(source: Path, file: Any) -> Any:
    """Group of the objects: those that have tracks, if there are several types."""
    kinds = list(file["objects"])
    tracked = [kind for kind in kinds if kind in file.get("tracks", ())]
    if len(tracked or kinds) != 1:
        raise InvalidInput(
            f"{source} holds several types of objects ({', '.join(tracked or kinds)}); write the "
            "result as .csv, .parquet or .geff."
        )
    return file["objects"][(tracked or kinds)[0]]


def _rows_of(source: Path, coords: npt.NDArray[Any], cells: CellTable) -> npt.NDArray[np.int64]:
    """Row of the cell at the place of each object, −1 for none.

    Objects at one place and time have one result: it depends on nothing else.
    """
    places = coords[:, [0, 2, 1]].astype(np.float64).tolist()  # t, x, y, z, as btrack stores them
    for columns in ([0, 1, 2], [0, 2, 1]):  # or with x and y exchanged, if the user asked for it
        at = np.column_stack([cells.t, cells.yx])[:, columns].tolist()
        row_at = {tuple(place): row for row, place in enumerate(at)}
        rows = np.array([row_at.get(tuple(place), -1) for place in places], dtype=np.int64)
        if set(row_at.values()) <= set(rows.tolist()):
            return rows
    raise InvalidInput(
        f"The cells are not where {source} has its objects; write the result as .csv, .parquet or "
        ".geff."
    )
