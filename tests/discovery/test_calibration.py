from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_interpdisc.discovery.calibration import (
    calibrated,
    calibration_factor,
    class_loss,
    formula_scale,
)
from napari_interpdisc.models.formula import FormulaHead, parse_formula
from napari_interpdisc.models.heads import DenseHead, SparseHead
from napari_interpdisc.models.properties import HeadProperties


def test_loss_by_hand() -> None:
    logits = np.array([[2.0], [-1.0], [0.5]])
    each = np.log1p(np.exp([-2.0, -1.0, 0.5]))  # classes 1, 0, 0
    expected = (each[0] + each[1:].mean()) / 2
    assert class_loss(logits, np.array([1, 0, 0])) == pytest.approx(expected)
    three = np.array([[0.0, 0.0, 0.0]])
    assert class_loss(three, np.array([2])) == pytest.approx(np.log(3))


def test_the_factor_undoes_an_exaggeration(rng: np.random.Generator) -> None:
    true = rng.standard_normal((20_000, 1)) * 2
    target = (rng.random(20_000) < 1 / (1 + np.exp(-true[:, 0]))).astype(np.int64)
    assert calibration_factor(true * 7, target) == pytest.approx(1 / 7, rel=0.05)


def test_cells_that_are_parted_without_a_fault_get_no_infinite_logits() -> None:
    values = np.linspace(-1, 1, 101)[:, None] + 0.01
    factor = calibration_factor(values, (values[:, 0] > 0).astype(np.int64))
    assert np.quantile(np.abs(values * factor), 0.95) <= 8.001


def test_heads_that_are_sure_and_seldom_wrong_stay_so(rng: np.random.Generator) -> None:
    """The largest logit is set by the cells that are wrong, where there are some."""
    true = rng.standard_normal((20_000, 1)) * 8
    target = (rng.random(20_000) < 1 / (1 + np.exp(-true[:, 0]))).astype(np.int64)
    assert np.quantile(np.abs(true), 0.95) > 14
    assert calibration_factor(true / 3, target) == pytest.approx(3, rel=0.05)


@pytest.mark.parametrize(
    "head",
    [DenseHead((4, 3, 2)), FormulaHead([parse_formula("z0 - 1", 4), parse_formula("z1", 4)])],
)
def test_a_factor_on_the_logits(head: DenseHead | FormulaHead) -> None:
    z = torch.randn(7, 4)
    before = head(z)
    torch.testing.assert_close(calibrated(head, 0.25)(z), before * 0.25)
    torch.testing.assert_close(head(z), before)


def test_a_factor_on_a_sparse_head() -> None:
    head = SparseHead((4, 3, 1))
    for weight, bias, mask in zip(head.weights, head.biases, head.masks, strict=True):
        mask.fill_(True)
        weight.data.normal_()
        bias.data.normal_()
    z = torch.randn(7, 4)
    torch.testing.assert_close(calibrated(head, 3.0)(z), head(z) * 3)


def test_the_scale_of_a_formula(rng: np.random.Generator) -> None:
    z = rng.standard_normal((5000, 3))
    target = rng.random(5000) < 1 / (1 + np.exp(-3 * z[:, 1]))
    assert formula_scale(parse_formula("z1", 3), z, target) == pytest.approx(3, rel=0.15)


def test_the_scale_of_a_formula_of_a_property() -> None:
    draw = np.random.default_rng(0)
    area = draw.normal(600, 100, 4000)
    target = draw.random(4000) < 1 / (1 + np.exp(-3 * (area - 600) / 100))
    read = HeadProperties(("area",), (600.0,), (100.0,))
    formula = parse_formula("area", 2, None, read.names)
    columns = np.concatenate([np.zeros((4000, 2)), area[:, None]], 1)
    assert formula_scale(formula, columns, target, read) == pytest.approx(3, rel=0.15)
    assert calibrated(FormulaHead([formula], (), read), 2.0).properties == read
