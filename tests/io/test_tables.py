"""Tables of text as programs write them: separators, encodings, headers and unit rows."""

from __future__ import annotations

import gzip
import io
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.tables import (
    Table,
    columns_of_file,
    parse_table,
    read_parquet,
    read_table,
)

TEXT = "t,y,x,track_id,area [\N{MICRO SIGN}m²]\n0,1.5,3.5,7,2.5\n1,2.25,4.5,7,2.5\n"


def positions(table: Table) -> list[list[float]]:
    return table.frame[["t", "y", "x"]].to_numpy(float).tolist()


RIGHT = [[0, 1.5, 3.5], [1, 2.25, 4.5]]


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (TEXT.encode(), ()),
        (b"\xef\xbb\xbf" + TEXT.encode(), ()),
        (TEXT.replace("\n", "\r\n").encode(), ()),
        (TEXT.replace("\n", "\r").encode(), ()),
        (TEXT.encode("cp1252"), ("Windows-1252, not UTF-8",)),
        (TEXT.encode("utf-16"), ("UTF-16",)),
        (TEXT.encode("utf-16-le"), ("UTF-16",)),
        (TEXT.encode("utf-16-be"), ("UTF-16",)),
        (gzip.compress(TEXT.encode(), mtime=0), ()),
        (TEXT.replace(",", ";").encode(), ()),
        (TEXT.replace(",", "\t").encode(), ()),
        (TEXT.replace(",", "|").encode(), ()),
        (TEXT.replace(",", ", ").encode(), ()),
        (TEXT.replace(" [\N{MICRO SIGN}m²]", "").replace(",", " ").encode(), ()),
        (TEXT.replace(",", ";").replace(".", ",").encode(), ("decimal commas",)),
        (TEXT.replace(",", "\t").replace(".", ",").encode(), ("decimal commas",)),
        (("\n\n" + TEXT).encode(), ("the names of the columns are in line 3",)),
        (("sep=,\n" + TEXT).encode(), ("the names of the columns are in line 2",)),
        (
            ("Cells of x, y and t\nmade on Monday\n==== \n" + TEXT).encode(),
            ("the names of the columns are in line 4",),
        ),
        (("# " + TEXT).encode(), ()),
        (TEXT.replace("\n0", "\n(sec),(pixel),(pixel),,\n0").encode(), ("1 more header row",)),
    ],
)
def test_the_same_table_however_it_is_written(raw: bytes, told: tuple[str, ...]) -> None:
    table = parse_table(raw, "a.csv")
    table.frame.columns = ["t", *table.frame.columns[1:]]  # "# t" of one of them
    assert positions(table) == RIGHT
    assert table.told == told


def test_quotes_around_everything() -> None:
    text = "\n".join(
        ",".join(f'"{cell}"' for cell in line.split(",")) for line in TEXT.splitlines()
    )
    assert positions(parse_table(text.encode(), "a.csv")) == RIGHT


def test_quoted_decimal_commas() -> None:
    text = 't,y,x\n0,"1,5","3,5"\n1,"2,25","4,5"\n'
    assert positions(parse_table(text.encode(), "a.csv")) == RIGHT


