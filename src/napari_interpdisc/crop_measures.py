"""What can be read from normalised crops at little cost: sharpness, grain, and size of the nucleus.

These measures say what a microscope and its settings did to the cells, and not what the cells are.
They cost a few microseconds a cell: a power spectrum along some lines of the crop, and rays from
its centre.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import Float32Array, Float64Array

BANDS = ((3, 4), (5, 6), (7, 9), (10, 13), (14, 18), (19, 24), (25, 32))
"""First and last frequency of each band of a spectrum, in periods of 64 px."""

PERIOD = 64

LINES = 8
"""Rows, and as many columns, of a crop whose spectrum is taken."""

AT_ONCE = 64
"""Crops whose spectra are taken at once, so that a core's cache holds them."""

MARGIN = 4
"""Pixels at the border of a crop that no line is taken from: some are beyond the image."""

FLOOR = 4e-5
"""Power, variance of a crop = 1, below which rounding to 8 bits hides everything."""

_STEPS = ((4, 2), (3, 1), (2, 0))
"""Pairs of bands whose ratio tells blur: structures of 4 and 8 px, of 6 and 12, of 8 and 18.

The first answers to a slight blur. A strong one leaves nothing in its bands but rounding, so that
their ratio rises again; the others go on falling."""

RAYS, REACH = 24, 32
"""Rays from the centre of a crop, and their length in px of a crop of 64 px."""

CORE = 6
"""Radius of the middle of a nucleus, px of a crop of 64 px."""


@cache
def _lines(size: int) -> npt.NDArray[np.intp]:
    return np.linspace(MARGIN, size - 1 - MARGIN, LINES).round().astype(np.intp)


@cache
def _waves(size: int) -> Float32Array:
    """Windowed cosines and sines (size, 2 · 30) of all frequencies in the bands."""
    frequencies = np.arange(BANDS[0][0], BANDS[-1][1] + 1)
    window = np.hanning(size)
    phase = 2 * np.pi * np.outer(np.arange(size), frequencies) / PERIOD
    waves = np.hstack([np.cos(phase), np.sin(phase)]) * window[:, None]
    return np.asarray(waves / np.sqrt((window**2).sum()), dtype=np.float32)


@cache
def _bands() -> Float32Array:
    """Mean over lines, frequencies of a band, cosine and sine: (2 · 30, bands)."""
    first, last = BANDS[0][0], BANDS[-1][1]
    frequencies = np.tile(np.arange(first, last + 1), 2)
    sums = np.stack([(frequencies >= a) & (frequencies <= b) for a, b in BANDS], 1)
    widths = np.array([b - a + 1 for a, b in BANDS])
    return np.asarray(sums / widths / (2 * LINES), dtype=np.float32)


def spectra(crops: Float32Array) -> Float32Array:
    """Logarithm of the power in seven bands of frequency (N, 7), coarse to fine.

    Of Hann-windowed rows and columns, normalised so that white noise of variance v has the power v
    in every band. The bands reach from structures of 20 px to those of 2 px.

    Parameters
    ----------
    crops
        (N, 1, S, S) normalised crops.
    """
    pixels, size = crops[:, 0], crops.shape[-1]
    lines, waves = _lines(size), _waves(size)
    powers = np.zeros((len(pixels), waves.shape[1]), np.float32)
    for start in range(0, len(pixels), AT_ONCE):
        block = pixels[start : start + AT_ONCE]
        some = np.empty((len(block), 2 * LINES, size), np.float32)
        some[:, :LINES] = block[:, lines]
        for k, line in enumerate(lines, LINES):  # faster than to ask for all and change axes
            some[:, k] = block[:, :, line]
        found = some.reshape(-1, size) @ waves
        np.square(found, out=found)
        found.reshape(len(block), 2 * LINES, -1).sum(1, out=powers[start : start + AT_ONCE])
    return np.asarray(np.log(powers @ _bands() + np.float32(FLOOR)))


