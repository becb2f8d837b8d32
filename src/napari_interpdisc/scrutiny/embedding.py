"""Two numbers for all latents of a cell: principal components, and UMAP."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

from napari_interpdisc._types import BoolArray, Float32Array, Float64Array
from napari_interpdisc.errors import InvalidInput

COMPONENTS = 4
"""Principal components that are taken."""

MOST = 10_000
"""Cells that UMAP is fitted to; the others are placed among them."""

_one_at_a_time = threading.Lock()
"""Numba, which UMAP computes with, may end the process where two threads use it at once."""


@dataclass(frozen=True)
class Embedding:
    """Coordinates of cells in fewer dimensions.

    Attributes
    ----------
    values
        (N, D); NaN for cells without latents.
    told
        One sentence on how they were found.
    """

    values: Float64Array
    told: str


def principal_components(latents: Float32Array, n: int = COMPONENTS) -> Embedding:
    """First ``n`` principal components (N, n) of latents (N, L), each centred, none scaled.

    Raises
    ------
    InvalidInput
        If fewer than three cells have latents.
    """
    from sklearn.decomposition import PCA

    has = _with_latents(latents)
    n = min(n, latents.shape[1], int(has.sum()) - 1)
    fitted = PCA(n, random_state=0).fit(latents[has].astype(np.float64))
    values = np.full((len(latents), n), np.nan)
    values[has] = fitted.transform(latents[has].astype(np.float64))
    shares = fitted.explained_variance_ratio_
    told = ", ".join(f"PC {k} {share:.0%}" for k, share in enumerate(shares, 1))
    return Embedding(values, f"Share of the variance of the latents: {told}.")


def umap_embedding(latents: Float32Array, seed: int = 0, most: int = MOST) -> Embedding:
    """UMAP (McInnes et al. 2018) of latents (N, L) in two dimensions.

    Parameters
    ----------
    latents
        (N, L).
    seed
        Decides which cells it is fitted to, and where they come to lie.
    most
        Cells that it is fitted to at most, drawn at random. The others are placed among them.

    Raises
    ------
    InvalidInput
        If umap-learn is not installed, or too few cells have latents.
    """
    check_umap()
    has = _with_latents(latents)
    rows = np.flatnonzero(has)
    if len(rows) < 5:
        raise InvalidInput(f"UMAP needs at least 5 cells with latents; there are {len(rows)}.")
    fitted_to = rows
    if len(rows) > most:
        fitted_to = np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
    neighbours = min(15, len(fitted_to) - 1)
    values = np.full((len(latents), 2), np.nan)
    others = np.setdiff1d(rows, fitted_to)
    with _one_at_a_time:
        reducer = _umap(n_neighbors=neighbours, random_state=seed)
        values[fitted_to] = reducer.fit_transform(latents[fitted_to])
        if len(others):
            values[others] = reducer.transform(latents[others])
    placed = f"; the other {len(others)} are placed among them" if len(others) else ""
    return Embedding(
        values,
        f"UMAP of {len(fitted_to)} cells, {neighbours} neighbours, seed {seed}{placed}. Distances "
        "between groups mean little.",
    )


def check_umap() -> None:
    """Ask for umap-learn before any work.

    Raises
    ------
    InvalidInput
        If it is not installed.
    """
    if find_spec("umap") is None:
        raise InvalidInput(
            "UMAP needs umap-learn: install it with pip install 'napari-interpdisc[umap]'."
        )


def _umap(**given: Any) -> Any:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of parts of it that are not used here
        import umap

        # one thread, so that the same seed gives the same places
        return umap.UMAP(n_components=2, n_jobs=1, **given)


def _with_latents(latents: Float32Array) -> BoolArray:
    has = np.isfinite(latents).all(1)
    if has.sum() < 3:
        raise InvalidInput(
            f"A plot of all latents needs at least three cells with latents; there are "
            f"{int(has.sum())}."
        )
    return np.asarray(has)
