"""The window of the demo: what it holds when it opens."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_interpdisc.cells import CellTable
from napari_interpdisc.frames import Frames
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.pipeline import classify
from napari_interpdisc.widgets.canvas.compat import camera_of
from napari_interpdisc.widgets.canvas.overlay import find_overlay
from napari_interpdisc.widgets.layout import lay_out
from napari_interpdisc.widgets.session import session_of

from .conftest import CELLS, DIAMETER, blobs

ROW = 4


def test_the_demo_shows_a_classified_movie_and_one_perturbed_cell(
    make_napari_viewer: Any, bundled_model: CellModel, qtbot: Any
) -> None:
    movie = np.stack([blobs((120, 130), CELLS[CELLS[:, 0] == t, 1:3]) for t in range(3)])
    tracks = CELLS[np.lexsort((CELLS[:, 0], CELLS[:, 3]))][:, [3, 0, 1, 2]]
    masks = np.zeros(movie.shape, np.int32)
    for track, t, y, x in tracks.astype(int):
        masks[t, y - 5 : y + 5, x - 5 : x + 5] = track
    cells = CellTable.from_arrays(tracks[:, 1], tracks[:, 2:], tracks[:, 0], source="tracks")
    result = classify(Frames(movie), cells, bundled_model, DIAMETER)
    viewer = make_napari_viewer()
    widgets = lay_out(viewer, movie, masks, tracks, result, bundled_model, ROW)
    assert list(widgets) == ["Classify", "Perturb", "Explorer"]
    qtbot.waitUntil(lambda: not widgets["Perturb"].attack.work.running)
    session = session_of(viewer)
    assert session.selected == ROW
    assert viewer.dims.current_step[0] == cells.t[ROW]
    np.testing.assert_allclose(camera_of(viewer).center[-2:], cells.yx[ROW])
    overlay = find_overlay(viewer)
    assert overlay is not None
    t, (y, x) = int(cells.t[ROW]), cells.yx[ROW].astype(int)
    assert np.asarray(overlay.data[t])[y, x] == 1 + result.index[ROW]
    # rows of the layer are rows of the result
    layer = viewer.layers["tracks"]
    np.testing.assert_array_equal(layer.features["class"], result.names())
    assert layer.metadata["interpdisc"]["head"] == result.head
    assert widgets["Perturb"].attack.result.run.rows.tolist() == [ROW]
    assert "perturbed" in viewer.layers
