"""The legend: numbers of cells by class and flag."""

from dataclasses import replace
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel

from napari_interpdisc.discovery.rashomon import Member, rashomon_set
from napari_interpdisc.figures.palette import DISAGREEMENT
from napari_interpdisc.flags import CUT
from napari_interpdisc.models.formula import FormulaHead, parse_formula
from napari_interpdisc.widgets.classify.widget import ClassifyWidget
from napari_interpdisc.widgets.gallery.tiles import Filter
from napari_interpdisc.widgets.session import Session

from .conftest import counts

NONE = [("0", "0")] * 2
"""No cell is saturated, and none without pixels."""


def test_legend_counts_this_frame_and_all(
    viewer: Any, widget: ClassifyWidget, session: Session
) -> None:
    assert widget.status.text() == ""
    assert counts(widget) == [("2", "3"), ("0", "3"), ("0", "0"), ("0", "1"), ("0", "2"), *NONE]
    viewer.dims.set_current_step(0, 1)
    assert counts(widget) == [("0", "3"), ("2", "3"), ("0", "0"), ("1", "1"), ("0", "2"), *NONE]


def test_a_model_that_does_not_know_its_training_data_counts_nothing(
    widget: ClassifyWidget, session: Session
) -> None:
    assert session.classification is not None
    old = replace(session.classification.encoding, familiarity=None)
    session.set_classification(replace(session.classification, encoding=old))
    assert counts(widget)[3:] == [("–", "–"), ("0", "2"), *NONE]
    assert widget.flagged.text() == "Of all cells: 33 % cut by the edge."


def test_the_legend_of_disagreement_has_numbers(
    viewer: Any, widget: ClassifyWidget, session: Session
) -> None:
    assert session.encoding is not None
    heads = [Member(t, FormulaHead([parse_formula(t, 32)]), 0.9) for t in ("1", "2", "1 - z0")]
    session.set_compared(rashomon_set(heads, ("no", "yes"), session.encoding.latents, 1))
    assert widget.legend.title() == "Classes"
    session.set_colouring("disagreement")
    assert widget.legend.title() == "Disagreement of heads"
    assert widget.legend.names == DISAGREEMENT[:6]
    # the fourth cell, of the second frame, is called otherwise by one of three
    assert counts(widget)[:6] == [("2", "5"), *[("0", "0")] * 3, ("0", "1"), ("0", "0")]
    session.set_colouring("class")
    assert counts(widget)[:2] == [("2", "3"), ("0", "3")]


def test_a_click_on_a_name_lists_its_cells(
    widget: ClassifyWidget, session: Session, qtbot: Any
) -> None:
    names = widget.legend.findChildren(QLabel)
    by_text = {label.text(): label for label in names}
    qtbot.mouseClick(by_text["Interphase"], Qt.MouseButton.LeftButton)
    assert session.listed == Filter("class", "Interphase")
    qtbot.mouseClick(by_text["unsure"], Qt.MouseButton.LeftButton)
    assert session.listed == Filter("unsure")
    qtbot.mouseClick(by_text["cut by the edge"], Qt.MouseButton.LeftButton)
    assert session.listed == Filter("flag", CUT)
    heads = [Member(t, FormulaHead([parse_formula(t, 32)]), 0.9) for t in ("1", "2", "1 - z0")]
    assert session.encoding is not None
    session.set_compared(rashomon_set(heads, ("no", "yes"), session.encoding.latents, 1))
    session.set_colouring("disagreement")
    widget.legend.asked.emit(4)
    assert session.listed == Filter("listed", "", (3,), "30 to 40 %")
