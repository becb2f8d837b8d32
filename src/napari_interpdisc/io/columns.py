"""Cells from the columns of a table: what each column is taken for, in which unit, and what not.

Each decision follows from the file (its dialect, a unit that is written) or from what the user
says. Where neither tells, the table is refused with its columns and the option that settles it.
What was decided is said in one line, :attr:`napari_interpdisc.cells.Taken.sentence`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import Float64Array
from napari_interpdisc.cells import SUFFIX, CellTable, Taken
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.column_roles import EXAMPLE, TableReading, finite, shown_unit
from napari_interpdisc.io.column_rows import (
    check_one_movie,
    leave_out_summary,
    note_dropped,
    own_columns,
    real_rows,
    results_of_before,
)
from napari_interpdisc.io.column_times import frames_of, times_of
from napari_interpdisc.io.column_tracks import said_twice, tracks_of
from napari_interpdisc.io.dialects import (
    MICROMETRES,
    PIXEL,
    PLAIN,
    ROLES,
    Column,
    unit_of,
)
from napari_interpdisc.io.track_ids import (
    parents_of,
)
from napari_interpdisc.number_text import percent

if TYPE_CHECKING:
    import pandas as pd

_SIDES = (("height", "h"), ("width", "w"))

CORNER = 0.7
"""Share of height and width below which positions may be in µm of a common pixel size."""

LIKE = 1.2
"""How much the shares of height and width, which are equal in µm, may differ by chance."""

MARGIN = 1 / 3
"""Share of the largest position within which the first one lies, in a frame of large cells."""

WELLS = 48
"""Rows and columns of the largest plate: whole numbers up to it may number wells."""

CHANCE = 1e-4
"""Probability below which positions in pixels would not all lie where those in µm must."""


@dataclass(frozen=True)
class Movie:
    """What is known of the image that cells belong to.

    Attributes
    ----------
    frames, height, width
        Its shape, in frames and pixels.
    pixel_size
        µm per pixel along y and x, or None if the file does not say.
    frame_interval
        Seconds between frames, or None.
    by_z
        Whether each cell is looked for in the plane of its z.
    """

    frames: int
    height: int
    width: int
    pixel_size: tuple[float, float] | None = None
    frame_interval: float | None = None
    by_z: bool = False


@dataclass(frozen=True)
class Asked:
    """What the user says of a table; all of it can be left out.

    Attributes
    ----------
    columns
        Names of columns by role (:data:`napari_interpdisc.io.dialects.ROLES`); an empty name for a
        role that no column has.
    first_frame
        Number of the first frame, 0 or 1.
    unit
        Unit of y and x, such as ``px`` or ``um``.
    pixel_size
        µm per pixel.
    frame_interval
        Seconds between frames.
    known
        Columns that the user knows, such as labels or groups: they tell no images apart.
    splits
        Parent of each track that descends from another, where a table of its own has them
        (:func:`napari_interpdisc.io.track_links.read_splits`).
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    first_frame: int | None = None
    unit: str = ""
    pixel_size: float | None = None
    frame_interval: float | None = None
    known: tuple[str, ...] = ()
    splits: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check what can be checked without a table."""
        if self.first_frame not in (None, 0, 1):
            raise InvalidInput(f"The first frame is 0 or 1, not {self.first_frame}.")
        for name, value in (
            ("pixel size", self.pixel_size),
            ("frame interval", self.frame_interval),
        ):
            if value is not None and not (np.isfinite(value) and value > 0):
                raise InvalidInput(f"A {name} of {value:g} is impossible; give a positive number.")
        if self.unit and unit_of(self.unit) not in (PIXEL, *MICROMETRES):
            raise InvalidInput(
                f"'{self.unit}' is no unit of positions; give px, {', '.join(MICROMETRES)}."
            )

    @property
    def named(self) -> list[str]:
        """Columns that are named."""
        return [name for name in self.columns.values() if name.lower() not in ("", "none")]


def columns_of_text(text: str) -> dict[str, str]:
    """Names of columns by role, from text such as ``t=Slice,y=Y,x=X,track_id=Track``.

    Raises
    ------
    InvalidInput
        If it is no such text, or names no role that there is.
    """
    also = {"track": "track_id", "parent_id": "parent", "frame": "t"}
    names = "|".join((*ROLES, *also))
    parts = re.split(rf"(?:^|,)\s*({names})\s*=", text.strip())
    if parts[0].strip() or len(parts) < 3:
        raise InvalidInput(
            f"'{text}' does not name columns; write it like t=Slice,y=Y,x=X,track_id=Track, with "
            f"{', '.join(ROLES)}."
        )
    roles = [also.get(role, role) for role in parts[1::2]]
    twice = {role for role in roles if roles.count(role) > 1}
    if twice:
        raise InvalidInput(f"'{text}' names {' and '.join(sorted(twice))} twice.")
    return dict(zip(roles, (name.strip() for name in parts[2::2]), strict=True))


def cells_of_frame(
    table: pd.DataFrame,
    source: str = "cells",
    asked: Asked | None = None,
    movie: Movie | None = None,
    units: Mapping[str, str] | None = None,
    told: Sequence[str] = (),
) -> CellTable:
    """Cells of a data frame, each column taken for what its dialect says.

    Parameters
    ----------
    table
        One row per cell and time.
    source
        Name of the table, for messages.
    asked
        What the user says of it.
    movie
        The image that the cells belong to. Without it, nothing that the image settles is checked,
        and positions in µm are refused unless ``asked`` has the pixel size.
    units
        Units of columns, where they are not part of the names.
    told
        What was found out so far, to be told.

    Raises
    ------
    InvalidInput
        If the table is of no dialect or of several, two of its columns contradict each other,
        positions cannot be pixels, times cannot be frames, or no row can be used.
    """
    reading = TableReading(table, source, asked or Asked(), movie, dict(units or {}))
    return _cells(reading, told)


def _cells(reading: TableReading, told: Sequence[str]) -> CellTable:
    if not len(reading.table):
        raise InvalidInput(f"'{reading.source}' holds no cells; give at least one centroid.")
    leave_out_summary(reading)
    y, x = _position(reading, "y"), _position(reading, "x")
    times = times_of(reading)
    good = np.isfinite(y) & np.isfinite(x)
    if times is not None:
        good &= np.isfinite(times)
    note_dropped(reading, good)
    real = real_rows(reading)
    rows = np.flatnonzero(good & real)
    if not len(rows):
        raise InvalidInput(
            f"None of the {len(reading.table)} rows of '{reading.source}' has a position and a "
            "time that are numbers."
        )
    y, x = y[rows], x[rows]
    t = np.zeros(len(rows), np.int64) if times is None else frames_of(reading, times[rows])
    check_one_movie(reading, rows, t)
    ids, parent = tracks_of(reading, rows, t, np.column_stack([y, x]))
    _check_pixels(reading, y, x, ids, t)
    extra = own_columns(reading, rows)
    graph: dict[int, tuple[int, ...]] = {}
    if parent is not None:
        if "parent_id" in extra:
            extra = {n + SUFFIX * (n == "parent_id"): v for n, v in extra.items()}
        extra["parent_id"] = parent
        graph = parents_of(ids, parent)
        n = len(graph)
        reading.taken.append(
            f"parents of {n} track{'s' * (n != 1)} from '{reading.first('parent')}'"
        )
    what = "" if reading.dialect is PLAIN else f" ({reading.dialect.name})"
    sentence = f"{reading.source}{what}: {', '.join([*_order(reading), *told])}"
    tracked = "track_id" in reading.roles
    return CellTable.from_arrays(
        t,
        np.column_stack([y, x]),
        ids,
        rows,
        reading.source,
        extra,
        graph,
        Taken(
            sentence,
            (*reading.notes, *said_twice(ids, t, tracked)),
            times is not None,
            tracked,
            tuple(map(str, reading.table.columns)),
            {
                reading.roles[role][0].name: role
                for role in ("t", "y", "x", "track_id")
                if role in reading.roles
            },
            results_of_before(reading, extra),
        ),
    )


def _position(reading: TableReading, role: str) -> Float64Array:
    """Positions along y or x, px."""
    column = _column_of_position(reading, role)
    reading.used.add(column.name)
    values = reading.values(column)
    unit = unit_of(reading.asked.unit) or column.unit or reading.dialect.length_unit
    if reading.dialect.box:
        values = _middle(reading, role, column, values)
    elif unit in ("", PIXEL):
        reading.taken.append(f"{role} from '{column.name}'")
    if unit in ("", PIXEL):
        return values
    if unit not in MICROMETRES:
        raise InvalidInput(
            f"Column '{column.name}' of '{reading.source}' is in '{unit}', which cannot be "
            "converted to pixels; give positions in pixels or µm, or say with --unit what they "
            "are in."
        )
    size = _pixel_size(reading, role, column, unit)
    reading.taken.append(f"{role} from '{column.name}' in {shown_unit(unit)} ÷ {size:.4g}")
    reading.keep(column)
    return np.asarray(values / size)


def _middle(reading: TableReading, role: str, column: Column, first: Float64Array) -> Float64Array:
    """Middle of each box along y or x; ``first`` is its upper or left edge."""
    names = reading.dialect.box[role]
    found = (c for name in names for c in reading.columns if c.key == name and c != column)
    other = next(found)
    second = reading.values(other)
    reading.taken.append(f"{role} from the middle of '{column.name}' and '{other.name}'")
    if reading.dialect.box_is == "size":
        return np.asarray(first + second / 2)
    if (second < first).any():
        row = int(np.flatnonzero(second < first)[0])
        raise InvalidInput(
            f"'{other.name}' is less than '{column.name}' in row {row} of '{reading.source}', so "
            "that they are no edges of a box; give the middle of each cell with --columns."
        )
    beyond = reading.dialect.box_is == "beyond"  # the pixel after the last one of the box
    return np.asarray((first + second - beyond) / 2)


def _column_of_position(reading: TableReading, role: str) -> Column:
    """The one column with this coordinate: one in pixels before one without a unit."""
    candidates = reading.roles[role]
    if role in reading.asked.columns:
        return candidates[0]
    by_unit = [[c for c in candidates if c.unit == unit] for unit in (PIXEL, "")]
    same = next((found for found in by_unit if found), candidates)
    if any(c.key == role for c in same):
        # ImageJ's centre of mass, weighted by brightness, stands beside the centre
        same = [c for c in same if c.key != f"{role}m"]
    if reading.dialect is PLAIN and len(same) > 1:
        first = reading.values(same[0])
        other = [c for c in same[1:] if not np.allclose(reading.values(c), first, equal_nan=True)]
        if other:
            names = " and ".join(f"'{c.name}'" for c in (same[0], other[0]))
            raise InvalidInput(
                f"'{reading.source}' has two columns for {role}, {names}, which differ; say which "
                f"is meant with --columns, such as {EXAMPLE} (it has {reading.names})."
            )
    return same[0]


def _pixel_size(reading: TableReading, role: str, column: Column, unit: str) -> float:
    """How many of the unit make a pixel."""
    size = reading.asked.pixel_size
    if size is None and reading.movie is not None and reading.movie.pixel_size is not None:
        size = reading.movie.pixel_size["yx".index(role)]
    if size is None:
        whose = "the image does not say" if reading.movie is not None else "nothing says"
        raise InvalidInput(
            f"Column '{column.name}' of '{reading.source}' is in {shown_unit(unit)}, and {whose} "
            "how large a pixel is; give --pixel-size, in µm, or --unit px if it holds pixels."
        )
    return size / MICROMETRES[unit]


def _check_pixels(
    reading: TableReading,
    y: Float64Array,
    x: Float64Array,
    ids: npt.NDArray[np.int64],
    t: npt.NDArray[np.int64],
) -> None:
    """Refuse positions that are almost certainly in µm, where no unit is written."""
    columns = [reading.roles["y"][0], reading.roles["x"][0]]
    stated = reading.asked.unit or reading.dialect.length_unit or any(c.unit for c in columns)
    if reading.asked.pixel_size is not None and not stated:
        raise InvalidInput(
            f"A pixel size is given, but '{reading.source}' does not say what its positions are "
            "in: give --unit um too, or --unit px if they are pixels."
        )
    if not reading.dialect.box:
        _check_middles(reading, columns)
    if stated or reading.movie is None:
        return
    # cells of one track are near each other: they count as one
    apart = len(np.unique(ids)) if "track_id" in reading.roles else int(np.bincount(t).max())
    if reading.movie.pixel_size is None:
        _note_corner(reading, reading.movie, np.column_stack([y, x]), apart)
        return
    sizes = reading.movie.pixel_size
    share = float(np.prod(np.minimum(sizes, 1)))
    if share > 0.999:
        return
    inside = (y <= reading.movie.height * sizes[0]).all() and (
        x <= reading.movie.width * sizes[1]
    ).all()
    if not inside:
        return
    size = f"{sizes[0]:.4g}"
    if share**apart < CHANCE:
        raise InvalidInput(
            f"'{reading.source}' does not say what its positions are in. They fill the image only "
            f"if they are in µm, at the {size} µm per pixel that the image gives: give --unit "
            "um, or --unit px if they are pixels."
        )
    reading.notes.append(
        f"Positions in '{reading.source}' are taken for pixels; the image has {size} µm per pixel "
        "and they could be in µm too (--unit um)."
    )


def _note_corner(reading: TableReading, movie: Movie, yx: Float64Array, apart: int) -> None:
    """Tell if positions look as if they were in µm, though nothing says how large a pixel is.

    Cells of a whole frame, in µm, fill the same share of its height and of its width from 0 on. A
    crowded corner seldom does.
    """
    share = yx.max(0) / (movie.height, movie.width)
    equal = share.max() <= LIKE * share.min()
    begins = bool((yx.min(0) < MARGIN * yx.max(0)).all())
    if share.max() < CORNER and equal and begins and float(np.prod(share)) ** apart < CHANCE:
        reading.notes.append(
            f"Positions in '{reading.source}' are taken for pixels, and fill only the upper left "
            f"{percent(share.max())} of height and width; if they are in µm, give --unit um and "
            "--pixel-size."
        )


def _check_middles(reading: TableReading, columns: Sequence[Column]) -> None:
    """Refuse y and x that may be corners of boxes, or wells of a plate.

    A corner and a size never reach beyond the image, and a middle less half a size does not either,
    save for a nucleus that the edge cuts.
    """
    if {"y", "x"} & reading.asked.columns.keys():
        return
    named = f"y={columns[0].name},x={columns[1].name}"
    y, x = (reading.values(column) for column in columns)
    whole = all((finite(values) == np.rint(finite(values))).all() for values in (y, x))
    if columns[0].key in ("row", "r") and whole and max(finite(y).max(), finite(x).max()) <= WELLS:
        raise InvalidInput(
            f"'{columns[0].name}' and '{columns[1].name}' of '{reading.source}' may be wells of a "
            f"plate; say with --columns {named} if they are pixels."
        )
    keys = {column.key for column in reading.columns}
    if any(column.key not in ("y", "x") for column in columns) or "bx" in keys:
        return
    sides = [next((c for c in reading.columns if c.key in side), None) for side in _SIDES]
    height, width = (None if side is None else reading.values(side) for side in sides)
    if height is None or width is None:
        return
    if reading.movie is not None:
        bottom, right = y + height > reading.movie.height, x + width > reading.movie.width
        if bottom.any() or right.any():
            return
    raise InvalidInput(
        f"'{reading.source}' has boxes, and 'x' and 'y' may be their corners; give the middle of "
        f"each box, or say with --columns {named} that these are the middles."
    )


def _order(reading: TableReading) -> list[str]:
    """What was taken for what: time, position, tracks, the rest."""
    first = {"t ": 0, "y ": 1, "x ": 2}
    told = sorted(reading.taken, key=lambda text: first.get(text[:2], 3))
    return told if "t" in reading.roles else ["no time", *told]


def read_movie(path: str | Path, shape: tuple[int, int, int], by_z: bool = False) -> Movie:
    """Return what an image file says of its pixels and its time, beside the shape of its frames.

    ``by_z`` says whether each cell is looked for in the plane of its z.
    """
    from napari_interpdisc.io.calibration import read_calibration

    found = read_calibration(path)
    return Movie(*shape, found.pixel_size, found.frame_interval, by_z)
