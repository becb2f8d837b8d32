"""The sliders of an orientation pair."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_interpdisc.number_text import with_sign
from napari_interpdisc.widgets.explorer.widget import (
    ExplorerWidget,
)

from .conftest import ROW, are_alike, pictures_of, the_pair


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
    for each in (named.sliders.latents[a], named.sliders.latents[b]):
        each.moved.connect(lambda *_: moves.append(1))
    for angle in (-180, -37, 0, 90, 143):
        row.angle_slider.setValue(angle)
        assert np.hypot(*named.cell.edited[[a, b]]) == pytest.approx(r, rel=1e-6)
        assert named.cell.edited[a] == pytest.approx(r * np.cos(np.radians(angle)), abs=1e-6)
    assert not moves, "what follows sends nothing back"
    assert row.r == pytest.approx(r)
    for i in (a, b):
        assert named.sliders.latents[i].slider.value() == round(float(named.cell.edited[i]) * 100)
        assert named.sliders.latents[i].value.text() == with_sign(float(named.cell.edited[i]))
        assert named.sliders.latents[i].reset.isEnabled()
    others = [i for i in range(32) if i not in (a, b)]
    np.testing.assert_array_equal(named.cell.edited[others], own[others])
    wanted = pictures_of(named, named.cell.edited)
    qtbot.waitUntil(lambda: named.edited_view.picture == wanted)
    assert "<b>α</b>" in named.strip_title.text()
    assert named.strip.labels[0][0] == "−180°"
    turned = named.cell.edited.copy()
    turned[[a, b]] = r, 0
    assert are_alike(named.strip.pictures[3], pictures_of(named, turned))

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
    named.sliders.latents[a].slider.setValue(-300)
    named.sliders.latents[b].slider.setValue(400)
    assert (row.r, row.r_slider.value()) == (pytest.approx(5), 500)
    assert row.angle == pytest.approx(np.degrees(np.arctan2(4, -3)))
    assert not moves
    row.angle_slider.setValue(0)
    assert named.cell.edited[a] == pytest.approx(5)
    assert named.sliders.latents[a].slider.value() == 500, "the range grows with what it shows"
    row.reset.click()
    np.testing.assert_array_equal(named.cell.edited, own)
    assert not row.reset.isEnabled()
    assert named.sliders.latents[a].slider.value() == round(float(own[a]) * 100)
    named.sliders.latents[b].slider.setValue(100)
    named.sliders.latents[b].reset.click()
    assert row.r == pytest.approx(float(np.hypot(own[a], own[b])))
    row.angle_slider.setValue(10)
    qtbot.waitUntil(named.reset_all.isEnabled)
    named.reset_all.click()
    np.testing.assert_array_equal(named.cell.edited, own)
    assert not row.reset.isEnabled()
