"""Decoded pictures beside a plot: of the cell as it is edited, and of the place under the mouse."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent
from qtpy.QtWidgets import QGridLayout, QLabel, QWidget

from napari_interpdisc._types import Float64Array
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.widgets.anatomy.part_view import pictures_of
from napari_interpdisc.widgets.canvas.cell_images import grey_limits
from napari_interpdisc.widgets.parts.pictures import PictureView, grey_picture
from napari_interpdisc.widgets.parts.wording import CHANGED_COLOUR, SCORE_HELP, class_of, verdict

SIDE = 72
"""Least side of a picture, px."""

NOTHING = "point at the plot"


class VerdictLine(QWidget):  # type: ignore[misc]
    """One line of text that changes during a drag: unlike a label's, the window is not laid out."""

    def __init__(self) -> None:
        super().__init__()
        self._text, self._marked = "", False
        self.setToolTip(SCORE_HELP)
        self.setFixedHeight(self.fontMetrics().height() + 4)

    def text(self) -> str:
        """What is said."""
        return self._text

    @property
    def is_marked(self) -> bool:
        """Whether it is said in the colour of what is no longer as it was."""
        return self._marked

    def say(self, text: str, marked: bool = False) -> None:
        """Say another text, marked or not."""
        if (text, marked) != (self._text, self._marked):
            self._text, self._marked = text, marked
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 (Qt's name)
        """Write the text in the middle."""
        painter = QPainter(self)
        font = painter.font()
        font.setBold(self._marked)
        painter.setFont(font)
        ink = self.palette().windowText().color()
        painter.setPen(QColor(CHANGED_COLOUR) if self._marked else ink)
        painter.drawText(self.rect(), int(Qt.AlignmentFlag.AlignCenter), self._text)
        painter.end()


class PicturesPanel(QWidget):  # type: ignore[misc]
    """Pictures, local contrast and scores of two sets of latents.

    All pictures have the same contrast until :meth:`set_limits` is called again.

    Attributes
    ----------
    pictures, grains
        Views of the picture and of its local contrast: of the cell, and under the mouse.
    told
        Class and score of both.
    """

    def __init__(self) -> None:
        super().__init__()
        self._model: CellModel | None = None
        self._head: str | None = None
        self._limits = self._grain_limits = (0.0, 1.0)
        captions = ("the cell as it is set", "under the pointer")
        self.pictures = [PictureView("picture", f"Decoded: {one}.", SIDE) for one in captions]
        self.grains = [
            PictureView(
                "local contrast",
                f"How much fine structure there is: {one}. The picture is too smooth to show it.",
                SIDE,
            )
            for one in captions
        ]
        self.told = [VerdictLine(), VerdictLine()]
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(3)
        for k, caption in enumerate(captions):
            title = QLabel(caption)
            title.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            title.setToolTip(self.pictures[k].toolTip())
            grid.addWidget(title, 0, 2 * k, 1, 2)
            grid.addWidget(self.pictures[k], 1, 2 * k)
            grid.addWidget(self.grains[k], 1, 2 * k + 1)
            grid.addWidget(self.told[k], 2, 2 * k, 1, 2)
        self.setToolTip("What the latents decode to, and how the head scores it.")

    def set_model(self, model: CellModel, head: str) -> None:
        """Decode with a model, and score with one of its heads."""
        self._model, self._head = model, head
        for view in self.grains:
            view.setVisible(model.has_texture)

    def set_limits(self, latents: Float64Array) -> None:
        """Take the contrast that latents (n, L), all that can be seen, need."""
        assert self._model is not None
        pictures, grain = pictures_of(self._model, latents)
        self._limits = grey_limits(pictures)
        if grain is not None:
            self._grain_limits = grey_limits(grain)

    def show_cell(self, latents: npt.ArrayLike, own: npt.ArrayLike | None = None) -> None:
        """Show the cell with latents (L,); the class is marked if it is not that of ``own``."""
        self._show(0, np.asarray(latents), None if own is None else np.asarray(own))

    def show_pointed(self, latents: Float64Array | None) -> None:
        """Show what is under the mouse, or nothing."""
        if latents is None:
            self._clear(1, NOTHING)
        else:
            self._show(1, latents, None)

    def _show(self, k: int, latents: npt.NDArray[np.floating], own: Float64Array | None) -> None:
        assert self._model is not None
        assert self._head is not None
        pictures, grain = pictures_of(self._model, latents[None])
        self.pictures[k].show_picture(grey_picture(pictures[0], self._limits))
        if grain is not None:
            self.grains[k].show_picture(grey_picture(grain[0], self._grain_limits))
        classes = self._model.head(self._head).classes
        both = latents[None] if own is None else np.stack([latents, own])
        scores = self._model.score(both, self._head)
        changed = own is not None and class_of(classes, scores[0]) != class_of(classes, scores[1])
        self.told[k].say(verdict(classes, scores[0]), changed)

    def clear(self) -> None:
        """Show nothing."""
        for k in range(2):
            self._clear(k, "")

    def _clear(self, k: int, said: str) -> None:
        self.pictures[k].show_picture(None)
        self.grains[k].show_picture(None)
        self.told[k].say(said)
