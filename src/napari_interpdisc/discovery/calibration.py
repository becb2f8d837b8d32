"""Logits as large as they deserve: what makes a confidence mean something."""

from __future__ import annotations

import copy

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import minimize_scalar

from napari_interpdisc.models.cell_model import class_index
from napari_interpdisc.models.formula import Formula, FormulaHead
from napari_interpdisc.models.heads import DenseHead, Head, SparseHead
from napari_interpdisc.models.properties import NO_PROPERTIES, HeadProperties

LARGEST = 8.0
"""Logit that 95 % of separable cells stay below: they would ask for infinite ones."""

FARTHEST = 32.0
"""The same where some cells are wrong, and the loss itself sets the limit."""


def class_loss(logits: npt.NDArray[np.floating], target: npt.NDArray[np.int64]) -> float:
    """Logistic (K = 1) or softmax loss of logits (N, K), each class with the same weight."""
    values = np.asarray(logits, dtype=np.float64)
    if values.shape[1] == 1:
        values = np.concatenate([np.zeros_like(values), values], 1)
    top = values.max(1, keepdims=True)
    log_sum = top[:, 0] + np.log(np.exp(values - top).sum(1))
    loss = log_sum - values[np.arange(len(target)), target]
    return float(np.mean([loss[target == k].mean() for k in np.unique(target)]))


def calibration_factor(logits: npt.NDArray[np.floating], target: npt.NDArray[np.int64]) -> float:
    """Positive factor of logits (N, K) at which :func:`class_loss` is least.

    Where every cell is right, the 95th percentile of |logits| stays below 8: a loss that only falls
    says nothing of how sure a head may be.
    """
    values = np.asarray(logits, dtype=np.float64)
    separable = bool((class_index(values) == target).all())
    size = max(float(np.quantile(np.abs(values), 0.95)), 1e-6)
    found = minimize_scalar(
        lambda log_factor: class_loss(values * np.exp(log_factor) / size, target),
        bounds=(np.log(0.05), np.log(LARGEST if separable else FARTHEST)),
        method="bounded",
    )
    return float(np.exp(found.x) / size)


def formula_scale(
    formula: Formula,
    latents: npt.NDArray[np.floating],
    is_class: npt.NDArray[np.bool_],
    properties: HeadProperties = NO_PROPERTIES,
) -> float:
    """Factor that turns a formula's values into logits of being of a class.

    The last P columns of ``latents`` (N, L + P) are measured properties, if there are any.
    """
    columns = torch.from_numpy(np.asarray(latents, np.float64))
    n = columns.shape[1] - len(properties)
    measured = properties.standardised(columns[:, n:], columns)
    with torch.inference_mode():
        values = formula.evaluate(columns[:, :n], None, measured).numpy()
    return calibration_factor(np.nan_to_num(values)[:, None], is_class.astype(np.int64))


def calibrated(head: Head, factor: float) -> Head:
    """The same head with its logits multiplied by a positive factor; no class changes."""
    if isinstance(head, FormulaHead):
        scales = [scale * factor for scale in head.scales]
        return FormulaHead(head.formulas, scales, head.properties)
    changed = copy.deepcopy(head)
    with torch.no_grad():
        if isinstance(changed, DenseHead):
            changed.linears[-1].weight.mul_(factor)
            changed.linears[-1].bias.mul_(factor)
        elif isinstance(changed, SparseHead):
            changed.weights[-1].mul_(factor)
            changed.biases[-1].mul_(factor)
        else:
            raise TypeError(f"heads of kind {head.kind} have no last layer")
    return changed
