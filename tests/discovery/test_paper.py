"""The paper's attacks on linear scores, whose answers are known, and on simulated cells."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_interpdisc.discovery.paper import (
    IMAGE_EPSILON,
    PaperAttacks,
    attack_pixels,
    study_attacks,
    told_findings,
)
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.models.store import load_model
from napari_interpdisc.models.tcvae import TCVAEConfig
from napari_interpdisc.patches import patches_of_crops
from napari_interpdisc.scrutiny.segmented import Segmentation, segment_cells
from napari_interpdisc.simulate.crops import CropSimulation, simulate_crops
from napari_interpdisc.training.cnn import CNNTraining

HEADS = ("dense-strict", "sparse-strict", "formula-strict")


@pytest.fixture(scope="module")
def model() -> CellModel:
    return load_model(device="cpu")


@pytest.fixture(scope="module")
def cells(model: CellModel) -> tuple[Segmentation, np.ndarray, np.ndarray]:
    parts = [
        simulate_crops(12, seed, CropSimulation(eccentricity=shape, neighbours=(0, 1)))[0]
        for seed, shape in ((0, (0.2, 0.6)), (1, (0.9, 0.95)))
    ]
    patches = patches_of_crops(np.concatenate(parts), 25.0, model.model_diameter, model.crop_size)
    labels = np.repeat(np.array(["Interphase", "Metaphase"], object), 12)
    found = segment_cells(patches, None, model.model_diameter, None)
    return found, labels, np.arange(24) % 6


def weighted(weights: np.ndarray, bias: float = 0.0) -> object:
    pattern = torch.from_numpy(weights.astype(np.float32))

    def score(crops: Tensor) -> Tensor:
        return (crops[:, 0] * pattern).sum((1, 2))[:, None] + bias

    return score


def test_a_linear_score_falls_by_the_sum_of_its_weights(model: CellModel) -> None:
    crops = np.random.default_rng(0).normal(size=(3, 1, 64, 64)).astype(np.float32)
    weights = np.random.default_rng(1).normal(size=(64, 64))
    masks = np.zeros((3, 64, 64), bool)
    found = attack_pixels(weighted(weights), model, crops, masks)  # type: ignore[arg-type]
    size = np.abs(found.before[:, 0]) - np.abs(found.after[:, 0]) * np.where(found.flips, -1, 1)
    np.testing.assert_allclose(size, IMAGE_EPSILON * np.abs(weights).sum(), rtol=1e-4)
    np.testing.assert_allclose(np.abs(found.perturbation), IMAGE_EPSILON, rtol=1e-5)
    assert found.flips.all()


def test_structure_and_place_of_a_perturbation(model: CellModel) -> None:
    """A score of the middle looks there; one of random signs asks for noise."""
    crops = np.random.default_rng(0).normal(size=(2, 1, 64, 64)).astype(np.float32)
    y, x = np.mgrid[:64, :64]
    masks = np.repeat((np.hypot(y - 32, x - 32) < 10)[None], 2, 0)
    of_middle = np.where(masks[0], 1.0, 1e-6)
    smooth = attack_pixels(weighted(of_middle), model, crops, masks)  # type: ignore[arg-type]
    assert (smooth.inside > 0.98).all()
    assert (smooth.structure > 0.9).all()
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (64, 64))
    noise = attack_pixels(weighted(signs), model, crops, masks)  # type: ignore[arg-type]
    assert (noise.structure < 0.05).all()
    assert noise.inside == pytest.approx(masks.mean((1, 2)), abs=1e-6)


def test_all_schemes(model: CellModel, cells: tuple[Segmentation, np.ndarray, np.ndarray]) -> None:
    seen: list[tuple[int, int]] = []
    small = TCVAEConfig(widths=(4, 4, 8, 8), hidden=16, latents=8)
    quick = CNNTraining(steps=3, batch=8, network=small)
    found = study_attacks(
        model, HEADS, *cells, seeds=2, cnn=quick, progress=lambda *d: seen.append(d)
    )
    assert seen[-1] == (8, 8)
    assert [one.scheme for one in found.findings] == [1, 2, 3, 4]
    assert [one.name for one in found.findings[1:]] == list(HEADS)
    assert np.isnan(found.findings[0].frozen)
    # heads read latents of the cell alone: the surroundings' cannot flip them
    assert [one.frozen_cell for one in found.findings[1:]] == [0.0, 0.0, 0.0]
    # with the latents that they use frozen, nothing can
    assert [one.frozen for one in found.findings[2:]] == [0.0, 0.0]
    used = {i for name in HEADS[1:] for i in model.head(name).head.used_latents}
    assert set(found.shape_latents) == used
    assert len(found.rows) == 6
    assert len(found.cnn_rows) in (3, 6)  # a CNN of three steps may call all cells alike
    told = told_findings(found, found)
    assert [sentence[:2] for sentence in told] == ["1.", "2.", "3.", "Wi"]
    assert isinstance(found, PaperAttacks)


def test_refuses(model: CellModel, cells: tuple[Segmentation, np.ndarray, np.ndarray]) -> None:
    with pytest.raises(InvalidInput, match="same two classes"):
        study_attacks(model, ("states", "states-sparse", "formula"), *cells)
    segmentation, labels, plates = cells
    few = np.where(np.arange(24) < 22, "Interphase", labels)
    with pytest.raises(InvalidInput, match="Three cells of each class"):
        study_attacks(model, HEADS, segmentation, few, plates)
