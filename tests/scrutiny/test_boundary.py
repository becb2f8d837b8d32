"""Where planted rules change their mind, over two of their inputs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.cell_model import CellModel, NamedHead
from napari_interpdisc.models.formula import FormulaHead, parse_formula
from napari_interpdisc.models.properties import HeadProperties
from napari_interpdisc.models.store import load_model
from napari_interpdisc.scrutiny.boundary import Input, boundary_of

TWO = ("no", "yes")
SPANS = ((-3.0, 3.0), (-3.0, 3.0))
Z0, Z1 = Input("latent", (0,)), Input("latent", (1,))


@pytest.fixture(scope="module")
def bundled() -> CellModel:
    return load_model(device="cpu")


def with_rule(
    model: CellModel,
    *rules: str,
    classes: tuple[str, ...] = TWO,
    read: HeadProperties | None = None,
) -> CellModel:
    names = () if read is None else read.names
    formulas = [parse_formula(rule, 32, None, names) for rule in rules]
    head = FormulaHead(formulas, (), read) if read is not None else FormulaHead(formulas)
    return replace(model, heads={"rule": NamedHead("rule", head, classes)})


def test_a_circle_is_found_where_it_is(bundled: CellModel) -> None:
    model = with_rule(bundled, "z0**2 + z1**2 - 4")
    found = boundary_of(model, None, (Z0, Z1), SPANS, np.zeros(32))
    assert found.reads
    assert found.exact
    (line,) = found.lines
    np.testing.assert_allclose(np.hypot(*line.T), 2, atol=1e-3)
    assert len(line) > 50


def test_other_inputs_are_held_where_the_cell_has_them(bundled: CellModel) -> None:
    model = with_rule(bundled, "z0 + z1 - z5")
    cell = np.zeros(32)
    cell[5] = 1.5
    found = boundary_of(model, None, (Z0, Z1), SPANS, cell)
    assert not found.exact
    np.testing.assert_allclose(found.lines[0].sum(1), 1.5, atol=1e-3)
    cell[5] = 100
    assert boundary_of(model, None, (Z0, Z1), SPANS, cell).lines == ()


def test_inputs_that_are_not_read_have_no_boundary(bundled: CellModel) -> None:
    found = boundary_of(with_rule(bundled, "z7 - 1"), None, (Z0, Z1), SPANS, np.zeros(32))
    assert not found.reads
    assert found.lines == ()


def test_a_radius_is_exact_if_no_direction_is_read(bundled: CellModel) -> None:
    radius = Input("radius", (18, 19))
    cell = np.zeros(32)
    spans = (SPANS[0], (0.0, 3.0))
    whole = with_rule(bundled, "z0 + z18**2 + z19**2 - 1")
    for held in (0.0, 0.7):
        cell[18] = held
        found = boundary_of(whole, None, (Z0, radius), spans, cell)
        assert found.exact
        x, y = np.concatenate(found.lines).T
        np.testing.assert_allclose(x + y**2, 1, atol=5e-3)
    leaning = with_rule(bundled, "z0 + z18 - 1")
    assert not boundary_of(leaning, None, (Z0, radius), spans, cell).exact


def test_of_three_classes_lines_part_the_largest_scores(bundled: CellModel) -> None:
    model = with_rule(bundled, "z0", "-z0", "z1", classes=("a", "b", "c"))
    found = boundary_of(model, None, (Z0, Z1), SPANS, np.zeros(32))
    x, y = np.concatenate(found.lines).T
    lead = np.stack([x, -x, y], 1)
    two = np.sort(lead, 1)
    np.testing.assert_allclose(two[:, 2] - two[:, 1], 0, atol=0.05)
    assert x.min() < -1 < 1 < x.max()


def test_a_measured_property_is_an_axis_in_its_own_unit(bundled: CellModel) -> None:
    read = HeadProperties(("area", "solidity"), (400.0, 0.9), (100.0, 0.1))
    model = with_rule(bundled, "area + z0", read=read)
    area = Input("property", (), "area")
    spans = (SPANS[0], (100.0, 900.0))
    held = {"solidity": 0.9, "area": 400.0}
    found = boundary_of(model, None, (Z0, area), spans, np.zeros(32), held)
    x, y = np.concatenate(found.lines).T
    np.testing.assert_allclose((y - 400) / 100 + x, 0, atol=1e-2)
    assert found.exact
    with pytest.raises(InvalidInput, match="solidity"):
        boundary_of(model, None, (Z0, area), spans, np.zeros(32), {"area": 400.0})


def test_values_of_cells_on_an_axis() -> None:
    latents = np.array([[3.0, 4.0, 0.0], [0.0, 1.0, 2.0]])
    assert Input("latent", (1,)).of(latents, {}).tolist() == [4, 1]
    assert Input("radius", (0, 1)).of(latents, {}).tolist() == [5, 1]
    assert Input("property", (), "area").of(latents, {"area": np.array([7, 8])}).tolist() == [7, 8]
