"""The loss of one batch of crops: reconstruction, KL, total correlation, equivariance."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from napari_interpdisc.models.posterior import posterior_sample
from napari_interpdisc.models.tcvae import CLIP, TCVAE
from napari_interpdisc.models.texture import texture
from napari_interpdisc.training.augment import Views
from napari_interpdisc.training.encoder.guides import Guides
from napari_interpdisc.training.encoder.rotation import (
    RandomRotation,
    equivariance_penalty,
    shown_again,
)
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
    around: Tensor
    guided: Tensor


def light_around(model: TCVAE, views: Views) -> Tensor | None:
    """What the decoder is asked for of the surroundings, (N, 1, H, W); None if nothing."""
    if model.around is None or views.around is None:
        return None
    return (views.around / model.scale(views.clean)[1]).clamp(-CLIP, CLIP)


def around_error(
    wanted: Tensor, shown: Tensor, weight: Tensor, settings: EncoderTraining
) -> Tensor:
    """Weighted squared error of the light around cells (N, 1, H, W), in nats per crop."""
    error = (weight * (wanted - shown).square()).flatten(1).sum(1).mean()
    return 0.5 * settings.around_weight * error


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
    guides
        What some latents follow; None if they follow nothing.
    """

    def __init__(
        self,
        settings: EncoderTraining,
        n_data: int,
        device: str,
        guides: Guides | None = None,
    ) -> None:
        self.settings, self.n_data, self.guides = settings, n_data, guides
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
        self,
        model: TCVAE,
        views: Views,
        step: int,
        generator: torch.Generator,
        outlined: Tensor | None = None,
    ) -> Outcome:
        """Loss of augmented crops, and the same crops without faults of the image.

        Parameters
        ----------
        model
            The network.
        views
            N crops, and of the cells at :func:`shown_again` those to compare latents with.
        step
            Step of the training.
        generator
            Source of randomness.
        outlined
            (N,) whether the outline of each cell is known; only those guide latents.
        """
        settings = self.settings
        crops, unit = views.crops, views.clean if settings.denoise else views.crops
        target, around = model.seen(unit), light_around(model, views)
        weight, rotation = self.pixel_weight, None
        if settings.network.rotating:
            rotation = RandomRotation.draw(len(crops), generator)
            target, weight = rotation.of_crops(target), rotation.of_weight(weight)
            around = None if around is None else rotation.of_crops(around)
        with torch.autocast(self.kind, torch.bfloat16, enabled=self.half):
            mean, log_variance = model.encode(crops)
        mean, log_variance = mean.float(), log_variance.float()
        z = posterior_sample(mean, log_variance, generator)
        with torch.autocast(self.kind, torch.bfloat16, enabled=self.half):
            asked = z if rotation is None else rotation.of_latents(model, z)
            shown, grain = model.decode_with_texture(asked)
            others = None if around is None else model.decode_around(asked)
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
        surroundings = guided = penalty = terms.kl.new_zeros(())
        if around is not None and others is not None:
            surroundings = around_error(around, others.float(), weight, settings)
        if self.guides is not None and views.light is not None and outlined is not None:
            # every second cell is enough: measuring takes time
            guided = settings.guide_weight * self.guides.error(
                z[::2], views.light[::2], outlined[::2]
            )
        rows = shown_again(len(crops), step, crops.device)
        # of fewer crops than take turns, none has its turn at some steps
        if settings.compares_latents and len(rows):
            again = crops[rows] if views.again is None else views.again
            penalty = equivariance_penalty(
                model, again, mean[rows], log_variance[rows], step, self.half
            )
        if settings.objective == "tcvae":
            loss = terms.total(self.beta(step))
        else:
            loss = terms.reconstruction + terms.texture + self.beta(step) * terms.kl
        loss = loss + surroundings + guided + settings.consistency * penalty
        return Outcome(loss, terms, penalty, z, mean, log_variance, surroundings, guided)
