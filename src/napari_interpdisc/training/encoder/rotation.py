"""What makes an encoder equivariant: rotated targets for the decoder, a penalty on the encoder."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_interpdisc.models.tcvae import TCVAE
from napari_interpdisc.training.augment import rotated

PENALTY_SHARE = 4
"""Every fourth crop of a batch is encoded once more, rotated."""

LEAST_VARIANCE = 1e-3
"""Posterior variance that the penalty divides by at least."""


@dataclass(frozen=True)
class RandomRotation:
    """Every second crop of a batch is mirrored or not, and rotated by any angle.

    The decoder has to show the rotated crop from the rotated latents. That is what makes latents
    rotate with the crop, or stay.

    Attributes
    ----------
    angle, mirror
        (N,) radians, and whether the crop is mirrored before; 0 and False for every other crop.
    """

    angle: Tensor
    mirror: Tensor

    @classmethod
    def draw(cls, n: int, generator: torch.Generator) -> RandomRotation:
        """Draw the rotations of a batch of ``n`` crops."""
        device = generator.device
        some = (torch.arange(n, device=device) % 2).bool()
        angle = torch.rand(n, generator=generator, device=device) * 2 * math.pi
        mirror = torch.rand(n, generator=generator, device=device) < 0.5
        return cls(torch.where(some, angle, 0.0), some & mirror)

    def of_crops(self, crops: Tensor) -> Tensor:
        """The rotated crops (N, 1, H, W)."""
        shown = crops.clone()
        shown[1::2] = rotated(crops[1::2], self.angle[1::2], self.mirror[1::2])
        return shown

    def of_weight(self, weight: Tensor) -> Tensor:
        """Weights (N, 1, H, W): nothing is asked of the corners of a crop that was rotated."""
        side = weight.shape[-1]
        at = torch.arange(side, device=weight.device) - (side - 1) / 2
        disc = (at[:, None] ** 2 + at[None] ** 2).sqrt() < side / 2
        whole = weight.expand(len(self.angle), 1, side, side).clone()
        whole[1::2] *= disc
        return whole

    def of_latents(self, model: TCVAE, z: Tensor) -> Tensor:
        """The rotated latents (N, latents)."""
        return model.rotate(z, self.angle, self.mirror)


def shown_again(n: int, step: int, device: str | torch.device) -> Tensor:
    """Rows of the crops of a batch of ``n`` that the penalty is measured on at ``step``."""
    return torch.arange(step // 8 % PENALTY_SHARE, n, PENALTY_SHARE, device=device)


def equivariance_penalty(
    model: TCVAE, crops: Tensor, mean: Tensor, log_variance: Tensor, step: int, half: bool
) -> Tensor:
    """How far the latents of rotated crops are from the rotated latents, in nats per crop.

    The divergence of two normal posteriors of one spread. Quarter rotations and mirror images,
    which resample nothing, alternate from step to step. Where the network has latents of the
    surroundings, only those of the cell are compared: then the crops may differ in what is around
    the cell, and the cell's latents are taught to be blind to it.

    Parameters
    ----------
    model, crops
        The network, and (n, 1, H, W) crops of the cells at :func:`shown_again` of a batch.
    mean, log_variance
        (n, latents) posterior of the same cells, as they were encoded before.
    step
        Decides how they are rotated.
    half
        Whether to encode in bfloat16.
    """
    quarters, mirrored = step % 4, step // 4 % 2 == 1
    shown = crops.flip(2) if mirrored else crops
    shown = torch.rot90(shown, -quarters, (2, 3))
    with torch.autocast(crops.device.type, torch.bfloat16, enabled=half):
        found, _ = model.encode(shown.contiguous(memory_format=torch.channels_last))
    n = len(shown)
    angle = mean.new_full((n,), quarters * math.pi / 2)
    mirror = torch.full((n,), mirrored, device=mean.device)
    wanted = model.rotate(mean, angle, mirror)
    variance = log_variance.detach().exp().clamp_min(LEAST_VARIANCE)
    own = slice(model.config.n_cell)
    difference = (found.float() - wanted)[:, own].square() / variance[:, own]
    return 0.5 * difference.sum(1).mean()
