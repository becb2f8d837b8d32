"""Cells of a GEFF store, and of TrackMate's XML through geff's own converter."""

from __future__ import annotations

import re
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc.cells import CellTable
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.columns import Asked, Movie, cells_of_frame
from napari_interpdisc.io.dialects import COMMON, FRAME_NAMES, MICROMETRES, Column, unit_of
from napari_interpdisc.io.xml_guard import check_xml
from napari_interpdisc.io.zarr_guard import check_store
from napari_interpdisc.processes import scratch_folder

if TYPE_CHECKING:
    import pandas as pd

TRACK_NAMES = ("track_id", "tracklet", "tracklet_id", "track")
"""Properties that number tracks, where the store does not say which one does."""


def read_geff(path: Path, asked: Asked | None = None, movie: Movie | None = None) -> CellTable:
    """Read the nodes of a GEFF store; their other properties become columns.

    Display hints say which property is x, y, z and t; else the axes do, by their names, or the
    last two space axes in their order. A count of frames comes before a time. The track is the
    property that the store calls its tracklet, or one of a known name, that every node has;
    without one, each unbranched stretch of the graph is a track. Edges between tracks are parents.

    Raises
    ------
    InvalidInput
        If this is no GEFF store, or time or position is missing or cannot be converted.
    """
    from geff.core_io import read_to_memory

    check_store(path, texts=True)
    try:
        store = read_to_memory(str(path))
    except Exception as fault:
        text = str(fault).splitlines()[0] if str(fault) else type(fault).__name__
        raise InvalidInput(f"{path} is not a GEFF store that can be read ({text}).") from None
    return _cells(store, path.name, asked or Asked(), movie)


def read_trackmate_xml(
    path: Path, asked: Asked | None = None, movie: Movie | None = None
) -> CellTable:
    """Read the spots of a TrackMate XML file that its filters kept.

    Raises
    ------
    InvalidInput
        If this is no TrackMate file with spots, or the installed geff cannot convert it.
    """
    from geff.core_io import read_to_memory

    try:
        from geff.convert import from_trackmate_xml_to_geff
    except ImportError:
        raise InvalidInput(
            f"{path} needs a newer geff to be read; export the spots of TrackMate as CSV."
        ) from None
    check_xml(path)
    with tempfile.TemporaryDirectory(dir=scratch_folder()) as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what a file leaves out
        store_path = Path(folder) / "tracks.geff"
        try:
            # its option to leave out filtered spots leaves out all that are in no track
            from_trackmate_xml_to_geff(path, store_path)
            store = read_to_memory(str(store_path))
        except Exception as fault:
            text = str(fault).splitlines()[0] if str(fault) else type(fault).__name__
            raise InvalidInput(
                f"{path} cannot be read as TrackMate XML ({text}); export the spots as CSV."
            ) from None
    return _visible(_cells(store, path.name, asked or Asked(), movie))


def _visible(cells: CellTable) -> CellTable:
    """Leave out the spots that TrackMate's filters hid, and say so."""
    shown = np.asarray(cells.extra.get("VISIBILITY", np.ones(len(cells)))) != 0
    if shown.all() or not shown.any():
        return cells
    told = (
        f"{(~shown).sum()} of {len(cells)} spots in '{cells.source}' are hidden by a filter of "
        "TrackMate and left out."
    )
    taken = replace(cells.taken, notes=(*cells.taken.notes, told))
    return replace(cells.take(shown), taken=taken)


def _cells(store: Any, source: str, asked: Asked, movie: Movie | None) -> CellTable:
    import pandas as pd

    table = pd.DataFrame(
        {name: _values(prop) for name, prop in store["node_props"].items() if _is_flat(prop)}
    )
    metadata = store["metadata"]
    nodes, edges = np.asarray(store["node_ids"]), np.asarray(store["edge_ids"]).reshape(-1, 2)
    if not len(nodes):
        raise InvalidInput(f"'{source}' holds no cells; give at least one centroid.")
    columns = {**_axes(metadata, table, source), **asked.columns}
    units = _units(metadata)
    track = _track(metadata, table, columns)
    # cells that nothing links are not tracks of one cell each: they are not tracked
    segments = "track_id" not in asked.columns and track is None and len(edges) > 0
    if segments:
        track = _free("track", table)
        table[track] = _segments(nodes, edges)
    if track is not None:
        columns.setdefault("track_id", track)
    chosen = _calibrated(replace(asked, columns=columns), metadata, movie)
    told = ["tracks are the unbranched stretches of the graph"] if segments else []
    cells = cells_of_frame(table, source, chosen, movie, units, told)
    return _with_graph(cells, nodes, edges)


def _is_flat(prop: Mapping[str, Any]) -> bool:
    return np.asarray(prop["values"]).ndim == 1


def _values(prop: Mapping[str, Any]) -> npt.NDArray[Any]:
    """Values of a property; a value that a node lacks is stored as 0, and told by a mask."""
    values = np.asarray(prop["values"])
    missing = prop["missing"]
    if missing is None or not np.any(missing):
        return values
    # as objects, whole numbers stay exact
    filled = values.astype(object)
    filled[np.asarray(missing, bool)] = None
    return filled


