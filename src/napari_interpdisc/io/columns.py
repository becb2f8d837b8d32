"""Cells from the columns of a table: what each column is taken for, in which unit, and what not.

Each decision follows from the file (its dialect, a unit that is written) or from what the user
says. Where neither tells, the table is refused with its columns and the option that settles it.
What was decided is said in one line, :attr:`napari_interpdisc.cells.Taken.sentence`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import BoolArray, Float64Array
from napari_interpdisc.cells import SUFFIX, CellTable, Taken
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.clock import numbers_of, seconds_of
from napari_interpdisc.io.dialects import (
    FRAME,
    FRAME_NAMES,
    MAYBE_TRACK_NAMES,
    MICROMETRES,
    OTHER_TABLES,
    PIXEL,
    PLAIN,
    ROLES,
    SECONDS,
    TIME_NAMES,
    Column,
    Dialect,
    matching_dialects,
    unit_of,
)
from napari_interpdisc.io.several_movies import several_movies
from napari_interpdisc.io.track_ids import (
    Numbered,
    are_rounded,
    id_text,
    number_tracks,
    parents_of,
)

if TYPE_CHECKING:
    import pandas as pd

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
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    first_frame: int | None = None
    unit: str = ""
    pixel_size: float | None = None
    frame_interval: float | None = None
    known: tuple[str, ...] = ()

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
    return _Reading(table, source, asked or Asked(), movie, dict(units or {})).cells(told)


class _Reading:
    """One table on its way to cells; what is said of it grows on the way."""

    def __init__(
        self,
        table: pd.DataFrame,
        source: str,
        asked: Asked,
        movie: Movie | None,
        units: dict[str, str],
    ) -> None:
        self.table, self.source, self.asked, self.movie = table, source, asked, movie
        self.columns = [_with_unit(Column.of(name), units) for name in table.columns]
        self.by_name = dict(zip(map(str, table.columns), table.columns, strict=True))
        self.names = ", ".join(map(str, table.columns)) or "no columns"
        self.taken: list[str] = []
        self.notes: list[str] = []
        self.kept: dict[str, npt.NDArray[Any]] = {}
        self.used: set[str] = set()
        self.counted_from: int | None = None
        self.counts_images = False
        self.dialect, self.roles = self._chosen()
        self._unit_column()

    def cells(self, told: Sequence[str]) -> CellTable:
        if not len(self.table):
            raise InvalidInput(f"'{self.source}' holds no cells; give at least one centroid.")
        self._leave_out_summary()
        y, x = self._position("y"), self._position("x")
        times = self._times()
        good = np.isfinite(y) & np.isfinite(x)
        if times is not None:
            good &= np.isfinite(times)
        self._note_dropped(good)
        real = self._real()
        rows = np.flatnonzero(good & real)
        if not len(rows):
            raise InvalidInput(
                f"None of the {len(self.table)} rows of '{self.source}' has a position and a time "
                "that are numbers."
            )
        y, x = y[rows], x[rows]
        t = np.zeros(len(rows), np.int64) if times is None else self._frames(times[rows])
        self._check_one_movie(rows, t)
        ids, parent = self._tracks(rows, t, np.column_stack([y, x]))
        self._check_pixels(y, x, ids, t)
        extra = self._extra(rows)
        graph: dict[int, tuple[int, ...]] = {}
        if parent is not None:
            if "parent_id" in extra:
                extra = {n + SUFFIX * (n == "parent_id"): v for n, v in extra.items()}
            extra["parent_id"] = parent
            graph = parents_of(ids, parent)
            n = len(graph)
            self.taken.append(
                f"parents of {n} track{'s' * (n != 1)} from '{self._first('parent')}'"
            )
        what = "" if self.dialect is PLAIN else f" ({self.dialect.name})"
        sentence = f"{self.source}{what}: {', '.join([*self._order(), *told])}"
        tracked = "track_id" in self.roles
        return CellTable.from_arrays(
            t,
            np.column_stack([y, x]),
            ids,
            rows,
            self.source,
            extra,
            graph,
            Taken(
                sentence,
                (*self.notes, *_twice(ids, t, tracked)),
                times is not None,
                tracked,
                tuple(map(str, self.table.columns)),
                {
                    self.roles[role][0].name: role
                    for role in ("t", "y", "x", "track_id")
                    if role in self.roles
                },
            ),
        )

    # -- which column is what ---------------------------------------------------------------------

    def _chosen(self) -> tuple[Dialect, dict[str, list[Column]]]:
        """The dialect, and the columns that can have each role, best first."""
        found = matching_dialects([c.name for c in self.columns])
        found = self._of_other_values(found)
        named = {role: self._named(name) for role, name in self.asked.columns.items()}
        self._check_named_once(named)
        if {"y", "x"} <= named.keys() or len(found) == 1:
            # a dialect is known by its columns: where they mean something else, it is another one
            dialect = found[0] if len(found) == 1 and not {"y", "x"} <= named.keys() else PLAIN
            roles = dialect.roles(self.columns)
            for role, column in named.items():
                roles[role] = [] if column is None else [column]
            roles = {role: columns for role, columns in roles.items() if columns}
            if dialect is PLAIN:
                taken = [column for column in named.values() if column is not None]
                roles = {
                    role: columns if role in named else [c for c in columns if c not in taken]
                    for role, columns in roles.items()
                }
            return dialect, {role: columns for role, columns in roles.items() if columns}
        if found:
            answers = " or ".join(
                f"{d.name} ({', '.join(d.roles(self.columns)[r][0].name for r in ('y', 'x'))})"
                for d in found
            )
            raise InvalidInput(
                f"'{self.source}' can be read in two ways, as {answers}; say which columns are "
                f"meant with --columns, such as {self._example()} (it has {self.names})."
            )
        keys = {column.key for column in self.columns}
        for marks, what in OTHER_TABLES:
            if marks <= keys:
                raise InvalidInput(f"'{self.source}' {what}.")
        roles = PLAIN.roles(self.columns)
        missing = [role for role in ("y", "x") if role not in roles]
        raise InvalidInput(
            f"'{self.source}' has no column for {' and '.join(missing) or 'cells'} that is known "
            f"(it has {self.names}); name its columns with --columns, such as {self._example()}."
        )

    def _of_other_values(self, found: list[Dialect]) -> list[Dialect]:
        """Leave out dialects whose columns hold the same positions as those of one before."""
        if len(found) == 1:
            return found
        kept: list[Dialect] = []
        seen: list[npt.NDArray[np.float64]] = []
        for dialect in found:
            roles = dialect.roles(self.columns)
            here = np.column_stack([self._values(roles[role][0]) for role in ("y", "x")])
            if not any(np.allclose(here, other, equal_nan=True) for other in seen):
                kept.append(dialect)
                seen.append(here)
        return kept

    def _example(self) -> str:
        return "t=Frame,y=Y,x=X,track_id=Track"

    def _named(self, name: str) -> Column | None:
        """The column that the user named; None for none."""
        if name.lower() in ("", "none") and name not in self.by_name:
            return None
        exact = [c for c in self.columns if c.name.strip() == name.strip()]
        alike = [c for c in self.columns if c.name.strip().casefold() == name.strip().casefold()]
        key = Column.of(name).key
        same = [c for c in self.columns if key and c.key == key]
        for found in (exact, alike, same):
            if len(found) == 1:
                return found[0]
        raise InvalidInput(
            f"'{self.source}' has no column '{name}', which --columns names; it has {self.names}."
        )

    def _check_named_once(self, named: Mapping[str, Column | None]) -> None:
        """Refuse a column that was named for two roles."""
        names = [column.name for column in named.values() if column is not None]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            roles = [role for role, column in named.items() if column and column.name == twice]
            raise InvalidInput(
                f"--columns names '{twice}' for {' and '.join(roles)}; name a column for each "
                f"('{self.source}' has {self.names})."
            )

    def _first(self, role: str) -> str:
        return self.roles[role][0].name

    def _unit_column(self) -> None:
        """Take the unit of positions from a column of its own, as Imaris writes it."""
        column = next((c for c in self.columns if c.key == "unit"), None)
        if column is None:
            return
        units = {unit_of(str(u)) for u in self.table[self.by_name[column.name]].dropna().unique()}
        if len(units) > 1:
            raise InvalidInput(
                f"'{self.source}' has positions in {' and '.join(sorted(units))}; give a table in "
                "one unit."
            )
        for role in ("y", "x", "z"):
            if units and role in self.roles:
                first = self.roles[role][0]
                self.roles[role] = [replace(first, unit=first.unit or next(iter(units)))]

    def _values(self, column: Column) -> Float64Array:
        """A column as numbers; NaN where it is empty."""
        import pandas as pd

        raw = self.table[self.by_name[column.name]]
        if raw.dtype.kind in "mM":
            raise InvalidInput(
                f"Column '{column.name}' of '{self.source}' holds dates; give frame numbers."
            )
        try:
            numbers = pd.to_numeric(raw)
        except (ValueError, TypeError):
            numbers = pd.to_numeric(raw, errors="coerce")
            bad = np.flatnonzero(numbers.isna() & raw.notna() & (raw.astype(str).str.strip() != ""))
            if len(bad):
                raise InvalidInput(
                    f"Column '{column.name}' of '{self.source}' holds values that are not numbers "
                    f"(first '{raw.iloc[bad[0]]}', in row {bad[0]})."
                ) from None
        return np.asarray(numbers.to_numpy(dtype=np.float64, na_value=np.nan))

    # -- positions --------------------------------------------------------------------------------

    def _position(self, role: str) -> Float64Array:
        """Positions along y or x, px."""
        column = self._column_of_position(role)
        self.used.add(column.name)
        values = self._values(column)
        unit = unit_of(self.asked.unit) or column.unit or self.dialect.length_unit
        if self.dialect.corner:
            side = {"y": "height", "x": "width"}[role]
            box = next(c for c in self.columns if c.key == side)
            values = values + self._values(box) / 2
            self.taken.append(f"{role} from the middle of '{column.name}' and '{box.name}'")
        elif unit in ("", PIXEL):
            self.taken.append(f"{role} from '{column.name}'")
        if unit in ("", PIXEL):
            return values
        if unit not in MICROMETRES:
            raise InvalidInput(
                f"Column '{column.name}' of '{self.source}' is in '{unit}', which cannot be "
                "converted to pixels; give positions in pixels or µm, or say with --unit what they "
                "are in."
            )
        size = self._pixel_size(role, column, unit)
        self.taken.append(f"{role} from '{column.name}' in {_shown(unit)} ÷ {size:.4g}")
        self._keep(column)
        return np.asarray(values / size)

    def _column_of_position(self, role: str) -> Column:
        """The one column with this coordinate: one in pixels before one without a unit."""
        candidates = self.roles[role]
        if role in self.asked.columns:
            return candidates[0]
        by_unit = [[c for c in candidates if c.unit == unit] for unit in (PIXEL, "")]
        same = next((found for found in by_unit if found), candidates)
        if any(c.key == role for c in same):
            # ImageJ's centre of mass, weighted by brightness, stands beside the centre
            same = [c for c in same if c.key != f"{role}m"]
        if self.dialect is PLAIN and len(same) > 1:
            first = self._values(same[0])
            other = [c for c in same[1:] if not np.allclose(self._values(c), first, equal_nan=True)]
            if other:
                names = " and ".join(f"'{c.name}'" for c in (same[0], other[0]))
                raise InvalidInput(
                    f"'{self.source}' has two columns for {role}, {names}, which differ; say which "
                    f"is meant with --columns, such as {self._example()} (it has {self.names})."
                )
        return same[0]

    def _pixel_size(self, role: str, column: Column, unit: str) -> float:
        """How many of the unit make a pixel."""
        size = self.asked.pixel_size
        if size is None and self.movie is not None and self.movie.pixel_size is not None:
            size = self.movie.pixel_size["yx".index(role)]
        if size is None:
            whose = "the image does not say" if self.movie is not None else "nothing says"
            raise InvalidInput(
                f"Column '{column.name}' of '{self.source}' is in {_shown(unit)}, and {whose} how "
                "large a pixel is; give --pixel-size, in µm, or --unit px if it holds pixels."
            )
        return size / MICROMETRES[unit]

    def _check_pixels(
        self,
        y: Float64Array,
        x: Float64Array,
        ids: npt.NDArray[np.int64],
        t: npt.NDArray[np.int64],
    ) -> None:
        """Refuse positions that are almost certainly in µm, where no unit is written."""
        columns = [self.roles["y"][0], self.roles["x"][0]]
        stated = self.asked.unit or self.dialect.length_unit or any(c.unit for c in columns)
        if self.asked.pixel_size is not None and not stated:
            raise InvalidInput(
                f"A pixel size is given, but '{self.source}' does not say what its positions are "
                "in: give --unit um too, or --unit px if they are pixels."
            )
        if not stated and not self.dialect.corner:
            self._check_middles(columns)
        if stated or self.movie is None or self.movie.pixel_size is None:
            return
        sizes = self.movie.pixel_size
        share = float(np.prod(np.minimum(sizes, 1)))
        if share > 0.999:
            return
        inside = (y <= self.movie.height * sizes[0]).all() and (
            x <= self.movie.width * sizes[1]
        ).all()
        # cells of one track are near each other: they count as one
        apart = len(np.unique(ids)) if "track_id" in self.roles else int(np.bincount(t).max())
        if not inside:
            return
        size = f"{sizes[0]:.4g}"
        if share**apart < CHANCE:
            raise InvalidInput(
                f"'{self.source}' does not say what its positions are in. They fill the image only "
                f"if they are in µm, at the {size} µm per pixel that the image gives: give --unit "
                "um, or --unit px if they are pixels."
            )
        self.notes.append(
            f"Positions in '{self.source}' are taken for pixels; the image has {size} µm per pixel "
            "and they could be in µm too (--unit um)."
        )

    def _check_middles(self, columns: Sequence[Column]) -> None:
        """Refuse y and x that are probably corners of boxes: all of a box in whole pixels."""
        sides = [next((c for c in self.columns if c.key in keys), None) for keys in _SIDES]
        if {"y", "x"} & self.asked.columns.keys() or None in sides:
            return
        if any(column.key not in ("y", "x") for column in columns):
            return
        box = [self._values(column) for column in (*columns, *filter(None, sides))]
        if all((_finite(values) == np.rint(_finite(values))).all() for values in box):
            raise InvalidInput(
                f"'{self.source}' has boxes in whole pixels, and 'x' and 'y' may be their corners; "
                "give the middle of each box, or say with --columns "
                f"y={columns[0].name},x={columns[1].name} that these are the middles."
            )

    # -- time -------------------------------------------------------------------------------------

    def _times(self) -> Float64Array | None:
        """Frame numbers as the table counts them; None without a column of them."""
        candidates = self.roles.get("t", [])
        if not candidates:
            return None
        candidates, values = self._readable_times(candidates)
        empty = [c for c in candidates if not np.isfinite(values[c.name]).any()]
        candidates = [c for c in candidates if c not in empty]
        if not candidates:
            return None
        if "t" not in self.asked.columns and len(candidates) > 1:
            # the one frame of a z-stack, or the one slice of a movie, is no time
            moving = [c for c in candidates if np.ptp(_finite(values[c.name])) > 0]
            still = [c for c in candidates if c not in moving]
            one_frame = self.movie is not None and self.movie.frames == 1
            candidates = (still or moving) if one_frame else (moving or still)
        if "t" not in self.asked.columns:
            candidates = self._frames_before_images(candidates, values)
        chosen = candidates[0]
        self.roles["t"] = [chosen]
        if "t" not in self.asked.columns:
            frame = chosen.key.startswith("frame")
            for other in candidates[1:]:
                if frame and other.key in _SLICES and _counts(values[other.name]):
                    continue  # planes of a stack
                self._check_agreement(chosen, values[chosen.name], other, values[other.name])
        self.used.add(chosen.name)
        return self._in_frames(chosen, values[chosen.name])

    def _readable_times(
        self, candidates: Sequence[Column]
    ) -> tuple[list[Column], dict[str, Float64Array]]:
        """Columns of times, and their values; one that holds none is left out if there is another.

        Times of day (``0:05:00``) become seconds, and texts such as ``t0003`` their numbers.
        """
        values: dict[str, Float64Array] = {}
        readable: list[Column] = []
        fault: InvalidInput | None = None
        for column in candidates:
            raw = self.table[self.by_name[column.name]]
            seconds = seconds_of(raw, column.unit)
            numbers = numbers_of(raw) if seconds is None else None
            try:
                found = seconds if seconds is not None else numbers
                values[column.name] = self._values(column) if found is None else found
            except InvalidInput as why:
                fault = fault or why
                continue
            readable.append(column if seconds is None else replace(column, unit="s"))
        if fault is not None and not readable:
            raise fault
        return readable, values

    def _frames_before_images(
        self, candidates: list[Column], values: Mapping[str, Float64Array]
    ) -> list[Column]:
        """Columns of frames, if there are any, without the count of all images of a run.

        The count tells where the frames begin, if the run begins with this movie.
        """
        images = [c for c in candidates if c.key in self.dialect.counts_images]
        frames = [c for c in candidates if c not in images and _counts(values[c.name])]
        if not images or not frames:
            self.counts_images = bool(images)
            return images or candidates
        apart = np.unique(_finite(values[images[0].name] - values[frames[0].name]))
        if len(apart) == 1 and apart[0] in (0, 1):
            self.counted_from = 1 - int(apart[0])
        return frames

    def _check_agreement(
        self, chosen: Column, frames: Float64Array, other: Column, times: Float64Array
    ) -> None:
        """Refuse two columns of times that contradict each other.

        Times in seconds must grow with the frames; another count of frames must do so evenly.
        """
        good = np.isfinite(frames) & np.isfinite(times)
        if good.sum() < 2:
            return
        order = np.lexsort((times[good], frames[good]))
        f, s = frames[good][order], times[good][order]
        step = np.diff(f)
        tolerance = 1e-6 * max(1.0, float(np.abs(s).max()))
        same = bool(np.abs(np.diff(s))[step == 0].max(initial=0) <= tolerance)
        grows = bool((np.diff(s)[step > 0] > 0).all())
        counts = not other.unit and bool((s == np.rint(s)).all())
        if same and grows and counts and (step > 0).any():
            rate = np.diff(s)[step > 0] / step[step > 0]
            grows = bool(np.ptp(rate) <= tolerance)
            if grows and abs(rate[0] - 1) <= tolerance and s[0] == 0 and f[0] == 1:
                self.counted_from = 1  # the other column counts the same frames from 0
        if not (same and grows):
            raise InvalidInput(
                f"Columns '{chosen.name}' and '{other.name}' of '{self.source}' contradict each "
                f"other; say which one counts the frames: --columns t={chosen.name} or "
                f"--columns t={other.name}."
            )

    def _in_frames(self, column: Column, values: Float64Array) -> Float64Array:
        """Times in seconds become frame numbers; frame numbers stay."""
        unit = column.unit if column.unit != FRAME else ""
        asked = "t" in self.asked.columns
        if unit and unit not in SECONDS:
            if asked or unit == PIXEL:
                return values
            raise InvalidInput(
                f"Column '{column.name}' of '{self.source}' is in '{unit}', which cannot be "
                f"converted to frames; name the column of frames with --columns t=… (it has "
                f"{self.names})."
            )
        # TrackMate writes POSITION_T in the time unit of the image, which the header may leave out
        physical = column.key in ("positiont", "post")
        interval = self.asked.frame_interval
        if self.counts_images and not asked:
            # the images of one movie among those of a run
            high = _finite(values).max()
            if self.movie is None or high > self.movie.frames:
                counted = self._one_a_frame(values)
                if counted is not None:
                    self._keep(column)
                    n = len(np.unique(_finite(values)))
                    self.taken.append(f"t from the {n} images of '{column.name}', one a frame")
                    return counted
        if not unit and not physical and interval is None:
            if self._steps(column, values) == 1:
                return values
            counted = self._one_a_frame(values)
            if counted is None:
                raise InvalidInput(
                    f"Column '{column.name}' of '{self.source}' goes in steps of "
                    f"{self._steps(column, values):g}; give --frame-interval if these are seconds, "
                    f"or --columns t={column.name} if it counts frames."
                )
            self._keep(column)
            self.taken.append(f"t from the times of '{column.name}', one for each frame")
            return counted
        if not unit and asked and interval is None:
            return values
        if interval is None and self.movie is not None:
            interval = self.movie.frame_interval
        # a column that the user named and gave an interval for holds times
        named = asked and self.asked.frame_interval is not None and column.key not in FRAME_NAMES
        if not (unit or named or physical or interval is None or column.key in TIME_NAMES):
            return values  # a count of frames needs no interval
        if interval is None or (physical and not unit and self.asked.frame_interval is None):
            counted = self._one_a_frame(values)
            if counted is not None:
                self._keep(column)
                n = self.movie.frames if self.movie is not None else 0
                self.taken.append(f"t from the {n} times of '{column.name}', one for each frame")
                return counted
            what = f"is in {unit}" if unit else "is a time of unknown unit"
            raise InvalidInput(
                f"'{self.source}' has no column of frames: '{column.name}' {what}. Give "
                f"--frame-interval, in seconds, or --columns t={column.name} if it counts frames "
                f"(it has {self.names})."
            )
        frames = values * SECONDS.get(unit, 1.0) / interval
        spread = np.ptp(_finite(frames))
        if 0 < spread < 0.5:
            raise InvalidInput(
                f"All times in column '{column.name}' of '{self.source}' lie within one frame of "
                f"{interval:g} s; leave --frame-interval out if it counts frames, or correct it."
            )
        off = np.abs(frames - np.rint(frames)) > 0.2
        if off[np.isfinite(frames)].any():
            first = values[np.isfinite(frames)][off[np.isfinite(frames)]][0]
            raise InvalidInput(
                f"Column '{column.name}' of '{self.source}' has a time of {first:g} {unit or 's'}, "
                f"which is no multiple of {interval:g} s, the time between frames; check "
                "--frame-interval, or name a column of frames with --columns t=…."
            )
        self._keep(column)
        self.taken.append(f"t from '{column.name}' in {unit or 's'} ÷ {interval:g} s")
        return np.asarray(np.rint(frames))

    def _one_a_frame(self, values: Float64Array) -> Float64Array | None:
        """Frame numbers of times that are even and as many as the image has frames, else None."""
        good = np.isfinite(values)
        found = np.unique(values[good])
        if self.movie is None or len(found) < 2 or len(found) != self.movie.frames:
            return None
        if np.ptp(np.diff(found)) > 1e-3 * np.diff(found).mean():
            return None
        return np.where(good, np.searchsorted(found, values), np.nan)

    def _steps(self, column: Column, values: Float64Array) -> float:
        """Least step of a column that may be a time; 1 of what can only count frames."""
        found = np.unique(values[np.isfinite(values)])
        asked = "t" in self.asked.columns
        if asked or column.key == "t" or column.key not in TIME_NAMES or len(found) < 3:
            return 1.0
        return max(1.0, float(np.diff(found).min()))

    def _frames(self, times: Float64Array) -> npt.NDArray[np.int64]:
        """Frame numbers from 0."""
        column = self.roles["t"][0]
        whole = np.rint(times)
        off = (np.abs(times - whole) > 1e-6) | (whole < 0)
        if off.any():
            raise InvalidInput(
                f"'{self.source}' has a time of {times[off][0]:g} in column '{column.name}'; times "
                "are frame numbers: whole and not negative."
            )
        converted = self.taken and self.taken[-1].startswith("t from")
        low, high = int(whole.min()), int(whole.max())
        first = 0 if converted else self._first_frame(column, low, high)
        if not converted:
            self.taken.append(f"t from '{column.name}' ({low}…{high}, counted from {first})")
        if first:
            self._keep(column)
        return np.asarray(whole, np.int64) - first

    def _first_frame(self, column: Column, low: int, high: int) -> int:
        """Number of the first frame: as asked, as the dialect counts, or as the image tells."""
        asked = self.asked.first_frame
        if asked is not None:
            if low < asked:
                raise InvalidInput(
                    f"Column '{column.name}' of '{self.source}' holds frame {low}, which is before "
                    f"--first-frame {asked}."
                )
            return asked
        if low == 0 or self.counted_from is not None:
            return self.counted_from or 0
        frames = self.movie.frames if self.movie is not None else None
        if frames is not None and high == frames:
            return 1  # there is no frame of that number if the first one is 0
        images = self.dialect.counts_images
        if self.dialect.first_frame is not None and (not images or column.key in images):
            return self.dialect.first_frame
        if frames is not None and low == 1 and column.key != "t" and high < frames:
            raise InvalidInput(
                f"Column '{column.name}' of '{self.source}' begins with 1 and the image has "
                f"{frames} frames: give --first-frame 0 if its first frame is 0, or --first-frame "
                "1."
            )
        return 0

    # -- tracks -----------------------------------------------------------------------------------

    def _tracks(
        self, rows: npt.NDArray[np.intp], t: npt.NDArray[np.int64], yx: Float64Array
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64] | None]:
        """Track of each row, and the parent of that track if the table tells."""
        column = self._track_column(rows, t, yx)
        if column is None:
            self.roles.pop("track_id", None)
            self.roles.pop("parent", None)
            self.taken.append("no tracks")
            return rows.astype(np.int64), None
        self.used.add(column.name)
        raw = self.table[self.by_name[column.name]].iloc[rows]
        none = self._no_track(raw, t)
        numbered = number_tracks(raw, none)
        ids = numbered.ids
        if are_rounded(raw) and _twice(ids, t, True):
            raise InvalidInput(
                f"Column '{column.name}' of '{self.source}' lost digits of its numbers (first "
                f"{raw.iloc[0]}), so that tracks cannot be told apart; export the table with that "
                "column as text, or leave it out with --columns track_id=none."
            )
        if numbered.text:
            self._keep(column)
            self.notes.append(
                f"Tracks of '{self.source}' have names that are no numbers; they are numbered, and "
                f"'{column.name}' keeps the names."
            )
        if n := int(numbered.missing.sum()):
            self._keep(column)
            self.notes.append(
                f"{n} of {len(rows)} cells in '{self.source}' have no track; each has an id of its "
                "own."
            )
        n_tracks = len(np.unique(ids)) - n
        self.taken.append(f"{n_tracks} track{'s' * (n_tracks != 1)} from '{column.name}'")
        return ids, self._parents(rows, numbered)

    def _track_column(
        self, rows: npt.NDArray[np.intp], t: npt.NDArray[np.int64], yx: Float64Array
    ) -> Column | None:
        """The column that numbers tracks.

        An ID that never comes twice numbers cells, and so does one that counts those of each frame
        anew.
        """
        candidates = self.roles.get("track_id", [])
        for column in candidates:
            known = (
                column.key not in MAYBE_TRACK_NAMES
                or "track_id" in self.asked.columns
                or column.key in self.dialect.names.get("track_id", ())
            )
            values = self.table[self.by_name[column.name]].iloc[rows]
            if known:
                if values.isna().all():
                    continue
                self.roles["track_id"] = [column]
                return column
            if values.isna().any() or values.is_unique:
                if t.max() > 0 or values.isna().any():
                    continue
            elif _pairs(values, t) < len(values):
                continue  # several cells of a frame share it: it is no track
            elif counts_each_frame(values, t, yx):
                self.notes.append(
                    f"'{column.name}' of '{self.source}' counts the cells of each frame anew, so "
                    f"it is not taken for tracks (--columns track_id={column.name} if it is)."
                )
                continue
            self.roles["track_id"] = [column]
            return column
        return None

    def _no_track(self, raw: pd.Series[Any], t: npt.NDArray[np.int64]) -> BoolArray:
        """Whether a number in the track column says that the cell has none."""
        import pandas as pd

        values = pd.to_numeric(raw, errors="coerce").to_numpy(np.float64, na_value=np.nan)
        none = values < 0
        for number in self.dialect.no_track:
            here = values == number
            # a track has one cell in a frame: a number that has several stands for no track
            if number == 0 or len(np.unique(t[here])) < here.sum():
                none |= here
        return np.asarray(none)

    def _parents(
        self, rows: npt.NDArray[np.intp], numbered: Numbered
    ) -> npt.NDArray[np.int64] | None:
        """Parent of each row's track, 0 for none (−1 where 0 is a track)."""
        column = next(iter(self.roles.get("parent", [])), None)
        if column is None:
            return None
        self.used.add(column.name)
        raw = self.table[self.by_name[column.name]].iloc[rows]
        of = next((c for c in self.columns if c.key in self.dialect.parent_of), None)
        if of is None and column.key in ("parentid", "parent"):
            of = self._cells_that_parents_name(raw, rows)
        names = None if of is None else self.table[self.by_name[of.name]].iloc[rows]
        if of is not None:
            self._keep(column)
        return numbered.parents(raw, names)

    def _cells_that_parents_name(
        self, raw: pd.Series[Any], rows: npt.NDArray[np.intp]
    ) -> Column | None:
        """The column of ids of cells, if it is those that parents refer to, and not tracks.

        Then every parent is a cell, and there are about as many parents as cells.
        """
        track = self._first("track_id")
        for column in self.columns:
            if column.key not in (*MAYBE_TRACK_NAMES, "nodeid", "spotid") or column.name == track:
                continue
            cells = _ids(self.table[self.by_name[column.name]].iloc[rows])
            parents = {key for key in _ids(raw) if key not in ("", "0", "-1")}
            if not parents or len(set(cells)) < len(cells) or not parents <= set(cells):
                continue
            tracks = set(_ids(self.table[self.by_name[track]].iloc[rows]))
            if not parents <= tracks or len(parents) > len(tracks) / 2:
                return column
        return None

    # -- rows and columns that are left -----------------------------------------------------------

    def _leave_out_summary(self) -> None:
        """Leave out the last rows if they are no cells: ImageJ's *Summarize* adds a few."""
        for column in self.columns:
            raw = self.table[self.by_name[column.name]]
            if raw.dtype.kind not in "OUT":
                continue
            words = [str(value).strip().strip(":").casefold() for value in raw.iloc[-12:]]
            n = next((i for i, word in enumerate(words[::-1]) if word not in _SUMMARY), len(words))
            if n > 1 and len(set(words[-n:])) == n and n < len(self.table):
                self.table = self.table.iloc[:-n]
                self.notes.append(
                    f"The last {n} rows of '{self.source}' are no cells ('{column.name}' is "
                    f"{', '.join(map(str, raw.iloc[-n:]))}) and are left out."
                )
                return

    def _check_one_movie(self, rows: npt.NDArray[np.intp], t: npt.NDArray[np.int64]) -> None:
        """Refuse cells of several images: all would be looked for in one."""
        if "t" not in self.roles and self.movie is not None and self.movie.frames > 1:
            return  # a movie needs a time first: the images may be its frames
        used = {c.name for columns in self.roles.values() for c in columns}
        used.update(self.asked.known)
        columns = [column for column in self.columns if column.name not in used]
        table = self.table[[self.by_name[column.name] for column in columns]].iloc[rows]
        found = several_movies(table, columns, t)
        if found is not None:
            name, values = found
            shown = ", ".join(values[:3]) + ", …" * (len(values) > 3)
            raise InvalidInput(
                f"'{self.source}' has cells of several images in one frame (column '{name}': "
                f"{shown}); keep the rows of this image, or leave out that column if it does not "
                "tell images apart."
            )

    def _real(self) -> BoolArray:
        """Rows of cells that are in the image, not invented to bridge a gap."""
        real = np.ones(len(self.table), bool)
        for column in self.columns:
            if column.key in self.dialect.dummy:
                text = self.table[self.by_name[column.name]].astype(str).str.strip().str.casefold()
                dummy = text.isin(("true", "1", "1.0")).to_numpy()
                if dummy.any():
                    self.notes.append(
                        f"{dummy.sum()} of {len(real)} rows of '{self.source}' are dummies that "
                        f"{self.dialect.name} invented to bridge gaps; they are left out."
                    )
                real &= ~dummy
            if column.key in self.dialect.shown:
                hidden = self.table[self.by_name[column.name]].astype(str).str.strip().isin(_ZERO)
                if hidden.any() and not hidden.all():
                    self.notes.append(
                        f"{hidden.sum()} of {len(real)} rows of '{self.source}' are hidden by a "
                        f"filter of {self.dialect.name} and left out."
                    )
                    real &= ~hidden.to_numpy()
        return real

    def _note_dropped(self, good: BoolArray) -> None:
        if n := int((~good).sum()):
            self.notes.append(
                f"{n} of {len(good)} rows of '{self.source}' have no position or time that is a "
                f"number (first in row {np.flatnonzero(~good)[0]}) and are left out."
            )

    def _keep(self, column: Column) -> None:
        """Carry a column along although it was used: its values were changed."""
        self.kept[column.name] = self.table[self.by_name[column.name]].to_numpy()

    def _extra(self, rows: npt.NDArray[np.intp]) -> dict[str, npt.NDArray[Any]]:
        """Columns that were not used, in their order, and those that were changed."""
        extra: dict[str, npt.NDArray[Any]] = {}
        depth = next(iter(self.roles.get("z", [])), None)
        for name in map(str, self.table.columns):
            if name in self.kept:
                extra[name] = self.kept[name][rows]
            elif name not in self.used:
                extra[name] = self.table[self.by_name[name]].to_numpy()[rows]
        if depth is None or depth.name not in extra:
            return extra
        try:
            values = self._values(depth)[rows]
        except InvalidInput:
            return extra  # whatever it is, it is no depth
        by_z = self.movie is not None and self.movie.by_z
        one = np.isnan(values).all() or bool(np.nanmax(values) == np.nanmin(values))
        if one and not by_z:
            del extra[depth.name]
            self.taken.append(f"'{depth.name}' is {values[0]:g} everywhere and left out")
        elif depth.unit in ("", PIXEL):
            extra.pop(depth.name)
            extra["z"] = values
            self.taken.append(f"z from '{depth.name}'")
        else:
            self.taken.append(f"'{depth.name}' in {_shown(depth.unit)} is kept as a column")
        return extra

    def _order(self) -> list[str]:
        """What was taken for what: time, position, tracks, the rest."""
        first = {"t ": 0, "y ": 1, "x ": 2}
        told = sorted(self.taken, key=lambda text: first.get(text[:2], 3))
        return told if "t" in self.roles else ["no time", *told]


