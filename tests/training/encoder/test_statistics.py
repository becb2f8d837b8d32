"""What a trained encoder makes of its training crops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from napari_interpdisc.crop_measures import spectra
from napari_interpdisc.crops import normalise
from napari_interpdisc.models.tcvae import TCVAE
from napari_interpdisc.training.augment import normalise_tensor
from napari_interpdisc.training.encoder import statistics
from napari_interpdisc.training.encoder.report import plain_crops
from napari_interpdisc.training.encoder.settings import EncoderTraining, PatchSource
from napari_interpdisc.training.encoder.statistics import with_statistics

from .conftest import SMALL, noise_patches

SETTINGS = EncoderTraining(network=SMALL)


@pytest.fixture
def sources() -> list[PatchSource]:
    return [noise_patches("a", 300), noise_patches("b", 10)]


def test_statistics_are_those_of_plain_and_augmented_crops(
    small: TCVAE, sources: list[PatchSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an augmentation that changes nothing, each crop is counted twice."""

    def unchanged(patches: torch.Tensor, fields: Any, augmentation: Any, size: int, _: Any) -> Any:
        assert augmentation == SETTINGS.augmentation
        assert fields.tolist() == [24.0] * len(patches)
        return normalise_tensor(patches[:, :, 4:-4, 4:-4])

    monkeypatch.setattr(statistics, "random_views", unchanged)
    model = with_statistics(small, sources, SETTINGS, 21.0, "mine")
    assert (model.name, model.model_diameter, dict(model.heads)) == ("mine", 21.0, {})
    mean, log_variance = (part.astype(float) for part in model.encode(plain_crops(sources, 16)))
    np.testing.assert_allclose(model.latent_sd, mean.std(0), rtol=1e-4)
    kl = 0.5 * (mean**2 + np.exp(log_variance) - 1 - log_variance)
    np.testing.assert_allclose(model.latent_kl, kl.mean(0), rtol=1e-4)
    assert model.familiarity is not None
    assert not model.familiarity.out_of_distribution(mean, np.zeros((0, 7))).all()


def test_training_crops_are_familiar_and_others_are_not(
    small: TCVAE, sources: list[PatchSource]
) -> None:
    model = with_statistics(small, sources, SETTINGS, 28.0, "mine")
    assert model.familiarity is not None
    crops = plain_crops(sources, 16)
    latents, power = model.encode(crops)[0], spectra(crops)
    far = 100 * np.abs(latents).max() * np.ones_like(latents)
    assert model.familiarity.out_of_distribution(far, power).all()
    # what is known are patches of noise: a ramp has no grain at all
    ramp = np.broadcast_to(normalise(np.add.outer(np.arange(16), np.arange(16))), crops.shape)
    assert model.familiarity.out_of_distribution(latents, spectra(ramp)).all()
    assert model.familiarity.out_of_distribution(latents, power).mean() < 0.05


def test_the_seed_decides_and_large_sources_are_sampled(
    small: TCVAE, sources: list[PatchSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, again = (with_statistics(small, sources, SETTINGS, 28.0, "m") for _ in range(2))
    np.testing.assert_array_equal(first.latent_kl, again.latent_kl)
    monkeypatch.setattr(statistics, "STATISTICS_CROPS", 20)
    seen: list[int] = []
    plain = statistics.plain_crops
    monkeypatch.setattr(
        statistics,
        "plain_crops",
        lambda s, n: (seen.extend(len(p.patches) for p in s), plain(s, n))[1],
    )
    few = with_statistics(small, sources, SETTINGS, 28.0, "m")
    # for the latents' statistics, and for what is familiar
    assert seen == [20, 10, 20, 10]
    assert (few.latent_kl != first.latent_kl).any()
