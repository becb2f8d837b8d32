"""The part of the Discover widget that says what is trained, and starts and stops it."""

from __future__ import annotations

from time import monotonic
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
    from napari_interpdisc.discovery.stages import StageBegan

BAR = 1000
"""Parts of the bar of a stage."""

KINDS = {
    "dense": "A small network on all latents: the reference for accuracy",
    "sparse": "A network with few connections on few latents",
    "formula": "A short formula, searched on the latents that sparse heads use",
}
READS = {
    "latents": ("all", False),
    "named latents": ("named", False),
    "latents and measured properties": ("all", True),
    "measured properties": ("none", True),
}
"""Which latents heads read, and whether measured properties, by what it is called."""

EFFORTS = {
    "quick": "A first answer: few augmented crops, short searches, no learning curve",
    "thorough": "More augmented crops, longer searches, and the learning curve",
}
ENGINES = {"pysr": "PySR", "operon": "Operon"}


class TrainPanel(QWidget):  # type: ignore[misc]
    """Effort, kinds of heads, search engine, folds and seed; *Train*, *Cancel*, stage, progress.

    Signals
    -------
    train, cancel
        The buttons.
    changed
        A setting that may decide whether there is enough to train on.
    """

    train = Signal()
    cancel = Signal()
    changed = Signal()

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
        self.effort = QComboBox()
        for effort, tip in EFFORTS.items():
            self.effort.addItem(effort, effort)
            last = self.effort.count() - 1
            self.effort.setItemData(last, tip, Qt.ItemDataRole.ToolTipRole)
        self.effort.setToolTip(
            "How much work is done. Both test on the same held-out tracks.\n"
            + "\n".join(f"{name}: {tip}." for name, tip in EFFORTS.items())
        )
        self.effort.currentIndexChanged.connect(self._show_effort)
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
            "What heads read of a cell: the encoder's latents, those with a name alone (rules can "
            "then be read, and may be a little less accurate), measured properties (size, shape "
            "and grain of the nucleus, in the segmentation if there is one), or both."
        )
        self.engine_note = QLabel()
        self.engine_note.setWordWrap(True)
        self.folds = self._number(
            5, 2, 50, "Folds of the cross-validation. Each is held out once for testing."
        )
        self.seed = self._number(
            0,
            0,
            2**31 - 1,
            "The same seed and annotations give the same heads, begun anew or after the same "
            "training.",
        )
        self.augmented = self._number(
            24, 0, 500, "Augmented crops of each cell to train on: rotated, shifted and noisy."
        )
        self.curve = QCheckBox("Measure the learning curve")
        self.curve.setChecked(True)
        self.curve.setToolTip(
            "Train on parts of the annotations too. This shows whether more would help."
        )
        self.again = QCheckBox("Begin with the last training")
        self.again.setChecked(True)
        self.again.setToolTip(
            "Tracks stay in their folds, and formulas of the last training compete with new ones: "
            "each fold begins with those that were found without its held-out tracks."
        )
        self.start = button(
            "Train",
            self.train.emit,
            "Train on the annotated cells, test on held-out tracks, and show the result.",
        )
        self.stop = button(
            "Cancel", self.cancel.emit, "Stop the training. Heads that are ready are kept."
        )
        self.lacking = QLabel()
        self.lacking.setWordWrap(True)
        self.lacking.setTextFormat(Qt.TextFormat.PlainText)  # names of classes may look like HTML
        self.lacking.setVisible(False)
        self.lacking.setToolTip("What the training would say now. It follows the annotations.")
        self.stage = QLabel()
        self.stage.setWordWrap(True)
        self.progress = WorkBar("How much of this stage is done.")
        self._began: tuple[StageBegan, float] | None = None
        self._stages: tuple[str, ...] = ()
        self._lay_out(boxes)
        for box in self.kinds.values():
            box.toggled.connect(self.changed)
        for changed in (self.engine.currentIndexChanged, self.folds.valueChanged):
            changed.connect(self.changed)
        self.show_running(False)
        self._show_engine()
        self._show_effort()

    def _number(self, value: int, low: int, high: int, tip: str) -> QSpinBox:
        box = QSpinBox()
        box.setRange(low, high)
        box.setValue(value)
        box.setToolTip(tip)
        return box

    def _lay_out(self, boxes: QHBoxLayout) -> None:
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Effort", self.effort)
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
            ("", self.again),
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
        layout.addWidget(self.lacking)
        layout.addWidget(self.stage)
        layout.addWidget(self.progress)

    def _show_effort(self, *_: Any) -> None:
        """Fill in what the effort decides among the settings that can be seen."""
        from napari_interpdisc.discovery.effort import EFFORTS as SETTINGS

        chosen = SETTINGS[self.effort.currentData()]
        self.augmented.setValue(chosen.augmented)
        self.curve.setChecked(chosen.curve)

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
        from napari_interpdisc.discovery.effort import with_effort
        from napari_interpdisc.discovery.recipe import Recipe
        from napari_interpdisc.discovery.results import KINDS as ALL
        from napari_interpdisc.models.properties import DEFAULT_PROPERTIES
        from napari_interpdisc.symbolic.settings import SearchSettings

        latents, properties = self.reads.currentData()
        kinds = tuple(kind for kind in ALL if self.kinds[kind].isChecked())
        if not kinds:
            raise InvalidInput("Choose at least one kind of head to train.")
        asked = Recipe(
            kinds=kinds,
            folds=self.folds.value(),
            seed=self.seed.value(),
            latents=latents != "none",
            named=latents == "named",
            properties=DEFAULT_PROPERTIES if properties else (),
            search=SearchSettings(engine=self.engine.currentData()),
        )
        seen = {"augmented": self.augmented.value(), "curve": self.curve.isChecked()}
        return with_effort(asked, self.effort.currentData()).model_copy(update=seen)

    def show_lacking(self, text: str) -> None:
        """Say what is lacking for a training; without a text it takes no room."""
        self.lacking.setText(text)
        self.lacking.setVisible(bool(text))

    def show_stage(self, stage: StageBegan, stages: tuple[str, ...]) -> None:
        """Say which stage has begun, of all those named."""
        self._began, self._stages = (stage, monotonic()), stages
        self.show_progress(stage.first, stage.last)

    def show_progress(self, done: int, n: int) -> None:
        """Move the bar of the stage, and say how long it still takes, where that is known."""
        if self._began is None:
            self.progress.show_progress(done, n)
            return
        from napari_interpdisc.discovery.stages import told_time

        stage, began = self._began
        share = stage.share(done)
        self.progress.show_progress(round(BAR * share), BAR)
        left = told_time(stage.seconds_left(share, monotonic() - began))
        place = self._stages.index(stage.name) + 1 if stage.name in self._stages else 0
        of = f"Stage {place} of {len(self._stages)}: " if place else ""
        self.stage.setText(f"{of}{stage.title}{f', {left}' * bool(left)}")

    def show_running(self, running: bool) -> None:
        """Say whether work is going on."""
        self._began = None
        self.stage.clear()
        self.stage.setVisible(running)
        self.progress.show_running(running)
        self.stop.setEnabled(running)
        self.start.setEnabled(not running)
