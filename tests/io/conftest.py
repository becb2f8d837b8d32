"""Columns of a small table of cells, as several programs name them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from napari_interpdisc.io.columns import Movie

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


def cellprofiler(images: list[int], **more: Any) -> pd.DataFrame:
    return pd.DataFrame(
        {"ImageNumber": images, "Location_Center_X": X, "Location_Center_Y": Y, **more}
    )


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
