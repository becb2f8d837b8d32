"""GEFF stores: tables of cells as nodes, tracks and divisions as edges; results put into a copy."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.results import new_folder
from napari_interpdisc.io.zarr_guard import check_store

if TYPE_CHECKING:
    import pandas as pd

SLASH = "%2F"
"""What a slash in the name of a property is stored as."""

EXTRA = "interpdisc"
"""Key of what this package says in the ``extra`` of a store's metadata."""

LATENTS = "latents"
"""Node property (N, L) of the latents: one array in place of L."""


def track_edges(
    track_id: npt.ArrayLike, t: npt.ArrayLike, graph: Mapping[int, Sequence[int]] | None = None
) -> npt.NDArray[np.int64]:
    """Edges (E, 2) of rows: each cell to the next of its track, and parents to their children.

    Parameters
    ----------
    track_id, t
        (N,) track and time of each row.
    graph
        Parents of each track that has some, as napari keeps them. An edge goes from the last cell
        of the parent to the first of the child; tracks that are not there are left out.
    """
    ids, times = np.asarray(track_id), np.asarray(t)
    order = np.lexsort((times, ids))
    same = ids[order][1:] == ids[order][:-1]
    edges = [np.column_stack([order[:-1], order[1:]])[same]]
    first = {int(ids[row]): row for row in order[::-1]}
    last = {int(ids[row]): row for row in order}
    split = [
        (last[int(parent)], first[int(child)])
        for child, parents in (graph or {}).items()
        for parent in parents
        if int(parent) in last and int(child) in first
    ]
    return np.concatenate([*edges, np.array(split, dtype=np.int64).reshape(-1, 2)])


def write_geff(
    path: str | Path,
    table: pd.DataFrame,
    axes: Sequence[str],
    edges: npt.ArrayLike,
    about: Mapping[str, Any],
    beside: Callable[[Path], None] | None = None,
) -> Path:
    """Write a new store whose node i is row i of a table, whole or not at all.

    Parameters
    ----------
    path
        The store; nothing may be there.
    table
        Node properties. Latents ``z_0`` … become one property.
    axes
        Columns that are coordinates: ``t`` counts frames, the others are space.
    edges
        (E, 2) rows.
    about
        What is kept as ``interpdisc`` in the ``extra`` of the metadata.
    beside
        Called with the folder of the finished store, to write files of its own into it.

    Raises
    ------
    InvalidInput
        If something is there, or the store cannot be written.
    """
    from geff.core_io import write_arrays
    from geff_spec import Axis, GeffMetadata

    metadata = GeffMetadata(
        directed=True,
        axes=[
            Axis(name=name, type="time", unit="frame") if name == "t" else
            Axis(name=name, type="space")
            for name in axes
        ],
        node_props_metadata={},
        edge_props_metadata={},
        track_node_props={"tracklet": "track_id"} if "track_id" in table else None,
        extra={EXTRA: _plain(about)},
    )  # fmt: skip
    with new_folder(path) as partial:
        partial.rmdir()  # geff takes a folder that is there for a store
        write_arrays(
            str(partial),
            np.arange(len(table), dtype=np.uint64),
            node_properties(table),
            np.asarray(edges, dtype=np.uint64).reshape(-1, 2),
            {},
            metadata,
        )
        if beside is not None:
            beside(partial)
    return Path(path)


def add_node_properties(
    source: str | Path,
    path: str | Path,
    table: pd.DataFrame,
    rows: npt.ArrayLike,
    about: Mapping[str, Any],
) -> dict[str, str]:
    """Copy a store and give its nodes the columns of a table; the source is left as it is.

    Parameters
    ----------
    source, path
        The store, and where the copy goes: nothing may be there.
    table
        The new properties. A node without a row in it has none.
    rows
        (N,) position of the node that each row of the table belongs to.
    about
        What is kept as ``interpdisc`` in the ``extra`` of the metadata.

    Returns
    -------
    renamed
        Names of columns that the store has a property of already, and under which name they were
        stored instead. Properties that this package stored before are replaced.

    Raises
    ------
    InvalidInput
        If something is at ``path``, or the store cannot be read or written.
    """
    import zarr
    from geff_spec.utils import create_props_metadata

    check_store(Path(source), texts=True)
    renamed: dict[str, str] = {}
    with new_folder(path) as partial:
        shutil.copytree(source, partial, dirs_exist_ok=True)
        store: Any = zarr.open_group(str(partial), mode="r+")
        metadata: dict[str, Any] = dict(store.attrs["geff"])
        told = dict(metadata.get("node_props_metadata") or {})
        extra = dict(metadata.get("extra") or {})
        before = extra.get(EXTRA)
        ours = set(before.get("properties", ())) if isinstance(before, dict) else set()
        n = int(store["nodes/ids"].shape[0])
        properties = store.require_group("nodes/props")
        theirs = set(properties.keys()) - ours
        stored = []
        for name, kept in node_properties(table).items():
            new = name
            if name in theirs:
                new = renamed[name] = f"interpdisc_{name}"
            if new in properties:
                del properties[new]
            spread = _spread(kept, np.asarray(rows), n)
            _write_property(properties.create_group(new), spread)
            told[new] = create_props_metadata(new, spread).model_dump(mode="json")
            stored.append(new)
        extra[EXTRA] = {**_plain(about), "properties": stored}
        store.attrs["geff"] = {**metadata, "node_props_metadata": told, "extra": extra}
    return renamed


