"""The form: what it offers, and what it asks for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from napari_interpdisc.models.store import replace_heads
from napari_interpdisc.widgets.canvas.overlay import update_overlay
from napari_interpdisc.widgets.scorecard.choice_panel import BUILT_IN, MOST, ChoicePanel

from .conftest import masks

Scene = SimpleNamespace


@pytest.fixture
def scene(make_scene: Callable[..., Scene], qtbot: Any) -> Scene:
    made = make_scene(window=False)
    made.panel = ChoicePanel(made.viewer, made.session)
    qtbot.addWidget(made.panel)
    made.panel.show_heads()
    return made


def test_the_present_head_is_ticked_until_the_user_ticks(scene: Scene) -> None:
    panel, session = scene.panel, scene.session
    offered = [panel.heads.item(i).text() for i in range(panel.heads.count())]
    assert offered == list(session.model.heads)
    assert panel.asked().heads == ("dense",)
    session.set_model(session.model, "mitosis")
    assert panel.asked().heads == ("mitosis",)
    panel.tick("formula")
    session.set_model(session.model, "dense")
    assert panel.asked().heads == ("formula", "mitosis"), "in the order of the model"


def test_another_model_offers_its_own_heads(scene: Scene) -> None:
    panel, session = scene.panel, scene.session
    panel.tick("formula")
    model = session.model
    mine = replace(model.head("dense"), name="mine")
    heads = {"mine": mine, "formula": model.head("formula")}
    session.set_model(replace_heads(model, "mine", heads, "# mine"))
    assert panel.asked().heads == ("formula",)
    session.set_model(replace_heads(model, "mine", {"mine": heads["mine"]}, "# mine"))
    assert panel.asked().heads == ("mine",)
    panel.tick("mine", on=False)
    assert panel.asked().heads == ()


def test_labels_layers_are_offered_and_the_overlay_is_not(scene: Scene) -> None:
    panel, viewer = scene.panel, scene.viewer
    assert panel.asked().labels is None
    update_overlay(viewer, scene.session)
    first = viewer.add_labels(masks(), name="masks")
    assert [name for name, _ in panel._segmentations()] == [BUILT_IN, "masks"]
    assert panel.asked().labels is None, "the built-in one stays until another is chosen"
    panel.labels.value = first
    assert panel.asked().labels is first
    first.name = "nuclei"
    assert panel.asked().labels is first, "another name is no other choice"
    assert panel.labels.current_choice == "nuclei"
    viewer.add_labels(masks(), name="more")
    assert panel.asked().labels is first
    viewer.layers.remove(first)
    assert panel.asked().labels is None


def test_cells_seed_and_frame(scene: Scene) -> None:
    panel, viewer = scene.panel, scene.viewer
    asked = panel.asked()
    assert (asked.which, asked.most, asked.seed) == ("random", MOST, 0)
    assert panel.most.isEnabled()
    panel.which.setCurrentIndex(panel.which.findData("frame"))
    assert not panel.most.isEnabled()
    panel.seed.setValue(7)
    viewer.dims.set_point(0, scene.image.data_to_world((2, 0, 0))[0])
    asked = panel.asked()
    assert (asked.which, asked.seed, asked.frame) == ("frame", 7, 2)
    panel.which.setCurrentIndex(panel.which.findData("all"))
    assert panel.asked().which == "all"


def test_every_control_says_what_it_does(scene: Scene) -> None:
    panel = scene.panel
    for part in (panel.heads, panel.labels.native, panel.which, panel.most, panel.seed):
        assert part.toolTip()
    item = panel.heads.item(0)
    assert "Interphase, Metaphase" in item.toolTip()


def test_the_list_shows_some_heads_and_scrolls_to_the_others(scene: Scene) -> None:
    panel = scene.panel
    panel.show()
    rows = panel.heads.viewport().height() / panel.heads.sizeHintForRow(0)
    assert np.isclose(rows, 4, atol=0.5)
    assert panel.heads.count() > 4
