"""Rows of a table that are cells of this movie, and the columns that are carried along."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import BoolArray
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.column_roles import TableReading, shown_unit
from napari_interpdisc.io.dialects import (
    OWN,
    OWN_COLUMNS,
    PIXEL,
)
from napari_interpdisc.io.several_movies import several_movies

if TYPE_CHECKING:
    pass

_SUMMARY = (
    *("mean", "average", "avg", "median", "sd", "std", "stdev", "std dev", "std.dev", "sem", "cv"),
    *("min", "max", "minimum", "maximum", "sum", "total", "count", "n", "variance", "var"),
)

_ZERO = ("0", "0.0", "False", "false")


def leave_out_summary(reading: TableReading) -> None:
    """Leave out the last rows if they are no cells: ImageJ's *Summarize* adds a few."""
    for column in reading.columns:
        raw = reading.table[reading.by_name[column.name]]
        if raw.dtype.kind not in "OUT":
            continue
        words = [str(value).strip().strip(":").casefold() for value in raw.iloc[-12:]]
        n = next((i for i, word in enumerate(words[::-1]) if word not in _SUMMARY), len(words))
        if n > 1 and len(set(words[-n:])) == n and n < len(reading.table):
            reading.table = reading.table.iloc[:-n]
            reading.notes.append(
                f"The last {n} rows of '{reading.source}' are no cells ('{column.name}' is "
                f"{', '.join(map(str, raw.iloc[-n:]))}) and are left out."
            )
            return


def check_one_movie(
    reading: TableReading, rows: npt.NDArray[np.intp], t: npt.NDArray[np.int64]
) -> None:
    """Refuse cells of several images: all would be looked for in one."""
    if "t" not in reading.roles and reading.movie is not None and reading.movie.frames > 1:
        return  # a movie needs a time first: the images may be its frames
    used = {c.name for columns in reading.roles.values() for c in columns}
    used.update(reading.asked.known)
    columns = [column for column in reading.columns if column.name not in used]
    table = reading.table[[reading.by_name[column.name] for column in columns]].iloc[rows]
    found = several_movies(table, columns, t)
    if found is not None:
        name, values = found
        shown = ", ".join(values[:3]) + ", …" * (len(values) > 3)
        raise InvalidInput(
            f"'{reading.source}' has cells of several images in one frame (column '{name}': "
            f"{shown}); keep the rows of this image, or leave out that column if it does not "
            "tell images apart."
        )


def real_rows(reading: TableReading) -> BoolArray:
    """Rows of cells that are in the image, not invented to bridge a gap."""
    real = np.ones(len(reading.table), bool)
    for column in reading.columns:
        if column.key in reading.dialect.dummy:
            text = (
                reading.table[reading.by_name[column.name]].astype(str).str.strip().str.casefold()
            )
            dummy = text.isin(("true", "1", "1.0")).to_numpy()
            if dummy.any():
                reading.notes.append(
                    f"{dummy.sum()} of {len(real)} rows of '{reading.source}' are dummies that "
                    f"{reading.dialect.name} invented to bridge gaps; they are left out."
                )
            real &= ~dummy
        if column.key in reading.dialect.shown:
            hidden = reading.table[reading.by_name[column.name]].astype(str).str.strip().isin(_ZERO)
            if hidden.any() and not hidden.all():
                reading.notes.append(
                    f"{hidden.sum()} of {len(real)} rows of '{reading.source}' are hidden by a "
                    f"filter of {reading.dialect.name} and left out."
                )
                real &= ~hidden.to_numpy()
    return real


def note_dropped(reading: TableReading, good: BoolArray) -> None:
    """Tell how many rows have no position or time that is a number."""
    if n := int((~good).sum()):
        reading.notes.append(
            f"{n} of {len(good)} rows of '{reading.source}' have no position or time that is a "
            f"number (first in row {np.flatnonzero(~good)[0]}) and are left out."
        )


def own_columns(reading: TableReading, rows: npt.NDArray[np.intp]) -> dict[str, npt.NDArray[Any]]:
    """Columns that were not used, in their order, and those that were changed."""
    extra: dict[str, npt.NDArray[Any]] = {}
    depth = next(iter(reading.roles.get("z", [])), None)
    for name in map(str, reading.table.columns):
        if name in reading.kept:
            extra[name] = reading.kept[name][rows]
        elif name not in reading.used:
            extra[name] = reading.table[reading.by_name[name]].to_numpy()[rows]
    if depth is None or depth.name not in extra:
        return extra
    try:
        values = reading.values(depth)[rows]
    except InvalidInput:
        return extra  # whatever it is, it is no depth
    by_z = reading.movie is not None and reading.movie.by_z
    one = np.isnan(values).all() or bool(np.nanmax(values) == np.nanmin(values))
    if one and not by_z:
        del extra[depth.name]
        reading.taken.append(f"'{depth.name}' is {values[0]:g} everywhere and left out")
    elif depth.unit in ("", PIXEL):
        extra.pop(depth.name)
        extra["z"] = values
        reading.taken.append(f"z from '{depth.name}'")
    else:
        reading.taken.append(f"'{depth.name}' in {shown_unit(depth.unit)} is kept as a column")
    return extra


def results_of_before(reading: TableReading, names: Iterable[str]) -> tuple[str, ...]:
    """Of columns that are carried along, those that a run of this program wrote."""
    if reading.dialect is not OWN:
        return ()
    return tuple(
        name
        for name in names
        if name not in reading.asked.known
        and any(fnmatchcase(name, pattern) for pattern in OWN_COLUMNS)
    )
