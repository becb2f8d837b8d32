"""Dock widget *Scorecard*: change what must not matter, and count how often the class changes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from napari_interpdisc.errors import InterpdiscError
from napari_interpdisc.scrutiny.scorecard import Scorecard, ScorecardSettings, ScoreRow
from napari_interpdisc.widgets.canvas.compat import unwrapped
from napari_interpdisc.widgets.canvas.picking import connect_picking, look_at
from napari_interpdisc.widgets.parts.controls import StatusLine, WorkBar, button, folded
from napari_interpdisc.widgets.parts.links import connect_while_alive
from napari_interpdisc.widgets.parts.workers import Work
from napari_interpdisc.widgets.scorecard.choice_panel import ChoicePanel
from napari_interpdisc.widgets.scorecard.run import NO_CELLS, ScorecardResult, carry_out, plan
from napari_interpdisc.widgets.scorecard.table import FAILED, PASSED, ScoreTable
from napari_interpdisc.widgets.scorecard.worst_view import WorstView
from napari_interpdisc.widgets.session import session_of

READY = "Choose heads and cells, then press Run."
MINIMUM_HEIGHT = 300
SENTENCES_HEIGHT = 180
WIDTH = 410
"""Width, px, that shows three heads and three pairs of pictures side by side."""


class ScorecardWidget(QWidget):  # type: ignore[misc]
    """Test heads of the session's model against the domain constraints, on the session's cells.

    Results stay until the next run is finished. If cells, model or head change, they say so.

    Parameters
    ----------
    napari_viewer
        The viewer whose cells are tested.

    Attributes
    ----------
    settings
        Strength of the changes, and limits; the seed is that of the form.
    result
        What the last finished run found, or None.
    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self._viewer = unwrapped(napari_viewer)
        self.session = session_of(napari_viewer)
        connect_picking(napari_viewer, self.session)
        self.work = Work(self)
        self.settings = ScorecardSettings()
        self.result: ScorecardResult | None = None
        self._build()
        session = self.session
        connect_while_alive(
            self,
            (session.encoding_changed, self._encoding_changed),
            (session.model_changed, self._show_stale),
            (session.classification_changed, self._show_stale),
            (session.selected_changed, self._show_selected),
        )
        self.work.progressed.connect(self.progress.show_progress)
        self.work.running_changed.connect(self._show_running)
        self._show_result()
        self.status.say(NO_CELLS if session.encoding is None else READY)
        try:
            self.choice.show_heads()
        except InterpdiscError as fault:  # the bundled model is damaged
            self.status.fault(str(fault))

    def _build(self) -> None:
        self.choice = ChoicePanel(self._viewer, self.session)
        self.options = folded("What is tested")
        self.options.addWidget(self.choice)
        self.options.expand(animate=False)
        self.stale = StatusLine()
        self.stale.setToolTip("Whether the results below are of the present cells and model.")
        self.summary = QLabel()
        self.summary.setToolTip(
            "Tests that each head passed, of those with a limit, and the cells it was tested on. "
            "Cells are left out where the nucleus cannot be outlined reliably."
        )
        self.table = ScoreTable()
        self.table.picked.connect(self._show_worst)
        self.worst = WorstView()
        self.worst.chosen.connect(self._go_to)
        self.summary.setWordWrap(True)
        self.summary.setTextFormat(Qt.TextFormat.PlainText)
        self.summary.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.sentences = QPlainTextEdit()  # scrolls: many tests may fail
        self.sentences.setReadOnly(True)
        self.sentences.setTabChangesFocus(True)
        self.sentences.setFixedHeight(SENTENCES_HEIGHT)
        self.sentences.setToolTip("What was found, in sentences, the worst of each head first.")
        self.verdict = folded("Verdict in sentences")
        self.verdict.addWidget(self.sentences)
        self.run_button = button("Run", self.run, "Test the ticked heads on these cells.")
        self.cancel_button = button("Cancel", self._cancel, "Stop. The results do not change.")
        self.save_button = button(
            "Save …", self._save, "Write the results as a folder of tables, sentences and pictures."
        )
        self.progress = WorkBar("How much of the tests is done.")
        self.status = StatusLine()

        self.results = QWidget()
        inner = QVBoxLayout(self.results)
        inner.setContentsMargins(0, 0, 0, 0)
        for part in (self.stale, self.summary):
            inner.addWidget(part)
        inner.addWidget(self.table, 1)
        for part in (self.worst, self.verdict):
            inner.addWidget(part)
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.addWidget(self.options)
        layout.addWidget(self.results, 1)
        layout.addStretch()
        self.scroll = _Page()
        self.scroll.setWidgetResizable(True)
        self.scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        self.scroll.setWidget(page)
        self.scroll.setToolTip("Scroll for what does not fit.")
        foot = QVBoxLayout()
        foot.setContentsMargins(8, 0, 8, 0)
        buttons = QHBoxLayout()
        for knob in (self.run_button, self.cancel_button, self.save_button):
            buttons.addWidget(knob)
        foot.addLayout(buttons)
        foot.addWidget(self.progress)
        foot.addWidget(self.status)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 4)
        outer.addWidget(self.scroll, 1)
        outer.addLayout(foot)
        self.setMinimumHeight(MINIMUM_HEIGHT)
        self._show_running(False)

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """As wide as the results want to be; napari shares out the height."""
        return QSize(WIDTH, super().sizeHint().height())

    # -- what the user does ---------------------------------------------------------------------

    def run(self) -> None:
        """Test on a thread of its own, then show the result."""

        def begin() -> None:
            run = plan(self.session, self.choice.asked(), self.settings)
            heads = "one head" if len(run.heads) == 1 else f"{len(run.heads)} heads"
            self.status.say(f"Testing {heads} on {len(run.rows)} cells … {run.left_out}".rstrip())
            self.work.start(
                lambda progress: carry_out(run, progress), self._finished, self.status.fault
            )

        self._guarded(begin)

    def _guarded(self, action: Callable[[], Any]) -> None:
        try:
            action()
        except InterpdiscError as fault:
            self.status.fault(str(fault))

    def _cancel(self) -> None:
        self.work.cancel()
        self.status.say("Stopping …")

    def _go_to(self, row: int) -> None:
        if self.result is not None and self.result.has_cells_of(self.session):
            look_at(self._viewer, self.session, row)

    def _save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save in a new folder", "scorecard")
        if path:
            self.save_to(Path(path))

    def save_to(self, folder: Path) -> None:
        """Write the results into a new folder, on a thread: pictures take a moment."""
        result = self.result
        if result is None:
            return

        def begin() -> None:
            # matplotlib, which only this needs
            from napari_interpdisc.figures.scorecard_folder import write_scorecard
            from napari_interpdisc.io.results import check_empty_folder

            check_empty_folder(folder)
            self.status.say("Writing …")
            self.work.start(
                lambda progress: write_scorecard(
                    folder, result.cards, result.crops, result.note, progress, result.names
                ),
                lambda written: self.status.say(f"The scorecard was written to {written}."),
                self.status.fault,
            )

        self._guarded(begin)

    # -- what is shown --------------------------------------------------------------------------

    def _show_running(self, running: bool) -> None:
        self.run_button.setEnabled(not running)
        self.cancel_button.setEnabled(running)
        self.save_button.setEnabled(not running and self.result is not None)
        self.progress.show_running(running)
        if not running:
            self.status.say("Cancelled; nothing was changed.")

    def _encoding_changed(self, *_: Any) -> None:
        """Stop work on cells that are gone; results of them stay, and say so."""
        if self.work.running:
            self.work.stop()
            self.status.fault("The cells changed while this ran; run again.")
        elif self.session.encoding is None:
            self.status.say(NO_CELLS)
        elif self.status.text() == NO_CELLS:
            self.status.say(READY)
        self._show_stale()

    def _finished(self, result: ScorecardResult) -> None:
        first = self.result is None
        self.result = result
        if first:  # room for the results; from then on it stays as the user leaves it
            self.options.collapse(animate=False)
        self._show_result()
        self.save_button.setEnabled(True)
        cards = result.cards
        asked = sum(row.passed is not None for card in cards for row in card.rows)
        failed = sum(row.passed is False for card in cards for row in card.rows)
        self.status.say(
            f"Done: {failed} of {asked} tests of these cells failed. {result.run.left_out}".rstrip()
        )

    def _show_result(self) -> None:
        result = self.result
        self.results.setVisible(result is not None)
        self.worst.clear()
        if result is None:
            self.table.show_cards(())
            return
        self.summary.setText("\n".join(summary_of(result.cards)))
        self.sentences.setPlainText(sentences_of(result.cards))
        self.table.show_cards(result.cards)
        self._show_stale()
        self.table.pick_worst()

    def _show_stale(self, *_: Any) -> None:
        result = self.result
        if result is None:
            self.stale.clear()
        elif stale := result.stale(self.session):
            self.stale.fault(stale)
        else:
            self.stale.say(result.untested(self.session))
        self.stale.setVisible(bool(self.stale.text()))
        reachable = result is not None and result.has_cells_of(self.session)
        self.worst.set_reachable(reachable)

    def _show_worst(self, card: Scorecard, row: ScoreRow) -> None:
        if self.result is not None:
            self.worst.show_test(self.result, card, row)
            self._show_selected()
            for first, second in pairwise((self.table, *self.worst.buttons)):
                QWidget.setTabOrder(first, second)

    def _show_selected(self, *_: Any) -> None:
        selected = self.session.selected
        here = self.result is not None and self.result.has_cells_of(self.session)
        self.worst.mark([selected] if here and selected is not None else [])


class _Page(QScrollArea):  # type: ignore[misc]
    """Scrolls in height alone: never narrower than what is in it."""

    def minimumSizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        hint = super().minimumSizeHint()
        bar = self.verticalScrollBar().sizeHint().width()
        return QSize(self.widget().minimumSizeHint().width() + bar, hint.height())


def summary_of(cards: tuple[Scorecard, ...]) -> list[str]:
    """Tests passed by each head, what makes a head useless, and how many cells were tested."""
    lines = []
    for card in cards:
        asked = [row for row in card.rows if row.passed is not None]
        n = len(asked) - len(card.failed)
        mark = FAILED if card.failed else PASSED
        lines.append(f"{mark} {card.head}: {n} of {len(asked)} tests of these cells passed.")
        if card.remark:
            lines.append(f"    {card.remark}")
    first = cards[0]
    lines.append(f"{first.cells} cells of {first.groups} tracks were tested; {first.why_left_out}.")
    return lines


def sentences_of(cards: tuple[Scorecard, ...]) -> str:
    """What was found of each head in sentences, worst first: a paragraph for each."""
    return "\n\n".join("\n".join(f"• {told}" for told in card.sentences()) for card in cards)
