"""The part of the Discover widget that says what is trained, and starts and stops it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.widgets.discover.run import engine_faults
from napari_interpdisc.widgets.parts.controls import WorkBar, button, folded, row

if TYPE_CHECKING:
    from napari_interpdisc.discovery.recipe import Recipe

KINDS = {
    "dense": "A small network on all latents: the reference for accuracy",
    "sparse": "A network with few connections on few latents",
    "formula": "A short formula, searched on the latents that sparse heads use",
}
READS = {
    "latents": (True, False),
    "latents and measured properties": (True, True),
    "measured properties": (False, True),
}
"""Whether heads read latents, and measured properties, by what it is called."""

ENGINES = {"pysr": "PySR", "operon": "Operon"}


class TrainPanel(QWidget):  # type: ignore[misc]
    """Kinds of heads, search engine, folds and seed; *Train*, *Cancel*, progress.

    Signals
    -------
    train, cancel
        The buttons.
    """

    train = Signal()
    cancel = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.kinds = {kind: QCheckBox(kind) for kind in KINDS}
        boxes = QHBoxLayout()
        for kind, box in self.kinds.items():
            box.setChecked(True)
            box.setToolTip(KINDS[kind])
            box.toggled.connect(self._show_engine)
            boxes.addWidget(box)
        boxes.addStretch()
        self._faults = engine_faults()
        self.engine = QComboBox()
        for name, fault in self._faults.items():
            self.engine.addItem(ENGINES.get(name, name), name)
            last = self.engine.count() - 1
            tip = fault or f"{ENGINES.get(name, name)} can be used."
            self.engine.setItemData(last, tip, Qt.ItemDataRole.ToolTipRole)
        self.engine.setToolTip("The program that searches formulas.")
        usable = [name for name, fault in self._faults.items() if fault is None]
        self.engine.setCurrentIndex(self.engine.findData(usable[0]) if usable else 0)
        self.engine.currentIndexChanged.connect(self._show_engine)
        self.reads = QComboBox()
        for text, what in READS.items():
            self.reads.addItem(text, what)
        self.reads.setToolTip(
            "What heads read of a cell: the encoder's latents, measured properties (size, shape "
            "and grain of the nucleus, in the segmentation if there is one), or both."
        )
        self.engine_note = QLabel()
        self.engine_note.setWordWrap(True)
        self.folds = self._number(
            5, 2, 50, "Folds of the cross-validation. Each is held out once for testing."
        )
        self.seed = self._number(
            0, 0, 2**31 - 1, "The same seed and annotations give the same heads."
        )
        self.augmented = self._number(
            24, 0, 500, "Augmented crops of each cell to train on: rotated, shifted and noisy."
        )
        self.curve = QCheckBox("Measure the learning curve")
        self.curve.setChecked(True)
        self.curve.setToolTip(
            "Train on parts of the annotations too. This shows whether more would help."
        )
        self.start = button(
            "Train",
            self.train.emit,
            "Train on the annotated cells, test on held-out tracks, and show the result.",
        )
        self.stop = button(
            "Cancel", self.cancel.emit, "Stop the training. The model does not change."
        )
        self.progress = WorkBar("How much of the training is done.")
        self._lay_out(boxes)
        self.show_running(False)
        self._show_engine()

    def _number(self, value: int, low: int, high: int, tip: str) -> QSpinBox:
        box = QSpinBox()
        box.setRange(low, high)
        box.setValue(value)
        box.setToolTip(tip)
        return box

    def _lay_out(self, boxes: QHBoxLayout) -> None:
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Heads", boxes)
        form.addRow("Heads read", self.reads)
        form.addRow("Search with", self.engine)
        inner = QWidget()
        settings = QFormLayout(inner)
        settings.setContentsMargins(0, 0, 0, 0)
        for text, field in (
            ("Folds", self.folds),
            ("Seed", self.seed),
            ("Augmented crops", self.augmented),
            ("", self.curve),
        ):
            settings.addRow(text, field)
        more = folded("More settings")
        more.addWidget(inner)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(form)
        layout.addWidget(self.engine_note)
        layout.addWidget(more)
        layout.addWidget(row(self.start, self.stop))
        layout.addWidget(self.progress)

    def _show_engine(self, *_: Any) -> None:
        wanted = self.kinds["formula"].isChecked()
        self.engine.setEnabled(wanted)
        name = self.engine.currentData()
        fault = self._faults.get(name)
        first, first_fault = next(iter(self._faults.items()))
        text = fault or ""
        if fault is None and name != first and first_fault is not None:
            reason = first_fault.split(";")[0].rstrip(".")
            text = f"{reason}; {ENGINES[name]} is used."
        self.engine_note.setText(text)
        self.engine_note.setToolTip(first_fault or "")
        self.engine_note.setVisible(wanted and bool(text))

    def settings(self) -> Recipe:
        """What was chosen.

        Raises
        ------
        InvalidInput
            If no kind of head is chosen.
        """
        from napari_interpdisc.discovery.recipe import Recipe
        from napari_interpdisc.discovery.results import KINDS as ALL
        from napari_interpdisc.models.properties import DEFAULT_PROPERTIES
        from napari_interpdisc.symbolic.settings import SearchSettings

        latents, properties = self.reads.currentData()
        kinds = tuple(kind for kind in ALL if self.kinds[kind].isChecked())
        if not kinds:
            raise InvalidInput("Choose at least one kind of head to train.")
        return Recipe(
            kinds=kinds,
            folds=self.folds.value(),
            seed=self.seed.value(),
            augmented=self.augmented.value(),
            curve=self.curve.isChecked(),
            latents=latents,
            properties=DEFAULT_PROPERTIES if properties else (),
            search=SearchSettings(engine=self.engine.currentData()),
        )

    def show_running(self, running: bool) -> None:
        """Say whether work is going on."""
        self.progress.show_running(running)
        self.stop.setEnabled(running)
        self.start.setEnabled(not running)
