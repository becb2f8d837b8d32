"""Tracks and their parents from the columns of a table."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import BoolArray, Float64Array
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.column_roles import TableReading
from napari_interpdisc.io.dialects import (
    MAYBE_TRACK_NAMES,
    Column,
)
from napari_interpdisc.io.track_ids import (
    Numbered,
    are_rounded,
    id_text,
    number_tracks,
)
from napari_interpdisc.io.track_links import (
    NO_ROW,
    follow_links,
    parents_from_splits,
    rows_of_parents,
)

if TYPE_CHECKING:
    import pandas as pd

NAMES_OF_CELLS = (*MAYBE_TRACK_NAMES, "nodeid", "spotid", "objectid", "detectionid")
"""Columns that may name each cell, to which a column of parents may refer."""


def tracks_of(
    reading: TableReading, rows: npt.NDArray[np.intp], t: npt.NDArray[np.int64], yx: Float64Array
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64] | None]:
    """Track of each row, and the parent of that track if the table tells."""
    column = _track_column(reading, rows, t, yx)
    links = _links(reading, rows, t)
    if column is None and links is not None and "track_id" not in reading.asked.columns:
        return _tracks_of_links(reading, links, t)
    if column is None:
        reading.roles.pop("track_id", None)
        reading.roles.pop("parent", None)
        reading.taken.append("no tracks")
        return rows.astype(np.int64), None
    reading.used.add(column.name)
    raw = reading.table[reading.by_name[column.name]].iloc[rows]
    none = _no_track(reading, raw, t)
    numbered = number_tracks(raw, none)
    ids = numbered.ids
    if are_rounded(raw) and said_twice(ids, t, True):
        raise InvalidInput(
            f"Column '{column.name}' of '{reading.source}' lost digits of its numbers (first "
            f"{raw.iloc[0]}), so that tracks cannot be told apart; export the table with that "
            "column as text, or leave it out with --columns track_id=none."
        )
    if numbered.text:
        reading.keep(column)
        reading.notes.append(
            f"Tracks of '{reading.source}' have names that are no numbers; they are numbered, and "
            f"'{column.name}' keeps the names."
        )
    if n := int(numbered.missing.sum()):
        reading.keep(column)
        reading.notes.append(
            f"{n} of {len(rows)} cells in '{reading.source}' have no track; each has an id of its "
            "own."
        )
    n_tracks = len(np.unique(ids)) - n
    reading.taken.append(f"{n_tracks} track{'s' * (n_tracks != 1)} from '{column.name}'")
    if links is not None and _branches(links.parent, ids, t):
        return _divided(reading, column, links, ids, t)
    return ids, _parents(reading, rows, numbered)


@dataclass(frozen=True)
class _Links:
    """Row (N,) of each cell's parent, and the columns of parents and of the cells they name."""

    parent: npt.NDArray[np.intp]
    column: Column
    cells: Column


def _links(
    reading: TableReading, rows: npt.NDArray[np.intp], t: npt.NDArray[np.int64]
) -> _Links | None:
    """Links between cells, if the table has them and has both ends of each."""
    if t.max() == 0:
        return None

    def named(pattern: str) -> Column | None:
        found = (c for c in reading.columns if fnmatchcase(c.key, pattern))
        return next((c for c in found if ("parent" in c.key) == ("parent" in pattern)), None)

    def texts(*columns: Column) -> list[str]:
        of_each = (_ids(reading.table[reading.by_name[c.name]].iloc[rows]) for c in columns)
        return [" ".join(parts) for parts in zip(*of_each, strict=True)]

    found = [named(pattern) for pattern in reading.dialect.links]
    if found and None not in found:
        image, cell, parent_image, parent = (column for column in found if column is not None)
        none = ("0 0", " ", "-1 -1")
        at = rows_of_parents(texts(image, cell), texts(parent_image, parent), none)
        if at is None and any(name not in none for name in texts(parent_image, parent)):
            reading.notes.append(
                f"'{parent.name}' of '{reading.source}' names cells that are not in the table: it "
                "is not used."
            )
        return None if at is None else _Links(at, parent, cell)
    parent_column = next(iter(reading.roles.get("parent", [])), None)
    if parent_column is None:
        return None
    for column in reading.columns:
        if column.key not in NAMES_OF_CELLS or column.name == parent_column.name:
            continue
        at = rows_of_parents(texts(column), texts(parent_column))
        # where parents are tracks, many cells have the same one
        if at is not None and 2 * len(np.unique(at[at != NO_ROW])) >= (at != NO_ROW).sum():
            return _Links(at, parent_column, column)
    return None


