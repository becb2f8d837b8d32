"""Attacks in the window: tiles at the cells' own place and time, scores as the model gives them."""

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
from qtpy.QtWidgets import QWidget

from napari_interpdisc.number_text import with_sign
from napari_interpdisc.scrutiny.attacks import AttackSettings, perturb, smallest_flip
from napari_interpdisc.widgets.canvas.flip_marks import find_flip_marks
from napari_interpdisc.widgets.canvas.layers import data_to_world
from napari_interpdisc.widgets.perturb import attack_panel
from napari_interpdisc.widgets.perturb.attack_panel import NO_CELLS, AttackPanel
from napari_interpdisc.widgets.perturb.widget import PerturbWidget

from ..conftest import IN_WINDOW, PATIENCE, put_up

Scene = SimpleNamespace


World = Callable[..., np.ndarray]


ROW = 3


LATENT_TILES = ("reconstruction", "perturbed", "perturbation")


def with_widget(scene: Scene, qtbot: Any) -> Scene:
    scene.dock = PerturbWidget(scene.viewer)
    scene.widget = scene.dock.attack
    put_up(scene.viewer, scene.dock, "Perturb", qtbot)
    return scene


@pytest.fixture
def scene(make_scene: Callable[..., Scene], in_window: bool, qtbot: Any) -> Scene:
    return with_widget(make_scene(window=in_window), qtbot)


@pytest.fixture
def run(qtbot: Any) -> Callable[[AttackPanel], None]:
    def press(widget: AttackPanel) -> None:
        widget.run_button.click()
        qtbot.waitUntil(lambda: not widget.work.running)

    return press


Run = Callable[[AttackPanel], None]


def in_latents(widget: AttackPanel, frame: bool = False) -> AttackPanel:
    """Latent space needs no backward pass through the encoder: quick."""
    widget.space.setCurrentIndex(1)
    widget.cells.setCurrentIndex(int(frame))
    return widget


def shown_at(viewer: Any, layer: Any, world: Any) -> bool:
    """Whether the viewer, moved to a world position, has a pixel of the layer there."""
    for axis in range(viewer.dims.ndim - 2):
        viewer.dims.set_point(axis, float(world[axis]))
    return layer.get_value(tuple(world), world=True) is not None


def words(widget: AttackPanel) -> list[list[str]]:
    table = widget.table
    return [
        [
            table.item(i, j).text().replace("\N{NO-BREAK SPACE}", " ")
            for j in range(table.columnCount())
        ]
        for i in range(table.rowCount())
    ]


def test_one_cell_in_image_space(scene: Scene, run: Run, to_world: World) -> None:
    widget, session, viewer = scene.widget, scene.session, scene.viewer
    session.select(ROW)
    active = viewer.layers.selection.active
    run(widget)
    cells, size = session.encoding.cells, session.model.crop_size
    names = [*LATENT_TILES, "perturbed reconstruction"]
    for name in names:
        layer = viewer.layers[name]
        assert layer.data.shape == (1, size, size)
        corners = data_to_world(layer, [[0, 0, 0], [0, size - 1, size - 1]])
        np.testing.assert_allclose(corners.mean(0), to_world(1, cells.yx[ROW]))
        # 64 crop pixels of 20 / 28 image pixels each, and those of 0.5 by 0.25 world units
        np.testing.assert_allclose(np.ptp(corners, 0), [0, *(63 * 20 / 28 * np.array([0.5, 0.25]))])
        note = layer.metadata["interpdisc"]
        assert note["model_sha256"] == session.model.sha256
        assert note["settings"] == AttackSettings(epsilon=0.5).model_dump(mode="python")
        assert (note["frame"], note["track_id"]) == (1, [3])
    low, high = viewer.layers["perturbation"].contrast_limits
    assert low == -high
    np.testing.assert_allclose(np.abs(viewer.layers["perturbation"].data).max(), 0.5, rtol=1e-4)
    np.testing.assert_allclose(
        viewer.layers["perturbed"].data[0],
        session.crop(ROW) + viewer.layers["perturbation"].data[0],
        atol=1e-5,
    )
    assert viewer.layers.selection.active is active

    crops = session.crop(ROW)[None, None]
    expected = perturb(session.model, crops, AttackSettings())
    before, after = expected.scores[0, 0], expected.perturbed_scores[0, 0]
    (line,) = words(widget)
    assert line[0] == "3"
    assert line[2] == f"{with_sign(before)} → {with_sign(after)}"
    assert ("F" in line[3]) == expected.flipped[0]
    smallest = smallest_flip(session.model, crops, AttackSettings())[0]
    assert f"{smallest:.2f}" in widget.smallest.text()
    for method in ("FGSM", "PGD", "random"):
        assert f"<b>{method}</b>" in widget.flips.text()


