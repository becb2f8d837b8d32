"""A small movie, its cells, and what the scorecard finds of two heads of the bundled model."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from napari_interpdisc._types import silent
from napari_interpdisc.cells import CellTable
from napari_interpdisc.frames import Frames
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.pipeline import classify
from napari_interpdisc.scrutiny.scorecard import ScorecardSettings
from napari_interpdisc.widgets.scorecard.run import ScorecardResult, ScorecardRun, carry_out
from napari_interpdisc.widgets.scorecard.widget import ScorecardWidget

from ..conftest import CELLS, DIAMETER, blobs, put_up

HEADS = ("formula", "mitosis")
"""Heads of other classes, which disagree on these cells."""


QUICK = ScorecardSettings(
    brightness=(1.0,), distances=(1.0,), angles=2, snr=(10.0, 5.0), shifts=(2.0, 4.0),
    diameters=(0.9, 1.2), blurs=(1.0,), gradients=(0.2,), simulated=8,
)  # fmt: skip
"""Every kind of test, with few variants of each."""


def movie() -> np.ndarray:
    """The frames of ``make_scene``."""
    return np.stack([blobs((120, 130), CELLS[CELLS[:, 0] == t, 1:3]) for t in range(3)])


def masks() -> np.ndarray:
    """A segmentation of the movie: a disc for each cell."""
    found = np.zeros((3, 120, 130), np.int32)
    rows, cols = np.mgrid[:120, :130]
    for t, y, x, track in CELLS:
        found[int(t)][np.hypot(rows - y, cols - x) <= DIAMETER / 2.5] = int(track)
    return found


@pytest.fixture(scope="session")
def a_run(bundled_model: CellModel) -> ScorecardRun:
    """What to test: all cells but the first, so that rows and places differ."""
    frames = Frames(movie())
    table = CellTable.from_arrays(CELLS[:, 0], CELLS[:, 1:3], CELLS[:, 3], source="cells")
    encoding = classify(frames, table, bundled_model, DIAMETER).encoding
    rows, about = np.arange(1, len(CELLS)), {"image": "movie", "cells": "cells"}
    return ScorecardRun(frames, encoding, rows, bundled_model, HEADS, None, QUICK, about)


@pytest.fixture(scope="session")
def found(a_run: ScorecardRun) -> ScorecardResult:
    """What the run found, computed once for all."""
    return carry_out(a_run, silent)


Scene = SimpleNamespace


@pytest.fixture
def scene(make_scene: Callable[..., Scene], in_window: bool, qtbot: Any) -> Scene:
    """A classified movie and the dock widget."""
    made = make_scene(window=in_window)
    made.widget = ScorecardWidget(made.viewer)
    made.widget.settings = QUICK
    put_up(made.viewer, made.widget, "Scorecard", qtbot)
    return made


@pytest.fixture
def run(qtbot: Any) -> Callable[[ScorecardWidget], None]:
    """Press Run, and wait until the work is over."""

    def press(widget: ScorecardWidget) -> None:
        widget.run_button.click()
        qtbot.waitUntil(lambda: not widget.work.running)

    return press
