from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from napari_interpdisc.models.posterior import kl_per_latent, posterior_sample


def test_kl_by_hand() -> None:
    """N(2, 1) is 2²/2 nats from N(0, 1), and N(0, e) is (e − 1 − 1)/2; a mean over crops."""
    mean = torch.tensor([[2.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    log_variance = torch.tensor([[0.0, 1.0, 0.0], [0.0, 1.0, 0.0]])
    expected = [2 / 2, (math.e - 2) / 2, 0]
    assert kl_per_latent(mean, log_variance).tolist() == pytest.approx(expected)


def test_kl_agrees_with_torchs() -> None:
    draw = torch.Generator().manual_seed(0)
    mean, log_variance = torch.randn(2, 50, 4, generator=draw).double()
    wanted = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).mean(0)
    torch.testing.assert_close(kl_per_latent(mean, log_variance), wanted)


def test_samples_have_the_mean_and_the_spread() -> None:
    mean = torch.tensor([[3.0, -1.0]]).expand(40_000, 2)
    log_variance = torch.log(torch.tensor([[4.0, 0.25]])).expand(40_000, 2)
    z = posterior_sample(mean, log_variance, torch.Generator().manual_seed(0))
    assert z.mean(0).tolist() == pytest.approx([3, -1], abs=0.05)
    assert z.std(0).tolist() == pytest.approx([2, 0.5], rel=0.02)


def test_the_generator_decides_and_the_kind_of_number_stays() -> None:
    mean, log_variance = torch.zeros(3, 2, dtype=torch.float64), torch.zeros(3, 2).double()
    first = posterior_sample(mean, log_variance, torch.Generator().manual_seed(5))
    torch.manual_seed(99)
    again = posterior_sample(mean, log_variance, torch.Generator().manual_seed(5))
    assert torch.equal(first, again)
    assert first.dtype == torch.float64
    assert not torch.equal(posterior_sample(mean, log_variance), first)


def test_gradients_reach_mean_and_spread() -> None:
    mean, log_variance = (
        torch.zeros(3, 2, requires_grad=True),
        torch.zeros(3, 2, requires_grad=True),
    )
    posterior_sample(mean, log_variance, torch.Generator().manual_seed(1)).sum().backward()
    assert mean.grad is not None
    assert log_variance.grad is not None
    assert (mean.grad == 1).all()
    assert log_variance.grad.abs().min() > 0
