"""Tracks and parents, by what their columns hold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.columns import Asked, cells_of_frame

from .conftest import MOVIE, PROGRAMS, TRACK, T, X, Y, cellprofiler, one, table


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


def test_old_imaris_calls_the_track_the_parent() -> None:
    frame = table("Cell Position X,Cell Position Y,Unit,Category,Time,Parent,ID", X, Y, ["px"] * 6,
                  ["Cell"] * 6, one(*T), TRACK, range(6))  # fmt: skip
    cells = cells_of_frame(frame, movie=MOVIE)
    assert cells.track_id.tolist() == TRACK
    assert cells.t.tolist() == T


def test_links_of_cellprofiler_divide_families_that_share_a_label() -> None:
    frame = cellprofiler([1, 2, 2, 3, 3, 3]).assign(
        ObjectNumber=[1, 1, 2, 1, 2, 3],
        TrackObjects_Label_50=[1, 1, 1, 1, 1, 2],
        TrackObjects_ParentImageNumber_50=[0, 1, 1, 2, 2, 0],
        TrackObjects_ParentObjectNumber_50=[0, 1, 1, 1, 2, 0],
    )
    cells = cells_of_frame(frame, "a", movie=MOVIE)
    assert cells.track_id.tolist() == [1, 3, 4, 3, 4, 2]
    assert cells.graph == {3: (1,), 4: (1,)}
    assert cells.extra["parent_id"].tolist() == [0, 1, 1, 1, 1, 0]
    assert cells.column("TrackObjects_Label_50").tolist() == [1] * 5 + [2]
    assert "4 tracks of 2 in 'TrackObjects_Label_50', which end where" in cells.taken.sentence
    assert cells.taken.notes == ()
    # the database has no number in these names, and the parent's comes first
    short = {name: name.removesuffix("_50") for name in frame}
    order = sorted(frame.rename(columns=short), reverse=True)
    again = cells_of_frame(frame.rename(columns=short)[order], "a", movie=MOVIE)
    assert again.graph == cells.graph
    # a row that is missing: the labels are all that is left, and the track that is twice is told
    fewer = cells_of_frame(frame.iloc[1:], "a", movie=MOVIE)
    assert fewer.track_id.tolist() == [1, 1, 1, 1, 2]
    assert "names cells that are not in the table" in fewer.taken.notes[0]
    # without a division, labels are tracks as they are
    alone = cells_of_frame(frame.iloc[[0, 1, 3, 5]], "a", movie=MOVIE)
    assert (alone.track_id.tolist(), dict(alone.graph)) == ([1, 1, 1, 2], {})


def test_tracks_of_a_table_that_has_links_alone() -> None:
    frame = table("id,t,y,x,parent_id", range(20, 26), T, Y, X, [-1, 20, 21, -1, 21, 24])
    frame = frame.assign(t=[0, 1, 2, 0, 2, 3])
    cells = cells_of_frame(frame, "a")
    assert cells.track_id.tolist() == [1, 1, 3, 2, 4, 4]
    assert cells.graph == {3: (1,), 4: (1,)}
    assert cells.taken.tracked
    assert "4 tracks by following 'parent_id' to 'id'" in cells.taken.sentence
    assert cells.column("id").tolist() == list(range(20, 26))
    none = cells_of_frame(frame, "a", Asked({"track_id": "none"}))
    assert not none.taken.tracked
    with pytest.raises(InvalidInput, match="do not go forward in time"):
        cells_of_frame(frame.assign(t=[3, 2, 1, 0, 0, 0]), "a")


def test_divisions_of_a_second_table() -> None:
    frame = table("frame,track_id,tree_id,y,x", T, TRACK, [0] * 6, Y, X)
    cells = cells_of_frame(frame, "a", Asked(splits={"2": "1", "9": "8"}))
    assert cells.graph == {2: (1,)}
    assert "parents of 1 track from '--splits'" in cells.taken.sentence
    with pytest.raises(InvalidInput, match="No division in --splits is between tracks of 'a'"):
        cells_of_frame(frame, "a", Asked(splits={"9": "8"}))
    with pytest.raises(InvalidInput, match="has the column of parents 'parent_id', and --splits"):
        cells_of_frame(frame.assign(parent_id=0), "a", Asked(splits={"2": "1"}))