_SUMMARY = (
    *("mean", "average", "avg", "median", "sd", "std", "stdev", "std dev", "std.dev", "sem", "cv"),
    *("min", "max", "minimum", "maximum", "sum", "total", "count", "n", "variance", "var"),
)
_SIDES = (("height", "h"), ("width", "w"))
_SLICES = ("slice", "slicenumber", "slicen")
_ZERO = ("0", "0.0", "False", "false")


def _counts(values: Float64Array) -> bool:
    """Whether whole numbers go in steps of 1 somewhere, as a count of frames does."""
    found = np.unique(_finite(values))
    whole = bool((found == np.rint(found)).all())
    return whole and (len(found) < 2 or float(np.diff(found).min()) == 1)


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


def _finite(values: Float64Array) -> Float64Array:
    return values[np.isfinite(values)]


def _with_unit(column: Column, units: Mapping[str, str]) -> Column:
    return replace(column, unit=column.unit or units.get(column.name, ""))


def _shown(unit: str) -> str:
    return "µm" if unit == "um" else unit


def _pairs(values: pd.Series[Any], t: npt.NDArray[np.int64]) -> int:
    """How many different pairs of a value and a time there are."""
    import pandas as pd

    return len(pd.DataFrame({"value": values.to_numpy(), "t": t}).drop_duplicates())


def _twice(ids: npt.NDArray[np.int64], t: npt.NDArray[np.int64], tracked: bool) -> tuple[str, ...]:
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


def read_movie(path: str | Path, shape: tuple[int, int, int], by_z: bool = False) -> Movie:
    """Return what an image file says of its pixels and its time, beside the shape of its frames.

    ``by_z`` says whether each cell is looked for in the plane of its z.
    """
    from napari_interpdisc.io.calibration import read_calibration

    found = read_calibration(path)
    return Movie(*shape, found.pixel_size, found.frame_interval, by_z)
