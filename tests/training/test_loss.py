"""Terms of the loss against numbers worked out by hand or known in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from napari_interpdisc.training.loss import (
    LossTerms,
    kl_per_latent,
    log_density_matrix,
    stratified_log_weights,
    tcvae_terms,
    total_correlation_mws,
    total_correlation_stratified,
)


def test_analytic_kl_by_hand() -> None:
    # KL(N(μ, σ²) ‖ N(0, 1)) = ½(μ² + σ² − 1 − log σ²)
    mean = torch.tensor([[0.0, 2.0], [0.0, 0.0]])
    log_variance = torch.tensor([[0.0, 0.0], [math.log(4), 0.0]])
    own = kl_per_latent(mean, log_variance)
    torch.testing.assert_close(own, torch.tensor([(3 - math.log(4)) / 4, 1.0]))


def test_kl_of_the_prior_itself_is_zero() -> None:
    assert kl_per_latent(torch.zeros(5, 3), torch.zeros(5, 3)).tolist() == [0, 0, 0]


def test_density_of_every_pair() -> None:
    z = torch.tensor([[1.0], [0.0]])
    mean = torch.tensor([[0.0], [3.0]])
    log_variance = torch.tensor([[0.0], [math.log(4)]])
    wanted = [
        [-0.5 * (1 + math.log(2 * math.pi)), -0.5 * (1 + math.log(8 * math.pi))],
        [-0.5 * math.log(2 * math.pi), -0.5 * (9 / 4 + math.log(8 * math.pi))],
    ]
    torch.testing.assert_close(log_density_matrix(z, mean, log_variance)[0], torch.tensor(wanted))


@pytest.mark.parametrize("latents", [1, 2, 7])
def test_data_set_size_is_a_constant_of_mws(latents: int) -> None:
    """MWS at N and at N′ differ by (L − 1)·log(N/N′), whatever the latents."""
    torch.manual_seed(0)
    z, mean, log_variance = torch.randn(3, 16, latents)
    small = total_correlation_mws(z, mean, log_variance, 100)
    large = total_correlation_mws(z, mean, log_variance, 1000)
    torch.testing.assert_close(
        large - small, torch.tensor((latents - 1) * math.log(10)), rtol=1e-4, atol=1e-4
    )


def test_mws_of_equal_posteriors_is_its_constant_alone() -> None:
    """With q(z|x) the same for all x, TC is 0: what is read is (L − 1)·log N."""
    torch.manual_seed(0)
    zero = torch.zeros(8, 3)
    found = total_correlation_mws(torch.randn(8, 3), zero, zero, 50)
    torch.testing.assert_close(found, torch.tensor(2 * math.log(50)), rtol=1e-4, atol=1e-4)


def test_mws_and_stratified_have_gradients_only_where_wanted() -> None:
    mean = torch.randn(8, 3, requires_grad=True)
    zero = torch.zeros(8, 3)
    total_correlation_mws(mean + torch.randn(8, 3), mean, zero, 50).backward()
    assert mean.grad is not None
    assert bool((mean.grad != 0).any())
    assert not total_correlation_stratified(mean, mean, zero, 50).requires_grad


def test_stratified_weights_of_three_crops_by_hand() -> None:
    """B = 3 of N = 10: 1/10 on the diagonal, (10 − 2)/(10·2) beside it, 1/2 elsewhere."""
    own, beside, other = 1 / 10, 8 / 20, 1 / 2
    wanted = [[own, beside, other], [other, own, beside], [beside, other, own]]
    torch.testing.assert_close(stratified_log_weights(3, 10).exp(), torch.tensor(wanted))


@pytest.mark.parametrize(("batch", "n_data"), [(2, 2), (3, 10), (16, 16), (64, 5000)])
def test_stratified_weights_sum_to_one(batch: int, n_data: int) -> None:
    weights = stratified_log_weights(batch, n_data).exp()
    torch.testing.assert_close(weights.sum(1), torch.ones(batch))
    # the widely copied code fills columns 0 and 1 instead
    torch.testing.assert_close(weights.diagonal(), torch.full((batch,), 1 / n_data))


@pytest.mark.parametrize(("batch", "n_data"), [(1, 10), (12, 10)])
def test_batches_that_cannot_be_drawn(batch: int, n_data: int) -> None:
    with pytest.raises(ValueError, match="cannot be drawn"):
        stratified_log_weights(batch, n_data)


def correlated_latents(rho: float, n: int = 1500) -> tuple[torch.Tensor, ...]:
    """Samples, means and log-variances whose aggregate q(z) is a Gaussian of correlation ρ.

    Posteriors of variance s have means of covariance C − s·1, so that the aggregate has C.
    """
    rng = np.random.default_rng(0)
    s = 0.3
    covariance = np.array([[1, rho], [rho, 1]])
    mean = rng.multivariate_normal([0, 0], covariance - s * np.eye(2), n)
    z = mean + math.sqrt(s) * rng.normal(size=(n, 2))
    log_variance = np.full((n, 2), math.log(s))
    return tuple(torch.from_numpy(a) for a in (z, mean, log_variance))


def test_total_correlation_of_independent_latents_is_about_zero() -> None:
    z, mean, log_variance = correlated_latents(0.0)
    assert abs(float(total_correlation_stratified(z, mean, log_variance, len(z)))) < 0.05


@pytest.mark.parametrize("rho", [0.4, 0.6])
def test_total_correlation_of_a_gaussian_is_its_closed_form(rho: float) -> None:
    z, mean, log_variance = correlated_latents(rho)
    found = float(total_correlation_stratified(z, mean, log_variance, len(z)))
    assert found == pytest.approx(-0.5 * math.log(1 - rho**2), abs=0.05)


def test_reconstruction_is_half_the_squared_error_per_crop() -> None:
    zero = torch.zeros(2, 3)
    crops = torch.zeros(2, 1, 4, 4)
    terms = tcvae_terms(crops, crops + 2, zero, zero, zero, 10)
    assert float(terms.reconstruction) == 0.5 * 16 * 4
    assert float(terms.kl) == 0


def test_turned_crops_may_have_weights_of_their_own() -> None:
    zero = torch.zeros(2, 3)
    crops = torch.zeros(2, 1, 4, 4)
    weight = torch.tensor([1.0, 0.5]).view(2, 1, 1, 1).expand(2, 1, 4, 4)
    terms = tcvae_terms(crops, crops + 2, zero, zero, zero, 10, weight)
    assert float(terms.reconstruction) == 0.5 * 16 * 4 * 0.75


def test_texture_counts_per_pixel_of_the_crop() -> None:
    zero = torch.zeros(2, 3)
    crops = torch.zeros(2, 1, 4, 4)
    textures = torch.full((2, 1, 2, 2), 3.0), torch.full((2, 1, 4, 4), 2.0)
    terms = tcvae_terms(crops, crops, zero, zero, zero, 10, None, textures, 10.0)
    assert float(terms.texture) == 0.5 * 16 * 10
    assert float(terms.total(2)) == pytest.approx(float(terms.texture + terms.total_correlation))


def test_total_at_beta_one_is_the_plain_vae() -> None:
    terms = LossTerms(*(torch.tensor(v) for v in (5.0, 1.0, 3.0, 2.0, 0.0)))
    assert float(terms.total(1)) == 9
    assert float(terms.total(4)) == 15
