"""Cells of a btrack HDF5 file, without importing btrack."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc.cells import CellTable, Taken, no_integers
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.guarded_files import check_growth
from napari_interpdisc.io.track_ids import parents_of


def read_btrack(path: Path, object_type: str | None = None) -> CellTable:
    """Read the tracked objects of a btrack HDF5 file.

    Coordinates are stored as (t, x, y, z), x along the columns of the image. (Files from the early
    days of btrack have x along the rows: exchange them with ``swap_xy`` of
    :func:`napari_interpdisc.io.tracks.read_cells`.)

    A track is a list of references: n ≥ 0 to the n-th object, n < 0 to a dummy that btrack
    invented to bridge a gap. Dummies are left out: there may be no cell. Objects' labels (cell
    states) are carried as ``extra["state"]``, and their properties under their own names. Objects
    of a file without tracks are cells without tracks.

    Parameters
    ----------
    path
        The file.
    object_type
        Which objects; those that have tracks if left out.

    Raises
    ------
    InvalidInput
        If this is no btrack file, several types of objects have tracks, or it is damaged.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            kind, tracked = _kind(path, file, object_type)
            objects = file[f"objects/{kind}"]
            coords = _values(path, file, f"objects/{kind}/coords", 2)
            kept = np.arange(len(coords))
            if tracked:
                references = _whole(path, file, f"tracks/{kind}/tracks").ravel()
                spans = _whole(path, file, f"tracks/{kind}/map", 2)
                lineage = _whole(path, file, f"tracks/{kind}/LBEPR", 2)
                kept = _kept_objects(path, file, kind, len(coords))
            extra = {}
            if "labels" in objects:
                name = f"objects/{kind}/labels"  # the state, and what may be its probabilities
                extra["state"] = _integers(path, name, _values(path, file, name, 2)[:, 0])
            extra |= _properties(path, objects, len(coords))
    except (OSError, KeyError, IndexError) as fault:
        text = str(fault).splitlines()[0]
        raise InvalidInput(
            f"{path} is not a btrack file with objects and tracks ({text})."
        ) from None
    coords = coords[kept]
    extra = {name: values[kept] for name, values in extra.items()}
    rows, ids = np.arange(len(coords)), None
    graph: dict[int, tuple[int, ...]] = {}
    told = "no tracks"
    if tracked:
        rows, ids, parent = _followed(path, references, spans, lineage, len(coords))
        graph = parents_of(ids, parent)
        told = f"{len(spans)} track{'s' * (len(spans) != 1)}, {len(graph)} with a parent"
    extra = {name: values[rows] for name, values in extra.items()}
    if tracked:
        extra["parent_id"] = parent
    if np.ptp(coords[rows, 3]) > 0:
        extra["z"] = coords[rows, 3].astype(float)
    n = len(references) - len(rows) if tracked else 0
    notes = (f"{n} dummies of btrack in '{path.name}' are left out.",) if n else ()
    sentence = f"{path.name} (btrack, {kind}): t, y and x from its coordinates, {told}"
    # columns: t, x, y, z, label
    return CellTable.from_arrays(
        coords[rows, 0],
        coords[rows][:, [2, 1]],
        ids,
        source=path.name,
        extra=extra,
        graph=graph,
        taken=Taken(sentence, notes, tracked=tracked),
    )


def _values(path: Path, file: Any, name: str, rank: int | None = None) -> npt.NDArray[Any]:
    """All values of a data set, if they are in this file, and as many as its size can hold."""
    data = file[name]
    if data.external or data.is_virtual or data.file.filename != file.filename:
        raise InvalidInput(
            f"{path} keeps '{name}' in another file; export the tracks from btrack again."
        )
    n_bytes = math.prod(data.shape) * data.dtype.itemsize
    check_growth(f"'{name}' in {path}", n_bytes, int(data.id.get_storage_size()))
    values = np.asarray(data[:])
    if values.dtype.kind not in "buif" or (rank is not None and values.ndim != rank):
        raise InvalidInput(
            f"{path} is damaged: its '{name}' has the shape {values.shape} and the type "
            f"{values.dtype}; export the tracks from btrack again."
        )
    return values


def _whole(path: Path, file: Any, name: str, rank: int | None = None) -> npt.NDArray[np.int64]:
    """All values of a data set of whole numbers."""
    return _integers(path, name, _values(path, file, name, rank))


