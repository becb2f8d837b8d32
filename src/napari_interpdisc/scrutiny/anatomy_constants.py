"""How sure the constants of a formula are: refitted on cells whose groups are drawn again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from threadpoolctl import threadpool_limits

from napari_interpdisc._types import Float64Array, Progress, silent
from napari_interpdisc.bootstrap import LEVELS, drawn_groups
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.cell_model import NamedHead
from napari_interpdisc.models.formula import Formula, FormulaHead
from napari_interpdisc.symbolic.refit import BOUND, BalancedCells, refitted_on

DRAWS = 200
"""Times that groups are drawn again."""

STEPS = 60
"""Most steps of one refit."""

FEWEST_GROUPS = 5
"""Groups that an interval takes at least: with fewer, hardly anything can be drawn differently."""


@dataclass(frozen=True)
class ConstantIntervals:
    """Constants of a formula, refitted.

    Attributes
    ----------
    formula
        The formula as it is stored.
    refitted
        (C,) constants fitted to all the cells.
    low, high
        (C,) 2.5 % and 97.5 % quantiles of the constants over the draws; NaN if all refits failed.
    cells, groups
        Cells, and groups of them that were drawn.
    draws, failed
        Draws, and those without a fit: a class was missing, the formula undefined at a cell, or a
        constant ran away.
    determined
        Whether the cells determine every constant. If not, some move together without any effect,
        and their intervals say little.
    """

    formula: Formula
    refitted: Float64Array
    low: Float64Array
    high: Float64Array
    cells: int
    groups: int
    draws: int
    failed: int
    determined: bool

    @property
    def stored(self) -> Float64Array:
        """(C,) constants as they are stored."""
        return np.array(self.formula.constants)

    def sentences(self) -> list[str]:
        """What was found, for a person to read."""
        told = [
            f"Constants of {self.formula}, refitted on {self.cells} cells, {self.draws} draws of "
            f"{self.groups} groups; {self.failed} refits failed."
        ]
        for stored, again, low, high in zip(
            self.stored, self.refitted, self.low, self.high, strict=True
        ):
            where = "inside" if low <= stored <= high else "outside"
            told.append(
                f"{_number(stored)}: refitted {_number(again)}, 95 % interval [{_number(low)}, "
                f"{_number(high)}]; the stored one is {where}."
            )
        if not self.determined:
            told.append(
                "These cells do not determine all constants: some can move together without "
                "changing a score beyond its scale, so that single intervals say little."
            )
        return told


def _number(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")


def constant_intervals(
    named: NamedHead,
    latents: npt.NDArray[np.floating],
    labels: Sequence[str] | npt.NDArray[Any],
    groups: npt.NDArray[Any],
    draws: int = DRAWS,
    seed: int = 0,
    progress: Progress = silent,
) -> ConstantIntervals:
    """Refit a rule's constants on labelled cells, and on draws of their groups.

    Both classes weigh the same, as in training, however many cells they have. A positive factor
    around the formula is fitted along and left out: it decides no class.

    Parameters
    ----------
    named
        A formula head of two classes.
    latents
        (N, L) latents of the cells.
    labels
        (N,) class of each; cells of other classes are left out.
    groups
        (N,) plate, track or other unit of each, drawn as a whole.
    draws, seed
        Draws, and the seed of them.
    progress
        Called with (draws done, draws in all); it may raise to cancel.

    Raises
    ------
    InvalidInput
        If the head is no formula of two classes or has no constants, a class has no cells, there
        are fewer than five groups, or the formula is undefined at a cell.
    """
    formula = _formula_of(named)
    texts = np.array([str(label).strip() for label in labels], dtype=object)
    mine = np.isin(texts, named.classes)
    absent = [name for name in named.classes if not (texts == name).any()]
    if absent:
        raise InvalidInput(
            f"No cell has the label {' or '.join(absent)}; constants are refitted on cells of "
            f"{' and '.join(named.classes)}."
        )
    z = np.asarray(latents, np.float64)[mine]
    target = (texts[mine] == named.classes[1]).astype(np.int64)
    index, times = drawn_groups(np.asarray(groups)[mine].astype(str), draws, seed)
    n_groups = times.shape[1]
    if n_groups < FEWEST_GROUPS:
        raise InvalidInput(
            f"The labelled cells are in {n_groups} group{'s' * (n_groups != 1)}; an interval takes "
            f"{FEWEST_GROUPS} at least: name another column of groups, or label cells of more."
        )
    with threadpool_limits(1):  # tiny fits: threads only wait for each other
        cells = BalancedCells(z, target)
        whole, loss = refitted_on(formula, cells, STEPS)
        if not np.isfinite(loss):
            raise InvalidInput(
                f"{formula} is undefined at some of the cells; its constants cannot be refitted."
            )
        found = []
        for done in range(draws):
            rows = np.repeat(np.arange(len(z)), times[done][index])
            found.append(_refit(whole, z[rows], target[rows]))
            progress(done + 1, draws)
    good = np.array([one for one in found if one is not None])
    none = np.full(len(formula.constants), np.nan)
    low, high = np.quantile(good, LEVELS, axis=0) if len(good) else (none, none)
    return ConstantIntervals(
        formula, np.array(whole.constants), low, high, len(z), n_groups, draws,
        draws - len(good), _determined(whole, z),
    )  # fmt: skip


def _formula_of(named: NamedHead) -> Formula:
    head = named.head
    if not isinstance(head, FormulaHead):
        raise InvalidInput(f"Head '{named.name}' is no formula; it has no constants to refit.")
    if len(head.formulas) != 1:
        raise InvalidInput(
            f"Head '{named.name}' has {len(head.formulas)} formulas; constants are refitted for "
            "rules of two classes."
        )
    if not head.formulas[0].constants:
        raise InvalidInput(f"{head.formulas[0]} has no constants to refit.")
    return head.formulas[0]


def _refit(
    formula: Formula, z: Float64Array, target: npt.NDArray[np.int64]
) -> tuple[float, ...] | None:
    """Constants that fit some cells; None if none do."""
    if len(np.unique(target)) < 2:
        return None
    fitted, loss = refitted_on(formula, BalancedCells(z, target), STEPS)
    if not np.isfinite(loss) or max(abs(c) for c in fitted.constants) >= BOUND:
        return None
    return fitted.constants


def _determined(formula: Formula, z: Float64Array) -> bool:
    """Whether no change of the constants, or of a factor around them, leaves all values as is."""
    x = torch.from_numpy(z)
    each = torch.tensor(formula.constants, dtype=torch.float64)[:, None].repeat(1, len(z))
    each.requires_grad_()
    value = formula.evaluate(x, each)
    (slope,) = torch.autograd.grad(value.sum(), each)
    columns = np.vstack([slope.numpy(), value.detach().numpy()])
    length = np.linalg.norm(columns, axis=1, keepdims=True)
    strength = np.linalg.svd(columns / np.where(length > 0, length, 1), compute_uv=False)
    return bool(strength[-1] > 1e-4)
