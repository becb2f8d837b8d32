"""Dock widget *Classify*: model and head, the legend, the unsure, and a track through time."""

from __future__ import annotations

import weakref
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QGroupBox,
    QLabel,
    QVBoxLayout,
    QWidget,
)
from superqt import QLabeledDoubleSlider
from superqt.utils import qthrottled

from napari_interpdisc.errors import InterpdiscError
from napari_interpdisc.figures.palette import class_colors
from napari_interpdisc.flags import FLAG_NAMES
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.models.store import load_model
from napari_interpdisc.number_text import percent
from napari_interpdisc.pipeline import UNSURE, movie_warnings
from napari_interpdisc.scrutiny.terms import told_rule
from napari_interpdisc.widgets.canvas.compat import unwrapped
from napari_interpdisc.widgets.canvas.overlay import (
    find_overlay,
    follow_session,
    shown,
    update_overlay,
)
from napari_interpdisc.widgets.canvas.picking import connect_picking, frame_shown, go_to_frame
from napari_interpdisc.widgets.classify.legend import FLAGS, Legend
from napari_interpdisc.widgets.classify.models import KnownModels, Source
from napari_interpdisc.widgets.classify.track import track_series
from napari_interpdisc.widgets.gallery.opening import show_in_gallery
from napari_interpdisc.widgets.gallery.tiles import Filter
from napari_interpdisc.widgets.parts.comparing import Comparison
from napari_interpdisc.widgets.parts.controls import (
    ScrolledPage,
    StatusLine,
    button,
    folded,
    let_grow,
    row,
)
from napari_interpdisc.widgets.parts.links import connect_while_alive
from napari_interpdisc.widgets.parts.rashomon_view import TITLE as RASHOMON
from napari_interpdisc.widgets.parts.rashomon_view import RashomonView
from napari_interpdisc.widgets.parts.rule_view import RuleView, rule_part
from napari_interpdisc.widgets.parts.sliders import wrapped
from napari_interpdisc.widgets.parts.track_plot import TrackPlot
from napari_interpdisc.widgets.parts.wording import SCORE_HELP
from napari_interpdisc.widgets.session import Colouring, session_of

if TYPE_CHECKING:
    from napari_interpdisc.discovery.rashomon import Member, RashomonSet

