"""Boxes, lassos and clicks with a modifier choose cells; other drags are napari's."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QWidget

from napari_interpdisc.widgets.canvas.choosing import (
    LINE_NAME,
    Chooser,
    cells_inside,
    combined,
    connect_choosing,
)
from napari_interpdisc.widgets.canvas.compat import camera_of

from ..conftest import SCALE, TRANSLATE

Scene = SimpleNamespace


@pytest.fixture
def scene(make_scene: Callable[..., Scene]) -> Scene:
    made = make_scene(window=False)
    made.chooser = connect_choosing(made.viewer, made.session)
    return made


def drag(scene: Scene, *path: tuple[float, float], t: int = 0, keys: tuple[str, ...] = ()) -> Any:
    """Drag along pixels (y, x) of a frame, ten screen px a pixel; returns the last event."""

    def at(yx: tuple[float, float]) -> dict[str, Any]:
        world = np.array([t, *yx]) * SCALE + TRANSLATE
        return {"pos": 10 * np.array(yx[::-1], float), "position": tuple(world)}

    event = SimpleNamespace(
        type="mouse_press", button=1, modifiers=keys, handled=False, **at(path[0])
    )
    generator = scene.chooser(scene.viewer, event)
    if next(generator, "none") == "none":
        return event
    for yx in path[1:]:
        event.type = "mouse_move"
        vars(event).update(at(yx))
        next(generator)
    event.seen = LINE_NAME in scene.viewer.layers
    event.type = "mouse_release"
    next(generator, None)
    return event


def test_which_cells_are_inside(scene: Scene) -> None:
    square = [(20, 20), (20, 100), (70, 100), (70, 20)]
    assert cells_inside(scene.session, 0, square).tolist() == [0, 1]
    assert cells_inside(scene.session, 2, square).tolist() == [5]
    assert cells_inside(scene.session, 0, [(20, 20), (20, 100), (70, 20)]).tolist() == [0]
    assert not len(cells_inside(scene.session, 0, square[:2]))
    scene.session.clear()
    assert not len(cells_inside(scene.session, 0, square))


def test_how_rows_are_combined() -> None:
    assert combined([1, 3], [3, 2], "replace").tolist() == [2, 3]
    assert combined([1, 3], [3, 2], "add").tolist() == [1, 2, 3]
    assert combined([1, 3], [3, 2], "toggle").tolist() == [1, 2]


def test_a_box_replaces_adds_and_toggles(scene: Scene) -> None:
    session = scene.session
    told: list[Any] = []
    session.chosen_changed.connect(told.append)
    assert not drag(scene, (20, 20), (50, 50)).handled, "plain drags pan"
    assert not told
    scene.chooser.set_mode("box")
    event = drag(scene, (20, 20), (50, 50))
    assert event.handled
    assert event.seen
    assert LINE_NAME not in scene.viewer.layers
    assert session.chosen.tolist() == [0]
    assert told == [scene.chooser]
    drag(scene, (100, 100), (50, 80), keys=("Shift",))
    assert session.chosen.tolist() == [0, 1]
    drag(scene, (20, 20), (100, 100), keys=("Control",))
    assert not len(session.chosen)


def test_with_a_modifier_a_drag_needs_no_mode_and_a_click_means_a_cell(scene: Scene) -> None:
    session = scene.session
    drag(scene, (20, 20), (50, 50), keys=("Shift",))
    drag(scene, (60, 90), keys=("Shift",))
    assert session.chosen.tolist() == [0, 1]
    drag(scene, (60, 90), keys=("Control",))
    assert session.chosen.tolist() == [0]
    assert not drag(scene, (20, 20), (99, 99), keys=("Alt",)).handled, "napari's box to zoom"
    assert not drag(scene, (20, 20), (99, 99), keys=("Shift", "Alt")).handled
    assert session.chosen.tolist() == [0]


def test_a_lasso_chooses_what_it_goes_around(scene: Scene) -> None:
    scene.chooser.set_mode("lasso")
    drag(scene, (20, 20), (20, 100), (70, 20), t=1)
    assert scene.session.chosen.tolist() == [2]
    assert scene.session.frames is not None


def test_a_layer_that_is_edited_keeps_its_drags_until_the_mode_is_chosen(scene: Scene) -> None:
    scene.viewer.layers.selection.active = scene.cells
    scene.cells.mode = "add"
    assert not drag(scene, (20, 20), (99, 99), keys=("Shift",)).handled
    scene.chooser.set_mode("box")
    assert scene.cells.mode == "pan_zoom"
    assert drag(scene, (20, 20), (99, 99)).handled


def test_a_viewer_has_one(scene: Scene) -> None:
    assert connect_choosing(scene.viewer, scene.session) is scene.chooser
    found = [c for c in scene.viewer.mouse_drag_callbacks if isinstance(c, Chooser)]
    assert found == [scene.chooser]


def test_a_drag_of_the_mouse_chooses_and_does_not_pan(
    make_scene: Callable[..., Scene], to_world: Any, qtbot: Any
) -> None:
    scene = make_scene(show=True)
    viewer = scene.viewer
    chooser = connect_choosing(viewer, scene.session)
    camera = camera_of(viewer)
    camera.center = (0, *to_world(0, (60, 90))[1:])
    camera.zoom = 20
    before = camera.center
    qtbot.wait(200)
    canvas = next(
        w
        for w in viewer.window._qt_window.findChildren(QWidget)
        if type(w).__name__ == "CanvasBackendDesktop"
    )
    middle, by = QPoint(canvas.width() // 2, canvas.height() // 2), QPoint(30, 30)
    button, shift = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ShiftModifier
    for modifier, mode in ((shift, "off"), (Qt.KeyboardModifier.NoModifier, "box")):
        scene.session.choose(())
        chooser.set_mode(mode)
        qtbot.mousePress(canvas, button, modifier, pos=middle - by)
        qtbot.mouseMove(canvas, middle)
        qtbot.mouseMove(canvas, middle + by)
        qtbot.mouseRelease(canvas, button, modifier, pos=middle + by)
        assert scene.session.chosen.tolist() == [1]
        assert camera.center == before
        assert LINE_NAME not in viewer.layers
