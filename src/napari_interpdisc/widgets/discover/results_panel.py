"""The part of the Discover widget that shows what was found, and from which one picks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QGroupBox, QVBoxLayout

from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.widgets.discover.front_view import FrontView
from napari_interpdisc.widgets.discover.quality_view import QualityView
from napari_interpdisc.widgets.discover.run import chosen_row, model_of
from napari_interpdisc.widgets.parts.controls import button
from napari_interpdisc.widgets.parts.rule_view import RuleView, rule_part
from napari_interpdisc.widgets.parts.wording import UNSAVED
from napari_interpdisc.widgets.session import Session

if TYPE_CHECKING:
    from napari_interpdisc.discovery.results import Discovery, FrontRow


class ResultsPanel(QGroupBox):  # type: ignore[misc]
    """Heads and formulas that one training found; nothing until there was one.

    Signals
    -------
    picked
        Kind of the head that is to colour the cells.
    said
        One sentence.
    save
        The button.
    """

    picked = Signal(str)
    said = Signal(str)
    save = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__("3  What was found")
        self._session = session
        self.found: Discovery | None = None
        self._base: CellModel | None = None
        self.row: int | None = None
        self.quality, self.front = QualityView(), FrontView()
        self.rule = RuleView(session)
        self.quality.chosen.connect(self.picked)
        self.front.picked.connect(self._pick_row)
        self.front.copied.connect(self.said)
        self.save_button = button(
            "Save as …", self.save.emit, "Write the heads, with their encoder, as a model folder."
        )
        layout = QVBoxLayout(self)
        self._rule_part = rule_part(self.rule)
        for part in (self.quality, self.front, self._rule_part, self.save_button):
            layout.addWidget(part)
        self.setVisible(False)

    def show_found(self, base: CellModel, found: Discovery) -> None:
        """Show what a training with the encoder of ``base`` found."""
        self.found, self._base, self.row = found, base, chosen_row(found)
        self.quality.show_found(found)
        self.front.show_front(found.front, found.classes, self.row, base.aliases)
        self.front.setVisible(bool(found.front))
        # below the table of formulas, which then stays where it is as rules of other heights appear
        box = self.front.layout() if found.front else self.layout()
        box.insertWidget(2 if found.front else 1, self._rule_part)
        self.setVisible(True)

    def model(self, name: str = UNSAVED) -> CellModel:
        """Return a model with what was found, and with the formula that was picked.

        Raises
        ------
        InvalidInput
            If nothing was found yet, or by another encoder.
        """
        assert self.found is not None
        assert self._base is not None
        return model_of(self._base, self.found, name, self._formula())

    def show_head(self) -> None:
        """Mark the head that colours the cells, if it is one of those that were found."""
        if self.found is None:
            return
        model, head = self._session.model, self._session.head_name
        kind = model.head(head).name if model.name == UNSAVED else None
        self.quality.show_chosen(kind, self._formula())
        self.front.mark(self.row)

    def _formula(self) -> FrontRow | None:
        """Row that was picked instead of the formula that the training chose."""
        assert self.found is not None
        if self.row is None or self.row == chosen_row(self.found):
            return None
        return self.found.front[self.row]

    def _pick_row(self, row: int) -> None:
        self.row = row
        self.picked.emit("formula")
