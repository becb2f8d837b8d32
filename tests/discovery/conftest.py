"""Cells whose class is a plain rule of two latents, and what a training finds on them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_interpdisc.discovery.cross_validation import discover
from napari_interpdisc.discovery.labelled import LabelledCells
from napari_interpdisc.discovery.recipe import Recipe
from napari_interpdisc.discovery.results import Discovery
from napari_interpdisc.symbolic.settings import SearchSettings
from napari_interpdisc.training.heads import HeadTraining
from napari_interpdisc.training.rigl import SparseTraining


def labelled(n: int, n_classes: int = 2, n_latents: int = 8, seed: int = 0) -> LabelledCells:
    """Return cells whose class is a plain rule of z2 and z5, on n / 4 tracks."""
    draw = np.random.default_rng(seed)
    latents = draw.standard_normal((n, n_latents)).astype(np.float32)
    if n_classes == 2:
        target = (latents[:, 2] + latents[:, 5] > 0).astype(np.int64)
    else:
        target = latents[:, :n_classes].argmax(1).astype(np.int64)
    augmented = latents + 0.05 * draw.standard_normal((3, n, n_latents)).astype(np.float32)
    names = tuple(f"class {k}" for k in range(n_classes))
    return LabelledCells(latents, augmented, target, np.arange(n) // 4, names)


def measured(n: int, seed: int = 0) -> LabelledCells:
    """Return cells of which those of at least 600 px² are large, with measured properties."""
    cells, draw = labelled(n, seed=seed), np.random.default_rng(seed + 1)
    own = np.stack([draw.normal(600, 100, n), draw.uniform(0.8, 1, n)], 1).astype(np.float32)
    return replace(
        cells,
        latents=np.concatenate([cells.latents, own], 1),
        augmented=np.concatenate([cells.augmented, np.tile(own, (3, 1, 1))], 2),
        target=(own[:, 0] >= 600).astype(np.int64),
        classes=("small", "large"),
        properties=("area", "solidity"),
    )


@pytest.fixture(scope="session")
def quick() -> Recipe:
    """Return settings that train in seconds."""
    return Recipe(
        folds=3,
        max_latents=3,
        dense=HeadTraining(steps=150),
        sparse=SparseTraining(hidden=(6, 6), density=0.12, steps=200, restarts=2),
        search=SearchSettings(
            engine="operon", max_size=9, generations=5, individuals=100, cells=200
        ),
    )


@pytest.fixture(scope="session")
def found(quick: Recipe) -> Discovery:
    """Return what a training on a plain rule of two latents finds."""
    seen: list[tuple[int, int]] = []
    result = discover(labelled(160), quick, lambda *d: seen.append(d), "an encoder")
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1][0] == seen[-1][1]
    return result
