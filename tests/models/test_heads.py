from __future__ import annotations

import pytest
import torch

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.heads import (
    RADIUS_SIZE,
    DenseHead,
    Head,
    SparseHead,
    head_inputs,
    layer_size,
    read_columns,
)
from napari_interpdisc.models.properties import HeadProperties


def test_the_papers_head_has_1040_weights_and_8641_nodes() -> None:
    head = DenseHead()
    assert head.n_weights == 32 * 16 + 16 * 16 + 16 * 16 + 16 == 1040
    assert head.expression_size == 8 * 1024 + 48 * 8 + 65 == 8641
    assert head.used_latents == tuple(range(32))


def test_size_of_a_head_counted_by_hand() -> None:
    # one hidden neuron of two inputs: its pre-activation of 4·2 + 1 nodes twice, and 6 for the
    # swish; the output: one product and a bias around it, 4·1 + 1 with the neuron as one leaf
    head = DenseHead((2, 1, 1))
    assert head.expression_size == (2 * 9 + 6) + 5
    assert head.n_weights == 3


def test_a_dense_head_is_a_head() -> None:
    assert isinstance(DenseHead(), Head)


@pytest.mark.parametrize(("layers", "n_outputs"), [((32, 16, 1), 1), ((8, 4, 3), 3)])
def test_shape_of_the_logits(layers: tuple[int, ...], n_outputs: int) -> None:
    assert DenseHead(layers)(torch.zeros(5, layers[0])).shape == (5, n_outputs)


def test_swish_between_layers_and_none_after_the_last() -> None:
    head = DenseHead((2, 1, 1))
    for layer in head.linears:
        torch.nn.init.ones_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    z = torch.tensor([[0.5, 1.5], [-3.0, 1.0]])
    total = z.sum(1, keepdim=True)
    torch.testing.assert_close(head(z), total / (1 + (-total).exp()))
    torch.nn.init.constant_(head.linears[-1].bias, -7.0)
    assert bool((head(z) < -1).all())  # a last swish could not fall below −0.28


def filled(layers: tuple[int, ...], density: float, seed: int = 0) -> SparseHead:
    """Return a head with random connections, weights and biases."""
    generator = torch.Generator().manual_seed(seed)
    head = SparseHead(layers)
    for weight, bias, mask in zip(head.weights, head.biases, head.masks, strict=True):
        mask.copy_(torch.rand(mask.shape, generator=generator) < density)
        weight.data = torch.randn(weight.shape, generator=generator) * mask
        bias.data = torch.randn(bias.shape, generator=generator)
    return head


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


@pytest.mark.parametrize("head", [DenseHead((8, 4, 3)), filled((8, 4, 3), 0.5)])
def test_a_head_of_fewer_latents_reads_the_first_ones(head: torch.nn.Module) -> None:
    z = torch.randn(5, 12)
    assert torch.equal(head(z), head(z[:, :8]))
    other = torch.cat([z[:, :8], torch.randn(5, 4)], 1)
    assert torch.equal(head(z), head(other))


@pytest.mark.parametrize("kind", [DenseHead, SparseHead])
def test_heads_of_radii_do_not_see_how_a_cell_lies(kind: type[DenseHead | SparseHead]) -> None:
    torch.manual_seed(0)
    pairs = ((2, 3), (4, 5))
    head = kind((4, 5, 1), pairs=pairs)
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter)
    z, angle = torch.randn(50, 6), torch.rand(50) * 6
    rotated = z.clone()
    for times, (a, b) in enumerate(pairs, 1):
        cos, sin = (times * angle).cos(), (times * angle).sin()
        rotated[:, a], rotated[:, b] = cos * z[:, a] - sin * z[:, b], sin * z[:, a] + cos * z[:, b]
    assert (rotated - z).abs().max() > 1
    torch.testing.assert_close(head(rotated), head(z), atol=1e-5, rtol=1e-4)
    longer = z.clone()
    longer[:, 4:] *= 2
    assert (head(longer) - head(z)).abs().max() > 0.01, "the radius itself matters"


def test_the_gradient_of_a_pair_without_direction_is_finite() -> None:
    z = torch.zeros(1, 4, requires_grad=True)
    head_inputs(z, 3, ((2, 3),)).sum().backward()
    assert torch.isfinite(z.grad).all()


def test_a_radius_uses_both_latents_and_has_its_size() -> None:
    head = SparseHead((3, 1), pairs=((2, 5),))
    with torch.no_grad():
        for mask in head.masks:
            mask[0, 2] = True
        head.weights[0][0, 2] = 1.5
    assert head.used_inputs == (2,)
    assert head.used_latents == (2, 5)
    assert head.expression_size == layer_size(1, 1, output=True) + RADIUS_SIZE
    assert head.pruned().pairs == head.pairs
    dense = DenseHead((3, 1), pairs=((2, 5),))
    assert dense.used_latents == (0, 1, 2, 5)
    assert dense.expression_size == DenseHead((3, 1)).expression_size + RADIUS_SIZE


def test_a_head_reads_properties_after_its_latents() -> None:
    read = HeadProperties(("area", "solidity"), (600.0, 0.9), (100.0, 0.05))
    torch.manual_seed(0)
    plain = DenseHead((5, 3, 1), pairs=((2, 3),))
    head = DenseHead((5, 3, 1), pairs=((2, 3),), properties=read)
    head.load_state_dict(plain.state_dict())
    z, measured = torch.randn(4, 4), torch.tensor([[700.0, 0.8]] * 4)
    inputs = torch.cat([z[:, :2], z[:, 2:4].norm(dim=1, keepdim=True)], 1)
    whole = torch.cat([inputs, torch.tensor([[1.0, -2.0]] * 4)], 1)
    torch.testing.assert_close(head(z, measured), plain.network(whole), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(read_columns(head, torch.cat([z, measured], 1)), head(z, measured))
    assert head.used_latents == (0, 1, 2, 3)
    assert head.used_properties == ("area", "solidity")
    assert head.expression_size == plain.expression_size
    for wrong in (None, measured[:, :1], measured[:2]):
        with pytest.raises(InvalidInput, match="reads measured properties"):
            head(z, wrong)


def test_a_sparse_head_keeps_its_properties_when_it_is_pruned() -> None:
    read = HeadProperties(("area", "solidity"), (0.0, 0.0), (1.0, 1.0))
    head = SparseHead((5, 2, 1), pairs=((2, 3),), properties=read)
    head.masks[0][0, [1, 4]] = True  # a latent and the solidity
    head.masks[0][1, 3] = True  # the area, which leads nowhere
    head.masks[1][0, 0] = True
    for weight, mask in zip(head.weights, head.masks, strict=True):
        weight.data[mask] = 1.5
    pruned = head.pruned()
    z, measured = torch.randn(4, 4), torch.randn(4, 2)
    torch.testing.assert_close(pruned(z, measured), head(z, measured))
    assert head.used_properties == ("area", "solidity")
    assert pruned.used_properties == ("solidity",)
    assert pruned.used_latents == (1,)
    # no root of a radius is counted for a property
    assert pruned.expression_size == (8 * 2 + 8) + 4 + 1 + 1 - 1
