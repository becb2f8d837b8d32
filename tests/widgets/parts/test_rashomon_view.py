"""The table of heads that are about as good."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_interpdisc.discovery.rashomon import Member, RashomonSet, rashomon_set
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.models.formula import FormulaHead, parse_formula
from napari_interpdisc.widgets.parts.rashomon_view import RashomonView


@pytest.fixture
def view(qtbot: Any) -> RashomonView:
    made = RashomonView(0.01)
    qtbot.addWidget(made)
    return made


@pytest.fixture
def found() -> RashomonSet:
    """Return z0 and z0 + z1, which agree on one of two cells."""
    members = [
        Member(text, FormulaHead([parse_formula(text, 32)]), accuracy)
        for text, accuracy in (("z0", 0.96), ("z0 + z1", 0.955))
    ]
    return rashomon_set(members, ("no", "yes"), np.array([[1.0, -2, *[0] * 30], [1.0] * 32]), 1)


def test_heads_with_accuracy_nodes_and_latents_by_name(
    view: RashomonView, found: RashomonSet, bundled_model: CellModel
) -> None:
    view.show_set(found.within(0.01), bundled_model)
    label = bundled_model.latent_label
    assert [[view.table.item(i, k).text() for k in range(4)] for i in range(2)] == [
        ["z0", "0.960", "1", f"1: {label(0)}"],
        ["z0 + z1", "0.955", "3", f"2: {label(0)}, {label(1)}"],
    ]
    assert view.told.text().endswith("they agree on 50.0 % of 2 cells.")
    view.show_set(found.within(0), bundled_model, "labelled cells")
    assert view.table.rowCount() == 1
    assert view.told.text().endswith(
        "There is none to disagree with; allow a larger loss to see more."
    )
    view.say("No cells.")
    assert not view.table.isVisibleTo(view)


def test_the_box_asks_for_another_loss_unless_it_follows(view: RashomonView, qtbot: Any) -> None:
    seen: list[float] = []
    view.delta_changed.connect(seen.append)
    view.show_delta(0.02)
    assert not seen
    view.delta.setValue(0.05)
    assert seen == [0.05]
