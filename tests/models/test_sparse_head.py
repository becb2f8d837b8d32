from __future__ import annotations

import pytest
import torch

from napari_interpdisc.models.cnn import CNN
from napari_interpdisc.models.heads import DenseHead, Head, SparseHead, layer_size


def filled(layers: tuple[int, ...], density: float, seed: int = 0) -> SparseHead:
    """Return a head with random connections, weights and biases."""
    generator = torch.Generator().manual_seed(seed)
    head = SparseHead(layers)
    for weight, bias, mask in zip(head.weights, head.biases, head.masks, strict=True):
        mask.copy_(torch.rand(mask.shape, generator=generator) < density)
        weight.data = torch.randn(weight.shape, generator=generator) * mask
        bias.data = torch.randn(bias.shape, generator=generator)
    return head


def test_scheme_1_has_9697_nodes() -> None:
    assert CNN().head.expression_size == 8641 + 48 * 11 * 2 == 9697
    assert CNN().head.n_weights == 1040


def test_the_cnn_has_the_encoder_of_the_tcvae() -> None:
    from napari_interpdisc.models.tcvae import TCVAE

    ours = [tuple(p.shape) for p in CNN().encoder.parameters()]
    theirs = [tuple(p.shape) for p in TCVAE().encoder.parameters()]
    assert ours[:-2] == theirs[:-2]
    assert CNN()(torch.zeros(2, 1, 64, 64)).shape == (2, 1)


def test_a_full_sparse_head_counts_as_the_dense_one() -> None:
    head = filled((32, 16, 16, 16, 1), 1.1)
    assert isinstance(head, Head)
    assert (head.n_weights, head.expression_size) == (1040, 8641)
    assert head.size_without_biases == DenseHead().size_without_biases == 8641 - 48 * 4 - 2


def test_size_by_hand() -> None:
    # z0 and z2 to one neuron, z2 to another, both to the output
    head = SparseHead((3, 2, 1))
    head.masks[0][0, [0, 2]] = True
    head.masks[0][1, 2] = True
    head.masks[1][0] = True
    assert head.n_weights == 5
    assert head.expression_size == (2 * 9 + 6) + (2 * 5 + 6) + 9
    assert head.size_without_biases == (2 * 7 + 6) + (2 * 3 + 6) + 7
    assert head.used_latents == (0, 2)
    assert layer_size(2, 1, output=False) == 24


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("layers", [(8, 6, 5, 4, 1), (8, 5, 3)])
def test_pruning_changes_no_output(layers: tuple[int, ...], seed: int) -> None:
    head = filled(layers, 0.15, seed)
    pruned = head.pruned()
    z = torch.randn(50, 8) * 3
    torch.testing.assert_close(pruned(z), head(z), rtol=1e-5, atol=1e-5)
    assert pruned.n_weights <= head.n_weights
    assert pruned.is_consistent()
    # nothing is left to prune: every neuron has a way in and a way out
    assert pruned.pruned().n_weights == pruned.n_weights
    for mask, following in zip(pruned.masks, pruned.masks[1:], strict=False):
        assert torch.equal(mask.any(1), following.any(0))


def test_a_neuron_without_inputs_is_folded_into_the_next_biases() -> None:
    head = SparseHead((2, 2, 1))
    head.masks[0][1, 0] = True
    head.masks[1][0] = True
    head.weights[0].data[1, 0] = 1.0
    head.weights[1].data[0] = torch.tensor([2.0, 3.0])
    head.biases[0].data[0] = 0.7
    pruned = head.pruned()
    swish = 0.7 / (1 + torch.exp(torch.tensor(-0.7)))
    assert pruned.biases[1].item() == pytest.approx(2 * float(swish))
    assert pruned.n_weights == 2
    z = torch.randn(9, 2)
    torch.testing.assert_close(pruned(z), head(z))


def test_a_neuron_that_reaches_no_output_goes_and_what_feeds_it() -> None:
    head = filled((3, 3, 3, 1), 1.1)
    with torch.no_grad():
        head.masks[2][0, 1:] = False
        head.masks[1][0, 2] = False
        for weight, mask in zip(head.weights, head.masks, strict=True):
            weight.mul_(mask)
    pruned = head.pruned()
    assert [int(m.sum()) for m in pruned.masks] == [6, 2, 1]
    z = torch.randn(9, 3)
    torch.testing.assert_close(pruned(z), head(z))


def test_a_head_without_any_path_is_a_constant() -> None:
    head = filled((4, 3, 1), 1.1)
    with torch.no_grad():
        head.masks[0][:] = False
        head.weights[0].zero_()
    pruned = head.pruned()
    assert pruned.n_weights == 0
    assert pruned.expression_size == 1
    torch.testing.assert_close(pruned(torch.randn(3, 4)), head(torch.zeros(3, 4)))
