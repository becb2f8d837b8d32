"""The smallest move to another class: against boundaries that are known, and searched on a grid."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from napari_interpdisc.errors import Cancelled, InvalidInput
from napari_interpdisc.models.cell_model import CellModel, LatentMeaning, NamedHead, class_index
from napari_interpdisc.models.formula import FormulaHead, parse_formula
from napari_interpdisc.models.store import load_model
from napari_interpdisc.scrutiny.counterfactual import (
    Coordinates,
    RealCells,
    counterfactual_path,
    real_cells,
)

TWO = ("no", "yes")


class _Encoder(nn.Module):
    """Stands in for the β-TCVAE: four latents, of which two rotate together."""

    def __init__(self) -> None:
        super().__init__()
        self.config = SimpleNamespace(latents=4, crop_size=2, n_cell=4)
        self.rotating_pairs = ((2, 3),)


def rules(*formulas: str, classes: tuple[str, ...] = TWO) -> CellModel:
    head = FormulaHead([parse_formula(text, 4) for text in formulas])
    return CellModel(
        name="made",
        sha256="0" * 64,
        encoder=_Encoder(),  # type: ignore[arg-type]
        heads={"head": NamedHead("head", head, classes)},
        model_diameter=1.0,
        latent_kl=np.ones(4),
        latent_sd=np.ones(4),
        meanings=(
            LatentMeaning("size"),
            LatentMeaning(),
            LatentMeaning("a_cos"),
            LatentMeaning("a_sin"),
        ),
        device=torch.device("cpu"),
    )


@pytest.fixture(scope="module")
def cells() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(600, 4)).astype(np.float32)


def at(*z: float) -> np.ndarray:
    return np.array(z, np.float32)


def test_straight_to_a_plane(cells: np.ndarray) -> None:
    """F = 2 z0 + z1 − 2: from the origin the boundary is 2/√5 away, along (2, 1)."""
    model = rules("2*z0 + z1 - 2")
    found = counterfactual_path(model, at(0, 0, 0.3, -0.2), real_cells(model, cells))
    assert found.reached
    assert found.monotone
    assert found.length == pytest.approx(2 / np.sqrt(5), abs=2e-3)
    np.testing.assert_allclose(found.latents[-1], [0.8, 0.4, 0.3, -0.2], atol=5e-3)
    assert class_index(found.scores).tolist() == [0] * 8 + [1]
    assert found.margins[0] == pytest.approx(-2)
    assert found.real.all()


def test_a_search_tells_its_progress_and_can_be_stopped(cells: np.ndarray) -> None:
    model = rules("2*z0 + z1 - 2")
    real = real_cells(model, cells)
    seen: list[tuple[int, int]] = []
    counterfactual_path(model, at(0, 0, 0, 0), real, progress=lambda *done: seen.append(done))
    assert seen == [(k, 5) for k in range(6)]

    def stop(done: int, n: int) -> None:
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        counterfactual_path(model, at(0, 0, 0, 0), real, progress=stop)


def test_towards_the_first_class_and_with_a_margin(cells: np.ndarray) -> None:
    model = rules("z0 - 0.5")
    real = real_cells(model, cells)
    back = counterfactual_path(model, at(1, 0, 0, 0), real)
    assert back.classes[back.target] == "no"
    assert back.length == pytest.approx(0.5, abs=2e-3)
    assert back.margins[-1] > 0 > back.scores[-1, 0]
    further = counterfactual_path(model, at(1, 0, 0, 0), real, margin=0.7)
    assert further.length == pytest.approx(1.2, abs=2e-3)


@pytest.mark.parametrize(
    "rule", ["z0**2 + z1**2 - 1", "z0*z1 - 0.3", "z1 - sin(3*z0) - 0.4", "exp(z0) - 2*z1**2 - 1.5"]
)
def test_no_shorter_end_is_on_a_fine_grid(cells: np.ndarray, rule: str) -> None:
    model = rules(rule)
    real = real_cells(model, cells)
    axis = np.linspace(-3, 3, 121)
    grid = np.zeros((121 * 121, 4), np.float32)
    grid[:, 0], grid[:, 1] = (a.ravel() for a in np.meshgrid(axis, axis))
    called, inside = class_index(model.score(grid)), real.has(grid)
    for cell in cells[:2]:
        found = counterfactual_path(model, cell, real)
        good = inside & (called == found.target)
        best = np.linalg.norm(grid[good, :2] - cell[:2], axis=1).min()
        assert found.reached
        assert real.has(found.latents[-1:])[0]
        assert class_index(found.scores)[-1] == found.target
        # a step of the grid is 0.05
        assert found.length <= best + 0.05


def test_ends_where_real_cells_are(cells: np.ndarray) -> None:
    """The nearest boundary lies where no cell is; the one that is told is further."""
    values = cells.copy()
    values[:, 0] = np.abs(values[:, 0])  # no cell left of 0
    model = rules("abs(z0 - 0.2) - 1")
    real = real_cells(model, values)
    found = counterfactual_path(model, at(0.15, 0, 0, 0), real)
    assert found.latents[-1, 0] == pytest.approx(1.2, abs=5e-3)  # and not −0.8
    assert found.real.all()


def test_says_that_nothing_among_real_cells_changes_it(cells: np.ndarray) -> None:
    model = rules("z0 - 9")
    found = counterfactual_path(model, at(0, 0, 0, 0), real_cells(model, cells))
    assert not found.reached
    assert found.real.all()
    assert class_index(found.scores)[-1] == 0
    assert 1 < found.latents[-1, 0] < 4  # as far as real cells go
    assert (
        "No move that was found among real cells makes this no a yes" in found.sentences(model)[0]
    )


def test_says_that_scores_do_not_rise(cells: np.ndarray) -> None:
    """On the way from the left well of a double well to the outside of the right one."""
    values = cells.copy()
    values[:, 0] = np.random.default_rng(1).uniform(-0.9, 2.5, len(cells))
    model = rules("(z0**2 - 1)**2*(z0 - 1.5) + 0*z1")
    found = counterfactual_path(model, at(-0.2, 0, 0, 0), real_cells(model, values), steps=15)
    assert found.reached
    assert not found.monotone
    assert "does not rise at every step" in found.sentences(model)[1]


def test_a_pair_moves_along_its_radius(cells: np.ndarray) -> None:
    model = rules("sqrt(z2**2 + z3**2) - 1.5")
    found = counterfactual_path(model, at(0.4, -0.1, 0.3, 0.4), real_cells(model, cells))
    np.testing.assert_allclose(found.latents[-1], [0.4, -0.1, 0.9, 1.2], atol=5e-3)
    assert found.coordinates == Coordinates((), ((2, 3),))
    assert found.moves(model) == [("radius of z2, z3 a", pytest.approx(1.0, abs=5e-3))]


def test_any_class_may_be_aimed_at(cells: np.ndarray) -> None:
    model = rules("0*z0", "z0 - 1", "z1 - 1.5", classes=("a", "b", "c"))
    real = real_cells(model, cells)
    start = at(0, 0, 0, 0)
    nearest, other = (counterfactual_path(model, start, real, target=t) for t in (None, "c"))
    assert (nearest.classes[nearest.target], other.classes[other.target]) == ("b", "c")
    assert nearest.length == pytest.approx(1.0, abs=2e-3)
    assert other.length == pytest.approx(1.5, abs=2e-3)
    assert class_index(other.scores)[-1] == 2
    assert other.sentences(model)[0] == "a becomes c by a move of 1.50 prior SD: z1 +1.50."


def test_latents_that_the_head_does_not_use_stay(cells: np.ndarray) -> None:
    model = rules("z0 - 1")
    start = cells[3]
    found = counterfactual_path(model, start, real_cells(model, cells))
    np.testing.assert_array_equal(found.latents[:, 1:], np.repeat(start[None, 1:], 9, 0))
    np.testing.assert_array_equal(found.latents[0], start)


def test_nearest_real_cells_are_of_other_tracks(cells: np.ndarray) -> None:
    model = rules("z0 - 1")
    tracks = np.arange(len(cells)) // 2
    values = cells.copy()
    values[0] = np.nan  # without pixels
    real = real_cells(model, values, groups=tracks)
    found = counterfactual_path(model, values[7], real, group=tracks[7])
    assert not np.isin(found.nearest, [0, 6, 7]).any()
    for step, row, distance in zip(found.latents, found.nearest, found.distances, strict=True):
        others = np.abs(np.delete(values[:, 0], [0, 6, 7]) - step[0])
        assert distance == pytest.approx(others.min(), abs=1e-5)
        assert abs(values[row, 0] - step[0]) == pytest.approx(distance, abs=1e-5)
    with pytest.raises(InvalidInput, match="same track"):
        RealCells(cells, real.coordinates, np.zeros(600), np.zeros(600)).nearest(cells[:1], 0)


def test_one_cell_in_a_hundred_is_where_hardly_any_is(cells: np.ndarray) -> None:
    model = rules("z0 + z1")
    real = real_cells(model, cells)
    assert 0.98 <= real.has(cells).mean() <= 1
    assert not real.has(np.array([[9, 9, 0, 0]])).any()


def test_bundled_heads_on_cells_like_their_own() -> None:
    """Whatever the head, what is said of a path is true of it."""
    model = load_model(device="cpu")
    rng = np.random.default_rng(0)
    cells = (rng.normal(size=(300, model.n_latents)) * model.latent_sd).astype(np.float32)
    for name in ("formula", "sparse-strict", "states-sparse", "dense"):
        real = real_cells(model, cells, name)
        used = set(model.head(name).head.used_latents)
        for row in (0, 1):
            found = counterfactual_path(model, cells[row], real, name)
            changed = set(np.flatnonzero(found.latents[-1] != found.latents[0]).tolist())
            assert changed <= used
            ends_there = class_index(model.score(found.latents[-1:], name))[0] == found.target
            assert found.reached == ends_there
            assert all(sentence.endswith(".") for sentence in found.sentences(model))


def test_refuses(cells: np.ndarray) -> None:
    model = rules("z0 - 1")
    real = real_cells(model, cells)
    with pytest.raises(InvalidInput, match="no class 'maybe'; it has no, yes"):
        counterfactual_path(model, at(0, 0, 0, 0), real, target="maybe")
    with pytest.raises(InvalidInput, match="called no already"):
        counterfactual_path(model, at(0, 0, 0, 0), real, target="no")
    with pytest.raises(InvalidInput, match="no latents"):
        counterfactual_path(model, at(np.nan, 0, 0, 0), real)
    with pytest.raises(InvalidInput, match="5 cells are too few"):
        real_cells(model, cells[:5])
    constant = replace(model, heads=rules("1 + 0*2").heads)
    with pytest.raises(InvalidInput, match="uses no latent"):
        real_cells(constant, cells)


def test_a_cell_without_a_value_has_no_path(cells: np.ndarray) -> None:
    model = rules("log(z0 + 1) - 0.5")
    real = real_cells(model, cells)
    assert (real.classes == -1).sum() == (cells[:, 0] < -1).sum()
    with pytest.raises(InvalidInput, match="no value for this cell; choose another cell"):
        counterfactual_path(model, at(-1.5, 0, 0, 0), real)


def test_a_path_ends_where_there_is_a_value(cells: np.ndarray) -> None:
    """F = log(z0 + 1) − 0.5 is 0 at √e − 1; √(1 − z0) − 0.5 at 0.75, with nothing beyond 1."""
    up = rules("log(z0 + 1) - 0.5")
    found = counterfactual_path(up, at(0, 0, 0, 0), real_cells(up, cells))
    assert found.reached
    assert found.latents[-1, 0] == pytest.approx(np.sqrt(np.e) - 1, abs=5e-3)
    root = rules("sqrt(1 - z0) - 0.5")
    found = counterfactual_path(root, at(0, 0, 0, 0), real_cells(root, cells))
    assert found.reached
    assert found.latents[-1, 0] == pytest.approx(0.75, abs=5e-3)
    assert np.isfinite(found.scores).all()


def test_many_cells_cost_no_more_memory_than_some() -> None:
    """Of 100,000 cells, kernels are made of 2,000; the nearest real cell is one of all."""
    values = np.random.default_rng(0).normal(size=(100_000, 4)).astype(np.float32)
    model = rules("z0 + z1 - 2")
    real = real_cells(model, values)
    assert len(real.drawn) == 2000
    found = counterfactual_path(model, values[5], real, group=5)
    assert found.reached
    assert found.distances.max() < 0.1


def test_a_head_of_properties_has_no_path(measuring: CellModel) -> None:
    with pytest.raises(
        InvalidInput,
        match="reads latents alone, and 'size' reads",
    ):
        real_cells(measuring, np.zeros((30, 32), np.float32), "size")
