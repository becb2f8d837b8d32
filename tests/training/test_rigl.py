from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.heads import SparseHead
from napari_interpdisc.training.rigl import (
    RigL,
    SparseTraining,
    drop_fraction,
    erdos_renyi_kernel,
    train_sparse_heads,
)

PAPER = (32, 16, 16, 16, 1)


@pytest.fixture
def half() -> tuple[SparseHead, RigL, torch.optim.AdamW]:
    """Return a head with half of its connections after one step of Adam."""
    torch.manual_seed(0)
    head = SparseHead((6, 5, 2))
    for weight, mask in zip(head.weights, head.masks, strict=True):
        mask.copy_(torch.arange(mask.numel()).view(mask.shape) % 2 == 0)
        weight.data = torch.randn(weight.shape) * mask
    optimizer = torch.optim.AdamW(head.parameters(), lr=0.01)
    rigl = RigL(head, optimizer)
    backward(head)
    rigl.hide_inactive()
    optimizer.step()
    return head, rigl, optimizer


def backward(head: SparseHead) -> None:
    head.zero_grad()
    x = torch.randn(32, head.layers[0], generator=torch.Generator().manual_seed(3))
    (head(x) * torch.tensor([1.0, -2.0])).square().mean().backward()


def test_drop_fraction_by_hand() -> None:
    assert drop_fraction(0, 1500, 0.3) == pytest.approx(0.3)
    assert drop_fraction(500, 1500, 0.3) == pytest.approx(0.15 * (1 + 0.5))
    assert drop_fraction(750, 1500, 0.3) == pytest.approx(0.15)
    assert drop_fraction(1000, 1500, 0.3) == pytest.approx(0.15 * 0.5)
    assert drop_fraction(1499, 1500, 0.3) == pytest.approx(0, abs=1e-5)
    assert drop_fraction(1500, 1500, 0.3) == drop_fraction(9999, 1500, 0.3) == 0


def test_t_end_is_three_quarters_of_the_training() -> None:
    assert SparseTraining().t_end == 0.75
    assert SparseTraining().drop_fraction == 0.3


def test_erk_by_hand() -> None:
    # shares n_in + n_out: 48, 32, 32, 17 of 129; 31 of 1040 connections
    assert erdos_renyi_kernel(PAPER, 0.03) == [11, 8, 8, 4]
    assert [round(31 * s / 129, 1) for s in (48, 32, 32, 17)] == [11.5, 7.7, 7.7, 4.1]


@pytest.mark.parametrize("density", [0.012, 0.022, 0.03, 0.1, 0.33, 0.7, 0.99, 1.0])
def test_erk_totals(density: float) -> None:
    counts = erdos_renyi_kernel(PAPER, density)
    assert sum(counts) == round(density * 1040)
    assert all(1 <= n <= full for n, full in zip(counts, (512, 256, 256, 16), strict=True))


def test_erk_keeps_every_output_alive() -> None:
    assert min(erdos_renyi_kernel((32, 16, 16, 16, 5), 0.001)) >= 5


def test_an_exchange_keeps_the_count_of_each_layer(
    half: tuple[SparseHead, RigL, torch.optim.AdamW],
) -> None:
    head, rigl, _ = half
    for fraction in (0.3, 0.1, 0.5, 1.0, 0.0):
        before = [int(mask.sum()) for mask in head.masks]
        backward(head)
        rigl.exchange(fraction)
        assert [int(mask.sum()) for mask in head.masks] == before
        assert head.is_consistent()


def test_the_smallest_weights_go_and_the_largest_dense_gradients_come(
    half: tuple[SparseHead, RigL, torch.optim.AdamW],
) -> None:
    head, rigl, _ = half
    backward(head)
    weight, mask = head.weights[0], head.masks[0]
    before, gradient = mask.clone(), weight.grad
    assert gradient is not None
    # the gradient is dense: it is there where there is no connection
    assert bool((gradient[~before] != 0).any())
    active = weight[before].abs().sort().values
    inactive = gradient[~before].abs().sort(descending=True).values
    count = round(0.3 * int(before.sum()))
    size, slope = weight.detach().abs().clone(), gradient.abs().clone()
    rigl.exchange(0.3)
    dropped, grown = before & ~mask, mask & ~before
    assert int(dropped.sum()) == int(grown.sum()) == count
    torch.testing.assert_close(size[dropped].sort().values, active[:count].detach())
    torch.testing.assert_close(slope[grown].sort(descending=True).values, inactive[:count])


