from __future__ import annotations

import torch

from napari_interpdisc.models.cnn import CNN
from napari_interpdisc.models.heads import DenseHead
from napari_interpdisc.models.tcvae import TCVAE, TCVAEConfig


def test_scheme_1_has_9697_nodes() -> None:
    assert CNN().head.expression_size == 8641 + 48 * 11 * 2 == 9697
    assert CNN().head.n_weights == 1040


def test_the_cnn_has_the_encoder_of_the_tcvae() -> None:
    ours = [tuple(p.shape) for p in CNN().encoder.parameters()]
    theirs = [tuple(p.shape) for p in TCVAE().encoder.parameters()]
    assert ours[:-2] == theirs[:-2]
    assert CNN()(torch.zeros(2, 1, 64, 64)).shape == (2, 1)


def test_the_head_reads_the_features_and_nothing_else() -> None:
    torch.manual_seed(0)
    network = CNN(3, TCVAEConfig(crop_size=32, latents=5, hidden=4), (7,)).eval()
    crops = torch.randn(4, 1, 32, 32)
    features = network.features(crops)
    assert features.shape == (4, 5)
    torch.testing.assert_close(network(crops), network.head(features))
    assert isinstance(network.head, DenseHead)
    assert network.head.n_weights == 5 * 7 + 7 * 3
