"""Each program's table is known by its columns, and each column is taken for the right thing."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest

from napari_interpdisc.io.dialects import (
    OWN_COLUMNS,
    PLAIN,
    Column,
    matching_dialects,
    unit_of,
)
from napari_interpdisc.models.properties import AREA_UM2, PROPERTIES, column_title

HEADERS = {
    "TrackMate": (
        "LABEL,ID,TRACK_ID,QUALITY,POSITION_X,POSITION_Y,POSITION_Z,POSITION_T,FRAME,RADIUS",
        ("FRAME", "POSITION_Y", "POSITION_X", "TRACK_ID"),
    ),
    "celldetective": (
        "TRACK_ID,FRAME,POSITION_Y,POSITION_X,TIME,class_id,area",
        ("FRAME", "POSITION_Y", "POSITION_X", "TRACK_ID"),
    ),
    "CellProfiler": (
        "ImageNumber,ObjectNumber,Metadata_T,Location_Center_X,Location_Center_Y,"
        "AreaShape_Center_X,AreaShape_Center_Y,TrackObjects_Label_50",
        ("Metadata_T", "Location_Center_Y", "Location_Center_X", "TrackObjects_Label_50"),
    ),
    "Mastodon": (
        "Label,ID,Spot frame,Spot track ID,Spot position X (um),Spot position Y (um)",
        ("Spot frame", "Spot position Y (um)", "Spot position X (um)", "Spot track ID"),
    ),
    "the ROI Manager of ImageJ": (
        "Index,Name,Type,Group,X,Y,Width,Height,Points,Color,Fill,LWidth,Pos,C,Z,T",
        ("T", "Y", "X", ""),
    ),
    "ImageJ Results": (" ,Label,Area,X,Y,XM,YM,Slice", ("Slice", "Y", "X", "")),
    "Imaris": (
        "Position X,Position Y,Position Z,Unit,Category,Collection,Time,TrackID,ID",
        ("Time", "Position Y", "Position X", "TrackID"),
    ),
    "ilastik": (
        "frame,labelimageId,trackId,lineageId,parentTrackId,Object_Center_0,Object_Center_1",
        ("frame", "Object_Center_1", "Object_Center_0", "trackId"),
    ),
    "btrack": ("ID,t,x,y,z,parent,root,state,generation,dummy", ("t", "y", "x", "ID")),
    "laptrack": ("frame,index,y,x,tree_id,track_id", ("frame", "y", "x", "track_id")),
    "trackpy": ("y,x,mass,size,ecc,signal,frame,particle", ("frame", "y", "x", "particle")),
    "Cell-ACDC": (
        "frame_i,Cell_ID,time_seconds,cell_cycle_stage,parent_ID_tree,x_centroid,y_centroid",
        ("frame_i", "y_centroid", "x_centroid", "Cell_ID"),
    ),
    "regionprops_table of scikit-image": (
        "label,centroid-0,centroid-1,centroid-2,area",
        ("centroid-0", "centroid-1", "centroid-2", ""),
    ),
    "napari": ("index,axis-0,axis-1,axis-2", ("axis-0", "axis-1", "axis-2", "")),
    "napari-interpdisc": (
        "t,y,x,track_id,class,score,reconstruction_error,latent_norm,POSITION_X,FRAME,z_0",
        ("t", "y", "x", "track_id"),
    ),
    "a plain table": ("t,y,x,track_id,label", ("t", "y", "x", "track_id")),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_program_is_known_by_its_columns(name: str) -> None:
    header, wanted = HEADERS[name]
    columns = header.split(",")
    (found,) = matching_dialects(columns)
    assert found.name == name
    roles = found.roles([Column.of(c) for c in columns])
    taken = tuple(roles[r][0].name if r in roles else "" for r in ("t", "y", "x", "track_id"))
    assert taken == wanted


@pytest.mark.parametrize(
    "header",
    [
        "index,shape-type,vertex-index,axis-0,axis-1",
        "index,shape-type,vertex-index,axis-0,axis-1,axis-2",
        "wavelength,absorbance",
        "LABEL,SPOT_SOURCE_ID,SPOT_TARGET_ID,EDGE_TIME",
    ],
)
def test_other_tables_are_of_no_dialect(header: str) -> None:
    assert not matching_dialects(header.split(","))


def test_two_programs_in_one_table_are_two_dialects() -> None:
    mixed = ["FRAME", "TRACK_ID", "QUALITY", "POSITION_X", "POSITION_Y", "centroid-0", "centroid-1"]
    assert len(matching_dialects(mixed)) == 2


@pytest.mark.parametrize(
    ("header", "t", "z", "y"),
    [
        ("axis-0,axis-1,index", None, None, "axis-0"),
        ("axis-0,axis-1,axis-2,index", "axis-0", None, "axis-1"),
        ("axis-0,axis-1,axis-2,axis-3,index", "axis-0", "axis-1", "axis-2"),
        ("frame,centroid-0,centroid-1,centroid-2", "frame", "centroid-0", "centroid-1"),
        ("label,centroid_0,centroid_1", None, None, "centroid_0"),
    ],
)
def test_of_numbered_axes_the_last_two_are_y_and_x(
    header: str, t: str | None, z: str | None, y: str
) -> None:
    columns = [Column.of(name) for name in header.split(",")]
    roles = matching_dialects(header.split(","))[0].roles(columns)
    first = {role: found[0].name for role, found in roles.items()}
    assert (first.get("t"), first.get("z"), first["y"]) == (t, z, y)


@pytest.mark.parametrize(
    ("name", "key", "unit"),
    [
        ("Position X", "positionx", ""),
        ("X (\N{MICRO SIGN}m)", "x", "um"),
        ("X [\N{GREEK SMALL LETTER MU}m]", "x", "um"),
        ("X (micron)", "x", "um"),
        ("y_px", "y", "px"),
        ("pos x um", "posx", "um"),
        ("time_seconds", "time", "s"),
        ("elapsed_min", "elapsed", "min"),
        ("t_h", "t", "h"),
        ("x_min", "xmin", ""),
        ("bbox_h", "bboxh", ""),
        ("Time [h]", "time", "h"),
        ("Frame #", "frame", ""),
        ("# track_id", "trackid", ""),
        ("Latitude (degree)", "latitude", "degree"),
        ("TrackObjects_Label_50", "trackobjectslabel50", ""),
        ("frame", "frame", ""),
    ],
)
def test_names_and_units(name: str, key: str, unit: str) -> None:
    assert (Column.of(name).key, Column.of(name).unit) == (key, unit)


def test_a_unit_that_says_nothing_is_none() -> None:
    assert [unit_of(text) for text in ("(pixel)", "None", " Micrometer ", "furlong")] == [
        *("px", "", "um", "furlong")
    ]


def test_track_id_wins_over_id_and_label_is_no_track() -> None:
    def track(header: str) -> list[str]:
        roles = PLAIN.roles([Column.of(name) for name in header.split(",")])
        return [column.name for column in roles.get("track_id", [])]

    assert track("ID,t,y,x,TrackID")[0] == "TrackID"
    assert track("label,t,y,x") == []


def test_every_measured_property_is_known_as_a_result_of_before() -> None:
    names = [column_title(name) for name in (*PROPERTIES, AREA_UM2)]
    assert all(any(fnmatchcase(n, pattern) for pattern in OWN_COLUMNS) for n in names)
    assert not any(fnmatchcase("nucleus_diameter", pattern) for pattern in OWN_COLUMNS)