def test_the_tiles_show_at_their_frame_only(scene: Scene, run: Run, to_world: World) -> None:
    scene.session.select(ROW)
    run(in_latents(scene.widget))
    layer = scene.viewer.layers["perturbed"]
    here, there = (to_world(t, scene.session.encoding.cells.yx[ROW]) for t in (1, 2))
    assert shown_at(scene.viewer, layer, here)
    assert not shown_at(scene.viewer, layer, there)


def test_all_cells_of_the_frame_shown(scene: Scene, run: Run, to_world: World) -> None:
    widget, session, viewer = in_latents(scene.widget, frame=True), scene.session, scene.viewer
    viewer.dims.set_point(0, to_world(1, (0, 0))[0])
    run(widget)
    assert [line[0] for line in words(widget)] == ["1", "3", "2"]
    layer = viewer.layers["perturbed"]
    assert layer.data.shape == (1, 120, 130)
    np.testing.assert_allclose(layer.scale, scene.image.scale)
    np.testing.assert_allclose(layer.translate, to_world(1, (0, 0)))
    assert np.isnan(layer.data[0, 5, 120]), "the movie is seen where no cell is"
    cells = session.encoding.cells.take([2, 3, 4])
    result = widget.result.shown
    for i, (y, x) in enumerate(np.rint(cells.yx).astype(int)):
        middle = result.perturbed[i, 0, 31:33, 31:33]
        assert middle.min() - 0.5 <= layer.data[0, y, x] <= middle.max() + 0.5
    assert "Select one of the cells" in widget.smallest.text()
    flipped = int(result.flipped.sum())
    assert f"{flipped} of 3 cells changed class at ε = 1." in widget.status.text()


def test_the_smallest_step_follows_the_selected_cell(
    scene: Scene, run: Run, to_world: World, qtbot: Any
) -> None:
    widget, session = in_latents(scene.widget, frame=True), scene.session
    scene.viewer.dims.set_point(0, to_world(1, (0, 0))[0])
    run(widget)
    for row in (2, 4):
        session.select(row)
        assert widget.smallest.text() == "Searching its smallest ε …"
        qtbot.waitUntil(lambda: not widget.search.running)
        settings = widget.result.run.settings
        crops = session.crop(row)[None, None]
        smallest = smallest_flip(session.model, crops, settings)[0]
        told = f"{smallest:.2f}" if np.isfinite(smallest) else "no ε up to"
        assert told in widget.smallest.text()
        assert f"cell {session.encoding.cells.track_id[row]}" in widget.smallest.text()
    session.select(0)  # of another frame
    assert widget.smallest.text() == "Select one of the cells to learn its smallest ε."


def test_another_run_uses_the_same_layers(scene: Scene, run: Run) -> None:
    widget, viewer = scene.widget, scene.viewer
    scene.session.select(0)
    run(widget)
    first = {layer.name: layer for layer in viewer.layers}
    viewer.layers["perturbation"].visible = True
    scene.session.select(1)
    run(in_latents(widget))
    assert "perturbed reconstruction" not in viewer.layers, "of the image-space run"
    for name in LATENT_TILES:
        assert viewer.layers[name] is first[name]
        assert first[name].metadata["interpdisc"]["track_id"] == [3]
    assert viewer.layers["perturbation"].visible
    run(in_latents(widget, frame=True))
    assert len([layer for layer in viewer.layers if layer.name.startswith("perturb")]) == 2


def test_a_layer_of_the_user_is_left_alone(scene: Scene, run: Run) -> None:
    mine = scene.viewer.add_image(np.zeros((3, 8, 8)), name="perturbed")
    scene.session.select(0)
    run(in_latents(scene.widget))
    assert not mine.data.any()
    assert mine.metadata == {}


