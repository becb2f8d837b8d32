"""A small form that asks which columns of a table are which, and in what units."""

from __future__ import annotations

import re
from collections.abc import Sequence

from qtpy.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFormLayout,
    QLabel,
    QWidget,
)

from napari_interpdisc.io.columns import Asked, Movie
from napari_interpdisc.io.dialects import ROLES

AS_FOUND = "as the table tells"
NO_COLUMN = "none"

LABELS = {
    "t": "Time (frame)",
    "y": "y",
    "x": "x",
    "z": "z",
    "track_id": "Track",
    "parent": "Parent track",
}


FIELDS = {
    "--first-frame": "First frame",
    "--unit": "Unit of positions",
    "--pixel-size": "Pixel size (µm)",
    "--frame-interval": "Frame interval (s)",
}
"""Fields by the options of the command line that say the same."""


def in_words_of_the_form(reason: str) -> str:
    """Sentence that names options of the command line, with the fields of the form in their place.

    >>> in_words_of_the_form("say which is time: --columns t=Slice, or give --first-frame 1.")
    "say which is time: 'Time (frame)' Slice, or give 'First frame' 1."
    """
    example = r"(, such as (\w+=[^\s,()]*[^\s,().],?)+)?"
    text = re.sub(rf" with --columns{example}(?=[\s.,;(]|$)", " below", reason)
    text = re.sub(r"--columns (\w+)=", lambda m: f"'{LABELS.get(m[1], m[1])}' ", text)
    text = text.replace(", which --columns names", "")
    for option, field in FIELDS.items():
        text = text.replace(option, f"'{field}'")
    return text


class ColumnsForm(QDialog):  # type: ignore[misc]
    """Choose the columns of a table that is not understood; says what ``--columns`` says.

    Attributes
    ----------
    columns
        A combo box for each role.
    first_frame, unit
        Combo boxes; their first entry leaves it to the table.
    pixel_size, frame_interval
        Numbers; 0 leaves it to the image, and shows what that says.
    """

    def __init__(
        self,
        columns: Sequence[str],
        reason: str,
        parent: QWidget | None = None,
        movie: Movie | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Which columns?")
        why = QLabel(in_words_of_the_form(reason))
        why.setWordWrap(True)
        form = QFormLayout(self)
        form.addRow(why)
        self.columns = {role: self._box(AS_FOUND, NO_COLUMN, *columns) for role in ROLES}
        for role, box in self.columns.items():
            box.setToolTip(f"The column of the table that holds: {LABELS[role]}.")
            form.addRow(LABELS[role], box)
        self.first_frame = self._box(AS_FOUND, "0", "1")
        self.first_frame.setToolTip("Number of the first frame in the table.")
        self.unit = self._box(AS_FOUND, "px", "um")
        self.unit.setToolTip("Unit of y and x in the table.")
        size = None if movie is None or movie.pixel_size is None else movie.pixel_size[0]
        interval = None if movie is None else movie.frame_interval
        self.pixel_size = self._number("µm per pixel, for positions in µm.", size)
        self.frame_interval = self._number("Seconds between frames, for times in s.", interval)
        form.addRow("First frame", self.first_frame)
        form.addRow("Unit of positions", self.unit)
        form.addRow("Pixel size (µm)", self.pixel_size)
        form.addRow("Frame interval (s)", self.frame_interval)
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        form.addRow(buttons)

    def asked(self) -> Asked:
        """What was chosen.

        Raises
        ------
        InvalidInput
            If it cannot be.
        """
        chosen = {role: box.currentIndex() for role, box in self.columns.items()}
        names = {
            # the second entry is: no column
            role: "" if index == 1 else self.columns[role].currentText()
            for role, index in chosen.items()
            if index
        }
        first = self.first_frame.currentIndex()
        return Asked(
            names,
            first - 1 if first else None,
            self.unit.currentText() if self.unit.currentIndex() else "",
            self.pixel_size.value() or None,
            self.frame_interval.value() or None,
        )

    @staticmethod
    def _box(*texts: str) -> QComboBox:
        box = QComboBox()
        box.addItems(texts)
        return box

    @staticmethod
    def _number(tooltip: str, of_image: float | None) -> QDoubleSpinBox:
        box = QDoubleSpinBox()
        box.setRange(0, 1e6)
        box.setDecimals(4)
        box.setSpecialValueText(
            "not known" if of_image is None else f"{of_image:.4g}, of the image"
        )
        box.setToolTip(tooltip)
        return box
