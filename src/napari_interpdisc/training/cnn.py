"""Train the CNN of scheme 1 on patches of labelled cells."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import nn

from napari_interpdisc._types import Progress
from napari_interpdisc.models.cell_model import score_width
from napari_interpdisc.models.cnn import CNN
from napari_interpdisc.models.tcvae import TCVAEConfig
from napari_interpdisc.training.augment import Augmentation, random_views


class CNNTraining(BaseModel):
    """Settings of one training from random weights, end to end."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int = Field(250, title="Optimizer steps", ge=1)
    batch: int = Field(64, title="Cells in a batch, equally many of each class", ge=2)
    learning_rate: float = Field(2e-3, title="Peak learning rate (AdamW, one cycle)", gt=0)
    weight_decay: float = Field(1e-2, title="Weight decay", ge=0)
    seed: int = Field(0, title="Seed")
    augmentation: Augmentation = Augmentation()
    network: TCVAEConfig = TCVAEConfig()


def train_cnn(
    patches: npt.NDArray[np.float32],
    target: npt.NDArray[np.int64],
    n_classes: int,
    field: float,
    settings: CNNTraining | None = None,
    progress: Progress | None = None,
) -> CNN:
    """Fit a CNN with a class-balanced logistic (or softmax) loss on augmented crops.

    Parameters
    ----------
    patches
        (N, P, P) in 0–1 at the model's diameter, P larger than a crop.
    target
        (N,) class, 0 … ``n_classes`` − 1; each occurs.
    n_classes
        Number of classes; two give one signed logit (paper eq. 2).
    field
        Side of each patch's central square with real pixels, px.
    settings
        Optimization and augmentation; the seed decides the result.
    progress
        Called every 20 steps; an exception that it raises ends the training.
    """
    options = settings or CNNTraining()
    width = score_width(tuple(map(str, range(n_classes))))
    with torch.random.fork_rng():
        torch.manual_seed(options.seed)
        model = CNN(width, options.network)
    draw = np.random.default_rng(options.seed)
    generator = torch.Generator().manual_seed(options.seed)
    members = [np.flatnonzero(target == k) for k in range(n_classes)]
    per_class = max(1, options.batch // n_classes)
    source, y = torch.from_numpy(patches)[:, None], torch.from_numpy(target)
    fields = torch.full((len(patches),), float(field))
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, options.learning_rate, total_steps=options.steps
    )
    size = options.network.crop_size
    model.train()
    for step in range(options.steps):
        rows = torch.from_numpy(np.concatenate([draw.choice(m, per_class) for m in members]))
        crops = random_views(source[rows], fields[rows], options.augmentation, size, generator)
        logits = model(crops)
        if width == 1:
            loss = nn.functional.binary_cross_entropy_with_logits(logits[:, 0], y[rows].float())
        else:
            loss = nn.functional.cross_entropy(logits, y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if progress is not None and (step + 1) % 20 == 0:
            progress(step + 1, options.steps)
    return model.eval()
