"""The latent explorer: what it shows is what the model says, and only while it can be seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QAbstractButton, QSlider

from napari_interpdisc.models.cell_model import CellModel, LatentMeaning
from napari_interpdisc.models.tcvae import TCVAE
from napari_interpdisc.number_text import with_sign
from napari_interpdisc.widgets.canvas.layers import data_to_world
from napari_interpdisc.widgets.explorer import widget as explorer_widget
from napari_interpdisc.widgets.explorer.edited_cell import EditedCell
from napari_interpdisc.widgets.explorer.pair_row import PairRow
from napari_interpdisc.widgets.explorer.widget import (
    NO_CELLS,
    NO_SELECTION,
    TEXTURE,
    ExplorerWidget,
)
from napari_interpdisc.widgets.parts.pictures import grey_picture, signed_picture
from napari_interpdisc.widgets.parts.sliders import MarkedSlider

Scene = SimpleNamespace
ROW = 3


@pytest.fixture
def scene(make_scene: Callable[..., Scene], qtbot: Any) -> Scene:
    made = make_scene(show=True)
    made.widget = ExplorerWidget(made.viewer)
    made.viewer.window.add_dock_widget(made.widget, name="Latent explorer")
    qtbot.waitUntil(made.widget.isVisible, timeout=30_000)
    return made


@pytest.fixture
def explorer(scene: Scene) -> ExplorerWidget:
    """The explorer with a cell selected."""
    scene.session.select(ROW)
    return scene.widget


def page(widget: ExplorerWidget) -> int:
    return int(widget._pages.currentIndex())


def score(widget: ExplorerWidget, z: np.ndarray) -> str:
    return with_sign(float(widget.session.model.score(z[None])[0, 0]))


def test_the_empty_state_tells_what_to_do(make_scene: Callable[..., Scene], qtbot: Any) -> None:
    scene = make_scene(show=True, finished=False)
    widget = ExplorerWidget(scene.viewer)
    scene.viewer.window.add_dock_widget(widget, name="Latent explorer")
    qtbot.waitUntil(widget.isVisible, timeout=30_000)
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


def test_sliders_are_ordered_by_importance_and_mark_the_own_value(
    explorer: ExplorerWidget,
) -> None:
    model, own = explorer.session.model, explorer.session.encoding.latents[ROW]
    assert list(explorer.rows) == model.by_importance()
    heights = [explorer.rows[i].y() for i in model.by_importance()]
    assert len(heights) == 32
    for latent, row in explorer.rows.items():
        assert row.name.text() == model.latent_label(latent)
        assert row.slider.mark == pytest.approx(float(own[latent]))
        assert row.slider.maximum() >= 400
        assert f"{model.latent_kl[latent]:.2f} nats" in row.bar.toolTip()
    assert explorer.rows[model.by_importance()[0]].bar.fraction == 1


def test_a_cell_outside_the_usual_range_fits_its_slider(qapp: Any) -> None:
    from napari_interpdisc.widgets.explorer.latent_row import LatentRow

    row = LatentRow(0, 1.0, 1.0)
    row.show_value(-6.3, -6.3)
    assert row.slider.minimum() / 100 < -6.3
    assert row.slider.value() == -630
    row.show_value(0.5, 0.5)
    assert row.slider.maximum() == 400
    row.deleteLater()


def test_the_mark_lies_under_the_handle_of_an_unmoved_slider(qtbot: Any) -> None:
    slider = MarkedSlider()
    qtbot.addWidget(slider)
    slider.resize(240, 24)
    positions = [slider.mark_x(v) for v in (-4, -1, 0, 2, 4)]
    assert positions == sorted(positions)
    assert positions[2] == pytest.approx(120, abs=3)
    assert 0 < positions[0] < positions[-1] < 240


def test_local_contrast_can_be_drawn_instead(explorer: ExplorerWidget, qtbot: Any) -> None:
    model, crop = explorer.session.model, explorer.session.crop(ROW)
    picture = explorer.edited_view.picture
    assert explorer.show_what.isVisible()
    explorer.show_what.setCurrentText(TEXTURE)
    z = explorer.session.encoding.latents[ROW].copy()
    own = model.decode_texture(z[None])[0, 0]
    limits = explorer._limits
    wanted = grey_picture(model.texture_of(crop[None, None])[0, 0], limits)
    assert explorer.image_view.picture == wanted
    assert explorer.edited_view.picture == explorer.reconstruction_view.picture
    assert explorer.edited_view.picture == grey_picture(own, limits) != picture
    explorer.rows[5].slider.setValue(250)
    z[5] = 2.5
    moved = grey_picture(model.decode_texture(z[None])[0, 0], limits)
    qtbot.waitUntil(lambda: explorer.edited_view.picture == moved)
    z[5] = 3
    last = grey_picture(model.decode_texture(z[None])[0, 0], limits)
    assert explorer.strip.pictures[-1] == last


def test_a_model_without_texture_has_no_such_choice(explorer: ExplorerWidget) -> None:
    config = explorer.session.model.encoder.config.model_copy(update={"texture": False})
    plain = replace(explorer.session.model, encoder=TCVAE(config).eval())
    explorer.show_what.setCurrentText(TEXTURE)
    explorer.session._model = plain
    explorer._show_cell()
    assert not explorer.show_what.isVisible()
    assert not explorer.texture
    assert explorer.image_view.picture == grey_picture(explorer.session.crop(ROW), explorer._limits)


def test_dragging_shows_decoding_and_score_live(explorer: ExplorerWidget, qtbot: Any) -> None:
    latent = 4
    assert explorer.session.model.by_importance()[0] != latent  # the one shown at first
    before, strip = explorer.edited_view.picture, explorer.strip_title.text()
    explorer.rows[latent].slider.setValue(250)
    z = explorer.session.encoding.latents[ROW].copy()
    z[latent] = 2.5
    qtbot.waitUntil(lambda: explorer.edited_view.picture != before)
    np.testing.assert_array_equal(explorer.cell.edited, z)
    decoded = explorer.session.model.decode(z[None])[0, 0]
    assert explorer.edited_view.picture == grey_picture(decoded, explorer._limits)
    old, new = explorer.scores.text().split("→")
    assert score(explorer, explorer.cell.own) in old
    assert score(explorer, z) in new
    assert explorer.rows[latent].value.text() == "+2.50"
    label = explorer.session.model.latent_label(latent)
    assert f"<b>{label}</b>" in explorer.strip_title.text() != strip


def test_many_moves_are_drawn_once(
    explorer: ExplorerWidget, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    decode = EditedCell.decoded
    monkeypatch.setattr(EditedCell, "decoded", lambda cell: calls.append(1) or decode(cell))
    for value in range(0, 300, 3):
        explorer.rows[5].slider.setValue(value)
    qtbot.waitUntil(lambda: bool(calls))
    qtbot.wait(60)
    assert len(calls) == 1
    assert explorer.cell.edited[5] == pytest.approx(2.97)


def test_reset_gives_exactly_the_own_values_back(explorer: ExplorerWidget, qtbot: Any) -> None:
    own = explorer.session.encoding.latents[ROW]
    assert not explorer.reset_all.isEnabled()
    for latent in (5, 22):
        explorer.rows[latent].slider.setValue(-300)
    qtbot.waitUntil(explorer.reset_all.isEnabled)
    explorer.rows[5].reset.click()
    assert explorer.cell.edited[5] == own[5]
    assert explorer.cell.edited[22] == np.float32(-3)
    assert not explorer.rows[5].reset.isEnabled()
    explorer.reset_all.click()
    np.testing.assert_array_equal(explorer.cell.edited, own)
    assert explorer.edited_view.picture == explorer.reconstruction_view.picture
    assert explorer.rows[22].slider.value() == round(float(own[22]) * 100)
    assert not explorer.reset_all.isEnabled()


def test_the_strip_is_a_traversal_of_the_latent_touched_last(explorer: ExplorerWidget) -> None:
    model = explorer.session.model
    assert f"<b>{model.latent_label(model.by_importance()[0])}</b>" in explorer.strip_title.text()
    explorer.rows[7].name.click()
    assert f"<b>{model.latent_label(7)}</b>" in explorer.strip_title.text()
    z = explorer.session.encoding.latents[ROW].copy()
    z[7] = explorer_widget.TRAVERSAL[-1]
    value, last = explorer.strip.labels[-1]
    assert (value, last) == ("+3", score(explorer, z))
    decoded = model.decode(z[None])[0, 0]
    assert len(explorer.strip.pictures) == 7
    assert explorer.strip.pictures[-1] == grey_picture(decoded, explorer._limits)


def test_the_wheel_scrolls_and_changes_nothing(explorer: ExplorerWidget) -> None:
    slider = explorer.rows[22].slider
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


def test_send_to_layers_places_the_pictures_at_the_cell(
    scene: Scene, explorer: ExplorerWidget, to_world: Callable[..., np.ndarray], qtbot: Any
) -> None:
    explorer.rows[5].slider.setValue(200)
    active = scene.viewer.layers.selection.active
    explorer.send.click()
    names = ["crop", "cell reconstruction", "edited"]
    layers = {name: scene.viewer.layers[name] for name in names}
    assert scene.viewer.layers.selection.active is active
    cells, size = scene.session.encoding.cells, scene.session.model.crop_size
    wanted = np.array(scene.image.scale) / [1, scene.session.zoom, scene.session.zoom]
    for layer in layers.values():
        assert layer.data.shape == (1, size, size)
        np.testing.assert_allclose(layer.scale, wanted)
        middle = data_to_world(layer, [[0, (size - 1) / 2, (size - 1) / 2]])[0]
        np.testing.assert_allclose(middle, to_world(1, cells.yx[ROW]))
        note = layer.metadata["interpdisc"]
        assert note["model_sha256"] == scene.session.model.sha256
        assert (note["frame"], note["track_id"]) == (1, 3)
    z = np.array(layers["edited"].metadata["interpdisc"]["z"], np.float32)
    assert z[5] == 2
    np.testing.assert_allclose(
        layers["edited"].data[0], scene.session.model.decode(z[None])[0, 0], atol=1e-6
    )
    n = len(scene.viewer.layers)
    scene.session.select(0)
    explorer.send.click()
    assert len(scene.viewer.layers) == n, "the layers are used again"
    assert layers["crop"].metadata["interpdisc"]["track_id"] == 1


def test_another_head_rescores(explorer: ExplorerWidget) -> None:
    session = explorer.session
    model = session.model
    named = replace(model.head(), name="other", classes=("round", "long"))
    two = replace(model, heads={**model.heads, "other": named})
    session.set_model(two, "other")
    assert any(name in explorer.scores.text() for name in ("round", "long"))


def pictures_of(widget: ExplorerWidget, z: np.ndarray) -> Any:
    return grey_picture(widget.session.model.decode(z[None])[0, 0], widget._limits)


@pytest.fixture
def named(scene: Scene) -> ExplorerWidget:
    """The explorer of a cell, with a model that has names and an orientation pair."""
    session = scene.session
    by_kl = session.model.by_importance()
    meanings = [LatentMeaning("", "texture, ρ = 0.21")] * session.model.n_latents
    meanings[by_kl[0]] = LatentMeaning("size", "area, ρ = −0.97")
    meanings[by_kl[1]] = LatentMeaning("elongation_of_the_central_nucleus_cos", "seen")
    meanings[by_kl[2]] = LatentMeaning("elongation_of_the_central_nucleus_sin", "seen")
    pair = (by_kl[1], by_kl[2])
    session.set_model(replace(session.model, meanings=tuple(meanings), orientation_pairs=(pair,)))
    session.select(ROW)
    return scene.widget


def the_pair(widget: ExplorerWidget) -> tuple[PairRow, int, int]:
    ((pair, row),) = widget.pairs.items()
    return row, *pair


def test_names_and_why_stand_at_the_sliders_if_there_are_any(named: ExplorerWidget) -> None:
    model = named.session.model
    first, second, *_, last = model.by_importance()
    assert list(named.rows) == model.by_importance(), "names change no order"
    assert named.rows[first].name.text() == f"z{first} size"
    assert named.rows[last].name.text() == f"z{last}"
    for part in (named.rows[first].name, named.rows[first].slider):
        assert f"z{first} size: area, ρ = −0.97" in part.toolTip()
    assert f"z{last} unnamed: texture, ρ = 0.21" in named.rows[last].name.toolTip()
    long = named.rows[second].name
    assert "elongation_of_the_central_nucleus_cos" in long.toolTip()
    assert "…" in long.shown_text(), "it is cut where there is no room"
    assert long.shown_text().endswith("cos")
    assert f"<b>z{first} size</b>" in named.strip_title.text()
    assert named.minimumSizeHint().width() < 460
    row = the_pair(named)[0]
    view = row.parentWidget().parentWidget()
    for each in (row, *named.rows.values()):
        assert each.minimumSizeHint().width() <= view.width(), "nothing is cut off on the right"

    session = named.session
    named.rows[5].slider.setValue(100)
    session.set_model(replace(session.model, meanings=(), orientation_pairs=()))
    assert not named.pairs
    assert {each.name.text() for each in named.rows.values()} == {f"z{i}" for i in range(32)}
    assert named.rows[5].name.toolTip() == "Show the traversal of z5"
    assert named.cell.edited[5] == 1, "names are no reason to forget what was edited"
    assert named.rows[5].slider.value() == 100


def test_a_pair_turns_at_its_radius_and_grows_at_its_angle(
    named: ExplorerWidget, qtbot: Any
) -> None:
    row, a, b = the_pair(named)
    own = named.session.encoding.latents[ROW]
    r = float(np.hypot(own[a], own[b]))
    assert row.r == pytest.approx(r)
    assert row.r_slider.mark == pytest.approx(r)
    assert f"r² = {r**2:.2f}" in row.r_value.toolTip()
    moves: list[Any] = []
    for each in (named.rows[a], named.rows[b]):
        each.moved.connect(lambda *_: moves.append(1))
    for angle in (-180, -37, 0, 90, 143):
        row.angle_slider.setValue(angle)
        assert np.hypot(*named.cell.edited[[a, b]]) == pytest.approx(r, rel=1e-6)
        assert named.cell.edited[a] == pytest.approx(r * np.cos(np.radians(angle)), abs=1e-6)
    assert not moves, "what follows sends nothing back"
    assert row.r == pytest.approx(r)
    for i in (a, b):
        assert named.rows[i].slider.value() == round(float(named.cell.edited[i]) * 100)
        assert named.rows[i].value.text() == with_sign(float(named.cell.edited[i]))
        assert named.rows[i].reset.isEnabled()
    others = [i for i in range(32) if i not in (a, b)]
    np.testing.assert_array_equal(named.cell.edited[others], own[others])
    wanted = pictures_of(named, named.cell.edited)
    qtbot.waitUntil(lambda: named.edited_view.picture == wanted)
    assert "<b>α</b>" in named.strip_title.text()
    assert named.strip.labels[0][0] == "−180°"
    turned = named.cell.edited.copy()
    turned[[a, b]] = r, 0
    assert named.strip.pictures[3] == pictures_of(named, turned)

    # the radius moves both at the same angle
    row.angle_slider.setValue(60)
    row.r_slider.setValue(200)
    np.testing.assert_allclose(named.cell.edited[[a, b]], (1, np.sqrt(3)), rtol=1e-6)
    row.r_slider.setValue(0)
    np.testing.assert_array_equal(named.cell.edited[[a, b]], 0)
    assert row.angle == 60, "a pair at 0 remembers where it came from"
    row.r_slider.setValue(100)
    np.testing.assert_allclose(named.cell.edited[[a, b]], (0.5, np.sqrt(3) / 2), rtol=1e-6)
    qtbot.waitUntil(lambda: "<b>r</b>" in named.strip_title.text())


def test_a_pair_follows_its_latents_and_is_reset(named: ExplorerWidget, qtbot: Any) -> None:
    row, a, b = the_pair(named)
    own = named.session.encoding.latents[ROW]
    moves: list[Any] = []
    row.moved.connect(lambda *_: moves.append(1))
    named.rows[a].slider.setValue(-300)
    named.rows[b].slider.setValue(400)
    assert (row.r, row.r_slider.value()) == (pytest.approx(5), 500)
    assert row.angle == pytest.approx(np.degrees(np.arctan2(4, -3)))
    assert not moves
    row.angle_slider.setValue(0)
    assert named.cell.edited[a] == pytest.approx(5)
    assert named.rows[a].slider.value() == 500, "the range grows with what it shows"
    row.reset.click()
    np.testing.assert_array_equal(named.cell.edited, own)
    assert not row.reset.isEnabled()
    assert named.rows[a].slider.value() == round(float(own[a]) * 100)
    named.rows[b].slider.setValue(100)
    named.rows[b].reset.click()
    assert row.r == pytest.approx(float(np.hypot(own[a], own[b])))
    row.angle_slider.setValue(10)
    qtbot.waitUntil(named.reset_all.isEnabled)
    named.reset_all.click()
    np.testing.assert_array_equal(named.cell.edited, own)
    assert not row.reset.isEnabled()


def test_every_control_says_what_it_does(explorer: ExplorerWidget) -> None:
    parts = [*explorer.findChildren(QAbstractButton), *explorer.findChildren(QSlider)]
    assert len(parts) >= 3 * 32
    assert [p for p in parts if not p.toolTip()] == []


def test_it_fits_a_laptop(explorer: ExplorerWidget) -> None:
    assert explorer.minimumSizeHint().height() < 700
    assert explorer.minimumSizeHint().width() < 460


def test_signed_pictures_are_black_at_zero() -> None:
    picture = signed_picture(np.array([[-1, 0, 1]], np.float32), 1.0)
    blue, black, red = (picture.pixelColor(x, 0) for x in range(3))
    assert blue.blue() > 200 > blue.red()
    assert black.lightness() == 0
    assert red.red() > 200 > red.blue()
