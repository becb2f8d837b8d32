"""Dock widget *Discover*: name classes, click cells, train readable heads, pick a formula."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QHideEvent, QKeyEvent, QShowEvent
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QFileDialog,
    QGroupBox,
    QLabel,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from napari_interpdisc.errors import InterpdiscError, InvalidInput
from napari_interpdisc.figures.palette import keep_color
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.widgets.canvas.cell_images import grey_limits
from napari_interpdisc.widgets.canvas.compat import unwrapped
from napari_interpdisc.widgets.canvas.overlay import follow_session, update_overlay
from napari_interpdisc.widgets.canvas.picking import connect_picking, look_at
from napari_interpdisc.widgets.discover.annotating import annotating_of
from napari_interpdisc.widgets.discover.annotation_import import Imported, prepare_import
from napari_interpdisc.widgets.discover.annotations import KEYS
from napari_interpdisc.widgets.discover.class_list import ClassList
from napari_interpdisc.widgets.discover.held_out import HeldOutCells, present_row
from napari_interpdisc.widgets.discover.import_panel import ImportPanel
from napari_interpdisc.widgets.discover.kept_panel import KeptPanel
from napari_interpdisc.widgets.discover.results_panel import ResultsPanel
from napari_interpdisc.widgets.discover.run import (
    NO_CELLS,
    Keeping,
    Trained,
    Training,
    annotated_movie,
    chosen_row,
    plan_training,
)
from napari_interpdisc.widgets.discover.suggestions import Order, Suggestions, own_head
from napari_interpdisc.widgets.discover.train_panel import TrainPanel
from napari_interpdisc.widgets.discover.unsaved_panel import UnsavedPanel
from napari_interpdisc.widgets.gallery.opening import show_in_gallery
from napari_interpdisc.widgets.gallery.tiles import Filter
from napari_interpdisc.widgets.parts.choosing_row import ChoosingRow
from napari_interpdisc.widgets.parts.comparing import Comparison
from napari_interpdisc.widgets.parts.controls import (
    ScrolledPage,
    StatusLine,
    button,
    folded,
    let_shrink,
    row,
)
from napari_interpdisc.widgets.parts.links import connect_while_alive, when_destroyed
from napari_interpdisc.widgets.parts.pictures import PictureView, grey_picture
from napari_interpdisc.widgets.parts.wording import cell_name
from napari_interpdisc.widgets.parts.workers import Work
from napari_interpdisc.widgets.session import session_of

if TYPE_CHECKING:
    from napari_interpdisc.discovery.earlier import Earlier
    from napari_interpdisc.discovery.movies import LabelledMovie
    from napari_interpdisc.discovery.origins import Origins
    from napari_interpdisc.discovery.rashomon import Member
    from napari_interpdisc.discovery.stages import Event
    from napari_interpdisc.discovery.view_cache import ViewCache

ORDERS: dict[Order, str] = {
    "automatic": "that teach most",
    "diversity": "unlike the labelled",
    "uncertainty": "where the head is unsure",
    "disagreement": "where heads disagree",
}
LEAST_PX = 70.0
"""Diameter on the screen that a cell has at least when it is asked about."""

ASKED_SIDE = 96
"""Side of its picture, px."""

SETTLED_MS = 300
"""Pause after a change, before it is said what a training lacks."""

KEYS_OF_QT = {Qt.Key.Key_Delete: "Delete", Qt.Key.Key_Backspace: "Backspace"}


class DiscoverWidget(QWidget):  # type: ignore[misc]
    """Annotate cells, train heads on them, and use what was found at once.

    The annotations live in a Points layer; the heads share the encoder of the session's model, so
    that cells are rescored without going back to the image. Heads of a kind are shown and used as
    soon as they are tested; those that are ready stay when a training is cancelled.
    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self._viewer = unwrapped(napari_viewer)
        self._session = session_of(self._viewer)
        self.shared = annotating_of(self._viewer, self._session)
        self.annotations = self.shared.annotations
        self.annotator, self.keeper = self.shared.annotator, self.shared.keeper
        self._suggestions = Suggestions()
        self._asked: int | None = None
        self._go_on = QTimer(self)
        self._go_on.setSingleShot(True)
        self._go_on.setInterval(0)
        self._go_on.timeout.connect(self.next_cell)
        self._check_soon = QTimer(self)
        self._check_soon.setSingleShot(True)
        self._check_soon.setInterval(SETTLED_MS)
        self._check_soon.timeout.connect(self.tell_lacking)
        self._lacking = ""
        self.status = StatusLine()
        self.work = Work(self)
        self.comparison = Comparison(self, self._session, leads=True)
        self._origins: Origins | None = None
        self._by_tab: list[tuple[QWidget, Qt.FocusPolicy]] = []
        self._cache: ViewCache | None = None
        self._earlier: Earlier | None = None
        self._ready: tuple[str, ...] = ()
        self._build()
        session = self._session
        connect_while_alive(
            self,
            (self.annotations.changed, self._show_classes),
            (self.annotations.changed, self._changed_for_training),
            (session.encoding_changed, self._changed_for_training),
            (session.model_changed, self._changed_for_training),
            (self.shared.said, self._say),
            (self.annotator.switched, self._show_switched),
            (session.selected_changed, self._show_asked),
            (session.encoding_changed, self._show_cells),
            (session.classification_changed, self._show_head),
        )
        self.work.progressed.connect(self.training.show_progress)
        self.work.running_changed.connect(self._show_running)
        follow_session(self._viewer, session)
        connect_picking(self._viewer, session)
        shared = weakref.ref(self.shared)
        when_destroyed(self, lambda: None if (left := shared()) is None else left.leave())
        self.shared.join()
        self._show_classes()
        self._show_cells()
        self._check_soon.start()

    # -- what it looks like ---------------------------------------------------------------------

    def _build(self) -> None:
        self.classes = ClassList()
        self.classes.chosen.connect(self._choose_class)
        self.classes.renamed.connect(self._rename)
        self.classes.removal_asked.connect(self._remove_class)
        self.add = button("Add class", self._add_class, "Add a class, and give it a name.")
        self.undo = button("Undo", self._undo, "Take back the last annotation or change.")
        self.annotate = QCheckBox("Annotate by clicking")
        self.annotate.setToolTip(
            "Click a cell to give it the marked class. Press the key of a class to give it to the "
            "chosen cells, or else to the cell with the dashed ring. Press 0 or Delete to remove "
            "the annotation."
        )
        self.annotate.toggled.connect(self._switch)
        self.hint = QLabel()
        self.hint.setToolTip(self.annotate.toolTip())
        self.hint.setWordWrap(True)
        self.hint.setVisible(False)
        self.choosing = ChoosingRow(self._viewer, self._session)
        for made in self.choosing.buttons.values():
            made.clicked.connect(self._annotate_what_is_chosen)
        self.suggest = button(
            "Next to annotate",
            self.next_cell,
            "Active learning: turn annotating on and go to the cell whose class teaches most. A "
            "class's key answers, and goes on to the next. Press again to skip a cell.",
        )
        self.asked = PictureView("", "The cell that is asked about, normalised.", ASKED_SIDE)
        self.asked.setVisible(False)
        self.order = QComboBox()
        for order, text in ORDERS.items():
            self.order.addItem(text, order)
        let_shrink(self.order)
        self.order.setToolTip(
            "Which cells come first. 'That teach most': as long as no head was trained on your "
            "labels, cells that are typical of many and unlike the labelled ones; then those of "
            "which that head is least certain. Or always one of these, or cells on which heads "
            "that are about as good disagree."
        )
        self.export = button(
            "Save annotations …",
            self._export,
            "Save a table of t, y, x, track_id and class. 'interpdisc train' reads it.",
        )
        self.unsaved = UnsavedPanel(self._viewer, self._session, self.shared)
        self.unsaved.said.connect(self._say_of_unsaved)
        self.imports = ImportPanel(self._viewer, self._session)
        self.imports.asked.connect(self._import)
        more = folded("Import annotations")
        more.addWidget(self.imports)
        self.training = TrainPanel()
        self.training.train.connect(self.train)
        self.training.cancel.connect(self._cancel)
        self.training.changed.connect(self._changed_for_training)
        self.kept = KeptPanel()
        self.kept.keep.connect(self._keep)
        self.kept.opened.connect(self.open_kept)
        self.kept.changed.connect(self._changed_for_training)
        others = folded("Other movies")
        others.addWidget(self.kept)
        self.results = ResultsPanel(self._session, self.annotations)
        self.results.audit.looked.connect(self._look_at_label)
        self.results.audit.relabelled.connect(self._relabel)
        self.results.picked.connect(self._use)
        self.results.quality.confused.connect(self._list_confused)
        self.results.said.connect(self._say_of_results)
        self.results.save.connect(self._save)
        self._class_row, self._next_row = row(self.add, self.undo), row(self.suggest, self.order)
        self._import_part, self._kept_part = more, others
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.addWidget(
            _group("1  Classes and annotations", self.unsaved, self.classes, self._class_row,
                   self.annotate, self.hint, self.choosing, self._next_row, self.asked,
                   self.export, more)
        )  # fmt: skip
        layout.addWidget(_group("2  Training", others, self.training))
        layout.addWidget(self.results)
        layout.addStretch()
        self._scroll = ScrolledPage(page)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 4)
        outer.addWidget(self._scroll, 1)
        self.status.stand_below(self.hint)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 (Qt's name)
        """Bring up to date what was not drawn while hidden."""
        super().showEvent(event)
        self._show_head()

    def hideEvent(self, event: QHideEvent) -> None:  # noqa: N802 (Qt's name)
        """End annotating: a click must not annotate cells for a widget that nobody sees."""
        super().hideEvent(event)
        if not event.spontaneous():
            self.annotate.setChecked(False)
            self.choosing.leave_off()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 (Qt's name)
        """Take the classes' keys here too, as after a press of *Suggest next*."""
        key = KEYS_OF_QT.get(event.key(), event.text())
        if not (self.annotator.is_on and not event.modifiers() and self.annotator.press(key)):
            super().keyPressEvent(event)

    def _say_of_results(self, text: str) -> None:
        self.status.stand_below(self.results.save_button)
        self.status.say(text)

    def _say(self, text: str, is_fault: bool = False) -> None:
        """Tell what came of a click or a key in the canvas."""
        self.status.stand_below(self.hint)
        (self.status.fault if is_fault else self.status.say)(text)

    def _say_of_unsaved(self, text: str, is_fault: bool) -> None:
        self.status.stand_below(self.unsaved)
        (self.status.fault if is_fault else self.status.say)(text)

    def _guarded(self, action: Callable[[], Any], below: QWidget | None = None) -> None:
        """Do what a control asks for, and tell of it below that control."""
        if below is not None:
            self.status.stand_below(below)
        try:
            action()
        except InterpdiscError as fault:
            self.status.fault(str(fault))

    # -- classes and cells ----------------------------------------------------------------------

    def _show_classes(self) -> None:
        classes = self.annotations.classes
        if self.annotator.chosen not in classes:
            self.annotator.chosen = classes[0] if classes else None
        self.classes.show_classes(classes, self.annotations.counts(), self.annotator.chosen)
        self.undo.setEnabled(self.annotations.can_undo)
        self.export.setEnabled(bool(self.annotations.marks))
        self._show_hint()
        if self._asked is not None and self._asked in self.annotations.by_row:
            # once all who listen have seen the answer
            self._go_on.start()

    def _show_hint(self) -> None:
        n = min(KEYS, len(self.annotations.classes))
        keys = "1" if n == 1 else f"1 – {n}"
        self.hint.setText(
            f"Press {keys} to annotate the chosen cells, or else the ringed one; 0 to remove "
            "annotations."
        )

    def _show_cells(self, *_: Any) -> None:
        has = self._session.encoding is not None
        if not has:
            self.annotate.setChecked(False)
            self.status.say(self.keeper.without_cells())
        elif self.status.text() in (NO_CELLS, self.keeper.without_cells()):
            self.status.clear()
        self.annotate.setEnabled(has)
        self.suggest.setEnabled(has)

    def _switch(self, on: bool) -> None:
        self.annotator.switch(on)
        if on:
            self.status.stand_below(self.hint)
            self.status.say("Click cells to give them the marked class.")

    def _show_switched(self, on: bool, clicks: bool) -> None:
        """Follow the keys; another dock may have them too."""
        self.annotate.blockSignals(True)
        self.annotate.setChecked(clicks)
        self.annotate.blockSignals(False)
        self.hint.setVisible(on)
        focus = Qt.FocusPolicy
        # digits are classes now: Tab must not lead to where they would be typed
        if on and not self._by_tab:
            # PySide6 finds one class at a time
            kinds = (QAbstractSpinBox, QLineEdit)
            fields = [field for kind in kinds for field in self.findChildren(kind)]
            self._by_tab = [
                (field, field.focusPolicy())
                for field in fields
                if field.focusPolicy() not in (focus.ClickFocus, focus.NoFocus)
            ]
            for field, _ in self._by_tab:
                field.setFocusPolicy(focus.ClickFocus)
        if not on:
            # a field's own line comes after it, and would set that of the field anew
            for field, policy in reversed(self._by_tab):
                field.setFocusPolicy(policy)
            self._by_tab = []
            self._ask(None)

    def _annotate_what_is_chosen(self, on: bool) -> None:
        if on:
            self.annotate.setChecked(True)

    def _choose_class(self, name: str) -> None:
        self.annotator.chosen = name
        if self.annotator.is_on:
            self.annotator.give(name)

    def _add_class(self) -> None:
        def add() -> None:
            self.annotator.chosen = name = self.annotations.add_class()
            self._show_classes()
            field = self.classes.names[self.annotations.classes.index(name)]
            field.setFocus()
            field.selectAll()

        self._guarded(add, self._class_row)

    def _rename(self, old: str, new: str) -> None:
        was_chosen = self.annotator.chosen == old
        self.status.stand_below(self._class_row)
        try:
            self.keeper.check_changeable(old)
            if was_chosen:
                self.annotator.chosen = " ".join(new.split())
            keep_color(old, " ".join(new.split()))
            self.annotations.rename_class(old, new)
        except InterpdiscError as fault:
            self.annotator.chosen = old if was_chosen else self.annotator.chosen
            self.status.fault(str(fault))
        self.classes.reset_names()

    def _remove_class(self, name: str) -> None:
        def remove() -> None:
            self.keeper.check_changeable(name)
            gone = self.annotations.remove_class(name)
            cells = f" and its {gone} annotation{'s' if gone != 1 else ''}" if gone else ""
            self.status.say(f"'{name}'{cells} removed; Undo brings it back.")

        self._guarded(remove, self._class_row)

    def _undo(self) -> None:
        self.status.stand_below(self._class_row)
        if self.annotations.undo():
            self.status.say("The last change was taken back.")

    def next_cell(self) -> None:
        """Turn annotating on, go to the cell whose class teaches most, and show it."""
        by: Order = self.order.currentData()
        self.status.stand_below(self._next_row)
        session, annotated = self._session, self.annotations.by_row
        try:
            own = own_head(session, self.results, set(annotated.values()))
            found = self._suggestions.next(session, annotated, by, own)
        except InterpdiscError as fault:
            self._ask(None)
            self.status.fault(str(fault))
            return
        if found is None:
            self._ask(None)
            self.status.say("No track is left to suggest. The next press begins anew.")
            return
        self.annotate.setChecked(True)
        look_at(self._viewer, session, found.row, LEAST_PX)
        self._ask(found.row)
        if self.focusWidget() is None or isinstance(self.focusWidget(), QLineEdit):
            self.suggest.setFocus()
        self.status.stand_below(self._next_row)
        assert session.encoding is not None
        is_movie = session.frames is not None and session.frames.is_movie
        name = cell_name(session.encoding, found.row, is_movie)
        self.status.say(f"{name}: {found.why}. Press the key of its class.")

    def _ask(self, row: int | None) -> None:
        """Show the cell that is asked about; none if the question is over."""
        self._asked = row
        self._go_on.stop()
        self.asked.setVisible(row is not None)
        if row is not None:
            crop = self._session.crop(row)
            self.asked.show_picture(grey_picture(crop, grey_limits(crop)))

    def _show_asked(self, row: int | None) -> None:
        """End the question when another cell is selected."""
        if self._asked is not None and row != self._asked:
            self._ask(None)

    # -- import and export ----------------------------------------------------------------------

    def _import(self, layer: Any, column: Any) -> None:
        def begin() -> None:
            work = prepare_import(layer, column, self._session)
            encoding = self._session.encoding

            def done(found: Imported) -> None:
                self._guarded(lambda: self.keeper.take(found, encoding))

            self.status.say("Importing …")
            self.work.start(work, done, self.status.fault)

        self._guarded(begin, self._import_part)

    def _export(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self, "Save annotations", "annotations.csv", "Tables (*.csv *.parquet)"
        )
        if path:
            self.export_to(Path(path))

    def export_to(self, path: Path) -> None:
        """Write the annotations as a table."""
        self._guarded(lambda: self.status.say(self.keeper.export_to(path)), self.export)

    # -- other movies ---------------------------------------------------------------------------

    def _keep(self) -> None:
        """Ask for a file, if none is in use, once it is known that there is something to keep."""

        def begin() -> None:
            annotated_movie(self._session, self.annotations)
            path = self.kept.path or self.kept.ask()
            if path is not None:
                self.keep_in(path)

        self._guarded(begin, self._kept_part)

    def keep_in(self, path: Path) -> None:
        """Add the annotated cells to a file, on a thread; the training uses it from then on."""

        def begin() -> None:
            movie = annotated_movie(self._session, self.annotations)
            plan = Keeping(movie, self._session.model, path)

            def done(result: tuple[list[LabelledMovie], bool]) -> None:
                movies, replaced = result
                self.kept.show_file(path, movies)
                n = len(movie.labels)
                again = " in place of those that were kept of it before" if replaced else ""
                self.status.say(f"{n} cells of '{movie.name}' are kept in {path}{again}.")

            self.status.say("Keeping …")
            self.work.start(plan.carry_out, done, self.status.fault)

        self._guarded(begin, self._kept_part)

    def open_kept(self, path: Path) -> None:
        """Train on the cells of a file too; their classes join those that are there."""

        def read() -> None:
            from napari_interpdisc.discovery.kept_cells import read_kept

            movies = read_kept(path)
            names = dict.fromkeys(str(name) for movie in movies for name in movie.labels)
            if not self.annotations.marks:
                self.annotations.start_with()
            for name in names:
                if name not in self.annotations.classes:
                    self.annotations.add_class(name)
            self.kept.show_file(path, movies)
            self._show_classes()
            self.status.say(f"{self.kept.told.text()} Classes: {', '.join(names)}.")

        self._guarded(read, self._kept_part)

    # -- training -------------------------------------------------------------------------------

    def _changed_for_training(self, *_: Any) -> None:
        self._check_soon.start()

    def tell_lacking(self) -> None:
        """Say beside *Train* what it would refuse now; nothing as long as there are no cells."""
        if self.work.running:
            return
        before, text = self._lacking, ""
        if self._session.has_model and (self._session.encoding is not None or self.kept.movies):
            try:
                plan_training(
                    self._session, self.annotations, self.training.settings(), self.kept.movies
                )
            except InterpdiscError as fault:
                text = str(fault)
        self._lacking = text
        self.training.show_lacking(text)
        if text != before and self.status.is_fault and self.status.text() == before:
            self.status.forget_fault()

    def train(self) -> None:
        """Check the annotations and train on them, on a thread."""

        def begin() -> None:
            from napari_interpdisc.discovery.view_cache import ViewCache

            self._cache = self._cache or ViewCache()
            plan = plan_training(
                self._session, self.annotations, self.training.settings(), self.kept.movies,
                self._cache, self._earlier if self.training.again.isChecked() else None,
            )  # fmt: skip

            def part(what: Event | Trained) -> None:
                self._guarded(lambda: self._take_part(plan, what))

            def done(trained: Trained) -> None:
                self._guarded(lambda: self._take(plan.model, trained))
                self._earlier = trained.found.earlier or self._earlier

            without = f"; {plan.left_out} without pixels are left out" if plan.left_out else ""
            self.status.say(f"Training on {len(plan)} cells{without} …")
            self.work.start_in_parts(plan.carry_out, part, done, self.status.fault)

        self._guarded(begin, self.training)
        self.training.show_lacking("")  # a fault is said below now

    def _take_part(self, plan: Training, what: Event | Trained) -> None:
        """Show a stage that begins, formulas that come up, or heads that are ready."""
        from napari_interpdisc.discovery.stages import FormulasFound, StageBegan

        if isinstance(what, Trained):
            self._take(plan.model, what)
            ready = ", ".join(what.found.heads)
            missing = [kind for kind in plan.recipe.kinds if kind not in what.found.heads]
            if missing:
                self.status.say(f"Ready: {ready}. They can be used while the training goes on.")
        elif isinstance(what, StageBegan):
            curve = ("curve",) if plan.recipe.curve and plan.recipe.kinds != ("formula",) else ()
            self.training.show_stage(what, ("cells", *plan.recipe.kinds, *curve))
        elif isinstance(what, FormulasFound):
            self.results.show_untested(plan.model, what.rows, plan.labels.classes)

    def _take(self, base: CellModel, trained: Trained) -> None:
        """Show what a training found so far, and colour the cells by its first head.

        A head of this training that somebody picked meanwhile stays. A model of another encoder
        that was chosen meanwhile is kept, and so are its cells.
        """
        found = trained.found
        first, self._ready = not self._ready, tuple(found.heads)
        kind = self._session.head_name if self.results.is_of(self._session.model) else None
        self._origins = None if trained.held_out is None else trained.held_out.origins
        self.results.show_found(base, found, trained.held_out)
        if self._session.model.encoder_sha256 != base.encoder_sha256:
            self.status.say(
                f"Trained on {found.cells} cells. '{self._session.model.name}', chosen meanwhile, "
                "has another encoder and was kept; save what was found, or pick one of its heads."
            )
            return
        if not first and kind not in found.heads:
            return  # another model was chosen since the first heads
        if trained.encoding is not None and first:
            self._session.set_measured(trained.encoding)
        self._use(next(iter(found.heads)) if first or kind is None else kind)
        if self._session.classification is not None and first:
            update_overlay(self._viewer, self._session).visible = True
        if first:
            self._scroll.widget().layout().activate()
            self._scroll.ensureWidgetVisible(self.results.quality)
        engine = f" Formulas: {found.engine}." if found.engine else ""
        told = (
            f"Trained on {found.cells} cells of {found.groups} {found.group_name}s, tested on "
            f"held-out {found.group_name}s in {found.folds} folds.{engine} {trained.left_out}"
        )
        self.status.say(told.strip())

    def _use(self, kind: str) -> None:
        """Colour the cells by a head that was found."""
        self._guarded(lambda: self._session.set_model(self.results.model_with(kind), kind))
        self._show_head()

    def _show_head(self, *_: Any) -> None:
        if self.isVisible():
            self.results.show_head()
            self._compare()
        self._tell_held_out()

    def _tell_held_out(self) -> None:
        """Let the gallery know what held-out heads say, of the kind that colours the cells."""
        found, kind = self.results.found, self._session.head_name
        if found is None or self._origins is None or not len(found.target):
            self.shared.set_held_out(None)
            return
        if not self.results.is_of(self._session.model) or kind not in found.heads:
            kind = next(iter(found.heads))
        fitted = found.heads[kind]
        known = self.shared.held_out
        if (
            known is None
            or known.origins is not self._origins
            or known.kind != kind
            or not np.array_equal(known.predicted, fitted.predicted)
        ):
            self.shared.set_held_out(
                HeldOutCells(self._origins, found.classes, found.target, fitted.predicted, kind)
            )

    def _list_confused(self, annotated: int, predicted: int) -> None:
        """Show the cells of one place of the confusion matrix in the gallery."""

        def show() -> None:
            held_out, row = self.shared.held_out, self.results.row
            found = self.results.found
            assert found is not None
            if held_out is None:
                raise InvalidInput("Which cells these are is not known; train again.")
            session = self._session
            if not self.results.is_of(session.model) or session.head_name != held_out.kind:
                raise InvalidInput("Another head colours the cells; pick one of the table first.")
            if held_out.kind == "formula" and row != chosen_row(found):
                raise InvalidInput(
                    "Which cells these are is known for the formula that the training chose, and "
                    "not for the others of the front."
                )
            rows, n = held_out.confused(annotated, predicted, self._session)
            told = f"{found.classes[annotated]} called {found.classes[predicted]}"
            if not rows:
                where = " They are of other movies." if n else ""
                raise InvalidInput(f"No cell in this window is {told}.{where}")
            show_in_gallery(self._viewer, self._session, Filter("listed", "", (*rows,), told))

        self._guarded(show, self.results.save_button)

    def _compare(self) -> None:
        """Ask all heads that were found what they call the cells in the window."""
        found, session = self.results.found, self._session
        if found is None or not self.results.is_of(session.model) or session.compared is not None:
            return

        def members() -> list[Member]:
            from napari_interpdisc.discovery.rashomon import members_of_discovery

            return members_of_discovery(found)

        self.comparison.start(id(found), members, found.classes, self.status.fault)

    # -- labels to look at again ----------------------------------------------------------------

    def _look_at_label(self, row: int) -> None:
        """Go to a cell that was trained on."""

        def look() -> None:
            assert self._origins is not None
            look_at(self._viewer, self._session, present_row(self._origins, row, self._session))

        self._guarded(look, self.results.save_button)

    def _relabel(self, row: int, name: str) -> None:
        """Give a cell that was trained on another class."""

        def relabel() -> None:
            assert self._origins is not None
            at = present_row(self._origins, row, self._session)
            if at not in self.annotations.by_row:
                raise InvalidInput(
                    "This label is not among the annotations here: it was removed, or is of the "
                    "kept cells. Annotate this movie and keep its cells again."
                )
            self.annotator.annotate(at, name)

        self._guarded(relabel, self.results.save_button)

    def _cancel(self) -> None:
        self.work.cancel()
        self.status.say("Stopping …")

    def _show_running(self, running: bool) -> None:
        self.training.show_running(running)
        self.imports.take.setEnabled(not running)
        if running:
            self._ready = ()
            return
        kept = f"ready and kept: {', '.join(self._ready)}" if self._ready else "nothing was changed"
        self.status.say(f"Cancelled; {kept}.")
        self.results.end_of_search()
        self._check_soon.start()

    # -- model folder ---------------------------------------------------------------------------

    def _save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save the model in a new folder", "my-model")
        if path:
            self.save_to(Path(path))

    def save_to(self, folder: Path) -> None:
        """Write what was found as a model folder that is named like it."""

        def write() -> None:
            from napari_interpdisc.models.store import load_model, save_model

            save_model(self.results.model(folder.name), folder)
            self._take_name(load_model(folder))
            self.status.say(
                f"The model was written to {folder}; the Classify widget and 'interpdisc' open it."
            )

        self._guarded(write, self.results.save_button)

    def _take_name(self, saved: CellModel) -> None:
        """Let the model in the window have the name that it was saved under."""
        session = self._session
        before = session.model
        is_of = self.results.is_of(before)
        self.results.saved[saved.sha256] = saved
        if is_of:
            session.model_saved.emit(before, saved)
            head = session.head_name
            session.set_model(saved, head if head in saved.heads else None)


def _group(title: str, *parts: QWidget) -> QGroupBox:
    box = QGroupBox(title)
    layout = QVBoxLayout(box)
    for part in parts:
        layout.addWidget(part)
    return box
