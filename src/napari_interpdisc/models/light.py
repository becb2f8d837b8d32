"""Light of cells that stand alone: size, grain, edge, unevenness, outline, directions."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor
from torch.nn import functional

INVARIANT = (
    "size", "granularity_fine", "granularity_coarse", "edge_sharpness", "unevenness", "raggedness",
)  # fmt: skip
"""What the first invariant latents follow."""

DIRECTIONS, AXES = ("offset", "asymmetry"), ("elongation",)
"""What the first pairs follow that rotate as fast as the cell, and twice as fast."""

FINE, COARSE, COARSEST = 0.8, 1.6, 3.2
"""Widths (σ, px) between which the two bands of granularity lie."""

EDGE = 0.08
"""Softness of the outline, relative to the brightness of the nucleus."""


def background_level(crops: Tensor) -> Tensor:
    """Level (N, 1, 1, 1) of the background of crops (N, 1, S, S): what a sixth of them is below."""
    coarse = functional.avg_pool2d(crops, 4).flatten(1)
    return coarse.kthvalue(max(1, coarse.shape[1] // 6), 1).values[:, None, None, None]


def measure_light(light: Tensor) -> Tensor:
    """Measure cells that stand alone.

    Parameters
    ----------
    light
        (N, 1, S, S) light of each cell above its background, in any unit; 0 outside the cell.

    Returns
    -------
    (N, 12): the logarithms of size (px²), of fine and coarse granularity (relative to the mean
    light), and of the sharpness of the edge (1/px); unevenness (standard deviation of the light
    over its mean); raggedness (logarithm of how far the nucleus spreads relative to an ellipse of
    its area); then x and y of the offset (px) and of the asymmetry (from the nucleus's centroid to
    that of its light, in radii), and elongation · cos 2θ and sin 2θ.
    """
    side = light.shape[-1]
    picture = light[:, 0].clamp_min(0)
    bright = picture.square().sum((1, 2)) / picture.sum((1, 2)).clamp_min(1e-6)
    picture = picture / bright.clamp_min(1e-6)[:, None, None]
    inside = torch.sigmoid((picture - 0.5) / EDGE) * (picture > 0)
    area = inside.sum((1, 2)).clamp_min(1.0)
    at = torch.arange(side, device=light.device, dtype=light.dtype) - (side - 1) / 2

    def mean(values: Tensor) -> Tensor:
        return (inside * values).sum((1, 2)) / area

    cx, cy = mean(at[None, None]), mean(at[None, :, None])
    dx, dy = at[None, None] - cx[:, None, None], at[None, :, None] - cy[:, None, None]
    xx, yy, xy = mean(dx.square()), mean(dy.square()), mean(dx * dy)
    both = (xx + yy).clamp_min(1e-3)
    along, across = (xx - yy) / both, 2 * xy / both
    strength = torch.hypot(along, across).clamp(1e-3, 0.99)
    elongation = (1 - ((1 - strength) / (1 + strength)).sqrt()) / strength
    spread = 2 * math.pi * both / area
    ragged = spread.log() + 0.5 * (1 - strength.square()).log()
    height = mean(picture).clamp_min(1e-3)
    uneven = (mean(picture.square()) - height.square()).clamp_min(0).sqrt() / height
    radius = (area / math.pi).sqrt()
    light_x, light_y = mean(picture * dx) / height, mean(picture * dy) / height
    columns = [
        area.log(), *_grain(picture, inside, height), _sharpness(picture, inside, height), uneven,
        ragged, cx, cy, light_x / radius, light_y / radius, elongation * along,
        elongation * across,
    ]  # fmt: skip
    return torch.stack(columns, 1)


def _smooth(pictures: Tensor, sigma: float) -> Tensor:
    """Pictures (N, S, S), blurred by a Gaussian of σ px; as two products of matrices."""
    at = torch.arange(pictures.shape[-1], device=pictures.device, dtype=pictures.dtype)
    kernel = torch.exp(-0.5 * ((at[:, None] - at[None]) / sigma).square())
    kernel = kernel / kernel.sum(1, keepdim=True)
    return kernel @ pictures @ kernel.T


def _grain(picture: Tensor, inside: Tensor, height: Tensor) -> list[Tensor]:
    """Logarithm (N,) of the energy in each of two bands, away from the edge; blind outside."""
    core = inside * torch.sigmoid((_smooth(inside, 2.0) - 0.85) / 0.05) + 1e-4 * inside
    total = core.sum((1, 2)).clamp_min(1e-6)
    levels = [
        _smooth(picture * inside, s) / _smooth(inside, s).clamp_min(1e-3)
        for s in (FINE, COARSE, COARSEST)
    ]
    found = []
    for finer, coarser in itertools.pairwise(levels):
        energy = (core * (finer - coarser).square()).sum((1, 2)) / total
        found.append((energy.sqrt() / height + 5e-3).log())
    return found


def _sharpness(picture: Tensor, inside: Tensor, height: Tensor) -> Tensor:
    """Logarithm (N,) of one over the width of the edge, px⁻¹."""
    near = _smooth(inside, 1.5)
    rim = 4 * near * (1 - near)
    dy = (picture[:, 2:, 1:-1] - picture[:, :-2, 1:-1]) / 2
    dx = (picture[:, 1:-1, 2:] - picture[:, 1:-1, :-2]) / 2
    steep = (dx.square() + dy.square()).sqrt()
    weight = rim[:, 1:-1, 1:-1]
    first = (weight * steep).sum((1, 2)).clamp_min(1e-6)
    return ((weight * steep.square()).sum((1, 2)) / (first * height) + 1e-3).log()
