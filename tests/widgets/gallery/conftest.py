"""A session of eight made-up cells, without pixels or a window."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_interpdisc.cells import CellTable
from napari_interpdisc.frames import Frames
from napari_interpdisc.pipeline import Classification, Encoding
from napari_interpdisc.widgets.session import Session

SCORES = (-4.0, -0.1, 2.0, 5.0, 3.0, -1.0, 0.2, np.nan)
"""Below 0 of class round, else long; the last cell has no pixels."""


@pytest.fixture
def session() -> Session:
    """Two tracks, a cell each in four frames; the fourth cell is cut by the edge."""
    made: Any = Session()
    t, track = np.repeat(np.arange(4), 2), np.tile([7, 3], 4)
    cells = CellTable.from_arrays(t, np.full((8, 2), 20.0), track, source="cells")
    z = np.zeros((8, 2), np.float32)
    told = np.array([*[""] * 7, "no pixels: blank frame"], object)
    encoding = Encoding(
        cells, z, np.zeros(0, np.float32), 10.0, "m", "sha", np.arange(8) == 3, no_pixels=told
    )
    made.frames, made.encoding = Frames(np.zeros((4, 40, 40), np.float32)), encoding
    scores = np.array(SCORES, np.float32)[:, None]
    made.set_classification(Classification(encoding, "dense", ("round", "long"), scores))
    return made  # type: ignore[no-any-return]
