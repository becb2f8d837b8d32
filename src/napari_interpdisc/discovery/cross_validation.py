"""Heads fitted by the recipe, tested on groups that they were not fitted on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.metrics import balanced_accuracy_score

from napari_interpdisc._types import Float32Array, Progress, silent
from napari_interpdisc.discovery.calibration import calibrated, calibration_factor
from napari_interpdisc.discovery.earlier import Earlier, folds_like, left_by, starts_of, usable
from napari_interpdisc.discovery.labelled import LabelledCells, check_labels
from napari_interpdisc.discovery.quality import Quality, measure
from napari_interpdisc.discovery.rashomon import default_row, true_front
from napari_interpdisc.discovery.recipe import (
    Fitting,
    Recipe,
    Steps,
    cell_logits,
    fit_heads,
    of_size,
    predicted_by,
)
from napari_interpdisc.discovery.results import (
    KINDS,
    CurvePoint,
    Discovery,
    FittedHead,
    FrontRow,
    Kind,
)
from napari_interpdisc.discovery.stages import (
    FormulasFound,
    FoundFormula,
    HeadsTested,
    OnStage,
    StageBegan,
    ignored,
)
from napari_interpdisc.models.cell_model import class_index, score_width
from napari_interpdisc.models.formula import FormulaHead
from napari_interpdisc.models.heads import Head
from napari_interpdisc.training.folds import Fold, grouped_folds

CURVE_SHARES = (0.25, 0.5, 0.75)
"""Shares of the training cells at which the learning curve is measured; 1 comes for free."""


def discover(
    cells: LabelledCells,
    recipe: Recipe | None = None,
    progress: Progress = silent,
    encoder_sha256: str = "",
    group_name: str = "track",
    studies: Path | None = None,
    on_stage: OnStage = ignored,
    earlier: Earlier | None = None,
) -> Discovery:
    """Train heads on labelled cells, and test each kind on held-out groups.

    Every head that is tested was fitted, its latents chosen and its formula found without the fold
    that it is tested on. Kinds come one after another, over all folds: dense heads are ready first.
    The formula that is used is that of :func:`napari_interpdisc.discovery.rashomon.default_row`.

    Parameters
    ----------
    cells
        Labelled cells. Cells without a class (target −1) are only told the class of. Cells of
        other laboratories are in every training set and in no test set.
    recipe
        Kinds of heads, folds, seed, and the settings of each training.
    progress
        Called often with (steps done, steps in all); an exception that it raises ends the work.
    encoder_sha256
        The encoder that made the latents; stored with the result.
    group_name
        What a group is called in sentences.
    studies
        SQLite file that keeps the studies of the sparsity; those that it holds are resumed.
    on_stage
        Told of each stage as it begins, of heads as soon as they are tested, and of formulas before
        they are.
    earlier
        What an earlier training left. Groups then stay in their folds, and each search of formulas
        begins with those that were found without the groups that it holds out.

    Raises
    ------
    InvalidInput
        If there are too few classes, cells or groups; before any training.
    MissingExtra
        If the chosen symbolic engine cannot run.
    """
    options = recipe or Recipe()
    home = np.flatnonzero(cells.tested)
    known = home[cells.target[home] >= 0]
    check_labels(cells.target[known], cells.group[known], cells.classes, options.folds, group_name)
    before = usable(earlier, cells, encoder_sha256)
    folds = _folds(cells, home, options, before)
    curve_kind = next(kind for kind in KINDS if kind in options.kinds)
    n_curve = len(CURVE_SHARES) * len(folds) if options.curve and curve_kind != "formula" else 0
    steps = Steps(progress, (len(folds) + 1) * len(options.kinds) + n_curve)
    training = _Training(cells, folds, options, known, steps, on_stage, studies, before)
    found = Discovery(
        classes=cells.classes,
        heads={},
        front=(),
        learning_curve=(),
        cells=len(known),
        groups=len(np.unique(cells.group[known])),
        folds=options.folds,
        encoder_sha256=encoder_sha256,
        engine="",
        settings=options.model_dump(mode="json"),
        group_name=group_name,
        target=cells.target[home],
        group=cells.group[home],
        data_sha256=_hash(cells),
    )
    for kind in (kind for kind in KINDS if kind in options.kinds):
        training.begin(kind)
        if kind == "formula":
            found = training.with_formulas(found)
        else:
            found = training.with_network(found, kind)
        on_stage(HeadsTested(found))
    if not n_curve:
        return found
    on_stage(StageBegan("curve", *steps.span(n_curve), n_curve))
    curve = _learning_curve(cells, folds, options, curve_kind, steps)
    curve.append(_end_of_curve(cells, folds, class_index(training.held_out[curve_kind])))
    return replace(found, learning_curve=tuple(curve))


@dataclass
class _Training:
    """Heads of all folds, and of all cells, that are fitted kind by kind.

    Attributes
    ----------
    known
        Rows of the cells that have a class and are tested on.
    earlier
        Training that answered the same question before, if there is one.
    held_out
        By kind, the (N, K) logits of heads that did not see a cell's group.
    """

    cells: LabelledCells
    folds: Sequence[Fold]
    options: Recipe
    known: npt.NDArray[np.intp]
    steps: Steps
    on_stage: OnStage
    studies: Path | None
    earlier: Earlier | None
    held_out: dict[Kind, Float32Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        cells, options, before = self.cells, self.options, self.earlier
        self.final = Fitting(
            cells, options, self.studies, () if before is None else before.final, cells.known
        )
        self.by_fold = [
            Fitting(
                cells, options, self.studies,
                () if before is None else starts_of(before, cells, test, place),
                _known(cells, train),
            )
            for place, (train, test) in enumerate(self.folds)
        ]  # fmt: skip

    def begin(self, kind: Kind) -> None:
        """Tell that a kind is trained now."""
        n = len(self.folds) + 1
        self.on_stage(StageBegan(kind, *self.steps.span(n), n))

    def with_network(self, found: Discovery, kind: Kind) -> Discovery:
        """Add a dense or sparse head, tested on held-out groups."""
        heads = [fitting.fit(kind, self.steps) for fitting in self.by_fold]
        head = self.final.fit(kind, self.steps)
        logits = _held_out(self.cells, self.folds, heads)
        return self._with_head(found, kind, head, logits)

    def with_formulas(self, found: Discovery) -> Discovery:
        """Add formulas: searched on all cells first, so that they can be seen, then tested."""
        self.final.fit("formula", self.steps)
        self.on_stage(FormulasFound(tuple(map(self._untested, self.final.fitted.front))))
        for fitting in self.by_fold:
            fitting.fit("formula", self.steps)
        fitted = [fitting.fitted for fitting in self.by_fold]
        rows, logits = [], {}
        for size, head in self.final.fitted.front:
            of_row = _held_out(self.cells, self.folds, [of_size(f.front, size) for f in fitted])
            told = self._untested((size, head)).training_balanced_accuracy
            rows.append(FrontRow(head, size, told, self._quality(of_row)))
            logits[head] = of_row
        front, dominated = true_front(rows)
        chosen = front[default_row(front)].head
        earlier = left_by(
            self.cells, self.folds, [f.by_class for f in fitted], self.final.fitted.by_class,
            found.encoder_sha256,
        )  # fmt: skip
        found = replace(
            found, front=front, dominated=dominated, engine=self.final.fitted.engine,
            earlier=earlier,
        )  # fmt: skip
        return self._with_head(found, "formula", chosen, logits[chosen])

    def _with_head(
        self, found: Discovery, kind: Kind, head: Head, logits: Float32Array
    ) -> Discovery:
        """Add a head whose kind gave these logits (N, K) to cells held out."""
        cells, known, home = self.cells, self.known, np.flatnonzero(self.cells.tested)
        self.held_out[kind] = logits
        # held-out cells tell how sure a head may be
        factor = calibration_factor(logits[known], cells.target[known])
        own = _calibrated_by_other_folds(logits, cells, self.folds)[home]
        fitted = FittedHead(kind, calibrated(head, factor), self._quality(logits), own)
        return replace(found, heads={**found.heads, kind: fitted})

    def _quality(self, logits: Float32Array) -> Quality:
        predicted, cells, known = class_index(logits[self.known]), self.cells, self.known
        return measure(
            cells.target[known], predicted, cells.group[known], len(cells.classes),
            self.options.seed,
        )  # fmt: skip

    def _untested(self, row: tuple[int, FormulaHead]) -> FoundFormula:
        size, head = row
        predicted = predicted_by(head, self.cells.take(self.known))
        accuracy = balanced_accuracy_score(self.cells.target[self.known], predicted)
        return FoundFormula(head, size, float(accuracy))


def _hash(cells: LabelledCells) -> str:
    digest = hashlib.sha256(json.dumps(cells.classes).encode())
    for values in (cells.latents, cells.target, cells.group):
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def _folds(
    cells: LabelledCells, home: npt.NDArray[np.intp], options: Recipe, earlier: Earlier | None
) -> list[Fold]:
    """Folds of the cells that are tested on; those of other laboratories are in every training."""
    others = np.flatnonzero(~cells.tested)
    kept = None if earlier is None else folds_like(earlier, cells.take(home), options.folds)
    found = kept or grouped_folds(
        cells.target[home], cells.group[home], options.folds, options.seed
    )
    return [(np.concatenate([home[train], others]), home[test]) for train, test in found]


def _known(cells: LabelledCells, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Those of ``rows`` that have a class."""
    return rows[cells.target[rows] >= 0]


