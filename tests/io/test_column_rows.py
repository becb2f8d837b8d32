"""Rows that are no cells of this movie, and columns that are carried along."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.columns import Asked, Movie, cells_of_frame

from .conftest import MOVIE, PROGRAMS, TRACK, T, X, Y, one, table


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


def test_a_depth_that_is_no_number_is_kept() -> None:
    cells = cells_of_frame(table("t,y,x,z", T, Y, X, [*"abcabc"]), movie=MOVIE)
    assert cells.extra["z"].tolist() == [*"abcabc"]


def test_results_of_an_earlier_run_are_known() -> None:
    frame = table(
        "t,y,x,track_id,mine,class_in_file", T, Y, X, TRACK, range(6), [*"aabbcc"]
    ).assign(
        **{"class": "M", "score": 1.0, "score_b": 2.0, "latent_norm": 1.0, "z_0": 0.5, "z_11": 0.5}
    )
    cells = cells_of_frame(frame, "a")
    ours = ("class", "score", "score_b", "latent_norm", "z_0", "z_11")
    assert cells.taken.results == ours
    assert cells.column("class").tolist() == ["M"] * 6
    new = pd.DataFrame({"class": [*"nnnnnn"], "z_0": 0.0})
    made = cells.to_frame(new)
    assert list(made) == ["t", "y", "x", "track_id", "mine", "class_in_file", "class", "z_0"]
    assert made["class"].tolist() == ["n"] * 6
    assert list(cells.to_frame())[4:] == ["mine", "class_in_file", *ours]
    # a column that was named is the user's
    named = cells_of_frame(frame, "a", Asked(known=("class",)))
    assert "class" not in named.taken.results
    # and so are those of a table that is not ours
    other = cells_of_frame(frame.drop(columns=["latent_norm", "z_0"]), "a")
    assert other.taken.results == ()
