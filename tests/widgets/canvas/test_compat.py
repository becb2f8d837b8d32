from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from napari.components import ViewerModel
from napari.utils._proxies import PublicOnlyProxy

from napari_interpdisc.widgets.canvas.compat import camera_of, unwrapped


def test_a_plugin_meets_the_viewer_itself() -> None:
    viewer: Any = ViewerModel()
    assert unwrapped(viewer) is viewer
    assert unwrapped(PublicOnlyProxy(viewer)) is viewer


def test_the_camera_of_either_napari() -> None:
    old = SimpleNamespace(camera="camera of 0.8")
    new = SimpleNamespace(scene=SimpleNamespace(camera="camera of 0.9"))
    assert camera_of(old) == "camera of 0.8"
    assert camera_of(new) == "camera of 0.9"


def test_the_camera_moves_the_view() -> None:
    viewer: Any = ViewerModel()
    camera_of(PublicOnlyProxy(viewer)).center = (0.0, 12.0, 34.0)
    assert tuple(camera_of(viewer).center)[-2:] == (12.0, 34.0)
