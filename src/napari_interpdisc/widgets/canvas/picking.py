"""Click a cell in the viewer to select it, and see which one is selected."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc.widgets.canvas.compat import camera_of, unwrapped
from napari_interpdisc.widgets.canvas.layers import (
    affine_of,
    data_to_world,
    image_axes,
    world_to_data,
)
from napari_interpdisc.widgets.session import Session

RING_NAME = "selected cell"
RING_COLOURS = ("#ffffff", "#000000")
"""Of its dashes and of the gaps between them: no class has them, and one is seen on any image."""

RING_DIAMETERS = 1.5
"""Diameter of the ring, in nuclear diameters."""

RING_PX = 2.5
"""Width of its line on the screen, at any zoom."""

DASHES = 12

CLICK_PX = 4.0
"""A press that moves further on the screen is a drag."""

LOOKING_MODES = frozenset({"pan_zoom", "pick", "select"})
"""Layer modes in which a click edits nothing, so that it can mean a cell."""


def pixel_at(session: Session, position: npt.ArrayLike) -> tuple[int, float, float] | None:
    """(t, y, x) in the image of ``session`` of a world position (as in mouse events), or None."""
    image, frames = session.image, session.frames
    point = np.asarray(position, dtype=float)
    if image is None or frames is None or len(point) < image.ndim:
        return None
    pixel = world_to_data(image, point[None, -image.ndim :])[0][image_axes(image, frames)]
    t = int(np.rint(pixel[0])) if frames.is_movie else 0
    return t, float(pixel[-2]), float(pixel[-1])


def frame_shown(viewer: Any, session: Session) -> int | None:
    """Frame of the session's image that the viewer shows, or None if it shows none of them."""
    found = pixel_at(session, unwrapped(viewer).dims.point)
    if found is None or session.frames is None or not 0 <= found[0] < len(session.frames):
        return None
    return found[0]


def ringed(viewer: Any, session: Session) -> tuple[int, bool] | None:
    """Row of the cell with the ring in the frame shown, and whether it is the selected one itself.

    In other frames than its own, the selected cell's track has the ring.
    """
    encoding, row = session.encoding, session.selected
    if encoding is None or row is None:
        return None
    cells, t = encoding.cells, frame_shown(viewer, session)
    if cells.t[row] == t:
        return row, True
    same = np.flatnonzero((cells.track_id == cells.track_id[row]) & (cells.t == t))
    return (int(same[0]), False) if len(same) else None


def go_to_frame(viewer: Any, session: Session, t: int) -> None:
    """Show frame ``t`` of the session's image; camera and selection stay."""
    viewer, image, frames = unwrapped(viewer), session.image, session.frames
    if image is None or frames is None or not frames.is_movie:
        return
    axis = image_axes(image, frames)[0]
    pixel = np.zeros(image.ndim)
    pixel[axis] = t
    world = data_to_world(image, pixel[None])[0]
    viewer.dims.set_point(viewer.dims.ndim - image.ndim + axis, world[axis])


def look_at(viewer: Any, session: Session, row: int, least_px: float = 0.0) -> None:
    """Go to a cell: show its frame, centre the camera on it, select it.

    Other cells that were chosen no longer are: what is done next is meant for the one. At a zoom
    where its nucleus is smaller than ``least_px`` on the screen, the camera goes closer.
    """
    viewer, image, frames, encoding = (
        unwrapped(viewer),
        session.image,
        session.frames,
        session.encoding,
    )
    assert frames is not None
    assert encoding is not None
    axes = image_axes(image, frames)
    pixel = np.zeros(image.ndim)
    pixel[axes[-2:]] = encoding.cells.yx[row]
    if frames.is_movie:
        pixel[axes[0]] = encoding.cells.t[row]
    world = data_to_world(image, pixel[None])[0]
    if frames.is_movie:
        viewer.dims.set_point(viewer.dims.ndim - image.ndim + axes[0], world[axes[0]])
    camera = camera_of(viewer)
    camera.center = (*camera.center[:-2], *(world[axis] for axis in axes[-2:]))
    step = float(np.linalg.norm(affine_of(image)[0][:, axes[-1]]))
    camera.zoom = max(camera.zoom, least_px / (encoding.diameter * step))
    if row not in session.chosen:
        session.choose(())
    session.select(row)


def connect_picking(viewer: Any, session: Session) -> None:
    """Let a click anywhere in the canvas select the nearest cell; calling it again does nothing."""
    viewer = unwrapped(viewer)
    if not any(isinstance(callback, Picker) for callback in viewer.mouse_drag_callbacks):
        viewer.mouse_drag_callbacks.append(Picker(viewer, session))


def follow_click(
    viewer: Any, event: Any, clicked: Callable[[npt.ArrayLike], None]
) -> Iterator[None]:
    """Follow one press of the mouse, and call ``clicked`` with its world position.

    It is no click if it became a drag, had modifiers, or the active layer's mode edits something.
    """
    layer = viewer.layers.selection.active
    looking = layer is None or str(getattr(layer, "mode", "pan_zoom")) in LOOKING_MODES
    if event.button != 1 or event.modifiers or viewer.dims.ndisplay != 2 or not looking:
        return
    start = np.array(event.pos, dtype=float)
    moved = 0.0
    yield
    while event.type == "mouse_move":
        moved = max(moved, float(np.linalg.norm(np.array(event.pos) - start)))
        yield
    if moved <= CLICK_PX:
        clicked(event.position)


