"""The loss on held-out crops, and the weights of its minimum."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from napari_interpdisc.models.posterior import kl_per_latent, posterior_sample
from napari_interpdisc.models.tcvae import TCVAE
from napari_interpdisc.models.texture import texture
from napari_interpdisc.training.augment import Views, random_pairs
from napari_interpdisc.training.encoder.guides import Guides
from napari_interpdisc.training.encoder.objective import around_error, light_around
from napari_interpdisc.training.encoder.settings import EncoderTraining, PatchSource
from napari_interpdisc.training.loss import (
    tcvae_terms,
    total_correlation_stratified,
)

MOST_CROPS = 1024
"""Most held-out crops of one source that the loss is measured on."""


WATCHED = "held_out_loss"
HELD_OUT_COLUMNS = (
    WATCHED,
    "held_out_reconstruction",
    "held_out_kl",
    "held_out_total_correlation",
)
"""What a log line says of held-out crops; NaN where they were not looked at. Their reconstruction
includes texture, the light around cells, and what guided latents miss."""


@dataclass
class BestWeights:
    """The weights of the lowest held-out loss, and for how many measurements nothing beat them."""

    loss: float = math.inf
    step: int = 0
    waited: int = 0
    weights: dict[str, Tensor] | None = None

    def see(self, loss: float, step: int, model: TCVAE) -> None:
        """Take note of one measurement."""
        if loss < self.loss:
            self.loss, self.step, self.waited = loss, step, 0
            self.weights = {k: v.detach().clone() for k, v in model.state_dict().items()}
        else:
            self.waited += 1

    def check(self, model: TCVAE) -> None:
        """Refuse what :meth:`see` cannot have noted of a model.

        Raises
        ------
        ValueError
            If so.
        """
        told: tuple[Any, ...] = (self.step, self.waited, self.loss)
        whole = all(type(n) is int and n >= 0 for n in told[:2])
        if not whole or type(told[2]) is not float or math.isnan(told[2]):
            raise ValueError("numbers of the best weights are of other kinds")
        if self.weights is None:
            return
        for name, value in model.state_dict().items():
            own = self.weights.get(name)
            if not isinstance(own, Tensor) or own.shape != value.shape:
                raise ValueError(f"the best weights lack '{name}', or it has another shape")
            if not torch.isfinite(own).all():
                raise ValueError(f"'{name}' of the best weights is not finite")


class HeldOutLoss:
    """One fixed augmented crop of each held-out patch, and the loss on them.

    The terms are means over the sources' means; total correlation is that of as many crops from
    each source, with stratified sampling. β is the final one, so that the loss is comparable
    throughout.

    Parameters
    ----------
    sources
        Held-out patches.
    settings
        Those of the training.
    pixel_weight
        (S, S) weight of each pixel.
    device
        Torch device.
    guides
        What some latents follow; None if they follow nothing.
    """

    def __init__(
        self,
        sources: Sequence[PatchSource],
        settings: EncoderTraining,
        pixel_weight: Tensor,
        device: str,
        guides: Guides | None = None,
    ) -> None:
        self.settings, self.pixel_weight, self.guides = settings, pixel_weight, guides
        draw = np.random.default_rng(settings.seed)
        generator = torch.Generator(device).manual_seed(settings.seed)
        self.views: list[list[Views]] = []
        self.outlined: list[Tensor | None] = []
        self.noise: list[Tensor] = []
        shape = settings.network
        for source in sources:
            rows = draw.permutation(len(source.patches))[:MOST_CROPS]
            some = source.take(rows)
            patches = torch.from_numpy(some.patches).to(device).float()[:, None] / 255
            fields = torch.full((len(rows),), float(source.field), device=device)
            masks: Sequence[Tensor | None] = [None] * -(-len(rows) // 256)
            if some.masks is not None and settings.subject == "cell":
                own = torch.from_numpy(some.masks).to(device).float()[:, None] / 255
                masks = own.split(256)
            self.views.append(
                [
                    random_pairs(p, f, settings.augmentation, shape.crop_size, generator, m)
                    for p, f, m in zip(patches.split(256), fields.split(256), masks, strict=True)
                ]
            )
            known = None if some.outlined is None else torch.from_numpy(some.outlined).to(device)
            self.outlined.append(known)
            self.noise.append(
                torch.randn((len(rows), shape.latents), generator=generator, device=device)
            )

    @torch.no_grad()
    def measure(self, model: TCVAE) -> dict[str, float]:
        """Loss and its terms, in nats per crop; the model is left in training mode."""
        model.eval()
        settings = self.settings
        share = max(2, min(512 // len(self.views), *(len(n) for n in self.noise)))
        reconstruction, kl = [], []
        mixed: list[tuple[Tensor, Tensor, Tensor]] = []
        for parts, known, noise in zip(self.views, self.outlined, self.noise, strict=True):
            found = []
            start = 0
            for views, e in zip(parts, noise.split(256), strict=True):
                c = views.crops
                t = model.seen(views.clean if settings.denoise else c)
                around = light_around(model, views)
                with torch.autocast(
                    c.device.type, torch.bfloat16, enabled=settings.precision == "bfloat16"
                ):
                    mean, log_variance = (part.float() for part in model.encode(c))
                    z = posterior_sample(mean, log_variance, noise=e)
                    shown, grain = model.decode_with_texture(z)
                    light = None if around is None else model.decode_around(z)
                terms = tcvae_terms(
                    t,
                    shown.float(),
                    z,
                    mean,
                    log_variance,
                    len(c),
                    self.pixel_weight,
                    None if grain is None else (texture(t), grain.float()),
                    settings.texture_weight,
                )
                error = terms.reconstruction + terms.texture
                if around is not None and light is not None:
                    error = error + around_error(around, light.float(), self.pixel_weight, settings)
                if self.guides is not None and views.light is not None and known is not None:
                    outlined = known[start : start + len(c)]
                    guided = self.guides.error(z, views.light, outlined)
                    error = error + settings.guide_weight * guided
                start += len(c)
                found.append((error * len(c), z, mean, log_variance))
            errors, *posteriors = zip(*found, strict=True)
            z, mean, log_variance = (torch.cat(part) for part in posteriors)
            reconstruction.append(torch.stack(errors).sum() / len(noise))
            kl.append(kl_per_latent(mean, log_variance).sum())
            mixed.append((z[:share], mean[:share], log_variance[:share]))
        z, mean, log_variance = (torch.cat(part) for part in zip(*mixed, strict=True))
        correlation = float(total_correlation_stratified(z, mean, log_variance, len(z)))
        model.train()
        r, k = float(torch.stack(reconstruction).mean()), float(torch.stack(kl).mean())
        if settings.objective == "tcvae":
            loss = r + k + (settings.beta - 1) * correlation
        else:
            loss = r + settings.beta * k
        return dict(zip(HELD_OUT_COLUMNS, (loss, r, k, correlation), strict=True))
