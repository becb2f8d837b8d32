from __future__ import annotations

from typing import Any

import pytest

from napari_interpdisc.scrutiny.anatomy import Anatomy
from napari_interpdisc.scrutiny.anatomy_findings import Finding
from napari_interpdisc.widgets.anatomy.findings_view import FindingsView, told

FOUND = (
    Finding("p", "monotone", "Rises with z2.", "one curve", True, 0.994, 0),
    Finding("p", "saturates", "Does not saturate in z2.", "slope", False, 0.0, 0),
    Finding("p", "sign", "Of both signs: 3 < 4.", "values of 9 cells", False, -0.5),
    Finding("p", "orientation", "Independent.", "by construction", True, 0.0),
)


@pytest.fixture
def view(qtbot: Any) -> FindingsView:
    made = FindingsView()
    qtbot.addWidget(made)
    return made


def test_each_test_says_whether_it_holds_with_its_number(
    view: FindingsView, formula: Anatomy
) -> None:
    view.show_findings(formula.parts[0], FOUND)
    first, second, third = (label.text() for label in view.lines)
    assert first == "<b>Monotone in z2 granularity_coarse: holds</b> (0.99). Rises with z2."
    assert second == "<b>Of one sign: does not hold</b> (−0.50). Of both signs: 3 &lt; 4."
    assert "holds</b> (by construction)" in third
    assert view.lines[0].toolTip() == "Tested: one curve"
    assert told(FOUND[1], formula.parts[0]).startswith("<b>Saturates in z2 granularity_coarse: do")


def test_a_sentence_takes_the_place_of_findings(view: FindingsView, formula: Anatomy) -> None:
    view.show_findings(formula.parts[0], FOUND)
    view.say("Testing …")
    assert [label.text() for label in view.lines] == ["Testing …"]