def test_each_space_has_its_own_epsilon(scene: Scene) -> None:
    widget = scene.widget
    assert widget.epsilon.value() == 0.5
    widget.space.setCurrentIndex(1)
    assert widget.epsilon.value() == 1.0
    widget.epsilon.setValue(2)
    widget.space.setCurrentIndex(0)
    assert widget.epsilon.value() == 0.5
    widget.space.setCurrentIndex(1)
    assert widget.epsilon.value() == 2.0


def test_frozen_latents_stay(scene: Scene, run: Run) -> None:
    scene.session.select(0)
    scene.widget.frozen.setText("3, z17")
    run(in_latents(scene.widget))
    shown = scene.widget.result.shown
    model = scene.session.model
    still = np.flatnonzero(shown.latents[0] == shown.perturbed_latents[0]).tolist()
    # nor do latents move that heads do not read
    assert still == [3, 17, *range(model.n_cell_latents, model.n_latents)]
    note = scene.viewer.layers["perturbed"].metadata["interpdisc"]
    assert note["settings"]["frozen_latents"] == (3, 17)


def test_faults_are_sentences_in_the_status_line(
    make_scene: Callable[..., Scene], monkeypatch: pytest.MonkeyPatch, qtbot: Any
) -> None:
    scene = with_widget(make_scene(finished=False, window=False), qtbot)
    widget = scene.widget
    widget.run_button.click()
    assert widget.status.text() == NO_CELLS
    scene.finish()
    widget.run_button.click()
    assert widget.status.text() == "No cell is selected; click one in the viewer first."
    scene.session.select(0)
    widget.frozen.setText("many")
    widget.run_button.click()
    assert "'many' is not a latent" in widget.status.text()
    assert not widget.work.running
    widget.frozen.clear()
    widget.cells.setCurrentIndex(1)
    monkeypatch.setattr(attack_panel, "frame_shown", lambda *_: 9)
    widget.run_button.click()
    assert widget.status.text().startswith("There are no cells in the frame that is shown")


def test_a_frame_that_cannot_be_read_is_one_sentence(scene: Scene, run: Run) -> None:
    scene.session.select(0)
    scene.image.data[0] = np.nan
    run(scene.widget)
    assert "NaN or infinite" in scene.widget.status.text()
    assert scene.widget.status.is_fault
    assert "perturbed" not in scene.viewer.layers


def test_a_row_of_the_table_selects_its_cell(scene: Scene, run: Run) -> None:
    run(in_latents(scene.widget, frame=True))
    scene.widget.table.cellClicked.emit(1, 0)
    assert scene.session.selected == 1


def test_new_cells_drop_the_old_result(scene: Scene, run: Run) -> None:
    run(in_latents(scene.widget, frame=True))
    scene.finish()
    assert scene.widget.result is None
    assert scene.widget.table.rowCount() == 0


@pytest.mark.parametrize("channel_axis", [0, 1])
def test_an_image_with_channels(
    make_scene: Callable[..., Scene], run: Run, channel_axis: int, qtbot: Any
) -> None:
    made = make_scene(channel_axis=channel_axis, window=False, scale=(1, 1, 1, 1))
    scene = with_widget(made, qtbot)
    scene.session.select(ROW)
    run(in_latents(scene.widget))
    layer = scene.viewer.layers["perturbed"]
    y, x = scene.session.encoding.cells.yx[ROW]
    for channel in (0, 1):
        at, elsewhere = [1.0, y, x], [2.0, y, x]
        at.insert(channel_axis, channel)
        elsewhere.insert(channel_axis, channel)
        assert shown_at(scene.viewer, layer, at)
        assert not shown_at(scene.viewer, layer, elsewhere)


