"""Functions of two properties with a known truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from napari_interpdisc.scrutiny.naming import function_text, study_latents
from napari_interpdisc.scrutiny.rotation import RotatingPair
from napari_interpdisc.scrutiny.two_properties import functions_of_two

N = 400
Columns = dict[str, npt.NDArray[Any]]


@pytest.fixture
def cells(rng: np.random.Generator) -> tuple[npt.NDArray[Any], Columns]:
    """Return latents (N, 5): a bump, noise, a constant, a pair; and the properties behind them."""
    area, length = rng.gamma(9, 60, N), rng.uniform(0.05, 0.7, N)
    angle = rng.uniform(0, 2 * np.pi, N)
    size = (area - area.mean()) / area.std()
    bump = size**2 - 3 * size * (length - 0.4) + 0.1 * rng.normal(size=N)
    # long one way where the cell is large, and the other way where it is small
    pair = (size * length) * np.exp(1j * (angle + 0.3)) + 0.02 * rng.normal(size=N)
    z = np.column_stack([bump, rng.normal(size=N), np.zeros(N), pair.real, pair.imag])
    return z, {
        "area": area,
        "eccentricity": length,
        "solidity": rng.uniform(0.8, 1, N),
        "elongation_cos": length * np.cos(angle),
        "elongation_sin": length * np.sin(angle),
    }


@pytest.mark.parametrize("sign", [1, -1])
def test_a_bump_and_a_pair_that_changes_its_sign_are_explained(
    cells: tuple[npt.NDArray[Any], Columns], sign: int
) -> None:
    z, properties = cells
    # a pair may turn the other way
    z = z * [1, 1, 1, 1, sign]
    pair = RotatingPair(3, 4, 2, 0.99, 0.0, N)
    found = functions_of_two(z, properties, np.arange(N) // 4, [pair], draws=100)
    assert set(found) == {0, 1, 3, 4}
    assert (found[0].first, found[0].second, found[0].order) == ("area", "eccentricity", 0)
    assert 0.9 < found[0].low < found[0].r2 < found[0].high < 1
    assert found[1].r2 < 0.1
    assert found[3] == found[4]
    assert (found[3].first, found[3].second, found[3].order) == ("elongation", "area", 2)
    assert found[3].r2 > 0.9
    assert found[3].cells == N


def test_what_two_properties_explain_is_named_after_them(
    cells: tuple[npt.NDArray[Any], Columns],
) -> None:
    z, properties = cells
    pair = RotatingPair(3, 4, 2, 0.99, 0.0, N)
    study = study_latents(z, properties, np.arange(N) // 4, [pair], draws=100)
    names = [meaning.name for meaning in study.meanings]
    assert names == [
        "size_and_elongation", "", "", "elongation_by_size_a", "elongation_by_size_b",
    ]  # fmt: skip
    assert study.named_after_two == {0, 3, 4}
    told = study.meanings[0].evidence
    assert told.startswith("a function of area and eccentricity, r² = 0.9")
    assert f"], {N} cells; alone " in told
    told = study.meanings[3].evidence
    assert told.startswith("elongation times a function of area and of itself, r² = ")
    assert "rotates as an axis does, with z4" in told
    assert function_text(study.functions[3]) in told


def test_a_fit_is_judged_on_other_groups(rng: np.random.Generator) -> None:
    """Plates that differ in everything explain each other's latents within, and not across."""
    plate = np.repeat(np.arange(5), 60)
    shift = rng.normal(0, 5, (5, 3))[plate]
    values = shift + rng.normal(0, 0.1, (300, 3))
    found = functions_of_two(
        values[:, :1], {"area": values[:, 1], "solidity": values[:, 2]}, plate, draws=50
    )
    assert found[0].r2 < 0.5
    assert found[0].low <= found[0].high


def test_few_cells_or_groups_explain_nothing(cells: tuple[npt.NDArray[Any], Columns]) -> None:
    z, properties = cells
    assert functions_of_two(z, properties, np.arange(N) % 4) == {}
    few = {name: np.where(np.arange(N) < 149, v, np.nan) for name, v in properties.items()}
    assert functions_of_two(z, few, np.arange(N)) == {}
    # a property that does not vary is none
    flat = {**properties, "eccentricity": np.ones(N), "solidity": np.ones(N)}
    assert functions_of_two(z, flat, np.arange(N)) == {}
    known = {name: np.where(np.arange(N) < 300, v, np.nan) for name, v in properties.items()}
    assert functions_of_two(z, known, np.arange(N), draws=10)[0].cells == 300
