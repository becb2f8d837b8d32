"""The rule of the session's head: typeset, with one cell's values in it, or that there is none."""

from __future__ import annotations

import weakref
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget
from superqt import QCollapsible

from napari_interpdisc._types import Float64Array
from napari_interpdisc.errors import InterpdiscError
from napari_interpdisc.models.cell_model import NO_CLASS, CellModel, NamedHead, class_index
from napari_interpdisc.models.formula import SCORE_LIMIT
from napari_interpdisc.number_text import MINUS, with_sign
from napari_interpdisc.scrutiny.terms import Rule, Term, latent_weights, rule_of, told_rule
from napari_interpdisc.widgets.parts.controls import folded, let_grow
from napari_interpdisc.widgets.parts.links import connect_while_alive
from napari_interpdisc.widgets.parts.maths_view import MathsView
from napari_interpdisc.widgets.parts.sliders import wrapped
from napari_interpdisc.widgets.parts.term_bars import Bar, ClassLine, TermBars
from napari_interpdisc.widgets.parts.wording import NO_VALUE, cell_name
from napari_interpdisc.widgets.session import Session

NO_MODEL = "Run the Cells widget to see the rule of its head."
NO_CELL = "Click a cell in the viewer to see its values in the rule."
NO_CELLS = "Run the Cells widget to learn which latents weigh most."
UNDEFINED = "The formula has no value for these latents: no class."
CUT = "The head cuts scores at ±1,000,000."

MOST_LATENTS = 8
"""Of a dense head that are listed."""

MOST_CELLS = 4000
"""Over which a dense head's latents are weighed, evenly drawn: more take a noticeable time."""


def readable(text: str) -> str:
    """Text of a formula with the signs of printed maths: ``−2·z7²``."""
    for written, printed in (("**2", "²"), ("**3", "³"), ("**", "^"), ("*", "·"), ("-", MINUS)):
        text = text.replace(written, printed)
    return text


