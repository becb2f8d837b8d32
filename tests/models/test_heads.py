import numpy as np
import pytest
import torch

from napari_interpdisc.models.cell_model import class_index, confidence, score_width
from napari_interpdisc.models.heads import DenseHead, Head


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


def test_a_score_of_zero_is_the_second_class() -> None:
    assert class_index([[-0.1], [0.0], [0.1]]).tolist() == [0, 1, 1]
    assert class_index([[1.0, 3.0, 2.0], [1.0, 0.0, 0.0]]).tolist() == [1, 0]
    assert score_width(("a", "b")) == 1
    assert score_width(("a", "b", "c")) == 3


def test_confidence_is_the_probability_of_the_own_choice() -> None:
    np.testing.assert_allclose(
        confidence([[0.0], [np.log(3)], [-np.log(3)]]), [0.5, 0.75, 0.75], rtol=1e-6
    )
    np.testing.assert_allclose(confidence([[0.0, 0.0, np.log(2)]]), [0.5], rtol=1e-6)
    # enormous logits overflow nothing
    assert confidence([[800.0, 0.0, 0.0]]).tolist() == [1.0]
