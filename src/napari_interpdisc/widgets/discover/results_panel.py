"""The part of the Discover widget that shows what was found, and from which one picks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QGroupBox, QVBoxLayout, QWidget

from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.widgets.discover.annotations import Annotations
from napari_interpdisc.widgets.discover.audit_view import TITLE as LABELS
from napari_interpdisc.widgets.discover.audit_view import AuditView
from napari_interpdisc.widgets.discover.calibration_view import TITLE as CALIBRATION
from napari_interpdisc.widgets.discover.calibration_view import CalibrationView
from napari_interpdisc.widgets.discover.front_view import FrontView
from napari_interpdisc.widgets.discover.quality_view import QualityView
from napari_interpdisc.widgets.discover.run import chosen_row, model_of
from napari_interpdisc.widgets.parts.controls import button, folded, let_grow
from napari_interpdisc.widgets.parts.links import connect_while_alive
from napari_interpdisc.widgets.parts.rashomon_view import TITLE as RASHOMON
from napari_interpdisc.widgets.parts.rashomon_view import RashomonView
from napari_interpdisc.widgets.parts.rule_view import RuleView, rule_part
from napari_interpdisc.widgets.parts.wording import UNSAVED
from napari_interpdisc.widgets.session import Session

if TYPE_CHECKING:
    from napari_interpdisc.discovery.results import Discovery, FrontRow, Kind
    from napari_interpdisc.discovery.stages import FoundFormula
    from napari_interpdisc.widgets.discover.held_out import HeldOut


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

    def __init__(self, session: Session, annotations: Annotations) -> None:
        super().__init__("3  What was found")
        self._session = session
        self._held_out: HeldOut | None = None
        self.found: Discovery | None = None
        self._base: CellModel | None = None
        self.row: int | None = None
        self.saved: dict[str, CellModel] = {}
        """Models that what is shown was saved as, by their SHA-256."""
        self.quality, self.front = QualityView(), FrontView()
        self.rule = RuleView(session)
        self.audit = AuditView(session, annotations)
        self.calibration, self.rashomon = CalibrationView(), RashomonView(session.delta)
        self.rashomon.delta_changed.connect(session.set_delta)
        self.by_disagreement = QCheckBox("Colour cells by disagreement of these heads")
        self.by_disagreement.setToolTip(
            "Colour each cell by the share of these heads that give it another class than most do. "
            "The legend is in Classify."
        )
        self.by_disagreement.toggled.connect(self._choose_colouring)
        self.quality.chosen.connect(self.picked)
        self.front.picked.connect(self._pick_row)
        self.front.copied.connect(self.said)
        self.save_button = button(
            "Save as …", self.save.emit, "Write the heads, with their encoder, as a model folder."
        )
        layout = QVBoxLayout(self)
        self._rule_part = rule_part(self.rule)
        self._checks = self._folded_checks()
        for part in (self.quality, self.front, self._rule_part, *self._checks, self.save_button):
            layout.addWidget(part)
        self.setVisible(False)
        connect_while_alive(
            self,
            (session.compared_changed, self._show_compared),
            (session.colouring_changed, self._show_colouring),
        )

    def _folded_checks(self) -> tuple[QWidget, ...]:
        """Labels, calibration and Rashomon set, each under a heading that folds it."""
        heads = QWidget()
        inner = QVBoxLayout(heads)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.addWidget(self.rashomon)
        inner.addWidget(self.by_disagreement)
        parts = []
        for title, view in (
            (LABELS, self.audit),
            (CALIBRATION, self.calibration),
            (RASHOMON, heads),
        ):
            part = folded(title)
            let_grow(part, view)
            parts.append(part)
        self.labels_part, self.calibration_part, self.rashomon_part = parts
        self.audit.titled.connect(self.labels_part.setText)
        return tuple(parts)

    def show_found(
        self, base: CellModel, found: Discovery, held_out: HeldOut | None = None
    ) -> None:
        """Show what a training with the encoder of ``base`` found.

        Without ``held_out``, nothing is told of labels and confidences.
        """
        # a learning curve that comes last changes no formula: what was picked stays picked
        same = bool(found.front) and self.found is not None and found.front is self.found.front
        self.row = self.row if same else chosen_row(found)
        self.found, self._base = found, base
        self._held_out = held_out
        self.saved.clear()
        for part in self._checks:
            part.setVisible(held_out is not None)
        self._show_checks(next(iter(found.heads)))
        self.quality.show_found(found)
        self.front.show_front(found.front, found.classes, self.row, base.aliases)
        self.front.setVisible(bool(found.front))
        # below the table of formulas, which then stays where it is as rules of other heights appear
        box = self.front.layout() if found.front else self.layout()
        box.insertWidget(2 if found.front else 1, self._rule_part)
        self.setVisible(True)

    def show_untested(
        self, base: CellModel, rows: tuple[FoundFormula, ...], classes: tuple[str, ...]
    ) -> None:
        """Show formulas that came up while their figures are measured."""
        self.front.show_untested(rows, classes, base.aliases)
        self.front.setVisible(True)
        self.setVisible(True)

    def end_of_search(self) -> None:
        """Put away formulas that were never tested: nobody knows what they are worth."""
        if self.front.untested:
            self.front.show_front((), (), None)
            self.front.setVisible(False)
            self.setVisible(self.found is not None)

    def model(self, name: str = UNSAVED) -> CellModel:
        """Return a model with what was found, and with the formula that was picked.

        Raises
        ------
        InvalidInput
            If nothing was found yet, or by another encoder.
        """
        assert self.found is not None
        assert self._base is not None
        compared = None
        if self._held_out is not None:
            compared = self._held_out.compared.within(self._session.delta)
        return model_of(self._base, self.found, name, self._formula(), compared)

    def model_with(self, kind: str) -> CellModel:
        """Return the model with a head that was found: one that it was saved as, if there is one.

        Raises
        ------
        InvalidInput
            As in :meth:`model`.
        """
        now = self.model()
        for one in reversed(self.saved.values()):
            if kind in one.heads and kind in now.heads and one.scores_as(now, kind, kind):
                return one
        return now

    def is_of(self, model: CellModel) -> bool:
        """Whether a model has what is shown here, saved or not."""
        return model.name == UNSAVED or model.sha256 in self.saved

    def show_head(self) -> None:
        """Mark the head that colours the cells, if it is one of those that were found."""
        if self.found is None:
            return
        model, head = self._session.model, self._session.head_name
        kind = model.head(head).name if self.is_of(model) else None
        self.quality.show_chosen(kind, self._formula())
        # the rule is that of the head that colours the cells: of another model, it is not here
        self._rule_part.setVisible(kind is not None)
        self.front.mark(self.row)
        if kind in self.found.heads:
            self._show_checks(kind)

    def _show_checks(self, kind: Kind) -> None:
        """Show what held-out heads of a kind say of labels and confidences."""
        held_out = self._held_out
        if held_out is None or self.found is None:
            return
        self.audit.show_audit(kind, held_out.audits[kind], held_out.origins)
        if kind == "formula" and self._formula() is not None:
            self.calibration.say(
                "Confidences of this formula are not calibrated on held-out cells: the training "
                "did so for the one that it chose."
            )
        else:
            self.calibration.show_reliability(held_out.reliabilities[kind], self.found.group_name)
        self._show_compared()

    def _show_compared(self, *_: object) -> None:
        """Show the heads that are about as good: on the cells in the window, or the labelled."""
        held_out, session = self._held_out, self._session
        self.rashomon.show_delta(session.delta)
        if held_out is None or self._base is None:
            return
        own = self.is_of(session.model) and session.as_good is not None
        self.by_disagreement.setEnabled(own)
        if own and session.as_good is not None:
            self.rashomon.show_set(session.as_good, self._base)
        else:
            found = held_out.compared.within(session.delta)
            self.rashomon.show_set(found, self._base, "labelled cells")

    def _choose_colouring(self, wanted: bool) -> None:
        self._session.set_colouring("disagreement" if wanted else "class")

    def _show_colouring(self, colouring: str) -> None:
        self.by_disagreement.blockSignals(True)
        self.by_disagreement.setChecked(colouring == "disagreement")
        self.by_disagreement.blockSignals(False)

    def _formula(self) -> FrontRow | None:
        """Row that was picked instead of the formula that the training chose."""
        assert self.found is not None
        if self.row is None or self.row == chosen_row(self.found):
            return None
        return self.found.front[self.row]

    def _pick_row(self, row: int) -> None:
        self.row = row
        self.picked.emit("formula")
