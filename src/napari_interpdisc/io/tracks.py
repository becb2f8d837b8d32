"""Cells and tracks from files: CSV, Parquet, btrack HDF5, GEFF."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc.cells import CellTable
from napari_interpdisc.errors import InvalidInput

GEFF_TIME = ("t", "time", "frame")
GEFF_TRACK = ("track_id", "tracklet", "tracklet_id", "track")


def read_cells(path: str | Path, swap_xy: bool = False) -> CellTable:
    """Read the cells of a movie; positions are in pixels.

    Parameters
    ----------
    path
        The file or store.
    swap_xy
        Exchange x and y, for files that mean the rows of the image by x.

    Notes
    -----
    ``.csv`` and ``.parquet`` by their columns (:meth:`CellTable.from_frame`); ``.h5`` and ``.hdf5``
    as written by btrack; a folder as a GEFF store.

    Raises
    ------
    InvalidInput
        If the file is missing, of another kind, or has no usable cells.
    """
    cells = _read_any(Path(path))
    return replace(cells, yx=cells.yx[:, ::-1].copy()) if swap_xy else cells


def _read_any(source: Path) -> CellTable:
    if not source.exists():
        raise InvalidInput(f"There is no file {source}; check the path.")
    suffix = source.suffix.lower()
    if source.is_dir():
        return read_geff(source)
    if suffix in (".h5", ".hdf5"):
        return read_btrack(source)
    if suffix in (".csv", ".parquet"):
        return _read_table(source, suffix)
    raise InvalidInput(
        f"{source} is not a kind of track file that can be read: give .csv, .parquet, btrack's "
        ".h5, or a GEFF store."
    )


def _read_table(path: Path, suffix: str) -> CellTable:
    import pandas as pd

    try:
        table = pd.read_csv(path) if suffix == ".csv" else pd.read_parquet(path)
    except pd.errors.EmptyDataError:
        raise InvalidInput(
            f"{path} is empty; give a table with columns t, y, x, track_id."
        ) from None
    except Exception as fault:
        text = str(fault).splitlines()[0] if str(fault) else type(fault).__name__
        raise InvalidInput(f"{path} cannot be read as a table ({text}).") from None
    return CellTable.from_frame(table, source=path.name)


def read_btrack(path: Path, object_type: str = "obj_type_1") -> CellTable:
    """Read the tracked objects of a btrack HDF5 file, without importing btrack.

    Coordinates are stored as (t, x, y, z), x along the columns of the image. (Files from the early
    days of btrack have x along the rows: exchange them with ``swap_xy`` of :func:`read_cells`.)

    A track is a list of references: n ≥ 0 to the n-th object, n < 0 to a dummy that btrack
    invented to bridge a gap. Dummies are left out: there may be no cell. Objects' labels (cell
    states) are carried as ``extra["state"]``.

    Raises
    ------
    InvalidInput
        If this is no btrack file, or it holds no tracks.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            coords = file[f"objects/{object_type}/coords"][:]
            references = file[f"tracks/{object_type}/tracks"][:].astype(np.int64).ravel()
            spans = file[f"tracks/{object_type}/map"][:].astype(np.int64)
            lineage = file[f"tracks/{object_type}/LBEPR"][:]
            labels = file.get(f"objects/{object_type}/labels")
            states = labels[:] if labels is not None else None
            kept = _kept_objects(path, file, object_type, len(coords))
    except (OSError, KeyError) as fault:
        text = str(fault).splitlines()[0]
        raise InvalidInput(
            f"{path} is not a btrack file with objects and tracks ({text})."
        ) from None
    coords = coords[kept]
    states = states[kept] if states is not None else None
    lengths = spans[:, 1] - spans[:, 0]
    if (
        len(lineage) != len(spans)
        or (lengths < 0).any()
        or (spans.min(initial=0) < 0 or spans.max(initial=0) > len(references))
        or references.max(initial=-1) >= len(coords)
    ):
        raise InvalidInput(
            f"{path} is damaged: its tracks refer to objects that it does not hold; export the "
            "tracks from btrack again."
        )
    ids = np.repeat(lineage[:, 0], lengths)
    none = np.zeros(0, np.int64)
    rows = np.concatenate([none, *(references[start:end] for start, end in spans)])
    real = rows >= 0
    rows, ids = rows[real], ids[real]
    extra = {} if states is None else {"state": states[rows, 0].astype(np.int64)}
    # columns: t, x, y, z, label
    return CellTable.from_arrays(
        coords[rows, 0], coords[rows][:, [2, 1]], ids, source=path.name, extra=extra
    )


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


def read_geff(path: Path) -> CellTable:
    """Read the nodes of a GEFF store.

    Time is the property that the store's axes name, else ``t``. Position is ``y`` and ``x``, else
    the two space axes in their order; it is taken for pixels. The track id is a property of the
    name ``track_id`` or ``tracklet`` that every node has; without one, each unbranched stretch of
    the graph is a track.

    Raises
    ------
    InvalidInput
        If this is no GEFF store, time or position is missing, or cells differ in depth.
    """
    from geff.core_io import read_to_memory

    try:
        store = read_to_memory(str(path))
    except Exception as fault:
        text = str(fault).splitlines()[0] if str(fault) else type(fault).__name__
        raise InvalidInput(f"{path} is not a GEFF store that can be read ({text}).") from None
    properties: dict[str, npt.NDArray[Any]] = {
        name: np.asarray(prop["values"]) for name, prop in store["node_props"].items()
    }
    # A value that a node lacks is stored as 0, and told by a mask: it must not pass for a track.
    complete = {
        name
        for name, prop in store["node_props"].items()
        if prop["missing"] is None or not np.any(prop["missing"])
    }
    axes = getattr(store["metadata"], "axes", None) or []
    space = [a.name for a in axes if a.type == "space" and a.name in properties]
    if len(space) == 2 and not {"y", "x"} <= properties.keys():
        properties["y"], properties["x"] = (properties[name] for name in space)
    elif len(space) == 3 and np.ptp(properties[space[0]]) > 0:
        raise InvalidInput(
            f"{path} holds cells at different depths ({space[0]}); give tracks of a 2D movie."
        )
    times = [a.name for a in axes if a.type == "time"] + list(GEFF_TIME)
    t = next((properties[n] for n in times if n in properties), None)
    if "y" not in properties or "x" not in properties:
        raise InvalidInput(
            f"{path} has node properties {', '.join(properties) or 'none'}; y and x are needed."
        )
    if t is None:
        raise InvalidInput(f"{path} has no time axis; nodes need a property t.")
    given = next((properties[n] for n in GEFF_TRACK if n in complete), None)
    nodes = np.asarray(store["node_ids"])
    track_id = given if given is not None else _segments(nodes, np.asarray(store["edge_ids"]))
    yx = np.column_stack([properties["y"], properties["x"]])
    return CellTable.from_arrays(t, yx, track_id, source=path.name)


def _segments(nodes: npt.NDArray[Any], edges: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Number a directed graph's unbranched stretches; a division ends one and starts two."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    order = np.argsort(nodes)
    at = order[np.searchsorted(nodes, edges.reshape(-1, 2), sorter=order)]
    n_out = np.bincount(at[:, 0], minlength=len(nodes))
    n_in = np.bincount(at[:, 1], minlength=len(nodes))
    linear = at[(n_out[at[:, 0]] == 1) & (n_in[at[:, 1]] == 1)]
    graph = coo_array(
        (np.ones(len(linear)), (linear[:, 0], linear[:, 1])), shape=(len(nodes), len(nodes))
    )
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64) + 1
