"""Choose many cells in the canvas: a box or a lasso around them, or clicks with a modifier."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from psygnal import Signal
from skimage.measure import points_in_poly

from napari_interpdisc._types import Float64Array
from napari_interpdisc.widgets.canvas.chosen_marks import show_chosen
from napari_interpdisc.widgets.canvas.compat import unwrapped
from napari_interpdisc.widgets.canvas.picking import CLICK_PX, image_plane, keep_width, pixel_at
from napari_interpdisc.widgets.session import Session

Mode = Literal["off", "box", "lasso"]
How = Literal["replace", "add", "toggle"]

LINE_NAME = "choosing"
LINE_PX = 1.5
STEP_PX = 3.0
"""Way on the screen after which a lasso gets another corner."""

FREE_MODES = frozenset({"pan_zoom", "pick"})
"""Layer modes in which napari itself does nothing with a drag, but for panning."""


def cells_inside(session: Session, t: int, polygon: npt.ArrayLike) -> npt.NDArray[np.intp]:
    """Rows of the cells of frame ``t`` whose centroid is in a polygon (n, 2), y and x in px."""
    corners = np.asarray(polygon, float).reshape(-1, 2)
    if session.encoding is None or len(corners) < 3:
        return np.zeros(0, np.intp)
    cells = session.encoding.cells
    rows = np.flatnonzero(cells.t == t)
    return np.asarray(rows[points_in_poly(cells.yx[rows], corners)])


def combined(before: npt.ArrayLike, found: npt.ArrayLike, how: How) -> npt.NDArray[np.intp]:
    """Rows that are chosen after ``found`` was, rising: in place of those before, or with them.

    ``toggle`` takes away what was chosen before and is found again.
    """
    old, new = np.asarray(before, np.intp), np.asarray(found, np.intp)
    if how == "add":
        return np.union1d(old, new)
    return np.setxor1d(old, new) if how == "toggle" else np.unique(new)


class Chooser:
    """The mouse callback of one viewer, which keeps it, and the outlines of the chosen cells.

    In the modes "box" and "lasso" a drag chooses the cells around which it goes. With Shift it adds
    them, with Ctrl (⌘) it takes those away that were chosen. With one of these keys a drag draws a
    box in the mode "off" too, and a click means the one cell. Other drags are napari's.

    Signals
    -------
    mode_changed
        The mode.
    """

    mode_changed = Signal(str)

    def __init__(self, viewer: Any, session: Session) -> None:
        # Weakly: the viewer holds this callback.
        self._viewer = weakref.ref(viewer)
        self._session = session
        self.mode: Mode = "off"
        session.chosen_changed.connect(self._mark)

    def set_mode(self, mode: Mode) -> None:
        """Choose what a plain drag does; an active layer that edits something stops doing so."""
        viewer = self._viewer()
        if mode == self.mode:
            return
        self.mode = mode
        layer = None if viewer is None else viewer.layers.selection.active
        if mode != "off" and str(getattr(layer, "mode", "pan_zoom")) not in FREE_MODES:
            layer.mode = "pan_zoom"  # type: ignore[union-attr]
        self.mode_changed.emit(mode)

    def _mark(self, *_: Any) -> None:
        viewer = self._viewer()
        if viewer is not None:
            show_chosen(viewer, self._session)

    def _how(self, viewer: Any, event: Any) -> How | None:
        """What a press is the beginning of; None if it is none of ours."""
        layer = viewer.layers.selection.active
        free = layer is None or str(getattr(layer, "mode", "pan_zoom")) in FREE_MODES
        if event.button != 1 or viewer.dims.ndisplay != 2 or not free:
            return None
        if self._session.encoding is None:
            return None
        held = [str(getattr(key, "name", key)) for key in event.modifiers]
        if not held:
            return None if self.mode == "off" else "replace"
        found: dict[str, How] = {"Shift": "add", "Control": "toggle"}
        return found.get(held[0]) if len(held) == 1 else None

    def __call__(self, viewer: Any, event: Any) -> Iterator[None]:
        """Follow one press of the mouse to its release."""
        how = self._how(viewer, event)
        if how is None:
            return
        event.handled = True  # else the camera pans
        start = last = np.array(event.pos, float)
        path, moved, line = [np.array(event.position, float)], 0.0, None
        yield
        while True:
            event.handled = True
            at, is_over = np.array(event.pos, float), event.type != "mouse_move"
            moved = max(moved, float(np.linalg.norm(at - start)))
            if self.mode != "lasso":
                path[1:] = [np.array(event.position, float)]
            elif np.linalg.norm(at - last) >= STEP_PX:
                path.append(np.array(event.position, float))
                last = at
            if is_over:
                break
            if moved > CLICK_PX:
                line = self._draw(viewer, line, self._polygon(viewer, path))
            yield
        if line is not None and line in viewer.layers:
            viewer.layers.remove(line)
        if moved > CLICK_PX:
            self._choose(path[0], self._polygon(viewer, path), how)
        elif how != "replace":
            self._choose_one(path[0], how)

    def _polygon(self, viewer: Any, path: list[Float64Array]) -> Float64Array:
        """Corners (n, 2) in image pixels of a lasso, or of the box between two positions."""
        corners = path
        if self.mode != "lasso":
            first, second = path[0], path[-1]
            vertical, horizontal = (viewer.dims.displayed[i] for i in (-2, -1))
            beside, below = first.copy(), first.copy()
            beside[horizontal], below[vertical] = second[horizontal], second[vertical]
            corners = [first, beside, second, below]
        pixels = [pixel_at(self._session, corner) for corner in corners]
        return np.array([pixel[1:] for pixel in pixels if pixel is not None], float).reshape(-1, 2)

    def _choose(self, position: Float64Array, polygon: Float64Array, how: How) -> None:
        pixel = pixel_at(self._session, position)
        if pixel is not None:
            found = cells_inside(self._session, pixel[0], polygon)
            self._session.choose(combined(self._session.chosen, found, how), self)

    def _choose_one(self, position: Float64Array, how: How) -> None:
        pixel = pixel_at(self._session, position)
        row = None if pixel is None else self._session.nearest(*pixel)
        if row is not None:
            self._session.choose(combined(self._session.chosen, [row], how), self)

    def _draw(self, viewer: Any, line: Any, polygon: Float64Array) -> Any:
        """Show the box or the lasso while it is drawn."""
        if len(polygon) < 2:
            return line
        closed = np.vstack([polygon, polygon[:1]])
        if line is not None:
            line.data = [closed]
            return line
        chosen, active = set(viewer.layers.selection), viewer.layers.selection.active
        affine, units = image_plane(self._session)
        line = viewer.add_shapes(
            [closed],
            shape_type="path",
            name=LINE_NAME,
            face_color="transparent",
            edge_color="#ffffff",
            affine=affine,
            units=units,
            metadata={"interpdisc": {"role": "choosing"}},
        )
        keep_width(viewer, line, "edge_width", LINE_PX)
        viewer.layers.selection = chosen
        viewer.layers.selection.active = active
        return line


def connect_choosing(viewer: Any, session: Session) -> Chooser:
    """Let drags choose cells, and outline the chosen ones; a viewer has one such callback."""
    viewer = unwrapped(viewer)
    for callback in viewer.mouse_drag_callbacks:
        if isinstance(callback, Chooser):
            return callback
    made = Chooser(viewer, session)
    viewer.mouse_drag_callbacks.append(made)
    return made
