"""Guided latents: some latents are taught to be what a biologist measures on the cell.

The first invariant latents follow the size, the granularity at two scales, the sharpness of the
edge, the unevenness and the raggedness of the nucleus; the first rotating pairs follow its offset,
its asymmetry and its elongation. No label is needed: all of it is measured on the cell alone.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from napari_interpdisc.models.tcvae import TCVAEConfig
from napari_interpdisc.training.augment import Augmentation, random_pairs

if TYPE_CHECKING:
    from napari_interpdisc.training.encoder.settings import PatchSource

INVARIANT = (
    "size", "granularity_fine", "granularity_coarse", "edge_sharpness", "unevenness", "raggedness",
)  # fmt: skip
"""What the first invariant latents follow."""

DIRECTIONS, AXES = ("offset", "asymmetry"), ("elongation",)
"""What the first pairs follow that rotate as fast as the cell, and twice as fast."""

SPREAD = 0.3
"""Spread of a guided latent around what it follows, relative to the spread over cells."""

FARTHEST = 3.0
"""Measures are clipped to ± this many standard deviations."""

SAMPLE = 512
"""Patches of each source that the mean and spread of the measures are taken from."""

FINE, COARSE, COARSEST = 0.8, 1.6, 3.2
"""Widths (σ, px) between which the two bands of granularity lie."""

EDGE = 0.08
"""Softness of the outline, relative to the brightness of the nucleus."""


def guided_latents(network: TCVAEConfig) -> tuple[int, ...]:
    """Latents that are guided, in the order of :func:`measure_light`'s columns.

    Raises
    ------
    ValueError
        If the network has too few invariant latents or pairs.
    """
    directions, axes = (*network.rotating, 0, 0)[:2]
    has = network.n_invariant, directions, axes
    needed = len(INVARIANT), len(DIRECTIONS), len(AXES)
    if any(n < least for n, least in zip(has, needed, strict=True)):
        raise ValueError(
            f"guided latents need {needed[0]} invariant latents, {needed[1]} pairs that rotate as "
            f"fast as the cell and {needed[2]} pair that rotates twice as fast; the network has "
            f"{has[0]}, {has[1]} and {has[2]} of them"
        )
    first = network.n_invariant
    second = first + 2 * directions
    return (
        *range(len(INVARIANT)),
        *range(first, first + 2 * len(DIRECTIONS)),
        *range(second, second + 2 * len(AXES)),
    )


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


class Guides:
    """What guided latents follow, in standard deviations over the training cells.

    Parameters
    ----------
    sources
        Patches with masks, the outlines of some of them known. The mean and spread of every measure
        are those of :data:`SAMPLE` outlined cells of each source, so that sources count equally.
        Pairs keep their direction: their mean is 0, and both members share one spread.
    augmentation, network, seed
        As in the training.
    device
        Torch device.
    """

    def __init__(
        self,
        sources: Sequence[PatchSource],
        augmentation: Augmentation,
        network: TCVAEConfig,
        seed: int,
        device: str,
    ) -> None:
        self.latents = list(guided_latents(network))
        draw = np.random.default_rng(seed)
        generator = torch.Generator(device).manual_seed(seed)
        found = []
        for source in sources:
            if source.masks is None or source.outlined is None or not source.outlined.any():
                continue  # a disc in place of the outline tells nothing of the cell
            weight = source.weight * source.outlined
            rows = draw.choice(len(weight), SAMPLE, p=weight / weight.sum())
            patches, masks = (
                torch.from_numpy(pixels[rows]).to(device).float()[:, None] / 255
                for pixels in (source.patches, source.masks)
            )
            fields = torch.full((SAMPLE,), float(source.field), device=device)
            views = random_pairs(patches, fields, augmentation, network.crop_size, generator, masks)
            assert views.light is not None
            found.append(measure_light(views.light))
        measures = torch.cat(found)
        n = len(INVARIANT)
        self.mean = measures.mean(0)
        self.mean[n:] = 0
        self.spread = measures.std(0).clamp_min(1e-3)
        of_pairs = (measures[:, n:].square().mean(0).view(-1, 2).mean(1)).sqrt().clamp_min(1e-3)
        self.spread[n:] = of_pairs.repeat_interleave(2)

    def of(self, light: Tensor) -> Tensor:
        """Targets (N, G) of the guided latents, from the light of cells (N, 1, S, S)."""
        return ((measure_light(light) - self.mean) / self.spread).clamp(-FARTHEST, FARTHEST)

    def error(self, z: Tensor, light: Tensor, outlined: Tensor) -> Tensor:
        """How far guided latents are from what they follow: nats per crop.

        The negative log-likelihood, less its constant, of normal measures around the latents
        (N, latents), over the cells whose outline is known (N,).
        """
        difference = (z[:, self.latents] - self.of(light)) / SPREAD
        known = outlined.to(z)
        return 0.5 * (difference.square().sum(1) * known).sum() / known.sum().clamp_min(1)
