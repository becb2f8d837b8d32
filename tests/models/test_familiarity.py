import numpy as np
import pytest

from napari_interpdisc.crop_measures import BANDS
from napari_interpdisc.models.familiarity import (
    LIMIT,
    SURPRISED,
    Density,
    latent_norm,
    measure_familiarity,
)

NONE = np.zeros((0, len(BANDS)))


def test_the_distance_is_that_of_mahalanobis() -> None:
    draw = np.random.default_rng(0)
    mixing = np.array([[2.0, 0.0], [1.5, 0.5]])
    density = Density.of(draw.normal(size=(50_000, 2)) @ mixing.T + [3, -1])
    at = np.array([[3.0, -1.0], [5.0, 0.5], [3.0, 0.0]])
    inverse = np.linalg.inv(mixing @ mixing.T)
    off = at - [3, -1]
    wanted = np.sqrt(np.einsum("ij,jk,ik->i", off, inverse, off))
    np.testing.assert_allclose(density.distance(at), wanted, rtol=0.03, atol=0.03)


def test_independent_measures_go_by_their_own_spread() -> None:
    draw = np.random.default_rng(0)
    both = draw.normal(size=(5000, 1)) @ [[1.0, 10.0]]
    density = Density.of(both, independent=True)
    # against the common trend, which alone would be far
    assert density.distance([[1.0, -10.0]])[0] == pytest.approx(np.sqrt(2), rel=0.1)


def test_surprise_is_the_share_that_is_as_far() -> None:
    x = np.random.default_rng(0).normal(size=(200_000, 3))
    density = Density.of(x)
    distance = np.sort(density.distance(x))
    for share in (0.05, 0.01, 0.005):
        radius = distance[round((1 - share) * len(x))]
        found = density.surprise([[density.mean[0] + radius, *density.mean[1:]]])
        assert found[0] == pytest.approx(-np.log10(share), abs=0.1)
    far = density.surprise([[0, 0, 0], [8, 0, 0], [80, 0, 0]])
    assert far[0] < 0.05
    assert far[1] < far[2] < np.inf


def test_about_the_expected_share_of_the_training_data_is_flagged() -> None:
    draw = np.random.default_rng(0)
    latents, power = draw.normal(size=(20_000, 8)), draw.normal(size=(20_000, 7))
    noise, fineness = draw.uniform(0, 1, 20_000), draw.normal(size=20_000)
    known = measure_familiarity(latents, power, draw.normal(27, 3, 20_000), noise, fineness)
    share = known.out_of_distribution(latents, power).mean()
    assert share == pytest.approx(known.expected, abs=0.002)
    assert known.diameter == pytest.approx(27, abs=0.1)
    assert (noise > known.noise).mean() == pytest.approx(1 - LIMIT, abs=1e-4)
    assert (fineness < known.fineness).mean() == pytest.approx(1 - LIMIT, abs=1e-4)


def test_strange_latents_or_a_strange_spectrum_are_enough() -> None:
    draw = np.random.default_rng(1)
    latents, power = draw.normal(size=(1000, 4)), draw.normal(size=(1000, 7))
    known = measure_familiarity(latents, power, [27.0], [0.1], [-2.0])
    z, bands = np.zeros((3, 4)), np.zeros((3, 7))
    z[2], bands[1, 6] = 50, -30
    assert known.out_of_distribution(z, bands).tolist() == [False, True, True]
    surprises = known.surprises(z, bands)
    assert (surprises > SURPRISED).tolist() == [[False, False], [False, True], [True, False]]
    assert not known.surprises(z, NONE)[:, 1].any()
    assert known.out_of_distribution(np.zeros((0, 4)), NONE).shape == (0,)


def test_idle_latents_decide_nothing() -> None:
    x = np.random.default_rng(0).normal(size=(2000, 2)) * [1, 1e-6]
    assert Density.of(x).surprise([[0, 1e-3]])[0] < SURPRISED


def test_norm_by_hand() -> None:
    assert latent_norm([[3.0, 4.0]]).tolist() == [5.0]


def test_latents_of_the_surroundings_surprise_nobody() -> None:
    """A density of the cell's latents, which come first, is blind to those after them."""
    draw = np.random.default_rng(0)
    z, power = draw.normal(size=(5000, 3)), np.abs(draw.normal(size=(5000, 7)))
    ones = np.ones(5000)
    known = measure_familiarity(z, power, 27 * ones, 0.1 * ones, -2 * ones)
    crowded = np.concatenate([z, np.full((5000, 2), 50.0)], 1)
    np.testing.assert_array_equal(known.surprises(crowded, power), known.surprises(z, power))
