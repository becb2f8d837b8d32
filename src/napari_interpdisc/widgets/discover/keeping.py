"""Keeps the annotations and their Points layer in step. No Qt here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from napari.layers import Image
from psygnal import Signal

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.results import write_table
from napari_interpdisc.widgets.canvas import annotation_home
from napari_interpdisc.widgets.canvas.annotation_layer import (
    classes_of,
    find_annotations,
    is_annotations,
    note_classes,
    read_layer,
    write_layer,
)
from napari_interpdisc.widgets.discover.annotation_import import Imported
from napari_interpdisc.widgets.discover.annotations import (
    FIRST_CLASSES,
    MAX_CLASSES,
    NO_ROW,
    Mark,
    match_marks,
)
from napari_interpdisc.widgets.discover.run import NO_CELLS
from napari_interpdisc.widgets.discover.tool import AnnotationTool
from napari_interpdisc.widgets.discover.unsaved import LeftAnnotations

HALF = 0.5
"""Reach of a mark, in nuclear diameters: further from a cell it is none of it."""


class AnnotationKeeper(AnnotationTool):
    """Writes what is annotated into the layer; reads what is changed there by hand.

    Without cells the layer is kept, and is read again once there are some. Once the cells are those
    of another movie the layer is set aside; it comes back with its movie.

    The parameters are those of :class:`AnnotationTool`.

    Signals
    -------
    read
        The annotations are those of a layer that was there, or was opened.
    leaving
        The layer was removed; the annotations go with it after this.
    exported
        The annotations were written to a table.
    left_movie, came_back
        The annotations of an image, known by its mark, are set aside after this; are there again.
    """

    read = Signal()
    leaving = Signal()
    exported = Signal()
    left_movie = Signal(str)
    came_back = Signal(str)

    def _set_up(self) -> None:
        self._layer: Any = None
        self._busy = False

    def start(self) -> None:
        """Begin, with the annotations of a layer that is there already."""
        events = self._viewer.layers.events
        events.inserted.connect(self._inserted)
        events.removed.connect(self._removed)
        self._session.encoding_changed.connect(self._cells_changed)
        self._annotations.changed.connect(self._write)
        layer = find_annotations(self._viewer)
        if layer is not None:
            self._restore(layer)
        elif self._session.encoding is not None:
            self._cells_changed()

    def stop(self, *_: Any) -> None:
        """End; the layer is kept."""
        events = self._viewer.layers.events
        events.inserted.disconnect(self._inserted)
        events.removed.disconnect(self._removed)
        self._session.encoding_changed.disconnect(self._cells_changed, missing_ok=True)
        self._annotations.changed.disconnect(self._write, missing_ok=True)
        self._follow(None)

    # -- from the layer -------------------------------------------------------------------------

    def _follow(self, layer: Any) -> None:
        if layer is self._layer:
            return
        if self._layer is not None:
            self._layer.events.data.disconnect(self._edited)
        self._layer = layer
        if layer is not None:
            layer.events.data.connect(self._edited)

    def _inserted(self, event: Any) -> None:
        if not self._busy and self._layer is None and is_annotations(event.value):
            self._restore(event.value)

    def _removed(self, event: Any) -> None:
        if isinstance(event.value, Image):
            annotation_home.note_pixels(self._viewer.layers, event.value)
        if self._busy or event.value is not self._layer:
            return
        self._follow(None)
        self.leaving.emit()
        self._busy = True  # another layer that was opened beside it must not be emptied
        try:
            self._annotations.replace_all(self._annotations.classes, ())
        finally:
            self._busy = False
        other = find_annotations(self._viewer)
        if other is not None:
            self._restore(other)

    def _restore(self, layer: Any) -> None:
        """Take over the annotations of a layer that was there before, or was opened."""
        if not self._is_at_home(layer):
            told = self._put_away(layer)
            self._cells_changed(told=told)
            return
        self._take_layer(layer)
        self._cells_changed()
        self.read.emit()

    def _take_layer(self, layer: Any) -> None:
        session = self._session
        self._follow(layer)
        marks = read_layer(layer, session.image, session.frames)
        classes = classes_of(layer)
        if not classes and not marks:
            classes = list(self._annotations.classes)
        self._replace(classes, marks)

    def _replace(self, classes: Sequence[str], marks: Sequence[Mark]) -> None:
        """Take over annotations without writing them into a layer."""
        self._busy = True
        try:
            self._annotations.replace_all(classes, marks, undoable=False)
        finally:
            self._busy = False

    def _edited(self, event: Any = None) -> None:
        """React to points that were deleted, moved or added by hand."""
        # Within a move or a removal napari's table is not yet what it will be.
        if self._busy or str(getattr(event, "action", "")).endswith("ing"):
            return
        session, annotations = self._session, self._annotations
        if session.encoding is None:
            return
        marks = read_layer(self._layer, session.image, session.frames)
        annotations.edit(marks, session.encoding.cells, HALF * session.encoding.diameter)

    def _cells_changed(self, *_: Any, told: str = "") -> None:
        """Find the annotated cells among those that are there now, if they are of that movie."""
        encoding, annotations = self._session.encoding, self._annotations
        if encoding is None:
            self._busy = True
            try:
                annotations.match(None, 0)
            finally:
                self._busy = False
            return
        told = told or self._leave_movie()
        self._come_back()
        # before the match, which makes them those of the present image
        of = "" if self._layer is None else annotation_home.image_name(self._layer)
        lost = annotations.match(encoding.cells, HALF * encoding.diameter)
        if annotations.marks:
            found = self._told_found(of, lost)
            told = f"{told} {found}".strip()
        if told:
            self._say(told, False)

    def _told_found(self, of: str, lost: int) -> str:
        now = self._session.image.name
        whose = f" of '{of}'" if of else ""
        where = f" in '{now}'" if of and of != now else ""
        n = len(self._annotations.marks) - lost
        text = f"{_some(n)}{whose} {_were(n)} found again{where}"
        if not lost:
            return f"{text}."
        return f"{text}; {lost} {_are(lost)} near no cell and {_are(lost)} not used."

    # -- movies that come and go ----------------------------------------------------------------

    def _is_at_home(self, layer: Any) -> bool:
        session = self._session
        if session.encoding is None or session.frames is None:
            return True  # as long as there is no other movie
        return annotation_home.is_of(
            layer, self._viewer, session.image, session.cells_layer, session.frames
        )

    def set_aside(self) -> str:
        """Set the annotations that are there aside; returns a sentence, or "" if there are none.

        Their layer stays, hidden, and is followed no longer. The classes stay.
        """
        layer = self._layer
        if layer is None or not self._annotations.marks:
            return ""
        self.left_movie.emit(annotation_home.home_key(layer))
        told = self._put_away(layer)
        self._replace(self._annotations.classes, ())
        return told

    def _leave_movie(self) -> str:
        here = self._layer is None or self._is_at_home(self._layer)
        return "" if here else self.set_aside()

    def _put_away(self, layer: Any) -> str:
        """Hide a layer of another movie, and say so."""
        if layer is self._layer:
            self._follow(None)
        annotation_home.set_aside(layer)
        n, name = len(layer.data), annotation_home.image_name(layer)
        return (
            f"{_some(n)} of '{name}' {_are(n)} set aside in the hidden layer \"{layer.name}\"; "
            f"{'it comes' if n == 1 else 'they come'} back with that image."
        )

    def _come_back(self) -> None:
        """Take the annotations of the present movie, if they were set aside and there are none."""
        if self._annotations.marks:
            return
        aside = filter(annotation_home.is_aside, self._viewer.layers)
        layer = next(filter(self._is_at_home, aside), None)
        if layer is None:
            return
        if self._layer is not None:
            self._busy, empty = True, self._layer
            self._follow(None)
            try:
                self._viewer.layers.remove(empty)
            finally:
                self._busy = False
        annotation_home.bring_back(layer)
        self.came_back.emit(annotation_home.home_key(layer))
        self._take_layer(layer)

    # -- to the layer ---------------------------------------------------------------------------

    def _write(self) -> None:
        session, annotations = self._session, self._annotations
        if self._busy:
            return
        if session.encoding is None or session.frames is None:
            if self._layer is not None:
                note_classes(self._layer, annotations.classes)
            return
        self._busy = True
        try:
            layer = write_layer(
                self._viewer,
                session.image,
                session.frames,
                session.encoding.diameter,
                annotations.classes,
                annotations.marks,
                session.cells_layer,
            )
            self._follow(layer if layer in self._viewer.layers else None)
        finally:
            self._busy = False

    def take(self, found: Imported, encoding: Any) -> None:
        """Add imported annotations to those that are there, and say so."""
        if encoding is not self._session.encoding or encoding is None:
            raise InvalidInput("The cells were changed meanwhile; import again.")
        if found.names:
            if not self._annotations.marks:
                self._annotations.start_with()
            self._annotations.annotate(encoding.cells, found.names, found.classes)
        self._say(found.sentence(), not found.names)

    def restore(self, left: LeftAnnotations) -> str:
        """Put annotations in that were left unsaved, each at its own cell, as one change; say so.

        Those that are near no cell are kept in the layer, and not used.

        Raises
        ------
        InvalidInput
            If there are no cells, or there are annotations already.
        """
        encoding, annotations = self._session.encoding, self._annotations
        if encoding is None:
            raise InvalidInput("No cells yet: run the Cells widget, then restore the annotations.")
        if annotations.marks:
            raise InvalidInput("There are annotations already; save or remove them first.")
        marks = match_marks(left.marks, encoding.cells, HALF * encoding.diameter)
        own = () if set(annotations.classes) <= {*FIRST_CLASSES} else annotations.classes
        classes = dict.fromkeys([*left.classes, *own])
        annotations.replace_all([*classes][:MAX_CLASSES], marks)
        lost, n = sum(m.row == NO_ROW for m in marks), len(left.marks)
        twice = n - len(marks)
        told = [f"{n - lost - twice} of {n} annotations were restored"]
        if lost:
            told.append(f"{lost} near no cell of now {'is' if lost == 1 else 'are'} not used")
        if twice:
            told.append(f"{twice} at a cell with another {'is' if twice == 1 else 'are'} left out")
        return "; ".join(told) + "."

    def export_to(self, path: Path) -> str:
        """Write the annotations as a table, with classes and source beside it; say so."""
        session = self._session
        table = self._annotations.to_frame()
        settings = {
            "classes": list(self._annotations.classes),
            "image": None if session.image is None else session.image.name,
            "cells": None if session.cells_layer is None else session.cells_layer.name,
        }
        write_table(table, settings, path)
        self.exported.emit()
        return f"{len(table)} annotations were written to {path}."

    # -- what can be done -----------------------------------------------------------------------

    def without_cells(self) -> str:
        """What to do while there are no cells."""
        n = len(self._annotations.marks)
        if not n:
            return NO_CELLS
        return (
            f"No cells now: run the Cells widget again. The {n} annotations are kept in their "
            "layer."
        )

    def check_changeable(self, name: str) -> None:
        """Raise if annotations of a class cannot be changed, for lack of the cells they mark."""
        marked = any(m.name == name for m in self._annotations.marks)
        if marked and self._session.encoding is None:
            raise InvalidInput(f"'{name}' has annotations; run the Cells widget, then change it.")


def _some(n: int) -> str:
    return "1 annotation" if n == 1 else f"{n} annotations"


def _are(n: int) -> str:
    return "is" if n == 1 else "are"


def _were(n: int) -> str:
    return "was" if n == 1 else "were"
