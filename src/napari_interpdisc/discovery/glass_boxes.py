"""Glass boxes that a referee asks for, on the inputs of the heads: L1 logistic, tree, EBM, FIGS.

Their sizes are counted by the rule of the formulas: nodes of the expression tree that each amounts
to. A choice ``if x ≤ c then a else b`` is one node, with the comparison, x and c beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import Float64Array
from napari_interpdisc.models.heads import RADIUS_SIZE
from napari_interpdisc.training.folds import grouped_folds

CHOICE = 4
"""Nodes of a choice: itself, the comparison, the input and the threshold."""

TREE_DEPTH, MOST_RULES = 3, 8
INNER_FOLDS = 5
"""Folds by group in which the strength of the L1 penalty is chosen."""

STRENGTHS = 12
"""Strengths of the penalty that are tried."""


@dataclass(frozen=True)
class GlassBox:
    """A fitted model that can be read.

    Attributes
    ----------
    predict
        Class position (N,) of inputs (N, D).
    size, inputs
        Nodes of the expression that it amounts to, and the inputs that occur in it.
    """

    predict: Callable[[Float64Array], npt.NDArray[np.int64]]
    size: int
    inputs: tuple[int, ...]


Fitter = Callable[[Float64Array, npt.NDArray[np.int64], npt.NDArray[np.int64], int, int], GlassBox]


def l1_squares(
    x: Float64Array,
    target: npt.NDArray[np.int64],
    group: npt.NDArray[np.int64],
    seed: int,
    radii: int = 0,
) -> GlassBox:
    """Logistic regression with an L1 penalty on inputs and their squares.

    The strongest penalty within one standard error of the best is taken, in folds by group.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.preprocessing import StandardScaler

    # scikit-learn 1.8 calls the penalty by its share of L1
    by_share = LogisticRegression().penalty == "deprecated"
    penalty: dict[str, Any] = {"l1_ratio": 1.0} if by_share else {"penalty": "l1"}

    def terms(values: Float64Array) -> Float64Array:
        return np.concatenate([values, values**2], 1)

    def fit(rows: npt.NDArray[np.intp], strength: float) -> tuple[Any, Any]:
        scaler = StandardScaler().fit(terms(x[rows]))
        model = LogisticRegression(
            **penalty, solver="liblinear", C=strength, class_weight="balanced", max_iter=500,
            random_state=seed,
        ).fit(scaler.transform(terms(x[rows])), target[rows])  # fmt: skip
        return scaler, model

    strengths = np.geomspace(0.003, 3, STRENGTHS)
    folds = list(grouped_folds(target, group, INNER_FOLDS, seed))
    scores = np.array(
        [
            [
                balanced_accuracy_score(target[test], m.predict(s.transform(terms(x[test]))))
                for train, test in folds
                for s, m in [fit(train, strength)]
            ]
            for strength in strengths
        ]
    )
    best = scores.mean(1).argmax()
    enough = scores[best].mean() - scores[best].std(ddof=1) / np.sqrt(len(folds))
    chosen = float(strengths[np.flatnonzero(scores.mean(1) >= enough)[0]])
    scaler, model = fit(np.arange(len(x)), chosen)
    weights = model.coef_[0]
    plain, squared = np.flatnonzero(weights[: x.shape[1]]), np.flatnonzero(weights[x.shape[1] :])
    return GlassBox(
        lambda values: np.asarray(model.predict(scaler.transform(terms(values))), np.int64),
        sum_size(plain, squared, x.shape[1], radii),
        tuple(sorted({*plain.tolist(), *squared.tolist()})),
    )


def sum_size(
    plain: npt.NDArray[np.intp], squared: npt.NDArray[np.intp], inputs: int, radii: int
) -> int:
    """Nodes of w₁x₁ + … + v₁x₁² + … + b: 3 for a term, 4 with a square, additions, and the bias."""
    terms = len(plain) + len(squared)
    leaves = np.concatenate([plain, squared])
    roots = RADIUS_SIZE * int((leaves >= inputs - radii).sum())
    return 3 * len(plain) + 4 * len(squared) + terms + 1 + roots


