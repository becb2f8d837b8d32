"""Exported tracks of TrackMate: particles are tracks, detections cells, units as they say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.columns import Movie
from napari_interpdisc.io.trackmate_tracks import read_trackmate_tracks, root_of

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
    ("text", "root"),
    [(TEXT, "Tracks"), ("<TrackMate/>", "TrackMate"), ('<OME xmlns="a:b"/>', "OME"), ("no", "")],
)
def test_the_first_element_tells_the_kind(tmp_path: Path, text: str, root: str) -> None:
    assert root_of(written(tmp_path, text)) == root
