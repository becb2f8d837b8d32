from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QEvent
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QFormLayout, QLabel, QVBoxLayout, QWidget

from napari_interpdisc.widgets.parts.controls import (
    SWATCH,
    TONES,
    ScrolledPage,
    StatusLine,
    StillLabel,
    Told,
    WorkBar,
    button,
    combo,
    folded,
    let_grow,
    row,
    swatch,
)


def test_a_fault_is_red_until_something_else_is_said(qtbot: Any) -> None:
    line = StatusLine()
    qtbot.addWidget(line)
    line.fault("That <b>cannot</b> be.")
    assert line.is_fault
    assert line.styleSheet() == f"color: {TONES['fault'][0]}"
    assert line.text() == "That <b>cannot</b> be."
    line.say("Done.")
    assert not line.is_fault
    assert line.styleSheet() == ""


def ground(qtbot: Any, text: str) -> QWidget:
    """A page with text of one colour, as of a theme."""
    page = QWidget()
    qtbot.addWidget(page)
    page.setStyleSheet(f"color: {text}")
    QVBoxLayout(page)
    return page


def test_a_warning_has_a_colour_that_can_be_read_on_its_ground(qtbot: Any) -> None:
    line, page = StatusLine(), ground(qtbot, "black")
    page.layout().addWidget(line)
    line.warn("Look at the diameter.")
    page.show()
    qtbot.waitUntil(page.isVisible)
    assert line.styleSheet() == f"color: {TONES['warning'][1]}"
    page.setStyleSheet("color: #eeeeee")  # another theme
    assert line.styleSheet() == f"color: {TONES['warning'][0]}"


def test_a_fault_goes_with_its_cause_and_what_was_done_stays(qtbot: Any) -> None:
    line = StatusLine()
    qtbot.addWidget(line)
    line.fault("The diameter is wrong.")
    line.forget_fault()
    assert line.text() == ""
    line.say("3 cells.")
    line.forget_fault()
    assert line.text() == "3 cells."


def test_a_line_that_tells_nothing_takes_no_room(qtbot: Any) -> None:
    page, line, field = ground(qtbot, "black"), StatusLine(), QLabel("field")
    page.layout().addWidget(field)
    line.stand_below(field)
    page.show()
    qtbot.waitUntil(page.isVisible)
    assert not line.isVisible()
    line.say("Done.")
    assert line.isVisible()
    line.clear()
    assert not line.isVisible()


def test_what_is_told_stands_below_the_button_that_caused_it(qtbot: Any) -> None:
    page = ground(qtbot, "black")
    form, first, second, last = QFormLayout(), QLabel("1"), QLabel("2"), QLabel("3")
    form.addRow("first", first)
    form.addRow("second", second)
    page.layout().addLayout(form)
    page.layout().addWidget(last)
    told = Told("How far it is.")
    told.status.say("Done.")
    page.resize(300, 400)
    page.show()
    for field, layout in ((first, form), (last, page.layout()), (second, form), (first, form)):
        told.stand_below(field, layout)
        told.progress.show_running(True)
        qtbot.waitUntil(told.status.isVisible)
        page.layout().activate()
        assert 0 <= told.progress.y() - field.geometry().bottom() < 30
        assert 0 <= told.status.y() - told.progress.geometry().bottom() < 30
        assert form.rowCount() == 2 + 2 * (layout is form)
        told.progress.show_running(False)
        told.status.say("Done, and there is more to tell than there is room for in a line. " * 3)
        high = told.status.heightForWidth(told.status.width())
        qtbot.waitUntil(lambda high=high: told.status.height() >= high, timeout=3000)
        told.status.say("Done.")


def test_a_status_line_shows_text_as_it_is(qtbot: Any) -> None:
    line = StatusLine()
    qtbot.addWidget(line)
    line.say("z1 <b>x</b>")
    plain, marked = line.sizeHint().width(), QLabel("z1 <b>x</b>").sizeHint().width()
    assert plain > marked, "no mark-up is read in names that users give"


def test_a_bar_is_busy_until_the_first_report_and_gone_at_the_end(qtbot: Any) -> None:
    bar = WorkBar("How far it is.")
    qtbot.addWidget(bar)
    assert bar.isHidden()
    bar.show_running(True)
    assert not bar.isHidden()
    assert (bar.minimum(), bar.maximum()) == (0, 0)
    bar.show_progress(3, 7)
    assert (bar.value(), bar.maximum()) == (3, 7)
    bar.show_running(False)
    assert bar.isHidden()
    bar.show_running(True)
    assert bar.maximum() == 0, "the next work begins anew"


def test_a_folded_part_shows_its_content_once_it_is_opened(qtbot: Any) -> None:
    part, inner = folded("More"), QLabel("inside")
    part.addWidget(inner)
    qtbot.addWidget(part)
    part.show()
    assert part.text() == "More"
    assert not part.isExpanded()
    part.toggleButton().click()
    assert part.isExpanded()
    qtbot.waitUntil(inner.isVisible)


