"""Rows of a table of movies: each with its image, its cells, and what else differs between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from napari_interpdisc.errors import InvalidInput

if TYPE_CHECKING:
    import pandas as pd

OF_A_MOVIE = ("image", "cells", "labels", "diameter", "channel", "channel_axis")
"""Columns of a table of movies; the first two must be there."""


@dataclass(frozen=True)
class MovieRow:
    """One movie.

    Attributes
    ----------
    text
        Text of every column, empty where the table says nothing.
    diameter, channel
        Numbers of these columns; None where the table says nothing.
    """

    text: dict[str, str]
    diameter: float | Literal["auto"] | None
    channel: int | None


def read_movie_rows(path: Path, more: Sequence[str] = ()) -> list[MovieRow]:
    """Read a table of movies in text, of any separator and encoding, or Parquet.

    Parameters
    ----------
    path
        The table.
    more
        Names of columns that it may have beside :data:`OF_A_MOVIE`.

    Raises
    ------
    InvalidInput
        If it cannot be read, has other columns, or a row lacks an image or cells.
    """
    from napari_interpdisc.io.track_ids import id_text

    table = _read(path)
    known = (*OF_A_MOVIE, *more)
    names = {str(name).strip().lower(): str(name) for name in table.columns}
    missing = [name for name in OF_A_MOVIE[:2] if name not in names]
    strange = [name for name in names if name not in known]
    if missing or strange or not len(table):
        what = (
            f"has no column '{missing[0]}'"
            if missing
            else f"has a column '{strange[0]}', which is not understood"
            if strange
            else "names no movie"
        )
        rest = "the last four" if not more else "all but the first two"
        raise InvalidInput(
            f"{path} {what}; a table of movies has the columns {', '.join(known)}, {rest} where "
            "they are needed."
        )
    rows = table.rename(columns={own: name for name, own in names.items()}).to_dict("records")
    found = []
    for line, row in enumerate(rows):
        # a column of numbers with an empty field holds 0.0 in place of 0
        text = {name: id_text(row[name]) if name in row else "" for name in known}
        if not text["image"] or not text["cells"]:
            raise InvalidInput(f"{path} has no image or no cells in row {line}; fill them in.")
        found.append(MovieRow(text, _diameter(text["diameter"]), _channel(text["channel"], path)))
    return found


def _read(path: Path) -> pd.DataFrame:
    from napari_interpdisc.io.tables import read_parquet, read_table

    if path.suffix.lower() == ".parquet":
        return read_parquet(path).frame
    return read_table(path, OF_A_MOVIE[:2], of_cells=False).frame


def _diameter(text: str) -> float | Literal["auto"] | None:
    from napari_interpdisc.crops import check_diameter

    if not text:
        return None
    if text.strip().lower() == "auto":
        return "auto"
    try:
        return check_diameter(float(text.replace(",", ".")))
    except InvalidInput:
        raise
    except ValueError:
        raise InvalidInput(
            f"'{text}' is no diameter: give a number of pixels, or auto to have it estimated."
        ) from None


def _channel(text: str, path: Path) -> int | None:
    try:
        return int(text) if text else None
    except ValueError:
        raise InvalidInput(f"{path} has '{text}' for channel; give a whole number.") from None
