"""Figures that are kept as they are about to be written, and how whole PNG files are told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from napari_interpdisc.figures import canvas


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Return the list of all figures that are drawn; they are written as well."""
    seen: list[Figure] = []
    plain = canvas.FigureCanvasAgg

    def watched(figure: Figure) -> object:
        seen.append(figure)
        return plain(figure)

    monkeypatch.setattr(canvas, "FigureCanvasAgg", watched)
    return seen


def whole_picture(path: Path) -> np.ndarray:
    """Pixels of a PNG file, which has its end and shows something."""
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    assert b"IEND" in data[-12:]
    pixels = imread(path)
    assert pixels.std() > 0.01, "the picture is empty"
    assert not [p for p in path.parent.iterdir() if p.name.startswith(".")]
    return np.asarray(pixels)
