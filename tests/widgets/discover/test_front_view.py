"""The front of formulas: picked, shown with names, and copied."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
from qtpy.QtWidgets import QApplication

from napari_interpdisc.models.cell_model import LatentMeaning
from napari_interpdisc.widgets.canvas.overlay import find_overlay

from .conftest import (
    Settled,
    trained,
)


def test_picking_a_formula_colours_the_cells_by_it(
    scene: SimpleNamespace, settled: Settled, quick: list[Any]
) -> None:
    session = scene.session
    results = trained(scene, settled)
    results.front.table.cellClicked.emit(0, 0)
    latents = session.encoding.latents
    assert session.classification.head == "formula"
    np.testing.assert_allclose(session.classification.scores[:, 0], latents[:, 3], rtol=1e-5)
    assert results.quality.heads.item(1, 2).text() == "1"
    overlay = find_overlay(scene.viewer)
    assert overlay is not None
    _, y, x = scene.table[0, 1:].astype(int)
    assert np.asarray(overlay.data[0])[y, x] == 1 + int(latents[0, 3] >= 0)
    results.front.plot.clicked.emit(2)
    product = latents[:, 3] * latents[:, 7] - 1
    np.testing.assert_allclose(session.classification.scores[:, 0], product, rtol=1e-4)
    assert results.front.formula.text().startswith(
        f"class 2 where {session.model.aliases.get(3, 'z3')}"
    )
    results.front.copy.click()
    assert "z_{7}" in QApplication.clipboard().text()
    results.quality.heads.cellClicked.emit(0, 0)
    assert session.classification.head == "dense"
    results.quality.heads.cellClicked.emit(1, 0)
    np.testing.assert_allclose(session.classification.scores[:, 0], product, rtol=1e-4)


def test_formulas_are_shown_with_names_and_copied_without(
    scene: SimpleNamespace, settled: Settled, quick: list[Any]
) -> None:
    session = scene.session
    meanings = [LatentMeaning()] * session.model.n_latents
    meanings[7] = LatentMeaning("size", "area")
    session.set_model(replace(session.model, meanings=tuple(meanings)))
    front = trained(scene, settled).front
    front.table.cellClicked.emit(2, 0)
    item = front.table.item(2, 2)
    assert item.text() == "z3*size_z7 - 1"
    assert item.toolTip().endswith("z3*z7 - 1")
    assert "z3*size_z7 - 1" in front.formula.text()
    assert front.formula.toolTip().endswith("z3*z7 - 1")
    front.copy.click()
    assert r"\mathrm{size}_{7}" in QApplication.clipboard().text()
    front._copy(front.rows[2].text, "text")
    assert QApplication.clipboard().text() == "z3*z7 - 1"


def test_a_hidden_plot_is_not_drawn(
    scene: SimpleNamespace, settled: Settled, quick: list[Any], qtbot: Any
) -> None:
    results = trained(scene, settled)
    scene.widget.hide()
    painted = results.front.plot.painted
    results.front.plot.clicked.emit(2)
    qtbot.wait(50)
    assert results.front.plot.painted == painted
