"""Times become frames: by their unit, by how a program counts, or asked; never by position."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.columns import Asked, Movie, cells_of_frame

from .conftest import MOVIE, PROGRAMS, TRACK, T, X, Y, cellprofiler, one, table


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


def test_an_interval_that_makes_one_frame_of_all_times_is_refused() -> None:
    with pytest.raises(InvalidInput, match="lie within one frame of 300 s"):
        cells_of_frame(table("t,y,x", T, Y, X), asked=Asked(frame_interval=300))


def test_a_named_column_with_an_interval_holds_times() -> None:
    frame = table("Bild,y,x", [300 * t for t in T], Y, X)
    asked = Asked({"t": "Bild"}, frame_interval=300)
    assert cells_of_frame(frame, asked=asked, movie=MOVIE).t.tolist() == T


def test_slices_beside_frames_are_planes() -> None:
    cells = cells_of_frame(table("frame,slice,y,x", T, [1, 2, 3, 3, 2, 1], Y, X), movie=MOVIE)
    assert cells.t.tolist() == T
    assert cells.extra["slice"].tolist() == [1, 2, 3, 3, 2, 1]
