from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.metrics import mutual_info_score

from napari_interpdisc.scrutiny.disentanglement import (
    completeness_of,
    disentanglement_of,
    forest_importance,
    measure_disentanglement,
    mutual_information_gaps,
    regression_r2,
    separated_predictability,
)


def independent(n: int, k: int, seed: int = 0) -> npt.NDArray[np.float64]:
    return np.random.default_rng(seed).uniform(-1, 1, (n, k))


def test_one_latent_per_factor_is_perfect() -> None:
    factors = independent(3000, 3)
    # in another order, scaled and flipped, and with an idle latent
    latents = np.column_stack(
        [-2 * factors[:, 1], 5 * factors[:, 2], factors[:, 0], np.zeros(3000)]
    )
    scores = measure_disentanglement(latents, factors)
    assert scores.mig == pytest.approx(1, abs=0.02)
    assert scores.sap == pytest.approx(1, abs=0.01)
    assert scores.disentanglement > 0.98
    assert scores.completeness > 0.98
    assert scores.informativeness > 0.98
    best = scores.importance.argmax(0)
    assert best.tolist() == [2, 0, 1]
    np.testing.assert_allclose(scores.importance.sum(0), 1)


def test_a_latent_that_is_there_twice_leaves_no_gap() -> None:
    factors = independent(2000, 2)
    latents = np.column_stack([factors[:, 0], -factors[:, 0], factors[:, 1], factors[:, 1]])
    np.testing.assert_allclose(mutual_information_gaps(latents, factors), 0, atol=1e-12)
    np.testing.assert_allclose(separated_predictability(latents, factors), 0, atol=1e-12)
    # each copy tells one factor only
    importance, explained = forest_importance(latents, factors)
    per_latent, weight = disentanglement_of(importance)
    assert per_latent @ weight > 0.95
    assert completeness_of(importance).mean() < 0.8
    assert explained.min() > 0.98


def test_a_rotated_pair_scores_low_though_nothing_is_lost() -> None:
    factors = independent(3000, 2)
    rotate = np.array([[1, -1], [1, 1]]) / np.sqrt(2)
    scores = measure_disentanglement(factors @ rotate, factors)
    assert scores.mig < 0.03
    assert scores.sap < 0.05
    assert scores.disentanglement < 0.2
    assert scores.completeness < 0.2
    assert scores.informativeness > 0.95


def test_noise_scores_nothing() -> None:
    factors, latents = independent(4000, 3, 1), independent(4000, 6, 2)
    scores = measure_disentanglement(latents, factors)
    assert scores.mig < 0.005
    assert scores.sap < 0.005
    assert scores.informativeness < 0.01
    assert scores.disentanglement < 0.05
    assert scores.completeness < 0.05


def test_the_correction_removes_what_noise_carries_in_few_crops() -> None:
    factor, latent = independent(2000, 1, 3), independent(2000, 1, 4)
    cut = [np.digitize(c[:, 0], np.linspace(-1, 1, 21)[1:-1]) for c in (factor, latent)]
    plain = mutual_info_score(*cut)
    assert plain > 0.07  # nats, where there is nothing: (20 − 1)² / 2N = 0.09
    corrected = mutual_information_gaps(latent, factor)[0] * np.log(20)
    assert corrected < 0.25 * plain


def test_information_agrees_with_scikit_learn() -> None:
    draw = np.random.default_rng(5)
    factor = draw.integers(0, 4, 20_000)
    codes = np.column_stack([(factor + draw.integers(0, 2, 20_000)) % 4, factor // 2])
    shares = [mutual_info_score(factor, codes[:, j]) / np.log(4) for j in range(2)]
    found = mutual_information_gaps(codes, factor[:, None])[0]
    # exact numbers are few here, so that the correction is below 10⁻³
    assert found == pytest.approx(abs(shares[0] - shares[1]), abs=2e-3)


def test_gaps_by_hand() -> None:
    # the first latent knows 2 bits of v, the second 1 bit: MIG = (2 − 1) / 2
    v = np.tile(np.arange(4), 2500)
    both = np.column_stack([v, v % 2])
    assert mutual_information_gaps(both, v[:, None])[0] == pytest.approx(0.5, abs=1e-3)
    # R² of v = 0..3 is 1 from v, and from its lowest bit cov² / (var · var) = 0.25² / (1.25 · 0.25)
    assert separated_predictability(both, v[:, None])[0] == pytest.approx(0.8)
    # alone, a latent has no rival
    assert separated_predictability(v[:, None], v[:, None])[0] == pytest.approx(1)


def test_disentanglement_and_completeness_by_hand() -> None:
    importance = np.array([[1.0, 0.0], [0.0, 0.5], [0.0, 0.5], [0.0, 0.0]])
    per_latent, weight = disentanglement_of(importance)
    np.testing.assert_allclose(per_latent, [1, 1, 1, 0])
    np.testing.assert_allclose(weight, [0.5, 0.25, 0.25, 0])
    # one latent: 1; two of four alike: 1 − log 2 / log 4
    np.testing.assert_allclose(completeness_of(importance), [1, 0.5])
    mixed, weight = disentanglement_of(np.array([[0.5, 0.5], [0.5, 0.5]]))
    np.testing.assert_allclose(mixed, 0, atol=1e-12)
    nothing, weight = disentanglement_of(np.zeros((2, 2)))
    np.testing.assert_allclose(nothing, 0, atol=1e-12)
    np.testing.assert_allclose(weight, 0)
    np.testing.assert_allclose(completeness_of(np.array([[1.0, 1.0]])), 1)


def test_regression_does_not_mind_how_latents_are_turned() -> None:
    factors = independent(800, 2)
    rotated = factors @ np.array([[1, -1], [1, 1]])
    np.testing.assert_allclose(regression_r2(rotated, factors), 1, atol=1e-3)
    # (a + b)² − (a − b)² = 4ab: a product is quadratic in the rotated pair, and not linear
    product = factors[:, :1] * factors[:, 1:]
    assert regression_r2(rotated, product)[0] < 0.05
    assert regression_r2(rotated, product, degree=2)[0] > 0.99


def test_the_same_seed_gives_the_same_scores() -> None:
    factors = independent(400, 2)
    latents = factors @ np.array([[1, 0.4], [0, 1]])
    first, second = (measure_disentanglement(latents, factors, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first.importance, second.importance)
    assert first.informativeness == second.informativeness


@pytest.mark.parametrize(
    ("latents", "factors", "message"),
    [
        (np.zeros((200, 2)), np.zeros((199, 1)), "are not"),
        (np.zeros(200), np.zeros((200, 1)), "are not"),
        (np.zeros((50, 2)), independent(50, 1), "too few"),
        (np.full((200, 2), np.nan), independent(200, 1), "finite"),
        (independent(200, 2), np.ones((200, 1)), "constant"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    latents: npt.NDArray[np.float64], factors: npt.NDArray[np.float64], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        measure_disentanglement(latents, factors)
