"""A movie with cells enough to tell where real cells are."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

from napari_interpdisc.cells import CellTable
from napari_interpdisc.pipeline import classify

from ..conftest import CELLS, DIAMETER

TRACKS = 8


@pytest.fixture
def crowd(make_scene: Callable[..., SimpleNamespace]) -> SimpleNamespace:
    """Return a viewer without a window: 24 cells on the blobs of a movie, 8 tracks of 3 frames."""
    scene = make_scene(window=False, finished=False)
    draw = np.random.default_rng(0)
    t = np.tile(np.arange(3), TRACKS)
    blobs = {frame: CELLS[CELLS[:, 0] == frame, 1:3] for frame in range(3)}
    yx = np.array([blobs[frame][draw.integers(len(blobs[frame]))] for frame in t])
    yx += draw.uniform(-4, 4, yx.shape)
    table = CellTable.from_arrays(t, yx, np.repeat(np.arange(1, TRACKS + 1), 3), source="cells")
    result = classify(scene.frames, table, scene.session.model, DIAMETER)
    scene.session.set_result(scene.image, scene.cells, None, scene.frames, result)
    return scene