def noise_of(spectrum: npt.ArrayLike) -> Float64Array:
    """Standard deviation of pixel noise (N,), relative to that of the crop, of (N, 7) spectra.

    The finest band is read as noise. Fine texture counts as noise too.
    """
    return np.asarray(np.exp(0.5 * np.asarray(spectrum, np.float64)[:, -1]))


def fineness_of(spectrum: npt.ArrayLike) -> Float64Array:
    """How sharp the crops are (N,): how steeply power falls over an octave of frequency.

    The logarithm of the power in a band over that in the band of about half its frequency, for the
    pair of bands where it is lowest. A blur lowers it, whatever its strength.
    """
    bands = np.asarray(spectrum, np.float64)
    return np.asarray(np.min([bands[:, fine] - bands[:, coarse] for fine, coarse in _STEPS], 0))


@dataclass(frozen=True)
class CropMeasures:
    """What pixels of N crops say of the settings of the movie.

    Attributes
    ----------
    diameter
        (N,) diameter of the central nucleus, crop px: of the region around the centre that is
        above half its height, along rays.
    brightness
        (N,) how far the middle of the crop is above its mean, in standard deviations.
    flat
        (N,) share of pixels, 0–1, at the very top of the crop's range: a sign of saturation.
    noise, fineness
        (N,) as :func:`noise_of` and :func:`fineness_of`.
    """

    diameter: Float64Array
    brightness: Float64Array
    flat: Float64Array
    noise: Float64Array
    fineness: Float64Array

    def __len__(self) -> int:
        """Number of crops N."""
        return len(self.diameter)


def joined_measures(parts: Sequence[CropMeasures]) -> CropMeasures:
    """Measures of the crops of all parts, in their order."""
    names = [field.name for field in fields(CropMeasures)]
    return CropMeasures(
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    )


def flat_share(pixels: Float32Array) -> Float64Array:
    """Share of pixels (N,), 0–1, at the very top of the range of each crop (N, S, S)."""
    top = pixels.max((1, 2), keepdims=True)
    # a thousandth of the range: neighbouring pixels of a smooth top differ by more
    reach = top - 1e-3 * (top - pixels.min((1, 2), keepdims=True))
    return np.asarray((pixels >= reach).mean((1, 2)), np.float64)


def measure_crops(crops: Float32Array) -> CropMeasures:
    """Measure normalised crops (N, 1, S, S); about 50 µs each, so that a sample is enough."""
    pixels, spectrum = crops[:, 0], spectra(crops)
    size = pixels.shape[-1]
    y, x = np.ogrid[:size, :size]
    middle = np.hypot(y - (size - 1) / 2, x - (size - 1) / 2) < CORE * size / PERIOD
    return CropMeasures(
        _diameters(pixels),
        np.asarray(pixels[:, middle].mean(1), np.float64),
        flat_share(pixels),
        noise_of(spectrum),
        fineness_of(spectrum),
    )


def _diameters(pixels: Float32Array) -> Float64Array:
    """Diameter (N,) of what is above half height around the centre of (N, S, S)."""
    size = pixels.shape[-1]
    angle = 2 * np.pi * np.arange(RAYS) / RAYS
    length = np.arange(REACH * size // PERIOD)
    centre = (size - 1) / 2
    rows = np.rint(centre + np.outer(np.sin(angle), length)).astype(int).clip(0, size - 1)
    cols = np.rint(centre + np.outer(np.cos(angle), length)).astype(int).clip(0, size - 1)
    along = pixels[:, rows, cols]
    core = CORE * size // PERIOD
    n, all_of = len(pixels), RAYS * len(length)
    height = np.quantile(along[:, :, :core].reshape(n, RAYS * core), 0.75, axis=1)
    ground = np.quantile(along.reshape(n, all_of), 0.1, axis=1)
    below = along < ((height + ground) / 2)[:, None, None]
    # two pixels in a row: one alone may be noise
    ends = below[:, :, :-1] & below[:, :, 1:]
    # the edge lies between the last pixel above and the first below
    radius = np.where(ends.any(2), ends.argmax(2), len(length)) - 0.5
    return np.asarray(2 * np.sqrt((radius.astype(np.float64) ** 2).mean(1)))
