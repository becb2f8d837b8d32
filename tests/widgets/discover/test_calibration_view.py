"""Calibration of the chosen head: a sentence with figures, and a diagram."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_interpdisc.discovery.reliability import reliability
from napari_interpdisc.widgets.discover.calibration_view import CalibrationView


def test_a_sentence_and_a_diagram(qtbot: Any) -> None:
    view = CalibrationView()
    qtbot.addWidget(view)
    view.resize(380, 300)
    view.show()
    assert not view.figure.isVisible()
    p = np.tile([[0.9, 0.1], [0.1, 0.9]], (50, 1))
    found = reliability(p, np.tile([0, 1], 50), np.arange(100) // 4)
    view.show_reliability(found, "track")
    # all are right, 0.9 is said; and 0.1² twice
    assert view.told.text().startswith(
        "On held-out tracks, confidence and share right differ by 0.100 on average"
    )
    assert view.told.text().endswith("Brier score 0.020; a constant forecast has 0.500.")
    qtbot.waitUntil(lambda: view.figure.pixmap is not None)
    image = view.figure.pixmap.toImage()
    colours = {image.pixelColor(x, y).name() for x in range(0, 380, 3) for y in range(0, 230, 3)}
    assert len(colours) > 5
    assert image.pixelColor(2, 2).alpha() == 0, "the window is seen behind it"
    view.say("Not known.")
    assert not view.figure.isVisible()
