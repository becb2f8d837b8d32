"""What the status bar and the tooltip say of the cell under the cursor: its result in this frame.

napari shows the features of the active layer alone. Of a Labels layer it keeps one row for each
label, so that a label of many frames would show the result of another frame.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Labels

from napari_interpdisc._types import Float64Array
from napari_interpdisc.number_text import percent, signed
from napari_interpdisc.paint import label_of_cells
from napari_interpdisc.pipeline import Classification
from napari_interpdisc.widgets.canvas.compat import unwrapped
from napari_interpdisc.widgets.canvas.layers import positions_in
from napari_interpdisc.widgets.canvas.picking import pixel_at
from napari_interpdisc.widgets.session import Session

STATUS_KEYS = ("value", "coordinates")
"""Entries of napari's status that have what it says of the point under the cursor."""


class CellUnderCursor:
    """Finds the cell at a place, as the overlay draws it: by its object, else by its disc.

    What was looked up of a frame is kept, since the cursor moves often and time seldom.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._of: Callable[[], Any] = lambda: None
        self._frame: tuple[Any, ...] = ()
        self._flagged_of: Callable[[], Any] = lambda: None
        self._reasons: npt.NDArray[np.object_] = np.zeros(0, object)

    def row(self, position: npt.ArrayLike) -> int | None:
        """Row of the cell at a world position; None where there is none."""
        session = self._session
        pixel = pixel_at(session, position)
        if pixel is None or session.encoding is None:
            return None
        t, y, x = pixel
        radius = session.encoding.diameter / 2
        if session.labels is None:
            return session.nearest(t, y, x, radius)
        rows, plane, found = self._objects(t)
        at = np.rint(self._places([t], [[y, x]])[0, -2:]).astype(int)
        inside = (at >= 0).all() and (at < plane.shape).all()
        label = plane[tuple(at)] if inside else 0
        if label:
            same = rows[found == label]
            return int(same[0]) if len(same) else None
        beside = session.nearest(t, y, x, radius)
        return beside if beside in rows[found == 0] else None

    def _objects(self, t: int) -> tuple[Any, ...]:
        """Rows of a frame's cells, the plane of the segmentation, and the label of each cell."""
        session = self._session
        encoding, base = session.encoding, session.labels
        assert encoding is not None
        known = self._frame[:2] == (t, id(base)) and self._of() is encoding
        if known:
            return self._frame[2:]
        data = base.data[0] if base.multiscale else base.data
        rows = np.flatnonzero(encoding.cells.t == t)
        cells = encoding.cells
        places = self._places(cells.t[rows], cells.yx[rows])
        if data.ndim > 2:
            frame = int(np.rint(self._places([t], [[0, 0]])[0, 0]))
            plane = np.asarray(data[frame]) if 0 <= frame < len(data) else np.zeros((1, 1), int)
        else:
            plane = np.asarray(data)
        found = label_of_cells(plane, places[:, -2:], encoding.diameter / 2)
        self._of, self._frame = weakref.ref(encoding), (t, id(base), rows, plane, found)
        return self._frame[2:]

    def _places(self, t: npt.ArrayLike, yx: npt.ArrayLike) -> Float64Array:
        session = self._session
        assert session.frames is not None
        return positions_in(session.labels, session.image, session.frames, t, yx)

    def tell(self, position: npt.ArrayLike) -> str:
        """Class, score, confidence and flags of the cell at a world position, or an empty text."""
        result = self._session.classification
        row = None if result is None else self.row(position)
        if result is None or row is None:
            return ""
        if self._flagged_of() is not result:
            self._flagged_of = weakref.ref(result)
            self._reasons = result.reasons
        apart = self._session.disagreement
        known = apart is not None and len(apart) > row and np.isfinite(apart[row])
        told = float(apart[row]) if apart is not None and known else None
        return cell_text(result, row, self._session.threshold, str(self._reasons[row]), told)


def cell_text(
    result: Classification,
    row: int,
    threshold: float,
    reasons: str = "",
    disagreement: float | None = None,
) -> str:
    """``track 5: Metaphase, score 1.32, confidence 79 %, flagged: cut by the edge``.

    With the share of heads that give it another class, where that is known.
    """
    if not result.scored[row]:
        return f"track {result.encoding.cells.track_id[row]}: {reasons or 'no class'}"
    name = str(result.names(threshold)[row])
    chosen = 0 if result.scores.shape[1] == 1 else int(result.index[row])
    parts = [
        f"track {result.encoding.cells.track_id[row]}: {name}",
        f"score {signed(float(result.scores[row, chosen]))}",
        f"confidence {percent(float(result.confidence[row]))}",
        "" if disagreement is None else f"{percent(disagreement)} of heads disagree",
        f"flagged: {reasons}" if reasons else "",
    ]
    return ", ".join(filter(None, parts))


def follow_cursor(viewer: Any, session: Session) -> None:
    """From now on tell of the cell under the cursor, whatever layer is active; once per session."""
    viewer = unwrapped(viewer)
    reference, under = weakref.ref(viewer), CellUnderCursor(session)

    def told() -> str:
        owner = reference()
        if (
            owner is None
            or session.classification is None
            or not owner.mouse_over_canvas
            or owner.dims.ndisplay != 2
        ):
            return ""
        return under.tell(owner.cursor.position)

    def status(event: Any) -> None:
        text, present = told(), event.value
        owner = reference()
        if not text or owner is None:
            return
        if isinstance(present, str):
            if text not in present:
                owner.status = f"{present}; {text}" if present else text
            return
        if text in present.get("coordinates", ""):
            return
        ours = _has_features_of(owner.layers.selection.active, session)
        new = dict(present)
        for key in STATUS_KEYS:
            if key in present:
                said = present[key].split("; ")[0] if ours else present[key]
                new[key] = f"{said}; {text}"
        owner.status = new

    def tooltip(event: Any) -> None:
        owner = reference()
        text = told() if owner is not None and owner.tooltip.visible else ""
        if text and owner is not None and owner.tooltip.text != text:
            owner.tooltip.text = text

    def moved(_: Any) -> None:
        # without an active layer napari says "Ready" again and again, which is no event
        owner = reference()
        if owner is None or owner.layers.selection.active is not None:
            return
        present, text = owner.status, told()
        if text and isinstance(present, str) and text not in present:
            owner.status = text

    viewer.cursor.events.position.connect(moved)
    # last: napari's own callbacks show what napari says, and ours replaces it
    viewer.events.status.connect(status, position="last")
    viewer.tooltip.events.text.connect(tooltip, position="last")


def _has_features_of(layer: Any, session: Session) -> bool:
    """Whether napari says features of a Labels layer that this text replaces."""
    note = getattr(layer, "metadata", {}).get("interpdisc")
    return isinstance(layer, Labels) and (note is not None or layer is session.cells_layer)
