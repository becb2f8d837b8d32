"""Inputs of a head, and parts as functions of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.scrutiny.anatomy_parts import (
    HeadInput,
    NeuronOutput,
    Part,
    check_takes_apart,
    latent_input,
    margins,
    radius_input,
    whole_name,
)

from .conftest import rule

Z1, RADIUS = HeadInput("z1", (1,)), HeadInput("r", (0, 2))
PART = Part("p", "x·r²", (Z1, RADIUS), lambda x: x[:, 0] * x[:, 1] ** 2)


def test_a_latent_is_read_and_moved_alone() -> None:
    z = np.array([[1.0, 2.0, 3.0]])
    assert Z1.read(z) == [2.0]
    assert np.array_equal(Z1.moved(z, [9.0]), [[1.0, 9.0, 3.0]])
    assert z[0, 1] == 2.0, "the latents that were given stay as they are"


def test_a_radius_moves_its_pair_along_its_direction() -> None:
    z = np.array([[3.0, 7.0, 4.0], [0.0, 7.0, 0.0]])
    assert RADIUS.read(z) == pytest.approx([5.0, 0.0], abs=1e-5)
    moved = RADIUS.moved(z, [10.0, 2.0])
    assert moved[0] == pytest.approx([6.0, 7.0, 8.0])
    assert moved[1] == pytest.approx([2.0, 7.0, 0.0]), "without a direction, along the first"
    assert RADIUS.read(moved) == pytest.approx([10.0, 2.0])


def test_values_and_gradient_of_a_part() -> None:
    values, slopes = PART.with_gradient([[2.0, 3.0]])
    assert values == [18.0]
    assert np.array_equal(slopes, [[9.0, 12.0]])
    assert PART.of_latents([[3.0, 2.0, 4.0]]) == pytest.approx([50.0])
    assert PART.latents == (0, 1, 2)


def test_a_constant_has_no_gradient() -> None:
    constant = Part("c", "", (), lambda x: x.new_full((len(x),), 4.0))
    values, slopes = constant.with_gradient(constant.read(np.zeros((3, 5))))
    assert values.tolist() == [4.0] * 3
    assert slopes.shape == (3, 0)


def test_one_cell_is_moved_along_two_axes() -> None:
    moved = PART.moved(np.array([3.0, 7.0, 4.0]), (1, 0), [[10.0, 1.0], [5.0, 2.0]])
    assert moved == pytest.approx(np.array([[6.0, 1.0, 8.0], [3.0, 2.0, 4.0]]))


def test_a_neuron_is_read_but_no_latent_moves_it() -> None:
    above = Part("above", "", (NeuronOutput("n", PART),), lambda x: 2 * x[:, 0])
    assert above.of_latents([[3.0, 2.0, 4.0]]) == pytest.approx([100.0])
    assert above.latents == (0, 1, 2)
    with pytest.raises(InvalidInput, match="n is a neuron and no latent; choose a latent"):
        above.moved(np.zeros(3), (0,), [[1.0]])


def test_inputs_have_the_names_of_the_model(h2b: CellModel) -> None:
    assert latent_input(h2b, 2) == HeadInput("z2 granularity_coarse", (2,))
    assert radius_input(h2b, 18, 19) == HeadInput("√(z18²+z19²) elongation", (18, 19))
    assert radius_input(h2b, 16, 17).label == "√(z16²+z17²)"


def test_a_dense_head_is_refused_and_others_are_offered(h2b: CellModel) -> None:
    check_takes_apart(h2b.head("sparse"), h2b)
    check_takes_apart(h2b.head("formula"), h2b)
    with pytest.raises(InvalidInput, match=r"'dense' has no sparse form: .* one of sparse, form"):
        check_takes_apart(h2b.head("dense"), h2b)
    alone = replace(h2b, heads={"dense": h2b.head("dense")})
    with pytest.raises(InvalidInput, match="train a sparse head or a formula"):
        check_takes_apart(alone.head("dense"), alone)


def test_the_lead_of_a_class_is_over_the_best_of_the_others() -> None:
    lead = margins(lambda x: x.unbind(1), 1)
    assert lead(torch.tensor([[1.0, 5.0, 3.0], [4.0, 2.0, 3.0]])).tolist() == [2.0, -2.0]


def test_scores_are_named_by_class() -> None:
    assert whole_name(rule("z1"), 0) == "score of yes"
    assert whole_name(rule("z1", "z2", "z3", classes=("a", "b", "c")), 2) == "lead of c"