def test_a_decimal_comma_far_down_is_seen() -> None:
    whole = "".join(f"{i};1;2\n" for i in range(300))
    table = parse_table(("t;y;x\n" + whole + "300;1,25;2\n").encode(), "a.csv")
    assert table.frame["y"].iloc[-1] == 1.25
    with pytest.raises(InvalidInput, match="writes thousands"):
        parse_table(("t;y;x\n" + whole + "300;1,025.5;2\n").encode(), "a.csv")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('t,y,x\n0,"1,058.75",2\n', r"Column 'y' of a.csv writes thousands .*\(1,058.75\)"),
        ("t;y;x\n0;1.058,75;2\n", "writes thousands with a separator"),
        ("t\ty\tx\n0\t1 058.5\t2\n", "writes thousands with a separator"),
        ("t\ty\tx\n0\t1,058\t2\n", "1,058 may be a number with a decimal comma or one with"),
        ("", "is empty; give a table with columns"),
        ("\n \n", "is empty"),
        ("1,2,3,4\n1,3,3,4\n", "no row of column names .*such as track_id,t,y,x"),
        ("t,y,x\n0,1,2,9\n1,2,3,8\n5,2,3,4,7\n", "3 column names, but 4 values in line 2"),
        ("t,y,x\n0,1,2\n0,1,2,3\n", "3 column names, but 4 values in line 3"),
    ],
)
def test_tables_that_could_be_misread_are_refused(text: str, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        parse_table(text.encode(), "a.csv")


@pytest.mark.parametrize(
    "raw",
    [b"PK\x03\x04" + bytes(50), TEXT.encode("utf-16")[:-1], gzip.compress(b"t,y", mtime=0)[:-4]],
)
def test_other_bytes_are_no_table(raw: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"no table of text|no whole UTF-16|damaged gzip"):
        parse_table(raw, "a.csv")


def test_rows_that_end_in_a_comma_do_not_shift() -> None:
    text = "t,y,x,area\n0,1.5,3.5,600,\n1,2.25,4.5,610,\n"
    table = parse_table(text.encode(), "a.csv")
    assert positions(table) == RIGHT
    assert table.frame["area"].tolist() == [600, 610]
    assert list(table.frame) == ["t", "y", "x", "area"]
    # only some rows, and the header too
    some = "t,y,x,area,\n0,1.5,3.5,600,\n1,2.25,4.5,610\n"
    assert list(parse_table(some.encode(), "a.csv").frame) == ["t", "y", "x", "area"]


def test_rows_with_names_of_their_own_do_not_shift() -> None:
    table = parse_table(b'"t","y","x"\n"1",0,1.5,3.5\n"2",1,2.25,4.5\n', "a.csv")
    assert positions(table) == RIGHT
    assert table.told == ("the first column, which has no name, holds names of rows",)


def test_a_column_without_a_name_that_counts_the_rows_is_left_out() -> None:
    assert list(parse_table(b",t,y,x\n0,0,1,2\n1,1,3,4\n", "a.csv").frame) == ["t", "y", "x"]
    kept = parse_table(b"t,y,x,\n0,1,2,a\n1,3,4,a\n", "a.csv").frame
    assert kept.iloc[:, 3].tolist() == ["a", "a"]


def test_the_four_header_rows_of_trackmate() -> None:
    text = (
        "LABEL,ID,TRACK_ID,POSITION_X,POSITION_Y,POSITION_T,FRAME,QUALITY\n"
        "Label,Spot ID,Track ID,X,Y,T,Frame,Quality\n"
        "Label,Spot ID,Track ID,X,Y,T,Frame,Quality\n"
        ",,,(micron),(micron),(sec),,(quality)\n"
        "ID1,1,,3.5,1.5,0,0,5\n"
    )
    table = parse_table(text.encode(), "spots.csv")
    assert table.units["POSITION_X"] == "um"
    assert table.units["POSITION_T"] == "s"
    assert table.told == ("3 more header rows",)
    assert len(table.frame) == 1


def test_a_row_without_numbers_among_the_cells_is_no_unit_row() -> None:
    """CellProfiler writes an empty row for a frame without objects."""
    table = parse_table(b"t,y,x,kind\n0,,,a\n1,2,3,b\n", "a.csv")
    assert len(table.frame) == 2


def test_numbers_of_tracks_are_text_so_that_none_is_rounded() -> None:
    table = parse_table(b"t,y,x,TrackID,parent\n0,1,2,9007199254740993,\n1,1,2,,3\n", "a.csv")
    assert table.frame["TrackID"].iloc[0] == "9007199254740993"
    assert table.frame["parent"].iloc[1] == "3"


def test_columns_that_the_user_names_tell_the_header() -> None:
    text = b"Report\nA,B,C\n1,2,3\n4,5,6\n"
    assert list(parse_table(text, "a.csv", ["C", "B"]).frame) == ["A", "B", "C"]


def test_the_columns_of_a_file_that_may_be_no_table(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("A;B\n1;2\n")
    (tmp_path / "b.csv").write_text("")
    (tmp_path / "c.h5").write_text("A,B")
    pd.DataFrame({"A": [1], "B": [2]}).to_parquet(tmp_path / "d.parquet")
    found = [columns_of_file(tmp_path / name) for name in ("a.csv", "b.csv", "c.h5", "d.parquet")]
    assert found == [["A", "B"], [], [], ["A", "B"]]


def test_a_name_twice() -> None:
    frame = parse_table(b"t,y,x,a,a\n0,1,2,3,4\n", "a.csv").frame
    assert list(frame) == ["t", "y", "x", "a", "a.1"]


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode())))
    table = read_table(Path("-"))
    assert positions(table) == RIGHT
    assert table.source == "standard input"


