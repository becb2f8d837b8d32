"""Tables of movies: any separator and encoding; each row is a movie."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from napari_interpdisc.cli.common import MovieFiles
from napari_interpdisc.cli.movie_table import movies_of_table
from napari_interpdisc.errors import InvalidInput

BASE = MovieFiles(Path(), Path(), diameter="30", channel=2)


@pytest.mark.parametrize(
    ("separator", "encoding", "comma"),
    [(",", "utf-8", "."), (";", "utf-8-sig", ","), ("\t", "utf-16", "."), (";", "cp1252", ",")],
)
def test_each_row_is_a_movie(tmp_path: Path, separator: str, encoding: str, comma: str) -> None:
    path = tmp_path / "movies.csv"
    rows = [
        ["Image", "Cells", "labels", "diameter", "channel", "channel_axis"],
        ["ä 1.tif", "a/1.csv", "", f"24{comma}5", "", ""],
        ["b.tif", "b.csv", "masks.tif", "", "0", "1"],
    ]
    path.write_text("\n".join(map(separator.join, rows)), encoding=encoding)
    first, second = movies_of_table(BASE, path)
    assert (first.image, first.tracks) == (tmp_path / "ä 1.tif", tmp_path / "a/1.csv")
    assert (first.labels, first.channel, first.channel_axis) == (None, 2, None)
    assert float(first.diameter) == 24.5
    assert second.labels == tmp_path / "masks.tif"
    assert (second.diameter, second.channel, second.channel_axis) == ("30", 0, "1")


def test_rows_without_numbers_are_movies(tmp_path: Path) -> None:
    path = tmp_path / "movies.csv"
    path.write_text("image,cells\n" + "".join(f"{k}a.tif,{k}a.csv\n" for k in range(7)))
    assert [movie.image.name for movie in movies_of_table(BASE, path)] == [
        f"{k}a.tif" for k in range(7)
    ]
    table = pd.DataFrame({"image": ["a.tif"], "cells": ["a.csv"], "channel": [1]})
    table.to_parquet(tmp_path / "movies.parquet")
    assert movies_of_table(BASE, tmp_path / "movies.parquet")[0].channel == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("image,tracks\na,b\n", "has no column 'cells'"),
        ("image,cells,mask\na,b,c\n", "has a column 'mask', which is not understood"),
        ("image,cells\na,\n", "has no image or no cells in row 0"),
        ("image,cells,channel\na,b,red\n", "has 'red' for channel"),
        ("image,cells,diameter\na,b,wide\n", "'wide' is no diameter"),
        ("image,cells\n", "names no movie"),
        ("", "is empty"),
    ],
)
def test_tables_that_are_refused(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "movies.csv"
    path.write_text(text)
    with pytest.raises(InvalidInput, match=told):
        movies_of_table(BASE, path)
