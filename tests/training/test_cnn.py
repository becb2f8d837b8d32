from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_interpdisc.crops import normalise
from napari_interpdisc.models.tcvae import TCVAEConfig
from napari_interpdisc.training.augment import Augmentation
from napari_interpdisc.training.cnn import CNNTraining, train_cnn

TINY = TCVAEConfig(crop_size=16, latents=4, widths=(4, 4, 4, 4), hidden=8)
PLAIN = Augmentation(diameter=0.05, shift=0.5, blur=0, gamma=0, noise=0)


def patches(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return round and long bright objects in noise."""
    y, x = np.mgrid[-12:12, -12:12]
    target = np.arange(n) % 2
    length = np.where(target, 6.0, 2.5)[:, None, None]
    images = np.exp(-0.5 * ((y / 2.5) ** 2 + (x / length) ** 2))
    return (images + 0.05 * rng.random(images.shape)).astype(np.float32), target.astype(np.int64)


def test_a_cnn_learns_shapes_and_the_seed_decides(rng: np.random.Generator) -> None:
    images, target = patches(60, rng)
    settings = CNNTraining(steps=60, batch=16, learning_rate=1e-2, augmentation=PLAIN, network=TINY)
    seen: list[tuple[int, int]] = []
    first = train_cnn(images, target, 2, 24, settings, lambda *p: seen.append(p))
    second = train_cnn(images, target, 2, 24, settings)
    new, truth = patches(40, rng)
    crops = torch.from_numpy(normalise(new[:, 4:20, 4:20]))[:, None]
    with torch.inference_mode():
        assert torch.equal(first(crops), second(crops))
        assert float(((first(crops)[:, 0] >= 0).numpy() == truth).mean()) > 0.9
    assert not first.training
    assert seen == [(20, 60), (40, 60), (60, 60)]


def test_three_classes_give_three_columns(rng: np.random.Generator) -> None:
    images, _ = patches(12, rng)
    settings = CNNTraining(steps=2, batch=6, augmentation=PLAIN, network=TINY)
    model = train_cnn(images, np.arange(12) % 3, 3, 24, settings)
    assert model(torch.zeros(2, 1, 16, 16)).shape == (2, 3)


def test_progress_may_stop_it(rng: np.random.Generator) -> None:
    images, target = patches(12, rng)

    def stop(done: int, n: int) -> None:
        raise KeyboardInterrupt

    settings = CNNTraining(steps=20, batch=4, augmentation=PLAIN, network=TINY)
    with pytest.raises(KeyboardInterrupt):
        train_cnn(images, target, 2, 24, settings, stop)