def test_a_button_calls_what_it_was_given(qtbot: Any) -> None:
    pressed: list[str] = []
    made = button("Run", lambda: pressed.append("run"), "Do it.")
    qtbot.addWidget(made)
    made.click()
    assert pressed == ["run"]
    assert (made.text(), made.toolTip()) == ("Run", "Do it.")


def test_a_long_layer_name_does_not_widen_the_dock(qtbot: Any) -> None:
    names = ["short"]
    box = combo(lambda _: [(name, name) for name in names], "Which layer.")
    qtbot.addWidget(box.native)
    narrow = box.native.minimumSizeHint().width()
    names[:] = ["a name of a layer that goes on and on " * 5]
    box.reset_choices()
    assert box.value == names[0]
    assert box.native.minimumSizeHint().width() <= narrow + 1


def test_the_first_widget_of_a_row_takes_the_room(qtbot: Any) -> None:
    first, second = QWidget(), QLabel("x")
    first.setToolTip("first")
    made = row(first, second)
    qtbot.addWidget(made)
    made.resize(300, 30)
    made.show()
    qtbot.waitExposed(made)
    assert first.width() > 200
    assert made.toolTip() == "first"


@pytest.mark.parametrize("where", [None, np.eye(SWATCH, dtype=bool)])
def test_a_swatch_has_its_colour_and_the_other_one_where_asked(qtbot: Any, where: Any) -> None:
    label = swatch((1.0, 0.0, 0.0, 1.0), (0.0, 0.0, 1.0, 1.0), where)
    qtbot.addWidget(label)
    picture = label.pixmap().toImage()
    assert picture.width() == picture.height() == SWATCH
    assert picture.pixelColor(3, 5) == QColor("red")
    assert picture.pixelColor(3, 3) == QColor("red" if where is None else "blue")


def test_a_folded_part_grows_with_its_content_and_hides_it(qtbot: Any) -> None:
    part, content = folded("More"), QLabel("one line")
    let_grow(part, content)
    qtbot.addWidget(part)
    part.show()
    assert not content.isVisible()
    part.expand(animate=False)
    assert content.isVisible()
    low = part.sizeHint().height()
    content.setText("one line<br>" * 20)
    qtbot.waitUntil(lambda: part.sizeHint().height() > 5 * low)
    part.collapse(animate=False)
    assert not content.isVisible()
    qtbot.waitUntil(lambda: part.sizeHint().height() < low)


def test_a_scrolled_page_is_as_wide_as_it_needs(qtbot: Any) -> None:
    page = QWidget()
    layout = QVBoxLayout(page)
    wide = QWidget()
    wide.setMinimumSize(300, 900)
    layout.addWidget(wide)
    area = ScrolledPage(page)
    qtbot.addWidget(area)
    assert area.minimumSizeHint().width() > 300 + area.verticalScrollBar().sizeHint().width()
    assert area.minimumSizeHint().height() < 300


def test_the_arrow_of_a_folded_part_has_the_colour_of_the_theme(qtbot: Any) -> None:
    part = folded("More")
    qtbot.addWidget(part)
    part.show()
    for color in ("#ff0000", "#0000ff"):
        part.toggleButton().setStyleSheet(f"color: {color}")
        part._draw_arrows()
        picture = part.toggleButton().icon().pixmap(20, 20).toImage()
        inked = {
            picture.pixelColor(x, y).name()
            for x in range(picture.width())
            for y in range(picture.height())
            if picture.pixelColor(x, y).alpha() > 250
        }
        assert inked == {color}


class Page(QWidget):
    """Counts how often it is laid out anew."""

    def __init__(self) -> None:
        super().__init__()
        self.layouts = 0

    def event(self, event: QEvent) -> bool:
        self.layouts += event.type() == QEvent.Type.LayoutRequest
        return bool(super().event(event))


def test_a_still_label_lays_out_nothing_while_its_height_stays(qtbot: Any) -> None:
    page, label = Page(), StillLabel()
    qtbot.addWidget(page)
    QVBoxLayout(page).addWidget(label)
    page.resize(200, 100)
    label.setText("Metaphase +1.00")
    page.show()
    qtbot.waitUntil(label.label.isVisible)
    qtbot.wait(20)
    page.layouts, high = 0, label.height()
    for score in range(5):
        label.setText(f"Metaphase +1.{score}0")
        qtbot.wait(1)
    assert page.layouts == 0
    label.setText("Prometaphase +1.00 → Metaphase of another cell line +2.00")
    qtbot.waitUntil(lambda: label.height() > high)
    assert label.label.height() == label.height()
    assert label.text().endswith("+2.00")
