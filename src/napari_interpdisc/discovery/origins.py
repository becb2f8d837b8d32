"""Where labelled cells are: movie, track, frame and place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import Float64Array

if TYPE_CHECKING:
    from napari_interpdisc.cells import CellTable

UNKNOWN = -1


@dataclass(frozen=True)
class Origins:
    """Where N labelled cells are, as far as that is known.

    Attributes
    ----------
    movie, track
        (N,) file or layer, and track or other unit; empty if it is not known.
    t
        (N,) frame, from 0; −1 if it is not known.
    yx
        (N, 2) centroid in image pixels; NaN if it is not known.
    row
        (N,) position in an archive of crops, from 0; −1 for cells of movies.
    """

    movie: npt.NDArray[np.str_]
    track: npt.NDArray[np.str_]
    t: npt.NDArray[np.int64]
    yx: Float64Array
    row: npt.NDArray[np.int64]

    def __len__(self) -> int:
        """Number of cells N."""
        return len(self.t)

    @classmethod
    def of_cells(cls, movie: str, cells: CellTable) -> Origins:
        """Return where the cells of a movie are."""
        n = len(cells)
        return cls(
            np.full(n, movie), cells.track_id.astype(str), cells.t, cells.yx, np.full(n, UNKNOWN)
        )

    @classmethod
    def of_groups(cls, movie: str, groups: npt.NDArray[Any]) -> Origins:
        """Return what is known of (N,) cells whose movie and groups alone are."""
        n = len(groups)
        unknown = np.full(n, UNKNOWN)
        return cls(
            np.full(n, movie), np.asarray(groups).astype(str), unknown, np.full((n, 2), np.nan),
            unknown,
        )  # fmt: skip

    @classmethod
    def of_archive(cls, archive: str, rows: npt.ArrayLike) -> Origins:
        """Return where cells are that are rows of an archive of crops."""
        at = np.asarray(rows, np.int64)
        n = len(at)
        return cls(
            np.full(n, archive), np.full(n, ""), np.full(n, UNKNOWN), np.full((n, 2), np.nan), at
        )

    @classmethod
    def joined(cls, several: Sequence[Origins]) -> Origins:
        """Return the cells of several movies, one after another."""
        return cls(
            *(np.concatenate([getattr(one, own.name) for one in several]) for own in fields(cls))
        )

    def take(self, rows: npt.ArrayLike) -> Origins:
        """Return the cells at some rows."""
        at = np.asarray(rows, np.intp)
        return Origins(*(getattr(self, own.name)[at] for own in fields(self)))
