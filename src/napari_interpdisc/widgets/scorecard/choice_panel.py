"""The part of the Scorecard widget that says which heads are tested, and on which cells."""

from __future__ import annotations

from typing import Any

from napari.layers import Labels
from qtpy.QtCore import Qt
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFormLayout,
    QListWidget,
    QListWidgetItem,
    QSpinBox,
    QWidget,
)

from napari_interpdisc.widgets.canvas.compat import unwrapped
from napari_interpdisc.widgets.canvas.overlay import is_overlay
from napari_interpdisc.widgets.canvas.picking import frame_shown
from napari_interpdisc.widgets.parts.controls import combo
from napari_interpdisc.widgets.parts.links import connect_while_alive
from napari_interpdisc.widgets.scorecard.run import Asked
from napari_interpdisc.widgets.session import Session

BUILT_IN = "built-in segmentation"

MOST = 500
"""Cells that are drawn at first: half a minute for each head."""

SHOWN_HEADS = 4
"""Heads that the list shows without scrolling."""


class ChoicePanel(QWidget):  # type: ignore[misc]
    """Heads of the session's model, segmentation, cells and seed.

    Until the user ticks a head, the present one alone is ticked.

    Parameters
    ----------
    viewer, session
        Where layers, frame and model are read.
    """

    def __init__(self, viewer: Any, session: Session) -> None:
        super().__init__()
        self._viewer, self._session = unwrapped(viewer), session
        self._was_ticked = False
        self._build()
        events = self._viewer.layers.events
        connect_while_alive(
            self,
            (events.inserted, self._layer_inserted),
            (events.removed, self._layers_changed),
            (events.reordered, self._layers_changed),
            *((layer.events.name, self._layers_changed) for layer in self._viewer.layers),
            (session.model_changed, self.show_heads),
            (session.classification_changed, self.show_heads),
            (session.encoding_changed, self._follow_segmentation),
        )
        self._follow_segmentation()

    def _build(self) -> None:
        self.heads = QListWidget()
        self.heads.setToolTip("Heads of the model to test. Tick one or several.")
        self.heads.setAccessibleName("Heads to test")
        self.heads.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.heads.itemChanged.connect(self._ticked)
        self.labels = combo(
            self._segmentations,
            "Labels of the nuclei, with the pixels of the image. Without them, nuclei are "
            "segmented in each crop.",
        )
        self.which = QComboBox()
        self.which.setToolTip(
            "Cells to test. A hundred take about six seconds for each head, so that all cells of "
            "a long movie take long."
        )
        self.which.addItem("Drawn at random", "random")
        self.which.addItem("All cells", "all")
        self.which.addItem("All cells of this frame", "frame")
        self.which.currentIndexChanged.connect(self._which_changed)
        self.most = QSpinBox()
        self.most.setRange(2, 99_999)
        self.most.setValue(MOST)
        self.most.setToolTip("Number of cells that are drawn, if there are more.")
        self.seed = QSpinBox()
        self.seed.setRange(0, 2**31 - 1)
        self.seed.setToolTip(
            "The same seed draws the same cells, and makes the same noise and surroundings."
        )
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for text, field in (
            ("Heads", self.heads),
            ("Segmentation", self.labels.native),
            ("Cells", self.which),
            ("At most", self.most),
            ("Seed", self.seed),
        ):
            form.addRow(text, field)
            form.labelForField(field).setToolTip(field.toolTip())

    def asked(self) -> Asked:
        """What the form says now."""
        return Asked(
            heads=tuple(self.ticked()),
            labels=self.labels.value,
            which=self.which.currentData(),
            most=self.most.value(),
            seed=self.seed.value(),
            frame=frame_shown(self._viewer, self._session),
        )

    def ticked(self) -> list[str]:
        """Names of the heads that are ticked."""
        items = (self.heads.item(i) for i in range(self.heads.count()))
        return [item.text() for item in items if item.checkState() == Qt.CheckState.Checked]

    def tick(self, name: str, on: bool = True) -> None:
        """Tick a head, as the user does, or take its tick away."""
        item = self.heads.findItems(name, Qt.MatchFlag.MatchExactly)[0]
        item.setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)

    def show_heads(self, *_: Any) -> None:
        """Offer the heads of the present model; the user's ticks are kept where they can be."""
        model = self._session.model
        present = model.head(self._session.head_name).name
        kept = [name for name in self.ticked() if name in model.heads] if self._was_ticked else []
        wanted = kept or [present]
        self.heads.blockSignals(True)
        self.heads.clear()
        for name, named in model.heads.items():
            item = QListWidgetItem(name)
            item.setFlags(
                Qt.ItemFlag.ItemIsUserCheckable
                | Qt.ItemFlag.ItemIsEnabled
                | Qt.ItemFlag.ItemIsSelectable
            )
            checked = Qt.CheckState.Checked if name in wanted else Qt.CheckState.Unchecked
            item.setCheckState(checked)
            about = f"{named.summary}\n" if named.summary else ""
            item.setToolTip(f"{about}Classes: {', '.join(named.classes)}")
            self.heads.addItem(item)
        self.heads.blockSignals(False)
        self._fit_heads()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 (Qt's name)
        """Measure the list anew: only now it has the font of the theme."""
        super().showEvent(event)
        self._fit_heads()

    def _fit_heads(self) -> None:
        shown = min(self.heads.count(), SHOWN_HEADS)
        height = self.heads.sizeHintForRow(0) * shown + 2 * self.heads.frameWidth()
        self.heads.setFixedHeight(height)

    def _ticked(self, *_: Any) -> None:
        self._was_ticked = True

    def _segmentations(self, _: Any = None) -> list[tuple[str, Any]]:
        layers = [
            layer
            for layer in reversed(list(self._viewer.layers))
            if isinstance(layer, Labels) and not is_overlay(layer)
        ]
        return [(BUILT_IN, None), *((layer.name, layer) for layer in layers)]

    def _follow_segmentation(self, *_: Any) -> None:
        """Take the segmentation that the cells were made with, if there was one."""
        if self._session.labels in self._viewer.layers:
            self.labels.value = self._session.labels

    def _layer_inserted(self, event: Any) -> None:
        connect_while_alive(self, (event.value.events.name, self._layers_changed))
        self._layers_changed()

    def _layers_changed(self, _: Any = None) -> None:
        chosen = self.labels.value
        self.labels.reset_choices()
        if chosen in self._viewer.layers:  # a layer of another name would be another choice
            self.labels.value = chosen

    def _which_changed(self, *_: Any) -> None:
        self.most.setEnabled(self.which.currentData() == "random")
