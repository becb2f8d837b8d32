"""A table of movies, each with its image, its cells and what else differs between them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from napari_interpdisc.cli.common import MovieFiles


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
    from napari_interpdisc.io.movie_rows import MovieRow, read_movie_rows

    def movie(row: MovieRow) -> MovieFiles:
        text = row.text
        return replace(
            base,
            image=path.parent / text["image"],
            tracks=path.parent / text["cells"],
            labels=path.parent / text["labels"] if text["labels"] else None,
            diameter=text["diameter"].replace(",", ".") or base.diameter,
            channel=base.channel if row.channel is None else row.channel,
            channel_axis=text["channel_axis"] or base.channel_axis,
        )

    return [movie(row) for row in read_movie_rows(path)]
