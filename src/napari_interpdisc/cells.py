"""The cell table: one row per cell and time, with centroids in the pixels of its image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc.errors import InvalidInput

if TYPE_CHECKING:
    import pandas as pd

    from napari_interpdisc.frames import Frames

COLUMN_NAMES: Mapping[str, tuple[str, ...]] = {
    "t": ("t", "frame", "time", "timepoint", "t_index", "axis-0"),
    "y": ("y", "centroid-0", "centroid_y", "pos_y", "axis-1"),
    "x": ("x", "centroid-1", "centroid_x", "pos_x", "axis-2"),
    "track_id": ("track_id", "id", "trackid", "track id", "track", "label"),
}
"""Column names that are understood, best first; case does not matter."""


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
        Further columns of the source, each (N,), carried through unread.
    """

    t: npt.NDArray[np.int64]
    yx: npt.NDArray[np.float64]
    track_id: npt.NDArray[np.int64]
    row: npt.NDArray[np.int64]
    source: str = "cells"
    extra: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)

    @classmethod
    def from_arrays(
        cls,
        t: npt.ArrayLike,
        yx: npt.ArrayLike,
        track_id: npt.ArrayLike | None = None,
        row: npt.ArrayLike | None = None,
        source: str = "cells",
        extra: Mapping[str, npt.ArrayLike] | None = None,
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
        off = (np.abs(times - whole) > 1e-6) | (whole < 0)
        if off.any():
            raise InvalidInput(
                f"'{source}' has a time of {times[off][0]:g} in row {np.flatnonzero(off)[0]}; "
                "times are frame numbers: whole and not negative."
            )
        ids = np.arange(n) if track_id is None else np.asarray(track_id)
        if ids.dtype.kind == "f" and not np.isfinite(ids).all():
            raise InvalidInput(f"'{source}' has rows without a track id; fill or drop that column.")
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
        )

    @classmethod
    def from_frame(cls, table: pd.DataFrame, source: str = "cells") -> CellTable:
        """Build a table from a data frame, finding columns by :data:`COLUMN_NAMES`.

        y and x are required; t may be missing (all cells are then in frame 0), and so may
        track_id. Positions are in pixels.

        Raises
        ------
        InvalidInput
            If y or x is missing, or a value cannot be used.
        """
        lowered = {str(c).strip().lower(): c for c in reversed(list(table.columns))}
        found: dict[str, Any] = {}
        for wanted, names in COLUMN_NAMES.items():
            for name in names:
                if name not in lowered or lowered[name] in found.values():
                    continue
                if name == "label" and not _is_number(table[lowered[name]]):
                    continue  # the name of a class, not the number of a mask
                found[wanted] = lowered[name]
                break
        missing = [name for name in ("y", "x") if name not in found]
        if missing:
            raise InvalidInput(
                f"'{source}' has no column for {' and '.join(missing)} (it has "
                f"{', '.join(map(str, table.columns))}); name the columns t, y, x and track_id."
            )
        columns: dict[str, npt.NDArray[Any]] = {}
        for wanted, name in found.items():
            try:
                columns[wanted] = table[name].to_numpy(dtype=np.float64)
            except (TypeError, ValueError):
                raise InvalidInput(
                    f"Column '{name}' of '{source}' holds values that are not numbers."
                ) from None
        n = len(table)
        rest = {str(c): table[c].to_numpy() for c in table.columns if c not in found.values()}
        return cls.from_arrays(
            columns.get("t", np.zeros(n)),
            np.column_stack([columns["y"], columns["x"]]),
            columns.get("track_id"),
            source=source,
            extra=rest,
        )

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
        )

    def to_frame(self) -> pd.DataFrame:
        """Return columns t, y, x, track_id as a data frame."""
        import pandas as pd

        return pd.DataFrame(
            {"t": self.t, "y": self.yx[:, 0], "x": self.yx[:, 1], "track_id": self.track_id}
        )

    def check_inside(self, frames: Frames) -> None:
        """Raise unless every centroid lies within the frames' time range and field of view.

        Raises
        ------
        InvalidInput
            If a time has no frame, or a centroid is outside the image by more than half a pixel.
        """
        n_frames, height, width = frames.shape
        late = self.t >= n_frames
        if late.any():
            raise InvalidInput(
                f"{late.sum()} of {len(self)} cells in '{self.source}' are at times up to "
                f"{self.t.max()}, but the image has {n_frames} frame{'s' * (n_frames > 1)} "
                f"(0 to {n_frames - 1}); choose the image that these cells belong to."
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


def at_most(rows: npt.NDArray[np.intp], most: int, seed: int) -> npt.NDArray[np.intp]:
    """Rows of at most so many cells, in order: all of them, or some that are drawn at random.

    The same seed draws the same rows wherever cells are drawn.
    """
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def _is_number(column: pd.Series[Any]) -> bool:
    return bool(np.issubdtype(column.to_numpy().dtype, np.number))
