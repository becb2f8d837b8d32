"""The part of the Discover widget that keeps annotated cells, to train on several movies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QLabel, QVBoxLayout, QWidget

from napari_interpdisc.widgets.parts.controls import button, row

if TYPE_CHECKING:
    from napari_interpdisc.discovery.movies import LabelledMovie

NOTHING = "Trains on the movie in this window alone."


class KeptPanel(QWidget):  # type: ignore[misc]
    """Which file of kept cells is trained on too, and what is in it.

    Signals
    -------
    keep
        The file to add the annotated cells to.
    opened
        A file of kept cells to train on.
    changed
        Other movies are trained on now.
    """

    keep = Signal()
    opened = Signal(object)
    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.path: Path | None = None
        self.movies: tuple[LabelledMovie, ...] = ()
        self.told = QLabel()
        self.told.setWordWrap(True)
        self.keep_button = button(
            "Keep for training",
            self.keep.emit,
            "Store the annotated cells of this movie in a file: their pictures, classes and "
            "tracks. Then open the next movie. The training uses all movies in the file.",
        )
        self.open_button = button(
            "Open kept …", self._open, "Train on the cells of a file that were kept before, too."
        )
        self.close_button = button(
            "Leave out", self.close_file, "Train on this movie alone. The file stays as it is."
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.told)
        layout.addWidget(row(self.keep_button, self.open_button, self.close_button))
        self.close_file()

    def show_file(self, path: Path, movies: Sequence[LabelledMovie]) -> None:
        """Train on the movies of a file from now on."""
        self.path, self.movies = path, tuple(movies)
        self._show()

    def close_file(self) -> None:
        """Train on the movie in the window alone."""
        self.path, self.movies = None, ()
        self._show()

    def _show(self) -> None:
        text = NOTHING
        if self.path is not None:
            n, cells = len(self.movies), sum(len(movie) for movie in self.movies)
            text = (
                f"Trains on {cells} kept cells of {n} movie{'s' * (n != 1)} too ({self.path.name})."
            )
        self.told.setText(text)
        tips = [f"{movie.name}: {len(movie)} cells" for movie in self.movies]
        self.told.setToolTip("\n".join([str(self.path), *tips]) if self.path else "")
        self.close_button.setEnabled(self.path is not None)
        self.changed.emit()

    def ask(self) -> Path | None:
        """Ask for a file to keep cells in; None if the user thinks better of it."""
        chosen, _ = QFileDialog.getSaveFileName(
            self,
            "Keep the annotated cells in a new file, or add them to one",
            "kept-cells.npz",
            "Kept cells (*.npz)",
            options=QFileDialog.Option.DontConfirmOverwrite,
        )
        return Path(chosen) if chosen else None

    def _open(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(self, "Open kept cells", "", "Kept cells (*.npz)")
        if chosen:
            self.opened.emit(Path(chosen))
