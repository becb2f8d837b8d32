"""From an engine's candidates to formulas that a person can choose from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import Cancel, Progress, silent
from napari_interpdisc.errors import Cancelled, InvalidInput
from napari_interpdisc.models.formula import Formula, parse_formula
from napari_interpdisc.symbolic.invariant import invariant_rules
from napari_interpdisc.symbolic.refit import BalancedCells, refitted_on
from napari_interpdisc.symbolic.search import Candidate, balanced_sample, engines
from napari_interpdisc.symbolic.settings import SearchSettings
from napari_interpdisc.symbolic.tidy import bare, decision_form, smaller_forms, with_threshold

ROUNDS = 3
SLACK = 0.01
LEAST_GAIN = 0.002


@dataclass(frozen=True)
class FittedFormula:
    """One formula of a Pareto front.

    Attributes
    ----------
    formula
        f(z) ≥ 0 is class 1.
    size
        Nodes of its expression tree.
    loss
        Class-balanced logistic loss at the best positive scale.
    balanced_accuracy
        Mean of the two classes' accuracies, on the cells that it was fitted to.
    """

    formula: Formula
    size: int
    loss: float
    balanced_accuracy: float


@dataclass(frozen=True)
class FormulaFront:
    """The formulas that no smaller one beats, from small to large.

    Attributes
    ----------
    rows
        Larger formulas have a smaller loss.
    engine, engine_version
        What searched.
    refused
        Candidates that are no formulas of ours, or undefined at a cell.
    """

    rows: tuple[FittedFormula, ...]
    engine: str
    engine_version: str | None
    refused: int


def formula_front(
    latents: npt.NDArray[np.floating],
    target: npt.NDArray[np.integer],
    use: Sequence[int],
    settings: SearchSettings | None = None,
    progress: Progress | None = None,
    cancelled: Cancel | None = None,
    teacher: npt.NDArray[np.floating] | None = None,
    pairs: Sequence[tuple[int, int]] = (),
    properties: Sequence[str] = (),
    starts: Sequence[Formula] = (),
) -> FormulaFront:
    """Search formulas that separate two classes, from small and rough to large and exact.

    Parameters
    ----------
    latents
        (N, L), or (V, N, L) with V augmented crops of each cell; L + P columns if formulas may
        read P standardised properties, which come after the latents.
    target
        (N,) class 0 or 1.
    use
        Columns that the search may use.
    settings
        What to search, for how long, and with which engine; the seed decides the result.
    progress
        Called with (percent done, 100); an exception that it raises ends the search.
    cancelled
        Asked about ten times a second whether to stop.
    teacher
        (N,) or (V, N) logits of another head for the engine to imitate; constants are fitted to
        the target all the same.
    pairs
        Latents that rotate together as a cell rotates. If there are any, rules that do not
        change as it rotates (:func:`napari_interpdisc.symbolic.invariant.invariant_rules`, over all
        latents) are put beside what the engine found, on equal terms. So they are with properties.
    properties
        Names of the P properties.
    starts
        Formulas of an earlier search. Their constants are fitted anew, and they stand beside what
        the engine finds, on equal terms. They must come from cells that nothing is tested on.

    Raises
    ------
    InvalidInput
        If latents, target or ``use`` cannot be used, or the engine found no usable formula.
    EngineMissing, SearchFailed, Cancelled
        If the engine is not there, fails, or is stopped.
    """
    options = settings or SearchSettings()
    engine = engines[options.engine]
    given = np.asarray(latents, np.float64)
    given = given[None] if given.ndim == 2 else given
    flat = given.reshape(-1, given.shape[-1])
    classes = np.tile(np.asarray(target, np.int64), len(given))
    cells = BalancedCells(flat, classes, len(properties))
    n_latents = flat.shape[1] - len(properties)
    if not use or len(set(use)) != len(use) or not all(0 <= i < flat.shape[1] for i in use):
        raise InvalidInput(f"The search needs latents from z0 to z{n_latents - 1}, each once.")
    wanted = np.where(classes == 1, 1.0, -1.0)
    searched = wanted
    if teacher is not None:
        logits = np.broadcast_to(np.asarray(teacher, np.float64), given.shape[:2]).reshape(-1)
        searched = np.tanh(logits / 2)

    def engine_progress(done: int, of: int) -> None:
        if progress is not None:
            progress(round(80 * done / max(of, 1)), 100)

    names = [f"z{i}" if i < n_latents else properties[i - n_latents] for i in use]
    candidates = engine.search(
        flat[:, list(use)], searched, names, options, engine_progress, cancelled
    )
    formulas, refused = _parsed(candidates, n_latents, properties)
    rows, _ = balanced_sample(wanted, options.cells, options.seed)
    sample = BalancedCells(flat[rows], classes[rows], len(properties))
    rules = invariant_rules(sample.latents, sample.target, pairs, cancelled, properties)
    formulas += [parse_formula(rule, n_latents, properties=properties) for rule in rules]
    formulas += starts
    pool = _Pool(sample, options.max_size, cancelled)
    refused += _fill(pool, formulas, progress or silent)
    final = list(_refitted(pool.near_front(), cells, cancelled))
    if not final:
        raise InvalidInput(
            f"{engine.name} found no formula that these cells are fit for; let it search longer, "
            "or with more latents."
        )
    if progress is not None:
        progress(100, 100)
    return FormulaFront(tuple(pareto(final)), engine.name, engine.version, refused)


def _fill(pool: _Pool, formulas: Sequence[Formula], progress: Progress) -> int:
    """Take formulas into the pool, shorten them, and return how many are undefined at a cell."""
    refused = 0
    for n, formula in enumerate(formulas):
        refused += not pool.add(formula)
        progress(80 + 5 * (n + 1) // len(formulas), 100)
    for n in range(ROUNDS):
        if not pool.shorten():
            break
        progress(85 + 4 * (n + 1), 100)
    return refused


def _refitted(
    formulas: Sequence[Formula], cells: BalancedCells, cancelled: Cancel | None
) -> Iterator[FittedFormula]:
    """Formulas with their constants fitted to all cells, those that are better than chance."""
    for formula in formulas:
        _check(cancelled)
        refitted, loss = refitted_on(formula, cells, 8)
        accuracy = cells.balanced_accuracy(refitted)
        if np.isfinite(loss) and accuracy > 0.5:
            yield FittedFormula(refitted, refitted.size, loss, accuracy)


def pareto(rows: Sequence[FittedFormula]) -> list[FittedFormula]:
    """Rows whose loss is lower than any smaller row's, from small to large.

    A larger formula must gain :data:`LEAST_GAIN` to be worth reading.
    """
    kept: list[FittedFormula] = []
    for row in sorted(rows, key=lambda row: (row.size, row.loss, row.formula.text)):
        if not kept or row.loss < kept[-1].loss - LEAST_GAIN:
            kept.append(row)
    return kept


class _Pool:
    """Formulas by shape, each with its constants fitted to a sample of cells."""

    def __init__(self, cells: BalancedCells, max_size: int, cancelled: Cancel | None) -> None:
        self.cells, self.max_size, self.cancelled = cells, max_size, cancelled
        self.losses: dict[Formula, float] = {}
        self.seen: set[Formula] = set()
        self.shortened: set[Formula] = set()

    def add(self, formula: Formula) -> bool:
        """Take in an engine's formula, with and without its factors; False if undefined."""
        whole = decision_form(formula)
        if whole.is_constant or not np.isfinite(self.cells.loss(whole)):
            return False
        for form in (whole, bare(whole)):
            self._fit(form)
            moved = with_threshold(form)
            if moved is not None:
                self._fit(moved)
        return True

    def shorten(self) -> bool:
        """Try smaller forms of what is on the front; False if there were none to try."""
        new = [formula for formula in self.near_front() if formula not in self.shortened]
        for formula in new:
            self.shortened.add(formula)
            for form in smaller_forms(formula):
                self._fit(form)
                moved = with_threshold(form)
                if moved is not None:
                    self._fit(moved)
        return bool(new)

    def near_front(self) -> list[Formula]:
        """Formulas that no smaller one beats by more than a little on the sample."""
        kept: list[Formula] = []
        best = np.inf
        size = at_size = 0
        for formula, loss in sorted(
            self.losses.items(), key=lambda item: (item[0].size, item[1], item[0].text)
        ):
            at_size = at_size + 1 if formula.size == size else 1
            size = formula.size
            if loss < best - 1e-6 or (at_size == 2 and loss < best + SLACK):
                kept.append(formula)
            best = min(best, loss)
        return kept

    def _fit(self, formula: Formula) -> None:
        _check(self.cancelled)
        shape = formula.with_constants([1.0] * len(formula.constants))
        if shape in self.seen or formula.size > self.max_size:
            return
        self.seen.add(shape)
        refitted, loss = refitted_on(formula, self.cells, 25)
        refitted = decision_form(refitted)
        if np.isfinite(loss) and not refitted.is_constant:
            self.losses[refitted] = min(loss, self.losses.get(refitted, np.inf))


def _parsed(
    candidates: Sequence[Candidate], n_latents: int, properties: Sequence[str]
) -> tuple[list[Formula], int]:
    """Formulas without repeats, and how many candidates are none."""
    formulas: dict[Formula, None] = {}
    refused = 0
    for candidate in candidates:
        try:
            formula = parse_formula(candidate.expression, n_latents, properties=properties)
            formulas[formula] = None
        except InvalidInput:
            refused += 1
    return list(formulas), refused


def _check(cancelled: Cancel | None) -> None:
    if cancelled is not None and cancelled():
        raise Cancelled("The formula search was stopped.")