def _held_out(cells: LabelledCells, folds: Sequence[Fold], heads: Sequence[Head]) -> Float32Array:
    """Logits (N, K) that each cell has from the head, one a fold, that did not see its group.

    Cells that are trained on alone have zeros.
    """
    logits = np.zeros((len(cells), score_width(cells.classes)), np.float32)
    for (_, test), head in zip(folds, heads, strict=True):
        logits[test] = cell_logits(head, cells.take(test))
    return logits


def _calibrated_by_other_folds(
    logits: Float32Array, cells: LabelledCells, folds: Sequence[Fold]
) -> Float32Array:
    """Held-out logits (N, K), each fold's times the factor that the other folds ask for.

    So no cell has a say in how sure the head may be of it.
    """
    tested = _known(cells, np.concatenate([test for _, test in folds]))
    scaled = np.zeros_like(logits)
    for _, test in folds:
        rows = np.setdiff1d(tested, test)
        scaled[test] = logits[test] * calibration_factor(logits[rows], cells.target[rows])
    return scaled


def _learning_curve(
    cells: LabelledCells, folds: Sequence[Fold], options: Recipe, kind: Kind, steps: Steps
) -> list[CurvePoint]:
    """Balanced accuracy of heads of one kind that were trained on shares of each class's cells."""
    draw = np.random.default_rng(options.seed)
    single = options.model_copy(update={"kinds": (kind,)})
    orders = [draw.permutation(_known(cells, train)) for train, _ in folds]
    points = []
    for share in CURVE_SHARES:
        sizes, scores = [], []
        for order, (_, test) in zip(orders, folds, strict=True):
            of_class = [order[cells.target[order] == k] for k in range(len(cells.classes))]
            some = np.concatenate([rows[: max(2, round(share * len(rows)))] for rows in of_class])
            head = fit_heads(cells.take(np.sort(some)), single, steps).heads[kind]
            sizes.append(len(some))
            rows = _known(cells, test)
            predicted = predicted_by(head, cells.take(rows))
            scores.append(balanced_accuracy_score(cells.target[rows], predicted))
        points.append(_point(sizes, scores))
    return points


def _end_of_curve(
    cells: LabelledCells, folds: Sequence[Fold], predicted: npt.NDArray[np.int64]
) -> CurvePoint:
    """The last point: all training cells of each fold."""
    tests = [_known(cells, test) for _, test in folds]
    scores = [balanced_accuracy_score(cells.target[rows], predicted[rows]) for rows in tests]
    return _point([len(_known(cells, train)) for train, _ in folds], scores)


def _point(sizes: Sequence[int], scores: Sequence[float]) -> CurvePoint:
    return CurvePoint(float(np.mean(sizes)), float(np.mean(scores)), float(np.std(scores, ddof=1)))