class RuleView(QWidget):  # type: ignore[misc]
    """What the session's head does: its rule, and each term's share of one cell's score.

    It follows the model, the head and the selected cell, and does nothing while hidden. Of a dense
    head it says that there is no rule, and lists the latents that weigh most.

    Parameters
    ----------
    session
        Whose head and cell to show.
    own_cell
        False if the owner tells the latents by :meth:`show_latents`.

    Signals
    -------
    titled
        A heading, whenever the head changes; also while hidden.
    """

    titled = Signal(str)

    def __init__(self, session: Session, own_cell: bool = True) -> None:
        super().__init__()
        self._session, self._own_cell = session, own_cell
        self._given: npt.NDArray[Any] | None = None
        self._shown: object = None
        self._weighed: tuple[object, Any, Float64Array, int] | None = None
        self._listed = False
        self.rule: Rule | None = None
        self.about = _label("What kind of head this is, and when it chooses which class.")
        self.classes: list[ClassLine] = []
        self._tips: list[list[str]] = []
        self.maths: list[MathsView] = []
        self.cell = _label("Whose values are filled in.")
        self.bars = TermBars()
        self.verdict = _label("The sum of the terms is the score, and the score is the class.")
        self._rules = QVBoxLayout()
        self._rules.setSpacing(2)
        self.setToolTip("The rule of the head, and what each of its terms adds to the score.")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 4)
        layout.setSpacing(4)
        layout.addLayout(self._rules)
        for part in (self.about, self.cell, self.bars, self.verdict):
            layout.addWidget(part)
        connect_while_alive(
            self,
            (session.model_changed, self._head_changed),
            (session.encoding_changed, self._head_changed),
            (session.classification_changed, self._head_changed),
            (session.selected_changed, self._cell_changed),
        )

    # -- what to show -----------------------------------------------------------------------------

    @property
    def title(self) -> str:
        """A heading: whose rule this is."""
        if not self._session.has_model:
            return "Rule"
        try:
            named = self._session.model.head(self._session.head_name)
        except InterpdiscError:
            return "Rule"
        if _is_dense(named):
            return f"No rule: '{named.name}' is a dense network"
        return f"Rule: '{named.name}'"

    def show_latents(self, latents: npt.NDArray[Any] | None) -> None:
        """Fill in latents (L,) that the owner has, or none."""
        self._given = latents
        self._cell_changed()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 (Qt's name)
        """Catch up with what changed while hidden."""
        super().showEvent(event)
        self._head_changed()

    def _head_changed(self, *_: Any) -> None:
        self.titled.emit(self.title)
        if not self.isVisible():
            return
        if not self._session.has_model and self._session.encoding is None:
            self._show_nothing(NO_MODEL)
            return
        try:
            model = self._session.model
            named = model.head(self._session.head_name)
        except InterpdiscError as fault:
            self._show_nothing(str(fault))
            return
        if self._shown != (model.sha256, named.name):
            self._shown = (model.sha256, named.name)
            self._show_head(model, named)
        self._cell_changed()

    def _cell_changed(self, *_: Any) -> None:
        if not self.isVisible() or self._shown is None:
            return
        if self.rule is None:
            self._show_weights()
        else:
            self._show_terms(self.rule)

    def _latents(self) -> npt.NDArray[Any] | None:
        """Latents (L,) to fill in: the owner's, or those of the selected cell."""
        if not self._own_cell:
            return self._given
        encoding, row = self._encoding(), self._session.selected
        if encoding is None or row is None or not encoding.usable[row]:
            return None
        return np.asarray(encoding.latents[row])

    def _measured(self, rule: Rule) -> dict[str, npt.NDArray[Any]] | None:
        """Properties, (1,) each, of the selected cell that a rule reads; None if it lacks one."""
        encoding, row = self._encoding(), self._session.selected
        if not len(rule.properties):
            return {}
        if encoding is None or row is None:
            return None
        found = {name: np.asarray(v)[[row]] for name, v in encoding.properties.items()}
        known = all(np.isfinite(found.get(name, np.nan)).all() for name in rule.properties.names)
        return found if known else None

    def _encoding(self) -> Any:
        """The present cells, if the model reads their latents."""
        encoding = self._session.encoding
        if encoding is None or encoding.encoder_sha256 != self._session.model.encoder_sha256:
            return None
        return encoding

    # -- a head -----------------------------------------------------------------------------------

    def _show_nothing(self, why: str) -> None:
        self._shown = self.rule = None
        self._make_rules(())
        self.about.setText(why)
        self.about.setVisible(True)
        for part in (self.cell, self.bars, self.verdict):
            part.setVisible(False)

    def _show_head(self, model: CellModel, named: NamedHead) -> None:
        self._listed = False
        told = len(named.head.properties) and named.head.kind == "sparse"
        self.rule = None if _is_dense(named) or told else rule_of(named, model)
        if self.rule is None:
            self._make_rules(())
            self.about.setVisible(True)
            weights = f"'{escape(named.name)}' is a {named.head.kind} network of "
            self.about.setText(
                f"{weights}{named.head.n_weights} weights that reads measured properties: "
                f"{'. '.join(map(escape, told_rule(named, model)))}"
                if len(named.head.properties)
                else f"{weights}{named.head.n_weights} weights: there is no rule to read."
            )
            return
        rule = self.rule
        self._tips = [
            [wrapped(*_meanings(model, term.latents)) for term in terms] for terms in rule.terms
        ]
        self._make_rules(rule.scored if len(rule.terms) > 1 else ("",))
        for k, maths in enumerate(self.maths):
            plain = f"score = {rule.text(k)}"
            maths.show_sum((r"\mathrm{score} =", *rule.latex_parts(k)), plain)
            used = sorted({i for term in rule.terms[k] for i in term.latents})
            nets = (f"{name} reads {', '.join(of)}" for name, of in rule.sub_networks.items())
            stored = told_rule(named, model) if rule.kind == "formula" else ()
            maths.setToolTip(wrapped(plain, *stored, *nets, *_meanings(model, used)))

    def _make_rules(self, names: tuple[str, ...]) -> None:
        """Make room for a rule for each class; a name that is empty has no heading."""
        while self._rules.count():
            item = self._rules.takeAt(0).widget()
            item.hide()
            item.deleteLater()
        self.classes, self.maths = [], []
        for name in names:
            if name:
                line = ClassLine(name)
                self.classes.append(line)
                self._rules.addWidget(line)
            maths = MathsView()
            self.maths.append(maths)
            self._rules.addWidget(maths)

    # -- a cell -----------------------------------------------------------------------------------

    def _show_terms(self, rule: Rule) -> None:
        z = self._latents()
        measured = self._measured(rule)
        if measured is None:
            z = None  # what the rule reads is not known of this cell
        has = z is not None
        alone = len(rule.terms) == 1
        self.about.setVisible(rule.kind == "sparse" or not has)  # else the verdict says it
        words = _in_words(rule, with_classes=not has)
        read = rule.properties.told()
        held = "Measured properties are held at the cell's own values." * (not self._own_cell)
        self.about.setVisible(self.about.isVisible() or bool(read))
        _set(self.about, " ".join(filter(None, (words, escape(read), held if read else ""))))
        self.bars.setVisible(has)
        self.verdict.setVisible(has)
        if z is None:
            self.cell.setVisible(True)
            _set(self.cell, self._why_no_cell())
            for line in self.classes:
                line.show_score(None, False)
            return
        shares = [values[0] for values in rule.contributions(z[None], measured)]
        with np.errstate(invalid="ignore"):  # ∞ − ∞: the formula is undefined, which is said below
            sums = np.array([float(values.sum()) for values in shares])
        scores = np.clip(sums, -SCORE_LIMIT, SCORE_LIMIT)
        decides = int(class_index(scores[None])[0])
        which = 0 if alone else decides
        if which == NO_CLASS:  # the terms of the formula that has none
            which = int(np.isnan(scores).argmax())
        for k, line in enumerate(self.classes):
            line.show_score(float(scores[k]), k == which and decides != NO_CLASS)
        filled = rule.filled(z, measured)[which]
        bars = []
        for term, numbers, value, tip in zip(
            rule.terms[which], filled, shares[which].tolist(), self._tips[which], strict=True
        ):
            written = "" if term.constant else readable(numbers)
            told = " = ".join(filter(None, (_called(term), written, with_sign(value))))
            bars.append(Bar(_called(term), written, value, f"{told}\n{tip}".strip()))
        total = Bar("Sum = score", "", float(sums[which]), "The terms add up to the score.")
        self.bars.show_bars(bars, total)
        self.cell.setVisible(self._own_cell or not alone)
        _set(self.cell, self._whose(rule, which))
        _set(self.verdict, _conclusion(rule, sums, decides))

    def _whose(self, rule: Rule, which: int) -> str:
        session = self._session
        if not self._own_cell:
            told = "With the latents as they are set"
        else:
            assert session.encoding is not None
            assert session.selected is not None
            is_movie = session.frames is not None and session.frames.is_movie
            told = cell_name(session.encoding, session.selected, is_movie)
        return f"{told}: {escape(rule.scored[which])}" if len(rule.terms) > 1 else told

    def _why_no_cell(self) -> str:
        encoding, row = self._encoding(), self._session.selected
        if encoding is not None and row is not None and not encoding.usable[row]:
            return f"This cell has {encoding.no_pixels[row]}, and so no values."
        if encoding is not None and row is not None:
            return "No whole nucleus was found in the middle of this cell to measure."
        return NO_CELL

    def _show_weights(self) -> None:
        """List the latents that weigh most in a head without a rule."""
        self.verdict.setVisible(False)
        if len(self._session.model.head(self._session.head_name).head.properties):
            self.bars.setVisible(False)
            self.cell.setVisible(False)
            return
        encoding, model = self._encoding(), self._session.model
        rows = np.flatnonzero(encoding.usable) if encoding is not None else np.zeros(0, int)
        self.cell.setVisible(True)
        self.bars.setVisible(bool(len(rows)))
        if not len(rows):
            self.cell.setText(NO_CELLS)
            return
        known = self._weighed
        if known is None or known[0] != self._shown or known[1]() is not encoding:
            step = -(-len(rows) // MOST_CELLS)
            some = encoding.latents[rows[::step]]
            weights = latent_weights(model.head(self._session.head_name).head, some)
            self._weighed = known = self._shown, weakref.ref(encoding), weights, len(some)
            self._listed = False
        if self._listed:
            return
        self._listed = True
        _, _, weights, n = known
        mean = weights.mean(0)
        largest = [int(i) for i in np.argsort(-mean, kind="stable")[:MOST_LATENTS]]
        self.bars.show_bars([_weight_bar(model, i, float(mean[i])) for i in largest], signed=False)
        of = "the scores of the classes" if len(weights) > 1 else "the score"
        self.cell.setText(
            f"Latents that weigh most in {of} of {n} cells: mean |gradient · (z {MINUS} mean z)|. "
            "This does not tell how they act together."
        )


def rule_part(view: RuleView, expanded: bool = True) -> QCollapsible:
    """Put a rule under a heading that folds it."""
    part = folded(view.title)
    view.titled.connect(part.setText)
    let_grow(part, view)
    part.toggleButton().setToolTip("Show or fold the rule of the head.")
    if expanded:
        part.expand(animate=False)
    return part


def _label(tip: str) -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    label.setToolTip(tip)
    label.setTextFormat(Qt.TextFormat.RichText)
    return label


def _set(label: QLabel, text: str) -> None:
    """Set a text only if it changes: each time the whole dock is laid out anew."""
    if label.text() != text:
        label.setText(text)


def _is_dense(named: NamedHead) -> bool:
    return named.head.kind not in ("formula", "sparse")


def _meanings(model: CellModel, latents: Any) -> list[str]:
    """A line for each latent: what it stands for, and why."""
    return [
        f"z{i} {model.latent_about(i) or 'has no name; what it follows was never measured'}"
        for i in latents
    ]


def _called(term: Term) -> str:
    """A term to read, with what its sub-network reads."""
    text = readable(term.text)
    return f"{text}({', '.join(term.reads)})" if term.reads else text


def _weight_bar(model: CellModel, latent: int, weight: float) -> Bar:
    tip = f"z{latent} moves the score by {weight:.2f} on average."
    return Bar(model.latent_label(latent), "", weight, wrapped(tip, *_meanings(model, [latent])))


def _in_words(rule: Rule, with_classes: bool) -> str:
    """What g is, and when which class is chosen."""
    told = ["Each g is what a neuron before the output gives."] if rule.kind == "sparse" else []
    if with_classes and len(rule.terms) == 1:
        first, second = map(escape, rule.classes)
        told.append(f"Score ≥ 0 ⇒ {second}, else {first}.")
    elif with_classes:
        told.append("The class with the highest score is chosen.")
    return " ".join(told)


def _conclusion(rule: Rule, sums: Float64Array, decides: int) -> str:
    """What the sum means for the class."""
    if decides == NO_CLASS:
        return f"Score {NO_VALUE}. {UNDEFINED}"
    chosen = f"<b>{escape(rule.classes[decides])}</b>"
    if len(sums) == 1:
        other = escape(rule.classes[1 - decides])
        told = f"Score {'≥' if decides else '&lt;'} 0 ⇒ {chosen}, else {other}"
    else:
        told = f"The highest score ⇒ {chosen}"
    if (np.abs(sums) > SCORE_LIMIT).any():
        told += f"<br>{CUT}"
    return told
