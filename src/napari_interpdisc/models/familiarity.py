"""What the training data looked like to a model, so that out-of-distribution cells are flagged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LEVELS = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.995, 0.999)
"""Quantiles that a model stores."""

LIMIT = 0.995
"""A cell beyond this quantile of either measure is unlike the training data."""


@dataclass(frozen=True)
class Familiarity:
    """Quantiles over the training data of two measures of a cell.

    Attributes
    ----------
    levels
        Quantile levels, 0–1, rising.
    reconstruction_error
        Mean squared difference of crop and reconstruction (normalised units) at each level.
    latent_norm
        Euclidean norm of the posterior means at each level.
    """

    levels: tuple[float, ...]
    reconstruction_error: tuple[float, ...]
    latent_norm: tuple[float, ...]

    @property
    def expected(self) -> float:
        """Largest share of the training data itself that would be flagged, 0–1."""
        return 2 * (1 - LIMIT)

    def out_of_distribution(
        self, reconstruction_error: npt.ArrayLike, latents: npt.ArrayLike
    ) -> npt.NDArray[np.bool_]:
        """Whether each of N cells is unlike the training data.

        Parameters
        ----------
        reconstruction_error
            (N,) in normalised units.
        latents
            (N, L) posterior means.
        """
        error = np.asarray(reconstruction_error, np.float64)
        norm = latent_norm(latents)
        limits = [
            float(np.interp(LIMIT, self.levels, values))
            for values in (self.reconstruction_error, self.latent_norm)
        ]
        return np.asarray((error > limits[0]) | (norm > limits[1]))


def latent_norm(latents: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Euclidean norm (N,) of latents (N, L)."""
    return np.asarray(np.linalg.norm(np.asarray(latents, np.float64), axis=1))


def measure_familiarity(reconstruction_error: npt.ArrayLike, latents: npt.ArrayLike) -> Familiarity:
    """Quantiles of the measures of (N,) errors and (N, L) latents of training data."""
    error = np.quantile(np.asarray(reconstruction_error, np.float64), LEVELS)
    norm = np.quantile(latent_norm(latents), LEVELS)
    return Familiarity(LEVELS, tuple(error.tolist()), tuple(norm.tolist()))