def _integers(path: Path, name: str, values: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    wrong = no_integers(values)
    if wrong.any():
        raise InvalidInput(
            f"{path} is damaged: its '{name}' holds {values[wrong][0]:g} where whole numbers are "
            "expected; export the tracks from btrack again."
        )
    return values.astype(np.int64)


def _kind(path: Path, file: Any, wanted: str | None) -> tuple[str, bool]:
    """The type of objects to read, and whether it has tracks."""
    kinds = [*file["objects"]] if "objects" in file else []
    if not kinds:
        what = ", ".join(file) or "nothing"
        raise InvalidInput(
            f"{path} is not a btrack file with objects and tracks (it holds {what}); of ilastik, "
            "export the tracking result as a CSV table."
        )
    if wanted is not None:
        kinds = [kind for kind in kinds if kind == wanted]
    followed = [kind for kind in kinds if f"tracks/{kind}" in file]
    if len(followed or kinds) != 1:
        raise InvalidInput(
            f"{path} holds several types of objects ({', '.join(followed or kinds)}); export one "
            "of them from btrack."
        )
    return (followed or kinds)[0], bool(followed)


def _properties(path: Path, objects: Any, n: int) -> dict[str, npt.NDArray[Any]]:
    """Properties of each object; those of several numbers as one column for each."""
    found: dict[str, npt.NDArray[Any]] = {}
    for name in objects.get("properties", {}):
        array = _values(path, objects.file, f"{objects.name}/properties/{name}")
        if len(array) != n:
            continue
        flat = array.reshape(n, -1)
        if flat.shape[1] == 1:
            found[name] = flat[:, 0]
        else:
            found |= {f"{name}-{k}": flat[:, k] for k in range(flat.shape[1])}
    return found


def _followed(
    path: Path,
    references: npt.NDArray[np.int64],
    spans: npt.NDArray[np.int64],
    lineage: npt.NDArray[Any],
    n: int,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Object, track and parent (0 for none) of every cell of all tracks."""
    if spans.shape[1] < 2 or lineage.shape[1] < 4:
        raise InvalidInput(
            f"{path} is damaged: its tracks have {spans.shape[1]} bounds and {lineage.shape[1]} "
            "values of lineage, not 2 and 6; export the tracks from btrack again."
        )
    lengths = spans[:, 1] - spans[:, 0]
    if (
        len(lineage) != len(spans)
        or (lengths < 0).any()
        or (spans.min(initial=0) < 0 or spans.max(initial=0) > len(references))
        or references.max(initial=-1) >= n
    ):
        raise InvalidInput(
            f"{path} is damaged: its tracks refer to objects that it does not hold; export the "
            "tracks from btrack again."
        )
    # LBEPR: label, begin, end, parent, root; a root is its own parent
    own, parent = lineage[:, 0].astype(np.int64), lineage[:, 3].astype(np.int64)
    parent = np.where(parent == own, 0, parent)
    ids, parents = np.repeat(own, lengths), np.repeat(parent, lengths)
    none = np.zeros(0, np.int64)
    rows = np.concatenate([none, *(references[start:end] for start, end in spans)])
    real = rows >= 0
    return rows[real], ids[real], parents[real]


def _kept_objects(path: Path, file: Any, object_type: str, n: int) -> npt.NDArray[np.intp]:
    """Positions of the objects that were tracked: references count these alone."""
    rule = file[f"tracks/{object_type}"].attrs.get("f_expr")
    if rule is None:
        return np.arange(n)
    parts = re.fullmatch(r"(\w+)(>=|<=|==|>|<)([0-9]+)", str(rule))
    objects = file[f"objects/{object_type}"]
    values = None
    if parts is not None:
        values = objects.get(f"properties/{parts[1]}", objects.get(parts[1]))
    if parts is None or values is None:
        raise InvalidInput(
            f"{path} holds tracks of objects chosen by '{rule}', which cannot be followed; export "
            "the tracks from btrack without a filter."
        )
    compare = {
        ">": np.greater, "<": np.less, "==": np.equal,
        ">=": np.greater_equal, "<=": np.less_equal,
    }[parts[2]]  # fmt: skip
    return np.flatnonzero(compare(np.asarray(values[:]).reshape(n, -1)[:, 0], int(parts[3])))
