"""Curves and maps of parts, and where cells are on them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.scrutiny.anatomy_parts import HeadInput, NeuronOutput, Part
from napari_interpdisc.scrutiny.anatomy_response import (
    Population,
    contour,
    drawn_cells,
    ground_of,
    real_cells,
    response,
    strongest,
    traversals,
)

INPUTS = (HeadInput("z0", (0,)), HeadInput("z1", (1,)), HeadInput("r", (2, 3)))
PLANE = Part("plane", "", INPUTS, lambda x: 2 * x[:, 0] - x[:, 1] + x[:, 2], decides=True)
BOWL = Part("bowl", "", INPUTS[:2], lambda x: x[:, 0] ** 2 + x[:, 1] ** 2 - 1)
PARABOLA = Part("parabola", "", INPUTS[:1], lambda x: x[:, 0] ** 2 - 0.25)


@pytest.fixture
def cells(rng: np.random.Generator) -> Population:
    return real_cells(rng.uniform(-1, 1, (400, 4)), "a test")


def test_an_axis_reaches_from_quantile_to_quantile_with_a_margin(cells: Population) -> None:
    ground = ground_of(PLANE, (0, 2), cells, 21)
    low, high = np.quantile(cells.latents[:, 0], (0.01, 0.99))
    assert ground.ranges[0] == pytest.approx((low, high))
    line = ground.points[0]
    assert (line[0], line[-1]) == pytest.approx(
        (low - 0.15 * (high - low), high + 0.15 * (high - low))
    )
    assert ground.points[1][0] == 0, "a radius is never below 0"
    assert ground.shape == (21, 21)


def test_density_counts_the_cells(cells: Population) -> None:
    ground = ground_of(BOWL, (0, 1), cells, 51)
    assert ground.density is not None
    area = np.prod([line[1] - line[0] for line in ground.points])
    assert ground.density.sum() * area == pytest.approx(400, rel=0.05)
    left = ground_of(BOWL, (0, 1), replace(cells, latents=cells.latents - [0, 2, 0, 0]), 51)
    assert left.points[1][0] < -2.9, "y is the second axis"


def test_what_is_far_from_every_cell_is_empty() -> None:
    z = np.zeros((200, 4))
    z[:100, :2] = np.linspace(0, 1, 100)[:, None]
    z[100:, :2] = np.linspace(0, 1, 100)[:, None]
    ground = ground_of(BOWL, (0, 1), real_cells(z), 41)
    on, off = np.eye(41, dtype=bool), np.fliplr(np.eye(41, dtype=bool))
    middle = slice(8, 33)
    assert not ground.empty[middle, middle][on[middle, middle]].any(), "cells lie on the diagonal"
    assert ground.empty[0, -1]
    assert ground.empty[off].mean() > 0.7
    curve = ground_of(PARABOLA, (0,), real_cells(np.concatenate([z[:100], z[:100] + 5])), 101)
    assert 0.4 < curve.empty.mean() < 0.9, "between the two groups there is none"


def test_without_real_cells_nothing_is_grey_and_there_is_no_density(h2b: CellModel) -> None:
    drawn = drawn_cells(h2b, 500)
    part = Part("p", "", INPUTS[:2], lambda x: x[:, 0])
    ground = ground_of(part, (0, 1), drawn)
    assert ground.density is None
    assert not ground.empty.any()
    assert not drawn.is_real
    assert "stored density of the training cells of h2b" in drawn.source


def test_drawn_cells_have_the_stored_density(h2b: CellModel) -> None:
    assert h2b.familiarity is not None
    density = h2b.familiarity.latents
    n = len(density.mean)
    z = drawn_cells(h2b, 20000).latents
    assert z.shape[1] == h2b.n_latents
    assert z[:, :n].mean(0) == pytest.approx(np.array(density.mean), abs=0.05)
    # Mahalanobis distances of a normal density: χ² with n degrees of freedom
    assert (density.distance(z[:, :n]) ** 2).mean() == pytest.approx(n, rel=0.03)
    plain = drawn_cells(replace(h2b, familiarity=None), 20000)
    assert plain.latents.std(0) == pytest.approx(h2b.latent_sd, rel=0.05, abs=1e-6)
    assert "spread" in plain.source


def test_values_gradient_and_boundary_of_a_plane(cells: Population) -> None:
    ground = ground_of(PLANE, (0, 1), cells, 31)
    found = response(PLANE, ground, [0.3, 0.4, 0.5])
    x, y = np.meshgrid(*ground.points)
    assert found.values == pytest.approx(2 * x - y + 0.5)
    assert found.value == pytest.approx(0.7)
    assert found.gradient[0] == pytest.approx(2.0)
    assert found.gradient[1] == pytest.approx(-1.0)
    (line,) = found.boundary
    assert line[:, 1] == pytest.approx(2 * line[:, 0] + 0.5, abs=1e-6)
    assert found.labels == ("z0", "z1")
    assert found.is_slice
    assert found.dot.tolist() == [0.3, 0.4]


def test_axes_may_be_in_another_order(cells: Population) -> None:
    found = response(PLANE, ground_of(PLANE, (1, 0), cells, 31), [0.3, 0.4, 0.5])
    assert found.labels == ("z1", "z0")
    assert found.gradient[0] == pytest.approx(-1.0)
    assert found.dot.tolist() == [0.4, 0.3]


def test_a_contour_runs_where_the_map_has_its_value() -> None:
    x, y = np.linspace(0, 4, 41), np.linspace(-1, 1, 21)
    (line,) = contour(np.add.outer(y, x), (x, y), 2.0)
    assert line.sum(1) == pytest.approx(2.0)
    assert contour(np.add.outer(y, x), (x, y), 9.0) == ()


def test_a_circle_is_a_closed_boundary() -> None:
    grid = np.stack(np.meshgrid(np.linspace(-2, 2, 20), np.linspace(-2, 2, 20)), -1)
    cells = real_cells(np.concatenate([grid.reshape(-1, 2), np.zeros((400, 2))], 1))
    found = response(BOWL, ground_of(BOWL, (0, 1), cells), [0.0, 0.0])
    (ring,) = found.boundary
    assert np.hypot(*ring.T) == pytest.approx(1.0, abs=2e-3)
    assert ring[0] == pytest.approx(ring[-1])
    assert not found.is_slice


def test_zeros_of_a_curve(cells: Population) -> None:
    found = response(PARABOLA, ground_of(PARABOLA, (0,), cells), [0.1])
    assert found.boundary[0][:, 0] == pytest.approx([-0.5, 0.5], abs=1e-3)
    assert found.gradient[0] == pytest.approx(2 * found.ground.points[0])
    above = Part("above", "", INPUTS[:1], lambda x: x[:, 0] ** 2 + 1)
    assert response(above, ground_of(above, (0,), cells), [0.1]).boundary == ()


def test_where_a_formula_is_undefined_there_is_no_value_and_no_zero(cells: Population) -> None:
    log = Part("log", "", INPUTS[:2], lambda x: torch.log(x[:, 0]) + x[:, 1])
    found = response(log, ground_of(log, (0, 1), cells), [0.5, 0.0])
    x, _ = np.meshgrid(*found.ground.points)
    assert np.array_equal(np.isnan(found.values), x < 0)
    for piece in found.boundary:
        assert piece[:, 1] == pytest.approx(-np.log(piece[:, 0]), abs=0.05)


@pytest.mark.parametrize("axes", [(), (0, 0), (0, 3), (0, 1, 2), (-1,)])
def test_other_axes_are_refused(cells: Population, axes: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInput, match="plane reads 3 inputs; choose one or two of them"):
        ground_of(PLANE, axes, cells)


def test_a_cell_of_another_part_is_refused(cells: Population) -> None:
    with pytest.raises(InvalidInput, match="plane reads 3 inputs; the selected cell has"):
        response(PLANE, ground_of(PLANE, (0, 1), cells), [0.0, 0.0])


def test_no_cells_are_refused() -> None:
    with pytest.raises(InvalidInput, match="There are no cells to look at"):
        real_cells(np.zeros((0, 4)))
    with pytest.raises(InvalidInput, match="There are no cells"):
        real_cells([[np.nan, 0.0]])


def test_traversals_decode_the_cell_along_each_axis(h2b: CellModel) -> None:
    cells = drawn_cells(h2b, 100)
    part = Part(
        "p", "", (HeadInput("z0", (0,)), HeadInput("r", (18, 19))), lambda x: x[:, 0] + x[:, 1]
    )
    ground = ground_of(part, (0, 1), cells)
    cell = cells.latents[0]
    first, second = traversals(part, ground, h2b, cell, 3)
    assert (first.axis, second.axis) == (0, 1)
    assert first.pictures.shape == (3, 64, 64)
    z = np.tile(cell, (3, 1))
    z[:, 0] = first.values
    assert first.pictures == pytest.approx(h2b.decode(z)[:, 0], abs=1e-5)
    start, end = ground.points[1][[0, -1]]
    assert second.values == pytest.approx(start + (end - start) * np.array([1, 3, 5]) / 6)


def test_along_a_neuron_nothing_is_decoded(h2b: CellModel) -> None:
    inner = Part("inner", "", INPUTS[:1], lambda x: x[:, 0] ** 2)
    part = Part("p", "", (NeuronOutput("n", inner), INPUTS[1]), lambda x: x[:, 0] + x[:, 1])
    cells = drawn_cells(h2b, 50)
    found = traversals(part, ground_of(part, (0, 1), cells), h2b, cells.latents[0], 2)
    assert [one.axis for one in found] == [1]


def test_shares_of_the_variance(rng: np.random.Generator) -> None:
    cells = real_cells(rng.normal(size=(4000, 4)))
    total = Part("sum", "", INPUTS[:2], lambda x: 3 * x[:, 0] + x[:, 1])
    assert strongest(total, cells, most=4000) == pytest.approx([0.9, 0.1], abs=0.05)
    product = Part("product", "", INPUTS[:2], lambda x: x[:, 0] * x[:, 1])
    assert strongest(product, cells, most=4000) == pytest.approx([1.0, 1.0], abs=0.1)
    flat = Part("flat", "", INPUTS[:2], lambda x: 0 * x[:, 0])
    assert strongest(flat, cells).tolist() == [0.0, 0.0]


def test_the_middle_cell_is_near_the_medians() -> None:
    z = np.array([[0.0, 0, 0, 0], [5, 5, 0, 0], [1, 1, 9, 9], [2, 2, 0, 0], [9, 0, 0, 0]])
    assert real_cells(z).middle(BOWL) == 2
