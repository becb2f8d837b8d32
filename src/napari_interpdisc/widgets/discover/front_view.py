"""The Pareto front of formulas: a table and a plot to pick from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QPoint, Qt, Signal
from qtpy.QtWidgets import QApplication, QLabel, QMenu, QTableWidgetItem, QVBoxLayout, QWidget

from napari_interpdisc.widgets.discover.quality_view import HELD_OUT, told
from napari_interpdisc.widgets.parts.controls import button
from napari_interpdisc.widgets.parts.tables import fit_height, plain_table
from napari_interpdisc.widgets.parts.value_plot import Value, ValuePlot

if TYPE_CHECKING:
    from napari_interpdisc.discovery.results import FrontRow
    from napari_interpdisc.discovery.stages import FoundFormula

FORMULA = 2
"""Column of the formula."""

USED = "The formula that is used, over the latents z0, z1 …"


class FrontView(QWidget):  # type: ignore[misc]
    """Formulas by rising size; picking one means to use it.

    Formulas that are not tested yet can be read, and not picked.

    Signals
    -------
    picked
        Place of the row that was picked.
    copied
        One sentence, once LaTeX is on the clipboard.
    """

    picked = Signal(int)
    copied = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.rows: tuple[FrontRow, ...] = ()
        self.untested: tuple[FoundFormula, ...] = ()
        self.row: int | None = None
        self._aliases: dict[int, str] = {}
        title = QLabel(
            "<b>Formulas</b>: each larger one does better on held-out cells. The smallest within "
            "the interval of the best is used; pick another to colour the cells by it."
        )
        title.setWordWrap(True)
        self.plot = ValuePlot("size (nodes of the formula)", "Held-out balanced accuracy")
        self.plot.setToolTip(HELD_OUT + " Click a point to use its formula.")
        self.plot.clicked.connect(self._pick)
        self.table = plain_table("Size", "Held out", "Formula")
        self.table.setToolTip("Pick a formula to colour the cells by it.\n" + HELD_OUT)
        self.table.cellClicked.connect(lambda row, _: self._pick(row))
        self.table.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.table.customContextMenuRequested.connect(self._menu)
        self.table.setWordWrap(False)
        self.formula = QLabel()
        self.formula.setWordWrap(True)
        self.formula.setTextFormat(Qt.TextFormat.PlainText)
        self.formula.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.formula.setToolTip(USED)
        self.copy = button(
            "Copy LaTeX", self.copy_latex, "Put the formula on the clipboard as LaTeX."
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for part in (title, self.table, self.plot, self.formula, self.copy):
            layout.addWidget(part)

    def show_front(
        self,
        rows: tuple[FrontRow, ...],
        classes: tuple[str, ...],
        row: int | None,
        aliases: Mapping[int, str] | None = None,
    ) -> None:
        """Show formulas, latents by alias, and mark one."""
        self.rows, self._classes, self._aliases = rows, classes, dict(aliases or {})
        self.untested = ()
        self.plot.setVisible(bool(rows))
        self.table.setRowCount(len(rows))
        for i, found in enumerate(rows):
            formula = found.show(self._aliases)
            for column, text in enumerate((str(found.size), told(found.quality), formula)):
                item = QTableWidgetItem(text)
                plain = found.text if column == FORMULA else text
                item.setToolTip(text if plain == text else f"{text}\n= {plain}")
                self.table.setItem(i, column, item)
        fit_height(self.table)
        self.plot.show_values(
            [Value(r.size, r.quality.balanced_accuracy, *r.quality.interval) for r in rows]
        )
        self.mark(row)

    def show_untested(
        self,
        rows: tuple[FoundFormula, ...],
        classes: tuple[str, ...],
        aliases: Mapping[int, str] | None = None,
    ) -> None:
        """Show formulas whose held-out accuracy is still being measured."""
        self.show_front((), classes, None, aliases)
        self.untested = rows
        self.table.setRowCount(len(rows))
        for i, found in enumerate(rows):
            text = "; ".join(f.show(aliases=self._aliases) for f in found.head.formulas)
            for column, value in enumerate((str(found.size), "testing …", text)):
                item = QTableWidgetItem(value)
                item.setToolTip(f"{value}\nIt can be picked once it was tested on held-out tracks.")
                self.table.setItem(i, column, item)
        fit_height(self.table)

    def mark(self, row: int | None) -> None:
        """Mark the formula that is used."""
        self.row = row
        self.plot.mark(row)
        self.copy.setEnabled(row is not None)
        if row is None:
            self.table.clearSelection()
            self.formula.clear()
            self.formula.setToolTip(USED)
            return
        self.table.selectRow(row)
        self.formula.setText(self._meaning(self.rows[row]))
        plain = self.rows[row].text
        self.formula.setToolTip(f"{USED}\n{plain}")

    def _meaning(self, found: FrontRow) -> str:
        """Say in words when which class is chosen."""
        texts = [f.show(aliases=self._aliases) for f in found.head.formulas]
        if len(texts) == 1:
            return f"{self._classes[1]} where {texts[0]} ≥ 0, else {self._classes[0]}"
        told = [f"{name}: {text}" for name, text in zip(self._classes, texts, strict=True)]
        return "The class with the highest value\n" + "\n".join(told)

    def copy_latex(self) -> None:
        """Put the marked formula on the clipboard."""
        self._copy(None if self.row is None else self._latex(self.rows[self.row]))

    def _latex(self, row: FrontRow) -> str:
        return row.latex(self._aliases, self._classes)

    def _copy(self, text: str | None, form: str = "LaTeX") -> None:
        if text is not None:
            QApplication.clipboard().setText(text)
            self.copied.emit(f"The formula is on the clipboard, as {form}.")

    def _menu(self, place: QPoint) -> None:
        item: Any = self.table.itemAt(place)
        if item is None or self.untested:
            return
        found, menu = self.rows[item.row()], QMenu(self)
        menu.addAction("Copy LaTeX", lambda: self._copy(self._latex(found), "LaTeX"))
        menu.addAction("Copy formula", lambda: self._copy(found.text, "text"))
        menu.exec(self.table.viewport().mapToGlobal(place))

    def _pick(self, row: int) -> None:
        if self.untested:
            self.table.clearSelection()
            return
        self.mark(row)
        self.picked.emit(row)
