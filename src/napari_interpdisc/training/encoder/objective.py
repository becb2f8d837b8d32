"""The loss of one batch of crops: reconstruction, KL, total correlation, equivariance."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from napari_interpdisc.models.posterior import posterior_sample
from napari_interpdisc.models.tcvae import TCVAE
from napari_interpdisc.models.texture import texture
from napari_interpdisc.training.encoder.rotation import RandomRotation, equivariance_penalty
from napari_interpdisc.training.encoder.settings import EncoderTraining
from napari_interpdisc.training.loss import LossTerms, centre_weight, tcvae_terms


@dataclass(frozen=True)
class Outcome:
    """Loss of one batch, what it is made of, and the posterior that it was measured at."""

    loss: Tensor
    terms: LossTerms
    penalty: Tensor
    z: Tensor
    mean: Tensor
    log_variance: Tensor


class Objective:
    """The loss, as the settings ask for it.

    Parameters
    ----------
    settings
        Weights of the terms.
    n_data
        Number of patches in the data set, for the estimate of total correlation.
    device
        Torch device.
    """

    def __init__(self, settings: EncoderTraining, n_data: int, device: str) -> None:
        self.settings, self.n_data = settings, n_data
        self.half = settings.precision == "bfloat16"
        self.kind = torch.device(device).type
        weight = centre_weight(settings.network.crop_size, settings.radius, settings.rim)
        self.pixel_weight = weight.to(device)

    def beta(self, step: int) -> float:
        """Weight of total correlation, or of the KL, at ``step``."""
        settings = self.settings
        warm = min(1.0, (step + 1) / settings.warm_up) if settings.ramp_beta else 1.0
        return 1 + (settings.beta - 1) * warm

    def of_batch(
        self, model: TCVAE, crops: Tensor, clean: Tensor, step: int, generator: torch.Generator
    ) -> Outcome:
        """Loss of augmented crops (N, 1, H, W) and the same crops without faults of the image."""
        settings = self.settings
        target = model.seen(clean if settings.denoise else crops)
        weight, rotation = self.pixel_weight, None
        if settings.network.rotating:
            rotation = RandomRotation.draw(len(crops), generator)
            target, weight = rotation.of_crops(target), rotation.of_weight(weight)
        with torch.autocast(self.kind, torch.bfloat16, enabled=self.half):
            mean, log_variance = model.encode(crops)
        mean, log_variance = mean.float(), log_variance.float()
        z = posterior_sample(mean, log_variance, generator)
        with torch.autocast(self.kind, torch.bfloat16, enabled=self.half):
            shown, grain = model.decode_with_texture(
                z if rotation is None else rotation.of_latents(model, z)
            )
        terms = tcvae_terms(
            target,
            shown.float(),
            z,
            mean,
            log_variance,
            self.n_data,
            weight,
            None if grain is None else (texture(target), grain.float()),
            settings.texture_weight,
        )
        penalty = terms.kl.new_zeros(())
        if settings.network.rotating and settings.consistency:
            penalty = equivariance_penalty(model, crops, mean, log_variance, step, self.half)
        if settings.objective == "tcvae":
            loss = terms.total(self.beta(step))
        else:
            loss = terms.reconstruction + terms.texture + self.beta(step) * terms.kl
        loss = loss + settings.consistency * penalty
        return Outcome(loss, terms, penalty, z, mean, log_variance)
