"""What the scorecard changes in cells, and how much may follow from it (paper §3.1).

A test makes changed crops of the same cells. What a head then says of them is counted in
:mod:`napari_interpdisc.scrutiny.scorecard`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ConfigDict, Field
from scipy import ndimage
from torch.nn import functional

from napari_interpdisc._types import Float32Array
from napari_interpdisc.crops import normalise
from napari_interpdisc.patches import Patches, middle
from napari_interpdisc.scrutiny.composites import (
    Neighbours,
    among_others,
    filled,
    on_background,
    paste_neighbours,
    place_neighbours,
)
from napari_interpdisc.scrutiny.segmented import SegmentedCells

TARGET, ORIENTATION, NOISE, PLACE, STORAGE, SIMULATED = (
    "only the target cell",
    "orientation",
    "noise",
    "position and scale",
    "how the image was stored",
    "simulated factors",
)
"""The constraints."""

MOST_SIMULATED = 10_000
LARGEST_SEED = 2**32 - 1
"""Bounds of settings."""

BACK_AND_FORTH = 6
"""Angles of the control for interpolation."""


class ScorecardSettings(BaseModel):
    """Strength of the changes, and the share of changed classes that is allowed."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    brightness: tuple[Annotated[float, Field(ge=0)], ...] = Field(
        (0.5, 1.0, 2.0), title="Brightness of other surroundings"
    )
    distances: tuple[Annotated[float, Field(ge=0, le=30)], ...] = Field(
        (1.0, 4.0, 8.0), title="Gap to a pasted neighbour (px)"
    )
    angles: int = Field(24, title="Rotations by any angle", ge=1, le=360)
    snr: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        (20.0, 10.0, 5.0), title="Height of the nucleus over the standard deviation of noise"
    )
    shifts: tuple[Annotated[float, Field(ge=0, le=16)], ...] = Field(
        (1.0, 2.0, 4.0), title="Errors of the centroid (px)"
    )
    diameters: tuple[Annotated[float, Field(ge=0.2, le=5)], ...] = Field(
        (0.7, 0.8, 0.9, 1.1, 1.2, 1.3), title="Factors on the diameter"
    )
    blurs: tuple[Annotated[float, Field(ge=0, le=16)], ...] = Field(
        (0.5, 1.0, 1.5), title="Blur (σ, px)"
    )
    gradients: tuple[Annotated[float, Field(ge=0, le=1)], ...] = Field(
        (0.2, 0.4), title="Change of illumination over the crop"
    )
    shortcut: bool = Field(True, title="Attack the latents of cell and surroundings apart")
    simulated: int = Field(200, title="Simulated cells; 0 for none", ge=0, le=MOST_SIMULATED)
    target_limit: float = Field(0.01, title="Allowed for other surroundings", ge=0, le=1)
    orientation_limit: float = Field(0.01, title="Allowed for rotations and mirrors", ge=0, le=1)
    noise_limit: float = Field(
        0.01, title="Allowed for noise at an SNR of 10 and above", ge=0, le=1
    )
    place_limit: float = Field(
        0.02, title="Allowed for ± 2 px, ± 10 %, blur of 1 px, light of ± 20 %", ge=0, le=1
    )
    shortcut_limit: float = Field(
        0.05, title="Allowed share of cells that surroundings change first", ge=0, le=1
    )
    simulated_limit: float = Field(
        0.02, title="Allowed for simulated factors that must not matter", ge=0, le=1
    )
    seed: int = Field(0, title="Seed", ge=0, le=LARGEST_SEED)


@dataclass(frozen=True)
class Test:
    """One change of N cells.

    Attributes
    ----------
    constraint, name
        What it belongs to, and what is changed.
    limit
        Share of changed classes that is allowed; None where nothing is asked.
    variants
        Makes the changed crops, each (n, 1, S, S) and normalised.
    rows
        (n,) the cells that can be changed so; None for all N.
    """

    constraint: str
    name: str
    limit: float | None
    variants: Sequence[Callable[[], Float32Array]]
    rows: npt.NDArray[np.intp] | None = None


