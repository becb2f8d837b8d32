"""What is chosen and computed in one viewer, shared by its dock widgets. No Qt here."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
from psygnal import Signal

from napari_interpdisc._types import Float32Array, Float64Array
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.frames import Frames
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.models.store import DEFAULT_MODEL, load_model
from napari_interpdisc.pipeline import Classification, Encoding, cell_crops, classify_encoding
from napari_interpdisc.widgets.canvas.compat import unwrapped

if TYPE_CHECKING:
    from napari_interpdisc.discovery.rashomon import RashomonSet

DELTA = 0.01
"""As in :mod:`napari_interpdisc.discovery.rashomon`, which takes a moment to import."""

Colouring = Literal["class", "state", "disagreement"]


class Session:
    """The chosen layers and model, the latest result, and the selected cell of one viewer.

    Everything a dock widget shows comes from here; everything it changes goes through here, and the
    signals tell the others. All signals are emitted on the main thread.

    Attributes
    ----------
    image, cells_layer, labels
        napari layers that the result belongs to, or None.
    frames
        The image as frames.
    encoding, classification
        The latest result, or None.
    selected
        Row of the selected cell in ``encoding.cells``, or None.
    chosen
        (n,) rows of many cells that are chosen together, rising; empty for none. The selected cell
        need not be among them.
    listed
        Which cells a click elsewhere asks to look at in the gallery, as it understands it, or None.
    edited
        (L,) latents of the selected cell as they were edited, or None if no cell with latents is
        selected. They start as the cell's own (:attr:`own`); change them by :meth:`edit`.
    threshold
        Confidence below which a cell counts as unsure.
    mark_flagged
        Whether the overlay hatches cells that are out of distribution, or cut by the edge.
    compared
        All heads of one question and what they call the present cells, or None.
    delta
        Balanced accuracy that heads may lose against the best, to count as about as good.
    colouring
        What the overlay colours cells by; by class as long as that is not known.
    states
        (N,) state of each cell along its track, a position among the classes; None as long as
        *Through time* has not found them.
    """

    model_changed = Signal(object)
    model_saved = Signal(object, object)
    """A model that had no name, and the same one as it was saved."""
    encoding_changed = Signal(object)
    measured_changed = Signal(object)
    """The present cells have measured properties now; nothing else of them changed."""
    classification_changed = Signal(object)
    selected_changed = Signal(object)
    chosen_changed = Signal(object)
    """Tells who chose the cells, so that it does not answer to itself."""
    listed_changed = Signal(object)
    edited_changed = Signal(object)
    """Tells who edited the latents, so that it does not answer to itself."""
    threshold_changed = Signal(float)
    mark_flagged_changed = Signal(bool)
    compared_changed = Signal(object)
    colouring_changed = Signal(str)
    states_changed = Signal(object)

    def __init__(self) -> None:
        self._model: CellModel | None = None
        self.head_name: str | None = None
        self.image: Any = None
        self.cells_layer: Any = None
        self.labels: Any = None
        self.frames: Frames | None = None
        self.encoding: Encoding | None = None
        self.classification: Classification | None = None
        self.selected: int | None = None
        self.chosen: npt.NDArray[np.intp] = np.zeros(0, np.intp)
        self.listed: object = None
        self.edited: Float32Array | None = None
        self.threshold = 0.0
        self.mark_flagged = True
        self.compared: RashomonSet | None = None
        self.delta = DELTA
        self.colouring: Colouring = "class"
        self.states: npt.NDArray[np.int64] | None = None
        self._as_good: RashomonSet | None = None
        self._disagreement: Float64Array | None = None

    @property
    def has_model(self) -> bool:
        """Whether a model is loaded already; :attr:`model` loads one, which takes a moment."""
        return self._model is not None

    @property
    def model(self) -> CellModel:
        """The chosen model; the bundled one is loaded when it is first asked for."""
        if self._model is None:
            self._model = load_model(DEFAULT_MODEL)
        return self._model

    def set_model(self, model: CellModel, head: str | None = None) -> None:
        """Choose a model and head, rescoring the cells; those of another encoder are dropped."""
        named = model.head(head)
        known = self.encoding
        if known is not None and known.encoder_sha256 == model.encoder_sha256:
            absent = [n for n in named.head.properties.names if n not in known.properties]
            if absent:
                raise InvalidInput(
                    f"Head '{named.name}' reads measured properties ({', '.join(absent)}), and "
                    "those of these cells are not known: tick 'Measure properties' in Cells, press "
                    "Run, and choose the head again."
                )
        same = known is not None and known.encoder_sha256 == model.encoder_sha256
        result = classify_encoding(known, model, head) if known is not None and same else None
        self._model, self.head_name = model, head
        if result is not None:
            # before anyone is told: the classes of a head and the scores of another do not fit
            self.classification, self.states = result, None
        self.set_compared(None)
        self.model_changed.emit(model)
        if result is not None:
            self.set_classification(result)
        elif known is not None:
            self.clear()

    def set_result(
        self, image: Any, cells_layer: Any, labels: Any, frames: Frames, result: Classification
    ) -> None:
        """Take over a finished run."""
        self.image, self.cells_layer, self.labels, self.frames = image, cells_layer, labels, frames
        self.encoding = result.encoding
        self.head_name = result.head
        self.selected = self.edited = self.listed = None
        self.set_compared(None)
        self.choose(())
        self.encoding_changed.emit(self.encoding)
        self.selected_changed.emit(None)
        self.set_classification(result)

    def set_measured(self, encoding: Encoding) -> None:
        """Take over the present cells with their properties measured; another's are not taken."""
        if self.encoding is not None and encoding.cells is self.encoding.cells:
            self.encoding = encoding
            self.measured_changed.emit(encoding)

    def set_classification(self, classification: Classification | None) -> None:
        """Replace scores and classes of the present cells; states along tracks are forgotten."""
        self.classification, self.states = classification, None
        self.classification_changed.emit(classification)

    def set_threshold(self, threshold: float) -> None:
        """Confidence (0–1) below which a cell is shown as unsure."""
        self.threshold = float(threshold)
        self.threshold_changed.emit(self.threshold)

    def set_mark_flagged(self, wanted: bool) -> None:
        """Hatch flagged cells in the overlay, or do not."""
        self.mark_flagged = bool(wanted)
        self.mark_flagged_changed.emit(self.mark_flagged)

    def set_compared(self, compared: RashomonSet | None) -> None:
        """Take over a comparison of heads on the present cells, or forget it."""
        if compared is None and self.compared is None:
            return
        self.compared = compared
        self._compare()

    def set_delta(self, delta: float) -> None:
        """Balanced accuracy (0–1) that heads may lose against the best."""
        if float(delta) != self.delta:
            self.delta = float(delta)
            self._compare()

    def _compare(self) -> None:
        compared = self.compared
        self._as_good = None if compared is None else compared.within(self.delta)
        self._disagreement = None if self._as_good is None else self._as_good.disagreement
        self.compared_changed.emit(self._as_good)

    @property
    def as_good(self) -> RashomonSet | None:
        """Those of the compared heads that are about as good as the best, or None."""
        return self._as_good

    @property
    def disagreement(self) -> Float64Array | None:
        """(N,) share of these heads that give a cell another class than most do, or None."""
        return self._disagreement

    def set_colouring(self, colouring: Colouring) -> None:
        """Colour cells by class, by state along the track, or by the disagreement of heads."""
        if colouring != self.colouring:
            self.colouring = colouring
            self.colouring_changed.emit(colouring)

    def set_states(self, states: npt.NDArray[np.int64] | None) -> None:
        """Take over the state (N,) of each cell, a position among the classes, or forget them."""
        if states is not self.states:
            self.states = states
            self.states_changed.emit(states)

    def select(self, row: int | None) -> None:
        """Select a cell by its row, or none."""
        if row is not None and (self.encoding is None or not 0 <= row < len(self.encoding.cells)):
            row = None
        self.selected = row
        own = self.own
        self.edited = None if own is None else own.copy()
        self.selected_changed.emit(row)

    def choose(self, rows: npt.ArrayLike, by: object = None) -> None:
        """Choose many cells by their rows (n,), in any order; none if it is empty.

        Rows that no cell has are left out. ``by`` is told to all who listen.
        """
        n = 0 if self.encoding is None else len(self.encoding.cells)
        found = np.unique(np.asarray(rows, np.intp).reshape(-1))
        found = found[(found >= 0) & (found < n)]
        if not np.array_equal(found, self.chosen):
            self.chosen = found
            self.chosen_changed.emit(by)

    def list_cells(self, wanted: object) -> None:
        """Ask the gallery to show some cells."""
        self.listed = wanted
        self.listed_changed.emit(wanted)

    @property
    def own(self) -> Float32Array | None:
        """Latents (L,) of the selected cell; None without one, or if it has no pixels."""
        if self.encoding is None or self.selected is None:
            return None
        if not self.encoding.usable[self.selected]:
            return None
        return np.asarray(self.encoding.latents[self.selected], np.float32)

    @property
    def is_edited(self) -> bool:
        """Whether any latent of the selected cell differs from its own."""
        own = self.own
        return own is not None and self.edited is not None and not np.array_equal(own, self.edited)

    def edit(self, latents: npt.ArrayLike, by: object = None) -> None:
        """Set the edited latents (L,) of the selected cell; without one, nothing happens.

        ``by`` is told to all who listen. The cell itself does not change.
        """
        if self.edited is not None:
            self.edited = np.array(latents, np.float32).reshape(self.edited.shape)
            self.edited_changed.emit(by)

    def reset_edited(self, by: object = None) -> None:
        """Give all edited latents the cell's own values back."""
        own = self.own
        if own is not None:
            self.edit(own, by)

    def clear(self) -> None:
        """Forget the result; layers are kept."""
        self.encoding = self.classification = self.frames = None
        self.image = self.cells_layer = self.labels = None
        self.selected = self.edited = self.listed = None
        self.set_compared(None)
        self.choose(())
        self.encoding_changed.emit(None)
        self.selected_changed.emit(None)
        self.classification_changed.emit(None)

    def forget_layer(self, layer: Any) -> None:
        """React to a layer that was removed from the viewer."""
        if layer is self.image or layer is self.cells_layer:
            self.clear()
        elif layer is self.labels:
            self.labels = None

    @property
    def zoom(self) -> float:
        """Crop pixels per image pixel of the present result."""
        if self.encoding is None:
            return 1.0
        return self.model.model_diameter / self.encoding.diameter

    def nearest(self, t: int, y: float, x: float, within: float | None = None) -> int | None:
        """Row of the cell of frame ``t`` nearest to (y, x), image pixels; None beyond ``within``.

        ``within`` defaults to one nuclear diameter.
        """
        if self.encoding is None:
            return None
        cells = self.encoding.cells
        rows = np.flatnonzero(cells.t == t)
        if not len(rows):
            return None
        distance = np.hypot(*(cells.yx[rows] - (y, x)).T)
        best = int(distance.argmin())
        limit = self.encoding.diameter if within is None else within
        return int(rows[best]) if distance[best] <= limit else None

    def crop(self, row: int) -> Float32Array:
        """Normalised crop (S, S) of one cell.

        Raises
        ------
        InvalidInput
            If the cell has no pixels.
        """
        assert self.encoding is not None
        assert self.frames is not None
        if not self.encoding.usable[row]:
            raise InvalidInput(f"This cell has {self.encoding.no_pixels[row]}; choose another.")
        cells = self.encoding.cells.take([row])
        return np.asarray(cell_crops(self.frames, cells, self.model, self.encoding.diameter)[0, 0])


_sessions: weakref.WeakKeyDictionary[Any, weakref.ref[Session]] = weakref.WeakKeyDictionary()


def session_of(viewer: Any) -> Session:
    """Return the session of a viewer; all its dock widgets share one.

    The session lives as long as the viewer: it is kept alive by the viewer's layer events. They,
    and not the viewer's id, are the key: an id is used again once a viewer is gone, and each dock
    widget opened from the menu is handed another proxy of the viewer.
    """
    events = unwrapped(unwrapped(viewer).layers).events
    known = _sessions.get(events)
    found = known() if known is not None else None
    if found is None:
        found = Session()
        _sessions[events] = weakref.ref(found)
        kept = found

        def removed(event: Any) -> None:
            kept.forget_layer(event.value)

        events.removed.connect(removed)
    return found