class Picker:
    """The mouse callback of one viewer, which keeps it, and the ring around the selected cell.

    The ring is a Shapes layer without a time axis that is moved along with the selected cell's
    track. It is bright in the selected cell's own frame, faint in others, and invisible where the
    track is absent. Which layer is active never changes.
    """

    def __init__(self, viewer: Any, session: Session) -> None:
        # Weakly: the viewer holds this callback.
        self._viewer = weakref.ref(viewer)
        self._session = session
        self._ring: Any = None
        session.selected_changed.connect(self._mark)
        viewer.dims.events.current_step.connect(self._follow)
        self._mark()

    def __call__(self, viewer: Any, event: Any) -> Iterator[None]:
        """Follow one press of the mouse: select on release, unless it became a drag."""
        yield from follow_click(viewer, event, self.pick)

    def pick(self, position: npt.ArrayLike) -> None:
        """Select the cell nearest to a world position; where there is none, nothing is selected.

        Many cells that were chosen no longer are: what is done next is meant for the one.
        """
        pixel = pixel_at(self._session, position)
        row = None if pixel is None else self._session.nearest(*pixel)
        self._session.choose((), self)
        if row is not None:
            self._session.select(row)

    def _follow(self, *_: Any) -> None:
        """Move the ring along in time, if it is there.

        Time also changes while layers are being removed, which is no moment to add one.
        """
        viewer = self._viewer()
        if viewer is not None and self._ring is not None and self._ring in viewer.layers:
            self._mark()

    def _mark(self, *_: Any) -> None:
        """Put the ring around the selected cell, adding it if it is not there."""
        viewer = self._viewer()
        if viewer is None:
            return
        found = ringed(viewer, self._session)
        present = self._ring is not None and self._ring in viewer.layers
        if found is None:
            if present:
                # Not removed: this may be the callback of another layer's removal.
                self._ring.opacity = 0.0
            return
        row, own = found
        encoding = self._session.encoding
        assert encoding is not None
        radius = RING_DIAMETERS * encoding.diameter / 2
        arcs = _dashes(encoding.cells.yx[row], radius)
        if not present:
            self._ring = self._add_ring(viewer, arcs)
        else:
            affine, units = image_plane(self._session)
            if not np.allclose(self._ring.affine.affine_matrix, affine):
                self._ring.affine = affine
                self._ring.units = units
            self._ring.data = arcs
        self._ring.opacity = 1.0 if own else 0.45

    def _add_ring(self, viewer: Any, arcs: list[npt.NDArray[np.float64]]) -> Any:
        chosen, active = set(viewer.layers.selection), viewer.layers.selection.active
        affine, units = image_plane(self._session)
        ring = viewer.add_shapes(
            arcs,
            shape_type="path",
            name=RING_NAME,
            face_color="transparent",
            edge_color=[*RING_COLOURS] * DASHES,
            affine=affine,
            units=units,
            metadata={"interpdisc": {"role": "selection"}},
        )
        ring.editable = False
        keep_width(viewer, ring, "edge_width", RING_PX)
        viewer.layers.selection = chosen
        viewer.layers.selection.active = active
        return ring


def image_plane(session: Session) -> tuple[npt.NDArray[np.float64], Any]:
    """Affine (3, 3) from the image's (y, x) pixels to the world, and the units of those axes."""
    image, frames = session.image, session.frames
    assert frames is not None
    axes = image_axes(image, frames)[-2:]
    matrix, offset = affine_of(image)
    affine = np.eye(3)
    affine[:2, :2], affine[:2, 2] = matrix[np.ix_(axes, axes)], offset[axes]
    return affine, tuple(image.units[axis] for axis in axes)


def _dashes(centre: npt.ArrayLike, radius: float) -> list[npt.NDArray[np.float64]]:
    """Dashes and gaps of a circle, alternating: paths (n, 2) of y, x."""
    ends = np.linspace(0, 2 * np.pi, 2 * DASHES + 1)
    angles = np.linspace(ends[:-1], ends[1:], 5, axis=1)
    circle = np.stack([np.sin(angles), np.cos(angles)], -1)
    return list(np.asarray(centre, dtype=float) + radius * circle)


def keep_width(viewer: Any, layer: Any, attribute: str, width: float) -> None:
    """Hold a width that napari gives in pixels of the layer at ``width`` px of the screen."""
    camera = camera_of(viewer)
    reference = weakref.ref(layer)

    def follow(*_: Any) -> None:
        found = reference()
        if found is not None:
            step = float(np.linalg.norm(affine_of(found)[0][:, -1]))
            setattr(found, attribute, width / max(float(camera.zoom) * step, 1e-9))

    camera.events.zoom.connect(follow)
    follow()
