"""The three named terms of the β-TCVAE loss, and an honest estimate of total correlation."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from napari_interpdisc.models.posterior import kl_per_latent

LOG_2PI = math.log(2 * math.pi)


class LossTerms(NamedTuple):
    """Terms in nats per crop; ``kl_per_latent`` is (latents,).

    ``texture`` is 0 where the decoder predicts no local contrast.
    """

    reconstruction: Tensor
    texture: Tensor
    kl: Tensor
    total_correlation: Tensor
    kl_per_latent: Tensor

    def total(self, beta: float) -> Tensor:
        """Reconstruction + KL + (β − 1)·TC: α = γ = 1 in Chen et al. 2018, eq. 4."""
        return self.reconstruction + self.texture + self.kl + (beta - 1) * self.total_correlation


def log_density_matrix(z: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """Log q(z_i,d | x_j) of each latent for every pair of a sample and a crop: (latents, B, B).

    Written out as a product of matrices, which is several times as fast as the differences.
    """
    precision = (-log_variance).exp()
    samples = torch.stack([z.square(), z, torch.ones_like(z)], 2).transpose(0, 1)
    constant = mean.square() * precision + log_variance + LOG_2PI
    crops = torch.stack([precision, -2 * mean * precision, constant]).permute(2, 0, 1)
    return -0.5 * torch.bmm(samples, crops)


def _total_correlation(log_q_each: Tensor, log_weights: Tensor) -> Tensor:
    log_q = torch.logsumexp(log_q_each.sum(0) + log_weights, 1)
    log_product = torch.logsumexp(log_q_each + log_weights, 2).sum(0)
    return (log_q - log_product).mean()


def total_correlation_mws(z: Tensor, mean: Tensor, log_variance: Tensor, n_data: int) -> Tensor:
    """Minibatch-weighted-sampling estimate of TC (Chen et al. 2018, eq. S3): for gradients only.

    The data set size enters as a constant, (latents − 1)·log(B·N), which makes the value itself
    unreadable.
    """
    log_weights = torch.tensor(-math.log(len(z) * n_data), device=z.device, dtype=z.dtype)
    return _total_correlation(log_density_matrix(z, mean, log_variance), log_weights)


def stratified_log_weights(batch: int, n_data: int) -> Tensor:
    """Log importance weights (B, B) of minibatch stratified sampling (Chen et al. 2018, S4).

    Every row sums to 1: 1/N for the sample's own crop on the diagonal, the stratification weight
    beside it, 1/(B − 1) elsewhere. (The authors' widely copied code fills columns instead of
    diagonals.)

    Raises
    ------
    ValueError
        If the batch has fewer than two crops or more than the data set.
    """
    others = batch - 1
    if batch < 2 or others >= n_data:
        raise ValueError(f"a batch of {batch} cannot be drawn from {n_data} crops")
    weights = torch.full((batch, batch), 1 / others)
    own = torch.arange(batch)
    weights[own, own] = 1 / n_data
    weights[own, (own + 1) % batch] = (n_data - others) / (n_data * others)
    return weights.log()


@torch.no_grad()
def total_correlation_stratified(
    z: Tensor, mean: Tensor, log_variance: Tensor, n_data: int
) -> Tensor:
    """Stratified estimate of TC, in nats: what is logged."""
    log_weights = stratified_log_weights(len(z), n_data).to(z)
    return _total_correlation(log_density_matrix(z, mean, log_variance), log_weights)


def centre_weight(size: int, radius: float, rim: float) -> Tensor:
    """Weights (size, size), of mean 1, by which the central cell counts more than its neighbours.

    Parameters
    ----------
    size
        Side of a crop, px.
    radius
        Distance from the centre, px, at which the weight has fallen half-way; over about 8 px.
    rim
        Weight of a far pixel relative to a central one: 1 weighs all alike.
    """
    at = torch.arange(size) - (size - 1) / 2
    distance = (at[:, None] ** 2 + at[None] ** 2).sqrt()
    weight = rim + (1 - rim) * torch.sigmoid((radius - distance) / 2)
    return weight / weight.mean()


def tcvae_terms(
    crops: Tensor,
    reconstruction: Tensor,
    z: Tensor,
    mean: Tensor,
    log_variance: Tensor,
    n_data: int,
    pixel_weight: Tensor | None = None,
    textures: tuple[Tensor, Tensor] | None = None,
    texture_weight: float = 1.0,
) -> LossTerms:
    """Terms of the loss for one batch.

    The likelihood is a unit-variance Gaussian in normalised units: half the summed squared error,
    each pixel counted ``pixel_weight`` (H, W) or (N, 1, H, W) times. ``textures``, which are the
    local contrast there is, (N, 1, H/2, W/2), and the one predicted, (N, 1, H, W), are compared
    likewise, ``texture_weight`` times.
    """
    kl = kl_per_latent(mean, log_variance)

    weight = crops.new_ones((1, 1, *crops.shape[2:])) if pixel_weight is None else pixel_weight
    weight = weight.expand(-1, 1, -1, -1) if weight.ndim == 4 else weight[None, None]
    reconstruction_error = (crops - reconstruction).square() * weight
    grain = kl.new_zeros(())
    if textures is not None:
        wanted, shown = textures
        difference = wanted - functional.avg_pool2d(shown, 2)
        # a pixel of these stands for four
        weighed = difference.square() * functional.avg_pool2d(weight, 2) * 4
        grain = texture_weight * 0.5 * weighed.flatten(1).sum(1).mean()
    return LossTerms(
        reconstruction=0.5 * reconstruction_error.flatten(1).sum(1).mean(),
        texture=grain,
        kl=kl.sum(),
        total_correlation=total_correlation_mws(z, mean, log_variance, n_data),
        kl_per_latent=kl,
    )
