"""Exported tracks of TrackMate: particles are tracks, detections cells, units as they say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.columns import Movie
from napari_interpdisc.io.trackmate_tracks import is_trackmate_tracks, read_trackmate_tracks

TEXT = """<?xml version="1.0" encoding="UTF-8"?>
<Tracks nTracks="2" spaceUnits="{unit}" frameInterval="1.0" timeUnits="frame">
  <particle nSpots="2"><detection t="0" x="4" y="2" z="0" /><detection t="1" x="6" y="2" z="0" />
  </particle>
  <particle nSpots="1"><detection t="1" x="8" y="10" z="0" /></particle>
</Tracks>
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "tracks.xml"
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize(("unit", "size"), [("pixel", 1), ("micron", 0.5)])
def test_detections_are_cells(tmp_path: Path, unit: str, size: float) -> None:
    path = written(tmp_path, TEXT.format(unit=unit))
    cells = read_trackmate_tracks(path, movie=Movie(2, 40, 40, (0.5, 0.5)))
    assert cells.t.tolist() == [0, 1, 1]
    np.testing.assert_allclose(cells.yx, np.array([[2, 4], [2, 6], [10, 8]]) / size)
    assert cells.track_id.tolist() == [1, 1, 2]


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, TEXT.replace('t="1" ', ""))
    with pytest.raises(InvalidInput, match="cannot be read as tracks of TrackMate"):
        read_trackmate_tracks(path)


@pytest.mark.parametrize(
    ("text", "right"), [(TEXT, True), ("<TrackMate/>", False), ("no xml", False), ("", False)]
)
def test_known_by_the_first_element(tmp_path: Path, text: str, right: bool) -> None:
    assert is_trackmate_tracks(written(tmp_path, text)) is right
