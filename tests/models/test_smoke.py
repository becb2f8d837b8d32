"""A model that gives no numbers is refused when it is loaded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_interpdisc.errors import InvalidModel
from napari_interpdisc.models.cell_model import CellModel, NamedHead
from napari_interpdisc.models.formula import FormulaHead, parse_formula
from napari_interpdisc.models.properties import HeadProperties
from napari_interpdisc.models.smoke import check_runs, smoke_crops


def told(model: CellModel) -> str:
    with pytest.raises(InvalidModel) as caught:
        check_runs(model, "The folder")
    return str(caught.value)


def with_formula(tiny: CellModel, text: str) -> CellModel:
    read = HeadProperties(("area",), (500.0,), (100.0,))
    head = FormulaHead([parse_formula(text, 6, None, ("area",))], (), read)
    return replace(tiny, heads={"rule": NamedHead("rule", head, ("a", "b"))})


@pytest.mark.parametrize("size", [16, 64])
def test_the_crops_are_normalised_and_always_the_same(size: int) -> None:
    crops = smoke_crops(size)
    assert crops.shape == (16, 1, size, size)
    np.testing.assert_allclose(crops.mean((1, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(crops.std((1, 2, 3)), 1, rtol=1e-4)
    smoke_crops.cache_clear()
    np.testing.assert_array_equal(smoke_crops(size), crops)


def test_a_sound_model_runs(tiny: CellModel) -> None:
    check_runs(tiny, "The folder")


def test_latents_that_overflow(tiny: CellModel) -> None:
    tiny.encoder.encoder[-1].bias.fill_(1e7)
    assert told(tiny) == "The folder gives latents beyond ±1e+06 for ordinary cells."


def test_weights_that_are_finite_until_they_are_used(tiny: CellModel) -> None:
    for layer in tiny.encoder.encoder:
        if isinstance(layer, torch.nn.Linear):
            layer.weight.fill_(3e38)
            layer.bias.fill_(1.0)
    assert "'tiny' gives NaN or infinite latents" in told(tiny)


def test_a_batch_norm_that_overflows_once_it_is_fused(tiny: CellModel) -> None:
    tiny.encoder.encoder[1].weight.fill_(3e38)
    tiny.encoder.encoder[1].running_var.fill_(0.0)
    assert "weights that are not finite in float32" in told(tiny)


def test_a_decoder_and_a_head_that_overflow(tiny: CellModel) -> None:
    tiny.heads["two"].head.network[0].weight.fill_(3e38)
    assert "Head 'two' of model 'tiny' gives NaN or infinite scores" in told(tiny)
    tiny.encoder.decoder[2].weight.fill_(3e38)
    tiny.encoder.decoder[2].bias.fill_(3e38)
    tiny.encoder.decoder[0].bias.fill_(10.0)
    assert told(tiny) == "The folder decodes ordinary cells to NaN or infinite pixels."


@pytest.mark.parametrize("text", ["log(-1 - z0**2) + area", "sqrt(-1 - area**2)", "0/(z0 - z0)"])
def test_a_formula_without_a_value_anywhere(tiny: CellModel, text: str) -> None:
    assert "a formula in head 'rule' that has no value for any cell" in told(
        with_formula(tiny, text)
    )


@pytest.mark.parametrize("text", ["1/z0", "log(z0)", "sqrt(area)", "exp(exp(exp(z0 + 9)))"])
def test_a_formula_that_has_a_value_for_some_cells_is_taken(tiny: CellModel, text: str) -> None:
    check_runs(with_formula(tiny, text), "The folder")


VALUED = {"z0": "always", "log(z0)": "right", "sqrt(-z0)": "left", "log(-1 - z0**2)": "never"}
"""Formulas, and where they have a value."""


@pytest.mark.parametrize("seed", range(24))
def test_each_class_is_judged_by_itself_and_all_together(tiny: CellModel, seed: int) -> None:
    """Seeded choices of a formula for each of three classes."""
    texts = np.random.default_rng(seed).choice([*VALUED], 3).tolist()
    head = FormulaHead([parse_formula(text, 6) for text in texts])
    model = replace(tiny, heads={"rule": NamedHead("rule", head, ("a", "b", "c"))})
    where = [VALUED[text] for text in texts]
    if "never" in where:
        name = "abc"[where.index("never")]
        assert told(model) == (
            f"The folder has a formula for '{name}' in head 'rule' that has no value for any cell."
        )
    elif {"left", "right"} <= set(where):
        assert told(model) == (
            "The folder has formulas in head 'rule' of which no cell has a value of all."
        )
    else:
        check_runs(model, "The folder")
