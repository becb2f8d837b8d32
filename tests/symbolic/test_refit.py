from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from napari_interpdisc.models.formula import parse_formula
from napari_interpdisc.symbolic.refit import BalancedCells, refitted_on

STEPS = 25


def circle(n: int = 600) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    latents = np.random.default_rng(0).normal(size=(n, 32)).astype(np.float32)
    return latents, (latents[:, 3] ** 2 + latents[:, 7] ** 2 > 1).astype(np.int64)


def test_refit_lowers_the_loss_and_never_raises_it() -> None:
    latents, target = circle()
    cells = BalancedCells(latents.astype(np.float64), target)
    rough = parse_formula("0.4*z3**2 + 1.7*z7**2 - 0.2")
    better, loss = refitted_on(rough, cells, STEPS)
    assert loss < cells.loss(rough) - 0.1
    assert cells.loss(better) < cells.loss(rough) - 0.1
    assert cells.balanced_accuracy(better) > 0.97
    a, b, c = better.constants
    assert (a / b, c / b) == (pytest.approx(1, abs=0.05), pytest.approx(1, abs=0.05))
    for text in ("z3 - z7", "exp(200*z3) - 1", "log(z3) - 2", "z3/(z7*0.0)"):
        formula = parse_formula(text)
        assert not cells.loss(refitted_on(formula, cells, STEPS)[0]) > cells.loss(formula)


def test_separable_cells_do_not_run_to_infinity() -> None:
    latents, target = circle()
    cells = BalancedCells(latents.astype(np.float64), target)
    refitted, _ = refitted_on(parse_formula("z3**2 + 1.1*z7**2 - 0.9"), cells, 500)
    assert max(map(abs, refitted.constants)) < 100


def test_a_rare_class_counts_as_much() -> None:
    rng = np.random.default_rng(1)
    target = np.repeat([0, 1], [900, 30])
    latents = rng.normal(size=(930, 32))
    latents[target == 1, 0] += 2
    refitted, _ = refitted_on(parse_formula("z0 - 5.0"), BalancedCells(latents, target), STEPS)
    assert refitted.constants == pytest.approx((1.0,), abs=0.3)
