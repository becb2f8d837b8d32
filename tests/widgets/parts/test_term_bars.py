"""A list of terms: lines, numbers, and bars to the left and right of zero."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from qtpy.QtCore import QEvent, QPoint
from qtpy.QtGui import QColor, QHelpEvent, QImage
from qtpy.QtWidgets import QToolTip

from napari_interpdisc.widgets.parts.term_bars import LESS, MORE, Bar, ClassLine, TermBars

THREE = (
    Bar("2·z1", "2·1.00", 2.0, "first"),
    Bar("−4·z2", "−4·0.25", -1.0, "second"),
    Bar("0.5", "", 0.5, "third"),
)


@pytest.fixture
def bars(qtbot: Any) -> TermBars:
    made = TermBars()
    qtbot.addWidget(made)
    return made


def columns(image: QImage, color: QColor, top: int, bottom: int) -> list[int]:
    """Columns that have a pixel of a colour between two heights."""
    return [
        x
        for x in range(image.width())
        if any(image.pixelColor(x, y) == color for y in range(top, bottom))
    ]


def test_bars_start_at_one_zero_and_are_as_long_as_their_values(bars: TermBars) -> None:
    bars.show_bars(THREE, Bar("Sum = score", "", 1.5, "all"))
    bars.resize(320, bars.sizeHint().height())
    image = bars.grab().toImage()
    ends = [0]
    for height in bars._heights():
        ends.append(ends[-1] + height)
    two = columns(image, MORE, ends[0], ends[1])
    minus = columns(image, LESS, ends[1], ends[2])
    half = columns(image, MORE, ends[2], ends[3])
    zero = (two[0] + minus[-1]) / 2
    assert half[0] == pytest.approx(two[0], abs=1)
    assert minus[-1] == pytest.approx(two[0], abs=4), "to the left of zero"
    assert two[-1] - zero == pytest.approx(2 * (zero - minus[0]), abs=8)
    assert two[-1] - zero == pytest.approx(4 * (half[-1] - zero), abs=12)
    assert not columns(image, LESS, ends[0], ends[1])
    assert not columns(image, MORE, ends[3], ends[4]), "the sum has no bar"


def test_values_without_a_sign_are_all_grey(bars: TermBars) -> None:
    bars.show_bars(THREE[:1], signed=False)
    bars.resize(320, bars.sizeHint().height())
    image = bars.grab().toImage()
    assert not columns(image, MORE, 0, image.height())


def test_lines_are_found_by_their_height_and_tell_all(bars: TermBars) -> None:
    total = Bar("Sum = score", "", 1.5, "all")
    bars.show_bars(THREE, total)
    bars.resize(320, bars.sizeHint().height())
    bars.show()
    assert bars.bar_at(1) is bars.bars[0]
    first, second, third, _ = bars._heights()
    assert first == second > third, "a constant needs one line"
    assert bars.bar_at(first + 1) is bars.bars[1]
    assert bars.bar_at(first + second + third + 1) is total
    assert bars.bar_at(10_000) is None
    place = QPoint(10, first + 1)
    bars.event(QHelpEvent(QEvent.Type.ToolTip, place, bars.mapToGlobal(place)))
    assert QToolTip.text() == "second"
    QToolTip.hideText()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_drawn_all_the_same(bars: TermBars, value: float) -> None:
    bars.show_bars((Bar("log(z1)", "log(−1)", value), THREE[0]))
    bars.resize(320, bars.sizeHint().height())
    assert not bars.grab().isNull()
    assert bars.painted == 1


def test_the_class_that_is_chosen_is_marked(qtbot: Any) -> None:
    line = ClassLine("Metaphase")
    qtbot.addWidget(line)
    line.resize(300, line.sizeHint().height())
    pictures = [line.grab().toImage()]
    for score, decides in ((1.25, False), (1.25, True)):
        line.show_score(score, decides)
        pictures.append(line.grab().toImage())
    assert line.text == "▸ Metaphase: highest score"
    assert all(a != b for a, b in pairwise(pictures))
