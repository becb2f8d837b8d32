"""The strip of a path: what a click on it means, and what is drawn."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QColor

from napari_interpdisc._types import silent
from napari_interpdisc.figures.palette import class_colors
from napari_interpdisc.models.cell_model import class_index
from napari_interpdisc.widgets.parts.controls import FAULT_COLOR
from napari_interpdisc.widgets.perturb.change import (
    ChangeResult,
    asked,
    find_change,
    target_choices,
)
from napari_interpdisc.widgets.perturb.path_strip import LARGEST, SMALLEST, PathStrip


@pytest.fixture
def result(crowd: SimpleNamespace) -> ChangeResult:
    crowd.session.select(4)
    target = target_choices(crowd.session)[0]
    return find_change(asked(crowd.session, target, "boundary", None), silent)


@pytest.fixture
def strip(qtbot: Any, result: ChangeResult) -> PathStrip:
    strip = PathStrip()
    qtbot.addWidget(strip)
    strip.show_result(result)
    strip.resize(400, strip.sizeHint().height())
    strip.resize(400, strip.sizeHint().height())
    return strip


def test_a_click_chooses_a_step_or_a_real_cell(
    qtbot: Any, strip: PathStrip, result: ChangeResult
) -> None:
    steps: list[int] = []
    cells: list[int] = []
    strip.step_chosen.connect(steps.append)
    strip.cell_chosen.connect(cells.append)
    left = Qt.MouseButton.LeftButton
    qtbot.mouseClick(strip, left, pos=strip.place(2).center())
    assert (steps, cells) == ([2], [])
    qtbot.mouseClick(strip, left, pos=strip.place(5, real=True).center())
    assert (steps, cells) == ([2, 5], [int(result.path.nearest[5])])
    assert strip.at(QPoint(0, 0)) is None
    strip.show_result(None)
    qtbot.mouseClick(strip, left, pos=QPoint(50, 30))
    assert len(steps) == 2


def test_pictures_have_the_room_there_is(strip: PathStrip) -> None:
    for width, side in ((270, SMALLEST), (400, 42), (2000, LARGEST)):
        strip.resize(width, 200)
        assert strip.side == side
        assert strip.place(8, real=True).right() < width
        assert strip.place(0, real=True).bottom() < strip.sizeHint().height()
    assert strip.minimumSizeHint().width() <= 9 * (SMALLEST + 2)


def test_colours_tell_the_class_and_where_no_cells_are(
    strip: PathStrip, result: ChangeResult
) -> None:
    result.path.real[:] = [True, False] + 7 * [True]
    strip.show_step(8)
    drawn = strip.grab().toImage()
    called, classes = class_index(result.path.scores), result.path.classes
    for step in (0, 8):
        expected = QColor.fromRgbF(*class_colors(classes)[classes[called[step]]])
        assert drawn.pixelColor(strip.place(step).center().x(), 1) == expected
    framed = {
        step
        for step in range(9)
        if drawn.pixelColor(strip.place(step).left() + 1, strip.place(step).center().y())
        == QColor(FAULT_COLOR)
    }
    assert framed == {1}
