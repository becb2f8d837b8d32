"""The cell table: one row per cell and time, with centroids in the pixels of its image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import BoolArray
from napari_interpdisc.errors import InvalidInput

if TYPE_CHECKING:
    import pandas as pd

    from napari_interpdisc.frames import Frames

LAST_FRAME = 2**31 - 1
"""Number of the last frame that a cell can be in: later ones are damage, or no frames."""

SUFFIX = "_in_file"
"""Ending of a column of the user's own whose name is one of a result's."""


@dataclass(frozen=True)
class Taken:
    """What was taken for what, when cells were read.

    Attributes
    ----------
    sentence
        One line: the columns of time, position and track, and what was converted.
    notes
        Sentences about rows that could not be used, and other things to look at.
    timed, tracked
        Whether the source tells the frame, and the track, of a cell.
    columns
        Names of the source's columns.
    names
        What columns are called here whose name in the source is another: ``{"Frame": "t"}``.
    results
        Columns of the source that an earlier run of this program wrote: new results replace them.
    """

    sentence: str = ""
    notes: tuple[str, ...] = ()
    timed: bool = True
    tracked: bool = True
    columns: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    results: tuple[str, ...] = ()


@dataclass(frozen=True)
class CellTable:
    """Cells of one movie; an immutable set of equally long columns.

    Attributes
    ----------
    t
        (N,) int64 frame number, 0 for a still image.
    yx
        (N, 2) float64 centroid in image pixels (integers are pixel centres).
    track_id
        (N,) int64; the row number where cells are not tracked.
    row
        (N,) int64 row in the source (layer or file): the key by which results find their way back.
    source
        Name of the layer or file.
    extra
        Further columns of the source, each (N,), carried through to every result.
    graph
        Tracks that descend from others, and those: ``{child: (parent, …)}``, as napari's Tracks
        take it.
    taken
        What was taken for what, if the cells were read from a file.
    """

    t: npt.NDArray[np.int64]
    yx: npt.NDArray[np.float64]
    track_id: npt.NDArray[np.int64]
    row: npt.NDArray[np.int64]
    source: str = "cells"
    extra: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    graph: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    taken: Taken = field(default_factory=Taken)

    @classmethod
    def from_arrays(
        cls,
        t: npt.ArrayLike,
        yx: npt.ArrayLike,
        track_id: npt.ArrayLike | None = None,
        row: npt.ArrayLike | None = None,
        source: str = "cells",
        extra: Mapping[str, npt.ArrayLike] | None = None,
        graph: Mapping[int, tuple[int, ...]] | None = None,
        taken: Taken | None = None,
    ) -> CellTable:
        """Build a table from columns of length N, checking that every value can be used.

        Raises
        ------
        InvalidInput
            If there are no cells, a coordinate is NaN or infinite, a time is not a whole number
            ≥ 0, or lengths differ.
        """
        times = np.atleast_1d(np.asarray(t, dtype=np.float64))
        centroids = np.asarray(yx, dtype=np.float64).reshape(-1, 2)
        n = len(times)
        if n == 0:
            raise InvalidInput(f"'{source}' holds no cells; give at least one centroid.")
        if len(centroids) != n:
            raise InvalidInput(f"'{source}' has {n} times but {len(centroids)} centroids.")
        bad = ~(np.isfinite(times) & np.isfinite(centroids).all(1))
        if bad.any():
            raise InvalidInput(
                f"{bad.sum()} of {n} cells in '{source}' have NaN or infinite coordinates "
                f"(first in row {np.flatnonzero(bad)[0]}); remove or repair those rows."
            )
        whole = np.rint(times)
        off = (np.abs(times - whole) > 1e-6) | (whole < 0) | (whole > LAST_FRAME)
        if off.any():
            raise InvalidInput(
                f"'{source}' has a time of {times[off][0]:g} in row {np.flatnonzero(off)[0]}; "
                f"times are frame numbers: whole and not negative, at most {LAST_FRAME}."
            )
        ids = np.arange(n) if track_id is None else np.asarray(track_id)
        if ids.dtype.kind == "f" and not np.isfinite(ids).all():
            raise InvalidInput(f"'{source}' has rows without a track id; fill or drop that column.")
        wrong = no_integers(ids)
        if wrong.any():
            first = np.flatnonzero(wrong)[0]
            raise InvalidInput(
                f"'{source}' has a track id of {ids[first]:g} in row {first}; track ids are whole "
                "numbers below 2^63."
            )
        rows = np.arange(n) if row is None else np.asarray(row)
        columns = {k: np.asarray(v) for k, v in (extra or {}).items()}
        for name, column in {"track_id": ids, "row": rows, **columns}.items():
            if len(column) != n:
                raise InvalidInput(
                    f"Column '{name}' of '{source}' has {len(column)} rows, not {n}."
                )
        return cls(
            whole.astype(np.int64),
            centroids,
            ids.astype(np.int64),
            rows.astype(np.int64),
            source,
            columns,
            dict(graph or {}),
            taken or Taken(tracked=track_id is not None),
        )

    @classmethod
    def from_frame(cls, table: pd.DataFrame, source: str = "cells") -> CellTable:
        """Build a table from a data frame whose columns are those of a known program.

        y and x are required, in pixels; t may be missing for a still image, and so may track_id.
        :mod:`napari_interpdisc.io.columns` does the work, and takes units and other names.

        Raises
        ------
        InvalidInput
            If the columns are not known, contradict each other, or no row can be used.
        """
        from napari_interpdisc.io.columns import cells_of_frame

        return cells_of_frame(table, source)

    def __len__(self) -> int:
        """Return the number of cells."""
        return len(self.t)

    def take(self, rows: npt.ArrayLike) -> CellTable:
        """Return the cells at positions (or where a boolean mask is True) ``rows``."""
        which = np.asarray(rows)
        return CellTable(
            self.t[which],
            self.yx[which],
            self.track_id[which],
            self.row[which],
            self.source,
            {k: v[which] for k, v in self.extra.items()},
            self.graph,
            self.taken,
        )

    def column(self, name: str) -> npt.NDArray[Any]:
        """Return a column (N,) by its name here, or by its name in the source.

        Raises
        ------
        InvalidInput
            If there is no such column.
        """
        y, x = self.yx.T
        columns: dict[str, npt.NDArray[Any]] = {
            "track_id": self.track_id,
            "t": self.t,
            "y": y,
            "x": x,
            **self.extra,
        }
        known = name if name in columns else self.taken.names.get(name)
        if known is None:
            raise InvalidInput(
                f"{self.source} has no column '{name}'; it has {', '.join(columns)}."
            )
        return columns[known]

    def own_names(self, taken: Iterable[str] = ()) -> dict[str, str]:
        """Names of the source's own columns in a table that has others, ``taken``, too.

        A name that is one of those, or t, y, x or track_id, gets the ending :data:`SUFFIX`. Results
        of an earlier run are left out where there are new ones.
        """
        others = list(taken)
        used = {"t", "y", "x", "track_id", *others}
        names: dict[str, str] = {}
        for name in self.extra:
            if others and name in self.taken.results:
                continue
            free = name
            while free in used:
                free += SUFFIX
            names[name] = free
            used.add(free)
        return names

    def to_frame(self, results: pd.DataFrame | None = None) -> pd.DataFrame:
        """Return columns t, y, x, track_id, the source's own, and those of ``results`` (N rows).

        The source's own are named by :meth:`own_names`.
        """
        import pandas as pd

        core = pd.DataFrame(
            {"t": self.t, "y": self.yx[:, 0], "x": self.yx[:, 1], "track_id": self.track_id}
        )
        names = self.own_names([] if results is None else map(str, results))
        own = {new: self.extra[name] for name, new in names.items()}
        parts = [core, pd.DataFrame(own, index=core.index)]
        if results is not None:
            parts.append(results.set_axis(core.index))
        return pd.concat(parts, axis=1)

    def check_inside(self, frames: Frames) -> None:
        """Raise unless every centroid lies within the frames' time range and field of view.

        Raises
        ------
        InvalidInput
            If a time has no frame, or a centroid is outside the image by more than half a pixel.
        """
        n_frames, height, width = frames.shape
        if n_frames > 1 and not self.taken.timed:
            has = f" (it has {', '.join(self.taken.columns)})" if self.taken.columns else ""
            raise InvalidInput(
                f"'{self.source}' has no column of times that is known{has}, and the image has "
                f"{n_frames} frames; name it with --columns, such as t=Frame."
            )
        late = self.t >= n_frames
        if late.any():
            how = ", or say how the table counts (--first-frame, --frame-interval)"
            raise InvalidInput(
                f"{late.sum()} of {len(self)} cells in '{self.source}' are at times up to "
                f"{self.t.max()}, but the image has {n_frames} frame{'s' * (n_frames > 1)} "
                f"(0 to {n_frames - 1}); choose the image that these cells belong to"
                f"{how if self.taken.columns else ''}."
            )
        outside = (
            (self.yx < -0.5).any(1) | (self.yx[:, 0] > height - 0.5) | (self.yx[:, 1] > width - 0.5)
        )
        if outside.any():
            first = np.flatnonzero(outside)[0]
            y, x = self.yx[first]
            raise InvalidInput(
                f"{outside.sum()} of {len(self)} cells in '{self.source}' lie outside the image "
                f"of {height} by {width} px (first: y = {y:.1f}, x = {x:.1f}); check the scale of "
                "the layers, or whether y and x are exchanged (--swap-xy on the command line)."
            )


def no_integers(values: npt.NDArray[Any]) -> BoolArray:
    """Whether each number is one that an integer of 64 bits does not hold: NaN, 0.5, 2⁶³."""
    if values.dtype.kind == "f":
        return np.asarray((values != np.rint(values)) | ~(np.abs(values) < 2.0**63))
    if values.dtype.kind == "u":
        return np.asarray(values > np.iinfo(np.int64).max)
    return np.zeros(values.shape, bool)


def at_most(rows: npt.NDArray[np.intp], most: int, seed: int) -> npt.NDArray[np.intp]:
    """Rows of at most so many cells, in order: all of them, or some that are drawn at random.

    The same seed draws the same rows wherever cells are drawn.
    """
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def track_and_frame(text: str) -> tuple[int, int | None]:
    """Track and frame of ``TRACK:FRAME``, such as ``12:30``; no frame of ``TRACK`` alone.

    Raises
    ------
    InvalidInput
        If that is no track and frame.
    """
    track, colon, frame = text.strip().partition(":")
    try:
        return int(track), int(frame) if colon else None
    except ValueError:
        raise InvalidInput(
            f"'{text}' is no cell: give its track and its frame, such as 12:30."
        ) from None


def row_of(cells: CellTable, text: str) -> int:
    """Row of the cell that ``TRACK:FRAME`` means, such as ``12:30``; ``TRACK`` if it has one row.

    Raises
    ------
    InvalidInput
        If that is no track and frame, or there is no such cell, or more than one.
    """
    wanted = track_and_frame(text)
    of_track = np.flatnonzero(cells.track_id == wanted[0])
    if not len(of_track):
        ids = np.unique(cells.track_id)
        raise InvalidInput(
            f"'{cells.source}' has no track {wanted[0]}; it has {len(ids)} tracks, from "
            f"{ids[0]} to {ids[-1]}."
        )
    rows = of_track if wanted[1] is None else of_track[cells.t[of_track] == wanted[1]]
    times = cells.t[of_track]
    if not len(rows):
        raise InvalidInput(
            f"Track {wanted[0]} has no cell in frame {wanted[1]}; its frames go from "
            f"{times.min()} to {times.max()}, counted from 0."
        )
    if len(rows) > 1:
        raise InvalidInput(
            f"Track {wanted[0]} has {len(rows)} cells"
            + (
                f" in frame {wanted[1]}; its ids are not unique."
                if wanted[1] is not None
                else f"; give the frame too, such as {wanted[0]}:{times[0]}."
            )
        )
    return int(rows[0])
