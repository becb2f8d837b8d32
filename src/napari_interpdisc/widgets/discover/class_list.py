"""The list of classes: colour, key, name, how many cells and tracks have each."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QButtonGroup,
    QGridLayout,
    QLabel,
    QLineEdit,
    QRadioButton,
    QToolButton,
    QWidget,
)

from napari_interpdisc.figures.palette import class_colors
from napari_interpdisc.widgets.discover.annotations import KEYS
from napari_interpdisc.widgets.parts.controls import swatch


class ClassList(QWidget):  # type: ignore[misc]
    """One row per class; one of them is chosen.

    Signals
    -------
    chosen, removal_asked
        Name of a class.
    renamed
        Old and new name; the row shows the new one until :meth:`show_classes` is called.
    """

    chosen = Signal(str)
    renamed = Signal(str, str)
    removal_asked = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setColumnStretch(3, 1)
        self._group = QButtonGroup(self)
        self._classes: tuple[str, ...] = ()
        self.radios: list[QRadioButton] = []
        self.names: list[QLineEdit] = []
        self.counts: list[tuple[QLabel, QLabel]] = []
        self.removers: list[QToolButton] = []
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setToolTip("The classes. A click gives a cell the marked one.")

    def show_classes(
        self, classes: tuple[str, ...], counts: dict[str, tuple[int, int]], chosen: str | None
    ) -> None:
        """Show classes with their numbers of cells and tracks."""
        if classes != self._classes:
            self._fill(classes)
        for k, name in enumerate(classes):
            if self.names[k].text() != name and not self.names[k].hasFocus():
                self.names[k].setText(name)
            for label, number in zip(self.counts[k], counts[name], strict=True):
                label.setText(str(number))
            self.radios[k].setChecked(name == chosen)

    def reset_names(self) -> None:
        """Show the names as they are, after a renaming that was refused."""
        for field, name in zip(self.names, self._classes, strict=True):
            field.setText(name)

    def _fill(self, classes: tuple[str, ...]) -> None:
        while self._grid.count():
            item = self._grid.takeAt(0).widget()
            if item is not None:
                item.hide()
                item.deleteLater()
        self.radios, self.names, self.counts, self.removers = [], [], [], []
        for column, text in ((2, "key"), (4, "cells"), (5, "tracks")):
            self._grid.addWidget(QLabel(text), 0, column, Qt.AlignmentFlag.AlignRight)
        colors = class_colors(classes)
        for k, name in enumerate(classes):
            self._add_row(k, name, colors[name])
        self._classes = classes

    def _add_row(self, k: int, name: str, color: tuple[float, ...]) -> None:
        radio = QRadioButton()
        radio.setToolTip(
            f"Give '{name}' to the cells that are clicked; while annotating, to the chosen cells "
            "at once."
        )
        radio.clicked.connect(lambda *_: self.chosen.emit(name))
        self._group.addButton(radio)
        key = QLabel(str(k + 1) if k < KEYS else "")
        key.setToolTip(
            "While annotating: press this key to give the class to the chosen cells, or else to "
            "the cell with the dashed ring."
        )
        field = QLineEdit(name)
        field.setToolTip("Name of the class; press Enter to rename it.")
        field.editingFinished.connect(lambda: self._edited(field, name))
        # digits annotate: they must not be typed into a name that Tab or Enter left at hand
        field.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        field.returnPressed.connect(self.setFocus)
        numbers = QLabel("0"), QLabel("0")
        numbers[0].setToolTip("Number of annotated cells of this class")
        numbers[1].setToolTip("Number of tracks that they are on")
        remove = QToolButton()
        remove.setText("✕")
        remove.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # Space must not remove a class
        remove.setToolTip(f"Remove '{name}' and its annotations; this can be undone.")
        remove.clicked.connect(lambda *_: self.removal_asked.emit(name))
        right = Qt.AlignmentFlag.AlignRight
        for column, (widget, side) in enumerate(
            (
                (radio, Qt.AlignmentFlag.AlignLeft),
                (swatch(color), Qt.AlignmentFlag.AlignLeft),
                (key, right),
                (field, None),
                (numbers[0], right),
                (numbers[1], right),
                (remove, right),
            )
        ):
            if side is None:
                self._grid.addWidget(widget, k + 1, column)
            else:
                self._grid.addWidget(widget, k + 1, column, side | Qt.AlignmentFlag.AlignVCenter)
        self.radios.append(radio)
        self.names.append(field)
        self.counts.append(numbers)
        self.removers.append(remove)

    def _edited(self, field: QLineEdit, old: str) -> None:
        if field.text() != old and field in self.names:
            self.renamed.emit(old, field.text())
