"""All sliders of a model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.widgets.explorer.rows import SliderRows
from napari_interpdisc.widgets.explorer.widget import (
    ExplorerWidget,
)

from .conftest import ROW


def test_sliders_are_ordered_by_importance_and_mark_the_own_value(
    explorer: ExplorerWidget,
) -> None:
    model, own = explorer.session.model, explorer.session.encoding.latents[ROW]
    assert list(explorer.sliders.latents) == model.by_importance()
    heights = [explorer.sliders.latents[i].y() for i in model.by_importance()]
    assert len(heights) == 32
    for latent, row in explorer.sliders.latents.items():
        assert row.name.text() == model.latent_label(latent)
        assert row.slider.mark == pytest.approx(float(own[latent]))
        assert row.slider.maximum() >= 400
        assert f"{model.latent_kl[latent]:.2f} nats" in row.bar.toolTip()
    assert explorer.sliders.latents[model.by_importance()[0]].bar.fraction == 1


def test_rows_are_made_anew_for_another_model_only(qtbot: Any, bundled_model: CellModel) -> None:
    rows = SliderRows()
    qtbot.addWidget(rows)
    assert rows.show_model(bundled_model)
    kept = rows.latents[3]
    assert not rows.show_model(replace(bundled_model, name="other"))
    assert rows.latents[3] is kept
    paired = replace(bundled_model, orientation_pairs=((3, 4),))
    assert rows.show_model(paired)
    assert list(rows.pairs) == [(3, 4)]
    assert rows.latents[3] is not kept


def test_rows_pass_on_what_is_done_with_them(qtbot: Any, bundled_model: CellModel) -> None:
    rows = SliderRows()
    qtbot.addWidget(rows)
    rows.show_model(replace(bundled_model, orientation_pairs=((3, 4),)))
    seen: list[Any] = []
    for name in ("moved", "reset_asked", "pair_moved", "pair_reset_asked"):
        getattr(rows, name).connect(lambda *what, name=name: seen.append((name, *what)))
    own = np.zeros(32, np.float32)
    rows.show_cell(own, own)
    assert not seen, "what is shown was not moved"
    rows.latents[7].slider.setValue(150)
    assert rows.latents[7].value.text() == "+1.50"
    rows.latents[7].reset.click()
    rows.pairs[3, 4].r_slider.setValue(200)
    rows.pairs[3, 4].reset.click()
    assert seen == [
        ("moved", 7, 1.5),
        ("reset_asked", 7),
        ("pair_moved", (3, 4), 2.0, 0.0, "r"),
        ("pair_reset_asked", (3, 4)),
    ]


def test_a_latent_and_its_pair_follow_each_other(qtbot: Any, bundled_model: CellModel) -> None:
    rows = SliderRows()
    qtbot.addWidget(rows)
    rows.show_model(replace(bundled_model, orientation_pairs=((3, 4),)))
    own = np.zeros(32, np.float32)
    rows.show_cell(own, own)
    edited = own.copy()
    edited[[3, 4]] = (0, 2)
    rows.follow(own, edited, 4, but=rows.latents[4])
    assert rows.pairs[3, 4].r == 2
    assert rows.pairs[3, 4].angle == 90
    assert rows.latents[4].slider.value() == 0, "the one that was moved is left alone"
    rows.follow(own, edited, 3, 4)
    assert rows.latents[4].slider.value() == 200
