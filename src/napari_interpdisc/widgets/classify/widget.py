"""Dock widget *Classify*: model and head, the legend, the unsure, and a track through time."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QGridLayout,
    QGroupBox,
    QLabel,
    QVBoxLayout,
    QWidget,
)
from superqt import QLabeledDoubleSlider
from superqt.utils import qthrottled

from napari_interpdisc.errors import InterpdiscError
from napari_interpdisc.figures.palette import class_colors
from napari_interpdisc.flags import CUT, FLAG_NAMES, OUT_OF_DISTRIBUTION, flag_name
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.models.store import installed_models, load_model
from napari_interpdisc.number_text import percent
from napari_interpdisc.paint import stripes
from napari_interpdisc.pipeline import UNSURE, unlike_training
from napari_interpdisc.widgets.canvas.compat import unwrapped
from napari_interpdisc.widgets.canvas.overlay import (
    STRIPE_COLOR,
    find_overlay,
    follow_session,
    overlay_values,
    update_overlay,
)
from napari_interpdisc.widgets.canvas.picking import connect_picking, frame_shown
from napari_interpdisc.widgets.parts.controls import SWATCH, StatusLine, button, swatch
from napari_interpdisc.widgets.parts.links import connect_while_alive
from napari_interpdisc.widgets.parts.track_plot import TrackPlot, TrackSeries
from napari_interpdisc.widgets.parts.wording import SCORE_HELP, UNSAVED, verdict
from napari_interpdisc.widgets.session import session_of

NO_CELLS = "No cells yet: run the Cells widget first."
NO_TRACK = "Click a cell in the image to see its score through time."
OPEN_FOLDER = "Open folder …"
THROTTLE_MS = 60
FLAGS = {
    OUT_OF_DISTRIBUTION: "Reconstructed worse, or with latents farther out, than all but "
    "0.5 % of the training data: what the head says of them is a guess.",
    CUT: "The centroid is less than half a nuclear diameter from the edge of the "
    "image: a part of the nucleus may be missing.",
}
"""What cells are hatched for, in the order of the legend."""

UNDER_STRIPES = (0.75, 0.75, 0.75, 1.0)
UNKNOWN = "This model does not say what its training data looked like."


class ClassifyWidget(QWidget):  # type: ignore[misc]
    """Show and steer how the session's cells are classified.

    Choosing a head rescores the cells at once, without going back to the image; choosing another
    model drops them, since its latents are others. The threshold changes what is *shown* as unsure
    and nothing that is stored in the cells layer.
    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self._viewer = unwrapped(napari_viewer)
        self._session = session_of(self._viewer)
        # Name and source of each model that can be chosen; the source is the model once loaded.
        self._models: list[tuple[str, str | Path | CellModel]] = [
            (name, name) for name in installed_models()
        ]
        self._overlay_seen: weakref.ref[Any] | None = None
        self._counts: list[tuple[QLabel, QLabel]] = []
        self._legend_of: tuple[str, ...] | None = None
        self._build()
        session, layers = self._session, self._viewer.layers
        connect_while_alive(
            self,
            (session.model_changed, self._show_model),
            (session.classification_changed, self._show_result),
            (session.selected_changed, self._show_track),
            (session.threshold_changed, self._show_threshold),
            (self._viewer.dims.events.current_step, self._frame_moved),
            (layers.events.inserted, self._show_overlay_state),
            (layers.events.removed, self._show_overlay_state),
        )
        follow_session(self._viewer, session)
        connect_picking(self._viewer, session)
        try:
            self._show_model()
        except InterpdiscError as fault:  # the bundled model is damaged
            self.status.fault(str(fault))

    # -- what it looks like ---------------------------------------------------------------------

    def _build(self) -> None:
        self.model = QComboBox()
        self.model.setToolTip("The trained model: bundled with the plugin, or a model folder.")
        self.model.activated.connect(self._choose_model)
        self.head = QComboBox()
        self.head.setToolTip("Head that assigns the classes.")
        self.head.activated.connect(self._choose_head)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Model", self.model)
        form.addRow("Head", self.head)
        self.threshold = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
        self.threshold.setDecimals(2)
        self.threshold.setRange(0.5, 1.0)
        self.threshold.setSingleStep(0.01)
        self.threshold.setToolTip(
            "Cells whose class the head is less sure of than this are greyed out. Nothing stored "
            "changes."
        )
        # Dragging fires faster than a frame of a movie can be painted.
        self._throttled = qthrottled(self._session.set_threshold, timeout=THROTTLE_MS, parent=self)
        self.threshold.valueChanged.connect(self._throttled)
        form.addRow("Sure from", self.threshold)
        for field in (self.model, self.head, self.threshold):
            form.labelForField(field).setToolTip(field.toolTip())

        self.overlay = QCheckBox("Colour cells by class")
        self.overlay.setToolTip(
            "Show or hide the overlay layer that has each cell in its class's colour."
        )
        self.overlay.clicked.connect(self._toggle_overlay)
        self.mark = QCheckBox("Hatch cells not to be trusted")
        self.mark.setToolTip(
            "Draw black stripes on cells that are out-of-distribution: they are reconstructed "
            "badly, or their latents are far from those of the training cells. Stripes in the "
            "other direction: the edge of the image may cut the cell. Classes stay as they are."
        )
        self.mark.setChecked(self._session.mark_flagged)
        self.mark.clicked.connect(self._session.set_mark_flagged)
        legend = QGroupBox("Classes")
        legend.setToolTip(
            "How many cells have each class, in the frame that is shown and in all frames."
        )
        self._legend = QGridLayout(legend)
        self._legend.setColumnStretch(1, 1)
        track = QGroupBox("Selected cell through time")
        self.plot = TrackPlot()
        self.plot.setToolTip(SCORE_HELP + " The yellow bar is the frame that is shown.")
        QVBoxLayout(track).addWidget(self.plot)
        self.export = button(
            "Export table …",
            self._export,
            "Save one row per cell: position, class, score, latents.",
        )
        self.status = StatusLine()
        self.flagged = StatusLine()
        self.flagged.setToolTip("What is amiss with this movie as a whole.")
        self.flagged.setVisible(False)

        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self.overlay)
        layout.addWidget(self.mark)
        layout.addWidget(legend)
        layout.addWidget(self.flagged)
        layout.addWidget(track, 1)
        layout.addWidget(self.export)
        layout.addWidget(self.status)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 (Qt's name)
        """Bring up to date what was not drawn while hidden."""
        super().showEvent(event)
        self._refresh()

    def _refresh(self) -> None:
        self._show_result()
        self._show_track()
        self._show_overlay_state()

    # -- model and head -------------------------------------------------------------------------

    def _choose_model(self, index: int) -> None:
        self.status.clear()
        if index < len(self._models):
            self.load(self._models[index][1])
            return
        folder = QFileDialog.getExistingDirectory(self, "Open a model folder")
        if folder:
            self.load(Path(folder))
        else:
            self._show_model()

    def load(self, source: str | Path | CellModel) -> None:
        """Choose a bundled model by name, a model folder, or a model; a bad one changes nothing."""
        try:
            model = source if isinstance(source, CellModel) else load_model(source)
            model.head()  # an encoder that was just trained has none, and cannot classify
        except InterpdiscError as fault:
            self.status.fault(str(fault))
            self._show_model()
            return
        had_cells = self._session.encoding is not None
        self._session.set_model(model)
        if had_cells and self._session.encoding is None:
            self.status.say(
                f"'{model.name}' is loaded; run the Cells widget again to encode with it."
            )

    def _place_of(self, model: CellModel) -> int:
        """Position of a model in the box, which it is added to if it is not there."""
        for i, (name, source) in enumerate(self._models):
            if isinstance(source, CellModel):
                if source.sha256 == model.sha256:
                    return i
                if source.name == model.name == UNSAVED:  # one formula after the other was tried
                    self._models[i] = (name, model)
                    return i
            elif name == model.name:
                self._models[i] = (name, model)
                return i
        self._models.append((model.name, model))
        return len(self._models) - 1

    def _choose_head(self, index: int) -> None:
        self.status.clear()
        try:
            self._session.set_model(self._session.model, self.head.itemText(index))
        except InterpdiscError as fault:
            self.status.fault(str(fault))

    def _show_model(self, *_: Any) -> None:
        """Make the boxes say what the session has."""
        model = self._session.model
        place = self._place_of(model)
        self.model.clear()
        self.model.addItems([name for name, _ in self._models])
        self.model.addItem(OPEN_FOLDER)
        self.model.setCurrentIndex(place)
        self.head.clear()
        for i, named in enumerate(model.heads.values()):
            self.head.addItem(named.name)
            self.head.setItemData(i, named.summary, Qt.ItemDataRole.ToolTipRole)
        self.head.setCurrentText(model.head(self._session.head_name).name)

    # -- legend and overlay ---------------------------------------------------------------------

    def _classes(self) -> tuple[str, ...]:
        result = self._session.classification
        if result is not None:
            return result.classes
        return self._session.model.head(self._session.head_name).classes

    def _show_result(self, *_: Any) -> None:
        if not self.isVisible():
            return
        has = self._session.classification is not None
        for control in (self.overlay, self.mark, self.threshold, self.export):
            control.setEnabled(has)
        if not has and not self.status.is_fault and not self.status.text():
            self.status.say(NO_CELLS)
        elif has and self.status.text() == NO_CELLS:
            self.status.clear()
        classes = self._classes()
        if classes != self._legend_of:
            self._fill_legend(classes)
            self.threshold.setMinimum(round(1 / len(classes), 2))
        self._count()
        self._show_flagged()
        self._show_track()

    def _show_flagged(self) -> None:
        """Say what share of cells is flagged, and if the movie is unlike the training data."""
        result = self._session.classification
        told = ""
        if result is not None and len(result.index):
            encoding = result.encoding
            flags = encoding.flags
            shares = {name: float((flags & bit > 0).mean()) for bit, name in FLAG_NAMES.items()}
            told = "; ".join(f"{percent(share)} {name}" for name, share in shares.items() if share)
            told = unlike_training(encoding) or (f"Of all cells: {told}." if told else "")
        self.flagged.say(told)
        self.flagged.setVisible(bool(told))

    def _fill_legend(self, classes: tuple[str, ...]) -> None:
        while self._legend.count():
            item = self._legend.takeAt(0).widget()
            if item is not None:
                item.deleteLater()
        for column, text in ((2, "this frame"), (3, "all frames")):
            self._legend.addWidget(QLabel(text), 0, column, Qt.AlignmentFlag.AlignRight)
        self._counts = []
        for k, (name, color) in enumerate(class_colors(classes).items(), start=1):
            numbers = QLabel(), QLabel()
            self._legend.addWidget(swatch(color), k, 0)
            self._legend.addWidget(QLabel(name), k, 1)
            for column, number in enumerate(numbers, start=2):
                self._legend.addWidget(number, k, column, Qt.AlignmentFlag.AlignRight)
            self._counts.append(numbers)
        for k, (flag, about) in enumerate(FLAGS.items(), start=len(self._counts) + 1):
            numbers = QLabel(), QLabel()
            text = QLabel(FLAG_NAMES[flag])
            text.setToolTip(about)
            where = stripes((SWATCH, SWATCH), flag, 5)
            self._legend.addWidget(swatch(UNDER_STRIPES, STRIPE_COLOR, where), k, 0)
            self._legend.addWidget(text, k, 1)
            for column, number in enumerate(numbers, start=2):
                self._legend.addWidget(number, k, column, Qt.AlignmentFlag.AlignRight)
            self._counts.append(numbers)
        self._legend_of = classes

    def _count(self) -> None:
        session = self._session
        result = session.classification
        if result is None:
            for here, everywhere in self._counts:
                here.setText("–")
                everywhere.setText("–")
            return
        encoding, n = result.encoding, len(self._counts) - len(FLAGS)
        values = overlay_values(session)
        cells = [values == k + 1 for k in range(n)]
        flags = encoding.flags
        cells += [(flags & flag) > 0 for flag in FLAGS]
        shown = encoding.cells.t == frame_shown(self._viewer, session)
        for (here, everywhere), some in zip(self._counts, cells, strict=True):
            here.setText(str(int((some & shown).sum())))
            everywhere.setText(str(int(some.sum())))
        unknown = encoding.familiarity is None
        for number in self._counts[n + list(FLAGS).index(OUT_OF_DISTRIBUTION)]:
            number.setToolTip(UNKNOWN if unknown else "")
            if unknown:  # which is not to say that there are none
                number.setText("–")

    def _show_threshold(self, threshold: float) -> None:
        if (
            abs(self.threshold.value() - threshold) > 0.005
            and threshold >= self.threshold.minimum()
        ):
            self.threshold.setValue(threshold)
        self._show_result()

    def _toggle_overlay(self, wanted: bool) -> None:
        if wanted:
            update_overlay(self._viewer, self._session).visible = True
        elif (layer := find_overlay(self._viewer)) is not None:
            layer.visible = False
        self._show_overlay_state()

    def _show_overlay_state(self, *_: Any) -> None:
        layer = find_overlay(self._viewer)
        seen = None if self._overlay_seen is None else self._overlay_seen()
        if layer is not None and layer is not seen:
            self._overlay_seen = weakref.ref(layer)
            connect_while_alive(self, (layer.events.visible, self._show_overlay_state))
        self.overlay.setChecked(layer is not None and bool(layer.visible))

    # -- the selected track ---------------------------------------------------------------------

    def _frame_moved(self, *_: Any) -> None:
        if self.isVisible():
            self._count()
            self._show_track()

    def _show_track(self, *_: Any) -> None:
        if not self.isVisible():
            return
        shown = frame_shown(self._viewer, self._session)
        self.plot.show_frame(-1 if shown is None else shown)
        self.plot.show_series(self._series(), NO_TRACK)

    def _series(self) -> TrackSeries | None:
        session = self._session
        result, row = session.classification, session.selected
        if result is None or row is None:
            return None
        cells = result.encoding.cells
        rows = np.flatnonzero(cells.track_id == cells.track_id[row])
        rows = rows[np.argsort(cells.t[rows], kind="stable")]
        shown = rows[cells.t[rows] == frame_shown(self._viewer, session)]
        now = int(shown[0]) if len(shown) else row
        colors = class_colors(result.classes)
        names = [*result.classes, UNSURE]
        values = overlay_values(session)[rows] - 1
        two = result.scores.shape[1] == 1
        return TrackSeries(
            cells.t[rows],
            result.scores[rows],
            [None] if two else [colors[name] for name in result.classes],
            [colors[names[v]] for v in values],
            f"Cell {cells.track_id[row]}, frame {cells.t[now]}: "
            f"{verdict(result.classes, result.scores[now])}",
            flag_name(int(result.encoding.flags[now])),
        )

    # -- export ---------------------------------------------------------------------------------

    def _export(self) -> None:
        if self._session.classification is None:
            return
        path, _ = QFileDialog.getSaveFileName(
            self, "Export table", "cells.csv", "Tables (*.csv *.parquet)"
        )
        if path:
            self.export_to(Path(path))

    def export_to(self, path: Path) -> None:
        """Write the table of all cells, with its settings beside it."""
        from napari_interpdisc.io.results import write_table

        result = self._session.classification
        assert result is not None
        try:
            write_table(result.to_frame(), result.settings, path)
        except InterpdiscError as fault:
            self.status.fault(str(fault))
            return
        self.status.say(f"{len(result.index)} cells were written to {path}.")
