"""The β-TCVAE: a convolutional encoder to 32 latents and the decoder back (paper §4.1)."""

from __future__ import annotations

import itertools
from typing import Annotated, Self

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from napari_interpdisc.models.posterior import posterior_sample

LARGEST_CROP, MOST_LATENTS, MOST_CHANNELS, MOST_HIDDEN = 256, 256, 512, 4096

MOST_ACTIVE = 2**18
"""Numbers that one layer may give of one crop: a batch of 256 crops takes 256 MiB for them."""

Channels = Annotated[int, Field(ge=1, le=MOST_CHANNELS)]
Counts = tuple[Annotated[int, Field(le=MOST_LATENTS)], ...]


class TCVAEConfig(BaseModel):
    """Shape of the network; stored with its weights."""

    # folders that were stored before have the field "turning"
    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True
    )

    crop_size: int = Field(64, title="Crop side (px)", ge=16, le=LARGEST_CROP, multiple_of=16)
    latents: int = Field(32, title="Number of latents", ge=1, le=MOST_LATENTS)
    widths: tuple[Channels, Channels, Channels, Channels] = Field(
        (16, 32, 64, 128), title="Channels of the four blocks"
    )
    hidden: int = Field(256, title="Units of the dense layer", ge=1, le=MOST_HIDDEN)
    texture: bool = Field(False, title="Whether the decoder predicts local contrast too")
    rotating: Counts = Field(
        (),
        max_length=16,
        title="Pairs of latents that rotate m times as fast as the crop, for m = 1, 2, …",
        alias="turning",
    )
    around: Counts = Field(
        (),
        max_length=16,
        title="Latents, the last ones, of what is around the cell: how many are invariant, then "
        "pairs that rotate m times as fast as the crop, for m = 1, 2, …; none if empty",
    )
    window: float = Field(
        0.0,
        title="Radius (px) of the window around the centre whose mean and spread crops are "
        "normalised by; 0 for the whole crop",
        ge=0,
        le=LARGEST_CROP,
        allow_inf_nan=False,
    )

    @model_validator(mode="after")
    def _pairs_fit(self) -> Self:
        least = min((*self.rotating, *self.around), default=0)
        if least < 0 or self.n_invariant < 0 or self.n_cell < 1:
            raise ValueError(
                f"{self.rotating} pairs, and {self.n_around} latents of the surroundings, do not "
                f"fit into {self.latents} latents"
            )
        halves = (self.crop_size // 2**k for k in range(1, 5))
        if max(n * side**2 for n, side in zip(self.widths, halves, strict=True)) > MOST_ACTIVE:
            raise ValueError(
                f"crops of {self.crop_size} px and channels {self.widths} are too large together"
            )
        return self

    @classmethod
    def equivariant(cls, latents: int = 32) -> Self:
        """Shape of the bundled network: equivariant latents, and local contrast.

        Of 32 latents, 10 are invariant as the cell rotates. The others rotate in pairs: four pairs
        as fast as the cell (directions), four twice as fast (axes), two three times and one four
        times as fast.
        """
        shares = (latents // 8, latents // 8, latents // 16, latents // 32)
        return cls(latents=latents, texture=True, rotating=tuple(n for n in shares if n))

    @property
    def n_around(self) -> int:
        """Number of latents, the last ones, that describe what is around the cell."""
        return sum(self.around[:1]) + 2 * sum(self.around[1:])

    @property
    def n_cell(self) -> int:
        """Number of latents, the first ones, that describe the cell."""
        return self.latents - self.n_around

    @property
    def n_invariant(self) -> int:
        """Number of the cell's latents, the first ones, that do not change as a crop rotates."""
        return self.n_cell - 2 * sum(self.rotating)

    @property
    def rotating_blocks(self) -> tuple[tuple[int, int, int], ...]:
        """Where latents rotate: (first latent, number of pairs, times as fast as the crop).

        The cell's blocks come first, then those of its surroundings.
        """
        found = []
        for last, pairs in ((self.n_cell, self.rotating), (self.latents, self.around[1:])):
            at = last - 2 * sum(pairs)
            for times, n in enumerate(pairs, 1):
                if n:
                    found.append((at, n, times))
                at += 2 * n
        return tuple(found)


def encoder_layers(config: TCVAEConfig, outputs: int) -> nn.Sequential:
    """Four blocks of convolution, BatchNorm and swish, each halving the crop, and a dense layer."""
    side = config.crop_size // 16
    blocks: list[nn.Module] = []
    for n_in, n_out in zip((1, *config.widths), config.widths, strict=False):
        blocks += [nn.Conv2d(n_in, n_out, 4, stride=2, padding=1, bias=False)]
        blocks += [nn.BatchNorm2d(n_out), nn.SiLU()]
    return nn.Sequential(
        *blocks,
        nn.Flatten(),
        nn.Linear(config.widths[-1] * side * side, config.hidden),
        nn.SiLU(),
        nn.Linear(config.hidden, outputs),
    )


def decoder_layers(
    latents: int, hidden: int, widths: tuple[int, ...], side: int, channels: int
) -> nn.Sequential:
    """The encoder's mirror image: from latents to ``channels`` pictures of 16 times ``side``."""
    reverse = widths[::-1]
    blocks: list[nn.Module] = []
    for n_in, n_out in itertools.pairwise(reverse):
        blocks += [nn.ConvTranspose2d(n_in, n_out, 4, stride=2, padding=1, bias=False)]
        blocks += [nn.BatchNorm2d(n_out), nn.SiLU()]
    return nn.Sequential(
        nn.Linear(latents, hidden),
        nn.SiLU(),
        nn.Linear(hidden, reverse[0] * side * side),
        nn.SiLU(),
        nn.Unflatten(1, (reverse[0], side, side)),
        *blocks,
        nn.ConvTranspose2d(reverse[-1], channels, 4, stride=2, padding=1),
    )


WINDOW_EDGE = 3.0
"""Softness, px, of the edge of a window."""

CLIP = 8.0
"""What the window normalises is clipped to ± this many standard deviations."""

LEAST_VARIANCE = 1e-6
"""Variance within the window, relative to that of the crop, below which nothing is seen."""


def centre_window(size: int, radius: float) -> Tensor:
    """Weights (size, size), of sum 1, of a soft disc of ``radius`` px around the centre."""
    at = torch.arange(size) - (size - 1) / 2
    distance = (at[:, None] ** 2 + at[None] ** 2).sqrt()
    weight = torch.sigmoid((radius - distance) / WINDOW_EDGE)
    return weight / weight.sum()


class TCVAE(nn.Module):
    """β-TCVAE of Chen et al. 2018, as used in the paper, §4.1.

    Four blocks of convolution, BatchNorm and swish halve the crop four times; the decoder mirrors
    them. The loss is in :mod:`napari_interpdisc.training.loss`.
    """

    def __init__(self, config: TCVAEConfig | None = None) -> None:
        super().__init__()
        self.config = config or TCVAEConfig()
        c = self.config
        side = c.crop_size // 16
        self.encoder = encoder_layers(c, 2 * c.latents)
        self.decoder = decoder_layers(c.n_cell, c.hidden, c.widths, side, 1 + c.texture)
        self.around: nn.Module | None = None
        if c.n_around:
            narrow = tuple(max(1, width // 2) for width in c.widths)
            self.around = decoder_layers(c.n_around, c.hidden // 2, narrow, side, 1)

    def seen(self, crops: Tensor) -> Tensor:
        """Crops (N, 1, H, W) as the network sees them, and as it reconstructs them.

        As they are, or normalised once more by the mean and spread of a soft window around the
        centre, so that neighbours do not set the scale. Gain and offset change nothing.
        """
        if not self.config.window:
            return crops
        mean, spread = self.scale(crops)
        shifted = crops - mean
        if shifted.requires_grad:
            return (shifted / spread).clamp(-CLIP, CLIP)
        return shifted.div_(spread).clamp_(-CLIP, CLIP)  # in place: a third of the passes

    def scale(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and spread, each (N, 1, 1, 1), that :meth:`seen` normalises crops by.

        0 and 1 where nothing is done to them; the spread of a flat crop is infinite.
        """
        if not self.config.window:
            still = crops.new_zeros((len(crops), 1, 1, 1))
            return still, still + 1
        weight = centre_window(crops.shape[-1], self.config.window).to(crops).flatten()
        pixels = crops.flatten(1)
        mean = pixels @ weight
        variance = (pixels - mean[:, None]).square() @ weight
        spread = variance.sqrt().masked_fill(variance <= LEAST_VARIANCE, torch.inf)
        return mean[:, None, None, None], spread[:, None, None, None]

    def encode(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior mean and log-variance, each (N, latents), of normalised crops (N, 1, H, W)."""
        mean, log_variance = self.encoder(self.seen(crops)).chunk(2, dim=1)
        return mean, log_variance

    def decode(self, z: Tensor) -> Tensor:
        """Reconstruct crops (N, 1, H, W), in normalised units, from latents (N, latents).

        A network with latents of the surroundings shows the cell alone, see :meth:`decode_around`.
        """
        return self.decode_with_texture(z)[0]

    def decode_with_texture(self, z: Tensor) -> tuple[Tensor, Tensor | None]:
        """Crops as :meth:`decode`, and their local contrast (N, 1, H, W) if it is predicted."""
        both = self.decoder(z[:, : self.config.n_cell])
        return both[:, :1], both[:, 1:] if self.config.texture else None

    def decode_around(self, z: Tensor) -> Tensor:
        """Light (N, 1, H, W) from around the cell: what the crop has more than the cell alone.

        It follows from the latents of the surroundings and from no others: as the cell's latents
        change, it stands still. 0 if the network has none of them.
        """
        if self.around is None:
            size = self.config.crop_size
            return z.new_zeros((len(z), 1, size, size))
        return self.around(z[:, self.config.n_cell :])  # type: ignore[no-any-return]

    @property
    def rotating_pairs(self) -> tuple[tuple[int, int], ...]:
        """Pairs of latents that training makes rotate together."""
        blocks = self.config.rotating_blocks
        return tuple((at + 2 * k, at + 2 * k + 1) for at, n, _ in blocks for k in range(n))

    def rotate(self, z: Tensor, angle: Tensor, mirror: Tensor) -> Tensor:
        """Latents (N, latents) of crops that are mirrored, then rotated.

        Parameters
        ----------
        z
            (N, latents) latents of the crops as they are.
        angle
            (N,) radians.
        mirror
            (N,) bool: whether the crop is mirrored, y to −y, before it is rotated.
        """
        parts, done = [], 0
        for start, n, times in self.config.rotating_blocks:
            cos, sin = (times * angle).cos()[:, None], (times * angle).sin()[:, None]
            pairs = z[:, start : start + 2 * n].unflatten(1, (n, 2))
            a, b = pairs[..., 0], torch.where(mirror[:, None], -pairs[..., 1], pairs[..., 1])
            rotated = torch.stack([cos * a - sin * b, sin * a + cos * b], 2)
            parts += [z[:, done:start], rotated.flatten(1)]
            done = start + 2 * n
        return torch.cat([*parts, z[:, done:]], 1)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Reconstruction from one posterior sample, posterior mean, and log-variance."""
        mean, log_variance = self.encode(crops)
        z = posterior_sample(mean, log_variance)
        return self.decode(z), mean, log_variance