def _axes(metadata: Any, table: pd.DataFrame, source: str) -> dict[str, str]:
    """Properties by role."""
    found: dict[str, str] = {}
    hints = getattr(metadata, "display_hints", None)
    for role, hint in (("x", "horizontal"), ("y", "vertical"), ("z", "depth"), ("t", "time")):
        name = getattr(hints, f"display_{hint}", None)
        if name in table:
            found[role] = str(name)
    axes = getattr(metadata, "axes", None) or []
    known = [(axis.name, axis.type) for axis in axes if axis.name in table]
    space = [name for name, kind in known if kind == "space"]
    names = [*space, *(str(name) for name in table if name not in space)]
    for role in ("y", "x", "z"):
        by_name = [n for key in COMMON[role] for n in names if Column.of(n).key == key]
        if role not in found and by_name:
            found[role] = by_name[0]
    if not {"y", "x"} <= found.keys() and len(space) in (2, 3):
        found |= {"y": space[-2], "x": space[-1]}
        if len(space) == 3:
            found["z"] = space[0]
    time = [name for name, kind in known if kind == "time"]
    frames = [str(n) for n in table if Column.of(n).key in FRAME_NAMES and n not in time]
    by_name = [str(n) for key in COMMON["t"] for n in table if Column.of(n).key == key]
    if frames and ("t" not in found or Column.of(found["t"]).key not in ("t", "frame")):
        found["t"] = frames[0]
    elif "t" not in found and (time or by_name):
        found["t"] = [*time, *by_name][0]
    has = ", ".join(map(str, table)) or "none"
    if not {"y", "x"} <= found.keys():
        raise InvalidInput(
            f"'{source}' has node properties {has}; y and x are needed: name them with --columns."
        )
    if "t" not in found:
        raise InvalidInput(f"'{source}' has no time axis (node properties: {has}).")
    return found


def _units(metadata: Any) -> dict[str, str]:
    """Units by property: those of the axes, which decide, and of the properties."""
    props = getattr(metadata, "node_props_metadata", None) or {}
    found = {name: getattr(prop, "unit", None) for name, prop in props.items()}
    for axis in getattr(metadata, "axes", None) or []:
        found[axis.name] = axis.unit or found.get(axis.name)
    return {name: unit_of(unit) for name, unit in found.items() if unit}


def _track(metadata: Any, table: pd.DataFrame, columns: Mapping[str, str]) -> str | None:
    """The property that numbers tracks, which every node has; None for none."""
    said = getattr(metadata, "track_node_props", None) or {}
    names = [said[kind] for kind in ("tracklet",) if kind in said]
    for name in (*names, *TRACK_NAMES):
        if name in table and table[name].notna().all():
            return str(name)
    lineage = said.get("lineage")
    if lineage in table and "t" in columns and table[lineage].notna().any():
        # a lineage that never has two cells at a time is a track
        here = table[table[lineage].notna()]
        if not here.duplicated([lineage, columns["t"]]).any():
            return str(lineage)
    return None


def _free(name: str, table: pd.DataFrame) -> str:
    while name in table:
        name += "_"
    return name


def _calibrated(asked: Asked, metadata: Any, movie: Movie | None) -> Asked:
    """Take TrackMate's pixel size and frame interval, if neither user nor image give them."""
    extra = getattr(metadata, "extra", None) or {}
    settings = str(extra.get("other_trackmate_metadata", {}).get("settings", ""))
    unit = next((unit_of(a.unit or "") for a in metadata.axes or [] if a.type == "space"), "")

    def number(name: str) -> float | None:
        found = re.search(rf'\b{name}="([0-9.eE+-]+)"', settings)
        return float(found[1]) if found is not None and float(found[1]) > 0 else None

    size = number("pixelwidth")
    known = asked.pixel_size is not None or (movie is not None and movie.pixel_size is not None)
    if known or size is None or unit not in MICROMETRES:
        return asked
    return replace(asked, pixel_size=size * MICROMETRES[unit])


def _segments(nodes: npt.NDArray[Any], edges: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Number a directed graph's unbranched stretches; a division ends one and starts two."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    at = _positions(nodes, edges)
    n_out = np.bincount(at[:, 0], minlength=len(nodes))
    n_in = np.bincount(at[:, 1], minlength=len(nodes))
    linear = at[(n_out[at[:, 0]] == 1) & (n_in[at[:, 1]] == 1)]
    graph = coo_array(
        (np.ones(len(linear)), (linear[:, 0], linear[:, 1])), shape=(len(nodes), len(nodes))
    )
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64) + 1


def _positions(nodes: npt.NDArray[Any], edges: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """Where the nodes of the edges (E, 2) stand among the nodes."""
    order = np.argsort(nodes)
    return np.asarray(order[np.searchsorted(nodes, edges, sorter=order)], dtype=np.intp)


def _with_graph(cells: CellTable, nodes: npt.NDArray[Any], edges: npt.NDArray[Any]) -> CellTable:
    """Add the tracks that edges lead from one to another."""
    at = _positions(nodes, edges)
    track = dict(zip(cells.row.tolist(), cells.track_id.tolist(), strict=True))
    graph: dict[int, tuple[int, ...]] = {}
    for parent, child in at.tolist():
        if parent not in track or child not in track or track[parent] == track[child]:
            continue
        before = graph.get(track[child], ())
        if track[parent] not in before:
            graph[track[child]] = (*before, track[parent])
    if not graph:
        return cells
    none = -1 if 0 in track.values() else 0
    parents = np.array([graph.get(i, (none,))[0] for i in cells.track_id.tolist()], np.int64)
    return replace(cells, graph=graph, extra={**cells.extra, "parent_id": parents})
