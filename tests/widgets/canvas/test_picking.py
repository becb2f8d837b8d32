"""Clicking cells: which one is meant, whichever layer is active, and how it is marked."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from napari.utils._proxies import ReadOnlyWrapper
from napari.utils.interactions import (
    mouse_move_callbacks,
    mouse_press_callbacks,
    mouse_release_callbacks,
)
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QWidget

from napari_interpdisc.widgets.canvas.compat import camera_of
from napari_interpdisc.widgets.canvas.layers import data_to_world
from napari_interpdisc.widgets.canvas.picking import (
    RING_PX,
    Picker,
    connect_picking,
    frame_shown,
    go_to_frame,
    look_at,
    pixel_at,
)

Scene = SimpleNamespace


World = Callable[..., np.ndarray]


@pytest.fixture
def scene(make_scene: Callable[..., Scene]) -> Scene:
    made = make_scene(window=False)
    connect_picking(made.viewer, made.session)
    return made


def click(
    viewer: Any,
    world: np.ndarray,
    *,
    drag_px: float = 0.0,
    button: int = 1,
    modifiers: tuple[str, ...] = (),
) -> None:
    def event(kind: str, moved: float) -> Any:
        return ReadOnlyWrapper(
            SimpleNamespace(
                type=kind,
                pos=np.array([50.0, 50 + moved]),
                position=tuple(world),
                button=button,
                modifiers=modifiers,
                is_dragging=True,
                dims_displayed=[1, 2],
                handled=False,
            ),
            exceptions=("handled",),
        )

    mouse_press_callbacks(viewer, event("mouse_press", 0))
    if drag_px:
        mouse_move_callbacks(viewer, event("mouse_move", drag_px))
        mouse_move_callbacks(viewer, event("mouse_move", 0))
    mouse_release_callbacks(viewer, event("mouse_release", 0))


def is_ring(layer: Any) -> bool:
    return bool(layer.metadata.get("interpdisc", {}).get("role") == "selection")


def ring_of(viewer: Any) -> Any:
    return next(layer for layer in viewer.layers if is_ring(layer))


def ring_centre(viewer: Any) -> np.ndarray:
    ring = ring_of(viewer)
    return data_to_world(ring, np.concatenate([arc[:-1] for arc in ring.data])).mean(0)


def test_pixels_of_a_world_position(scene: Scene, to_world: World) -> None:
    assert pixel_at(scene.session, to_world(2, (38, 36))) == (2, 38, 36)
    assert pixel_at(scene.session, (1.0, 2.0)) is None
    scene.session.clear()
    assert pixel_at(scene.session, to_world(2, (38, 36))) is None


@pytest.mark.parametrize("kind", ["image", "points", "tracks", "labels", "none"])
def test_a_click_selects_whichever_layer_is_active(
    scene: Scene, to_world: World, kind: str
) -> None:
    viewer = scene.viewer
    if kind == "tracks":
        viewer.add_tracks([[1, 0, 5, 5], [1, 1, 6, 6]])
    elif kind == "labels":
        viewer.add_labels(np.zeros((3, 20, 20), int))
    else:
        active = {"image": scene.image, "points": scene.cells, "none": None}[kind]
        viewer.layers.selection.active = active
    before = viewer.layers.selection.active
    click(viewer, to_world(1, (60, 95)))
    assert scene.session.selected == 3
    click(viewer, to_world(1, (85, 45)))
    assert scene.session.selected == 4
    assert viewer.layers.selection.active is before


def test_the_frame_of_the_click_counts(scene: Scene, to_world: World) -> None:
    for t, row in ((0, 0), (1, 2), (2, 5)):
        click(scene.viewer, to_world(t, (33, 33)))
        assert scene.session.selected == row


def test_a_click_beyond_a_diameter_changes_nothing(scene: Scene, to_world: World) -> None:
    click(scene.viewer, to_world(0, (30, 30)))
    click(scene.viewer, to_world(0, (30, 51)))
    assert scene.session.selected == 0
    click(scene.viewer, to_world(0, (60, 109)))
    assert scene.session.selected == 1


@pytest.mark.parametrize(
    "how", [{"drag_px": 30.0}, {"button": 2}, {"modifiers": ("Shift",)}], ids=str
)
def test_what_is_no_plain_click_selects_nothing(
    scene: Scene, to_world: World, how: dict[str, Any]
) -> None:
    click(scene.viewer, to_world(0, (30, 30)), **how)
    assert scene.session.selected is None


def test_a_trembling_hand_still_clicks(scene: Scene, to_world: World) -> None:
    click(scene.viewer, to_world(0, (30, 30)), drag_px=2)
    assert scene.session.selected == 0


def test_clicks_that_edit_a_layer_do_not_select(scene: Scene, to_world: World) -> None:
    labels = scene.viewer.add_labels(np.zeros((3, 20, 20), int))
    labels.mode = "paint"
    click(scene.viewer, to_world(0, (30, 30)))
    assert scene.session.selected is None
    labels.mode = "pick"
    click(scene.viewer, to_world(0, (30, 30)))
    assert scene.session.selected == 0


def test_nothing_happens_before_there_are_cells(
    make_scene: Callable[..., Scene], to_world: World
) -> None:
    scene = make_scene(finished=False, window=False)
    connect_picking(scene.viewer, scene.session)
    click(scene.viewer, to_world(0, (30, 30)))
    assert scene.session.selected is None
    assert not any(is_ring(layer) for layer in scene.viewer.layers)


def test_a_frame_is_gone_to_through_the_scale_of_the_image(scene: Scene) -> None:
    for t in (2, 0):
        go_to_frame(scene.viewer, scene.session, t)
        assert frame_shown(scene.viewer, scene.session) == t
    scene.session.clear()
    go_to_frame(scene.viewer, scene.session, 1)  # without an image, nothing happens


def test_connecting_twice_connects_once(scene: Scene) -> None:
    connect_picking(scene.viewer, scene.session)
    pickers = [c for c in scene.viewer.mouse_drag_callbacks if isinstance(c, Picker)]
    assert len(pickers) == 1


def test_the_ring_marks_the_cell_and_follows_its_track(scene: Scene, to_world: World) -> None:
    viewer = scene.viewer
    viewer.layers.selection.active = scene.image
    scene.session.select(3)  # track 3 in frame 1; frame 0 is shown
    assert viewer.layers.selection.active is scene.image
    ring = ring_of(viewer)
    np.testing.assert_allclose(ring_centre(viewer), to_world(0, (60, 90))[1:], atol=1e-5)
    assert 0 < ring.opacity < 1, "faint: the same track in another frame"
    viewer.dims.set_point(0, to_world(1, (0, 0))[0])
    np.testing.assert_allclose(ring_centre(viewer), to_world(1, (61, 92))[1:], atol=1e-5)
    assert ring.opacity == 1
    viewer.dims.set_point(0, to_world(2, (0, 0))[0])
    assert frame_shown(viewer, scene.session) == 2
    assert ring.opacity == 0, "the track has ended"
    size = np.ptp(data_to_world(ring, np.concatenate(ring.data)), axis=0)
    np.testing.assert_allclose(size, 1.5 * 20 * np.array([0.5, 0.25]), rtol=1e-5)


def test_the_ring_is_dashed_and_equally_wide_on_the_screen(scene: Scene) -> None:
    scene.session.select(0)
    scene.session.select(1)  # it is moved there
    ring, camera = ring_of(scene.viewer), camera_of(scene.viewer)
    assert set(ring.shape_type) == {"path"}
    colours = np.unique(np.round(ring.edge_color, 3), axis=0)
    assert colours.tolist() == [[0, 0, 0, 1], [1, 1, 1, 1]]
    for zoom in (0.5, 4.0):
        camera.zoom = zoom
        np.testing.assert_allclose(np.array(ring.edge_width) * 0.25 * zoom, RING_PX)


def test_the_ring_goes_with_the_cells_and_comes_back(scene: Scene) -> None:
    viewer = scene.viewer
    scene.session.select(0)
    viewer.layers.remove(ring_of(viewer))
    scene.session.select(1)
    ring = ring_of(viewer)
    viewer.layers.remove(scene.image)
    assert ring.opacity == 0
    assert scene.session.selected is None


def test_removing_all_layers_is_no_trouble(scene: Scene) -> None:
    scene.session.select(0)
    scene.viewer.layers.clear()
    assert scene.session.encoding is None


def test_a_real_click_on_the_canvas(
    make_scene: Callable[..., Scene], to_world: World, qtbot: Any
) -> None:
    scene = make_scene(show=True)
    viewer = scene.viewer
    connect_picking(viewer, scene.session)
    camera = camera_of(viewer)
    camera.center = (0, *to_world(0, (60, 90))[1:])
    camera.zoom = 20
    qtbot.wait(200)
    canvas = next(
        w
        for w in viewer.window._qt_window.findChildren(QWidget)
        if type(w).__name__ == "CanvasBackendDesktop"
    )
    middle = QPoint(canvas.width() // 2, canvas.height() // 2)
    qtbot.mousePress(canvas, Qt.MouseButton.LeftButton, pos=middle)
    qtbot.mouseMove(canvas, middle + QPoint(60, 0))
    qtbot.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=middle + QPoint(60, 0))
    assert scene.session.selected is None, "that was a drag"
    camera.center = (0, *to_world(0, (60, 90))[1:])
    qtbot.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=middle)
    assert scene.session.selected == 1


def test_a_click_or_going_to_a_cell_means_no_others(scene: Scene, to_world: World) -> None:
    session = scene.session
    session.choose([2, 3])
    click(scene.viewer, to_world(0, (30, 30)))
    assert session.selected == 0
    assert not len(session.chosen)
    session.choose([2, 3])
    look_at(scene.viewer, session, 3)
    assert session.chosen.tolist() == [2, 3], "it is one of them"
    zoom = camera_of(scene.viewer).zoom
    look_at(scene.viewer, session, 4)
    assert not len(session.chosen)
    assert camera_of(scene.viewer).zoom == zoom
    look_at(scene.viewer, session, 4, least_px=100 * zoom)
    assert camera_of(scene.viewer).zoom > zoom
