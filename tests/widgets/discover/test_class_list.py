from __future__ import annotations

from typing import Any

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel

from napari_interpdisc.widgets.discover.annotations import KEYS
from napari_interpdisc.widgets.discover.class_list import ClassList

COUNTS = {"round": (3, 2), "long": (0, 0)}


@pytest.fixture
def classes(qtbot: Any) -> ClassList:
    made = ClassList()
    qtbot.addWidget(made)
    made.show_classes(("round", "long"), COUNTS, "long")
    return made


def test_a_row_says_name_numbers_and_which_is_chosen(classes: ClassList) -> None:
    assert [field.text() for field in classes.names] == ["round", "long"]
    assert [[n.text() for n in pair] for pair in classes.counts] == [["3", "2"], ["0", "0"]]
    assert [radio.isChecked() for radio in classes.radios] == [False, True]
    kept = classes.names[0]
    classes.show_classes(("round", "long"), {"round": (4, 2), "long": (1, 1)}, "round")
    assert classes.names[0] is kept, "numbers alone make no new rows"
    assert classes.counts[1][0].text() == "1"
    assert classes.radios[0].isChecked()


def test_what_is_pressed_is_told_by_name(classes: ClassList) -> None:
    seen: list[Any] = []
    classes.chosen.connect(lambda name: seen.append(("chosen", name)))
    classes.removal_asked.connect(lambda name: seen.append(("remove", name)))
    classes.renamed.connect(lambda old, new: seen.append(("rename", old, new)))
    classes.radios[0].click()
    classes.removers[1].click()
    classes.names[0].setText("oval")
    classes.names[0].editingFinished.emit()
    assert seen == [("chosen", "round"), ("remove", "long"), ("rename", "round", "oval")]
    classes.reset_names()
    assert classes.names[0].text() == "round"
    classes.names[0].editingFinished.emit()
    assert len(seen) == 3, "nothing was changed"


def test_only_the_first_classes_have_a_key(classes: ClassList) -> None:
    many = tuple(f"class {k}" for k in range(KEYS + 2))
    classes.show_classes(many, dict.fromkeys(many, (0, 0)), None)
    keys = {label.text() for label in classes.findChildren(QLabel) if label.text().isdigit()}
    assert {str(k + 1) for k in range(KEYS)} <= keys
    assert str(KEYS + 1) not in keys
    assert len(classes.radios) == KEYS + 2


def test_neither_tab_nor_enter_leaves_a_name_at_hand(classes: ClassList, qtbot: Any) -> None:
    policies = {field.focusPolicy() for field in classes.names}
    assert policies == {Qt.FocusPolicy.ClickFocus}
    assert {remover.focusPolicy() for remover in classes.removers} == {Qt.FocusPolicy.NoFocus}
    classes.show()
    classes.activateWindow()
    field = classes.names[0]
    field.setFocus()
    qtbot.waitUntil(lambda: classes.focusWidget() is field)
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert classes.focusWidget() is not field
