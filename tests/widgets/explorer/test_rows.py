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


def test_latents_that_the_head_reads_stand_first_and_bold(
    qtbot: Any, bundled_model: CellModel
) -> None:
    rows = SliderRows()
    qtbot.addWidget(rows)
    rows.show_model(replace(bundled_model, orientation_pairs=((3, 4), (20, 21))))
    rows.show()
    assert not rows.heading.isVisible()
    assert rows.arrange("mine", (7, 4))
    assert rows.heading.text() == "Latents that 'mine' reads (2)"
    assert rows.others.text() == "Other latents (30)"
    seen = {row for row in rows._rows() if row.isVisible()}
    assert seen == {rows.pairs[3, 4], rows.latents[4], rows.latents[7]}
    assert all(row.name.font().bold() == (row in seen) for row in rows._rows())
    assert rows.latents[7].name.toolTip().endswith("The head 'mine' reads it")
    assert "reads it" not in rows.latents[3].name.toolTip()
    rows.others.expand(animate=False)
    assert all(row.isVisible() for row in rows._rows())

    kept = rows.latents[7]
    assert not rows.arrange("mine", (4, 7)), "they stand like that already"
    assert rows.arrange("other", range(32))
    assert rows.latents[7] is kept
    assert not rows.others.isVisible(), "there are no others"

    def ranked() -> list[int]:
        return [row.latent for row in sorted(rows.latents.values(), key=lambda row: row.y())]

    qtbot.waitUntil(lambda: ranked() == bundled_model.by_importance())


def test_a_cell_is_shown_in_folded_rows_too(qtbot: Any, bundled_model: CellModel) -> None:
    rows = SliderRows()
    qtbot.addWidget(rows)
    rows.show_model(bundled_model)
    rows.arrange("mine", (7,))
    z = np.linspace(-2, 2, 32).astype(np.float32)
    rows.show_cell(z, z)
    assert rows.latents[0].slider.value() == -200
