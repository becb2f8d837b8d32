"""Rows of a table of movies; tests/cli/test_movie_table.py has separators and encodings."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.movie_rows import read_movie_rows


def test_numbers_and_texts_of_a_row(tmp_path: Path) -> None:
    path = tmp_path / "movies.csv"
    path.write_text(
        "image;cells;diameter;channel;well\na.tif;a.csv;24,5;1;A1\nb.tif;b.csv;auto;;\n"
    )
    first, second = read_movie_rows(path, more=("well",))
    assert (first.diameter, first.channel, first.text["well"]) == (24.5, 1, "A1")
    assert (second.diameter, second.channel, second.text["labels"]) == ("auto", None, "")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("image\na.tif\n", "has no column 'cells'"),
        ("image,cells,well\na,b,c\n", "has a column 'well', which is not understood"),
        ("image,cells\na.tif,\n", "has no image or no cells in row 0"),
        ("image,cells,diameter\na,b,large\n", "'large' is no diameter"),
        ("image,cells,diameter\na,b,-2\n", "-2"),
        ("image,cells,channel\na,b,red\n", "has 'red' for channel"),
    ],
)
def test_what_is_amiss(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "movies.csv"
    path.write_text(text)
    with pytest.raises(InvalidInput) as fault:
        read_movie_rows(path)
    assert told in str(fault.value)
