"""Fit classification heads on latents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from napari_interpdisc._types import Progress
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.cell_model import score_width
from napari_interpdisc.models.heads import DenseHead, Head, read_columns, unread_inputs
from napari_interpdisc.models.properties import NO_PROPERTIES, HeadProperties

AHEAD = 100
"""Batches that are drawn at once."""


class HeadTraining(BaseModel):
    """Settings of one head's training."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hidden: tuple[int, ...] = Field(
        (16, 16, 16), title="Units of the hidden layers (paper: 16, 16, 16)"
    )
    steps: int = Field(1500, title="Optimizer steps", ge=1)
    batch: int = Field(256, title="Cells in a batch, equally many of each class", ge=2)
    learning_rate: float = Field(3e-3, title="Peak learning rate (AdamW, cosine decay)", gt=0)
    # 1 and not the usual 0.01: such heads generalise better to other microscopes
    weight_decay: float = Field(1.0, title="Weight decay", ge=0)
    seed: int = Field(0, title="Seed")


def train_dense_head(
    latents: npt.NDArray[np.float32],
    target: npt.NDArray[np.int64],
    n_classes: int,
    settings: HeadTraining | None = None,
    progress: Progress | None = None,
    pairs: Sequence[tuple[int, int]] = (),
    properties: HeadProperties = NO_PROPERTIES,
) -> DenseHead:
    """Fit a dense head with a class-balanced logistic (or softmax) loss.

    Parameters
    ----------
    latents
        (N, L), or (V, N, L) with V augmented crops of each cell, of which each step draws one. A
        latent that is 0 in all of them is not read.
    target
        (N,) class, 0 … ``n_classes`` − 1.
    n_classes
        Number of classes; two give one signed logit (paper eq. 2).
    settings
        Optimization; the seed decides the result.
    progress
        Called every 100 steps; an exception that it raises ends the training.
    pairs
        The last latents, in pairs that rotate together: the head reads their radii.
    properties
        Measured properties that heads read: the last P columns of the latents are their values.

    Raises
    ------
    InvalidInput
        If latents are not finite, or a class has no cells.
    """
    options = settings or HeadTraining()
    batches = BalancedBatches(latents, target, n_classes, options.batch, options.seed)
    with torch.random.fork_rng():
        torch.manual_seed(options.seed)
        inputs = batches.n_latents - len(pairs)
        layers = (inputs, *options.hidden, batches.width)
        head = DenseHead(layers, pairs=pairs, properties=properties)
    unread = batches.unread(inputs, pairs, properties)
    optimizer, schedule = optimizer_of(head, options)
    head.train()
    for step in range(options.steps):
        x, y = batches.draw()
        loss = batches.loss(read_columns(head, x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            head.linears[0].weight[:, unread] = 0
        schedule.step()
        if progress is not None and (step + 1) % 100 == 0:
            progress(step + 1, options.steps)
    return head.eval()


class _Schedule(Protocol):
    """Settings of an optimization that ends after a number of steps."""

    @property
    def steps(self) -> int: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def weight_decay(self) -> float: ...


def optimizer_of(
    head: nn.Module, settings: _Schedule
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """AdamW for the parameters of a head, and a learning rate that falls to 0 as a cosine."""
    optimizer = torch.optim.AdamW(
        head.parameters(),
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
        fused=True,
    )
    return optimizer, torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.steps)


@dataclass
class BalancedBatches:
    """Batches of latents with equally many cells of each class.

    Parameters
    ----------
    latents
        (N, L), or (V, N, L) with V augmented crops of each cell, of which each batch draws one.
    target
        (N,) class, 0 … ``n_classes`` − 1.
    n_classes, batch, seed
        Number of classes, cells in a batch, and the seed of the draws.

    Raises
    ------
    InvalidInput
        If latents are not finite, or a class has no cells.
    """

    latents: npt.NDArray[np.float32]
    target: npt.NDArray[np.int64]
    n_classes: int
    batch: int
    seed: int

    def __post_init__(self) -> None:
        values = torch.from_numpy(np.ascontiguousarray(self.latents, np.float32))
        self._augmented = values[None] if values.ndim == 2 else values
        if not bool(torch.isfinite(self._augmented).all()):
            raise InvalidInput("Latents hold NaN or infinite values; encode the cells again.")
        self._members = [np.flatnonzero(self.target == k) for k in range(self.n_classes)]
        empty = sum(not len(rows) for rows in self._members)
        if empty or self.n_classes < 2:
            raise InvalidInput(
                "At least two classes with cells are needed; "
                f"{empty} of {self.n_classes} have none."
            )
        self._draw = np.random.default_rng(self.seed)
        self._drawn: list[tuple[Tensor, Tensor]] = []
        self._y = torch.from_numpy(np.ascontiguousarray(self.target, np.int64))
        self.n_latents = int(self._augmented.shape[2])
        self.width = score_width(tuple(map(str, range(self.n_classes))))

    def unread(
        self, inputs: int, pairs: Sequence[tuple[int, int]], properties: HeadProperties
    ) -> Tensor:
        """Inputs of a head that are of latents that are 0 in all cells: they have no weights."""
        return unread_inputs(self._augmented, inputs, pairs, properties)

    def draw(self) -> tuple[Tensor, Tensor]:
        """Latents (B, L) and classes (B,) of the next batch."""
        if not self._drawn:
            self._drawn = self._draw_ahead()
        rows, drawn = self._drawn.pop()
        return self._augmented[drawn, rows], self._y[rows]

    def _draw_ahead(self) -> list[tuple[Tensor, Tensor]]:
        """Draw many batches at once: one at a time takes longer than a step."""
        per_class = max(1, self.batch // self.n_classes)
        chosen = [m[self._draw.integers(0, len(m), (AHEAD, per_class))] for m in self._members]
        rows = torch.from_numpy(np.concatenate(chosen, axis=1))
        drawn = torch.from_numpy(self._draw.integers(0, len(self._augmented), tuple(rows.shape)))
        return list(zip(rows, drawn, strict=True))

    def loss(self, logits: Tensor, y: Tensor) -> Tensor:
        """Logistic loss of one signed logit, or softmax cross-entropy of K."""
        if self.width == 1:
            return nn.functional.binary_cross_entropy_with_logits(logits[:, 0], y.float())
        return nn.functional.cross_entropy(logits, y)

    @torch.inference_mode()
    def loss_on_all(self, head: Head) -> float:
        """Mean over classes of each class's mean loss, on all augmented crops of all cells."""
        losses = []
        for members in self._members:
            x = self._augmented[:, members].flatten(0, 1)
            y = self._y[members].repeat(len(self._augmented))
            losses.append(float(self.loss(read_columns(head, x), y)))
        return float(np.mean(losses))
