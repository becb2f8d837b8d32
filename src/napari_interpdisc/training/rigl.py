"""Sparse training by RigL: drop the smallest weights, grow by gradient (paper §4.2)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from napari_interpdisc._types import Progress
from napari_interpdisc.models.heads import SparseHead, read_columns
from napari_interpdisc.models.properties import NO_PROPERTIES, HeadProperties
from napari_interpdisc.training.heads import BalancedBatches, optimizer_of

RESTART = 1000
"""Distance of the seeds of two restarts."""


class SparseTraining(BaseModel):
    """Settings of one sparse head's training."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hidden: tuple[int, ...] = Field(
        (16, 16, 16), title="Units of the hidden layers (paper: 16, 16, 16)"
    )
    density: float = Field(
        0.03, title="Share of the dense head's weights that stay active", gt=0, le=1
    )
    steps: int = Field(2000, title="Optimizer steps", ge=10)
    warm_up: float = Field(0.2, title="Share of the steps that train the dense head", ge=0, lt=1)
    every: int = Field(25, title="Steps between two changes of topology, ΔT", ge=1)
    drop_fraction: float = Field(0.3, title="Drop fraction α at the start", ge=0, le=1)
    t_end: float = Field(
        0.75, title="Share of the steps after which the topology stays", gt=0, le=1
    )
    batch: int = Field(256, title="Cells in a batch, equally many of each class", ge=2)
    learning_rate: float = Field(1e-2, title="Peak learning rate (AdamW, cosine decay)", gt=0)
    weight_decay: float = Field(1e-3, title="Weight decay", ge=0)
    restarts: int = Field(
        4, title="Trainings from other seeds, of which the one of least loss is kept", ge=1
    )
    seed: int = Field(0, title="Seed")


def drop_fraction(step: int, t_end: int, alpha: float) -> float:
    """Share of active weights to exchange at ``step``: α/2·(1 + cos(πt/T_end)), 0 from T_end on."""
    return alpha / 2 * (1 + math.cos(math.pi * step / t_end)) if step < t_end else 0.0


def erdos_renyi_kernel(layers: Sequence[int], density: float) -> list[int]:
    """Active connections of each layer at an overall ``density``.

    The density of a layer is proportional to (n_in + n_out)/(n_in·n_out), at most 1; what a full
    layer cannot take goes to the others. Every layer keeps one connection at least for each output.

    Parameters
    ----------
    layers
        Units from the latents to the outputs.
    density
        Share of all connections, 0–1.

    Returns
    -------
    One number for each layer; together ``density`` of all connections, rounded.
    """
    shapes = list(itertools.pairwise(layers))
    capacity = np.array([n_in * n_out for n_in, n_out in shapes])
    share = np.array([n_in + n_out for n_in, n_out in shapes], dtype=float)
    least = np.full(len(shapes), layers[-1])
    total = max(round(density * capacity.sum()), int(least.sum()))
    full = np.zeros(len(shapes), dtype=bool)
    wanted = capacity.astype(float)
    while not full.all():
        wanted = np.where(full, capacity, 0.0)
        wanted[~full] = (total - wanted.sum()) * share[~full] / share[~full].sum()
        over = (wanted > capacity) & ~full
        if not over.any():
            break
        full |= over
    counts = np.clip(np.floor(wanted + 1e-9), least, capacity).astype(int)
    # what rounding left over goes where most is missing
    while (rest := total - counts.sum()) != 0:
        sign = int(np.sign(rest))
        missing = sign * (wanted - counts)
        movable = counts < capacity if sign > 0 else counts > least
        counts[int(np.argmax(np.where(movable, missing, -np.inf)))] += sign
    return [int(n) for n in counts]


