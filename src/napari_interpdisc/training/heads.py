"""Fit classification heads on latents."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import nn

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.classifier import score_width
from napari_interpdisc.models.heads import DenseHead


class HeadTraining(BaseModel):
    """Settings of one head's training."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hidden: tuple[int, ...] = Field(
        (16, 16, 16), title="Units of the hidden layers (paper: 16, 16, 16)"
    )
    steps: int = Field(1500, title="Optimizer steps", ge=1)
    batch: int = Field(256, title="Cells in a batch, equally many of each class", ge=2)
    learning_rate: float = Field(3e-3, title="Peak learning rate (AdamW, cosine decay)", gt=0)
    weight_decay: float = Field(1e-2, title="Weight decay", ge=0)
    seed: int = Field(0, title="Seed")


def train_dense_head(
    latents: npt.NDArray[np.float32],
    target: npt.NDArray[np.int64],
    n_classes: int,
    settings: HeadTraining | None = None,
) -> DenseHead:
    """Fit a dense head with a class-balanced logistic (or softmax) loss.

    Parameters
    ----------
    latents
        (N, L), or (V, N, L) with V augmented views of each cell, of which each step draws one.
    target
        (N,) class, 0 … ``n_classes`` − 1.
    n_classes
        Number of classes; two give one signed logit (paper eq. 2).
    settings
        Optimization; the seed decides the result.

    Raises
    ------
    InvalidInput
        If latents are not finite, or a class has no cells.
    """
    options = settings or HeadTraining()
    views = torch.from_numpy(np.atleast_3d(latents).astype(np.float32))
    if latents.ndim == 2:
        views = torch.from_numpy(latents.astype(np.float32))[None]
    if not bool(torch.isfinite(views).all()):
        raise InvalidInput("Latents hold NaN or infinite values; encode the cells again.")
    members = [np.flatnonzero(target == k) for k in range(n_classes)]
    empty = [k for k, rows in enumerate(members) if not len(rows)]
    if empty or n_classes < 2:
        raise InvalidInput(
            f"At least two classes with cells are needed; {len(empty)} of {n_classes} have none."
        )
    draw = np.random.default_rng(options.seed)
    width = score_width(tuple(map(str, range(n_classes))))
    with torch.random.fork_rng():
        torch.manual_seed(options.seed)
        head = DenseHead((views.shape[2], *options.hidden, width))
    optimizer = torch.optim.AdamW(
        head.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, options.steps)
    y = torch.from_numpy(target)
    per_class = max(1, options.batch // n_classes)
    head.train()
    for _ in range(options.steps):
        rows = torch.from_numpy(np.concatenate([draw.choice(m, per_class) for m in members]))
        view = torch.from_numpy(draw.integers(0, len(views), len(rows)))
        logits = head(views[view, rows])
        if width == 1:
            loss = nn.functional.binary_cross_entropy_with_logits(logits[:, 0], y[rows].float())
        else:
            loss = nn.functional.cross_entropy(logits, y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return head.eval()
