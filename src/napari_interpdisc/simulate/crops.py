"""Simulated crops of one nucleus each, whose factors of variation are known and independent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, field_validator
from scipy import ndimage

from napari_interpdisc._types import Float32Array
from napari_interpdisc.crops import CROP_SIZE

FACTORS = (
    "size",
    "eccentricity",
    "orientation_cos",
    "orientation_sin",
    "grain",
    "offset_y",
    "offset_x",
    "neighbours",
    "neighbour_distance",
    "noise",
)
"""Names of the factors, in the order of the table of :func:`simulate_crops`."""

FULL_SCALE = 2.5
"""Brightness that becomes 255; the plateau of a nucleus has 1."""

NO_NOISE = 1e-3
"""Levels of noise below this add none."""

Range = tuple[float, float]


class CropSimulation(BaseModel):
    """Ranges from which each factor is drawn, uniformly and on its own.

    The defaults keep a neighbour from covering the cell, and (but for the largest offset and
    distance together) within the crop.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    side: int = Field(CROP_SIZE, title="Side of a crop (px)", ge=32)
    size: Range = Field((18.0, 28.0), title="Diameter of the circle of the same area (px)")
    eccentricity: Range = Field((0.3, 0.85), title="Eccentricity of the ellipse")
    grain: Range = Field((0.0, 0.3), title="Standard deviation of the texture, relative")
    offset: Range = Field((-3.0, 3.0), title="Error of the centroid along each axis (px)")
    neighbours: tuple[int, int] = Field((0, 6), title="Number of neighbours")
    neighbour_distance: Range = Field((29.0, 36.0), title="Centre of the nearest neighbour (px)")
    noise: Range = Field((0.02, 0.25), title="Shot noise (σ at brightness 1; 1/σ² photons)")
    neighbour_size: float = Field(20.0, title="Diameter of a neighbour (px)", gt=0)
    neighbour_grain: float = Field(0.15, title="Texture of a neighbour", ge=0)
    grain_width: float = Field(2.0, title="Width of a grain of texture (σ, px)", gt=0)
    background: float = Field(0.1, title="Background, relative to a nucleus", ge=0)
    blur: float = Field(1.0, title="Width of the point spread function (σ, px)", ge=0)

    @field_validator("size", "eccentricity", "grain", "neighbours", "neighbour_distance", "noise")
    @classmethod
    def _not_negative(cls, value: tuple[float, float]) -> tuple[float, float]:
        if value[0] < 0:
            raise ValueError("a range must not start below 0")
        return value

    @field_validator("*")
    @classmethod
    def _ordered(cls, value: Any) -> Any:
        if isinstance(value, tuple) and value[0] > value[1]:
            raise ValueError("a range goes from low to high")
        return value

    @field_validator("eccentricity")
    @classmethod
    def _ellipse(cls, value: tuple[float, float]) -> tuple[float, float]:
        if value[1] >= 1:
            raise ValueError("an ellipse has an eccentricity below 1")
        return value

    @field_validator("neighbours")
    @classmethod
    def _around(cls, value: tuple[int, int]) -> tuple[int, int]:
        if value[1] > 6:
            raise ValueError("at most six neighbours fit around a cell")
        return value


def simulate_crops(
    n: int, seed: int = 0, settings: CropSimulation | None = None
) -> tuple[npt.NDArray[np.uint8], dict[str, npt.NDArray[np.float64]]]:
    """Simulate crops of H2B nuclei: soft-edged textured ellipses, blurred, with shot noise.

    Parameters
    ----------
    n
        Number of crops.
    seed
        Decides everything. Factors, texture and noise have streams of their own: settings without
        noise give the same pictures, noise-free.
    settings
        Ranges of the factors.

    Returns
    -------
    patches
        (n, side, side) uint8, the cell in the centre but for its offset; brightness 1 is
        255 / :data:`FULL_SCALE`.
    factors
        One (n,) float64 column for each name in :data:`FACTORS`. They are independent of each
        other, with one exception. ``orientation_cos`` = cos 2θ and ``orientation_sin`` = sin 2θ
        belong to one orientation θ of the major axis, from the x axis towards y: these two are
        uncorrelated only. Sizes, offsets and distances are in px. ``neighbour_distance`` is drawn
        even where there are no neighbours, and cannot be seen there. An offset moves the
        neighbours too, as a wrong centroid does.

    Raises
    ------
    ValueError
        If ``n`` is negative.
    """
    if n < 0:
        raise ValueError(f"{n} crops cannot be simulated")
    options = settings or CropSimulation()
    draw, rough, shot = np.random.default_rng(seed).spawn(3)
    factors, theta = _drawn(n, options, draw)
    around = _neighbours(factors["neighbours"], factors["neighbour_distance"], options, draw)
    patches = np.empty((n, options.side, options.side), np.uint8)
    for start in range(0, n, 256):  # blocks that stay in the cache
        rows = slice(start, start + 256)
        some = {name: column[rows] for name, column in factors.items()}
        signal = _paint(some, theta[rows], around[rows], options, rough)
        signal = _shot_noise(signal, some["noise"], shot)
        patches[rows] = _stored(signal)
    return patches, factors


