"""What each column is taken for: by dialect, unit and values, or asked; never by position."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from napari_interpdisc.cells import CellTable
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.columns import Asked, Movie, cells_of_frame, columns_of_text

T, Y, X, TRACK = (
    [0, 1, 2, 0, 1, 2],
    [5.0, 6, 7, 30, 31, 32],
    [9.0, 8, 7, 50, 51, 52],
    [1] * 3 + [2] * 3,
)
MOVIE = Movie(3, 40, 60)


def table(header: str, *columns: Any) -> pd.DataFrame:
    names = header.split(",")
    assert len(names) == len(columns)
    return pd.DataFrame(dict(zip(names, columns, strict=True)))


def one(*values: int) -> list[int]:
    return [value + 1 for value in values]


PROGRAMS: dict[str, Callable[[], pd.DataFrame]] = {
    "TrackMate": lambda: table(
        "LABEL,ID,TRACK_ID,QUALITY,POSITION_X,POSITION_Y,POSITION_Z,POSITION_T,FRAME",
        [*"abcdef"], range(100, 106), TRACK, [1.0] * 6, X, Y, [0.0] * 6, [60.0 * t for t in T], T,
    ),
    "CellProfiler": lambda: table(
        "ImageNumber,ObjectNumber,Metadata_T,Location_Center_X,Location_Center_Y,"
        "TrackObjects_Label_50",
        one(*T), [1, 1, 1, 2, 2, 2], T, X, Y, [float(i) for i in TRACK],
    ),
    "CellProfiler's database": lambda: table(
        "ImageNumber,ObjectNumber,Nuclei_AreaShape_Center_X,Nuclei_AreaShape_Center_Y,"
        "Nuclei_TrackObjects_Label",
        one(*T), [1, 1, 1, 2, 2, 2], X, Y, TRACK,
    ),
    "Imaris": lambda: table(
        "Position X,Position Y,Position Z,Unit,Category,Collection,Time,TrackID,ID",
        X, Y, [0.5] * 6, ["px"] * 6, ["Spot"] * 6, ["Position"] * 6, one(*T), TRACK, range(6),
    ),
    "ilastik": lambda: table(
        "frame,labelimageId,trackId,lineageId,parentTrackId,Center_of_the_object_0,"
        "Center_of_the_object_1",
        T, [1, 1, 1, 2, 2, 2], TRACK, TRACK, [0] * 6, X, Y,
    ),
    "btrack": lambda: table(
        "ID,t,x,y,z,parent,root,state,generation,dummy",
        TRACK, T, X, Y, [0.0] * 6, TRACK, TRACK, [5] * 6, [0] * 6, [False] * 6,
    ),
    "laptrack": lambda: table("frame,index,y,x,tree_id,track_id", T, [0] * 6, Y, X, [0] * 6, TRACK),
    "trackpy": lambda: table("y,x,mass,size,frame,particle", Y, X, [1.0] * 6, [2.0] * 6, T, TRACK),
    "Cell-ACDC": lambda: table(
        "frame_i,Cell_ID,time_seconds,x_centroid,y_centroid,Cell_ID_tree,parent_ID_tree",
        T, TRACK, [30.0 * t for t in T], X, Y, TRACK, [-1] * 6,
    ),
    "celldetective": lambda: table(
        "TRACK_ID,FRAME,TIME,POSITION_X,POSITION_Y,class_firstdetection",
        TRACK, T, [0.5 * t for t in T], X, Y, [2] * 6,
    ),
    "btrack or napari": lambda: table("ID,t,y,x", TRACK, T, Y, X),
    "spaces and case": lambda: table("Track ID,Time Point,Y Pos,X Pos", TRACK, T, Y, X),
    "the plugin Manual Tracking": lambda: table(
        " ,Track n°,Slice n°,X,Y,Distance,Velocity,Pixel Value",
        one(*range(6)), TRACK, one(*T), X, Y, [-1.0] * 6, [-1.0] * 6, [5] * 6,
    ),
    "ultrack": lambda: table(
        "track_id,t,z,y,x,id,parent_track_id,parent_id",
        TRACK, T, [0] * 6, Y, X, range(100, 106), [-1] * 6, [-1, 100, 101, -1, 103, 104],
    ),
    "the weighted centroid": lambda: table(
        "label,centroid_weighted-0,centroid_weighted-1,frame,track", [1] * 6, Y, X, T, TRACK
    ),
    "the same positions twice": lambda: table(
        "frame,track_id,centroid-0,centroid-1,y,x", T, TRACK, Y, X, Y, X
    ),
    "units that are pixels": lambda: table("track,frame,Y [px],x_pixel", TRACK, T, Y, X),
}  # fmt: skip


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


@pytest.mark.parametrize(
    "frame",
    [
        table(" ,Label,Area,X,Y,Slice", one(*range(6)), [*"abcdef"], [1] * 6, X, Y, one(*T)),
        table("Label,X,Y,Frame,Slice,Ch", [*"abcdef"], X, Y, one(*T), [1] * 6, [1] * 6),
        table("Label,X,Y,Frame,Slice,Ch", [*"abcdef"], X, Y, [1] * 6, one(*T), [1] * 6),
        table("XM,YM,Mean,Slice", X, Y, [1.0] * 6, one(*T)),
        table("label,centroid-0,centroid-1,centroid-2", [1, 1, 1, 2, 2, 2], T, Y, X),
        table("label,frame,centroid-0,centroid-1", [1, 1, 1, 2, 2, 2], T, Y, X),
        table("index,axis-0,axis-1,axis-2", range(6), T, Y, X),
        table("index,axis-0,axis-1,axis-2,axis-3", range(6), T, [3] * 6, Y, X),
        table("t,y,x,label", T, Y, X, [0, 0, 1, 0, 1, 1]),
        table("t,y,x,ObjectNumber", T, Y, X, [1, 1, 1, 2, 2, 2]),
        table("t,y,x,ID", T, Y, X, range(6)),
        table("t,y,x,ID", T, Y, X, [1, 1, 2, 1, 2, 2]),  # two cells of a frame share it
    ],
)
def test_tables_without_tracks(frame: pd.DataFrame) -> None:
    cells = cells_of_frame(frame, movie=MOVIE)
    np.testing.assert_array_equal(cells.t, T)
    np.testing.assert_array_equal(cells.yx, np.column_stack([Y, X]))
    assert not cells.taken.tracked
    assert len(np.unique(cells.track_id)) == 6
    assert "no tracks" in cells.taken.sentence


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


# -- time -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "first", "movie", "wanted"),
    [
        ("frame", 0, MOVIE, T),
        ("frame", 1, MOVIE, T),  # the image has no frame 3 if its first is 0
        ("t", 1, MOVIE, T),
        ("Slice", 1, MOVIE, T),
        ("Metadata_T", 1, MOVIE, T),
        ("t", 1, Movie(9, 40, 60), one(*T)),  # ours, from 0, as it is documented
        ("frame", 2, Movie(9, 40, 60), [t + 2 for t in T]),
        ("frame", 1, None, one(*T)),
    ],
)
def test_the_first_frame(header: str, first: int, movie: Movie | None, wanted: list[int]) -> None:
    frame = table(f"{header},y,x,track", [t + first for t in T], Y, X, TRACK)
    np.testing.assert_array_equal(cells_of_frame(frame, movie=movie).t, wanted)


def test_frames_from_1_are_asked_about_where_nothing_tells() -> None:
    frame, long = table("frame,y,x,track", one(*T), Y, X, TRACK), Movie(9, 40, 60)
    with pytest.raises(
        InvalidInput, match=r"begins with 1 and the image has 9 frames.*--first-frame"
    ):
        cells_of_frame(frame, movie=long)
    for first, wanted in ((0, one(*T)), (1, T)):
        cells = cells_of_frame(frame, "a", Asked(first_frame=first), long)
        np.testing.assert_array_equal(cells.t, wanted)
        assert f"counted from {first}" in cells.taken.sentence
    with pytest.raises(InvalidInput, match="holds frame 0, which is before --first-frame 1"):
        cells_of_frame(frame.assign(frame=T), "a", Asked(first_frame=1), long)
    # programs that count from 1 do so in long movies too, unless there is a 0
    imaris = PROGRAMS["Imaris"]()
    np.testing.assert_array_equal(cells_of_frame(imaris, movie=long).t, T)
    np.testing.assert_array_equal(cells_of_frame(imaris.assign(Time=T), movie=long).t, T)


def test_a_count_from_0_beside_one_from_1_tells_the_first_frame() -> None:
    frame = table("frame,t,y,x,track", one(*T), T, Y, X, TRACK)
    np.testing.assert_array_equal(cells_of_frame(frame, movie=Movie(9, 40, 60)).t, T)


def test_a_slice_is_no_time_of_a_still_image() -> None:
    frame = table("t,slice,y,x", [0] * 6, one(*T), Y, X)
    np.testing.assert_array_equal(cells_of_frame(frame, movie=Movie(1, 40, 60)).t, 0)
    np.testing.assert_array_equal(cells_of_frame(frame, movie=MOVIE).t, T)


def test_a_frame_wins_over_a_time_that_goes_with_it() -> None:
    frame = table("t,y,x,track,frame", [300 * t for t in T], Y, X, TRACK, T)
    cells = cells_of_frame(frame, movie=MOVIE)
    np.testing.assert_array_equal(cells.t, T)
    np.testing.assert_array_equal(cells.extra["t"], [300 * t for t in T])
    # true clocks are uneven
    uneven = frame.assign(t=[0.0, 301.2, 599.1] * 2)
    np.testing.assert_array_equal(cells_of_frame(uneven, movie=MOVIE).t, T)


@pytest.mark.parametrize("times", [[0, 1, 3, 0, 1, 3], [0, 0, 1, 0, 0, 1], [0, 1, 2, 1, 2, 3]])
def test_two_counts_of_frames_that_contradict_each_other(times: list[int]) -> None:
    frame = table("t,y,x,track,frame", times, Y, X, TRACK, T)
    with pytest.raises(InvalidInput, match=r"'frame' and 't' .* contradict .*--columns t=frame or"):
        cells_of_frame(frame, movie=Movie(5, 40, 60))
    cells = cells_of_frame(frame, "a", Asked({"t": "t"}), Movie(5, 40, 60))
    np.testing.assert_array_equal(cells.t, times)


@pytest.mark.parametrize(
    ("header", "factor", "asked", "movie"),
    [
        ("time [s]", 30, Asked(frame_interval=30), MOVIE),
        ("time_min", 0.5, Asked(frame_interval=30), MOVIE),
        ("Time (h)", 0.5, Asked(), Movie(9, 40, 60, None, 1800.0)),
        ("Time [h]", 0.5, Asked(), MOVIE),  # three times, three frames
        ("POSITION_T", 300, Asked(), MOVIE),
        ("time", 2, Asked(), MOVIE),
        ("time", 2, Asked(frame_interval=2), Movie(9, 40, 60)),
    ],
)
def test_times_become_frames(header: str, factor: float, asked: Asked, movie: Movie) -> None:
    times = [factor * t for t in T]
    cells = cells_of_frame(table(f"{header},y,x,track", times, Y, X, TRACK), "a", asked, movie)
    np.testing.assert_array_equal(cells.t, T)
    np.testing.assert_array_equal(cells.extra[header], times)


@pytest.mark.parametrize(
    ("header", "factor", "asked", "sentence"),
    [
        ("time [s]", 30, Asked(), "'time .s.' is in s. Give --frame-interval"),
        ("POSITION_T", 1, Asked(), "'POSITION_T' is a time of unknown unit"),
        ("time", 2, Asked(), "goes in steps of 2; give --frame-interval"),
        ("time [s]", 30, Asked(frame_interval=20), "30 s, which is no multiple of 20 s"),
        ("time [furlong]", 1, Asked(), "is in 'furlong', which cannot be converted to frames"),
        ("frame", 0.5, Asked(), "times are frame numbers: whole"),
        ("frame", -1, Asked(), "times are frame numbers: whole and not negative"),
    ],
)
def test_times_that_cannot_be_frames(
    header: str, factor: float, asked: Asked, sentence: str
) -> None:
    frame = table(f"{header},y,x,track", [factor * t for t in T], Y, X, TRACK)
    with pytest.raises(InvalidInput, match=sentence):
        cells_of_frame(frame, "a", asked, Movie(9, 40, 60))


# -- tracks, parents ------------------------------------------------------------------------------


def test_names_of_tracks_are_numbered_and_kept() -> None:
    names = ["cell_b"] * 3 + ["cell_a"] * 3
    cells = cells_of_frame(table("t,y,x,track_id", T, Y, X, names))
    np.testing.assert_array_equal(cells.track_id, TRACK)
    assert cells.extra["track_id"].tolist() == names
    assert "they are numbered" in cells.taken.notes[0]
    assert list(cells.to_frame()) == ["t", "y", "x", "track_id", "track_id_in_file"]


@pytest.mark.parametrize(
    ("frame", "n"),
    [
        (table("t,y,x,TrackID", T, Y, X, [1, 1, 1, None, None, 2]), 2),
        (table("t,y,x,track_id", T, Y, X, [1, 1, 1, -1, -1, 2]), 2),
        (
            table(
                "frame,labelimageId,trackId,Object_Center_0,Object_Center_1",
                [0, 0, 0, 1, 1, 1], [1, 2, 3] * 2, [1, 1, 2, 1, 1, 2], X, Y,
            ),
            4,  # 1 is no track of ilastik's: two cells of a frame have it
        ),
    ],
)  # fmt: skip
def test_cells_without_a_track_are_counted(frame: pd.DataFrame, n: int) -> None:
    cells = cells_of_frame(frame)
    assert f"{n} of 6 cells in 'cells' have no track" in cells.taken.notes[0]
    assert (
        len(np.unique(cells.track_id)) == 6 - len([i for i in TRACK if i == 1]) + 1 if n == 2 else 5
    )


def test_a_track_twice_in_a_frame_is_told() -> None:
    cells = cells_of_frame(table("t,y,x,track_id", [0, 0, 1, 0, 0, 2], Y, X, TRACK))
    assert cells.taken.notes == (
        "2 cells have the track and the time of another cell (first: track 1 at t = 0); all are "
        "kept.",
    )


def test_divisions_travel() -> None:
    frame = table(
        "t,y,x,track_id,parent_id,kind",
        T,
        Y,
        X,
        [1, 2, 2, 1, 3, 3],
        [0, 1, 1, 0, 1, 1],
        [*"abcdef"],
    )
    cells = cells_of_frame(frame)
    assert cells.graph == {2: (1,), 3: (1,)}
    np.testing.assert_array_equal(cells.extra["parent_id"], [0, 1, 1, 0, 1, 1])
    assert "parents of 2 tracks from 'parent_id'" in cells.taken.sentence
    acdc = PROGRAMS["Cell-ACDC"]().assign(
        Cell_ID=[1, 2, 2, 1, 3, 3], Cell_ID_tree=[7, 8, 8, 7, 9, 9], parent_ID_tree=[-1, 7, 7] * 2
    )
    assert cells_of_frame(acdc).graph == {2: (1,), 3: (1,)}


def test_parents_can_be_cells() -> None:
    """The table of napari-track-edit: parent_id is the cell before, or the mother cell."""
    frame = table(
        "t,y,x,id,parent_id,track_id", [0, 1, 2, 2, 3, 3], Y, X, [1, 2, 3, 4, 5, 6],
        [-1, 1, 2, 2, 3, 4], [1, 1, 2, 3, 2, 3],
    )  # fmt: skip
    cells = cells_of_frame(frame)
    assert cells.graph == {2: (1,), 3: (1,)}
    np.testing.assert_array_equal(cells.extra["parent_id"], [0, 0, 1, 1, 1, 1])
    np.testing.assert_array_equal(cells.extra["parent_id_in_file"], frame["parent_id"])
    ultrack = PROGRAMS["ultrack"]().assign(parent_track_id=[-1] * 3 + [1] * 3)
    cells = cells_of_frame(ultrack)
    assert cells.graph == {2: (1,)}
    np.testing.assert_array_equal(cells.extra["parent_id_in_file"], ultrack["parent_id"])


# -- rows and columns that are left ---------------------------------------------------------------


def test_rows_that_cannot_be_used_are_left_out_and_counted() -> None:
    frame = table("t,y,x,track_id,kind", T, Y, X, TRACK, [*"abcdef"])
    frame.loc[1, "y"], frame.loc[4, "x"] = np.nan, np.inf
    cells = cells_of_frame(frame)
    np.testing.assert_array_equal(cells.row, [0, 2, 3, 5])
    assert cells.extra["kind"].tolist() == ["a", "c", "d", "f"]
    assert cells.taken.notes == (
        "2 of 6 rows of 'cells' have no position or time that is a number (first in row 1) and are "
        "left out.",
    )
    with pytest.raises(InvalidInput, match="None of the 6 rows"):
        cells_of_frame(frame.assign(y=np.nan))
    dummies = PROGRAMS["btrack"]().assign(dummy=[True, False] * 3)
    cells = cells_of_frame(dummies)
    np.testing.assert_array_equal(cells.row, [1, 3, 5])
    assert "3 of 6 rows of 'cells' are dummies" in cells.taken.notes[0]


def test_a_depth_is_left_out_if_it_is_one_and_kept_if_it_is_not() -> None:
    frame = table("t,z,y,x,track_id", T, [2.0] * 6, Y, X, TRACK)
    assert cells_of_frame(frame).extra == {}
    assert "'z' is 2 everywhere" in cells_of_frame(frame).taken.sentence
    by_z = cells_of_frame(frame, movie=Movie(9, 99, 99, by_z=True))
    assert by_z.extra["z"].tolist() == [2] * len(frame)
    deep = cells_of_frame(frame.assign(z=range(6)).rename(columns={"z": "Position Z"}))
    np.testing.assert_array_equal(deep.extra["z"], range(6))
    # no plane can be told from micrometres
    far = cells_of_frame(frame.assign(z=range(6)).rename(columns={"z": "z [um]"}))
    assert list(far.extra) == ["z [um]"]


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


def test_values_that_are_not_numbers_are_shown() -> None:
    with pytest.raises(InvalidInput, match=r"Column 'y' .* not numbers .first 'north', in row 1"):
        cells_of_frame(table("t,y,x", [0, 0], ["1", "north"], [1, 2]))
    dates = pd.to_datetime(["2026-01-01", "2026-01-02"])
    with pytest.raises(InvalidInput, match="holds dates; give frame numbers"):
        cells_of_frame(table("t,y,x", dates, [1, 2], [1, 2]))


def test_the_same_cells_in_another_order() -> None:
    frame = PROGRAMS["TrackMate"]()
    mixed = cells_of_frame(frame.iloc[::-1], movie=MOVIE)
    assert isinstance(mixed, CellTable)
    np.testing.assert_array_equal(mixed.t, T[::-1])
    np.testing.assert_array_equal(mixed.track_id, TRACK[::-1])


# -- what exports of whole runs hold --------------------------------------------------------------


def cellprofiler(images: list[int], **more: Any) -> pd.DataFrame:
    return pd.DataFrame(
        {"ImageNumber": images, "Location_Center_X": X, "Location_Center_Y": Y, **more}
    )


@pytest.mark.parametrize(
    ("images", "more"),
    [
        ([4, 5, 6] * 2, {"Metadata_T": T}),  # the second movie of a run
        ([2, 7, 12] * 2, {"Metadata_Frame": one(*T)}),  # wells in turn
        ([1, 2, 3] * 2, {"Metadata_Time": [10 * t for t in T]}),  # minutes
        ([2, 7, 12] * 2, {}),
        ([4, 5, 6] * 2, {}),
    ],
)
def test_the_images_of_a_run_are_frames_of_this_movie(
    images: list[int], more: dict[str, Any]
) -> None:
    assert cells_of_frame(cellprofiler(images, **more), movie=MOVIE).t.tolist() == T


def test_the_count_of_images_tells_where_frames_begin() -> None:
    found = [
        cells_of_frame(cellprofiler(i, Metadata_T=one(*T)), movie=Movie(6, 40, 60)).t.tolist()
        for i in ([1, 2, 3] * 2, [2, 3, 4] * 2)
    ]
    assert found == [T, one(*T)]
    with pytest.raises(InvalidInput, match="--first-frame 0"):
        cells_of_frame(cellprofiler([11, 12, 13] * 2, Metadata_T=one(*T)), movie=Movie(6, 40, 60))


def test_cells_of_several_images_are_refused() -> None:
    frame = table("Image,x,y,frame", [*"aaabbb"], X, Y, T)
    with pytest.raises(InvalidInput, match=r"several images in one frame \(column 'Image': a, b\)"):
        cells_of_frame(frame, movie=MOVIE)


def test_files_of_frames_are_not_several_images() -> None:
    files = [f"t{t}.tif" for t in T]
    cells = cells_of_frame(table("filename,y,x", files, Y, X), movie=MOVIE)
    assert not cells.taken.timed  # so that a movie refuses them for want of a time
    with pytest.raises(InvalidInput, match="several images"):
        cells_of_frame(table("filename,y,x", files, Y, X), movie=Movie(1, 40, 60))


def test_numbers_that_begin_anew_in_each_frame_are_no_tracks() -> None:
    # two cells that stay and are numbered in another order in the second frame
    swapped = table(
        "frame,y,x,Cell", [0, 0, 1, 1, 2, 2], [5, 30, 30, 5, 5, 30], [9] * 6, [1, 2] * 3
    )
    cells = cells_of_frame(swapped, movie=MOVIE)
    assert not cells.taken.tracked
    assert "counts the cells of each frame anew" in cells.taken.notes[0]
    assert cells_of_frame(swapped, asked=Asked({"track_id": "Cell"})).taken.tracked
    followed = table("frame,y,x,Cell", T, Y, X, TRACK)
    assert cells_of_frame(followed, movie=MOVIE).track_id.tolist() == TRACK


def test_rounded_ids_that_join_tracks_are_refused() -> None:
    rounded = ["1.00000E+15"] * 6
    with pytest.raises(InvalidInput, match=r"lost digits of its numbers \(first 1.00000E\+15\)"):
        cells_of_frame(table("t,y,x,track_id", T, Y, X, rounded), movie=MOVIE)


def test_a_frame_alone_is_no_mark_of_imagej() -> None:
    """Others count frames from 0: where a table begins with 1, that is asked."""
    frame = table("label,frame,y,x", [1] * 6, one(*T), Y, X)
    with pytest.raises(InvalidInput, match="--first-frame"):
        cells_of_frame(frame, movie=Movie(9, 40, 60))
    assert cells_of_frame(frame, movie=MOVIE).t.tolist() == T


@pytest.mark.parametrize(
    ("name", "times"),
    [
        ("Time", ["0:00:00", "0:05:00", "0:10:00"]),
        ("Time [m:s]", ["0:00", "5:00", "10:00"]),
        ("Time", pd.to_timedelta([0, 300, 600], unit="s")),
        ("Frame", ["t000", "t001", "t002"]),
    ],
)
def test_times_as_text(name: str, times: Any) -> None:
    frame = pd.DataFrame({name: [times[t] for t in T], "y": Y, "x": X})
    assert cells_of_frame(frame, movie=Movie(3, 40, 60, None, 300.0)).t.tolist() == T


def test_dates_beside_frames_are_kept_as_they_are() -> None:
    dates = [f"2024-05-01 10:0{t}:00" for t in T]
    cells = cells_of_frame(table("Frame,Time,y,x", T, dates, Y, X), movie=MOVIE)
    assert cells.t.tolist() == T
    assert cells.extra["Time"].tolist() == dates
    with pytest.raises(InvalidInput, match="'Time' of 'cells' holds values that are not numbers"):
        cells_of_frame(table("Time,y,x", dates, Y, X), movie=MOVIE)


def test_rows_of_a_summary_are_no_cells() -> None:
    names = ["m.tif"] * 6 + ["Mean", "SD", "Min", "Max"]
    more = [2, 1, 1, 3]
    frame = table(" ,Label,Area,X,Y,Slice", range(1, 11), names, [9] * 10,
                  X + more, Y + more, one(*T) + more)  # fmt: skip
    cells = cells_of_frame(frame, movie=MOVIE)
    assert len(cells) == 6
    assert "The last 4 rows of 'cells' are no cells" in cells.taken.notes[0]
    classes = table("class,t,y,x", [*"aaaa", "max", "b"], T, Y, X)
    assert len(cells_of_frame(classes, movie=MOVIE)) == 6


def test_hidden_spots_are_left_out_and_told() -> None:
    names = "POSITION_X,POSITION_Y,QUALITY,FRAME,TRACK_ID,VISIBILITY"
    frame = table(names, X, Y, [1] * 6, T, TRACK, [1, 1, 1, 0, 1, 1])
    cells = cells_of_frame(frame, movie=MOVIE)
    assert cells.row.tolist() == [0, 1, 2, 4, 5]
    assert "1 of 6 rows of 'cells' are hidden by a filter of TrackMate" in cells.taken.notes[0]


def test_old_imaris_calls_the_track_the_parent() -> None:
    frame = table("Cell Position X,Cell Position Y,Unit,Category,Time,Parent,ID", X, Y, ["px"] * 6,
                  ["Cell"] * 6, one(*T), TRACK, range(6))  # fmt: skip
    cells = cells_of_frame(frame, movie=MOVIE)
    assert cells.track_id.tolist() == TRACK
    assert cells.t.tolist() == T


def test_tables_that_are_not_of_cells_are_called_by_their_name() -> None:
    frame = table("SPOT_SOURCE_ID,SPOT_TARGET_ID,EDGE_X_LOCATION", [1], [2], [3.0])
    with pytest.raises(InvalidInput, match="holds the links of TrackMate, not its spots"):
        cells_of_frame(frame)


def test_a_depth_that_is_no_number_is_kept() -> None:
    cells = cells_of_frame(table("t,y,x,z", T, Y, X, [*"abcabc"]), movie=MOVIE)
    assert cells.extra["z"].tolist() == [*"abcabc"]


def test_a_column_has_one_role() -> None:
    with pytest.raises(InvalidInput, match="--columns names 'a' for y and x"):
        cells_of_frame(table("t,a,b", T, Y, X), asked=Asked({"y": "a", "x": "a"}))


def test_an_interval_that_makes_one_frame_of_all_times_is_refused() -> None:
    with pytest.raises(InvalidInput, match="lie within one frame of 300 s"):
        cells_of_frame(table("t,y,x", T, Y, X), asked=Asked(frame_interval=300))


def test_a_named_column_with_an_interval_holds_times() -> None:
    frame = table("Bild,y,x", [300 * t for t in T], Y, X)
    asked = Asked({"t": "Bild"}, frame_interval=300)
    assert cells_of_frame(frame, asked=asked, movie=MOVIE).t.tolist() == T


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
    measured = frame.assign(width=7.5)
    assert cells_of_frame(measured, movie=MOVIE).yx[:, 0].tolist() == Y


def test_the_centre_of_mass_of_imagej_does_not_contradict_the_centre() -> None:
    still = table(" ,Area,Mean,X,Y,XM,YM", range(6), [9] * 6, [1] * 6, X, Y, Y, X)
    assert cells_of_frame(still, movie=Movie(1, 60, 60)).yx[:, 0].tolist() == Y


def test_slices_beside_frames_are_planes() -> None:
    cells = cells_of_frame(table("frame,slice,y,x", T, [1, 2, 3, 3, 2, 1], Y, X), movie=MOVIE)
    assert cells.t.tolist() == T
    assert cells.extra["slice"].tolist() == [1, 2, 3, 3, 2, 1]
