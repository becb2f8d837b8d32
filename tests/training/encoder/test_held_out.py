"""The loss on held-out crops, and the weights of its minimum."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from napari_interpdisc.models.posterior import kl_per_latent
from napari_interpdisc.models.tcvae import TCVAE
from napari_interpdisc.training.encoder import held_out
from napari_interpdisc.training.encoder.guides import Guides
from napari_interpdisc.training.encoder.held_out import BestWeights, HeldOutLoss
from napari_interpdisc.training.encoder.objective import light_around
from napari_interpdisc.training.encoder.settings import EncoderTraining, PatchSource
from napari_interpdisc.training.loss import centre_weight, total_correlation_stratified

from .conftest import GUIDED, SMALL, noise_patches, outlined_source

WEIGHT = centre_weight(16, 5.0, 0.4)


def settings(**changes: Any) -> EncoderTraining:
    return EncoderTraining(**{"network": SMALL, "beta": 3.0, **changes})


@pytest.fixture
def sources() -> list[PatchSource]:
    """Return twenty patches of noise, and five others."""
    return [noise_patches("many", 20), noise_patches("few", 5)]


def test_the_loss_by_hand(small: TCVAE, sources: list[PatchSource]) -> None:
    loss = HeldOutLoss(sources, settings(), WEIGHT, "cpu")
    found = loss.measure(small)
    assert small.training, "the training goes on"
    small.eval()
    errors, kls, parts = [], [], []
    with torch.no_grad():
        for (views,), noise in zip(loss.views, loss.noise, strict=True):
            crops, clean = views.crops, views.clean
            mean, log_variance = small.encode(crops)
            z = mean + noise * torch.exp(log_variance / 2)
            error = 0.5 * (WEIGHT * (clean - small.decode(z)) ** 2).sum((1, 2, 3)).mean()
            errors.append(float(error))
            kls.append(float(kl_per_latent(mean, log_variance).sum()))
            parts.append((z[:5], mean[:5], log_variance[:5]))
    z, mean, log_variance = (torch.cat(part) for part in zip(*parts, strict=True))
    tc = float(total_correlation_stratified(z, mean, log_variance, 10))
    # each source counts alike, however many patches it has
    assert found["held_out_reconstruction"] == pytest.approx(np.mean(errors), rel=1e-5)
    assert found["held_out_kl"] == pytest.approx(np.mean(kls), rel=1e-5)
    assert found["held_out_total_correlation"] == pytest.approx(tc, rel=1e-4)
    assert found["held_out_loss"] == pytest.approx(
        np.mean(errors) + np.mean(kls) + (3 - 1) * tc, rel=1e-5
    )


def test_crops_and_noise_are_the_same_each_time(small: TCVAE, sources: list[PatchSource]) -> None:
    loss = HeldOutLoss(sources, settings(), WEIGHT, "cpu")
    first = loss.measure(small)
    torch.manual_seed(99)
    assert loss.measure(small) == first
    assert HeldOutLoss(sources, settings(), WEIGHT, "cpu").measure(small) == first
    assert HeldOutLoss(sources, settings(seed=1), WEIGHT, "cpu").measure(small) != first


def test_beta_is_the_final_one_of_the_objective_that_is_asked(
    small: TCVAE, sources: list[PatchSource]
) -> None:
    found = HeldOutLoss(sources, settings(objective="beta-vae"), WEIGHT, "cpu").measure(small)
    expected = found["held_out_reconstruction"] + 3 * found["held_out_kl"]
    assert found["held_out_loss"] == pytest.approx(expected)


def test_noise_that_was_added_need_not_be_shown(small: TCVAE, sources: list[PatchSource]) -> None:
    clean = HeldOutLoss(sources, settings(), WEIGHT, "cpu").measure(small)
    noisy = HeldOutLoss(sources, settings(denoise=False), WEIGHT, "cpu").measure(small)
    assert noisy["held_out_kl"] == clean["held_out_kl"]
    assert noisy["held_out_reconstruction"] != clean["held_out_reconstruction"]


def test_of_a_large_source_some_are_measured(
    sources: list[PatchSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_out, "MOST_CROPS", 8)
    loss = HeldOutLoss(sources, settings(), WEIGHT, "cpu")
    assert [len(noise) for noise in loss.noise] == [8, 5]
    assert [len(views.crops) for (views,) in loss.views] == [8, 5]


def test_surroundings_and_guides_count_too() -> None:
    """Else the weights that are kept would be those that pay least for them."""
    source, asked = (
        outlined_source(),
        EncoderTraining(network=GUIDED, subject="cell", guide_weight=2.0, around_weight=0.5),
    )
    torch.manual_seed(0)
    network = TCVAE(GUIDED)
    weight = centre_weight(GUIDED.crop_size, 8.0, 0.4)
    guides = Guides([source], asked.augmentation, GUIDED, 0, "cpu")
    whole = HeldOutLoss([source], asked, weight, "cpu", guides)
    found = whole.measure(network)["held_out_reconstruction"]
    bare = asked.model_copy(update={"guide_weight": 0.0, "around_weight": 0.0})
    least = HeldOutLoss([source], bare, weight, "cpu", None).measure(network)
    network.eval()
    (views,), noise = whole.views[0], whole.noise[0]
    with torch.no_grad():
        mean, log_variance = network.encode(views.crops)
        z = mean + noise * torch.exp(log_variance / 2)
        error = weight * (light_around(network, views) - network.decode_around(z)) ** 2
        around = 0.5 * 0.5 * float(error.sum((1, 2, 3)).mean())
        guided = 2.0 * float(guides.error(z, views.light, whole.outlined[0]))
    assert around > 0
    assert guided > 0
    expected = least["held_out_reconstruction"] + around + guided
    assert found == pytest.approx(expected, rel=1e-4)


def test_the_best_weights_are_kept_as_they_were(small: TCVAE) -> None:
    best, name = BestWeights(), "decoder.0.bias"
    for step, loss in ((10, 5.0), (20, 4.0), (30, 4.0), (40, 7.0)):
        torch.nn.init.constant_(small.state_dict()[name], float(step))
        best.see(loss, step, small)
    assert (best.loss, best.step, best.waited) == (4.0, 20, 2)
    assert best.weights is not None
    assert (best.weights[name] == 20).all()
    best.see(3.0, 50, small)
    assert (best.step, best.waited) == (50, 0)
