"""Small networks, and patches and settings of a short training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from napari_interpdisc.models.tcvae import TCVAE, TCVAEConfig
from napari_interpdisc.training.encoder.data import EncoderSource
from napari_interpdisc.training.encoder.run import training_settings
from napari_interpdisc.training.encoder.settings import EncoderTraining, PatchSource

TINY = TCVAEConfig(crop_size=32, latents=4, widths=(4, 4, 8, 8), hidden=16)
TINY_ROTATING = TINY.model_copy(update={"texture": True, "rotating": (0, 1)})
SMALL = TCVAEConfig(crop_size=16, latents=4, widths=(2, 2, 2, 2), hidden=4)
ROTATING = SMALL.model_copy(update={"texture": True, "rotating": (1,)})
GUIDED = TCVAEConfig(
    crop_size=32, latents=16, widths=(4, 4, 8, 8), hidden=16, rotating=(2, 1), around=(2, 1)
)
"""With twelve latents of the cell, just enough to be guided, and four of its surroundings."""


@pytest.fixture
def small() -> TCVAE:
    """Return an untrained network of two latents, which does not rotate."""
    torch.manual_seed(0)
    return TCVAE(SMALL)


@pytest.fixture
def rotating() -> TCVAE:
    """Return an untrained network with local contrast and one pair that rotates once."""
    torch.manual_seed(0)
    return TCVAE(ROTATING)


@pytest.fixture
def crops() -> torch.Tensor:
    """Return six crops of a network of 16 px."""
    return torch.randn(6, 1, 16, 16, generator=torch.Generator().manual_seed(1))


def short(steps: int, **changes: object) -> EncoderTraining:
    """Return settings of a training of so many steps."""
    given = {"steps": steps, "batch": 16, "warm_up": 5, "log_every": 5, "network": TINY}
    return EncoderTraining.model_validate({**given, **changes})


@pytest.fixture
def sources() -> list[PatchSource]:
    """Return two sources of blobs, round ones and long ones."""
    rng = np.random.default_rng(0)
    rows, cols = np.mgrid[:48, :48] - 23.5
    made = []
    for name, stretch in (("round", 1.0), ("long", 2.0)):
        blobs = np.exp(-((rows / stretch) ** 2 + (cols * stretch) ** 2) / 60)
        noisy = 200 * blobs[None] + rng.normal(20, 4, (12, 48, 48))
        made.append(PatchSource(name, noisy.clip(0, 255).astype(np.uint8), 48.0, np.ones(12)))
    return made


def source(name: str = "blobs", n: int = 60, stretch: float = 1.5, seed: int = 0) -> EncoderSource:
    """Return patches of blobs of many sizes, three of a track."""
    rng = np.random.default_rng(seed)
    rows, cols = np.mgrid[:48, :48] - 23.5
    size = rng.uniform(20, 120, (n, 1, 1))
    blobs = np.exp(-((rows / stretch) ** 2 + (cols * stretch) ** 2) / size)
    noisy = (200 * blobs + rng.normal(20, 4, (n, 48, 48))).clip(0, 255).astype(np.uint8)
    return EncoderSource(name, noisy, 48.0, np.arange(n) // 3, "track")


def of_epochs(epochs: int = 6, **changes: object) -> EncoderTraining:
    """Return settings of a run of so many epochs of 54 patches."""
    made = training_settings(54, epochs, batch=16, network=TINY, patience=0)
    return EncoderTraining.model_validate({**made.model_dump(), "checkpoint_every": 4, **changes})


def outlined_source(
    name: str = "ellipses", n: int = 40, seed: int = 0, share: float = 1.0
) -> PatchSource:
    """Return patches of ellipses with a neighbour at the side, and the outlines of the former."""
    rng = np.random.default_rng(seed)
    rows, cols = np.mgrid[:48, :48] - 23.5
    patches, masks = [], []
    for long, short_, angle in rng.uniform((6, 4, 0), (9, 6, np.pi), (n, 3)):
        along = (np.cos(angle) * cols + np.sin(angle) * rows) / long
        across = (np.cos(angle) * rows - np.sin(angle) * cols) / short_
        own = np.hypot(along, across) < 1
        side = np.hypot(cols - 16, rows) < 6
        bright = 150 * own * (1 + 0.03 * rows) + 200 * side + rng.normal(30, 6, own.shape)
        patches.append(bright.clip(0, 255))
        masks.append(255 * own)
    pixels, own_pixels = (np.asarray(v).astype(np.uint8) for v in (patches, masks))
    return PatchSource(name, pixels, 48.0, np.ones(n), own_pixels, np.ones(n, bool), share)


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Steps and values by tag, as TensorBoard reads them."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder / "tensorboard"), size_guidance={"scalars": 0})
    found.Reload()
    return {t: [(e.step, e.value) for e in found.Scalars(t)] for t in found.Tags()["scalars"]}


def noise_patches(name: str, n: int) -> PatchSource:
    """Return ``n`` patches of noise, 24 px wide."""
    rng = np.random.default_rng(n)
    pixels = rng.integers(0, 255, (n, 24, 24)).astype(np.uint8)
    return PatchSource(name, pixels, 24.0, np.ones(n))
