"""The part of the Discover widget that takes annotations over from a layer of the viewer."""

from __future__ import annotations

from typing import Any

from napari.layers import Labels, Points, Tracks
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFormLayout, QWidget

from napari_interpdisc.widgets.canvas.annotation_layer import is_annotations
from napari_interpdisc.widgets.canvas.chosen_marks import is_chosen_marks
from napari_interpdisc.widgets.canvas.compat import unwrapped
from napari_interpdisc.widgets.canvas.flip_marks import is_flip_marks
from napari_interpdisc.widgets.canvas.overlay import is_overlay
from napari_interpdisc.widgets.discover.annotation_import import columns_of
from napari_interpdisc.widgets.parts.controls import button, combo
from napari_interpdisc.widgets.parts.links import connect_while_alive
from napari_interpdisc.widgets.session import Session


class ImportPanel(QWidget):  # type: ignore[misc]
    """Choose a layer and what in it names the classes.

    Signals
    -------
    asked
        The layer, and the column of its features.
    """

    asked = Signal(object, object)

    def __init__(self, viewer: Any, session: Session) -> None:
        super().__init__()
        self._viewer, self._session = unwrapped(viewer), session
        self.layer = combo(
            self._layers,
            "Where the classes are: the cells layer, or points or labels that lie on the cells.",
        )
        self.column = combo(
            self._columns, "The column of the layer's features that names the classes."
        )
        self.take = button(
            "Import",
            lambda: self.asked.emit(self.layer.value, self.column.value),
            "Annotate every cell that has a label there.",
        )
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Layer", self.layer.native)
        form.addRow("Classes from", self.column.native)
        form.addRow(self.take)
        self.layer.changed.connect(self._layer_changed)
        events = self._viewer.layers.events
        connect_while_alive(
            self,
            (events.inserted, self.refresh),
            (events.removed, self.refresh),
            (session.classification_changed, self.refresh),
        )
        self.refresh()

    def refresh(self, _: Any = None) -> None:
        """Offer the layers and columns that are there now."""
        self.layer.reset_choices()
        self._layer_changed()

    def _layer_changed(self, _: Any = None) -> None:
        self.column.reset_choices()
        self.take.setEnabled(self.column.value is not None)

    def _layers(self, _: Any = None) -> list[tuple[str, Any]]:
        own = self._session.cells_layer
        found = [
            layer
            for layer in self._viewer.layers
            if isinstance(layer, Points | Tracks | Labels)
            and not is_overlay(layer)
            and not is_annotations(layer)
            and not is_flip_marks(layer)
            and not is_chosen_marks(layer)
        ]
        found.sort(key=lambda layer: layer is not own)
        return [(layer.name, layer) for layer in found]

    def _columns(self, _: Any = None) -> list[tuple[str, str]]:
        layer = self.layer.value if hasattr(self, "layer") else None
        return [(name, name) for name in columns_of(layer, self._session)]
