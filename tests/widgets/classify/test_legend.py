"""The legend: numbers of cells by class and flag."""

from dataclasses import replace
from typing import Any

from napari_interpdisc.widgets.classify.widget import ClassifyWidget
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
