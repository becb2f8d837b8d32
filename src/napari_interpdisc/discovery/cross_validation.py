"""Heads fitted by the recipe, tested on groups that they were not fitted on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.metrics import balanced_accuracy_score

from napari_interpdisc._types import Float32Array, Progress, silent
from napari_interpdisc.discovery.calibration import calibrated, calibration_factor
from napari_interpdisc.discovery.labelled import LabelledCells, check_labels
from napari_interpdisc.discovery.quality import Quality, measure
from napari_interpdisc.discovery.recipe import (
    FittedHeads,
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
) -> Discovery:
    """Train heads on labelled cells, and test each kind on held-out groups.

    Every head that is tested was fitted, its latents chosen and its formula found without the fold
    that it is tested on.

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
    folds = _folds(cells, home, options)
    curve_kind = next(kind for kind in KINDS if kind in options.kinds)
    n_curve = len(CURVE_SHARES) * len(folds) if options.curve and curve_kind != "formula" else 0
    steps = Steps(progress, (len(folds) + 1) * len(options.kinds) + n_curve)
    tested = [_without_fold(cells, fold, options, steps, studies) for fold in folds]
    final = fit_heads(cells.take(cells.known), options, steps, studies)

    def quality(logits: Float32Array) -> Quality:
        predicted, group = class_index(logits[known]), cells.group[known]
        return measure(cells.target[known], predicted, group, len(cells.classes), options.seed)

    held_out = {}
    for kind in options.kinds:
        held_out[kind] = _held_out(cells, folds, [fitted.heads[kind] for fitted in tested])
        # held-out cells tell how sure a head may be
        factor = calibration_factor(held_out[kind][known], cells.target[known])
        final.heads[kind] = calibrated(final.heads[kind], factor)
    front = []
    for size, head in final.front:
        of_row = _held_out(cells, folds, [of_size(fitted.front, size) for fitted in tested])
        on_training = balanced_accuracy_score(
            cells.target[known], predicted_by(head, cells.take(known))
        )
        front.append(FrontRow(head, size, float(on_training), quality(of_row)))
        chosen = final.heads["formula"]
        if isinstance(chosen, FormulaHead) and chosen.formulas == head.formulas:
            held_out["formula"] = of_row  # one formula, one figure
    curve = []
    if n_curve:
        curve = _learning_curve(cells, folds, options, curve_kind, steps)
        curve.append(_end_of_curve(cells, folds, class_index(held_out[curve_kind])))
    return Discovery(
        classes=cells.classes,
        heads={
            kind: FittedHead(
                kind,
                final.heads[kind],
                quality(held_out[kind]),
                _calibrated_by_other_folds(held_out[kind], cells, folds)[home],
            )
            for kind in KINDS
            if kind in options.kinds
        },
        front=tuple(front),
        learning_curve=tuple(curve),
        cells=len(known),
        groups=len(np.unique(cells.group[known])),
        folds=options.folds,
        encoder_sha256=encoder_sha256,
        engine=final.engine,
        settings=options.model_dump(mode="json"),
        group_name=group_name,
        target=cells.target[home],
        group=cells.group[home],
        data_sha256=_hash(cells),
    )


def _hash(cells: LabelledCells) -> str:
    digest = hashlib.sha256(json.dumps(cells.classes).encode())
    for values in (cells.latents, cells.target, cells.group):
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def _folds(cells: LabelledCells, home: npt.NDArray[np.intp], options: Recipe) -> list[Fold]:
    """Folds of the cells that are tested on; those of other laboratories are in every training."""
    others = np.flatnonzero(~cells.tested)
    found = grouped_folds(cells.target[home], cells.group[home], options.folds, options.seed)
    return [(np.concatenate([home[train], others]), home[test]) for train, test in found]


def _known(cells: LabelledCells, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Those of ``rows`` that have a class."""
    return rows[cells.target[rows] >= 0]


def _without_fold(
    cells: LabelledCells, fold: Fold, options: Recipe, steps: Steps, studies: Path | None
) -> FittedHeads:
    """Heads fitted on the training cells of one fold."""
    return fit_heads(cells.take(_known(cells, fold[0])), options, steps, studies)


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
