"""Labels to look at again: go to each, and keep or change it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QHeaderView, QLabel, QTableWidgetItem, QVBoxLayout, QWidget

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.widgets.discover.annotations import Annotations, Key
from napari_interpdisc.widgets.discover.held_out import present_row, told_place
from napari_interpdisc.widgets.parts.controls import button, row
from napari_interpdisc.widgets.parts.links import connect_while_alive
from napari_interpdisc.widgets.parts.tables import fit_height, plain_table
from napari_interpdisc.widgets.session import Session

if TYPE_CHECKING:
    from napari_interpdisc.discovery.audit import LabelAudit
    from napari_interpdisc.discovery.origins import Origins

TITLE = "Labels to look at again"
MOST = 200
"""Labels that are listed besides the doubtful ones: ``interpdisc train`` writes them all."""

CELL, FIT, LABEL, SUGGESTED = range(4)
WIDEST = 200
"""Width of a column, px: file names of other movies are long."""

NONE = "no label"
DOUBT, DONE = "⚠ ", "✓ "


class AuditView(QWidget):  # type: ignore[misc]
    """A row for each label, those first that heads which did not see it contradict.

    Signals
    -------
    looked
        Row of a cell, among those that were tested on, that is to be shown.
    relabelled
        Such a row, and the class that the cell is to have.
    titled
        The heading, with the number of doubtful labels that were not looked at.
    """

    looked = Signal(int)
    relabelled = Signal(int, str)
    titled = Signal(str)

    def __init__(self, session: Session, annotations: Annotations) -> None:
        super().__init__()
        self._session, self._annotations = session, annotations
        self._audit: LabelAudit | None = None
        self._origins: Origins | None = None
        self._rows: list[int | None] = []
        self._annotated: set[int] = set()
        self.told = QLabel()
        self.told.setWordWrap(True)
        self.told.setToolTip(
            "Found by cleanlab (confident learning), from the probabilities that heads give to "
            "cells of tracks that they were not trained on."
        )
        self.table = plain_table("Cell", "Fit", "Label", "Held out")
        self.table.setToolTip(
            "Choose a row to go to its cell.\n⚠: the label is taken for wrong. Fit: probability, 0 "
            "to 1, that heads give to the label which did not see the track. Held out: the class "
            "that they give."
        )
        self.table.setWordWrap(False)
        header = self.table.horizontalHeader()
        header.setMaximumSectionSize(WIDEST)
        header.setStretchLastSection(False)
        for column in (LABEL, SUGGESTED):  # long names are cut off, and whole in their tooltips
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Stretch)
        self.table.currentCellChanged.connect(self._moved)
        self.table.cellClicked.connect(lambda place, _: self._look(place))
        self.relabel = button(
            "Relabel as suggested",
            self._relabel,
            "Give the cell the class of the column 'Held out'. Undo takes it back.",
        )
        self.keep = button(
            "Keep label",
            self._keep,
            "Take the label for right: it is not asked about again. Undo takes it back.",
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for part in (self.told, self.table, row(self.relabel, self.keep)):
            layout.addWidget(part)
        connect_while_alive(
            self, (annotations.changed, self._refresh), (session.encoding_changed, self._find_rows)
        )
        self._show_buttons()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 (Qt's name)
        """Bring up to date what was not drawn while hidden."""
        super().showEvent(event)
        self._refresh()

    def show_audit(self, kind: str, audit: LabelAudit, origins: Origins) -> None:
        """Show what held-out heads of a kind say of the labels."""
        if audit is self._audit:
            return
        if origins is not self._origins:
            self._annotated = set()
        self._audit, self._origins = audit, origins
        n = max(int(audit.doubtful.sum()), min(MOST, len(audit.rows)))
        self.told.setText(
            f"{audit.sentence()} Asked were {kind} heads."
            + (f" The first {n} are listed." if n < len(audit.rows) else "")
        )
        self.table.setRowCount(0)
        self.table.setRowCount(n)
        for place in range(n):
            for column in range(4):
                self.table.setItem(place, column, QTableWidgetItem())
            self.table.item(place, FIT).setText(f"{audit.quality[place]:.2f}")
        self._find_rows()
        # a label that was removed after the training was one of it
        self._annotated |= set(self._annotations.by_row)
        self._refresh(always=True)
        fit_height(self.table)
        self._show_buttons()

    def _find_rows(self, *_: object) -> None:
        """Find the cells of the table among those in the window, once for these cells."""
        audit, origins = self._audit, self._origins
        if audit is None or origins is None:
            return
        self._rows = []
        for at in audit.rows[: self.table.rowCount()].tolist():
            try:
                self._rows.append(present_row(origins, at, self._session))
            except InvalidInput:
                self._rows.append(None)
        self._refresh()

    def _refresh(self, *_: object, always: bool = False) -> None:
        """Tell which labels were changed or kept meanwhile."""
        audit, origins = self._audit, self._origins
        if audit is None or origins is None or not (always or self.isVisible()):
            return
        waiting, by_row = 0, self._annotations.by_row
        for place in range(self.table.rowCount()):
            own = audit.classes[audit.labelled[place]]
            now = self._label_now(place, own, by_row)
            changed = now != own
            done = changed or self._key(place) in self._annotations.kept
            doubtful, suggested = bool(audit.doubtful[place]), audit.classes[audit.suggested[place]]
            waiting += doubtful and not done
            name = told_place(origins, int(audit.rows[place]), self._session)
            mark = DONE if done else DOUBT if doubtful else ""
            for column, text, tip in (
                (CELL, mark + name, name),
                (LABEL, now, f"{now} (was {own})" if changed else own),
                (SUGGESTED, suggested, suggested),
            ):
                item = self.table.item(place, column)
                item.setText(text)
                item.setToolTip(tip)
        self.titled.emit(f"{TITLE} ({waiting})" if waiting else TITLE)
        self._show_buttons()

    def _label_now(self, place: int, own: str, by_row: Mapping[int, str]) -> str:
        """Class that a cell has now; its own where that is not known."""
        at = self._rows[place]
        if at is None:
            return own
        return by_row.get(at, NONE if at in self._annotated else own)

    def _key(self, place: int) -> Key:
        assert self._audit is not None
        assert self._origins is not None
        at = int(self._audit.rows[place])
        y, x = self._origins.yx[at].tolist()
        label = self._audit.classes[self._audit.labelled[place]]
        return str(self._origins.movie[at]), int(self._origins.t[at]), y, x, label

    # -- what one does with them ----------------------------------------------------------------

    def _moved(self, place: int, _column: int, before: int, _before: int) -> None:
        if place >= 0 and place != before:
            self._look(place)

    def _look(self, place: int) -> None:
        assert self._audit is not None
        self._show_buttons()
        self.looked.emit(int(self._audit.rows[place]))

    def _show_buttons(self) -> None:
        place = self.table.currentRow()
        chosen = self._audit is not None and place >= 0
        self.keep.setEnabled(chosen)
        kept = chosen and self._key(place) in self._annotations.kept
        self.keep.setText("Ask again" if kept else "Keep label")
        self.relabel.setEnabled(
            chosen
            and self._audit is not None
            and bool(self._audit.labelled[place] != self._audit.suggested[place])
        )

    def _relabel(self) -> None:
        assert self._audit is not None
        place = self.table.currentRow()
        name = self._audit.classes[self._audit.suggested[place]]
        self.relabelled.emit(int(self._audit.rows[place]), name)
        at = self._rows[place]
        if at is not None and self._annotations.by_row.get(at) == name:
            self._next(place)

    def _keep(self) -> None:
        place = self.table.currentRow()
        key = self._key(place)
        wanted = key not in self._annotations.kept
        self._annotations.keep_label(key, wanted)
        if wanted:
            self._next(place)

    def _next(self, place: int) -> None:
        """Go on to the next row, if there is one."""
        if place + 1 < self.table.rowCount():
            self.table.setCurrentCell(place + 1, CELL)
