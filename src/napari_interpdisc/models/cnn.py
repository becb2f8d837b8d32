"""The black box: a convolutional encoder and a dense head, trained end to end (paper, scheme 1)."""

from __future__ import annotations

from torch import Tensor, nn

from napari_interpdisc.models.heads import DenseHead
from napari_interpdisc.models.tcvae import TCVAEConfig, encoder_layers


class CNN(nn.Module):
    """The β-TCVAE's encoder without its bottleneck, and a dense head with BatchNorm.

    Its 32 features have no prior and no decoder: nothing makes them readable.

    Parameters
    ----------
    outputs
        Columns of the score: 1 for two classes, else one per class.
    config
        Shape of the encoder; ``latents`` is the number of features.
    hidden
        Units of the hidden layers of the head.
    """

    kind = "cnn"

    def __init__(
        self,
        outputs: int = 1,
        config: TCVAEConfig | None = None,
        hidden: tuple[int, ...] = (16, 16, 16),
    ) -> None:
        super().__init__()
        self.config = config or TCVAEConfig()
        self.encoder = encoder_layers(self.config, self.config.latents)
        self.head = DenseHead((self.config.latents, *hidden, outputs), batch_norm=True)

    def features(self, crops: Tensor) -> Tensor:
        """Features (N, latents) of normalised crops (N, 1, H, W)."""
        return self.encoder(crops)  # type: ignore[no-any-return]

    def forward(self, crops: Tensor) -> Tensor:
        """Logits (N, outputs) of normalised crops (N, 1, H, W)."""
        return self.head(self.features(crops))  # type: ignore[no-any-return]