def test_the_index_of_a_parquet_table_is_read(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"frame": [0, 1], "index": [0, 0], "y": [1.5, 2.25], "x": [3.5, 4.5], "track_id": [1, 1]}
    ).set_index(["frame", "index"])
    frame.to_parquet(tmp_path / "a.parquet")
    assert list(read_parquet(tmp_path / "a.parquet").frame) == [
        "frame",
        "index",
        "y",
        "x",
        "track_id",
    ]
    frame.reset_index("frame").reset_index(drop=True).to_parquet(tmp_path / "b.parquet")
    assert list(read_parquet(tmp_path / "b.parquet").frame) == ["frame", "y", "x", "track_id"]
    # an index that repeats a column
    frame.reset_index("frame").set_index("frame", drop=False).to_parquet(tmp_path / "c.parquet")
    np.testing.assert_array_equal(read_parquet(tmp_path / "c.parquet").frame["frame"], [0, 1])


def test_names_in_two_rows_are_joined() -> None:
    text = (
        "Label,Spot frame,Spot position,Spot position\n,,X,Y\n,,(px),(px)\n1,0,3.5,1.5\n2,1,4.5,2\n"
    )
    table = parse_table(text.encode(), "spots.csv")
    assert [*table.frame] == ["Label", "Spot frame", "Spot position X", "Spot position Y"]
    assert table.units["Spot position X"] == "px"


def test_a_separator_that_is_not_in_the_rows_is_none() -> None:
    text = "Spot X,at Y,Name of it\n1,2,a\n"
    assert [*parse_table(text.encode(), "c.csv").frame] == ["Spot X", "at Y", "Name of it"]


def test_the_names_of_an_unknown_table_stand_above_its_numbers() -> None:
    table = parse_table(b"Made by us\n\nacross,down,when\n1,2,3\n", "c.csv")
    assert [*table.frame] == ["across", "down", "when"]


def test_lines_of_comments_and_minus_signs() -> None:
    text = "t,y,x\n0,1.5,\N{MINUS SIGN}3.5\n# end of file\n"
    table = parse_table(text.encode(), "c.csv")
    assert positions(table) == [[0, 1.5, -3.5]]


def test_a_bomb_of_text_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_interpdisc.io.tables.LARGEST_TEXT", 1000)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"t,y,x\n" + b"0,1,2\n" * 1000))
    (tmp_path / "b.csv").write_bytes(b"t,y,x\n" + b"0,1,2\n" * 1000)
    for name in ("a.csv.gz", "b.csv"):
        with pytest.raises(InvalidInput, match="more than 1000 bytes of text; save it as Parquet"):
            read_table(tmp_path / name)


@pytest.mark.skipif(os.name != "posix", reason="devices are files on POSIX alone")
def test_a_device_is_no_table() -> None:
    with pytest.raises(InvalidInput, match="/dev/zero is a device, where a table is expected"):
        read_table(Path("/dev/zero"))
