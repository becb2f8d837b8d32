"""Annotations of one viewer and the tools that work on them, shared by its docks. No Qt here."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any

from psygnal import Signal

from napari_interpdisc.widgets.canvas.annotation_home import set_aside
from napari_interpdisc.widgets.canvas.annotation_layer import find_annotations
from napari_interpdisc.widgets.discover.annotate import Annotator
from napari_interpdisc.widgets.discover.annotations import FIRST_CLASSES, Annotations, Mark
from napari_interpdisc.widgets.discover.autosave import AutoSaver, note_saved_without_docks
from napari_interpdisc.widgets.discover.held_out import HeldOutCells
from napari_interpdisc.widgets.discover.keeping import AnnotationKeeper
from napari_interpdisc.widgets.discover.unsaved import LeftAnnotations, discard
from napari_interpdisc.widgets.session import Session


class Annotating:
    """What *Discover* and *Gallery* share: classes, marks, keys, and the layer.

    It lives as long as one of them is open; the layer stays. Another one that opens later reads it.

    Attributes
    ----------
    annotations, annotator, keeper, saver
        Which cells have which class; clicks and keys; the layer; the file of what is unsaved.
    held_out
        What held-out heads of the last training say of the labelled cells, or None.

    Signals
    -------
    said
        One sentence, and whether it is a fault.
    held_out_changed
        What held-out heads say.
    """

    said = Signal(str, bool)
    held_out_changed = Signal(object)

    def __init__(self, viewer: Any, session: Session) -> None:
        self.annotations = Annotations()
        self.annotator = Annotator(viewer, session, self.annotations, self._say)
        self.keeper = AnnotationKeeper(viewer, session, self.annotations, self._say)
        self.saver = AutoSaver(session, self.annotations)
        self.keeper.read.connect(self.saver.take_as_saved)
        self.keeper.leaving.connect(self.saver.leave)
        self.keeper.left_movie.connect(self.saver.set_aside)
        self.keeper.came_back.connect(self.saver.take_back)
        self.keeper.exported.connect(self.saver.note_saved)
        self.held_out: HeldOutCells | None = None
        self._users = 0

    def set_held_out(self, found: HeldOutCells | None) -> None:
        """Take over what held-out heads of a training say."""
        if found != self.held_out:
            self.held_out = found
            self.held_out_changed.emit(found)

    def _say(self, text: str, is_fault: bool = False) -> None:
        self.said.emit(text, is_fault)

    def join(self) -> None:
        """Begin to use it; the first one reads the layer that is there."""
        self._users += 1
        if self._users == 1:
            self.saver.start()
            self.keeper.start()
            if not self.annotations.classes:
                self.annotations.start_with(*FIRST_CLASSES)

    def leave(self) -> None:
        """End to use it; the last one ends annotating and leaves the layer as it is."""
        self._users -= 1
        if self._users == 0:
            self.annotator.stop()
            self.saver.stop()
            self.keeper.stop()

    def restore(self, left: LeftAnnotations) -> str:
        """Put annotations in that were left unsaved; returns a sentence to show.

        Raises
        ------
        InvalidInput
            If there are no cells, or there are annotations already.
        """
        told = self.keeper.restore(left)
        if self.saver.note_restored():
            discard(left)
        return told


_shared: weakref.WeakKeyDictionary[Session, weakref.ref[Annotating]] = weakref.WeakKeyDictionary()


def annotating_of(viewer: Any, session: Session) -> Annotating:
    """Return what the docks of a viewer share; whoever asks holds on to it, and joins it."""
    known = _shared.get(session)
    found = None if known is None else known()
    if found is None:
        found = Annotating(viewer, session)
        _shared[session] = weakref.ref(found)
    return found


def set_annotations_aside(viewer: Any, session: Session) -> None:
    """Set the annotations of a viewer aside, before those of a saved session are put in."""
    known = _shared.get(session)
    found = None if known is None else known()
    if found is not None:
        found.keeper.set_aside()
    layer = find_annotations(viewer)
    if layer is not None and len(layer.data):
        set_aside(layer)
    elif layer is not None:
        viewer.layers.remove(layer)


def note_annotations_saved(session: Session, marks: Iterable[Mark]) -> None:
    """Annotations of a viewer were saved with its session: they are not offered again."""
    known = _shared.get(session)
    found = None if known is None else known()
    if found is not None:
        found.saver.note_saved()
    else:
        note_saved_without_docks(session, marks)
