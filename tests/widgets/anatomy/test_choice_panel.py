from __future__ import annotations

from typing import Any

import pytest

from napari_interpdisc.scrutiny.anatomy import Anatomy
from napari_interpdisc.widgets.anatomy.choice_panel import ChoicePanel


@pytest.fixture
def choice(formula: Anatomy, qtbot: Any) -> ChoicePanel:
    made = ChoicePanel()
    qtbot.addWidget(made)
    made.show_parts([*formula.parts, *formula.wholes])
    made.show()
    return made


def test_terms_are_listed_with_what_they_are(choice: ChoicePanel) -> None:
    texts = [choice.list.item(i).text() for i in range(choice.list.count())]
    assert texts[0] == "term 1: 0.255·granularity_coarse_z2, times 26.6"
    assert texts[2] == "term 3: −z11², times 26.6"
    assert texts[-1] == "score of Metaphase: the whole head"
    assert "it is a constant" in choice.list.item(3).toolTip()
    assert choice.list.currentRow() == -1


def test_a_click_on_a_term_chooses_it(choice: ChoicePanel, formula: Anatomy) -> None:
    seen: list[Any] = []
    choice.part_chosen.connect(seen.append)
    choice.list.setCurrentRow(2)
    assert seen == [formula.parts[2]]
    choice.show_chosen(formula.parts[0], (0,))
    assert len(seen) == 1, "showing chooses nothing"
    assert choice.list.currentRow() == 0
    assert not choice.axes.isVisible()


def test_two_different_inputs_are_the_axes(choice: ChoicePanel, formula: Anatomy) -> None:
    seen: list[Any] = []
    choice.axes_chosen.connect(seen.append)
    choice.show_chosen(formula.wholes[0], (0, 1))
    assert choice.axes.isVisible()
    assert [choice.x.itemText(i) for i in range(3)] == ["z2 granularity_coarse", "z7", "z11"]
    choice.y.setCurrentIndex(2)
    choice.y.activated.emit(2)
    assert seen == [(0, 2)]
    choice.x.setCurrentIndex(2)
    choice.x.activated.emit(2)
    assert seen[-1] == (2, 0), "the other one gives way"


def test_a_part_that_is_not_in_the_list_is_marked_nowhere(
    choice: ChoicePanel, sparse: Anatomy
) -> None:
    choice.show_chosen(sparse.wholes[0], (1, 2))
    assert choice.list.currentRow() == -1
    assert choice.x.count() == 6
