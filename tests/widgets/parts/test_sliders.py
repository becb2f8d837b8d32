"""Sliders that mark a value and are deaf to the wheel."""

from __future__ import annotations

from typing import Any

import pytest

from napari_interpdisc.widgets.parts.sliders import MarkedSlider


def test_the_mark_lies_under_the_handle_of_an_unmoved_slider(qtbot: Any) -> None:
    slider = MarkedSlider()
    qtbot.addWidget(slider)
    slider.resize(240, 24)
    positions = [slider.mark_x(v) for v in (-4, -1, 0, 2, 4)]
    assert positions == sorted(positions)
    assert positions[2] == pytest.approx(120, abs=3)
    assert 0 < positions[0] < positions[-1] < 240
