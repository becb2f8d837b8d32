"""The form of the Anatomy dock: which part of a head is drawn, and over which of its inputs."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFormLayout,
    QListWidget,
    QListWidgetItem,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_interpdisc.scrutiny.anatomy_parts import Part
from napari_interpdisc.widgets.parts.rule_view import readable

ROWS = 5
"""Parts that are seen at once; of more, the list scrolls."""


class ChoicePanel(QWidget):  # type: ignore[misc]
    """A list of parts, and two boxes for the axes.

    Signals
    -------
    part_chosen
        A part that the user picked in the list.
    axes_chosen
        Positions (x, y) of the inputs that the user picked.

    Attributes
    ----------
    parts
        The parts in the list, in order.
    """

    part_chosen = Signal(object)
    axes_chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[Part] = []
        self.list = QListWidget()
        self.list.setToolTip("Parts of the head. Click one to draw it.")
        self.list.setAccessibleName("Parts of the head")
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.list.currentRowChanged.connect(self._chosen)
        self.x, self.y = QComboBox(), QComboBox()
        for box, side in ((self.x, "to the right"), (self.y, "upwards")):
            box.setToolTip(
                f"The input that grows {side}. All others keep the values of the selected cell."
            )
            box.setAccessibleName(f"Input that grows {side}")
            box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            box.setMinimumContentsLength(6)
            box.setSizeAdjustPolicy(box.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.activated.connect(self._axes_chosen)
        self.axes = QWidget()
        # below each other: names of latents are long, and their ends tell them apart
        form = QFormLayout(self.axes)
        form.setContentsMargins(0, 0, 0, 0)
        form.setVerticalSpacing(4)
        for text, box in (("over", self.x), ("and", self.y)):
            form.addRow(text, box)
            form.labelForField(box).setToolTip("The inputs that the picture is drawn over.")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.list)
        layout.addWidget(self.axes)

    def show_parts(self, parts: Sequence[Part]) -> None:
        """List parts; none is chosen."""
        self.parts = list(parts)
        with QSignalBlocker(self.list):
            self.list.clear()
            for part in self.parts:
                item = QListWidgetItem(f"{part.name}: {readable(part.about)}")
                inputs = ", ".join(one.label for one in part.inputs) or "nothing: it is a constant"
                item.setToolTip(f"{item.text()}\nreads {inputs}")
                self.list.addItem(item)
            self.list.setCurrentRow(-1)
        height = self.list.sizeHintForRow(0) if self.parts else self.fontMetrics().height()
        self.list.setFixedHeight(height * max(min(len(self.parts), ROWS), 1) + 6)

    def show_chosen(self, part: Part | None, axes: Sequence[int] = ()) -> None:
        """Mark a part, if it is in the list, and the inputs that it is drawn over."""
        with QSignalBlocker(self.list):
            self.list.setCurrentRow(self.parts.index(part) if part in self.parts else -1)
        inputs = () if part is None else part.inputs
        self.axes.setVisible(len(axes) == 2)
        for k, box in enumerate((self.x, self.y)):
            with QSignalBlocker(box):
                box.clear()
                box.addItems([one.label for one in inputs])
                if len(axes) == 2:
                    box.setCurrentIndex(axes[k])

    def _chosen(self, at: int) -> None:
        if 0 <= at < len(self.parts):
            self.part_chosen.emit(self.parts[at])

    def _axes_chosen(self, *_: object) -> None:
        """Two different inputs: the one that is taken twice gives way."""
        x, y = self.x.currentIndex(), self.y.currentIndex()
        if x == y:
            other = self.y if self.sender() is self.x else self.x
            taken = next(i for i in range(other.count()) if i != x)
            with QSignalBlocker(other):
                other.setCurrentIndex(taken)
            x, y = self.x.currentIndex(), self.y.currentIndex()
        self.axes_chosen.emit((x, y))
