"""Tracks from links between cells, and divisions that stand in a table of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.dialects import Column
from napari_interpdisc.io.tables import read_parquet, read_table
from napari_interpdisc.io.track_ids import id_text

NO_ROW = -1
"""In place of the row of a parent: there is none."""

PARENT_NAMES = ("parenttrackid", "parentid", "parent", "motherid", "mothertrackid", "mother")
CHILD_NAMES = ("childtrackid", "childid", "child", "daughterid", "daughtertrackid", "daughter")


def rows_of_parents(
    cells: Sequence[str], parents: Sequence[str], none: Sequence[str] = ("", "0", "-1")
) -> npt.NDArray[np.intp] | None:
    """Row (N,) of each cell's parent, :data:`NO_ROW` where it has none.

    None if the cells' names are no names of cells (one comes twice), a parent is not among them, or
    no cell has a parent.

    Parameters
    ----------
    cells, parents
        (N,) name of each cell and of its parent.
    none
        What stands for no parent, unless a cell has that name.
    """
    row = {name: k for k, name in enumerate(cells)}
    if len(row) < len(cells) or "" in row:
        return None
    if not all(name in row or name in none or name.startswith("-") for name in parents):
        return None
    found = np.array([row.get(name, NO_ROW) for name in parents], np.intp)
    if "0" in row and "0" in none and not {"", "-1"} & set(parents):
        # nothing else says "no parent", so 0 does
        found[[name == "0" for name in parents]] = NO_ROW
    return found if (found != NO_ROW).any() else None


def follow_links(
    parent: npt.NDArray[np.intp], t: npt.NDArray[np.int64], names: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Tracks from links: a cell with one child goes on, one with two begins new tracks.

    Parameters
    ----------
    parent
        (N,) row of each cell's parent, or :data:`NO_ROW`.
    t
        (N,) frame of each cell.
    names
        (N,) number, above 0, that a track which begins here has if it is free.

    Returns
    -------
    Track (N,) of each cell, and the track (N,) that it descends from, 0 for none.

    Raises
    ------
    InvalidInput
        If a link does not go forward in time.
    """
    has = np.flatnonzero(parent != NO_ROW)
    back = has[t[parent[has]] >= t[has]]
    if len(back):
        raise InvalidInput(
            f"{len(back)} links between cells do not go forward in time (first: to the cell of row "
            f"{back[0]}, at t = {t[back[0]]}); correct the column of parents, or leave it out with "
            "--columns parent=none."
        )
    children = np.bincount(parent[has], minlength=len(parent))
    ids, before = np.zeros(len(parent), np.int64), np.zeros(len(parent), np.int64)
    used: set[int] = set()
    free = int(names.max(initial=0))
    for row in np.argsort(t, kind="stable"):
        from_row = parent[row]
        if from_row != NO_ROW and children[from_row] == 1:
            ids[row], before[row] = ids[from_row], before[from_row]
            continue
        number = int(names[row])
        if number in used or number < 1:
            free += 1
            number = free
        used.add(number)
        ids[row] = number
        before[row] = 0 if from_row == NO_ROW else ids[from_row]
    return ids, before


def read_splits(path: Path) -> dict[str, str]:
    """Return the parent of each track that descends from another, from a table of divisions.

    laptrack calls its columns parent_track_id and child_track_id.

    Raises
    ------
    InvalidInput
        If it cannot be read or has no such columns.
    """
    read = read_parquet(path) if path.suffix.lower() == ".parquet" else read_table(path)
    found: dict[str, Any] = {}
    for name in read.frame:
        key = Column.of(name).key
        for role, names in (("parent", PARENT_NAMES), ("child", CHILD_NAMES)):
            if key in names:
                found.setdefault(role, read.frame[name])
    if len(found) < 2:
        raise InvalidInput(
            f"{path} is no table of divisions (it has {', '.join(map(str, read.frame))}); it needs "
            "the columns parent_track_id and child_track_id."
        )
    pairs = zip(map(id_text, found["child"]), map(id_text, found["parent"]), strict=True)
    return {child: parent for child, parent in pairs if child and parent}


def parents_from_splits(tracks: Sequence[str], splits: Mapping[str, str], source: str) -> list[str]:
    """Parent (N,) of each cell's track, as text; empty for none.

    Raises
    ------
    InvalidInput
        If no division is between two of the tracks.
    """
    known = set(tracks)
    kept = {child: parent for child, parent in splits.items() if {child, parent} <= known}
    if splits and not kept:
        child, parent = next(iter(splits.items()))
        raise InvalidInput(
            f"No division in --splits is between tracks of '{source}' (first: track {parent} to "
            f"{child}); give the table that belongs to it."
        )
    return [kept.get(track, "") for track in tracks]
