"""Augmented crops of nuclei: scale, position, orientation, blur, contrast and noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor
from torch.nn import functional

from napari_interpdisc.models.light import background_level
from napari_interpdisc.models.texture import blurred

if TYPE_CHECKING:
    from napari_interpdisc.models.tcvae import TCVAE


HAZE = (3.0, 8.0)
"""Width (σ, crop pixels) of light that comes from out of focus."""

BODY, BODY_RIM = (11.0, 19.0), (1.0, 4.0)
"""Radius of a cell's body, and how soft its rim is, crop pixels."""


class Augmentation(BaseModel):
    """How strongly crops are varied in training."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    diameter: float = Field(0.25, title="Nuclear diameter varies by ± this fraction", ge=0, lt=1)
    shift: float = Field(1.5, title="Centroid moves by up to ± this many crop pixels", ge=0)
    blur: float = Field(1.2, title="Largest Gaussian blur (σ, crop pixels)", ge=0)
    haze: float = Field(
        0.0,
        title="Largest share of the light that comes from out of focus, as in a thick cell",
        ge=0,
        lt=1,
    )
    glow: float = Field(
        0.0,
        title="Largest brightness of the cell's body around the nucleus, relative to the nucleus",
        ge=0,
        le=2,
    )
    gamma: float = Field(0.3, title="Contrast: exponent up to e to the ± this", ge=0)
    noise: float = Field(0.15, title="Largest noise (σ, in standard deviations of the crop)", ge=0)
    gradient: float = Field(
        0.0, title="Largest change of illumination from the centre to the rim of a crop", ge=0, lt=1
    )
    edge: float = Field(
        0.0, title="Share of crops that hang over the edge of the frame", ge=0, le=1
    )
    surroundings: float = Field(
        0.0,
        title="Share of crops that get the surroundings of another cell, where masks are known",
        ge=0,
        le=1,
    )


@dataclass(frozen=True)
class Views:
    """Augmented crops, and what a faultless microscope would have seen.

    Attributes
    ----------
    crops
        (N, 1, S, S) augmented, normalised crops.
    clean
        (N, 1, S, S) the same field without faults of the image; with masks, the cell alone.
    light
        (N, 1, S, S) light of the cell above its background, in the units of ``clean``; None
        without masks.
    around
        (N, 1, S, S) light from around the cell, likewise.
    again
        (n, 1, S, S) augmented crops of the cells at ``rows`` once more, with other surroundings;
        None if none were asked for.
    """

    crops: Tensor
    clean: Tensor
    light: Tensor | None = None
    around: Tensor | None = None
    again: Tensor | None = None


def random_views(
    patches: Tensor, fields: Tensor, settings: Augmentation, size: int, generator: torch.Generator
) -> Tensor:
    """Draw one augmented, normalised crop (N, 1, size, size) from each patch.

    The first of :func:`random_pairs`, which says what the parameters are.
    """
    return random_pairs(patches, fields, settings, size, generator).crops


def random_pairs(
    patches: Tensor,
    fields: Tensor,
    settings: Augmentation,
    size: int,
    generator: torch.Generator,
    masks: Tensor | None = None,
    rows: Tensor | None = None,
) -> Views:
    """Draw an augmented crop from each patch, and the same crop as a faultless microscope sees it.

    Both show the same field, orientation and size; blur, contrast, illumination and noise are the
    first one's alone. With masks, the second shows the central cell alone, on the level of its
    background. The first may then have the surroundings of another cell.

    Parameters
    ----------
    patches
        (N, 1, P, P) float in 0–1, at the model's diameter, the cell in the centre; P ≥ ``size``.
    fields
        (N,) side in pixels of each patch's central square that shows real pixels: enlarging the
        field of view stops there.
    settings
        Ranges of the variations.
    size
        Side of a crop.
    generator
        Source of randomness (on the patches' device).
    masks
        (N, 1, P, P), 0–1, what of each patch belongs to the central cell.
    rows
        (n,) cells that are drawn once more with the surroundings of another cell, and noise of
        their own; all else is the same. Needs masks.

    Returns
    -------
    Crops of ``size`` px, float32, normalised as :func:`napari_interpdisc.crops.normalise` does.
    """
    n = len(patches)

    def uniform(low: float, high: float) -> Tensor:
        return torch.rand(n, generator=generator, device=patches.device) * (high - low) + low

    needed = size + 2 * settings.shift
    scale = uniform(1 - settings.diameter, 1 + settings.diameter).maximum(needed / fields)
    # all eight orientations of a square, exactly: transpose, then mirror each axis
    swap = uniform(0, 1) < 0.5
    mirror_y, mirror_x = (torch.where(uniform(0, 1) < 0.5, 1.0, -1.0) for _ in range(2))
    moves = torch.stack([uniform(-1, 1), uniform(-1, 1)], 1) * settings.shift
    clean = _resampled(patches, scale, swap, mirror_y, mirror_x, moves, size).clamp_min(0)
    whole, every = clean, torch.arange(n, device=patches.device)
    if masks is not None:
        own = _resampled(masks, scale, swap, mirror_y, mirror_x, moves, size).clamp(0, 1)
        level = background_level(clean)
        if settings.surroundings:
            whole = among_others(clean, own, level, settings.surroundings, generator)
        if rows is not None:
            other = among_others(clean[rows], own[rows], level[rows], 1.0, generator)
            whole, every = torch.cat([whole, other]), torch.cat([every, rows])

    gamma = torch.exp(uniform(-settings.gamma, settings.gamma))[every, None, None, None]
    crops = whole**gamma
    sigma, soft = uniform(0, settings.blur).clamp_min(1e-3)[every], (uniform(0, 1) < 0.5)[every]
    if bool(soft.any()):
        crops[soft] = blurred(crops[soft], sigma[soft])
    if settings.haze:
        share, wide = uniform(0, settings.haze), uniform(*HAZE)
        share = share * (uniform(0, 1) < 0.5)
        crops = _hazy(crops, share[every], wide[every])
    if settings.glow:
        bright = uniform(0, settings.glow) * (uniform(0, 1) < 0.5)
        radius, rim = uniform(*BODY), uniform(*BODY_RIM)
        place = torch.stack([uniform(-3, 3), uniform(-3, 3)], 1)
        crops = _glowing(crops, bright[every], radius[every], rim[every], place[every])
    if settings.gradient:
        change, angle = uniform(0, settings.gradient), uniform(0, 2 * math.pi)
        crops = _lit_from_a_side(crops, change[every], angle[every])
    outside = None
    if settings.edge:
        share = uniform(0, 0.5) * (uniform(0, 1) < settings.edge)
        outside = _over_the_edge(clean, share, mirror_y > 0, swap)
        crops = torch.where(outside[every], crops.mean((2, 3), keepdim=True), crops)
        if masks is None:
            clean = torch.where(outside, clean.mean((2, 3), keepdim=True), clean)
        else:
            own = own * ~outside
    std = _spread(crops - crops.mean((2, 3), keepdim=True))
    noise = (uniform(0, settings.noise) * (uniform(0, 1) < 0.7))[every, None, None, None]
    grains = torch.randn(crops.shape, generator=generator, device=crops.device)
    crops = normalise_tensor(crops + grains * noise * std)
    if masks is None:
        return Views(crops, normalise_tensor(clean))
    # the crop is its background's level, the cell's light and what is around
    light = own * (clean - level)
    alone = level + light
    unit = _spread(alone - alone.mean((2, 3), keepdim=True)).clamp_min(1e-6)
    around = whole[:n] - level - light
    if outside is not None:
        around = around * ~outside
    again = crops[n:] if rows is not None else None
    return Views(crops[:n], normalise_tensor(alone), light / unit, around / unit, again)


def _resampled(
    patches: Tensor,
    scale: Tensor,
    swap: Tensor,
    mirror_y: Tensor,
    mirror_x: Tensor,
    moves: Tensor,
    size: int,
) -> Tensor:
    """Cut crops (N, 1, size, size) from the middle of patches, each in its own way.

    Parameters
    ----------
    patches
        (N, 1, P, P).
    scale
        (N,) magnification.
    swap, mirror_y, mirror_x
        (N,) whether the axes are exchanged, and 1 or −1 for each axis.
    moves
        (N, 2) shift along x and y, px.
    size
        Side of a crop.
    """
    n, side = len(patches), patches.shape[-1]
    step = size / side / scale
    zero = torch.zeros_like(step)
    x = torch.stack(
        [torch.where(swap, zero, mirror_x * step), torch.where(swap, mirror_x * step, zero)], 1
    )
    y = torch.stack(
        [torch.where(swap, mirror_y * step, zero), torch.where(swap, zero, mirror_y * step)], 1
    )
    theta = torch.cat([torch.stack([x, y], 1), (moves * 2 / side)[:, :, None]], 2)
    grid = functional.affine_grid(theta, [n, 1, size, size], align_corners=False)
    return functional.grid_sample(
        patches, grid, mode="bilinear", padding_mode="border", align_corners=False
    )


def among_others(
    crops: Tensor, own: Tensor, level: Tensor, share: float, generator: torch.Generator
) -> Tensor:
    """Give some cells other surroundings: those of another cell, a nucleus beside them, or none.

    Parameters
    ----------
    crops, own, level
        (N, 1, S, S) crops; what of them belongs to the central cell, 0–1; and their background.
    share
        Share of the crops that are changed.
    generator
        Source of randomness.

    Returns
    -------
    The crops. Those that are changed keep their cell. Other cells, whose own centre is taken
    away, shine at 0.5 to 2 times its brightness. One in seven is left alone, and half get another
    cell's nucleus at the side.
    """
    n, device = len(crops), crops.device

    def uniform(low: float, high: float) -> Tensor:
        drawn = torch.rand(n, generator=generator, device=device) * (high - low) + low
        return drawn[:, None, None, None]

    if n < 2:
        return crops
    turn = int(torch.randint(1, n, (1,), generator=generator, device=device))
    bright = (crops - level) * own
    mass = own.sum((2, 3), keepdim=True).clamp_min(1)
    height = bright.sum((2, 3), keepdim=True) / mass
    theirs, other = crops.roll(turn, 0) - level.roll(turn, 0), own.roll(turn, 0)
    relative = (height / height.roll(turn, 0).clamp_min(1e-3)).clamp(0.1, 10)
    factor = relative * torch.exp2(uniform(-1, 1)) * (uniform(0, 1) > 0.15)
    # some px more than its mask: no halo of a nucleus that is not there
    light = factor * (theirs * (1 - _grown(other, 6))).clamp_min(0) * (1 - own)
    angle, gap = uniform(0, 2 * math.pi), uniform(0, 12)
    radius = (mass / math.pi).sqrt()
    # masks are some px wider than nuclei, whose outlines touch at a gap of 0
    reach = radius + radius.roll(turn, 0) - 6 + gap
    shift = torch.cat([reach * angle.cos(), reach * angle.sin()], 3).flatten(1)
    beside = _moved(bright.roll(turn, 0), shift) * (1 - _core(own))
    factor = relative * torch.exp2(uniform(-1, 1)) * (uniform(0, 1) < 0.5)
    changed = level + bright + light + factor * beside.clamp_min(0)
    return torch.where(uniform(0, 1) < share, changed.clamp_min(0), crops)


def _core(own: Tensor) -> Tensor:
    """Soft masks (N, 1, S, S) without their rim: the nucleus."""
    return 1 - _grown(1 - own, 3)


def _grown(masks: Tensor, by: int) -> Tensor:
    """Soft masks (N, 1, S, S) grown by some px along each axis."""
    rows = functional.max_pool2d(masks, (2 * by + 1, 1), 1, (by, 0))
    return functional.max_pool2d(rows, (1, 2 * by + 1), 1, (0, by))


def _moved(crops: Tensor, shift: Tensor) -> Tensor:
    """Crops (N, 1, S, S) moved by (N, 2) px along x and y; 0 comes from outside."""
    n, size = len(crops), crops.shape[-1]
    unit = torch.eye(2, device=crops.device).expand(n, 2, 2)
    theta = torch.cat([unit, (-2 * shift / size)[:, :, None]], 2)
    grid = functional.affine_grid(theta, list(crops.shape), align_corners=False)
    return functional.grid_sample(crops, grid, padding_mode="zeros", align_corners=False)


def normalise_tensor(crops: Tensor) -> Tensor:
    """Normalise crops (N, 1, H, W), as :func:`napari_interpdisc.crops.normalise` does."""
    from napari_interpdisc.crops import CLIP, LEAST_CONTRAST

    centred = crops - crops.mean((2, 3), keepdim=True)
    std = _spread(centred)
    flat = std <= LEAST_CONTRAST * crops.abs().amax((2, 3), keepdim=True)
    return (centred / std.masked_fill(flat, torch.inf)).clamp(-CLIP, CLIP)


def _spread(centred: Tensor) -> Tensor:
    """Standard deviation (N, 1, 1, 1) of crops of mean 0; nine times as fast as ``Tensor.std``."""
    n = centred.shape[-1] * centred.shape[-2]
    length: Tensor = torch.linalg.vector_norm(centred, dim=(1, 2, 3), keepdim=True)
    return length / math.sqrt(n)


def rotated(crops: Tensor, angle: Tensor, mirror: Tensor) -> Tensor:
    """Mirror crops (N, 1, H, W) where ``mirror`` (N,), y to −y, then rotate by ``angle`` (N,), rad.

    What comes from outside a crop repeats its rim.
    """
    cos, sin = angle.cos(), angle.sin()
    flip = torch.where(mirror, -1.0, 1.0)
    zero = torch.zeros_like(cos)
    theta = torch.stack(
        [torch.stack([cos, sin, zero], 1), torch.stack([-flip * sin, flip * cos, zero], 1)], 1
    )
    grid = functional.affine_grid(theta, list(crops.shape), align_corners=False)
    return functional.grid_sample(
        crops, grid, mode="bicubic", padding_mode="border", align_corners=False
    )


def rotated_latents(encoder: TCVAE, latents: Tensor, generator: torch.Generator) -> Tensor:
    """Latents (N, L) of the same crops, each mirrored or not and rotated by any angle, at random.

    Nothing is encoded anew: the network says how its latents rotate. They come back as they were if
    they do not.
    """
    if not encoder.rotating_pairs:
        return latents
    n, device = len(latents), latents.device
    angle = torch.rand(n, generator=generator, device=device) * 2 * math.pi
    mirror = torch.rand(n, generator=generator, device=device) < 0.5
    return encoder.rotate(latents, angle, mirror)


def _hazy(crops: Tensor, share: Tensor, wide: Tensor) -> Tensor:
    """Crops (N, 1, S, S) of which a ``share`` (N,) of the light is blurred by ``wide`` (N,), σ px.

    Out-of-focus light of a wide-field microscope: a sharp picture upon a broad one.
    """
    changed = share > 0
    if not bool(changed.any()):
        return crops
    some, part = crops[changed], share[changed, None, None, None]
    # so wide a blur needs a quarter of the pixels a side
    broad = blurred(functional.avg_pool2d(some, 4), wide[changed] / 4)
    broad = functional.interpolate(broad, scale_factor=4, mode="bilinear")
    found = crops.clone()
    found[changed] = (1 - part) * some + part * broad
    return found


def _glowing(crops: Tensor, level: Tensor, radius: Tensor, rim: Tensor, place: Tensor) -> Tensor:
    """Crops (N, 1, S, S) with light of the cell's body: a soft disc behind the nucleus.

    Dye that is not bound to DNA, as in cells in suspension or in mitosis.

    Parameters
    ----------
    crops
        The crops.
    level
        (N,) brightness of the disc, relative to how far the nucleus is above its background.
    radius, rim
        (N,) of the disc, and how soft its rim is, px.
    place
        (N, 2) where its centre is, relative to that of the crop, px.
    """
    side = crops.shape[-1]
    at = torch.arange(side, device=crops.device) - (side - 1) / 2
    y, x = at[None, :, None] - place[:, :1, None], at[None, None, :] - place[:, 1:, None]
    away = (y.square() + x.square()).sqrt() - radius[:, None, None]
    disc = torch.sigmoid(-away / rim[:, None, None])[:, None]
    inner = functional.avg_pool2d(crops, 2)[..., side // 8 : -side // 8, side // 8 : -side // 8]
    height = inner.amax((2, 3), keepdim=True) - background_level(crops)
    return crops + level[:, None, None, None] * height.clamp_min(0) * disc


def _lit_from_a_side(crops: Tensor, change: Tensor, angle: Tensor) -> Tensor:
    """Light each crop unevenly: by 1 ± ``change`` (N,) at the rim along ``angle`` (N,), radians.

    The background, which light from out of focus makes, rises with it.
    """
    at = torch.linspace(-1, 1, crops.shape[-1], device=crops.device)
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    slope = (change[:, None, None] * (cos * at[None, None, :] + sin * at[None, :, None]))[:, None]
    level = crops.amax((2, 3), keepdim=True)
    return crops * (1 + slope) + 0.3 * level * (slope - slope.amin((2, 3), keepdim=True)) / 2


def _over_the_edge(crops: Tensor, share: Tensor, low: Tensor, vertical: Tensor) -> Tensor:
    """Where the outer ``share`` (N,) of each crop is, which the edge of a frame cuts off."""
    at = (torch.arange(crops.shape[-1], device=crops.device) + 0.5) / crops.shape[-1]
    at = torch.where(low[:, None], at[None], 1 - at[None])
    outside = (at < share[:, None])[:, None, None, :].expand_as(crops)
    return torch.where(vertical[:, None, None, None], outside.transpose(2, 3), outside)
