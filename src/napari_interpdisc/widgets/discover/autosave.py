"""Writes what is annotated to the disk half a second later, until it is saved. No Qt here."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from threading import Lock, Timer
from typing import Any

from napari.utils.notifications import show_warning

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.widgets.canvas.image_identity import ImageIdentity, identify
from napari_interpdisc.widgets.discover.annotations import Annotations, Mark
from napari_interpdisc.widgets.discover.unsaved import (
    Place,
    UnsavedFile,
    check_folder,
    places,
)
from napari_interpdisc.widgets.session import Session

DELAY = 0.5
"""Seconds from a change to its file: what a process that is killed may lose."""

_files: weakref.WeakKeyDictionary[Session, UnsavedFile] = weakref.WeakKeyDictionary()
"""The file of each viewer: it goes on when the last dock is closed and another one opens."""

_aside: weakref.WeakKeyDictionary[Session, dict[str, tuple[UnsavedFile, frozenset[Place]]]] = (
    weakref.WeakKeyDictionary()
)
"""Files of annotations that were set aside, and what of them was saved, by mark of the image."""

_told: set[str] = set()


class AutoSaver:
    """Keeps unsaved annotations of one viewer on the disk.

    A change is written by a thread that ends with it, so that nobody waits for the disk. The thread
    is no daemon: a process that ends writes before.

    Parameters
    ----------
    session, annotations
        What they are of, and what is kept.
    tell
        Told one sentence if the disk takes nothing; once a process.
    """

    def __init__(
        self,
        session: Session,
        annotations: Annotations,
        tell: Callable[[str], object] = show_warning,
    ) -> None:
        self._session, self._annotations, self._tell = session, annotations, tell
        self._lock = Lock()
        self._timer: Timer | None = None
        self._is_pending = False
        self._file = _files.setdefault(session, UnsavedFile())
        self._saved = places(())
        self._restored = False
        self._is_checked = False
        self._fault: str | None = None
        self._identity: tuple[weakref.ref[Any], Any, ImageIdentity] | None = None
        self._image_layer: Any = None

    def start(self) -> None:
        """Begin to follow changes."""
        self._annotations.changed.connect(self._changed)

    def stop(self) -> None:
        """Write what is not written, and leave it to whoever opens the image next."""
        self._annotations.changed.disconnect(self._changed, missing_ok=True)
        self.leave()

    def leave(self) -> None:
        """Write what is not written, and let it be offered: its layer goes, or the window."""
        self._cancel()
        with self._lock:
            self._write()
            self._file.leave()
        self._tell_fault()

    def set_aside(self, key: str) -> None:
        """Write what is not written, and let it be offered: its image is not the present one."""
        self.leave()
        with self._lock:
            _aside.setdefault(self._session, {})[key] = (self._file, self._saved)
            self._begin(UnsavedFile(), places(()))

    def take_back(self, key: str) -> None:
        """Go on with the file of annotations that were set aside."""
        self._cancel()
        with self._lock:
            known = _aside.get(self._session, {}).pop(key, None)
            self._begin(*known if known is not None else (UnsavedFile(), places(())))

    def _begin(self, file: UnsavedFile, saved: frozenset[Place]) -> None:
        self._file = _files[self._session] = file
        self._saved, self._restored, self._image_layer = saved, False, None

    def take_as_saved(self) -> None:
        """Annotations were read from a layer; what is not in our file was saved elsewhere."""
        now = places(self._annotations.marks)
        if self._file.path is None or self._file.places != now:
            self._cancel()
            self._saved = now

    def note_saved(self) -> None:
        """Annotations were saved: they need no file."""
        self._cancel()
        with self._lock:
            self._saved, self._restored = places(self._annotations.marks), False
            self._file.remove(self._saved)

    def note_restored(self) -> bool:
        """Annotations were restored: keep them anew at once; whether they are on the disk."""
        self._restored = True
        return self.flush()

    def flush(self) -> bool:
        """Write now; whether all that is unsaved is on the disk."""
        self._cancel()
        with self._lock:
            written = self._write()
        self._tell_fault()
        return written

    def _changed(self) -> None:
        self._tell_fault()
        if self._session.image is not None:
            self._image_layer = self._session.image
        if not self._annotations.marks:
            self._cancel()
            self._image_layer = None
            with self._lock:
                if self._restored:  # whoever undoes a restoration may think again
                    self._file.leave()
                else:  # taken away one by one
                    self._file.remove()
            self._restored = False
        elif not self._is_pending:
            self._check()
            self._is_pending = True
            # not put off by further changes: those are written with it
            self._timer = Timer(DELAY, self._later)
            self._timer.name = "interpdisc-autosave"
            self._timer.start()

    def _cancel(self) -> None:
        self._is_pending = False
        if self._timer is not None:
            self._timer.cancel()

    def _later(self) -> None:
        with self._lock:
            if self._is_pending:  # else it was written, or left, while this waited
                self._is_pending = False
                self._write()

    def _write(self) -> bool:
        """Write what is unsaved; whether it is on the disk."""
        layer, self._image_layer = self._image_layer, None  # held no longer than needed
        marks, classes = self._annotations.marks, self._annotations.classes
        now = places(marks)
        if not now:
            return True
        if now == self._saved:
            self._file.remove(now)
            return True
        image = self._identified(layer)
        if image is None:
            return False
        try:
            if not self._file.has(image, classes, marks):
                self._file.write(image, classes, marks)
        except InvalidInput as fault:
            self._fault = str(fault)
            return False
        return True

    def _identified(self, layer: Any) -> ImageIdentity | None:
        """What the image is recognised by that the last change was made on; as before if None.

        The present one may be another already, whose annotations these are not.
        """
        if layer is None:
            return None if self._identity is None else self._identity[2]
        data = layer.data
        if self._identity is not None:
            known, of, identity = self._identity
            if known() is layer and of() is data:
                return identity
        identity = identify(layer)
        self._identity = (weakref.ref(layer), _held(data), identity)
        return identity

    def _check(self) -> None:
        """Try the folder before the first annotation is to be kept there."""
        if not self._is_checked:
            self._is_checked = True
            try:
                check_folder()
            except InvalidInput as fault:
                self._fault = str(fault)
                self._tell_fault()

    def _tell_fault(self) -> None:
        fault, self._fault = self._fault, None
        if fault is not None and "told" not in _told:
            _told.add("told")
            self._tell(
                f"Annotations are not kept if the window closes before you save them: {fault}"
            )


def note_saved_without_docks(session: Session, marks: Iterable[Mark]) -> None:
    """Marks were saved after the last dock that annotates was closed."""
    file = _files.get(session)
    if file is not None:
        file.remove(places(marks))


def _held(data: Any) -> Callable[[], Any]:
    """Return a function that gives ``data`` as long as it is there; lazy arrays are held."""
    try:
        return weakref.ref(data)
    except TypeError:
        return lambda: data