def test_a_rotated_image(make_scene: Callable[..., Scene], run: Run, qtbot: Any) -> None:
    affine = np.eye(4)
    affine[1:3, 1:3] = [[0, -2], [2, 0]]
    affine[:3, 3] = [0, 5, 9]
    scene = with_widget(make_scene(affine=affine, window=False), qtbot)
    scene.session.select(ROW)
    run(in_latents(scene.widget))
    layer = scene.viewer.layers["perturbed"]
    y, x = scene.session.encoding.cells.yx[ROW]
    middle = data_to_world(layer, [[0, 31.5, 31.5]])[0]
    np.testing.assert_allclose(middle, [1, 5 - 2 * x, 9 + 2 * y])
    run(scene.widget)
    assert [tile.name for tile in scene.viewer.layers].count("perturbed") == 1


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Work that only ends when it is cancelled."""
    started = threading.Event()

    def carry_out(run: Any, report: Callable[[int, int], None]) -> None:
        while True:
            report(1, 10)
            started.set()
            time.sleep(0.01)

    monkeypatch.setattr(attack_panel, "carry_out", carry_out)
    return started


def test_cancel(scene: Scene, endless: threading.Event, qtbot: Any) -> None:
    widget = scene.widget
    scene.session.select(0)
    widget.run_button.click()
    assert endless.wait(PATIENCE)
    assert not widget.run_button.isEnabled()
    widget.cancel_button.click()
    qtbot.waitUntil(lambda: not widget.work.running)
    assert widget.status.text() == "Cancelled; nothing was changed."
    assert widget.run_button.isEnabled()
    assert "perturbed" not in scene.viewer.layers


@IN_WINDOW
@pytest.mark.parametrize("how", ["viewer", "dock", "image", "model"])
def test_what_it_works_on_goes_mid_run(
    scene: Scene, endless: threading.Event, how: str, qtbot: Any
) -> None:
    scene.session.select(0)
    scene.widget.run_button.click()
    assert endless.wait(PATIENCE)
    if how == "viewer":
        scene.viewer.close()
    elif how == "dock":
        scene.viewer.window.remove_dock_widget(scene.dock)
    elif how == "image":
        scene.viewer.layers.remove(scene.image)
    else:
        scene.session.clear()
    qtbot.waitUntil(lambda: not [t for t in threading.enumerate() if "interpdisc" in t.name])


@IN_WINDOW
def test_a_hidden_widget_works_on(scene: Scene, endless: threading.Event, qtbot: Any) -> None:
    scene.viewer.window.add_dock_widget(QWidget(), name="in front", tabify=True)
    scene.session.select(0)
    scene.widget.run_button.click()
    assert endless.wait(PATIENCE)
    scene.dock.parent().hide()
    qtbot.wait(50)
    assert scene.widget.work.running
    scene.widget.work.stop()


def test_cells_of_the_frame_without_pixels_are_told(
    make_scene: Callable[..., Scene], run: Run, qtbot: Any
) -> None:
    scene = make_scene(window=True)
    scene.session.encoding.no_pixels[2] = "no pixels: a blank frame"
    widget = in_latents(with_widget(scene, qtbot).widget, frame=True)
    t = int(scene.session.encoding.cells.t[2])
    scene.viewer.dims.set_point(0, scene.image.data_to_world((t, 0, 0))[0])
    run(widget)
    rows = np.flatnonzero(scene.session.encoding.cells.t == t)
    assert widget.result.run.rows.tolist() == [row for row in rows if row != 2]
    assert widget.status.text().endswith("1 cell has no pixels (1 a blank frame); it is left out.")


@pytest.mark.parametrize("method", ["pgd", "random"])
def test_layers_and_table_follow_the_method(scene: Scene, run: Run, method: str) -> None:
    widget, session = in_latents(scene.widget), scene.session
    session.select(ROW)
    widget.method.setCurrentIndex(widget.method.findData(method))
    run(widget)
    expected = perturb(
        session.model,
        session.crop(ROW)[None, None],
        AttackSettings.model_validate({"space": "latent", "epsilon": 1, "method": method}),
    )
    layer = scene.viewer.layers["perturbed"]
    np.testing.assert_allclose(layer.data[0], expected.perturbed[0, 0], atol=1e-4)
    assert layer.metadata["interpdisc"]["settings"]["method"] == method
    name = {"pgd": "PGD", "random": "random"}[method]
    assert f"Cell 3, frame 1: {name} on latents, ε = 1. Head 'dense'" in widget.heading.text()
    assert widget.smallest.text().startswith(f"{name}: ")
    assert all(f"<b>{m}</b>" in widget.flips.text() for m in ("FGSM", "PGD", "random"))
    (line,) = words(widget)
    assert (name[0].upper() in line[3]) == expected.flipped[0]


def test_towards_a_class(scene: Scene, run: Run, to_world: World) -> None:
    widget, session = in_latents(scene.widget, frame=True), scene.session
    classes = session.classification.classes
    scene.viewer.dims.set_point(0, to_world(1, (0, 0))[0])
    own = session.classification.index[[2, 3, 4]]
    aim = int(own[0] == 0)
    widget.target.setCurrentIndex(widget.target.findData(classes[aim]))
    widget.epsilon.setValue(3)
    run(widget)
    already = int((own == aim).sum())
    assert widget.result.attacked == 3 - already
    assert widget.flips.text().startswith(f"Reached {classes[aim]} at ε = 3")
    assert ("already" in widget.status.text()) == (already > 0)
    reached = widget.result.flips["fgsm"]
    assert not reached[own == aim].any()
    marks = find_flip_marks(scene.viewer)
    assert len(marks.data) == reached.sum() > 0
    cells = session.encoding.cells.take([2, 3, 4])
    np.testing.assert_allclose(marks.data[:, 0], 1)
    np.testing.assert_allclose(marks.data[:, 1:], cells.yx[reached])


def test_a_target_stays_only_while_the_head_has_it(scene: Scene) -> None:
    widget, session = scene.widget, scene.session
    widget.target.setCurrentIndex(widget.target.findData("Metaphase"))
    session.set_model(session.model, "states")
    assert widget.target.currentData() == "Metaphase"
    assert widget.target.count() == 1 + len(session.classification.classes)
    widget.target.setCurrentIndex(widget.target.findData("Anaphase"))
    session.set_model(session.model, "dense")
    assert widget.target.currentData() is None


def test_results_of_another_head_or_frame_are_stale(
    scene: Scene, run: Run, to_world: World
) -> None:
    widget, session = in_latents(scene.widget), scene.session
    scene.viewer.dims.set_point(0, to_world(1, (0, 0))[0])
    session.select(ROW)
    widget.epsilon.setValue(3)
    run(widget)
    assert find_flip_marks(scene.viewer).opacity == 1
    assert widget.found.isEnabled()
    assert not widget.stale.isVisible()
    scene.viewer.dims.set_point(0, to_world(2, (0, 0))[0])
    assert "the viewer shows frame 2" in widget.stale.text()
    assert not widget.found.isEnabled()
    scene.viewer.dims.set_point(0, to_world(1, (0, 0))[0])
    assert widget.found.isEnabled()
    session.set_model(session.model, "formula")
    assert widget.stale.text() == "Stale: the head is now 'formula'. Do it again."
    assert widget.stale.isVisible()
    assert find_flip_marks(scene.viewer).opacity < 1
    run(widget)
    assert not widget.stale.isVisible()


def test_layers_are_removed(scene: Scene, run: Run) -> None:
    widget, viewer = in_latents(scene.widget), scene.viewer
    scene.session.select(ROW)
    widget.epsilon.setValue(3)
    mine = viewer.add_image(np.zeros((3, 8, 8)), name="perturbed of mine")
    run(widget)
    assert find_flip_marks(viewer) is not None
    widget.remove_button.click()
    assert find_flip_marks(viewer) is None
    assert not [layer for layer in viewer.layers if layer.name in LATENT_TILES]
    assert mine in viewer.layers
    assert widget.status.text() == "Removed 4 layers."
    widget.remove_button.click()
    assert widget.status.text() == "There was no such layer."


def test_the_table_is_exported(scene: Scene, run: Run, tmp_path: Path) -> None:
    widget = in_latents(scene.widget, frame=True)
    assert not widget.export_button.isEnabled()
    run(widget)
    widget.export_to(tmp_path / "attack.csv")
    table = pd.read_csv(tmp_path / "attack.csv")
    assert table["track_id"].tolist() == scene.session.encoding.cells.track_id[:2].tolist()
    assert table["flipped_by_fgsm"].tolist() == widget.result.flips["fgsm"].tolist()
    note = json.loads((tmp_path / "attack.json").read_text("utf-8"))
    assert note["head"] == "dense"
    assert note["attack"]["space"] == "latent"
    widget.export_to(tmp_path / "nowhere" / "attack.csv")
    assert widget.status.is_fault