COLOURINGS: dict[Colouring, str] = {
    "class": "class",
    "state": "state along the track",
    "disagreement": "disagreement of heads",
}
NO_STATES = "States along tracks are not known yet: open Through time, which finds them."
NO_CELLS = "No cells yet: run the Cells widget first."
NO_TRACK = "Click a cell in the image to see its score through time."
OPEN_FOLDER = "Open folder …"
THROTTLE_MS = 60


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
        self._models = KnownModels()
        self._overlay_seen: weakref.ref[Any] | None = None
        self._comparison = Comparison(self, self._session)
        self._build()
        session, layers = self._session, self._viewer.layers
        connect_while_alive(
            self,
            (session.model_changed, self._show_model),
            (session.model_saved, self._models.rename),
            (session.classification_changed, self._show_result),
            (session.selected_changed, self._show_track),
            (session.threshold_changed, self._show_threshold),
            (session.compared_changed, self._show_compared),
            (session.colouring_changed, self._show_colouring),
            (session.states_changed, self._show_states),
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
        self.model.setToolTip("Choose the trained model: the bundled one, or a model folder.")
        self.model.activated.connect(self._choose_model)
        self.head = QComboBox()
        self.head.setToolTip("Choose the head of the model that classifies the cells.")
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
            "Grey out cells whose class has a lower confidence than this. Stored values do not "
            "change."
        )
        # Dragging fires faster than a frame of a movie can be painted.
        self._is_shown_least = False
        self._throttled = qthrottled(self._session.set_threshold, timeout=THROTTLE_MS, parent=self)
        self.threshold.valueChanged.connect(self._threshold_moved)
        form.addRow("Confidence from", self.threshold)
        for field in (self.model, self.head, self.threshold):
            form.labelForField(field).setToolTip(field.toolTip())

        self.confidence = QLabel()
        self.confidence.setWordWrap(True)
        self.confidence.setToolTip(
            "Confidence is the probability that the head gives to its own class. ECE, the expected "
            "calibration error, is the mean distance of confidence and share right on held-out "
            "cells. On other movies it may be larger."
        )
        form.addRow(self.confidence)
        self.overlay = QCheckBox("Colour cells by")
        self.overlay.setToolTip(
            "Show or hide the overlay layer. It shows each cell in the colour of its class, or of "
            "how far heads disagree."
        )
        self.overlay.clicked.connect(self._toggle_overlay)
        self.colour_by = QComboBox()
        for what, text in COLOURINGS.items():
            self.colour_by.addItem(text, what)
        self.colour_by.setToolTip(
            "Disagreement: the share of heads, among those that are about as good as the best, "
            "that give a cell another class than most of them do."
        )
        self.colour_by.activated.connect(self._choose_colouring)
        self.rashomon = RashomonView(self._session.delta)
        self.rashomon.delta_changed.connect(self._session.set_delta)
        self._heads_part = folded(RASHOMON)
        let_grow(self._heads_part, self.rashomon)
        self._heads_part.toggled.connect(self._compare)
        self.mark = QCheckBox("Hatch flagged cells")
        self.mark.setToolTip(
            "Draw black stripes over cells that are out of distribution: unlike the training data "
            "of the model. Stripes in the other direction mark cells that the edge of the image "
            "may cut. The classes of these cells do not change."
        )
        self.mark.setChecked(self._session.mark_flagged)
        self.mark.clicked.connect(self._session.set_mark_flagged)
        self.legend = Legend()
        self.legend.asked.connect(self._list_cells)
        track = QGroupBox("Selected cell through time")
        self.plot = TrackPlot()
        self.plot.setToolTip(
            SCORE_HELP + " The bar is the frame that is shown; click to go to another."
        )
        self.plot.clicked.connect(self._go_to_frame)
        QVBoxLayout(track).addWidget(self.plot)
        self.export = button(
            "Export table …",
            self._export,
            "Save a table with one row per cell: position, class, score and latents.",
        )
        self.status = StatusLine()
        self.flagged = StatusLine()
        self.flagged.setToolTip("Flagged cells, of all cells of the movie.")
        self.warned = StatusLine()
        self.warned.setToolTip("Warnings about this movie as a whole.")
        for line in (self.flagged, self.warned):
            line.setVisible(False)

        self.rule = RuleView(self._session)
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.addLayout(form)
        layout.addWidget(rule_part(self.rule))
        layout.addWidget(self._heads_part)
        self._form, self._colour_row = form, row(self.overlay, self.colour_by)
        layout.addWidget(self._colour_row)
        layout.addWidget(self.mark)
        layout.addWidget(self.legend)
        layout.addWidget(self.warned)
        layout.addWidget(self.flagged)
        layout.addWidget(track, 1)
        layout.addWidget(self.export)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 4)
        outer.addWidget(ScrolledPage(page), 1)
        self.status.stand_below(self.head, form)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 (Qt's name)
        """Bring up to date what was not drawn while hidden."""
        super().showEvent(event)
        self._refresh()

    def _refresh(self) -> None:
        self._show_result()
        self._show_track()
        self._show_overlay_state()

    # -- model and head -------------------------------------------------------------------------

    def _clear_below_head(self) -> None:
        self.status.stand_below(self.head, self._form)
        self.status.say("")

    def _choose_model(self, index: int) -> None:
        self._clear_below_head()
        if index < len(self._models):
            self.load(self._models.source(index))
            return
        folder = QFileDialog.getExistingDirectory(self, "Open a model folder")
        if folder:
            self.load(Path(folder))
        else:
            self._show_model()

    def load(self, source: Source) -> None:
        """Choose a bundled model by name, a model folder, or a model; a bad one changes nothing."""
        self.status.stand_below(self.head, self._form)
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

    def _choose_head(self, index: int) -> None:
        self._clear_below_head()
        try:
            self._session.set_model(self._session.model, self.head.itemText(index))
        except InterpdiscError as fault:
            self.status.fault(str(fault))

    def _show_model(self, *_: Any) -> None:
        """Make the boxes say what the session has."""
        model = self._session.model
        place = self._models.place_of(model)
        self.model.clear()
        self.model.addItems(self._models.names)
        self.model.addItem(OPEN_FOLDER)
        self.model.setCurrentIndex(place)
        self.head.clear()
        for i, named in enumerate(model.heads.values()):
            self.head.addItem(named.name)
            about = wrapped(named.summary, model.subject_of(named.name), *told_rule(named, model))
            self.head.setItemData(i, about, Qt.ItemDataRole.ToolTipRole)
        chosen = model.head(self._session.head_name)
        self.head.setCurrentText(chosen.name)
        told = chosen.calibration_told
        self.confidence.setText(f"Confidences are {told}.")

    # -- classes and overlay --------------------------------------------------------------------

    def _classes(self) -> tuple[str, ...]:
        result = self._session.classification
        if result is not None:
            return result.classes
        return self._session.model.head(self._session.head_name).classes

    def _show_result(self, *_: Any) -> None:
        if not self.isVisible():
            return
        has = self._session.classification is not None
        waits = has and self._session.colouring == "state" and self._session.states is None
        if waits:
            self.status.stand_below(self._colour_row)
            self.status.say(NO_STATES)
        elif self.status.text() == NO_STATES:
            self.status.say("")
        for control in (self.overlay, self.mark, self.threshold, self.export):
            control.setEnabled(has)
        if not has and not self.status.is_fault and not self.status.text():
            self.status.say(NO_CELLS)
        elif has and self.status.text() == NO_CELLS:
            self.status.say("")
        classes = self._classes()
        own = shown(self._session) if has else None
        colors = class_colors(classes) if own is None else own.colors
        # unsure cells are those of a class
        self.threshold.setEnabled(own is not None and own.what == "class")
        if tuple(colors) != self.legend.names:
            self.legend.show_names(colors, "class" if own is None else own.what)
        least = round(1 / len(classes), 2)
        if least != self.threshold.minimum():
            self._show_least(least)
        self.legend.show_counts(self._viewer, self._session)
        self._show_flagged()
        self._show_track()
        self._compare()

    # -- heads that are about as good -----------------------------------------------------------

    def _choose_colouring(self, place: int) -> None:
        self.status.stand_below(self._colour_row)
        self.status.say("")
        self._session.set_colouring(self.colour_by.itemData(place))

    def _show_colouring(self, colouring: str) -> None:
        self.colour_by.setCurrentIndex(self.colour_by.findData(colouring))
        self._show_result()

    def _show_states(self, *_: Any) -> None:
        if self._session.colouring == "state":
            self._show_result()

    def _compare(self, *_: Any) -> None:
        """Compare the heads of the model that answer the same question, if anyone wants to know."""
        session, wanted = self._session, self._session.colouring == "disagreement"
        if not (self.isVisible() and (wanted or self._heads_part.isExpanded())):
            return
        if session.classification is None:
            self.rashomon.say(NO_CELLS)
        if session.classification is None or session.compared is not None:
            return
        model, head = session.model, session.head_name

        def members() -> list[Member]:
            from napari_interpdisc.discovery.rashomon import members_of_model

            return members_of_model(model, head)

        named = model.head(head)
        self.rashomon.say("Comparing …")
        self._comparison.start((model.sha256, named.name), members, named.classes, self._alone)

    def _alone(self, why: str) -> None:
        """Say why heads cannot be compared, and colour cells by class."""
        self.rashomon.say(why)
        if self._session.colouring == "disagreement":
            self.status.fault(why)
            self._session.set_colouring("class")

    def _show_compared(self, found: RashomonSet | None) -> None:
        self.rashomon.show_delta(self._session.delta)
        if found is None:
            self.rashomon.say("")
        else:
            self.rashomon.show_set(found, self._session.model)
        if self._session.colouring == "disagreement" and found is not None:
            if len(found.members) == 1:
                self.status.stand_below(self._colour_row)
                self.status.say(
                    f"Only '{found.members[0].name}' is within {found.delta:g} of the best, so no "
                    "head can disagree. Allow a larger loss under 'Heads that are about as good'."
                )
            self._show_result()

    def _show_flagged(self) -> None:
        """Tell the share of flagged cells, and whether the movie is out of distribution."""
        result = self._session.classification
        told, warnings = "", []
        if result is not None and len(result.index):
            encoding = result.encoding
            flags = encoding.flags
            shares = {name: float((flags & bit > 0).mean()) for bit, name in FLAG_NAMES.items()}
            told = "; ".join(f"{percent(share)} {name}" for name, share in shares.items() if share)
            counted = f"Of all cells: {told}." if told else ""
            warnings = [
                f"⚠ {sentence}" for sentence in movie_warnings(encoding, self._session.model)
            ]
            told = counted
        self.warned.warn("\n".join(warnings))
        self.warned.setVisible(bool(warnings))
        self.flagged.say(told)
        self.flagged.setVisible(bool(told))

    def _list_cells(self, place: int) -> None:
        """Show the cells of a row of the legend in the gallery."""
        session, names = self._session, self.legend.names
        result = session.classification
        if result is None or names is None:
            return
        flags = [*FLAGS]
        if place >= len(names):
            wanted = Filter("flag", flags[place - len(names)])
        elif shown(session).what == "state":
            rows = np.flatnonzero(shown(session).values == place + 1)
            wanted = Filter("listed", "", tuple(rows.tolist()), f"state {names[place]}")
        elif names[place] in result.classes:
            wanted = Filter("class", names[place])
        elif names[place] == UNSURE:
            wanted = Filter("unsure")
        else:
            rows = np.flatnonzero(shown(session).values == place + 1)
            wanted = Filter("listed", "", tuple(rows.tolist()), names[place])
        show_in_gallery(self._viewer, session, wanted)

    def _threshold_moved(self, value: float) -> None:
        if not self._is_shown_least:
            self._throttled(value)

    def _show_least(self, least: float) -> None:
        """Begin the slider at a confidence; one below it holds on, as heads of more classes count.

        Qt would keep the old value where the range grows, and raise it where it shrinks.
        """
        self._is_shown_least = True
        self.threshold.setMinimum(least)
        self.threshold.setValue(max(self._session.threshold, least))
        self._is_shown_least = False

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
            self.legend.show_counts(self._viewer, self._session)
            self._show_track()

    def _show_track(self, *_: Any) -> None:
        if not self.isVisible():
            return
        shown = frame_shown(self._viewer, self._session)
        self.plot.show_frame(-1 if shown is None else shown)
        self.plot.show_series(track_series(self._session, shown), NO_TRACK)

    def _go_to_frame(self, t: int) -> None:
        go_to_frame(self._viewer, self._session, t)

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
        self.status.stand_below(self.export)
        try:
            compared = replace(result, disagreement=self._session.disagreement)
            settings, as_good = dict(result.settings), self._session.as_good
            if as_good is not None:
                settings["disagreement"] = as_good.note()
            write_table(compared.to_frame(), settings, path)
        except InterpdiscError as fault:
            self.status.fault(str(fault))
            return
        self.status.say(f"{len(result.index)} cells were written to {path}.")
