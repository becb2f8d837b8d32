"""Baselines: what a usual pipeline reaches on the same cells and the same folds."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_interpdisc._types import Float32Array, Float64Array
from napari_interpdisc.crops import normalise
from napari_interpdisc.nuclei.crops import central_nucleus, otsu_mask


def hog(crops: Float32Array) -> Float64Array:
    """Histograms of oriented gradients (N, F) of normalised crops (N, S, S)."""
    from skimage import feature

    return np.array([feature.hog(c, pixels_per_cell=(8, 8)) for c in normalise(crops)])


N_SHAPES = 10


def shape_features(crops: Float32Array) -> Float64Array:
    """Regionprops (N, 10) of the central object of crops (N, S, S), after Otsu's threshold.

    Area, eccentricity, solidity, extent, perimeter, both axes; mean, maximum and spread of the
    normalised intensity: raw intensity is never among them.
    """
    from skimage import measure

    rows = []
    for crop in normalise(crops):
        regions = measure.label(otsu_mask(crop))
        nucleus = regions == (central_nucleus(regions) or 1)
        if not nucleus.any():  # a crop without contrast
            rows.append([0.0] * N_SHAPES)
            continue
        p = measure.regionprops(nucleus.astype(int), intensity_image=crop)[0]
        rows.append(
            [
                p.area, p.eccentricity, p.solidity, p.extent, p.perimeter, p.axis_major_length,
                p.axis_minor_length, p.intensity_mean, p.intensity_max,
                crop[nucleus].std(),
            ]
        )  # fmt: skip
    return np.array(rows, dtype=np.float64)


def forest(seed: int) -> Any:
    """Random forest of 300 trees, classes weighted equally."""
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(300, class_weight="balanced", random_state=seed)


def logistic(seed: int) -> Any:
    """Logistic regression on standardised features, classes weighted equally."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(
        StandardScaler(),
        LogisticRegression(class_weight="balanced", max_iter=2000, random_state=seed),
    )


def pca_logistic(seed: int) -> Any:
    """The same on 50 principal components; it takes 50 cells at least."""
    from sklearn.decomposition import PCA
    from sklearn.pipeline import make_pipeline

    return make_pipeline(PCA(50, random_state=seed), logistic(seed))
