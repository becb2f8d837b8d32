"""Whether a table holds the cells of several images, as exports of whole plates and projects do."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc.io.dialects import MOVIE_NAMES, Column

if TYPE_CHECKING:
    import pandas as pd


def several_movies(
    table: pd.DataFrame, columns: Sequence[Column], t: npt.NDArray[np.int64]
) -> tuple[str, list[str]] | None:
    """Return the column that tells images apart within one frame, and its values; None for none.

    A column that differs from frame to frame only, such as the name of each frame's file, or in
    every row, such as a file for each cell, tells no images apart.

    Parameters
    ----------
    table
        One row per cell and time, N in all.
    columns
        Its columns, in their order.
    t
        (N,) frame of each row.
    """
    found: list[tuple[str, list[str]]] = []
    for position, column in enumerate(columns):
        if not any(fnmatchcase(column.key, name) for name in MOVIE_NAMES):
            continue
        values = table.iloc[:, position]
        names = values[values.notna()].unique()
        if 1 < len(names) < len(values) and _differ_within_a_frame(values, t):
            found.append((column.name, [str(name) for name in names]))
    # one name for each image says it best
    return min(found, key=lambda column: len(column[1]), default=None)


def _differ_within_a_frame(values: pd.Series[Any], t: npt.NDArray[np.int64]) -> bool:
    import pandas as pd

    pairs = pd.DataFrame({"t": t, "value": values.to_numpy()}).dropna().drop_duplicates()
    return bool(pairs["t"].duplicated().any())