def test_grown_weights_are_zero_and_adam_has_forgotten_them(
    half: tuple[SparseHead, RigL, torch.optim.AdamW],
) -> None:
    head, rigl, optimizer = half
    backward(head)
    weight, mask = head.weights[0], head.masks[0]
    state = optimizer.state[weight]
    state["exp_avg"].fill_(1.0)
    state["exp_avg_sq"].fill_(1.0)
    before = mask.clone()
    rigl.exchange(0.4)
    changed = before ^ mask
    assert bool(changed.any())
    for name in ("exp_avg", "exp_avg_sq"):
        assert bool((state[name][changed] == 0).all())
        assert bool((state[name][~changed] == 1).all())
    assert bool((weight[mask & ~before] == 0).all())


def test_a_step_moves_no_inactive_weight(
    half: tuple[SparseHead, RigL, torch.optim.AdamW],
) -> None:
    head, rigl, optimizer = half
    for _ in range(5):
        backward(head)
        rigl.hide_inactive()
        optimizer.step()
    assert head.is_consistent()


def rule(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    z = rng.standard_normal((n, 12)).astype(np.float32)
    return z, (z[:, 2] + 0.5 * z[:, 7] > 0).astype(np.int64)


FAST = SparseTraining(hidden=(6, 6), density=0.1, steps=300, restarts=2)


def test_a_sparse_head_finds_the_latents_of_a_rule(rng: np.random.Generator) -> None:
    z, y = rule(400, rng)
    head = train_sparse_heads(z, y, 2, FAST)[0]
    assert not head.training
    assert {2, 7} <= set(head.used_latents)
    assert head.n_weights <= round(0.1 * (12 * 6 + 36 + 6))
    new, truth = rule(400, rng)
    with torch.inference_mode():
        assert float(((head(torch.from_numpy(new))[:, 0] >= 0).numpy() == truth).mean()) > 0.93


def test_the_seed_decides_and_the_best_restart_comes_first(rng: np.random.Generator) -> None:
    z, y = rule(200, rng)
    first, second = (train_sparse_heads(z, y, 2, FAST) for _ in range(2))
    assert len(first) == 2
    probe = torch.randn(20, 12)
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a(probe), b(probe))

    def loss(head: SparseHead) -> float:
        values = head(torch.from_numpy(z))[:, 0].detach()
        signs = torch.from_numpy(2.0 * y - 1)
        each = torch.nn.functional.softplus(-values * signs)
        return float(each[y == 1].mean() + each[y == 0].mean())

    assert loss(first[0]) <= loss(first[1])


def test_a_latent_that_is_zero_throughout_gets_no_connection(rng: np.random.Generator) -> None:
    z = rng.normal(size=(300, 8)).astype(np.float32)
    target = (z[:, 0] + z[:, 1] > 0).astype(np.int64)
    # one that would tell, and a pair that rotates
    z[:, [1, 2, 6, 7]] = 0
    settings = SparseTraining(steps=200, restarts=2, density=0.8)
    for head in train_sparse_heads(z, target, 2, settings, pairs=[(6, 7)]):
        assert set(head.used_latents) <= {0, 3, 4, 5}
        assert 0 in head.used_latents
        assert head.is_consistent()
        assert not head.weights[0][:, [1, 2, 6]].any()


def test_three_classes(rng: np.random.Generator) -> None:
    z = rng.standard_normal((300, 8)).astype(np.float32)
    y = z[:, :3].argmax(1).astype(np.int64)
    head = train_sparse_heads(z, y, 3, FAST.model_copy(update={"density": 0.3}))[0]
    with torch.inference_mode():
        found = head(torch.from_numpy(z)).argmax(1).numpy()
    assert (found == y).mean() > 0.8


def test_progress_is_told_and_may_stop(rng: np.random.Generator) -> None:
    z, y = rule(50, rng)
    seen: list[tuple[int, int]] = []
    train_sparse_heads(z, y, 2, FAST, lambda done, n: seen.append((done, n)))
    assert seen[-1] == (600, 600)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)

    def stop(done: int, n: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_sparse_heads(z, y, 2, FAST, stop)


def test_latents_that_are_not_finite(rng: np.random.Generator) -> None:
    z, y = rule(50, rng)
    z[3, 3] = math.nan
    with pytest.raises(InvalidInput, match="NaN"):
        train_sparse_heads(z, y, 2, FAST)
    with pytest.raises(InvalidInput, match="two classes"):
        train_sparse_heads(z[4:], np.zeros(46, np.int64), 2, FAST)
