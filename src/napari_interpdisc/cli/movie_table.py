"""A table of movies, each with its image, its cells and what else differs between them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_interpdisc.cli.common import MovieFiles, diameter_of
from napari_interpdisc.errors import InvalidInput

if TYPE_CHECKING:
    import pandas as pd

OF_A_MOVIE = ("image", "cells", "labels", "diameter", "channel", "channel_axis")
"""Columns of a table of movies; the first two must be there."""


def movies_of_table(base: MovieFiles, path: Path) -> list[MovieFiles]:
    """Files of the movies in a table of text, of any separator and encoding, or Parquet.

    Parameters
    ----------
    base
        What holds for all movies where the table says nothing.
    path
        The table; paths in it are relative to its folder.

    Raises
    ------
    InvalidInput
        If it cannot be read, has other columns, or a row lacks an image or cells.
    """
    table = _read(path)
    names = {str(name).strip().lower(): str(name) for name in table.columns}
    missing = [name for name in OF_A_MOVIE[:2] if name not in names]
    strange = [name for name in names if name not in OF_A_MOVIE]
    if missing or strange or not len(table):
        what = (
            f"has no column '{missing[0]}'"
            if missing
            else f"has a column '{strange[0]}', which is not understood"
            if strange
            else "names no movie"
        )
        raise InvalidInput(
            f"{path} {what}; a table of movies has the columns {', '.join(OF_A_MOVIE)}, the last "
            "four where they are needed."
        )
    rows = table.rename(columns={own: name for name, own in names.items()}).to_dict("records")
    return [_movie(base, path, line, row) for line, row in enumerate(rows)]


def _read(path: Path) -> pd.DataFrame:
    from napari_interpdisc.io.tables import read_parquet, read_table

    if path.suffix.lower() == ".parquet":
        return read_parquet(path).frame
    return read_table(path, OF_A_MOVIE[:2], of_cells=False).frame


def _movie(base: MovieFiles, path: Path, line: int, row: dict[Any, Any]) -> MovieFiles:
    from napari_interpdisc.io.track_ids import id_text

    # a column of numbers with an empty field holds 0.0 in place of 0
    text = {name: id_text(row[name]) if name in row else "" for name in OF_A_MOVIE}
    if not text["image"] or not text["cells"]:
        raise InvalidInput(f"{path} has no image or no cells in row {line}; fill them in.")
    diameter = text["diameter"].replace(",", ".") or base.diameter
    diameter_of(diameter)
    try:
        channel = int(text["channel"]) if text["channel"] else base.channel
    except ValueError:
        raise InvalidInput(
            f"{path} has '{text['channel']}' for channel; give a whole number."
        ) from None
    return replace(
        base,
        image=path.parent / text["image"],
        tracks=path.parent / text["cells"],
        labels=path.parent / text["labels"] if text["labels"] else None,
        diameter=diameter,
        channel=channel,
        channel_axis=text["channel_axis"] or base.channel_axis,
    )