def node_properties(table: pd.DataFrame) -> dict[str, Any]:
    """Columns of a table as GEFF's properties: values, and which nodes have none."""
    latents = [name for name in table if str(name).startswith("z_") and str(name)[2:].isdecimal()]
    found: dict[str, Any] = {}
    for name in table:
        if name in latents:
            continue
        values, gone = _numbers_or_texts(table[name])
        found[_key(name)] = {"values": values, "missing": gone if gone.any() else None}
    if latents:
        found[LATENTS] = {"values": table[latents].to_numpy(np.float32), "missing": None}
    return found


def read_node_table(path: str | Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Node properties as a table, latents as ``z_0`` …, and what ``write_geff`` was told of it.

    Raises
    ------
    InvalidInput
        If this is no GEFF store.
    """
    import pandas as pd
    from geff.core_io import read_to_memory

    check_store(Path(path), texts=True)
    try:
        store = read_to_memory(str(path))
    except Exception as fault:
        text = str(fault).splitlines()[0] if str(fault) else type(fault).__name__
        raise InvalidInput(f"{path} is not a GEFF store that can be read ({text}).") from None
    columns: dict[str, Any] = {}
    for stored, prop in store["node_props"].items():
        name = stored.replace(SLASH, "/")
        values = np.asarray(prop["values"])
        if name == LATENTS and values.ndim == 2:
            columns |= {f"z_{i}": values[:, i] for i in range(values.shape[1])}
        elif values.ndim == 1:
            column = pd.Series(values)
            gone = prop["missing"]
            columns[name] = column if gone is None else column.mask(np.asarray(gone))
    about = (store["metadata"].extra or {}).get(EXTRA)
    return pd.DataFrame(columns), about if isinstance(about, dict) else {}


def _numbers_or_texts(column: pd.Series[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    """Values (N,) that Zarr can store, and whether each is missing; NaN is a number."""
    kind, missing = column.dtype.kind, column.isna().to_numpy()
    if isinstance(column.dtype, np.dtype) and kind in "buif":
        return column.to_numpy(), np.zeros(len(column), bool)
    if kind in "buif":  # pandas' own numbers, which may be missing
        return column.to_numpy(column.dtype.type, na_value=0), missing
    texts = [("" if gone else str(value)) for value, gone in zip(column, missing, strict=True)]
    values = np.array(texts, dtype=str)
    # no text at all is no type for Zarr
    return (values if values.dtype.itemsize else values.astype("<U1")), missing


def _write_property(group: Any, kept: Mapping[str, Any]) -> None:
    """Arrays of one property, in the Zarr format of the store that they go into."""
    with warnings.catch_warnings():
        # Zarr 3 has no final specification of texts; GEFF's own writer stores them the same way.
        warnings.filterwarnings("ignore", message=".*Zarr V3 specification")
        for name in ("values", "missing"):
            if kept[name] is not None:
                group.create_array(name, data=kept[name])


def _spread(kept: Mapping[str, Any], rows: npt.NDArray[np.int64], n: int) -> dict[str, Any]:
    """Property of n nodes from that of some of them."""
    empty: Any = np.nan if kept["values"].dtype.kind == "f" else kept["values"].dtype.type()
    values = np.full((n, *kept["values"].shape[1:]), empty, kept["values"].dtype)
    values[rows] = kept["values"]
    missing = np.ones(n, bool)
    missing[rows] = kept["missing"] if kept["missing"] is not None else False
    return {"values": values, "missing": missing if missing.any() else None}


def _key(name: Any) -> str:
    """Name of a property: a slash would part it into folders."""
    return str(name).replace("/", SLASH)


def _plain(about: Mapping[str, Any]) -> dict[str, Any]:
    """``about`` as JSON has it."""
    return dict(json.loads(json.dumps(about, default=str)))