def tree(
    x: Float64Array,
    target: npt.NDArray[np.int64],
    group: npt.NDArray[np.int64],
    seed: int,
    radii: int = 0,
) -> GlassBox:
    """Decision tree of depth 3."""
    from sklearn.tree import DecisionTreeClassifier

    model = DecisionTreeClassifier(
        max_depth=TREE_DEPTH, class_weight="balanced", random_state=seed
    ).fit(x, target)
    features = [int(f) for f in model.tree_.feature if f >= 0]
    return GlassBox(
        lambda values: np.asarray(model.predict(values), np.int64),
        choices_size(features, x.shape[1], radii),
        tuple(sorted(set(features))),
    )


def choices_size(features: list[int], inputs: int, radii: int) -> int:
    """Nodes of choices on ``features``: four each, and a leaf more than there are choices."""
    roots = RADIUS_SIZE * sum(f >= inputs - radii for f in features)
    return CHOICE * len(features) + len(features) + 1 + roots


def ebm(
    x: Float64Array,
    target: npt.NDArray[np.int64],
    group: npt.NDArray[np.int64],
    seed: int,
    radii: int = 0,
) -> GlassBox:
    """Explainable boosting machine without interactions (interpret)."""
    from interpret.glassbox import ExplainableBoostingClassifier

    counts = np.bincount(target)
    model = ExplainableBoostingClassifier(interactions=0, n_jobs=1, random_state=seed)
    model.fit(x, target, sample_weight=len(target) / (len(counts) * counts[target]))
    features, size = [], 0
    for (feature,), scores in zip(model.term_features_, model.term_scores_, strict=True):
        # the first and the last stand for missing and unseen values
        steps = int((np.diff(np.asarray(scores)[1:-1]) != 0).sum())
        if steps:
            features.append(int(feature))
            # nested choices, and the addition
            size += choices_size([int(feature)] * steps, x.shape[1], radii) + 1
    return GlassBox(
        lambda values: np.asarray(model.predict(values), np.int64), size + 1, tuple(features)
    )


def figs(
    x: Float64Array,
    target: npt.NDArray[np.int64],
    group: npt.NDArray[np.int64],
    seed: int,
    radii: int = 0,
) -> GlassBox:
    """Sum of small trees, grown together (FIGS, imodels)."""
    from imodels import FIGSClassifier

    counts = np.bincount(target)
    model = FIGSClassifier(max_rules=MOST_RULES, random_state=seed)
    model.fit(x, target, sample_weight=len(target) / (len(counts) * counts[target]))
    trees = [_features_of(root) for root in model.trees_]
    size = sum(choices_size(found, x.shape[1], radii) for found in trees) + len(trees) - 1
    return GlassBox(
        lambda values: np.asarray(model.predict(values), np.int64),
        size,
        tuple(sorted({f for found in trees for f in found})),
    )


def _features_of(node: Any) -> list[int]:
    """Inputs of the choices of a tree of FIGS."""
    if node is None or node.left is None:
        return []
    return [int(node.feature), *_features_of(node.left), *_features_of(node.right)]


NEEDS = {"ebm": "interpret", "figs": "imodels"}
"""Package that a glass box needs beside those that are required."""

FITTERS: dict[str, Fitter] = {"l1": l1_squares, "tree": tree, "ebm": ebm, "figs": figs}


def available() -> dict[str, Fitter]:
    """Glass boxes whose packages are here, by name."""
    return {name: fit for name, fit in FITTERS.items() if name not in left_out()}


def left_out() -> dict[str, str]:
    """Glass boxes whose packages are not here, and what they need."""
    return {name: package for name, package in NEEDS.items() if find_spec(package) is None}
