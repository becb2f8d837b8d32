"""Fit the constants of a formula to cells of two classes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from napari_interpdisc._types import Float64Array
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.formula import Formula

PENALTY = 1e-5
BOUND = 1e4


@dataclass
class BalancedCells:
    """Cells to fit formulas to, each class with the same total weight.

    Parameters
    ----------
    latents
        (N, L), or (N, L + P) with P standardised properties after the latents.
    target
        (N,) class 0 or 1.
    properties
        The number P.

    Raises
    ------
    InvalidInput
        If shapes do not fit, latents are not finite, or a class has no cells.
    """

    latents: npt.NDArray[np.float64]
    target: npt.NDArray[np.int64]
    properties: int = 0

    def __post_init__(self) -> None:
        classes = np.asarray(self.target)
        if self.latents.ndim != 2 or classes.shape != self.latents.shape[:1]:
            raise InvalidInput(
                f"Latents {self.latents.shape} and target {classes.shape} do not fit each other."
            )
        if not np.isfinite(self.latents).all():
            raise InvalidInput("Latents hold NaN or infinite values; encode the cells again.")
        if set(np.unique(classes).tolist()) != {0, 1}:
            raise InvalidInput("A formula separates two classes, 0 and 1; give cells of both.")
        columns = torch.from_numpy(np.ascontiguousarray(self.latents, np.float64))
        n = columns.shape[1] - self.properties
        self.x, self.measured = columns[:, :n], columns[:, n:]
        self.positive = classes == 1
        share = self.positive.mean()
        weight = np.where(self.positive, 0.5 / share, 0.5 / (1 - share)) / len(classes)
        self.weight = torch.from_numpy(weight)
        self.sign = torch.from_numpy(np.where(self.positive, 1.0, -1.0))

    def loss(self, formula: Formula) -> float:
        """Logistic loss at the best scale; infinite where the formula is undefined at a cell."""
        return _scaled(formula, self)[0]

    def balanced_accuracy(self, formula: Formula) -> float:
        """Mean of the two classes' accuracies."""
        with torch.inference_mode():
            right = (formula.evaluate(self.x, None, self.measured).numpy() >= 0) == self.positive
        return float((self.weight.numpy() * right).sum())


def _scaled(formula: Formula, cells: BalancedCells) -> tuple[float, float]:
    """Loss at the best scale, and the scale's logarithm."""
    with torch.inference_mode():
        values = formula.evaluate(cells.x, None, cells.measured)
        spread = float(values.abs().mean())
        if not bool(torch.isfinite(values).all()) or spread > BOUND**2:
            return float("inf"), 0.0
    start = np.array([-np.log(max(spread, 1e-6))])
    best, loss = _newton(start, cells, 20, lambda _: (values.numpy(), np.empty((0, len(values)))))
    return loss, float(best[0])


def refitted_on(formula: Formula, cells: BalancedCells, steps: int) -> tuple[Formula, float]:
    """Move the constants of a formula to a smaller loss.

    A positive scale around the formula is fitted along, and left out of the result: it decides
    no class.

    Parameters
    ----------
    formula
        f(z) ≥ 0 is class 1.
    cells
        What it is fitted to.
    steps
        Most steps of the descent (damped Gauss-Newton).

    Returns
    -------
    formula
        The same one with other constants; the given one if no better ones were found.
    loss
        Its loss at the best scale; infinite where the formula is undefined at a cell.
    """
    before, log_scale = _scaled(formula, cells)
    if not formula.constants or not np.isfinite(before):
        return formula, before

    def values(constants: Float64Array) -> tuple[Float64Array, Float64Array]:
        # a constant of its own for each cell: one backward pass gives the whole Jacobian
        each = torch.tensor(constants)[:, None].repeat(1, len(cells.x)).requires_grad_()
        value = formula.evaluate(cells.x, each, cells.measured)
        (slope,) = torch.autograd.grad(value.sum(), each)
        return value.detach().numpy(), slope.numpy()

    start = np.array([*formula.constants, log_scale])
    start[:-1] = np.clip(start[:-1], -BOUND, BOUND)
    found, after = _newton(start, cells, steps, values)
    if not after < before:
        return formula, before
    return formula.with_constants(found[:-1].tolist()), after


def _newton(
    start: Float64Array,
    cells: BalancedCells,
    steps: int,
    values: Callable[[Float64Array], tuple[Float64Array, Float64Array]],
) -> tuple[Float64Array, float]:
    """Damped Gauss-Newton descent of the logistic loss.

    Parameters
    ----------
    start
        (C + 1,) constants, and the logarithm of the scale.
    cells
        Target and weights.
    steps
        Most steps.
    values
        Gives a formula's values (N,) and their slopes (C, N) at constants (C,).

    Returns
    -------
    The best parameters, and their loss.
    """
    sign, weight = cells.sign.numpy(), cells.weight.numpy()

    def loss_at(p: Float64Array) -> tuple[float, Float64Array, Float64Array]:
        with np.errstate(all="ignore"):
            value, slope = values(p[:-1])
            logit = value * np.exp(p[-1])
            slopes = np.vstack([slope * np.exp(p[-1]), logit])
            loss = float((weight * np.logaddexp(0, -sign * logit)).sum())
        loss += PENALTY * float((p**2).sum())
        finite = np.isfinite(loss) and bool(np.isfinite(slopes).all())
        return (loss if finite else float("inf")), logit, slopes

    p, damping = start, 1e-2
    loss, logit, slopes = loss_at(p)
    for _ in range(steps):
        if not np.isfinite(loss):
            break
        chance = 0.5 + 0.5 * np.tanh(logit / 2)
        gradient = np.einsum("kn,n->k", slopes, weight * (chance - (sign > 0)))
        gradient += 2 * PENALTY * p
        # einsum: threaded BLAS loses more than it gains at this size
        curve = np.einsum("kn,ln->kl", slopes * (weight * chance * (1 - chance)), slopes)
        curve += 2 * PENALTY * np.eye(len(p))
        if not np.isfinite(curve).all():
            break
        gained = 0.0
        for _ in range(8):
            step = np.linalg.solve(curve + damping * np.diag(np.diag(curve)), gradient)
            trial = p - step
            trial[:-1] = np.clip(trial[:-1], -BOUND, BOUND)
            tried = loss_at(trial)
            if tried[0] < loss:
                gained, p, damping = loss - tried[0], trial, damping / 5
                loss, logit, slopes = tried
                break
            damping = damping * 6
        if gained < 1e-6:
            break
    return p, loss