class RigL:
    """Keeps a :class:`SparseHead` sparse while an Adam optimizer trains it.

    Weights outside the mask are 0 and take no step, so that the gradient of the plain network is
    the *dense* gradient by which connections grow (Evci et al. 2020, algorithm 1).

    Parameters
    ----------
    head
        The head; its masks are changed in place.
    optimizer
        Adam or AdamW over the head's parameters.
    unread
        (inputs,) bool: inputs of the head that never get a connection; none if left out.
    """

    def __init__(
        self,
        head: SparseHead,
        optimizer: torch.optim.Optimizer,
        unread: Tensor | None = None,
    ) -> None:
        self.head = head
        self.optimizer = optimizer
        self.barred = [torch.zeros_like(mask) for mask in head.masks]
        if unread is not None:
            self.barred[0][:, unread] = True
            head.masks[0][:, unread] = False
            self._clear(head.weights[0], self.barred[0])

    @torch.no_grad()
    def keep_largest(self, counts: Sequence[int]) -> None:
        """Go from dense to sparse: keep the ``counts`` largest weights of each layer."""
        parts = zip(self.head.weights, self.head.masks, self.barred, counts, strict=True)
        for weight, mask, barred, count in parts:
            free = min(count, int((~barred).sum()))
            mask.copy_(_largest(weight.abs().masked_fill(barred, -math.inf), free))
            self._clear(weight, ~mask)

    @torch.no_grad()
    def hide_inactive(self) -> None:
        """Before a step of the optimizer: no gradient outside the masks."""
        for weight, mask in zip(self.head.weights, self.head.masks, strict=True):
            assert weight.grad is not None
            weight.grad.mul_(mask)

    @torch.no_grad()
    def exchange(self, fraction: float) -> None:
        """Drop ``fraction`` of each layer's active weights and grow as many others.

        Call it after ``backward`` and in place of a step. The smallest |weight| goes; the largest
        |dense gradient| among the connections that were inactive comes, with weight 0. The
        optimizer forgets what it knew of both.
        """
        for weight, mask, barred in zip(
            self.head.weights, self.head.masks, self.barred, strict=True
        ):
            assert weight.grad is not None
            taken = mask | barred
            count = min(round(fraction * int(mask.sum())), int((~taken).sum()))
            if not count:
                continue
            dropped = _largest((-weight.abs()).masked_fill(~mask, -math.inf), count)
            grown = _largest(weight.grad.abs().masked_fill(taken, -math.inf), count)
            mask[dropped] = False
            mask[grown] = True
            self._clear(weight, dropped | grown)

    @torch.no_grad()
    def _clear(self, weight: nn.Parameter, where: Tensor) -> None:
        weight[where] = 0
        for value in self.optimizer.state[weight].values():
            if torch.is_tensor(value) and value.shape == weight.shape:
                value[where] = 0


def train_sparse_heads(
    latents: npt.NDArray[np.float32],
    target: npt.NDArray[np.int64],
    n_classes: int,
    settings: SparseTraining | None = None,
    progress: Progress | None = None,
    pairs: Sequence[tuple[int, int]] = (),
    properties: HeadProperties = NO_PROPERTIES,
) -> list[SparseHead]:
    """Fit sparse heads from several seeds; the one of least loss on these cells comes first.

    Each: dense warm-up, RigL until T_end, fixed topology, then pruning (paper §4.2).

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
        Density, restarts and optimization; the seed decides the result.
    progress
        Called every 100 steps; an exception that it raises ends the training.
    pairs
        The last latents, in pairs that rotate together: heads read their radii.
    properties
        Measured properties that heads read: the last P columns of the latents are their values.

    Returns
    -------
    As many heads as ``settings.restarts``.

    Raises
    ------
    InvalidInput
        If latents are not finite, or a class has no cells.
    """
    options = settings or SparseTraining()
    n = options.restarts

    def part(done: int, of: int, place: int = 0) -> None:
        if progress is not None:
            progress(place * of + done, n * of)

    found = []
    for place in range(n):
        seed = options.seed + place * RESTART
        batches = BalancedBatches(latents, target, n_classes, options.batch, seed)
        head = _train(batches, options, seed, partial(part, place=place), pairs, properties)
        found.append((batches.loss_on_all(head), place, head))
    return [head for _, _, head in sorted(found, key=lambda item: item[:2])]


def _train(
    batches: BalancedBatches,
    options: SparseTraining,
    seed: int,
    progress: Progress,
    pairs: Sequence[tuple[int, int]],
    properties: HeadProperties,
) -> SparseHead:
    layers = (batches.n_latents - len(pairs), *options.hidden, batches.width)
    head = SparseHead(layers, pairs, properties)
    generator = torch.Generator().manual_seed(seed)
    for weight, mask in zip(head.weights, head.masks, strict=True):
        nn.init.kaiming_uniform_(weight, a=math.sqrt(5), generator=generator)
        mask.fill_(True)
    optimizer, schedule = optimizer_of(head, options)
    rigl = RigL(head, optimizer, batches.unread(layers[0], pairs, properties))
    sparse_from = int(options.warm_up * options.steps)
    t_end = int(options.t_end * options.steps)
    head.train()
    for step in range(options.steps):
        if step == sparse_from:
            rigl.keep_largest(erdos_renyi_kernel(layers, options.density))
        x, y = batches.draw()
        loss = batches.loss(read_columns(head, x), y)
        optimizer.zero_grad()
        loss.backward()
        if sparse_from < step < t_end and step % options.every == 0:
            rigl.exchange(drop_fraction(step, t_end, options.drop_fraction))
        else:
            rigl.hide_inactive()
            optimizer.step()
        schedule.step()
        if (step + 1) % 100 == 0:
            progress(step + 1, options.steps)
    return head.pruned().eval()


def _largest(values: Tensor, count: int) -> Tensor:
    """Where the ``count`` largest values are: a mask of the same shape."""
    mask = torch.zeros(values.numel(), dtype=torch.bool, device=values.device)
    mask[values.flatten().topk(count).indices] = True
    return mask.view(values.shape)
