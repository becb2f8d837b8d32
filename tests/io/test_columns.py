"""What each column is taken for: by dialect, unit and values, or asked; never by position."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from napari_interpdisc.cells import CellTable
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.columns import Asked, Movie, cells_of_frame, columns_of_text

from .conftest import MOVIE, PROGRAMS, TRACK, T, X, Y, one, table


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_tables_of_programs(program: str) -> None:
    cells = cells_of_frame(PROGRAMS[program](), movie=MOVIE)
    np.testing.assert_array_equal(cells.t, T)
    np.testing.assert_array_equal(cells.yx, np.column_stack([Y, X]))
    np.testing.assert_array_equal(cells.track_id, TRACK)
    assert cells.taken.tracked
    assert cells.taken.timed
    assert not cells.taken.notes
    assert not cells.graph


def test_a_point_of_a_still_image_has_y_and_x() -> None:
    cells = cells_of_frame(table("index,axis-0,axis-1", [0, 1], [3.0, 4], [5.0, 6]))
    np.testing.assert_array_equal(cells.yx, [[3, 5], [4, 6]])
    assert not cells.taken.timed
    assert "no time" in cells.taken.sentence


def test_the_middle_of_a_box_of_the_roi_manager() -> None:
    frame = table(
        "Index,Name,Type,X,Y,Width,Height,Pos,C,Z,T",
        [0, 1], ["a", "b"], ["Oval"] * 2, [10, 20], [30, 40], [8, 8], [6, 6], [1, 2], [0] * 2,
        [0] * 2, [0] * 2,
    )  # fmt: skip
    cells = cells_of_frame(frame, movie=Movie(2, 100, 100))
    np.testing.assert_array_equal(cells.yx, [[33, 14], [43, 24]])
    np.testing.assert_array_equal(cells.t, [0, 1])


def test_what_was_taken_is_said_in_one_line() -> None:
    frame = table("Frame,Position Y,Position X [um],TrackID,kind", one(*T), Y, X, TRACK, ["a"] * 6)
    cells = cells_of_frame(
        frame.rename(columns={"Position Y": "Position Y [um]"}),
        "a.csv",
        movie=Movie(3, 400, 600, (0.5, 0.5)),
    )
    assert cells.taken.sentence == (
        "a.csv: t from 'Frame' (1…3, counted from 1), y from 'Position Y [um]' in µm ÷ 0.5, x from "
        "'Position X [um]' in µm ÷ 0.5, 2 tracks from 'TrackID'"
    )
    np.testing.assert_array_equal(cells.yx, 2 * np.column_stack([Y, X]))
    # what was changed is kept as it was
    assert list(cells.extra) == ["Frame", "Position Y [um]", "Position X [um]", "kind"]
    np.testing.assert_array_equal(cells.extra["Frame"], one(*T))


# -- units of positions ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unit", "asked", "movie", "factor"),
    [
        ("px", Asked(), Movie(3, 400, 600, (0.5, 0.5)), 1),
        ("um", Asked(), Movie(3, 400, 600, (0.5, 0.5)), 2),
        ("um", Asked(pixel_size=0.25), Movie(3, 400, 600, (0.5, 0.5)), 4),
        ("um", Asked(pixel_size=0.25), None, 4),
        ("nm", Asked(pixel_size=0.001), None, 1),
        ("mm", Asked(pixel_size=1000), None, 1),
        ("um", Asked(unit="px"), MOVIE, 1),
    ],
)
def test_positions_become_pixels(
    unit: str, asked: Asked, movie: Movie | None, factor: float
) -> None:
    cells = cells_of_frame(
        table(f"t,y [{unit}],x [{unit}],track", T, Y, X, TRACK), "a", asked, movie
    )
    np.testing.assert_allclose(cells.yx, factor * np.column_stack([Y, X]))


@pytest.mark.parametrize(
    ("header", "movie", "sentence"),
    [
        ("t,y [um],x [um],track", MOVIE, "in µm, and the image does not say how large a pixel"),
        ("t,y [um],x [um],track", None, "give --pixel-size, in µm, or --unit px"),
        ("t,y (degree),x (degree),track", MOVIE, "is in 'degree', which cannot be converted"),
    ],
)
def test_positions_that_cannot_be_pixels(header: str, movie: Movie | None, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        cells_of_frame(table(header, T, Y, X, TRACK), movie=movie)


def spread(n: int, share: float) -> pd.DataFrame:
    """``n`` tracks of one cell, evenly over a part of an image of 400 by 600 px."""
    along = np.linspace(0, 1, n)
    frame = table("t,y,x", [0] * n, along * 400 * share, along * 600 * share)
    return frame.assign(track_id=range(n))


def test_positions_that_are_surely_in_micrometres_are_asked_about() -> None:
    movie = Movie(1, 400, 600, (0.65, 0.65))
    with pytest.raises(InvalidInput, match=r"only if they are in µm, at the 0.65 µm .*--unit px"):
        cells_of_frame(spread(30, 0.65), movie=movie)
    pixels = cells_of_frame(spread(30, 0.65), "a", Asked(unit="px"), movie)
    assert pixels.yx.max() == pytest.approx(390)
    assert cells_of_frame(spread(30, 0.65), "a", Asked(unit="um"), movie).yx.max() == pytest.approx(
        600
    )
    # all over the image: pixels
    assert not cells_of_frame(spread(30, 0.99), movie=movie).taken.notes
    # a few in a corner: told
    few = cells_of_frame(spread(3, 0.5), movie=movie)
    assert few.yx.max() == 300
    assert "could be in µm too" in few.taken.notes[0]
    # results of this program are in pixels
    own = spread(30, 0.65).assign(reconstruction_error=0.1, latent_norm=5.0)
    assert cells_of_frame(own, movie=movie).yx.max() == pytest.approx(390)


@pytest.mark.parametrize("size", [0.1, 0.16, 0.325, 0.5, 0.65])
def test_positions_like_micrometres_of_an_image_without_calibration_are_told(
    size: float, rng: np.random.Generator
) -> None:
    movie = Movie(1, 400, 600)
    whole = rng.uniform((0, 0), (400, 600), (60, 2))

    def notes(yx: Any, asked: Asked | None = None) -> tuple[str, ...]:
        frame = pd.DataFrame({"t": 0, "y": yx[:, 0], "x": yx[:, 1], "track_id": range(len(yx))})
        return cells_of_frame(frame, "a", asked, movie).taken.notes

    inner = rng.uniform((60, 90), (340, 510), (60, 2))  # large cells, none at the edge
    assert notes(inner * size)
    assert not notes(inner)
    (told,) = notes(whole * size)
    assert "fill only the upper left" in told
    assert told.endswith("if they are in µm, give --unit um and --pixel-size.")
    assert not notes(whole * size, Asked(unit="px"))
    # pixels: the whole frame, one cell, a strip, a colony in a corner and one in the middle
    assert not notes(whole)
    assert not notes(whole[:1] * size)
    assert not notes(whole * (0.9, size))
    assert not notes(whole * (size, size * 0.7))
    assert not notes(whole * size / 2 + 200 * size)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Slice", "does not name columns; write it like t=Slice"),
        ("q=Slice", "does not name columns"),
        ("y=a,y=b", "names y twice"),
        ("", "does not name columns"),
    ],
)
def test_columns_that_are_not_named(text: str, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        columns_of_text(text)
    assert columns_of_text("y=a, b,x=c=d") == {"y": "a, b", "x": "c=d"}


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"first_frame": 2}, "first frame is 0 or 1, not 2"),
        ({"pixel_size": 0}, "pixel size of 0 is impossible"),
        ({"frame_interval": -3}, "frame interval of -3 is impossible"),
        ({"unit": "furlong"}, "'furlong' is no unit of positions; give px"),
    ],
)
def test_what_cannot_be_asked(asked: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        Asked(**asked)


def test_the_same_cells_in_another_order() -> None:
    frame = PROGRAMS["TrackMate"]()
    mixed = cells_of_frame(frame.iloc[::-1], movie=MOVIE)
    assert isinstance(mixed, CellTable)
    np.testing.assert_array_equal(mixed.t, T[::-1])
    np.testing.assert_array_equal(mixed.track_id, TRACK[::-1])


# -- what exports of whole runs hold --------------------------------------------------------------


def test_a_pixel_size_needs_a_unit() -> None:
    frame = table("t,y,x", T, Y, X)
    with pytest.raises(InvalidInput, match="give --unit um too"):
        cells_of_frame(frame, asked=Asked(pixel_size=0.5), movie=MOVIE)
    cells = cells_of_frame(frame, asked=Asked(pixel_size=0.5, unit="um"), movie=Movie(3, 99, 199))
    np.testing.assert_array_equal(cells.yx[:, 0], np.multiply(Y, 2))


def test_corners_of_boxes_are_asked_about() -> None:
    frame = table("frame,x,y,width,height", T, X, Y, [8] * 6, [8] * 6)
    with pytest.raises(InvalidInput, match="may be their corners"):
        cells_of_frame(frame, movie=MOVIE)
    asked = Asked({"y": "y", "x": "x"})
    assert cells_of_frame(frame, asked=asked, movie=MOVIE).yx[:, 0].tolist() == Y
    fractional = frame.assign(width=7.5, x=np.array(X) + 0.25)
    with pytest.raises(InvalidInput, match="may be their corners"):
        cells_of_frame(fractional, movie=MOVIE)
    # a box that began there would end beyond the image
    middles = frame.assign(height=9.5)
    assert cells_of_frame(middles, movie=MOVIE).yx[:, 0].tolist() == Y
    imagej = table(
        " ,Area,X,Y,BX,BY,Width,Height,Slice", one(*range(6)), [9] * 6, X, Y, X, Y, [8] * 6,
        [8] * 6, one(*T),
    )  # fmt: skip
    assert cells_of_frame(imagej, movie=MOVIE).yx[:, 0].tolist() == Y


@pytest.mark.parametrize(
    ("header", "columns", "off"),
    [
        ("bbox-0,bbox-1,bbox-2,bbox-3", (Y, X, [v + 9 for v in Y], [v + 7 for v in X]), (4, 3)),
        (
            "bbox-0,bbox-1,bbox-2,bbox-3,bbox-4,bbox-5",
            ([0] * 6, Y, X, [5] * 6, [v + 9 for v in Y], [v + 7 for v in X]),
            (4, 3),
        ),
        ("xmin,ymin,xmax,ymax", (X, Y, [v + 6 for v in X], [v + 8 for v in Y]), (4, 3)),
        ("x_min,y_min,x_max,y_max", (X, Y, [v + 6 for v in X], [v + 8 for v in Y]), (4, 3)),
        ("x1,y1,x2,y2", (X, Y, [v + 6 for v in X], [v + 8 for v in Y]), (4, 3)),
        ("x0,y0,x1,y1", (X, Y, [v + 6 for v in X], [v + 8 for v in Y]), (4, 3)),
        ("left,top,right,bottom", (X, Y, [v + 6 for v in X], [v + 8 for v in Y]), (4, 3)),
        ("left,top,width,height", (X, Y, [6] * 6, [8] * 6), (4, 3)),
        ("bb_left,bb_top,bb_width,bb_height", (X, Y, [6] * 6, [8] * 6), (4, 3)),
        ("BX,BY,Width,Height", (X, Y, [6] * 6, [8] * 6), (4, 3)),
        ("row,col", ([v + 50 for v in Y], X), (50, 0)),
        ("cx,cy", (X, Y), (0, 0)),
    ],
)
def test_boxes_become_their_middles(
    header: str, columns: tuple[Any, ...], off: tuple[float, float]
) -> None:
    frame = table(f"frame,track_id,{header}", T, TRACK, *columns)
    cells = cells_of_frame(frame, "a.csv", movie=Movie(3, 100, 100))
    np.testing.assert_allclose(cells.yx, np.column_stack([Y, X]) + off)
    names = header.split(",")
    assert any(f"y from the middle of '{name}' and" in cells.taken.sentence for name in names) or (
        len(names) == 2
    )


def test_a_centroid_comes_before_a_box_and_a_row() -> None:
    frame = table(
        "label,centroid-0,centroid-1,bbox-0,bbox-1,bbox-2,bbox-3,frame,row,col", [1] * 6, Y, X,
        [0] * 6, [0] * 6, [9] * 6, [9] * 6, T, [1] * 6, [2] * 6,
    )  # fmt: skip
    np.testing.assert_array_equal(cells_of_frame(frame).yx, np.column_stack([Y, X]))


def test_edges_that_are_none_and_wells_are_refused() -> None:
    frame = table("frame,xmin,ymin,xmax,ymax", T, X, Y, X, [0] * 6)
    with pytest.raises(InvalidInput, match="'ymax' is less than 'ymin' in row 0"):
        cells_of_frame(frame)
    plate = table("row,column,timepoint,track", [1, 2] * 3, [3, 9] * 3, T, TRACK)
    with pytest.raises(InvalidInput, match="may be wells of a plate"):
        cells_of_frame(plate)
    asked = Asked({"y": "row", "x": "column"})
    assert cells_of_frame(plate, asked=asked).yx[0].tolist() == [1, 3]


def test_the_centre_of_mass_of_imagej_does_not_contradict_the_centre() -> None:
    still = table(" ,Area,Mean,X,Y,XM,YM", range(6), [9] * 6, [1] * 6, X, Y, Y, X)
    assert cells_of_frame(still, movie=Movie(1, 60, 60)).yx[:, 0].tolist() == Y
