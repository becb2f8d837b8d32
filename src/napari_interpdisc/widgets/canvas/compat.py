"""Where napari 0.9 differs from before, and what a plugin meets in place of a plain viewer."""

from __future__ import annotations

from typing import Any


def unwrapped(viewer: Any) -> Any:
    """Return the viewer itself where napari hands a plugin a proxy of it.

    A dock widget opened from the menu gets a new proxy each time, and layers read through one are
    proxies too: neither can be compared by identity.
    """
    return getattr(viewer, "__wrapped__", viewer)


def camera_of(viewer: Any) -> Any:
    """Return the camera: ``viewer.scene.camera`` since napari 0.9, ``viewer.camera`` before."""
    viewer = unwrapped(viewer)
    scene = getattr(viewer, "scene", None)
    return viewer.camera if scene is None else scene.camera