def _branches(
    parent: npt.NDArray[np.intp], ids: npt.NDArray[np.int64], t: npt.NDArray[np.int64]
) -> bool:
    """Whether a cell has two children of its own track: then a track is a whole family."""
    same = np.flatnonzero(parent != NO_ROW)
    if (t[parent[same]] >= t[same]).any():
        return False  # these are no links from frame to frame
    same = same[ids[parent[same]] == ids[same]]
    return len(np.unique(parent[same])) < len(same)


def _tracks_of_links(
    reading: TableReading, links: _Links, t: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Tracks of cells that have links alone; numbered from 1."""
    ids, parent = follow_links(links.parent, t, np.zeros(len(t), np.int64))
    reading.roles["track_id"], reading.roles["parent"] = [links.cells], [links.column]
    reading.keep(links.cells)
    reading.keep(links.column)
    n = len(np.unique(ids))
    reading.taken.append(
        f"{n} track{'s' * (n != 1)} by following '{links.column.name}' to '{links.cells.name}'"
    )
    return ids, parent


def _divided(
    reading: TableReading,
    column: Column,
    links: _Links,
    ids: npt.NDArray[np.int64],
    t: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Tracks that end where a cell divides, of families that share one number."""
    families = len(np.unique(ids))
    divided, parent = follow_links(links.parent, t, ids)
    reading.roles["parent"] = [links.column]
    reading.keep(column)
    reading.keep(links.column)
    reading.taken[-1] = (
        f"{len(np.unique(divided))} tracks of {families} in '{column.name}', which end where cells "
        f"divide by '{links.column.name}'"
    )
    return divided, parent


def _track_column(
    reading: TableReading, rows: npt.NDArray[np.intp], t: npt.NDArray[np.int64], yx: Float64Array
) -> Column | None:
    """The column that numbers tracks.

    An ID that never comes twice numbers cells, and so does one that counts those of each frame
    anew.
    """
    candidates = reading.roles.get("track_id", [])
    for column in candidates:
        known = (
            column.key not in MAYBE_TRACK_NAMES
            or "track_id" in reading.asked.columns
            or column.key in reading.dialect.names.get("track_id", ())
        )
        values = reading.table[reading.by_name[column.name]].iloc[rows]
        if known:
            if values.isna().all():
                continue
            reading.roles["track_id"] = [column]
            return column
        if values.isna().any() or values.is_unique:
            if t.max() > 0 or values.isna().any():
                continue
        elif _pairs(values, t) < len(values):
            continue  # several cells of a frame share it: it is no track
        elif counts_each_frame(values, t, yx):
            reading.notes.append(
                f"'{column.name}' of '{reading.source}' counts the cells of each frame anew, so "
                f"it is not taken for tracks (--columns track_id={column.name} if it is)."
            )
            continue
        reading.roles["track_id"] = [column]
        return column
    return None


def _no_track(reading: TableReading, raw: pd.Series[Any], t: npt.NDArray[np.int64]) -> BoolArray:
    """Whether a number in the track column says that the cell has none."""
    import pandas as pd

    values = pd.to_numeric(raw, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    none = values < 0
    for number in reading.dialect.no_track:
        here = values == number
        # a track has one cell in a frame: a number that has several stands for no track
        if number == 0 or len(np.unique(t[here])) < here.sum():
            none |= here
    return np.asarray(none)


def _parents(
    reading: TableReading, rows: npt.NDArray[np.intp], numbered: Numbered
) -> npt.NDArray[np.int64] | None:
    """Parent of each row's track, 0 for none (−1 where 0 is a track)."""
    column = next(iter(reading.roles.get("parent", [])), None)
    if reading.asked.splits:
        return _parents_of_splits(reading, rows, numbered, column)
    if column is None:
        return None
    reading.used.add(column.name)
    raw = reading.table[reading.by_name[column.name]].iloc[rows]
    of = next((c for c in reading.columns if c.key in reading.dialect.parent_of), None)
    if of is None and column.key in ("parentid", "parent"):
        of = _cells_that_parents_name(reading, raw, rows)
    names = None if of is None else reading.table[reading.by_name[of.name]].iloc[rows]
    if of is not None:
        reading.keep(column)
    return numbered.parents(raw, names)


def _parents_of_splits(
    reading: TableReading, rows: npt.NDArray[np.intp], numbered: Numbered, column: Column | None
) -> npt.NDArray[np.int64]:
    """Parent of each row's track, from the user's table of divisions."""
    import pandas as pd

    if column is not None:
        raise InvalidInput(
            f"'{reading.source}' has the column of parents '{column.name}', and --splits is given "
            "too; leave one out (--columns parent=none)."
        )
    track = reading.roles["track_id"][0]
    tracks = _ids(reading.table[reading.by_name[track.name]].iloc[rows])
    parents = parents_from_splits(tracks, reading.asked.splits, reading.source)
    reading.roles["parent"] = [Column("--splits", "splits")]
    return numbered.parents(pd.Series(parents, dtype=object))


def _cells_that_parents_name(
    reading: TableReading, raw: pd.Series[Any], rows: npt.NDArray[np.intp]
) -> Column | None:
    """The column of ids of cells, if it is those that parents refer to, and not tracks.

    Then every parent is a cell, and there are about as many parents as cells.
    """
    track = reading.first("track_id")
    for column in reading.columns:
        if column.key not in NAMES_OF_CELLS or column.name == track:
            continue
        cells = _ids(reading.table[reading.by_name[column.name]].iloc[rows])
        parents = {key for key in _ids(raw) if key not in ("", "0", "-1")}
        if not parents or len(set(cells)) < len(cells) or not parents <= set(cells):
            continue
        tracks = set(_ids(reading.table[reading.by_name[track]].iloc[rows]))
        if not parents <= tracks or len(parents) > len(tracks) / 2:
            return column
    return None


def counts_each_frame(values: pd.Series[Any], t: npt.NDArray[np.int64], yx: Float64Array) -> bool:
    """Whether numbers count the cells of each frame anew, so that one number is many cells.

    Then they are 1, 2, … (or 0, 1, …) in every frame, and the cell of the same number is seldom
    the one that is nearest in the next frame.

    Parameters
    ----------
    values
        (N,) numbers, each once in a frame.
    t
        (N,) frames.
    yx
        (N, 2) positions.
    """
    import pandas as pd
    from scipy.spatial import cKDTree

    ids = pd.to_numeric(values, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    rows = [np.flatnonzero(t == frame) for frame in np.unique(t)]
    first = ids[rows[0]].min()
    if first not in (0, 1):
        return False
    if any((np.sort(ids[at]) != first + np.arange(len(at))).any() for at in rows):
        return False
    near, pairs = 0, 0
    for here, there in pairwise(rows):
        both = here[np.isin(ids[here], ids[there])]
        order = there[np.argsort(ids[there])]
        same = order[(ids[both] - first).astype(np.intp)]
        least = cKDTree(yx[there]).query(yx[both])[0]
        near += int((np.linalg.norm(yx[same] - yx[both], axis=1) <= least + 1e-9).sum())
        pairs += len(both)
    return near < pairs / 2


def _ids(values: pd.Series[Any]) -> list[str]:
    """Ids as text, equal where they are the same number."""
    return [id_text(value) for value in values]


def _pairs(values: pd.Series[Any], t: npt.NDArray[np.int64]) -> int:
    """How many different pairs of a value and a time there are."""
    import pandas as pd

    return len(pd.DataFrame({"value": values.to_numpy(), "t": t}).drop_duplicates())


def said_twice(
    ids: npt.NDArray[np.int64], t: npt.NDArray[np.int64], tracked: bool
) -> tuple[str, ...]:
    """A sentence if a track has two cells in a frame."""
    if not tracked:
        return ()
    _, first, counts = np.unique(
        np.column_stack([ids, t]), axis=0, return_index=True, return_counts=True
    )
    n = int((counts - 1).sum())
    if not n:
        return ()
    at = first[counts > 1].min()
    return (
        f"{n} cell{'s have' if n > 1 else ' has'} the track and the time of another cell (first: "
        f"track {ids[at]} at t = {t[at]}); all are kept.",
    )
