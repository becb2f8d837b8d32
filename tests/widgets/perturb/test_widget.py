"""The Perturb widget: its two parts, and the rule of the head below them."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from qtpy.QtWidgets import QWidget

from napari_interpdisc.widgets.perturb.widget import PerturbWidget

from ..conftest import put_up

ROW = 3


@pytest.fixture
def scene(make_scene: Callable[..., SimpleNamespace], qtbot: Any) -> SimpleNamespace:
    scene = make_scene(window=False)
    scene.widget = PerturbWidget(scene.viewer)
    put_up(scene.viewer, scene.widget, "Perturb", qtbot)
    return scene


def test_one_part_at_a_time(scene: SimpleNamespace) -> None:
    widget = scene.widget
    assert (widget.attack.isVisible(), widget.change.isVisible()) == (True, False)
    widget.tabs.setCurrentIndex(1)
    assert (widget.attack.isVisible(), widget.change.isVisible()) == (False, True)


def test_it_fits_a_small_screen(scene: SimpleNamespace) -> None:
    for tab in (0, 1):
        scene.widget.tabs.setCurrentIndex(tab)
        size = scene.widget.minimumSizeHint()
        assert size.height() <= 400
        assert size.width() <= 340


def test_every_control_says_what_it_does(scene: SimpleNamespace) -> None:
    widget = scene.widget
    for owner in (widget, widget.attack, widget.change):
        parts = [v for v in vars(owner).values() if isinstance(v, QWidget)]
        assert [p for p in parts if not p.toolTip()] == []
    assert len(vars(widget.attack)) >= 10


def test_the_rule_of_the_head_is_shown(scene: SimpleNamespace) -> None:
    scene.session.select(ROW)
    scene.session.set_model(scene.session.model, "formula")
    for tab in (0, 1):
        scene.widget.tabs.setCurrentIndex(tab)
        assert scene.widget.rule.isVisible()
    assert scene.widget.rule.bars.total.value == pytest.approx(
        float(scene.session.classification.scores[ROW, 0]), abs=2e-3
    )
