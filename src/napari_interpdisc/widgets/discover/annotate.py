"""Annotate in the canvas: clicks and keys give cells a class while annotating is on."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy.typing as npt
from psygnal import Signal

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.widgets.canvas.picking import follow_click, frame_shown, pixel_at, ringed
from napari_interpdisc.widgets.discover.annotations import KEYS
from napari_interpdisc.widgets.discover.tool import AnnotationTool
from napari_interpdisc.widgets.parts.wording import cell_name

REMOVAL_KEYS = ("0", "Delete", "Backspace")
EDITING_MODES = frozenset({"select", "direct"})
"""Layer modes in which napari's own Delete removes what is selected."""


class Annotator(AnnotationTool):
    """Clicks and keys of one viewer.

    A click gives the nearest cell the marked class. A class's key gives it to the cells that are
    chosen together; else to the cell with the dashed ring, or to that under the cursor where none
    has it. 0, Delete and Backspace take it away. The keys are bound to the viewer and to the active
    layer, whose own would come first; when
    annotating ends, both have again what they had.

    The parameters are those of :class:`AnnotationTool`.

    Attributes
    ----------
    chosen
        The marked class.
    is_on, clicks
        Whether keys annotate, and clicks in the canvas too.

    Signals
    -------
    switched
        Whether keys and clicks annotate.
    """

    switched = Signal(bool, bool)

    def _set_up(self) -> None:
        self._bound: list[tuple[Any, str, Any]] = []
        self.chosen: str | None = None
        self.is_on = self.clicks = False
        self._wanted: dict[str, bool] = {}
        self._n_keys = 0
        self._annotations.changed.connect(self._classes_changed)

    def switch(self, on: bool, clicks: bool = True, by: str = "Discover") -> None:
        """Start or end annotating by keys, and by clicks if these are wanted.

        It goes on as long as one of those wants it who started it.
        """
        self._wanted.pop(by, None)
        if on:
            self._wanted[by] = clicks
        on, clicks = bool(self._wanted), any(self._wanted.values())
        if (on, clicks) == (self.is_on, self.clicks):
            return
        active = self._viewer.layers.selection.events.active
        if on and not self.is_on:
            active.connect(self._bind)
            self._bind()
        elif self.is_on and not on:
            active.disconnect(self._bind)
            self._unbind()
        callbacks = self._viewer.mouse_drag_callbacks
        if clicks and not self.clicks:
            callbacks.append(self._pressed)
        elif self.clicks and not clicks:
            with contextlib.suppress(ValueError):
                callbacks.remove(self._pressed)
        self.is_on, self.clicks = on, clicks
        self.switched.emit(on, clicks)

    def stop(self) -> None:
        """End annotating, whoever wants it."""
        for by in [*self._wanted]:
            self.switch(False, by=by)

    def _pressed(self, viewer: Any, event: Any) -> Iterator[None]:
        yield from follow_click(viewer, event, self.click)

    def click(self, position: npt.ArrayLike) -> None:
        """Give the cell nearest to a world position the chosen class."""
        row = self._cell_at(position)
        if row is not None and self.chosen is not None:
            self.annotate(row, self.chosen)
        elif row is not None:
            self._say("Add a class first.", True)

    def press(self, key: str) -> bool:
        """Do what a key means while annotating; whether it means anything."""
        if key in REMOVAL_KEYS:
            name = None
        elif key.isdigit() and int(key) <= min(KEYS, len(self._annotations.classes)):
            name = self._annotations.classes[int(key) - 1]
        else:
            return False
        rows = self.meant()
        if not rows:
            self._say("Click a cell, or point at one, and press its class's key.", False)
        elif name is None:
            self.remove(*rows)
        else:
            self.annotate(rows, name)
        return True

    def meant(self) -> tuple[int, ...]:
        """Rows of the cells that a key is for: those that are chosen, or the one with the ring."""
        if len(self._session.chosen):
            return tuple(self._session.chosen.tolist())
        found = ringed(self._viewer, self._session)
        row = self._cell_at(self._viewer.cursor.position) if found is None else found[0]
        return () if row is None else (row,)

    def give(self, name: str) -> bool:
        """Give the chosen cells a class; whether there were any."""
        rows = tuple(self._session.chosen.tolist())
        if rows:
            self.annotate(rows, name)
        return bool(rows)

    def annotate(self, rows: int | Sequence[int], name: str) -> None:
        """Give cells a class, as one change."""
        encoding = self._session.encoding
        assert encoding is not None
        several = (rows,) if isinstance(rows, int) else tuple(rows)
        try:
            self._annotations.annotate(encoding.cells, dict.fromkeys(several, name))
        except InvalidInput as fault:
            self._say(str(fault), True)
        else:
            self._say(f"{self._name(several)}: {name}.", False)

    def remove(self, *rows: int) -> None:
        """Take the classes of cells away, as one change."""
        had = self._annotations.remove(*rows)
        if len(rows) == 1:
            what = "annotation removed" if had else "it has no annotation"
        else:
            what = f"{had} annotations removed" if had else "they have no annotations"
        self._say(f"{self._name(rows)}: {what}.", False)

    def _name(self, rows: Sequence[int]) -> str:
        """Which cells: ``Cell 12, frame 3``, or ``17 cells, 5 of them in other frames``."""
        encoding, frames = self._session.encoding, self._session.frames
        assert encoding is not None
        if len(rows) == 1:
            return cell_name(encoding, rows[0], frames is not None and frames.is_movie)
        shown = frame_shown(self._viewer, self._session)
        apart = sum(int(encoding.cells.t[row]) != shown for row in rows)
        which = "all" if apart == len(rows) else f"{apart} of them"
        return f"{len(rows)} cells" + (f", {which} in other frames" if apart else "")

    def _cell_at(self, position: npt.ArrayLike) -> int | None:
        pixel = pixel_at(self._session, position)
        return None if pixel is None else self._session.nearest(*pixel)

    def _classes_changed(self) -> None:
        if self.is_on and self._n_keys != min(KEYS, len(self._annotations.classes)):
            self._bind()

    # -- keys -----------------------------------------------------------------------------------

    def _bind(self, *_: Any) -> None:
        self._unbind()
        self._n_keys = min(KEYS, len(self._annotations.classes))
        keys = [*map(str, range(1, self._n_keys + 1)), *REMOVAL_KEYS]
        for provider in (self._viewer, self._viewer.layers.selection.active):
            if provider is None:
                continue
            for key in keys:
                before = provider.bind_key(key, self._handler(key), overwrite=True)
                self._bound.append((provider, key, before))

    def _handler(self, key: str) -> Callable[[Any], None]:
        def pressed(provider: Any) -> None:
            # What is selected in a layer by hand is deleted by napari's own keys.
            editing = str(getattr(provider, "mode", "")) in EDITING_MODES
            if key in REMOVAL_KEYS[1:] and editing and provider.selected_data:
                provider.remove_selected()
            else:
                self.press(key)

        return pressed

    def _unbind(self) -> None:
        for provider, key, before in reversed(self._bound):
            provider.bind_key(key, before, overwrite=True)
        self._bound.clear()
