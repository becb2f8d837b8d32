"""Sentences about parts: each is found where it is so, and not where it is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.scrutiny.anatomy_findings import (
    about_input,
    direction,
    find,
    monotone,
    orientation,
    responds,
    saturates,
    sign,
)
from napari_interpdisc.scrutiny.anatomy_parts import HeadInput, NeuronOutput, Part
from napari_interpdisc.scrutiny.anatomy_response import Population, drawn_cells, real_cells

Z0, Z2 = HeadInput("z0 size", (0,)), HeadInput("z2 coarse", (2,))
A, B, R = HeadInput("z18", (18,)), HeadInput("z19", (19,)), HeadInput("r", (18, 19))


def part(*inputs: HeadInput, f: Callable[[Tensor], Tensor]) -> Part:
    return Part("it", "", inputs, f)


@pytest.fixture
def cells(rng: np.random.Generator) -> Population:
    return real_cells(rng.uniform(-1, 1, (500, 32)))


@pytest.mark.parametrize(
    ("curve", "way", "turn"),
    [
        ([0, 1, 2, 3], "rises", 0),
        ([3, 2, 0, 0], "falls", 0),
        ([2, 2, 2, 2], "flat", 0),
        ([0, 1, 2, 1, 0], "turns", 2),
        ([0, 50, 49.5, 100], "rises", 0),
        ([0, 50, 45, 100], "turns", 1),
        ([0, np.nan, 1, 2], "rises", 0),
    ],
)
def test_the_way_a_curve_goes(curve: list[float], way: str, turn: int) -> None:
    assert direction(np.array(curve, float)) == (way, turn)


def test_a_small_change_is_flat_beside_a_large_unit() -> None:
    assert direction(np.array([0, 0.04]), 1.0) == ("flat", 0)
    assert direction(np.array([0, 0.06]), 1.0) == ("rises", 0)


def test_rising_falling_and_turning_with_a_single_input(cells: Population) -> None:
    rising = monotone(part(Z0, f=lambda x: torch.exp(x[:, 0])), 0, cells)
    assert rising.holds
    assert rising.sentence.startswith("Rises with z0 size where the cells are, from −0.9")
    falling = monotone(part(Z0, f=lambda x: -x[:, 0]), 0, cells)
    assert falling.holds
    assert falling.sentence.startswith("Falls with z0 size")
    turning = monotone(part(Z0, f=lambda x: (x[:, 0] - 0.5) ** 2), 0, cells)
    assert not turning.holds
    assert turning.sentence == "Not monotone in z0 size: it falls up to z0 = 0.49, then rises."
    hill = monotone(part(Z0, f=lambda x: -(x[:, 0] ** 2)), 0, cells)
    assert hill.sentence == "Not monotone in z0 size: it rises up to z0 = 0.00, then falls."
    flat = monotone(part(Z0, f=lambda x: 0 * x[:, 0]), 0, cells)
    assert not flat.holds
    assert flat.sentence.startswith("Does not change with z0 size")


def test_every_cell_must_agree_where_others_are_held(cells: Population) -> None:
    together = monotone(part(Z0, Z2, f=lambda x: x[:, 0] * torch.exp(x[:, 1])), 0, cells)
    assert together.holds
    assert together.number == 1
    assert together.sentence == "Rises with z0 size in 200 of 200 cells, the others held."
    apart = monotone(part(Z0, Z2, f=lambda x: x[:, 0] * x[:, 1]), 0, cells)
    assert not apart.holds
    assert 0.4 < apart.number < 0.65
    assert "rises in" in apart.sentence
    assert "falls in" in apart.sentence
    weak = monotone(part(Z0, Z2, f=lambda x: 0.001 * x[:, 0] + x[:, 1]), 0, cells)
    assert not weak.holds
    assert weak.sentence.startswith("Hardly changes with z0 size, the others held: by less than 5")
    turns = monotone(part(Z0, Z2, f=lambda x: (x[:, 0] - 0.2) ** 2 + x[:, 1]), 0, cells)
    assert "turns in 200 of 200 cells" in turns.sentence
    assert turns.sentence.endswith("half of those that turn do so below z0 = 0.19.")


def test_saturation_at_one_end_and_none(cells: Population) -> None:
    steep = saturates(part(Z0, f=lambda x: torch.sigmoid(12 * (x[:, 0] + 0.8))), 0, cells)
    assert steep.holds
    assert 0.6 < steep.number < 0.8
    assert "above z0 = −0.4" in steep.sentence
    early = saturates(part(Z0, Z2, f=lambda x: torch.exp(8 * x[:, 0]) + x[:, 1]), 0, cells)
    assert early.holds
    assert "below z0 = 0.6" in early.sentence
    straight = saturates(part(Z0, f=lambda x: x[:, 0]), 0, cells)
    assert not straight.holds
    assert straight.number == 0
    assert saturates(part(Z0, f=lambda x: 0 * x[:, 0]), 0, cells).holds


def test_an_input_is_named_with_its_evidence(h2b: CellModel, cells: Population) -> None:
    main = responds(part(Z0, Z2, f=lambda x: 3 * x[:, 0] + x[:, 1]), h2b, cells)
    assert main.holds
    assert main.number == pytest.approx(0.9, abs=0.05)
    assert main.sentence.startswith(
        "Responds most to z0 size (area, ρ = 0.97 [0.95, 0.98], 666 cells); of the variance: z0 "
    )
    even = responds(part(*(HeadInput(f"z{i}", (i,)) for i in (0, 2, 3)), f=lambda x: x.sum(1)),
                    h2b, cells)  # fmt: skip
    assert not even.holds
    assert even.sentence.startswith("No input makes half of the variance")
    alone = responds(part(Z2, f=lambda x: x[:, 0]), h2b, cells)
    assert alone.tested.startswith("by construction")
    assert alone.sentence.startswith("Responds to z2 coarse alone (coarse granularity, ρ = 0.92")
    none = responds(part(Z0, Z2, f=lambda x: 0 * x[:, 0]), h2b, cells)
    assert not none.holds
    assert none.sentence == "Does not change over 500 cells."


def test_what_an_input_stands_for(h2b: CellModel) -> None:
    assert about_input(R, h2b) == " (eccentricity, ρ = 0.95 [0.93, 0.96], 666 cells)"
    assert about_input(HeadInput("z11", (11,)), h2b).startswith(" (it has no name; nearest: area")
    told = about_input(HeadInput("z6", (6,)), h2b)
    assert told.startswith(" (a function of area and eccentricity, r² = 0.90 [")
    assert about_input(Z0, replace(h2b, meanings=())) == ""
    assert about_input(NeuronOutput("n", part(Z0, f=lambda x: x[:, 0])), h2b) == ""


def test_orientation_by_construction_and_by_test(h2b: CellModel, cells: Population) -> None:
    (radial,) = orientation(part(R, f=lambda x: x[:, 0]), h2b, cells)
    assert radial.holds
    assert radial.tested == "by construction"
    assert "(z18, z19) rotates, by construction" in radial.sentence
    (still,) = orientation(part(Z0, f=lambda x: x[:, 0]), h2b, cells)
    assert still.holds
    assert "no latent that rotates" in still.sentence
    # the same function as the radius, but written out: found by rotating
    (round_,) = orientation(part(A, B, f=lambda x: (x**2).sum(1)), h2b, cells)
    both = orientation(
        part(R, HeadInput("s", (24, 25)), A, f=lambda x: x[:, 0] + x[:, 1] + x[:, 2]), h2b, cells
    )
    assert [one.holds for one in both] == [False, True]
    assert both[1].sentence.startswith("Unchanged as (z24, z25) rotates, by construction")
    two = orientation(part(R, HeadInput("s", (24, 25)), f=lambda x: x.sum(1)), h2b, cells)
    assert [one.sentence for one in two] == [
        "Unchanged as (z18, z19), (z24, z25) rotate, by construction: it reads their radii alone."
    ]
    assert round_.holds
    assert round_.number == pytest.approx(0, abs=1e-9)
    assert "rotated by 24 angles" in round_.tested
    (lying,) = orientation(part(A, B, f=lambda x: x[:, 0] ** 2 + 3 * x[:, 1] ** 2), h2b, cells)
    assert not lying.holds
    assert lying.number > 0.5
    assert lying.sentence.startswith("Depends on orientation: as (z18, z19) rotates")
    # one of a pair is not independent of the pair's rotation
    (half,) = orientation(part(A, f=lambda x: x[:, 0]), h2b, cells)
    assert not half.holds


def test_orientation_is_seen_through_a_neuron(h2b: CellModel, cells: Population) -> None:
    inner = part(A, f=lambda x: x[:, 0])
    (found,) = orientation(Part("it", "", (NeuronOutput("n", inner),), lambda x: x[:, 0]), h2b,
                           cells)  # fmt: skip
    assert not found.holds


def test_without_known_pairs_nothing_is_said_of_orientation(
    h2b: CellModel, cells: Population, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(h2b), "rotating_pairs", ())
    assert orientation(part(A, f=lambda x: x[:, 0]), h2b, cells) == ()


def test_one_sign_and_both(cells: Population) -> None:
    always = sign(part(Z0, f=lambda x: x[:, 0] + 2), cells)
    assert always.holds
    assert always.sentence == "Positive in 500 of 500 cells: alone it decides no class."
    never = sign(part(Z0, f=lambda x: x[:, 0] - 2), cells)
    assert never.sentence.startswith("Negative in 500 of 500 cells")
    both = sign(part(Z0, f=lambda x: x[:, 0]), cells)
    assert not both.holds
    assert 0.4 < both.number < 0.6


def test_everything_is_asked_of_a_part_and_nothing_of_a_constant(h2b: CellModel) -> None:
    cells = drawn_cells(h2b, 300)
    found = find(part(Z0, R, f=lambda x: x[:, 0] + x[:, 1]), h2b, cells)
    assert [one.kind for one in found] == [
        "responds", "monotone", "saturates", "monotone", "saturates", "orientation", "sign",
    ]  # fmt: skip
    assert "drawn cells" in found[0].tested
    assert [one.input for one in found] == [None, 0, 0, 1, 1, None, None]
    assert find(Part("c", "", (), lambda x: x.new_ones(len(x))), h2b, cells) == ()


def test_one_steep_place_does_not_make_the_rest_flat(cells: Population) -> None:
    step = saturates(part(Z0, f=lambda x: torch.tanh(50 * x[:, 0]) + 0.5 * x[:, 0]), 0, cells)
    assert not step.holds
    pole = saturates(part(Z0, f=lambda x: x[:, 0] + 0.02 / x[:, 0]), 0, cells)
    assert not pole.holds


def test_what_is_zero_or_undefined_has_no_sign(cells: Population) -> None:
    nothing = sign(part(Z0, f=lambda x: 0 * x[:, 0]), cells)
    assert not nothing.holds
    assert "0 or undefined" in nothing.sentence
    half = sign(part(Z0, f=lambda x: -torch.log(x[:, 0]) - 9), cells)
    assert not half.holds
    assert "0 or undefined" in half.sentence


def test_a_curve_that_turns_more_than_once_is_told_so(cells: Population) -> None:
    wave = monotone(part(Z0, f=lambda x: torch.sin(8 * x[:, 0])), 0, cells)
    assert not wave.holds
    assert "more time" in wave.sentence
