"""What the training data looked like to a model, so that out-of-distribution cells are flagged.

Two densities are asked, neither of which needs a decoded picture. One is that of the latents, which
describe the cell and its surroundings. The other is that of the power spectrum of the crop, which
describes the microscope: how sharp and how grainy its images are. Latents leave that out by design.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

LEVELS = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.995, 0.999)
"""Quantiles that a model stores."""

LIMIT = 0.995
"""A cell beyond this quantile of either distance is unlike the training data."""

RIDGE = 1e-3
"""Share of the mean variance that is added to each, so that idle latents do not decide."""

LEAST_SPREAD = 1e-8
"""Mean variance of measures that are taken for equal in all cells."""


@dataclass(frozen=True)
class Density:
    """A normal density of D measures of a cell, and how far from its middle training cells are.

    Attributes
    ----------
    mean
        (D,) the middle.
    whitening
        (D, D) matrix W; the distance of x is the Euclidean norm of W (x − mean), which is the
        Mahalanobis distance.
    levels, distances
        Quantile levels, 0–1, rising, and the distance of training cells at each.
    """

    mean: tuple[float, ...]
    whitening: tuple[tuple[float, ...], ...]
    levels: tuple[float, ...]
    distances: tuple[float, ...]

    @classmethod
    def of(cls, values: npt.ArrayLike, independent: bool = False) -> Self:
        """Density of (N, D) values of training cells.

        ``independent`` leaves out how the measures go together: a cell is then unlike the others
        by single measures alone.
        """
        x = np.asarray(values, np.float64)
        mean, covariance = x.mean(0), np.atleast_2d(np.cov(x.T))
        if independent:
            covariance = np.diag(np.diag(covariance))
        spread = max(float(np.trace(covariance)) / len(covariance), LEAST_SPREAD)
        covariance = covariance + RIDGE * spread * np.eye(len(covariance))
        # W with Wᵀ W = Σ⁻¹
        whitening = np.linalg.inv(np.linalg.cholesky(covariance))
        distance = np.linalg.norm((x - mean) @ whitening.T, axis=1)
        return cls(
            _plain(mean),
            tuple(_plain(row) for row in whitening),
            LEVELS,
            _rising(np.quantile(distance, LEVELS)),
        )

    def distance(self, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Mahalanobis distance (N,) of (N, D) values."""
        off = np.asarray(values, np.float64) - np.array(self.mean)
        return np.asarray(np.linalg.norm(off @ np.array(self.whitening).T, axis=1))

    def surprise(self, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """−log₁₀ of the share of training cells that are as far (N,): 2 means one in a hundred.

        Interpolated between the stored quantiles, and continued in a straight line beyond the last.
        """
        at, tail = np.array(self.distances), -np.log10(1 - np.array(self.levels))
        distance = self.distance(values)
        found = np.interp(distance, [0.0, *at], [0.0, *tail])
        slope = (tail[-1] - tail[-3]) / max(at[-1] - at[-3], 1e-12)
        return np.asarray(found + slope * np.clip(distance - at[-1], 0, None))


@dataclass(frozen=True)
class Familiarity:
    """What training cells looked like, as they are and not augmented.

    Attributes
    ----------
    latents
        Density of the posterior means; of the cell's alone, where the encoder tells them from those
        of its surroundings.
    spectra
        Density of the power in bands of frequency
        (:func:`napari_interpdisc.crop_measures.spectra`), band by band.
    diameter
        Median diameter of the training nuclei as
        :func:`napari_interpdisc.crop_measures.measure_crops` measures it, crop px.
    noise
        Pixel noise that 99.5 % of the training cells stay below, relative to the standard
        deviation of a crop.
    fineness
        Sharpness that 99.5 % of the training cells stay above
        (:func:`napari_interpdisc.crop_measures.fineness_of`).
    """

    latents: Density
    spectra: Density
    diameter: float
    noise: float
    fineness: float

    @property
    def expected(self) -> float:
        """Largest share of the training data itself that would be flagged, 0–1."""
        return 2 * (1 - LIMIT)

    def surprises(self, latents: npt.ArrayLike, spectra: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Surprise (N, 2) of (N, L) latents and of (N, B) spectra; see :meth:`Density.surprise`.

        Of the latents, the first ones are judged, as many as the density knows.

        Spectra that were not taken, of length 0, surprise nobody.
        """
        z, bands = np.asarray(latents), np.asarray(spectra)
        found = np.zeros((len(z), 2))
        if len(z):
            found[:, 0] = self.latents.surprise(z[:, : len(self.latents.mean)])
        if len(bands):
            found[:, 1] = self.spectra.surprise(bands)
        return found

    def out_of_distribution(
        self, latents: npt.ArrayLike, spectra: npt.ArrayLike
    ) -> npt.NDArray[np.bool_]:
        """Whether each of N cells is unlike the training data, by its latents or its spectrum."""
        return np.asarray((self.surprises(latents, spectra) > SURPRISED).any(1))


SURPRISED = float(-np.log10(1 - LIMIT))
"""Surprise from which a cell is unlike the training data."""


def latent_norm(latents: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Euclidean norm (N,) of latents (N, L)."""
    return np.asarray(np.linalg.norm(np.asarray(latents, np.float64), axis=1))


def measure_familiarity(
    latents: npt.ArrayLike,
    spectra: npt.ArrayLike,
    diameter: npt.ArrayLike,
    noise: npt.ArrayLike,
    fineness: npt.ArrayLike,
) -> Familiarity:
    """Familiarity of N training cells: (N, L) latents, (N, B) spectra, and (N,) of the others."""
    return Familiarity(
        Density.of(latents),
        Density.of(spectra, independent=True),
        float(np.median(np.asarray(diameter))),
        float(np.quantile(np.asarray(noise), LIMIT)),
        float(np.quantile(np.asarray(fineness), 1 - LIMIT)),
    )


def _rising(values: npt.NDArray[np.float64]) -> tuple[float, ...]:
    """Values above 0 that rise: what is equal, as of cells that are copies, is set a hair apart."""
    found: list[float] = []
    for value in values.tolist():
        found.append(max(value, found[-1] * (1 + 1e-9) if found else 1e-9))
    return tuple(found)


def _plain(values: npt.NDArray[np.float64]) -> tuple[float, ...]:
    """Numbers as JSON holds them: seven digits are more than enough."""
    return tuple(float(f"{value:.7g}") for value in values)
