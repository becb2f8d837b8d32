from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_interpdisc.io.source import Source


def test_axes_and_lengths_in_words() -> None:
    source = Source(Path("m.tif"), np.zeros((5, 4, 3)), "?YX")
    assert source.described() == "unnamed 5, Y 4, X 3"
