"""Reliability of heads by plate and elsewhere, as the driver of the bundled model asks for it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from napari_interpdisc.discovery.recipe import Recipe
from napari_interpdisc.discovery.tasks import HeadTask, HeadTasks, answer_tasks
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.models.heads import Head
from napari_interpdisc.models.store import load_model
from napari_interpdisc.patches import patches_of_crops
from napari_interpdisc.simulate.crops import CropSimulation, simulate_crops
from napari_interpdisc.training.heads import HeadTraining

EXPERIMENTS = Path(__file__).parents[2] / "experiments"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(EXPERIMENTS)
    path = EXPERIMENTS / "confidences.py"
    spec = importlib.util.spec_from_file_location("experiments_confidences", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def cells(n: int, seed: int) -> SimpleNamespace:
    """Simulated cells on twelve plates; a few are of no class."""
    images, factors = simulate_crops(n, seed, CropSimulation(neighbours=(0, 1)))
    labels = np.where(factors["eccentricity"] > 0.65, "long", "round")
    labels[:5] = "bits"
    plates = np.array([f"plate {k % 12}" for k in range(n)])
    return SimpleNamespace(patches=patches_of_crops(images, 23.0), labels=labels, groups=plates)


def test_by_plate_heads_are_those_that_did_not_see_it_and_elsewhere_those_that_are_kept(
    script: Any,
) -> None:
    model, home, away = load_model(device="cpu"), cells(120, 3), cells(60, 4)
    task = HeadTask(names={"dense": "shape"}, classes={"round": ("round",), "long": ("long",)})
    recipe = Recipe(
        kinds=("dense",), folds=2, augmented=2, curve=False, dense=HeadTraining(steps=150)
    )
    results = answer_tasks(
        home.patches, home.labels, home.groups, model, HeadTasks(recipe=recipe, task=(task,))
    )
    nothing = SimpleNamespace(**{**vars(away), "labels": np.full(60, "bits")})
    found = script.reliabilities(model, results, home, {"away": away, "nothing": nothing})
    assert list(found) == ["shape"]
    assert list(found["shape"]) == ["by plate", "away"]
    plates, movie = found["shape"].values()
    assert (plates.n_cells, plates.n_groups) == (115, 12)
    assert (movie.n_cells, movie.n_groups) == (55, 12)
    head = results[0].found[0].heads["dense"]
    assert plates.brier == pytest.approx(brier(head.logits, home))
    assert movie.brier == pytest.approx(brier(kept_logits(model, head.head, away), away), abs=1e-5)
    # the head that is kept saw all plates
    assert plates.brier > brier(kept_logits(model, head.head, home), home) + 0.01


def kept_logits(model: CellModel, head: Head, own: SimpleNamespace) -> np.ndarray:
    latents = model.encode(own.patches.crops(model.crop_size))[0]
    with torch.inference_mode():
        return np.asarray(head(torch.from_numpy(latents)))


def brier(logits: np.ndarray, own: SimpleNamespace) -> float:
    """Brier score of two classes, each weighted equally."""
    second = 1 / (1 + np.exp(-logits[:, 0].astype(float)))
    errors = [
        np.mean(2 * (second[own.labels == label] - k) ** 2)
        for k, label in enumerate(("round", "long"))
    ]
    return float(np.mean(errors))
