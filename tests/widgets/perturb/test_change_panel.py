"""Why this cell: the panel follows cell and head, and its layer follows the slider."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from napari_interpdisc.widgets.perturb import change_panel
from napari_interpdisc.widgets.perturb.change import TILE
from napari_interpdisc.widgets.perturb.change_panel import NO_CELL, NO_CELLS, READY, ChangePanel
from napari_interpdisc.widgets.perturb.widget import PerturbWidget

from ..conftest import PATIENCE, put_up

ROW = 4


@pytest.fixture
def scene(crowd: SimpleNamespace, qtbot: Any) -> SimpleNamespace:
    return opened(crowd, qtbot)


def opened(scene: SimpleNamespace, qtbot: Any) -> SimpleNamespace:
    scene.dock = PerturbWidget(scene.viewer)
    put_up(scene.viewer, scene.dock, "Perturb", qtbot)
    scene.dock.tabs.setCurrentIndex(1)
    scene.panel = scene.dock.change
    return scene


@pytest.fixture
def find(qtbot: Any) -> Callable[[ChangePanel], None]:
    def press(panel: ChangePanel) -> None:
        panel.run_button.click()
        qtbot.waitUntil(lambda: not panel.work.running)

    return press


Find = Callable[[ChangePanel], None]


def offered(panel: ChangePanel) -> list[str]:
    return [panel.target.itemText(k) for k in range(panel.target.count())]


def test_the_form_follows_cell_and_head(scene: SimpleNamespace) -> None:
    panel, session = scene.panel, scene.session
    assert panel.status.text() == NO_CELL
    assert not panel.target.isEnabled()
    session.select(ROW)
    assert panel.status.text() == READY
    called = session.classification.classes[session.classification.index[ROW]]
    assert panel.cell.text() == f"Cell 2, frame 1: {called}"
    assert called not in offered(panel)
    session.set_model(session.model, "states")
    assert len(offered(panel)) == 3
    panel.target.setCurrentIndex(2)
    wanted = panel.target.currentText()
    # what was chosen stays while the cell does
    session.select(ROW)
    assert panel.target.currentText() == wanted
    session.clear()
    assert panel.status.text() == NO_CELLS


def test_a_head_of_fewer_classes_is_followed(scene: SimpleNamespace) -> None:
    panel, session = scene.panel, scene.session
    session.select(ROW)
    session.set_model(session.model, "mitosis")
    session.set_model(session.model, "states")
    assert set(offered(panel)) < set(session.model.head("states").classes)


def test_a_path_is_shown_and_its_layer_follows_the_slider(
    scene: SimpleNamespace, find: Find
) -> None:
    panel, viewer = scene.panel, scene.viewer
    scene.session.select(ROW)
    assert not panel.found.isVisible()
    find(panel)
    result = panel.result
    assert panel.heading.text() == result.heading
    assert panel.told.text() == " ".join(result.path.sentences(scene.session.model))
    layer = viewer.layers[TILE]
    np.testing.assert_array_equal(layer.data[0], result.shown.pictures[0])
    assert panel.step_told.text() == result.step_told(0)
    panel.slider.setValue(6)
    np.testing.assert_array_equal(layer.data[0], result.shown.pictures[6])
    assert panel.step_told.text() == result.step_told(6)
    assert panel.strip.step == 6
    panel.strip.step_chosen.emit(3)
    assert panel.slider.value() == 3
    panel.remove_button.click()
    panel.slider.setValue(4)
    assert TILE not in viewer.layers, "a layer that was removed stays away"


def test_the_nearest_real_cell_is_gone_to_and_back(scene: SimpleNamespace, find: Find) -> None:
    panel, session, viewer = scene.panel, scene.session, scene.viewer
    session.select(ROW)
    find(panel)
    assert not panel.back_button.isEnabled()
    panel.slider.setValue(8)
    near = int(panel.result.path.nearest[8])
    panel.near_button.click()
    assert session.selected == near
    t = session.encoding.cells.t
    assert viewer.dims.point[0] == scene.image.data_to_world((t[near], 0, 0))[0]
    # it is still the path of the first cell, and says so
    assert panel.heading.text().startswith("Cell 2, frame 1: ")
    assert panel.found.isEnabled()
    panel.back_button.click()
    assert session.selected == ROW
    panel.strip.cell_chosen.emit(0)
    assert session.selected == 0


def test_a_path_of_another_head_is_stale(scene: SimpleNamespace, find: Find) -> None:
    panel, session = scene.panel, scene.session
    session.select(ROW)
    find(panel)
    session.set_model(session.model, "formula")
    assert panel.stale.text() == "Stale: the head is now 'formula'. Do it again."
    assert not panel.found.isEnabled()
    session.set_model(session.model, "dense")
    assert panel.found.isEnabled()
    session.set_result(scene.image, scene.cells, None, scene.frames, session.classification)
    assert panel.result is None
    assert not panel.found.isVisible()


def test_too_few_cells_are_one_sentence(
    make_scene: Callable[..., SimpleNamespace], find: Find, qtbot: Any
) -> None:
    scene = opened(make_scene(window=False), qtbot)
    scene.panel.run_button.click()
    assert scene.panel.status.text() == "No cell is selected; click one in the viewer first."
    scene.session.select(0)
    find(scene.panel)
    assert scene.panel.status.is_fault
    assert "7 cells are too few" in scene.panel.status.text()
    assert TILE not in scene.viewer.layers


def test_strip_and_steps_are_saved(
    scene: SimpleNamespace, find: Find, tmp_path: Path, qtbot: Any
) -> None:
    panel = scene.panel
    assert not panel.save_button.isEnabled()
    scene.session.select(ROW)
    find(panel)
    panel.save_to(tmp_path / "path")
    qtbot.waitUntil(lambda: not panel.work.running)
    assert panel.status.text() == f"The path was written to {tmp_path / 'path'}."
    assert len(pd.read_csv(tmp_path / "path" / "path.csv")) == 9
    note = json.loads((tmp_path / "path" / "path.json").read_text("utf-8"))
    assert note["cell"] == {"track_id": 2, "t": 1}
    assert note["image"] == "movie"
    assert (tmp_path / "path" / "path.png").exists()
    panel.save_to(tmp_path / "path")
    assert panel.status.is_fault
    assert "is not empty" in panel.status.text()


def test_cancel(scene: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, qtbot: Any) -> None:
    started = threading.Event()

    def endless(run: Any, report: Callable[[int, int], None]) -> None:
        while True:
            report(1, 8)
            started.set()
            time.sleep(0.01)

    monkeypatch.setattr(change_panel, "find_change", endless)
    scene.session.select(ROW)
    scene.panel.run_button.click()
    assert started.wait(PATIENCE)
    assert not scene.panel.run_button.isEnabled()
    scene.panel.cancel_button.click()
    qtbot.waitUntil(lambda: not scene.panel.work.running)
    assert scene.panel.status.text() == "Cancelled; nothing was changed."
    assert scene.panel.result is None
