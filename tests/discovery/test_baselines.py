"""Plain baselines: what regionprops and HOG see of a nucleus, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from napari_interpdisc._types import Float32Array
from napari_interpdisc.discovery.baselines import (
    forest,
    hog,
    logistic,
    pca_logistic,
    shape_features,
)

AREA, ECCENTRICITY, SOLIDITY, EXTENT, PERIMETER, MAJOR, MINOR, MEAN, MOST, SPREAD = range(10)


def ellipse(a: float, b: float, at: tuple[float, float] = (31.5, 31.5)) -> Float32Array:
    rows, cols = np.mgrid[:64, :64]
    inside = ((rows - at[0]) / a) ** 2 + ((cols - at[1]) / b) ** 2 <= 1
    return inside.astype(np.float32)


def test_shape_of_a_disc_and_an_ellipse() -> None:
    disc, long = shape_features(np.stack([ellipse(12, 12), ellipse(6, 18)]))
    assert disc[AREA] == pytest.approx(np.pi * 144, rel=0.05)
    assert long[AREA] == pytest.approx(np.pi * 108, rel=0.06)
    assert disc[ECCENTRICITY] < 0.1
    assert long[ECCENTRICITY] == pytest.approx(np.sqrt(1 - (6 / 18) ** 2), abs=0.02)
    assert (long[MAJOR], long[MINOR]) == pytest.approx((36, 12), rel=0.05)
    assert disc[PERIMETER] == pytest.approx(2 * np.pi * 12, rel=0.06)
    assert disc[EXTENT] == pytest.approx(np.pi / 4, rel=0.05)
    assert disc[SOLIDITY] > 0.95


def test_raw_intensity_is_no_feature(rng: np.random.Generator) -> None:
    crops = np.stack([ellipse(10, 14), ellipse(8, 8)]) + 0.05 * rng.random((2, 64, 64))
    np.testing.assert_allclose(
        shape_features(crops.astype(np.float32)),
        shape_features((700 * crops + 90).astype(np.float32)),
        rtol=1e-3,
    )


def test_the_central_object_is_measured_and_not_the_largest() -> None:
    crop = np.maximum(ellipse(7, 7), ellipse(12, 9, (10, 52)))
    (found,) = shape_features(crop[None])
    assert found[AREA] == pytest.approx(np.pi * 49, rel=0.1)
    assert found[MOST] >= found[MEAN] - 1e-5 > 1
    assert found[SPREAD] >= 0


def test_hog_sees_directions_of_edges() -> None:
    tall, wide = ellipse(18, 6), ellipse(6, 18)
    found = hog(np.stack([tall, wide, tall]))
    assert found.shape[0] == 3
    np.testing.assert_array_equal(found[0], found[2])
    assert np.abs(found[0] - found[1]).max() > 0.1


@pytest.mark.parametrize("make", [forest, logistic, pca_logistic])
def test_a_rare_class_counts_as_much(make: object, rng: np.random.Generator) -> None:
    """One cell in ten is of class 1, and half of those lie among the others."""
    target = (np.arange(300) % 10 == 0).astype(int)
    features = rng.normal(size=(300, 60))
    features[:, 0] += 2.5 * target
    model = make(0).fit(features[::2], target[::2])  # type: ignore[operator]
    again = make(0).fit(features[::2], target[::2])  # type: ignore[operator]
    found = model.predict(features)
    np.testing.assert_array_equal(found, again.predict(features))
    assert (found[::2][target[::2] == 1] == 1).mean() > 0.9


def test_pca_has_fifty_components() -> None:
    assert pca_logistic(0).steps[0][1].n_components == 50
    assert forest(3).n_estimators == 300
    assert forest(3).class_weight == logistic(3).steps[1][1].class_weight == "balanced"
