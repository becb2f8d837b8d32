"""The latent explorer: what it shows is what the model says, and only while it can be seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QAbstractButton, QSlider

from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.models.tcvae import TCVAE
from napari_interpdisc.widgets.explorer.edited_cell import EditedCell
from napari_interpdisc.widgets.explorer.widget import (
    NO_CELLS,
    NO_SELECTION,
    SHOWN,
    ExplorerWidget,
)
from napari_interpdisc.widgets.parts.pictures import grey_picture

from ..conftest import IN_WINDOW, put_up
from .conftest import ROW, Scene, are_alike, page, score


def test_the_empty_state_tells_what_to_do(make_scene: Callable[..., Scene], qtbot: Any) -> None:
    scene = make_scene(finished=False, window=False)
    widget = ExplorerWidget(scene.viewer)
    put_up(scene.viewer, widget, "Latent explorer", qtbot)
    qtbot.waitUntil(widget.isVisible)
    assert (page(widget), widget.hint.text()) == (0, NO_CELLS)
    scene.finish()
    assert (page(widget), widget.hint.text()) == (0, NO_SELECTION)
    scene.session.select(0)
    assert page(widget) == 1
    scene.viewer.layers.remove(scene.image)
    assert (page(widget), widget.hint.text()) == (0, NO_CELLS)


def test_the_selected_cell_is_shown(explorer: ExplorerWidget) -> None:
    session = explorer.session
    own = session.encoding.latents[ROW]
    assert explorer.title.text() == "<b>Cell 3, frame 1</b>"
    text = explorer.scores.text()
    assert text.count(score(explorer, own)) == 2, "before and live are the same at first"
    crop = session.crop(ROW)
    np.testing.assert_array_equal(explorer.cell.crop, crop)
    expected = grey_picture(crop, explorer._limits)
    assert explorer.image_view.picture == expected
    assert explorer.edited_view.picture == explorer.reconstruction_view.picture != expected


def test_local_contrast_can_be_drawn_instead(explorer: ExplorerWidget, qtbot: Any) -> None:
    model, crop = explorer.session.model, explorer.session.crop(ROW)
    picture = explorer.edited_view.picture
    assert explorer.show_what.isVisible()
    explorer.show_what.setCurrentText(SHOWN["texture"])
    z = explorer.session.encoding.latents[ROW].copy()
    own = model.decode_texture(z[None])[0, 0]
    limits = explorer._limits
    wanted = grey_picture(model.texture_of(crop[None, None])[0, 0], limits)
    assert explorer.image_view.picture == wanted
    assert explorer.edited_view.picture == explorer.reconstruction_view.picture
    assert explorer.edited_view.picture == grey_picture(own, limits) != picture
    explorer.sliders.latents[5].slider.setValue(250)
    z[5] = 2.5
    moved = grey_picture(model.decode_texture(z[None])[0, 0], limits)
    qtbot.waitUntil(lambda: explorer.edited_view.picture == moved)
    z[5] = 3
    last = grey_picture(model.decode_texture(z[None])[0, 0], limits)
    assert are_alike(explorer.strip.pictures[-1], last)


def test_a_model_without_texture_has_no_such_choice(explorer: ExplorerWidget) -> None:
    config = explorer.session.model.encoder.config.model_copy(
        update={"texture": False, "around": ()}
    )
    plain = replace(explorer.session.model, encoder=TCVAE(config).eval())
    explorer.show_what.setCurrentText(SHOWN["texture"])
    explorer.session._model = plain
    explorer._show_cell()
    assert not explorer.show_what.isVisible()
    assert explorer.what == "cell"
    assert explorer.image_view.picture == grey_picture(explorer.session.crop(ROW), explorer._limits)


def test_dragging_shows_decoding_and_score_live(explorer: ExplorerWidget, qtbot: Any) -> None:
    latent = 4
    assert explorer.session.model.by_importance()[0] != latent  # the one shown at first
    before, strip = explorer.edited_view.picture, explorer.strip_title.text()
    explorer.sliders.latents[latent].slider.setValue(250)
    z = explorer.session.encoding.latents[ROW].copy()
    z[latent] = 2.5
    qtbot.waitUntil(lambda: explorer.edited_view.picture != before)
    np.testing.assert_array_equal(explorer.cell.edited, z)
    decoded = explorer.session.model.reconstruct(z[None], explorer.cell.crop[None, None])[0, 0]
    assert explorer.edited_view.picture == grey_picture(decoded, explorer._limits)
    old, new = explorer.scores.text().split("→")
    assert score(explorer, explorer.cell.own) in old
    assert score(explorer, z) in new
    assert explorer.sliders.latents[latent].value.text() == "+2.50"
    label = explorer.session.model.latent_label(latent)
    assert f"<b>{label}</b>" in explorer.strip_title.text() != strip


def test_many_moves_are_drawn_once(
    explorer: ExplorerWidget, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    decode = EditedCell.decoded
    monkeypatch.setattr(EditedCell, "decoded", lambda cell: calls.append(1) or decode(cell))
    for value in range(0, 300, 3):
        explorer.sliders.latents[5].slider.setValue(value)
    qtbot.waitUntil(lambda: bool(calls))
    qtbot.wait(60)
    assert len(calls) == 1
    assert explorer.cell.edited[5] == pytest.approx(2.97)


def test_reset_gives_exactly_the_own_values_back(explorer: ExplorerWidget, qtbot: Any) -> None:
    own = explorer.session.encoding.latents[ROW]
    assert not explorer.reset_all.isEnabled()
    for latent in (5, 22):
        explorer.sliders.latents[latent].slider.setValue(-300)
    qtbot.waitUntil(explorer.reset_all.isEnabled)
    explorer.sliders.latents[5].reset.click()
    assert explorer.cell.edited[5] == own[5]
    assert explorer.cell.edited[22] == np.float32(-3)
    assert not explorer.sliders.latents[5].reset.isEnabled()
    explorer.reset_all.click()
    np.testing.assert_array_equal(explorer.cell.edited, own)
    assert explorer.edited_view.picture == explorer.reconstruction_view.picture
    assert explorer.sliders.latents[22].slider.value() == round(float(own[22]) * 100)
    assert not explorer.reset_all.isEnabled()


def test_the_wheel_scrolls_and_changes_nothing(explorer: ExplorerWidget) -> None:
    slider = explorer.sliders.latents[22].slider
    before = slider.value()
    event = QWheelEvent(
        QPointF(5, 5),
        QPointF(5, 5),
        QPoint(0, 0),
        QPoint(0, 120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    slider.wheelEvent(event)
    assert slider.value() == before
    assert not event.isAccepted()


@IN_WINDOW
def test_nothing_is_decoded_while_hidden(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, qtbot: Any
) -> None:
    calls = []
    decode = CellModel.decode
    scene.widget.parent().hide()
    monkeypatch.setattr(CellModel, "decode", lambda m, z: calls.append(1) or decode(m, z))
    scene.session.select(0)
    scene.session.select(ROW)
    assert not calls
    scene.widget.parent().show()
    qtbot.waitUntil(lambda: bool(calls))
    assert scene.widget.title.text() == "<b>Cell 3, frame 1</b>"


def test_another_head_rescores(explorer: ExplorerWidget) -> None:
    session = explorer.session
    model = session.model
    named = replace(model.head(), name="other", classes=("round", "long"))
    two = replace(model, heads={**model.heads, "other": named})
    session.set_model(two, "other")
    assert any(name in explorer.scores.text() for name in ("round", "long"))


def test_every_control_says_what_it_does(explorer: ExplorerWidget) -> None:
    parts = [*explorer.findChildren(QAbstractButton), *explorer.findChildren(QSlider)]
    assert len(parts) >= 3 * 32
    assert [p for p in parts if not p.toolTip()] == []


@IN_WINDOW
def test_it_fits_a_laptop(explorer: ExplorerWidget) -> None:
    assert explorer.minimumSizeHint().height() < 700
    assert explorer.minimumSizeHint().width() < 460


def test_the_rule_follows_the_sliders(explorer: ExplorerWidget, qtbot: Any) -> None:
    session = explorer.session
    session.set_model(session.model, "formula")
    assert list(session.model.head("formula").head.used_latents) == [2, 7, 11]
    (maths,) = explorer.rule.maths
    qtbot.waitUntil(lambda: maths.pixmap is not None)
    picture = maths.pixmap
    explorer.sliders.latents[7].slider.setValue(150)
    z = session.encoding.latents[ROW].copy()
    z[7] = 1.5
    wanted = float(session.model.score(z[None], "formula")[0, 0])
    qtbot.waitUntil(lambda: abs(explorer.rule.bars.total.value - wanted) < 1e-2)
    assert explorer.rule.bars.bars[1].filled == "26.6·1.50"
    assert explorer.rule.maths == [maths]
    assert maths.pixmap is picture, "it is not drawn anew"


def test_the_strip_goes_through_a_latent_that_the_head_reads(explorer: ExplorerWidget) -> None:
    session = explorer.session
    explorer._touched(0)
    session.set_model(session.model, "formula")
    assert explorer.traversed == 11, "the most important one that it reads"
    explorer._touched(2)
    session.set_model(session.model, "formula-plain")
    assert explorer.traversed == 2, "it reads this one too"
    explorer._touched(0)
    session.set_model(session.model, "formula-plain")
    assert explorer.traversed == 0, "the same head: what the user touched stays"


def test_latents_are_edited_together_with_other_docks(explorer: ExplorerWidget, qtbot: Any) -> None:
    session, told = explorer.session, []
    session.edited_changed.connect(told.append)
    explorer.sliders.latents[5].slider.setValue(250)
    assert session.edited[5] == np.float32(2.5)
    assert told == [explorer]
    z = session.edited.copy()
    z[[2, 22]] = 1.25, -4.5
    session.edit(z, by="another dock")
    assert told == [explorer, "another dock"], "it does not answer"
    np.testing.assert_array_equal(explorer.cell.edited, z)
    assert explorer.sliders.latents[2].slider.value() == 125
    assert explorer.sliders.latents[22].value.text() == "−4.50"
    qtbot.waitUntil(lambda: score(explorer, z) in explorer.scores.text())
    session.reset_edited()
    assert not explorer.cell.is_edited
    explorer.reset_all.setEnabled(True)
    session.edit(z)
    explorer.reset_all.click()
    assert not session.is_edited
    explorer._reset_one(2)
    assert told[-1] is explorer


def test_what_was_edited_while_hidden_is_shown_later(explorer: ExplorerWidget, qtbot: Any) -> None:
    session = explorer.session
    explorer.hide()
    z = session.edited.copy()
    z[2] = 2
    session.edit(z)
    assert explorer.cell.edited[2] != 2
    explorer.show()
    qtbot.waitUntil(lambda: explorer.cell.edited[2] == 2)
    assert explorer.sliders.latents[2].slider.value() == 200