def all_tests(cells: SegmentedCells, size: int, options: ScorecardSettings) -> Iterator[Test]:
    """Every test that these cells allow, on crops of ``size`` px; see :func:`untested`."""
    if cells.masked:
        yield from _target_tests(cells, size, options)
    yield from _orientation_tests(cells, size, options)
    if cells.masked:
        yield from _noise_tests(cells, size, options)
    yield from _place_tests(cells, size, options)
    yield from _storage_tests(cells, size)


def untested(cells: SegmentedCells) -> list[str]:
    """Sentences on what cannot be tested on these cells, and why."""
    if not cells.masked:
        return [
            "The nuclei have no masks: other surroundings and noise were not tested. Give a "
            "segmentation to test them."
        ]
    if len(cells) < 2:
        return [
            "One cell has no other to take surroundings from: it was tested on plain background "
            "alone. Give more cells."
        ]
    return []


def _target_tests(cells: SegmentedCells, size: int, options: ScorecardSettings) -> Iterator[Test]:
    limit, seed = options.target_limit, options.seed
    yield Test(
        TARGET, "surroundings replaced by background", limit,
        [lambda: on_background(cells, seed).crops(size)],
    )  # fmt: skip
    if len(cells) < 2:
        return
    for factor in options.brightness:

        def others(factor: float = factor) -> Float32Array:
            return among_others(cells, factor, seed).crops(size)

        name = f"surroundings of another cell, {factor:g} × as bright"
        yield Test(TARGET, name, limit, [others])
    for distance in options.distances:
        places = place_neighbours(cells, distance, seed, size)
        rows = np.flatnonzero(places.placed)

        def beside(places: Neighbours = places, rows: npt.NDArray[np.intp] = rows) -> Float32Array:
            return paste_neighbours(cells, places, seed).take(rows).crops(size)

        yield Test(TARGET, f"another nucleus {distance:g} px away", limit, [beside], rows)


def _orientation_tests(
    cells: SegmentedCells, size: int, options: ScorecardSettings
) -> Iterator[Test]:
    crops = cells.patches.crops(size)

    def rotated(quarters: int, mirror: bool) -> Float32Array:
        shown = crops[:, :, ::-1] if mirror else crops
        return np.ascontiguousarray(np.rot90(shown, quarters, (2, 3)))

    exact = [(k, mirror) for mirror in (False, True) for k in range(4)][1:]
    yield Test(
        ORIENTATION, "quarter rotations and mirror images", options.orientation_limit,
        [partial(rotated, k, mirror) for k, mirror in exact],
    )  # fmt: skip
    whole = filled(cells, options.seed)
    angles = _angles(options.angles)
    yield Test(
        ORIENTATION, f"{options.angles} rotations by any angle", options.orientation_limit,
        [partial(resampled_crops, whole, size, angle=a) for a in angles],
    )  # fmt: skip

    def back(angle: float) -> Float32Array:
        there = resampled(whole.pixels, whole.pixels.shape[-1], angle)
        return resampled_crops(replace(whole, pixels=there), size, -angle)

    yield Test(
        ORIENTATION, f"{BACK_AND_FORTH} rotations and back (control: interpolation alone)", None,
        [partial(back, angle) for angle in _angles(BACK_AND_FORTH)],
    )  # fmt: skip


def _angles(n: int) -> list[float]:
    """Angles in degrees, evenly spread, none of them a multiple of 90°."""
    return [360 * (k + (0.5 if n % 4 == 0 else 0.3)) / n for k in range(n)]


def _noise_tests(cells: SegmentedCells, size: int, options: ScorecardSettings) -> Iterator[Test]:
    height = cells.height.astype(np.float32)[:, None, None]

    def noisy(snr: float, signs: bool) -> Float32Array:
        rng = np.random.default_rng(options.seed)
        pixels = middle(cells.patches.pixels, size)
        noise = rng.standard_normal(pixels.shape, np.float32)
        noise = np.sign(noise) if signs else noise
        return normalise(pixels + height / np.float32(snr) * noise)[:, None]

    for snr in options.snr:
        limit = options.noise_limit if snr >= 10 else None
        yield Test(NOISE, f"noise at an SNR of {snr:g}", limit, [partial(noisy, snr, False)])
        yield Test(
            NOISE, f"random signs at an SNR of {snr:g} (control)", None,
            [partial(noisy, snr, True)],
        )  # fmt: skip