def draw_factors(
    n: int, seed: int = 0, settings: CropSimulation | None = None
) -> dict[str, npt.NDArray[np.float64]]:
    """Draw the factors of n crops: the table of :func:`simulate_crops`, without the pictures."""
    draw = np.random.default_rng(seed).spawn(3)[0]
    return _drawn(n, settings or CropSimulation(), draw)[0]


def render_crops(
    factors: Mapping[str, npt.NDArray[np.float64]],
    seed: int = 0,
    settings: CropSimulation | None = None,
) -> npt.NDArray[np.uint8]:
    """Draw crops (n, side, side) with given factors, so that one can be changed and no other.

    Texture, noise, and the sizes and directions of neighbours depend on the seed and on a crop's
    row alone. Two calls that differ in one factor of one row differ in what it shows, and nowhere
    else. The texture of the cell moves and rotates with it. Photons are counted
    approximately, so that noise is the same too: √photons is given normal noise (Anscombe 1948).

    Parameters
    ----------
    factors
        One (n,) column for each name in :data:`FACTORS`, as :func:`draw_factors` gives them.
    seed
        Decides everything else.
    settings
        The rest of the simulation. Its ranges are not looked at.

    Raises
    ------
    ValueError
        If a factor is missing.
    """
    missing = [name for name in FACTORS if name not in factors]
    if missing:
        raise ValueError(f"the factors lack '{missing[0]}'")
    options = settings or CropSimulation()
    places, rough, shot = np.random.default_rng(seed).spawn(3)
    columns = {name: np.asarray(factors[name], np.float64) for name in FACTORS}
    theta = 0.5 * np.arctan2(columns["orientation_sin"], columns["orientation_cos"])
    around = _neighbours(columns["neighbours"], columns["neighbour_distance"], options, places)
    signal = _paint(columns, theta, around, options, rough, carried=True)
    level = columns["noise"][:, None, None]
    noisy = np.sqrt(np.maximum(signal + 0.375 * level**2, 0))
    noisy += level / 2 * shot.standard_normal(signal.shape)
    counted = np.maximum(noisy, 0) ** 2 - 0.625 * level**2  # of the right mean
    return _stored(np.where(level >= NO_NOISE, counted, signal))


def _drawn(
    n: int, options: CropSimulation, draw: np.random.Generator
) -> tuple[dict[str, npt.NDArray[np.float64]], npt.NDArray[np.float64]]:
    """Factors of n crops, and the orientation (n,) of each in radians."""
    theta = draw.uniform(0, np.pi, n)
    low, high = options.neighbours
    factors = {
        "size": draw.uniform(*options.size, n),
        "eccentricity": draw.uniform(*options.eccentricity, n),
        "orientation_cos": np.cos(2 * theta),
        "orientation_sin": np.sin(2 * theta),
        "grain": draw.uniform(*options.grain, n),
        "offset_y": draw.uniform(*options.offset, n),
        "offset_x": draw.uniform(*options.offset, n),
        "neighbours": draw.integers(low, high, n, endpoint=True).astype(np.float64),
        "neighbour_distance": draw.uniform(*options.neighbour_distance, n),
        "noise": draw.uniform(*options.noise, n),
    }
    return factors, theta


