"""Short rules that say the same of a cell however it is rotated, to stand beside an engine's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from napari_interpdisc._types import Cancel, Float64Array
from napari_interpdisc.errors import Cancelled

MOST_TERMS = 4
BEAM = 3
"""Rules that are carried on from one number of terms to the next."""

RIDGE = 100.0
"""Inverse penalty on the weights of standardised terms: none to speak of."""


@dataclass(frozen=True)
class _Term:
    """One summand: how it is written, and its values (N,)."""

    text: str
    values: Float64Array


def invariant_rules(
    latents: npt.NDArray[np.floating],
    target: npt.NDArray[np.integer],
    pairs: Sequence[tuple[int, int]],
    cancelled: Cancel | None = None,
    properties: Sequence[str] = (),
) -> list[str]:
    """Weighted sums of invariant latents, their squares, and r² of rotating pairs.

    Measured properties do not change as a cell rotates, and are treated as invariant latents.

    Terms are added one by one, each time those that lower the class-balanced logistic loss most;
    the :data:`BEAM` best rules of every number of terms are returned.

    Parameters
    ----------
    latents
        (N, L), or (N, L + P) with P standardised properties after the latents.
    target
        (N,) class 0 or 1.
    pairs
        Latents that rotate together: only z_a² + z_b² of them is used.
    cancelled
        Asked before each step whether to stop.
    properties
        Names of the P properties.

    Returns
    -------
    Rules, f(z) ≥ 0 being class 1, as text that
    :func:`napari_interpdisc.models.formula.parse_formula` reads; none without pairs and
    properties.

    Raises
    ------
    Cancelled
        If ``cancelled`` says so.
    """
    if not pairs and not properties:
        return []
    values = np.asarray(latents, np.float64)
    paired = {i for pair in pairs for i in pair}
    first = 0 if pairs else values.shape[1] - len(properties)  # without pairs, nothing is known
    places = range(first, values.shape[1])
    still = [i for i in places if i not in paired and values[:, i].std() > 0]
    n = values.shape[1] - len(properties)
    names = [*(f"z{i}" for i in range(n)), *properties]
    terms = [_Term(names[i], values[:, i]) for i in still]
    terms += [_Term(f"square({names[i]})", values[:, i] ** 2) for i in still]
    terms += [
        _Term(f"(square(z{a}) + square(z{b}))", values[:, a] ** 2 + values[:, b] ** 2)
        for a, b in pairs
    ]
    positive = np.asarray(target) == 1
    beam: list[tuple[int, ...]] = [()]
    rules = []
    for _ in range(min(MOST_TERMS, len(terms))):
        if cancelled is not None and cancelled():
            raise Cancelled("The formula search was stopped.")
        tried = {tuple(sorted((*rule, n))) for rule in beam for n in range(len(terms))}
        with threadpool_limits(1):  # hundreds of tiny fits: threads only wait for each other
            fitted = sorted(
                (*_fitted([terms[n] for n in rule], positive), rule)
                for rule in tried
                if len(set(rule)) == len(rule)
            )
        rules += [text for _, text, _ in fitted[:BEAM]]
        beam = [rule for _, _, rule in fitted[:BEAM]]
    return rules


def _fitted(terms: Sequence[_Term], positive: npt.NDArray[np.bool_]) -> tuple[float, str]:
    """Class-balanced logistic loss of the best weights, and the rule."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    x = np.stack([term.values for term in terms], 1)
    mean, sd = x.mean(0), x.std(0) + 1e-12
    model = LogisticRegression(C=RIDGE, class_weight="balanced").fit((x - mean) / sd, positive)
    weight = np.where(positive, 0.5 / positive.mean(), 0.5 / (1 - positive.mean()))
    loss = log_loss(positive, model.predict_proba((x - mean) / sd), sample_weight=weight)
    factors = model.coef_[0] / sd
    constant = float(model.intercept_[0] - (factors * mean).sum())
    summands = [f"{float(f)!r}*{t.text}" for f, t in zip(factors, terms, strict=True)]
    return float(loss), " + ".join([*summands, repr(constant)])