def _place_tests(cells: SegmentedCells, size: int, options: ScorecardSettings) -> Iterator[Test]:
    patches, limit = filled(cells, options.seed), options.place_limit
    for shift in options.shifts:
        moves = [(shift, 0.0), (-shift, 0.0), (0.0, shift), (0.0, -shift)]
        yield Test(
            PLACE, f"centroid ± {shift:g} px", limit if shift <= 2 else None,
            [partial(resampled_crops, patches, size, move=m) for m in moves],
        )  # fmt: skip
    for factor in options.diameters:
        yield Test(
            PLACE, f"diameter × {factor:g}", limit if 0.9 <= factor <= 1.1 else None,
            [partial(resampled_crops, patches, size, zoom=1 / factor)],
        )  # fmt: skip
    for blur in options.blurs:

        def blurred(blur: float = blur) -> Float32Array:
            pixels = ndimage.gaussian_filter(patches.pixels, (0, blur, blur))
            return replace(patches, pixels=pixels).crops(size)

        yield Test(PLACE, f"blur of {blur:g} px", limit if blur <= 1 else None, [blurred])
    for change in options.gradients:

        def lit(angle: float, change: float) -> Float32Array:
            at = np.linspace(-1, 1, size, dtype=np.float32)
            slope = np.cos(angle) * at[None, :] + np.sin(angle) * at[:, None]
            pixels = middle(patches.pixels, size)
            low = pixels.min((1, 2), keepdims=True)
            return normalise((pixels - low) * (1 + change * slope))[:, None]

        yield Test(
            PLACE, f"light that changes by ± {change:.0%} over the crop",
            limit if change <= 0.2 else None,
            [partial(lit, a, change) for a in np.arange(4) * np.pi / 2],
        )  # fmt: skip


def _storage_tests(cells: SegmentedCells, size: int) -> Iterator[Test]:
    pixels = middle(cells.patches.pixels, size)

    def stored(gain: float, offset: float) -> Float32Array:
        return normalise(gain * pixels.astype(np.float64) + offset)[:, None]

    scales = [partial(stored, gain, 0.0) for gain in (1e-6, 1e6)]
    yield Test(STORAGE, "intensity × 1e-6 and × 1e6", 0.0, scales)
    far = partial(stored, 1.0, 10 * float(np.ptp(pixels)))
    yield Test(STORAGE, "intensity plus ten times its range", 0.0, [far])


def resampled(
    pixels: Float32Array,
    size: int,
    angle: float = 0.0,
    zoom: float = 1.0,
    move: tuple[float, float] = (0.0, 0.0),
) -> Float32Array:
    """Pictures (N, size, size) from (N, P, P): rotated, magnified and moved, bilinearly.

    Parameters
    ----------
    pixels
        (N, P, P) pictures. Beyond them, their outermost pixels go on.
    size
        Side of the result, px.
    angle, zoom, move
        Degrees; result pixels per picture pixel; place (y, x), in picture pixels and relative to
        the middle, that comes into the middle.
    """
    half = (np.arange(size) - (size - 1) / 2) / zoom
    y, x = half[:, None], half[None, :]
    cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    # grid_sample counts from −1 to 1 between the middles of the outermost pixels
    unit = 2 / (pixels.shape[-1] - 1)
    at = np.stack([move[1] - sin * y + cos * x, move[0] + cos * y + sin * x], 2) * unit
    grid = torch.from_numpy(at.astype(np.float32))
    with torch.inference_mode():
        found = functional.grid_sample(
            torch.from_numpy(pixels)[:, None],
            grid.expand(len(pixels), -1, -1, -1),
            mode="bilinear",
            padding_mode="border",
            align_corners=True,
        )
    return found[:, 0].numpy()


def resampled_crops(
    patches: Patches,
    size: int,
    angle: float = 0.0,
    zoom: float = 1.0,
    move: tuple[float, float] = (0.0, 0.0),
) -> Float32Array:
    """Normalised crops (N, 1, size, size) from patches; see :func:`resampled`."""
    return normalise(resampled(patches.pixels, size, angle, zoom, move))[:, None]
