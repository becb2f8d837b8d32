"""Annotating by clicks and keys."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from qtpy.QtCore import Qt

from napari_interpdisc.widgets.canvas.annotation_layer import find_annotations

from ..conftest import IN_WINDOW
from .conftest import (
    TRACKS,
    click,
    press,
    world,
)


@IN_WINDOW
def test_clicks_annotate_while_it_is_on(scene: SimpleNamespace) -> None:
    widget, session = scene.widget, scene.session
    click(scene, 1)
    assert session.selected == 1
    assert not widget.annotations.marks
    widget.annotate.setChecked(True)
    click(scene, 0)
    assert session.selected == 0
    widget.classes.radios[1].click()
    click(scene, 3)
    click(scene, 5, drag=50)
    assert widget.annotations.by_row == {0: "class 1", 3: "class 2"}
    assert widget.status.text() == "Cell 3, frame 0: class 2."
    assert [label.text() for label in widget.classes.counts[0]] == ["1", "1"]
    layer = find_annotations(scene.viewer)
    assert layer is not None
    np.testing.assert_allclose(layer.data_to_world(layer.data[0]), world(scene, 0))
    widget.undo.click()
    assert widget.annotations.by_row == {0: "class 1"}
    widget.annotate.setChecked(False)
    click(scene, 5)
    assert session.selected == 5
    assert widget.annotations.by_row == {0: "class 1"}


@IN_WINDOW
def test_keys_annotate_and_are_given_back(scene: SimpleNamespace) -> None:
    widget, viewer = scene.widget, scene.viewer
    viewer.layers.selection.active = scene.cells
    before = dict(viewer.keymap), dict(scene.cells.keymap)
    widget.annotate.setChecked(True)
    scene.session.select(4)
    press(scene, "2")
    assert scene.cells.mode == "pan_zoom"  # napari's own "2" adds points
    assert widget.annotations.by_row == {4: "class 2"}
    viewer.layers.selection.active = viewer.layers["movie"]
    press(scene, "1")
    assert widget.annotations.by_row == {4: "class 1"}
    press(scene, "Delete")
    press(scene, "3")
    assert widget.annotations.by_row == {}
    viewer.dims.set_current_step(0, 1)  # the ring moves along with the track
    press(scene, "1")
    assert widget.annotations.by_row == {TRACKS + 4: "class 1"}
    scene.session.select(None)
    viewer.cursor.position = tuple(world(scene, TRACKS + 7))
    press(scene, "2")
    assert widget.annotations.by_row[TRACKS + 7] == "class 2"
    press(scene, "0")
    assert TRACKS + 7 not in widget.annotations.by_row
    widget.annotate.setChecked(False)
    assert (dict(viewer.keymap), dict(scene.cells.keymap)) == before
    viewer.layers.selection.active = scene.cells
    press(scene, "2")
    assert scene.cells.mode == "add"
    assert len(widget.annotations.marks) == 1


@IN_WINDOW
def test_keys_reach_the_dock_widget_too(scene: SimpleNamespace, qtbot: Any) -> None:
    widget = scene.widget
    widget.annotate.setChecked(True)
    scene.session.select(4)
    qtbot.keyClick(widget.suggest, Qt.Key.Key_2)
    assert widget.annotations.by_row == {4: "class 2"}
    qtbot.keyClick(widget.suggest, Qt.Key.Key_Delete)
    assert widget.annotations.by_row == {}


@IN_WINDOW
def test_hiding_ends_annotating(scene: SimpleNamespace) -> None:
    scene.widget.annotate.setChecked(True)
    scene.widget.hide()
    assert not scene.widget.annotator.is_on
    click(scene, 0)
    assert not scene.widget.annotations.marks


@IN_WINDOW
def test_a_key_is_for_all_chosen_cells_as_one_change(scene: SimpleNamespace) -> None:
    widget, session = scene.widget, scene.session
    session.select(4)
    session.choose([1, 3, TRACKS + 1])
    widget.annotate.setChecked(True)
    press(scene, "2")
    assert widget.annotations.by_row == {1: "class 2", 3: "class 2", TRACKS + 1: "class 2"}
    assert widget.status.text() == "3 cells, 1 of them in other frames: class 2."
    press(scene, "0")
    assert not widget.annotations.marks
    assert widget.status.text().endswith("3 annotations removed.")
    widget.undo.click()
    assert len(widget.annotations.marks) == 3
    widget.undo.click()
    assert not widget.annotations.marks
    click(scene, 4)
    assert not len(session.chosen), "one cell is meant, and no others"
    press(scene, "1")
    assert widget.annotations.by_row == {4: "class 1"}
