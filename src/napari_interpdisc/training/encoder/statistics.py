"""What a trained encoder makes of its training crops: KL, spread, what is familiar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from napari_interpdisc.crop_measures import measure_crops, spectra
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.models.familiarity import Familiarity, measure_familiarity
from napari_interpdisc.models.posterior import kl_per_latent
from napari_interpdisc.models.tcvae import TCVAE
from napari_interpdisc.training.augment import random_views
from napari_interpdisc.training.encoder.data import at_most
from napari_interpdisc.training.encoder.report import plain_crops
from napari_interpdisc.training.encoder.settings import EncoderTraining, PatchSource

STATISTICS_CROPS = 2000
"""Most training patches of one source that the model's statistics are measured on."""


def with_statistics(
    encoder: TCVAE,
    train: Sequence[PatchSource],
    settings: EncoderTraining,
    model_diameter: float,
    name: str,
) -> CellModel:
    """Put the encoder into a model that knows how much each latent matters and what is familiar.

    Measured on training crops: each as it is, and one augmented crop of it. What is familiar is
    measured on crops as they are alone: augmented ones have blur and noise that is to be flagged.
    """
    size = settings.network.crop_size
    some = [at_most(s, STATISTICS_CROPS, settings.seed) for s in train]
    generator = torch.Generator().manual_seed(settings.seed)
    parts = [plain_crops(some, size)]
    for source in some:
        for patches in np.array_split(source.patches, -(-len(source.patches) // 256)):
            augmented = random_views(
                torch.from_numpy(patches)[:, None].float() / 255,
                torch.full((len(patches),), float(source.field)),
                settings.augmentation,
                size,
                generator,
            )
            parts.append(augmented.numpy())
    crops = np.concatenate(parts)
    empty = np.zeros(settings.network.latents)
    bare = CellModel(
        name, "", encoder, {}, model_diameter, empty, empty, device=torch.device("cpu")
    )
    latents, log_variances = bare.encode(crops)
    kl = kl_per_latent(torch.from_numpy(latents).double(), torch.from_numpy(log_variances).double())
    return replace(
        bare,
        latent_kl=kl.numpy(),
        latent_sd=latents.std(0, dtype=np.float64),
        familiarity=familiarity_of(bare, some),
    )


def familiarity_of(model: CellModel, sources: Sequence[PatchSource]) -> Familiarity:
    """What the training patches of some sources look like to a model, as they are."""
    crops = plain_crops(sources, model.crop_size)
    found = measure_crops(crops)
    own = model.encode(crops)[0][:, : model.n_cell_latents]
    return measure_familiarity(own, spectra(crops), found.diameter, found.noise, found.fineness)
