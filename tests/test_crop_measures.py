from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_interpdisc.crop_measures import (
    BANDS,
    FLOOR,
    CropMeasures,
    fineness_of,
    measure_crops,
    noise_of,
    spectra,
)
from napari_interpdisc.crops import normalise


def discs(diameter: float, n: int = 1, size: int = 64, level: float = 1.0) -> np.ndarray:
    """Crops of blurred discs on a dark background, 0–1."""
    at = np.arange(size) - (size - 1) / 2
    disc = (np.hypot(at[:, None], at[None]) < diameter / 2).astype(np.float32)
    return np.repeat(level * ndimage.gaussian_filter(disc, 1)[None, None], n, axis=0)


@pytest.mark.parametrize("size", [32, 64, 96])
@pytest.mark.parametrize("sigma", [0.05, 0.3, 1.0])
def test_white_noise_has_its_variance_in_every_band(size: int, sigma: float) -> None:
    noise = np.random.default_rng(0).normal(0, sigma, (400, 1, size, size)).astype(np.float32)
    found = np.log(np.exp(spectra(noise)).mean(0))
    assert found.shape == (len(BANDS),)
    np.testing.assert_allclose(found, np.log(sigma**2), atol=0.05)
    assert np.median(noise_of(spectra(noise))) == pytest.approx(sigma, rel=0.05)


def test_a_wave_is_in_the_band_of_its_frequency() -> None:
    x = np.arange(64)
    for band, (first, last) in enumerate(BANDS):
        wave = np.cos(2 * np.pi * (first + last) / 2 * x / 64)
        crop = np.broadcast_to(wave[:, None] + wave[None], (1, 1, 64, 64)).astype(np.float32)
        assert spectra(crop)[0].argmax() == band


def test_a_stronger_blur_is_never_taken_for_a_sharper_crop() -> None:
    crops = discs(24, 20) + 0.01 * np.random.default_rng(0).standard_normal((20, 1, 64, 64))
    found = [
        np.median(fineness_of(spectra(normalise(ndimage.gaussian_filter(crops, (0, 0, s, s))))))
        for s in (0.0, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
    ]
    assert max(found[2:]) < found[1] < found[0]


def test_eight_bits_hide_nothing_above_the_floor() -> None:
    crop = normalise(discs(28) + 0.003 * np.random.default_rng(0).standard_normal((1, 1, 64, 64)))
    low, high = crop.min(), crop.max()
    rounded = np.rint((crop - low) / (high - low) * 255) / 255 * (high - low) + low
    np.testing.assert_allclose(spectra(rounded), spectra(crop), atol=0.35)
    blank = spectra(np.zeros((1, 1, 64, 64), np.float32))
    np.testing.assert_allclose(blank, np.log(FLOOR), rtol=1e-5)


@pytest.mark.parametrize("diameter", [16, 22, 28, 34, 40])
def test_diameter_of_discs(diameter: float) -> None:
    crops = normalise(discs(diameter, 3))
    noisy = normalise(crops + np.random.default_rng(0).normal(0, 0.1, crops.shape))
    for some in (crops, noisy):
        np.testing.assert_allclose(measure_crops(some).diameter, diameter, atol=1.5)


def test_the_scale_of_other_crop_sizes() -> None:
    found = measure_crops(normalise(discs(28, size=96)))
    assert found.diameter[0] == pytest.approx(28, abs=1.5)


def test_brightness_and_flat_tops() -> None:
    dome = ndimage.gaussian_filter(discs(30), (0, 0, 6, 6))
    assert measure_crops(normalise(dome)).brightness[0] > 1
    assert measure_crops(normalise(-dome)).brightness[0] < -1
    assert measure_crops(normalise(dome)).flat[0] < 0.005
    clipped = np.minimum(dome, np.quantile(dome, 0.9))
    assert measure_crops(normalise(clipped)).flat[0] == pytest.approx(0.1, abs=0.01)


def test_none_at_all() -> None:
    found = measure_crops(np.zeros((0, 1, 64, 64), np.float32))
    assert isinstance(found, CropMeasures)
    assert len(found) == 0
    assert spectra(np.zeros((0, 1, 64, 64), np.float32)).shape == (0, len(BANDS))
