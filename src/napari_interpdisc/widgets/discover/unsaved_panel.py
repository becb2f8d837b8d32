"""The line of the Discover widget that offers annotations of a window that was closed."""

from __future__ import annotations

from typing import Any

from napari.layers import Image
from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_interpdisc._types import Progress
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.widgets.canvas.compat import unwrapped
from napari_interpdisc.widgets.canvas.image_identity import identify
from napari_interpdisc.widgets.discover.annotating import Annotating
from napari_interpdisc.widgets.discover.unsaved import (
    LeftAnnotations,
    discard,
    find_left,
    left_files,
)
from napari_interpdisc.widgets.parts.controls import button
from napari_interpdisc.widgets.parts.links import connect_while_alive
from napari_interpdisc.widgets.parts.workers import Work
from napari_interpdisc.widgets.session import Session

Found = tuple[list[LeftAnnotations], list[str]]


class UnsavedPanel(QWidget):  # type: ignore[misc]
    """Offers what was left unsaved of an image that is open, while nothing is annotated.

    It looks for files by the shape of the images, and reads pixels, on a thread, only if there is
    one. Without an offer it takes no room. Nothing is put in unless *Restore* is pressed.

    Signals
    -------
    said
        One sentence, and whether it is a fault.

    Attributes
    ----------
    offered
        What is offered, or None.
    """

    said = Signal(str, bool)

    def __init__(self, viewer: Any, session: Session, shared: Annotating) -> None:
        super().__init__()
        self._viewer, self._session = unwrapped(viewer), session
        self._shared = shared
        self.offered: LeftAnnotations | None = None
        self.work = Work(self)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(0)
        self._soon.timeout.connect(self.look)
        self.told = QLabel()
        self.told.setWordWrap(True)
        self.told.setTextFormat(Qt.TextFormat.PlainText)  # names of images may look like HTML
        self.told.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.told.setToolTip(
            "The window was closed, or the layer removed, before they were written by 'Save "
            "annotations' or saved in a session. They are kept for 30 days."
        )
        self.restore_button = button("Restore", self.restore, "Run Cells first.")
        self.discard_button = button("Discard", self.discard, "Delete them for good.")
        buttons = QHBoxLayout()
        buttons.addWidget(self.restore_button)
        buttons.addWidget(self.discard_button)
        buttons.addStretch()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.told)
        layout.addLayout(buttons)
        self.setVisible(False)
        events = self._viewer.layers.events
        connect_while_alive(
            self,
            (events.inserted, self._look_soon),
            (events.removed, self._look_soon),
            (session.encoding_changed, self._look_soon),
            (shared.annotations.changed, self._annotated),
        )
        self._look_soon()

    def _look_soon(self, *_: Any) -> None:
        self._soon.start()

    def _annotated(self) -> None:
        if bool(self._shared.annotations.marks) == (self.offered is not None):
            self._look_soon()

    def _images(self) -> list[Any]:
        """Layers whose annotations could be put in: the one that cells are of, or all images."""
        if self._session.image is not None:
            return [self._session.image]
        return [layer for layer in self._viewer.layers if isinstance(layer, Image)]

    def look(self) -> None:
        """Look for files of the images that are open, and offer the newest."""
        if self._shared.annotations.marks:
            self._offer(None)
            return
        images = self._images()
        datas = [layer.data[0] if layer.multiscale else layer.data for layer in images]
        if not left_files(data.shape for data in datas):
            self._offer(None)
            return

        def find(progress: Progress) -> Found:
            return find_left([identify(layer) for layer in images])

        self.work.start(find, self._take, lambda why: self.said.emit(why, True))

    def _take(self, found: Found) -> None:
        left, faults = found
        for fault in faults:
            self.said.emit(fault, True)
        self._offer(left[0] if left and not self._shared.annotations.marks else None)

    def _offer(self, left: LeftAnnotations | None) -> None:
        self.offered = left
        if left is not None:
            has = self._session.encoding is not None
            self.told.setText(left.sentence() + ("" if has else " Run Cells to restore them."))
            self.restore_button.setEnabled(has)
            self.restore_button.setToolTip(
                "Give each of its cells its class again; Undo takes that back."
                if has
                else "Run the Cells widget first: annotations belong to cells."
            )
        self.setVisible(left is not None)

    def restore(self) -> None:
        """Put in what is offered."""
        left = self.offered
        if left is None:
            return
        try:
            told = self._shared.restore(left)
        except InvalidInput as fault:
            self.said.emit(str(fault), True)
        else:
            self._offer(None)
            self.said.emit(told, False)

    def discard(self) -> None:
        """Delete what is offered."""
        if self.offered is not None:
            discard(self.offered)
            self._offer(None)
            self._look_soon()
