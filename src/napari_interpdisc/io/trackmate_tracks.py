"""Tracks that TrackMate exports as XML of their own: detections (t, x, y, z) in particles."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from napari_interpdisc.cells import CellTable
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.columns import Asked, Movie, cells_of_frame
from napari_interpdisc.io.dialects import unit_of
from napari_interpdisc.io.xml_guard import check_xml


def root_of(path: Path) -> str:
    """Name of the first element of an XML file; empty if there is none."""
    try:
        with path.open("rb") as file:
            _, root = next(iter(ElementTree.iterparse(file, events=("start",))))
    except (OSError, ElementTree.ParseError, StopIteration):
        return ""
    return str(root.tag).rpartition("}")[2]


def read_trackmate_tracks(
    path: Path, asked: Asked | None = None, movie: Movie | None = None
) -> CellTable:
    """Read the detections of TrackMate's *Export tracks to XML file*; particles are tracks.

    Raises
    ------
    InvalidInput
        If the file is damaged, has no detections, or its positions cannot be converted.
    """
    import pandas as pd

    check_xml(path)
    try:
        root = ElementTree.parse(path).getroot()
        rows = [
            (float(at["t"]), float(at["y"]), float(at["x"]), float(at.get("z", 0)), track)
            for track, particle in enumerate(root.iter("particle"), 1)
            for at in (detection.attrib for detection in particle.iter("detection"))
        ]
    except (OSError, ElementTree.ParseError, KeyError, ValueError) as fault:
        raise InvalidInput(
            f"{path} cannot be read as tracks of TrackMate ({fault}); export them again."
        ) from None
    unit = unit_of(root.get("spaceUnits", ""))
    frame = pd.DataFrame(rows, columns=["t", "y", "x", "z", "track_id"])
    units = {name: unit for name in ("y", "x", "z") if unit}
    return cells_of_frame(
        frame, path.name, asked, movie, units, ["tracks that TrackMate exported, without links"]
    )
