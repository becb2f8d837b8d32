"""The shortcut index: latents of the surroundings against latents of the cell."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.patches import patches_of_crops
from napari_interpdisc.scrutiny.segmented import SegmentedCells, segment_cells
from napari_interpdisc.scrutiny.shortcut import Shortcut, measure_shortcut, surroundings_share
from napari_interpdisc.simulate.crops import CropSimulation, simulate_crops

Y, X = np.mgrid[:64, :64] - 31.5
INSIDE, RING = np.hypot(Y, X) < 7, (np.hypot(Y, X) > 20) & (np.hypot(Y, X) < 31)


class TwoLatents:
    """z0 reads the cell, z1 its surroundings, z2 nothing; the head adds them with weights."""

    name, crop_size, n_latents = "by hand", 64, 3
    latent_kl = np.array([1.0, 1.0, 0.0])
    device = torch.device("cpu")

    def __init__(self, *weights: float) -> None:
        self.weights = torch.tensor([*weights, 0.0])

    def encode(self, crops: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float32], None]:
        pixels = crops[:, 0]
        low = np.quantile(pixels, 0.05, axis=(1, 2))
        unit = np.quantile(pixels[:, INSIDE], 0.9, axis=1) - low
        cell = (pixels[:, INSIDE].std(1) / unit) * 20
        around = (pixels[:, RING].mean(1) - low) / unit * 5
        return np.stack([cell, around, 0 * cell], 1).astype(np.float32), None

    def head(self, name: str | None = None) -> Any:
        return SimpleNamespace(name=name, classes=("no", "yes"), head=self._logit)

    def head_of_latents(self, name: str | None, what: str) -> Any:
        return self.head(name)

    def _logit(self, z: torch.Tensor) -> torch.Tensor:
        return ((z - 1) @ self.weights)[:, None]

    def score(self, latents: npt.NDArray[np.float32], *_: object) -> npt.NDArray[np.float32]:
        return self._logit(torch.from_numpy(np.asarray(latents))).numpy()


def by_hand(*weights: float) -> CellModel:
    model: Any = TwoLatents(*weights)
    return model  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def cells() -> SegmentedCells:
    settings = CropSimulation(
        side=112, neighbours=(0, 4), neighbour_distance=(25, 30), noise=(0.03, 0.03),
        grain=(0.0, 0.4), offset=(0, 0),
    )  # fmt: skip
    return segment_cells(patches_of_crops(simulate_crops(60, 1, settings)[0], 26.0)).cells


def test_latents_are_parted_by_what_makes_their_variance(cells: SegmentedCells) -> None:
    share = surroundings_share(cells, by_hand(1, 1))
    assert share[0] < 0.3
    assert share[1] > 0.8
    (found,) = measure_shortcut(cells, np.arange(len(cells)), by_hand(1, 1), ["head"], 0.05)
    assert found.cell == (0,)
    assert found.surroundings == (1,), "a latent without information belongs to neither"
    assert found.mixed == share[0]


def test_a_head_of_the_surroundings_fails_and_one_of_the_cell_passes(
    cells: SegmentedCells,
) -> None:
    group = np.arange(len(cells)) // 4
    (shortcut,) = measure_shortcut(cells, group, by_hand(0.0, 1.0), ["head"], 0.05)
    (honest,) = measure_shortcut(cells, group, by_hand(1.0, 0.0), ["head"], 0.05)
    assert shortcut.index > 0.9
    assert shortcut.passed is False
    assert shortcut.interval[0] > 0.7
    assert shortcut.medians[0] < 3 < shortcut.medians[1]
    assert "failed" in shortcut.sentence()
    assert honest.index == 0
    assert honest.passed
    assert "passed" in honest.sentence()
    assert "above 3 for the 1 latents of the surroundings" in honest.sentence()


def test_the_smallest_step_is_that_of_a_linear_head(cells: SegmentedCells) -> None:
    model = by_hand(0.5, 1.0)
    (found,) = measure_shortcut(cells, np.arange(len(cells)), model, ["head"], 0.05)
    z = model.encode(cells.patches.crops(64))[0]
    logit = 0.5 * (z[:, 0] - 1) + (z[:, 1] - 1)
    for smallest, weight in ((found.frozen_cell, 1.0), (found.free_cell, 0.5)):
        exact = np.abs(logit) / weight
        near = exact < 2.9
        assert near.any()
        assert (smallest[near] >= exact[near] - 1e-4).all()
        assert (smallest[near] <= exact[near] + 0.051).all()


def test_the_worst_cells_are_those_that_change_first() -> None:
    found = Shortcut((1,), np.array([np.inf, 0.5, 0.1, 2.0]), np.array([0.2, 0.4, 0.3, np.inf]))
    assert found.worst == (2, 1, 3)
    assert found.index == 0.5
    assert found.reached == 0.5


def test_no_latent_of_the_surroundings_is_a_pass() -> None:
    found = Shortcut((), np.full(3, np.inf), np.array([0.2, 0.4, 0.3]))
    assert found.passed
    assert "no latent follows the surroundings" in found.sentence()
