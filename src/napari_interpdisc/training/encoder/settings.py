"""Settings and data of one training of an encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.tcvae import TCVAEConfig
from napari_interpdisc.training.augment import Augmentation
from napari_interpdisc.training.encoder.guides import guided_latents

ACTIVE_KL = 0.1
"""Mean posterior KL, nats, from which a latent counts as active."""


class EncoderTraining(BaseModel):
    """Settings of one training run; stored in the model's card."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    objective: Literal["tcvae", "beta-vae"] = Field(
        "tcvae", title="Whether β weighs total correlation or the whole KL (then β = 1: plain VAE)"
    )
    beta: float = Field(2.0, title="Weight β of total correlation, or of KL", ge=1)
    steps: int = Field(8000, title="Optimizer steps", ge=1)
    batch: int = Field(256, title="Crops in a batch", ge=2)
    learning_rate: float = Field(1e-3, title="Peak learning rate (Adam)", gt=0)
    warm_up: int = Field(500, title="Steps over which β and the learning rate rise", ge=1)
    seed: int = Field(0, title="Seed")
    rim: float = Field(
        0.3, title="Weight of pixels far from the centre, relative to central ones", gt=0, le=1
    )
    radius: float = Field(24.0, title="Distance at which the weight falls (crop pixels)", gt=0)
    denoise: bool = Field(
        True, title="Reconstruct each crop without the noise, blur and uneven light added to it"
    )
    texture_weight: float = Field(
        8.0, title="Weight of local contrast, where the decoder predicts it", ge=0
    )
    consistency: float = Field(
        1.0, title="Weight of the latents of a rotated crop being the rotated latents", ge=0
    )
    subject: Literal["crop", "cell"] = Field(
        "crop",
        title="What the decoder shows: the crop as it is, or the central cell alone (with masks)",
    )
    around_weight: float = Field(
        0.3, title="Weight of the light around the cell, where the network has latents for it", ge=0
    )
    guide_weight: float = Field(
        0.0,
        title="Weight of the first latents following size, granularity, edge, unevenness, "
        "raggedness, offset, asymmetry and elongation (with masks); 0: they follow nothing",
        ge=0,
    )
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", title="Arithmetic of the convolutions; bfloat16 is faster where it is built in"
    )
    augmentation: Augmentation = Augmentation(gradient=0.4, edge=0.1)
    network: TCVAEConfig = TCVAEConfig()
    ramp_beta: bool = Field(True, title="Raise β from 1 over the warm-up; else it is β at once")
    log_every: int = Field(100, title="Steps between two log lines", ge=1)
    log_latents: bool = Field(False, title="Log the KL of each latent too")
    checkpoint_every: int = Field(1000, title="Steps between two checkpoints", ge=1)
    evaluate_every: int = Field(
        0, title="Steps between two measurements of the loss on held-out crops; 0: none", ge=0
    )
    patience: int = Field(
        0, title="Measurements without a lower held-out loss after which to stop; 0: never", ge=0
    )

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.subject != "cell" and self.network.n_around:
            raise ValueError('latents of the surroundings need subject = "cell"')
        if self.subject != "cell" and self.guide_weight:
            raise ValueError('guided latents need subject = "cell"')
        if self.network.n_around and not self.denoise:
            raise ValueError("latents of the surroundings need denoise = true")
        if self.guide_weight:
            guided_latents(self.network)
        return self

    @property
    def compares_latents(self) -> bool:
        """Whether some crops of each batch are encoded twice, and their latents compared."""
        return bool(self.network.rotating) and self.consistency > 0


@dataclass(frozen=True)
class PatchSource:
    """Patches of one data set, and how often each is drawn.

    Attributes
    ----------
    name
        Data set, as it appears in the card.
    patches
        (N, P, P) uint8 at the model's diameter; every patch is scaled to its own 0–255.
    field
        Side of the central square with real pixels.
    weight
        (N,) relative frequency of each patch within the source.
    masks
        (N, P, P) uint8, 0–255, what of each patch belongs to the central cell; None if unknown.
    outlined
        (N,) whether the outline of the cell is known, and not a disc that stands for it.
    share
        How large a part of each batch comes from the source, relative to the others.
    """

    name: str
    patches: npt.NDArray[np.uint8]
    field: float
    weight: npt.NDArray[np.float64]
    masks: npt.NDArray[np.uint8] | None = None
    outlined: npt.NDArray[np.bool_] | None = None
    share: float = 1.0

    def take(self, rows: npt.ArrayLike) -> PatchSource:
        """The patches at some rows."""
        at = np.asarray(rows)
        masks, outlined = (None if v is None else v[at] for v in (self.masks, self.outlined))
        return replace(
            self,
            patches=self.patches[at],
            weight=self.weight[at],
            masks=masks,
            outlined=outlined,
        )


def check_masks(sources: Sequence[PatchSource], settings: EncoderTraining) -> None:
    """Refuse sources that lack the masks or outlines which the settings need.

    Raises
    ------
    InvalidInput
        If the cell is to be shown alone and a source has no masks, or if latents are guided and a
        source does not know which masks are outlines, or none of them is one.
    """
    if settings.subject != "cell":
        return
    for source in sources:
        if source.masks is None:
            raise InvalidInput(
                f'The cells of {source.name} have no masks, which subject = "cell" needs; find '
                "them with `with_masks`."
            )
        if settings.guide_weight and source.outlined is None:
            raise InvalidInput(
                f"{source.name} does not say which of its masks are outlines, as guided latents "
                "need; give it masks with `masked`."
            )
    if settings.guide_weight and not any(np.any(source.outlined) for source in sources):
        raise InvalidInput(
            "No cell has a known outline that latents could follow; set guide_weight = 0."
        )
