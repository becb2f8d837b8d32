"""Small networks, and patches and settings of a short training."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_interpdisc.models.tcvae import TCVAE, TCVAEConfig
from napari_interpdisc.training.encoder.settings import EncoderTraining, PatchSource

TINY = TCVAEConfig(crop_size=32, latents=4, widths=(4, 4, 8, 8), hidden=16)
TINY_ROTATING = TINY.model_copy(update={"texture": True, "rotating": (0, 1)})
SMALL = TCVAEConfig(crop_size=16, latents=4, widths=(2, 2, 2, 2), hidden=4)
ROTATING = SMALL.model_copy(update={"texture": True, "rotating": (1,)})


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
