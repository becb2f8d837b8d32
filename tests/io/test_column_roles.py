"""Which column is what: by dialect, or as named; refused where neither tells."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.columns import Asked, Movie, cells_of_frame, columns_of_text

from .conftest import MOVIE, PROGRAMS, TRACK, T, X, Y, one, table


def test_units_in_a_row_or_a_column_of_their_own() -> None:
    frame = table("t,y,x,track", T, Y, X, TRACK)
    cells = cells_of_frame(frame, "a", Asked(pixel_size=0.5), units={"y": "um", "x": "um"})
    np.testing.assert_allclose(cells.yx, 2 * np.column_stack([Y, X]))
    imaris = PROGRAMS["Imaris"]().assign(Unit="um")
    cells = cells_of_frame(imaris, "a", Asked(pixel_size=0.5), MOVIE)
    np.testing.assert_allclose(cells.yx, 2 * np.column_stack([Y, X]))
    with pytest.raises(InvalidInput, match="positions in px and um; give a table in one unit"):
        cells_of_frame(imaris.assign(Unit=["um"] * 5 + ["px"]), "a", Asked(pixel_size=0.5))


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        (
            "a,b,c,d",
            "no column for y and x that is known .it has a, b, c, d.; name its columns with",
        ),
        ("t,y,b,c", "no column for x that is known"),
        ("FRAME,TRACK_ID,POSITION_X,POSITION_Y,QUALITY,centroid-0,centroid-1", "in two ways, as"),
        (
            "frame,track,centroid-0,centroid-1,y,x",
            "two ways, as regionprops_table .* or a plain",
        ),
        ("t,y,x,pos_x", "two columns for x, 'x' and 'pos_x', which differ"),
    ],
)
def test_tables_that_are_not_understood_are_refused_with_their_columns(
    header: str, sentence: str
) -> None:
    n = len(header.split(","))
    frame = table(header, *([0, i + 1.0] for i in range(n)))
    with pytest.raises(InvalidInput, match=sentence):
        cells_of_frame(frame)


def test_columns_can_be_named() -> None:
    frame = table("Bild,Zeile,Spalte,Spur,y", T, Y, X, TRACK, [0.0] * 6)
    asked = Asked(columns_of_text("t=Bild,y=Zeile, x=Spalte,track_id=Spur"))
    cells = cells_of_frame(frame, "a", asked, MOVIE)
    np.testing.assert_array_equal(cells.yx, np.column_stack([Y, X]))
    np.testing.assert_array_equal(cells.t, T)
    np.testing.assert_array_equal(cells.track_id, TRACK)
    assert list(cells.extra) == ["y"]
    # one role more than the dialect knows, and one less
    frame = table("t,y,x,lineage,track_id", T, Y, X, TRACK, range(6))
    assert cells_of_frame(frame, "a", Asked({"track_id": "lineage"})).track_id.tolist() == TRACK
    assert not cells_of_frame(frame, "a", Asked({"track_id": ""})).taken.tracked
    with pytest.raises(
        InvalidInput, match="has no column 'nose', which --columns names; it has t,"
    ):
        cells_of_frame(frame, "a", Asked({"t": "nose"}))


def test_values_that_are_not_numbers_are_shown() -> None:
    with pytest.raises(InvalidInput, match=r"Column 'y' .* not numbers .first 'north', in row 1"):
        cells_of_frame(table("t,y,x", [0, 0], ["1", "north"], [1, 2]))
    dates = pd.to_datetime(["2026-01-01", "2026-01-02"])
    with pytest.raises(InvalidInput, match="holds dates; give frame numbers"):
        cells_of_frame(table("t,y,x", dates, [1, 2], [1, 2]))


def test_a_frame_alone_is_no_mark_of_imagej() -> None:
    """Others count frames from 0: where a table begins with 1, that is asked."""
    frame = table("label,frame,y,x", [1] * 6, one(*T), Y, X)
    with pytest.raises(InvalidInput, match="--first-frame"):
        cells_of_frame(frame, movie=Movie(9, 40, 60))
    assert cells_of_frame(frame, movie=MOVIE).t.tolist() == T


def test_tables_that_are_not_of_cells_are_called_by_their_name() -> None:
    frame = table("SPOT_SOURCE_ID,SPOT_TARGET_ID,EDGE_X_LOCATION", [1], [2], [3.0])
    with pytest.raises(InvalidInput, match="holds the links of TrackMate, not its spots"):
        cells_of_frame(frame)


def test_a_column_has_one_role() -> None:
    with pytest.raises(InvalidInput, match="--columns names 'a' for y and x"):
        cells_of_frame(table("t,a,b", T, Y, X), asked=Asked({"y": "a", "x": "a"}))
