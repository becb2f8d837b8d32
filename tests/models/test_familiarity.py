import numpy as np
import pytest

from napari_interpdisc.models.familiarity import latent_norm, measure_familiarity


def test_about_the_expected_share_of_the_training_data_is_flagged() -> None:
    draw = np.random.default_rng(0)
    error, latents = draw.gamma(4, 1, 20_000), draw.normal(size=(20_000, 8))
    known = measure_familiarity(error, latents)
    share = known.out_of_distribution(error, latents).mean()
    assert share == pytest.approx(known.expected, abs=0.002)


def test_a_large_error_or_a_far_latent_is_enough() -> None:
    draw = np.random.default_rng(1)
    known = measure_familiarity(draw.uniform(0, 1, 1000), draw.normal(size=(1000, 4)))
    latents = np.zeros((3, 4))
    latents[2] = 50
    assert known.out_of_distribution([0.5, 2.0, 0.5], latents).tolist() == [False, True, True]


def test_norm_by_hand() -> None:
    assert latent_norm([[3.0, 4.0]]).tolist() == [5.0]
