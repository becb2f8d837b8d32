"""Intervals of a formula's constants."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.scrutiny.anatomy_constants import constant_intervals

from .conftest import rule

Cells = tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]


@pytest.fixture(scope="module")
def known() -> Cells:
    """Return latents, labels and groups of cells of two equally large classes, by z0 − 2 z1."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(600, 3))
    odds = 3 * (z[:, 0] - 2 * z[:, 1])
    labels = np.where(rng.random(600) < 1 / (1 + np.exp(-odds)), "yes", "no")
    return z, labels, np.arange(600) // 20


def test_intervals_hold_the_true_constants(known: Cells) -> None:
    found = constant_intervals(rule("z0 - 1.0*z1 + 0.1"), *known, draws=40)
    assert found.stored.tolist() == [1.0, 0.1]
    assert found.refitted == pytest.approx([2, 0], abs=0.3)
    assert (found.low < [2, 0]).all()
    assert (found.high > [2, 0]).all()
    assert (found.high - found.low < 1.2).all()
    assert (found.cells, found.groups, found.draws, found.failed) == (600, 30, 40, 0)
    assert found.determined
    first, one, two = found.sentences()
    assert first == (
        "Constants of z0 - 1*z1 + 0.1, refitted on 600 cells, 40 draws of 30 groups; 0 refits "
        "failed."
    )
    assert one.startswith("1: refitted ")
    assert one.endswith("the stored one is outside.")
    assert two.startswith("0.1: refitted ")


def test_whole_groups_are_drawn(known: Cells) -> None:
    z, labels, _ = known
    # each cell ten times, in a group of its own or of all its copies: the copies tell nothing new
    rows = np.repeat(np.arange(100), 10)
    together = constant_intervals(rule("z0 - 2.0*z1"), z[rows], labels[rows], rows, draws=30)
    apart = constant_intervals(
        rule("z0 - 2.0*z1"), z[rows], labels[rows], np.arange(1000), draws=30
    )
    assert together.high - together.low > 2 * (apart.high - apart.low)


def test_constants_that_move_together_are_said_to(known: Cells) -> None:
    free = constant_intervals(rule("1.5*z0 - 3.0*z1 + 0.7"), *known, draws=20)
    assert not free.determined
    assert "do not determine all constants" in free.sentences()[-1]


def test_draws_without_a_class_fail_and_are_counted(known: Cells) -> None:
    z, labels, _ = known
    yes, no = np.flatnonzero(labels == "yes")[:30], np.flatnonzero(labels == "no")[:30]
    rows = np.concatenate([yes, no])
    groups = np.concatenate([np.zeros(30), 1 + np.arange(30) // 6])  # all "yes" in one group
    found = constant_intervals(rule("z0 - 2.0*z1"), z[rows], labels[rows], groups, draws=40)
    assert 3 < found.failed < 30, "a draw of six leaves a group out in a third of the cases"
    assert np.isfinite(found.low).all()


def test_cells_of_other_classes_are_left_out(known: Cells) -> None:
    z, labels, groups = known
    more = np.concatenate([labels, np.full(50, "other")])
    found = constant_intervals(
        rule("z0 - 2.0*z1"), np.concatenate([z, z[:50] + 9]), more,
        np.concatenate([groups, groups[:50]]), draws=20,
    )  # fmt: skip
    assert found.cells == 600


def test_what_is_refused(known: Cells, h2b: CellModel) -> None:
    z, labels, groups = known
    with pytest.raises(InvalidInput, match="No cell has the label yes; constants are refitted on"):
        constant_intervals(rule("z0 - 1"), z, np.full(600, "no"), groups)
    with pytest.raises(InvalidInput, match="in 3 groups; an interval takes 5"):
        constant_intervals(rule("z0 - 1"), z, labels, groups // 10)
    with pytest.raises(InvalidInput, match="z0 has no constants to refit"):
        constant_intervals(rule("z0"), z, labels, groups)
    with pytest.raises(InvalidInput, match="undefined at some of the cells"):
        constant_intervals(rule("log(z0) - 1"), z, labels, groups)
    with pytest.raises(InvalidInput, match="'sparse' is no formula"):
        constant_intervals(h2b.head("sparse"), z, labels, groups)
    three = rule("z0 - 1", "z1", "z2", classes=("a", "b", "c"))
    with pytest.raises(InvalidInput, match="has 3 formulas; constants are refitted for rules of"):
        constant_intervals(three, z, labels, groups)
