"""Guided latents: some latents are taught to be what a biologist measures on the cell.

The first invariant latents follow the size, the granularity at two scales, the sharpness of the
edge, the unevenness and the raggedness of the nucleus; the first rotating pairs follow its offset,
its asymmetry and its elongation. No label is needed: all of it is measured on the cell alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from napari_interpdisc.models.light import AXES, DIRECTIONS, INVARIANT, measure_light
from napari_interpdisc.models.tcvae import TCVAEConfig
from napari_interpdisc.training.augment import Augmentation, random_pairs

if TYPE_CHECKING:
    from napari_interpdisc.training.encoder.settings import PatchSource

SPREAD = 0.3
"""Spread of a guided latent around what it follows, relative to the spread over cells."""

FARTHEST = 3.0
"""Measures are clipped to ± this many standard deviations."""

SAMPLE = 512
"""Patches of each source that the mean and spread of the measures are taken from."""


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
