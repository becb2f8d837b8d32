"""Local contrast of crops: how much fine structure there is, wherever it lies."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def texture(crops: Tensor) -> Tensor:
    """Local contrast of normalised crops (N, 1, H, W): chromosomes' grain, wherever it lies.

    Root of the mean square, over a Gaussian of σ = 2 px, of what is coarser than 2 px and finer
    than a Gaussian of σ = 2.8 px; half as many pixels a side, (N, 1, H/2, W/2).
    """
    small = functional.avg_pool2d(crops, 2)
    sigma = small.new_ones(len(small))
    detail = small - blurred(small, 1.4 * sigma)
    return (blurred(detail.square(), sigma) + 1e-2).sqrt()


def blurred(crops: Tensor, sigma: Tensor) -> Tensor:
    """Blur each crop (N, 1, H, W) by its own Gaussian, σ (N,) in pixels, cut off at 4 px."""
    radius = 4
    at = torch.arange(-radius, radius + 1, device=crops.device, dtype=crops.dtype)
    kernel = torch.exp(-0.5 * (at[None] / sigma[:, None]) ** 2)
    kernel = kernel / kernel.sum(1, keepdim=True)
    n = len(crops)
    stacked = functional.pad(crops.view(1, n, *crops.shape[2:]), (radius,) * 4, mode="replicate")
    stacked = functional.conv2d(stacked, kernel[:, None, :, None], groups=n)
    stacked = functional.conv2d(stacked, kernel[:, None, None, :], groups=n)
    return stacked.view(n, 1, *crops.shape[2:])
