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


def equivariance_penalty(
    model: TCVAE, crops: Tensor, mean: Tensor, log_variance: Tensor, step: int, half: bool
) -> Tensor:
    """How far the latents of rotated crops are from the rotated latents, in nats per crop.

    The divergence of two normal posteriors of one spread. Quarter rotations and mirror images,
    which resample nothing, alternate from step to step.

    Parameters
    ----------
    model, crops
        The network, and the (N, 1, H, W) crops of a batch.
    mean, log_variance
        (N, latents) posterior of these crops.
    step
        Decides which crops are rotated, and how.
    half
        Whether to encode in bfloat16.
    """
    some = slice(step // 8 % PENALTY_SHARE, None, PENALTY_SHARE)
    quarters, mirrored = step % 4, step // 4 % 2 == 1
    shown = crops[some].flip(2) if mirrored else crops[some]
    shown = torch.rot90(shown, -quarters, (2, 3))
    with torch.autocast(crops.device.type, torch.bfloat16, enabled=half):
        found, _ = model.encode(shown.contiguous(memory_format=torch.channels_last))
    n = len(shown)
    angle = mean.new_full((n,), quarters * math.pi / 2)
    mirror = torch.full((n,), mirrored, device=mean.device)
    wanted = model.rotate(mean[some], angle, mirror)
    variance = log_variance[some].detach().exp().clamp_min(LEAST_VARIANCE)
    return 0.5 * ((found.float() - wanted).square() / variance).sum(1).mean()
