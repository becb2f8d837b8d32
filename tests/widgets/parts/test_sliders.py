"""Sliders that mark a value and are deaf to the wheel."""

from __future__ import annotations

from typing import Any

import pytest

from napari_interpdisc.widgets.parts.sliders import MarkedSlider, NameButton


def test_the_mark_lies_under_the_handle_of_an_unmoved_slider(qtbot: Any) -> None:
    slider = MarkedSlider()
    qtbot.addWidget(slider)
    slider.resize(240, 24)
    positions = [slider.mark_x(v) for v in (-4, -1, 0, 2, 4)]
    assert positions == sorted(positions)
    assert positions[2] == pytest.approx(120, abs=3)
    assert 0 < positions[0] < positions[-1] < 240


def test_a_name_that_is_cut_is_told_and_a_mark_too(qtbot: Any) -> None:
    name = NameButton("z2 granularity_coarse", 100)
    qtbot.addWidget(name)
    name.tell("why", "what a click does")
    assert name.toolTip() == "z2 granularity_coarse\nwhy\nwhat a click does"
    name.mark("it is read")
    assert name.font().bold()
    assert name.toolTip().endswith("\nit is read")
    name.mark("")
    assert not name.font().bold()
    assert "it is read" not in name.toolTip()
    short = NameButton("z2", 100)
    qtbot.addWidget(short)
    short.tell("why")
    assert short.toolTip() == "why"