def _stored(signal: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
    """Whole numbers of a camera: brightness 1 is 255 / :data:`FULL_SCALE`."""
    return np.asarray(np.clip(np.rint(signal * (255 / FULL_SCALE)), 0, 255), dtype=np.uint8)


def _neighbours(
    count: npt.NDArray[np.float64],
    nearest: npt.NDArray[np.float64],
    options: CropSimulation,
    draw: np.random.Generator,
) -> npt.NDArray[np.float64]:
    """Ellipses around each cell: (n, 6, 5) of dy, dx, semi-major, semi-minor, orientation.

    Slots beyond ``count`` have no size. Angles are random but for 45° between two neighbours; the
    first is ``nearest`` px away, the others up to 3 px more.
    """
    n = len(count)
    used = np.arange(6)[None] < count[:, None]
    apart = np.pi / 4
    shares = draw.exponential(1, (n, 6)) * used
    shares /= np.maximum(shares.sum(1, keepdims=True), 1e-12)
    gaps = apart + shares * (2 * np.pi - apart * count[:, None])
    angle = draw.uniform(0, 2 * np.pi, (n, 1)) + np.cumsum(gaps, 1)
    extra = draw.uniform(0, 3, (n, 6))
    extra[:, 0] = 0
    reach = nearest[:, None] + extra
    radius = options.neighbour_size / 2 * draw.uniform(0.9, 1.1, (n, 6)) * used
    ratio = draw.uniform(0.8, 1, (n, 6))
    return np.stack(
        [
            reach * np.sin(angle),
            reach * np.cos(angle),
            radius / np.sqrt(ratio),
            radius * np.sqrt(ratio),
            draw.uniform(0, np.pi, (n, 6)),
        ],
        2,
    )


def _paint(
    factors: dict[str, npt.NDArray[np.float64]],
    theta: npt.NDArray[np.float64],
    around: npt.NDArray[np.float64],
    options: CropSimulation,
    rough: np.random.Generator,
    carried: bool = False,
) -> Float32Array:
    """Noise-free brightness (n, side, side); texture may be carried along with each cell."""
    n, side = len(theta), options.side
    texture = rough.standard_normal((n, side, side), np.float32)
    texture = _smooth(texture, options.grain_width)
    texture /= np.maximum(texture.std((1, 2), keepdims=True), np.float32(1e-12))
    ratio = np.sqrt(1 - factors["eccentricity"] ** 2)
    radius = factors["size"] / 2
    centre = np.column_stack([factors["offset_y"], factors["offset_x"]])
    signal = _ellipse(centre, radius / np.sqrt(ratio), radius * np.sqrt(ratio), theta, side)
    own = _carried(texture, theta, centre) if carried else texture
    signal *= 1 + own * factors["grain"][:, None, None].astype(np.float32)
    for k in range(around.shape[1]):
        has = np.flatnonzero(around[:, k, 2] > 0)
        if not len(has):
            continue
        at = around[has, k]
        other = _ellipse(centre[has] + at[:, :2], at[:, 2], at[:, 3], at[:, 4], side)
        other *= 1 + texture[has] * np.float32(options.neighbour_grain)
        signal[has] = np.maximum(signal[has], other)
    return _smooth(np.maximum(signal, 0), options.blur) + np.float32(options.background)


def _carried(
    texture: Float32Array, theta: npt.NDArray[np.float64], centre: npt.NDArray[np.float64]
) -> Float32Array:
    """Texture (n, side, side) rotated by θ and moved to the centre (n, 2) of each cell."""
    side = texture.shape[-1]
    at = np.arange(side) - (side - 1) / 2
    out = np.empty_like(texture)
    for i, (angle, (y, x)) in enumerate(zip(theta, centre, strict=True)):
        down, right = (at - y)[:, None], (at - x)[None, :]
        along = np.cos(angle) * right + np.sin(angle) * down
        across = np.cos(angle) * down - np.sin(angle) * right
        places = [across + (side - 1) / 2, along + (side - 1) / 2]
        out[i] = ndimage.map_coordinates(texture[i], places, order=1, mode="mirror")
    return out


def _ellipse(
    centre: npt.NDArray[np.float64],
    semi_major: npt.NDArray[np.float64],
    semi_minor: npt.NDArray[np.float64],
    theta: npt.NDArray[np.float64],
    side: int,
) -> Float32Array:
    """Domes (n, side, side) on ellipses, one pixel of edge; ``centre`` (n, 2) from the middle."""
    at = (np.arange(side) - (side - 1) / 2).astype(np.float32)
    dy = at[None, :, None] - centre[:, 0, None, None].astype(np.float32)
    dx = at[None, None, :] - centre[:, 1, None, None].astype(np.float32)

    def column(values: npt.NDArray[np.float64]) -> Float32Array:
        return values.astype(np.float32)[:, None, None]

    # (along / a)² + (across / b)² as a quadratic form of dy and dx
    a, b = 1 / semi_major**2, 1 / semi_minor**2
    cos, sin = np.cos(theta), np.sin(theta)
    squared = column(cos**2 * a + sin**2 * b) * dx**2 + column(sin**2 * a + cos**2 * b) * dy**2
    squared += column(2 * cos * sin * (a - b)) * dy * dx
    edge = np.clip((1 - np.sqrt(squared)) * column(semi_minor) + 0.5, 0, 1)
    return np.asarray(np.sqrt(np.clip(1.25 - squared, 0, None)) * edge, dtype=np.float32)


def _smooth(images: Float32Array, sigma: float) -> Float32Array:
    """Blur each image (n, side, side) by a Gaussian."""
    return np.asarray(ndimage.gaussian_filter(images, (0, sigma, sigma), mode="reflect"))


def _shot_noise(
    signal: Float32Array, level: npt.NDArray[np.float64], shot: np.random.Generator
) -> Float32Array:
    """Count photons: 1 / ``level``² of them at brightness 1; levels below NO_NOISE add none."""
    noisy = level >= NO_NOISE
    if not noisy.any():
        return signal
    photons = 1 / level[noisy, None, None] ** 2
    counted = signal.copy()
    counted[noisy] = shot.poisson(signal[noisy] * photons) / photons
    return counted
