"""The posterior of a β-TCVAE: normal, independent in every latent."""

from __future__ import annotations

import torch
from torch import Tensor


def posterior_sample(
    mean: Tensor,
    log_variance: Tensor,
    generator: torch.Generator | None = None,
    noise: Tensor | None = None,
) -> Tensor:
    """One sample z (N, latents) of each posterior: the mean, and noise of its spread.

    ``noise`` is standard normal (N, latents); drawn from ``generator`` if left out.
    """
    if noise is None:
        noise = torch.randn(mean.shape, generator=generator, device=mean.device, dtype=mean.dtype)
    return mean + noise * (0.5 * log_variance).exp()


def kl_per_latent(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Analytic KL(q(z|x) ‖ N(0, 1)), averaged over the batch: (latents,) in nats."""
    return 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).mean(0)
