"""Correlations, intervals and information with a known truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import spearmanr

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.scrutiny.naming import study_latents
from napari_interpdisc.scrutiny.relations import relate

from .conftest import N


def test_the_correlation_is_spearmans_with_ties_and_gaps(
    columns: tuple[npt.NDArray[Any], dict[str, npt.NDArray[Any]]],
) -> None:
    z, properties = columns
    found = relate(z, properties, np.arange(N), draws=20, information=False)
    assert found.quantities == ("z0", "z1", "z2", "z3", "z4")
    for p, values in enumerate(properties.values()):
        known = np.isfinite(values)
        assert found.cells[p] == known.sum()
        for q in range(4):
            expected = spearmanr(z[known, q], values[known])[0]
            assert found.rho[q, p] == pytest.approx(expected, abs=1e-12)
            assert found.low[q, p] < expected < found.high[q, p]
        assert np.isnan(found.rho[4, p])
    # by hand: ranks 1, 2.5, 2.5, 4 and 1, 2, 3, 4, twenty times over
    a, b = np.tile([1, 2, 2, 3], 20), np.tile([1, 2, 3, 4], 20)
    by_hand = relate(a[:, None], {"b": b}, np.arange(80), draws=2, information=False)
    assert by_hand.rho[0, 0] == pytest.approx(4.5 / np.sqrt(4.5 * 5))


def test_a_draw_is_spearmans_correlation_of_the_cells_drawn(
    columns: tuple[npt.NDArray[Any], dict[str, npt.NDArray[Any]]],
) -> None:
    z, properties = columns
    group = np.arange(N) // 10
    found = relate(z, properties, group, draws=5, seed=3, information=False)
    times = np.random.default_rng(3).multinomial(30, np.full(30, 1 / 30), 5)
    for r in range(5):
        rows = np.repeat(np.arange(N), times[r, group])
        for p, values in enumerate(properties.values()):
            some = rows[np.isfinite(values[rows])]
            expected = spearmanr(z[some, 1], values[some])[0]
            assert found.draws[r, 1, p] == pytest.approx(expected, abs=1e-6)


def test_intervals_hold_the_truth_about_as_often_as_they_say(rng: np.random.Generator) -> None:
    r = 0.7
    truth = 6 / np.pi * np.arcsin(r / 2)
    held, trials = 0, 60
    for _ in range(trials):
        # latent and property are shared by the three cells of a group, and differ by some noise
        shared = rng.multivariate_normal([0, 0], [[1, r], [r, 1]], 80)
        pair = np.sqrt(0.7) * np.repeat(shared, 3, 0)
        pair += np.sqrt(0.3) * rng.multivariate_normal([0, 0], [[1, r], [r, 1]], 240)
        found = relate(
            pair[:, :1], {"p": pair[:, 1]}, np.repeat(np.arange(80), 3), draws=200,
            information=False,
        )  # fmt: skip
        held += bool(found.low[0, 0] <= truth <= found.high[0, 0])
    assert 0.85 * trials <= held


def test_cells_of_one_group_do_not_narrow_the_interval(rng: np.random.Generator) -> None:
    z = rng.normal(size=(60, 1))
    y = z[:, 0] + rng.normal(size=60)
    once = relate(z, {"p": y}, np.arange(60), information=False)
    copies = relate(
        np.repeat(z, 9, 0), {"p": np.repeat(y, 9)}, np.repeat(np.arange(60), 9), information=False
    )
    assert copies.groups == 60
    assert copies.high - copies.low == pytest.approx(once.high - once.low, rel=0.1)


def test_information_of_normal_variables_and_of_what_is_not_monotone(
    rng: np.random.Generator,
) -> None:
    z = rng.normal(size=(800, 2))
    straight = 0.8 * z[:, 0] + 0.6 * rng.normal(size=800)
    properties = {
        "straight": np.exp(straight),
        "bent": z[:, 1] ** 2,
        "counted": np.rint(2 * np.abs(z[:, 1])),
    }
    found = relate(z, properties, np.arange(800), draws=50)
    assert found.information is not None
    assert found.information[0, 0] == pytest.approx(-0.5 * np.log(1 - 0.64), abs=0.08)
    assert found.explained[0, 0] == pytest.approx(-0.5 * np.log(1 - 0.64), abs=0.08)
    assert found.information[1, 0] < 0.05
    assert abs(found.rho[1, 1]) < 0.1
    assert found.information[1, 1] > 1
    assert found.information[1, 2] > 0.7
    meaning = study_latents(z, properties, np.arange(800), draws=20).meanings[1]
    assert meaning.name == ""
    assert "not monotone in bent" in meaning.evidence


def test_a_property_that_does_not_vary_or_is_hardly_known_is_left_out(
    columns: tuple[npt.NDArray[Any], dict[str, npt.NDArray[Any]]],
) -> None:
    z, properties = columns
    rare = np.full(N, np.nan)
    rare[:40] = z[:40, 3]
    found = study_latents(
        z, {**properties, "rare": rare, "flat": np.ones(N)}, np.arange(N), draws=20
    )
    assert found.relations.cells[-2:].tolist() == [0, 0]
    assert np.isnan(found.relations.rho[:, -2:]).all()
    table = found.relations.to_frame()
    assert len(table) == 5 * 5
    assert table.loc[table["property"] == "flat", "rho"].isna().all()
    # rows without any property are left out
    gaps = {name: np.where(np.arange(N) < 100, np.nan, v) for name, v in properties.items()}
    assert relate(z, gaps, np.arange(N), draws=5, information=False).groups == 200


def test_what_cannot_be_related_is_refused(
    columns: tuple[npt.NDArray[Any], dict[str, npt.NDArray[Any]]],
) -> None:
    z, properties = columns
    area = properties["area"]
    group = np.arange(N)
    with pytest.raises(InvalidInput, match="Only 49 cells could be measured, 50 are needed"):
        relate(z, {"area": np.where(group < 49, area, np.nan)}, group)
    with pytest.raises(InvalidInput, match="the same in all cells"):
        relate(z, {"area": np.ones(N)}, group)
    with pytest.raises(InvalidInput, match="one group"):
        relate(z, {"area": area}, np.zeros(N))
    with pytest.raises(InvalidInput, match="one row of each"):
        relate(z, {"area": area}, group[1:])
    with pytest.raises(InvalidInput, match="NaN or infinite"):
        relate(np.where(z > 2, np.inf, z), {"area": area}, group)
