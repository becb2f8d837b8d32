"""Adversarial perturbations of cells, in image or latent space (paper §4.4, eq. 1, Figs. 8-10)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from captum.robust import FGSM
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from napari_interpdisc._types import BoolArray, Float32Array, Float64Array, Progress, silent
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.cell_model import (
    NO_CLASS,
    CellModel,
    class_changed,
    class_index,
)

PGD_STEPS = 10

FLIP_GRID = tuple(float(e) for e in np.linspace(0.05, 3, 60))
"""Values of ε that :func:`smallest_flip` tries, if the direction does not depend on ε."""

PGD_GRID = tuple(float(e) for e in np.linspace(0.25, 3, 12))
"""Values of ε that it tries for PGD, which starts anew at each of them."""


class AttackSettings(BaseModel):
    """What to perturb and how far; the defaults are the paper's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    space: Literal["image", "latent"] = Field("image", title="Where the step is taken")
    epsilon: float = Field(
        0.5,
        title="Step ε (standard deviations)",
        description="Step in standard deviations: of the crop (image) or of the prior (latent)",
        ge=0,
        le=8,
        allow_inf_nan=False,
    )
    method: Literal["fgsm", "pgd", "random"] = Field(
        "fgsm", title="Attack", description="PGD and random signs are the controls of FGSM"
    )
    frozen_latents: tuple[int, ...] = Field((), title="Frozen latents")
    target: str | None = Field(
        None,
        title="Class to reach",
        description="Cells that are called it already stay as they are; any other class if None",
    )
    seed: int = Field(0, title="Seed of the random signs")


@dataclass(frozen=True)
class Perturbation:
    """Cells before and after; N cells, crops of side S in normalised units.

    Attributes
    ----------
    original, reconstruction
        (N, 1, S, S) crops as given, and as decoded from their latents.
    perturbed
        (N, 1, S, S): the crop plus η in image space, the decoding of z + η in latent space.
    perturbation
        (N, 1, S, S) difference in image space: η itself, or perturbed − reconstruction.
    perturbed_reconstruction
        (N, 1, S, S) decoding of the perturbed latents.
    latents, perturbed_latents
        (N, L) posterior means.
    scores, perturbed_scores
        (N, K) logits.
    target
        Position of the class that was aimed at, or None.
    """

    original: Float32Array
    reconstruction: Float32Array
    perturbed: Float32Array
    perturbation: Float32Array
    perturbed_reconstruction: Float32Array
    latents: Float32Array
    perturbed_latents: Float32Array
    scores: Float32Array
    perturbed_scores: Float32Array
    target: int | None = None

    @property
    def flipped(self) -> BoolArray:
        """(N,) whether the class changed; to have none, before or after, is no change."""
        return class_changed(self.scores, self.perturbed_scores)

    @property
    def without_class(self) -> BoolArray:
        """(N,) whether a formula had no value for the cell as it was: such cells stay so."""
        return np.asarray(class_index(self.scores) == NO_CLASS)

    @property
    def lost_class(self) -> BoolArray:
        """(N,) whether a formula has no value any more for the perturbed cell."""
        lost = class_index(self.perturbed_scores) == NO_CLASS
        return np.asarray(lost & ~self.without_class)

    @property
    def reached(self) -> BoolArray:
        """(N,) whether the class became the one aimed at; if there is none, whether it changed."""
        if self.target is None:
            return self.flipped
        now = class_index(self.perturbed_scores) == self.target
        return np.asarray(self.flipped & now)

    @property
    def there_already(self) -> BoolArray:
        """(N,) whether the class was the one aimed at before: such cells stay as they are."""
        if self.target is None:
            return np.zeros(len(self.scores), bool)
        return np.asarray(class_index(self.scores) == self.target)


def signed_margin(scores: Tensor, chosen: Tensor) -> Tensor:
    """How far each score is on the side of its chosen class: (N,), positive on that side.

    The signed logit for two classes; else the chosen logit less the best other one. NaN where the
    scores are, whatever is chosen.
    """
    chosen = chosen.clamp(min=0)  # −1 has no score
    if scores.shape[1] == 1:
        return torch.where(chosen == 1, scores[:, 0], -scores[:, 0])
    own = scores.gather(1, chosen[:, None])[:, 0]
    others = scores.scatter(1, chosen[:, None], -torch.inf)
    return own - others.max(1).values


def check_frozen(frozen: tuple[int, ...], n_latents: int) -> None:
    """Raise InvalidInput unless every frozen latent exists and one is left free."""
    wrong = [i for i in frozen if not 0 <= i < n_latents]
    if wrong:
        raise InvalidInput(
            f"Latent {wrong[0]} cannot be frozen: the model has latents 0 to {n_latents - 1}."
        )
    if len(set(frozen)) >= n_latents:
        raise InvalidInput("All latents are frozen; leave at least one free to be perturbed.")


def target_index(classes: tuple[str, ...], target: str | None) -> int | None:
    """Position of a class to reach, or None if none is asked for.

    Raises
    ------
    InvalidInput
        If the head has no such class.
    """
    if target is None:
        return None
    if target not in classes:
        raise InvalidInput(f"The head has no class '{target}'; it has {', '.join(classes)}.")
    return classes.index(target)


def perturb(
    model: CellModel,
    crops: Float32Array,
    settings: AttackSettings,
    head: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    batch: int = 256,
) -> Perturbation:
    """Perturb cells against their present class, or towards a class.

    FGSM is one step along the sign of the loss gradient (paper eq. 1); PGD takes ten shorter ones
    inside the same ε box; random signs show what a step of that size does without the gradient.
    The loss is minus the signed margin, which does not saturate as a logistic loss does, and any
    non-zero gradient counts. The gradient passes through posterior means, without sampling. Towards
    a class, the loss is the signed margin of that class, and cells of it stay as they are. So do
    cells for which a formula has no value: they have no class that could change.

    Parameters
    ----------
    model, head
        The model and the name of its head (the default one if None).
    crops
        (N, 1, S, S) normalised crops.
    settings
        Space, ε, method, class to reach, frozen latents. Frozen latents keep their value in latent
        space; in image space they keep it inside the model, so that no gradient flows through
        them.
    progress
        Called with (cells done, N) after each batch.
    batch
        Cells in a batch.

    Raises
    ------
    InvalidInput
        If a frozen latent does not exist, or none is left free; if the head has no class of the
        name that is aimed at.
    """
    check_frozen(settings.frozen_latents, model.n_latents)
    target = target_index(model.head_of_latents(head, "An attack").classes, settings.target)
    parts = []
    for start in range(0, len(crops), batch):
        parts.append(_perturb_batch(model, crops[start : start + batch], settings, head, start))
        if progress is not None:
            progress(min(start + batch, len(crops)), len(crops))
    if not parts:
        raise InvalidInput("There are no cells to perturb; select a cell or a frame with cells.")
    arrays = [name for name in Perturbation.__dataclass_fields__ if name != "target"]
    joined = {name: np.concatenate([getattr(p, name) for p in parts]) for name in arrays}
    return Perturbation(**joined, target=target)


def _perturb_batch(
    model: CellModel, crops: Float32Array, settings: AttackSettings, head: str | None, start: int
) -> Perturbation:
    device = model.device
    score = model.head_of_latents(head, "An attack").head
    x = torch.from_numpy(np.ascontiguousarray(crops, dtype=np.float32)).to(device)
    with torch.no_grad():
        z = model.encoder.encode(x)[0]
        scores = score(z)
    called = torch.from_numpy(class_index(scores.cpu().numpy())).to(device)
    target = target_index(model.head(head).classes, settings.target)
    free = torch.ones(model.n_latents, device=device)
    free[list(settings.frozen_latents)] = 0

    if settings.space == "latent":
        inputs, mask = z, free.expand_as(z)
        forward: Callable[[Tensor], Tensor] = score
    else:
        inputs, mask = x, torch.ones_like(x)

        def forward(pixels: Tensor) -> Tensor:
            mean = model.encoder.encode(pixels)[0]
            return score(z + free * (mean - z))

    moves = called != NO_CLASS
    if target is None:
        against, sign = called, -1
    else:
        against, sign = torch.full_like(called, target), 1
        moves &= called != target
    mask = mask * moves.reshape(-1, *[1] * (mask.ndim - 1))

    def loss(outputs: Tensor, chosen: Tensor) -> Tensor:
        return sign * signed_margin(outputs, chosen)

    def follows(values: Tensor) -> Tensor:
        """Scores that a gradient can be asked of, even if the head is a constant."""
        return forward(values) + 0 * values.flatten(1).sum(1)[:, None]

    moved = _step(FGSM(follows, loss), inputs, against, mask, settings, start)
    mean, spread = model.encoder.scale(x)
    spread = spread.masked_fill(spread.isinf(), 0)

    def decoded(latents: Tensor) -> Tensor:
        """Pictures in the units of the crops."""
        return model.encoder.decode(latents) * spread + mean

    with torch.no_grad():
        if settings.space == "latent":
            z_new = moved
            reconstruction, perturbed = decoded(z), decoded(moved)
            perturbed_reconstruction = perturbed
            difference = perturbed - reconstruction
            scores_new = score(z_new)
        else:
            z_new = model.encoder.encode(moved)[0]
            z_new = z + free * (z_new - z)
            reconstruction, perturbed = decoded(z), moved
            perturbed_reconstruction = decoded(z_new)
            difference = moved - x
            scores_new = score(z_new)

    def plain(t: Tensor) -> Float32Array:
        return t.detach().cpu().numpy()

    return Perturbation(
        original=plain(x),
        reconstruction=plain(reconstruction),
        perturbed=plain(perturbed),
        perturbation=plain(difference),
        perturbed_reconstruction=plain(perturbed_reconstruction),
        latents=plain(z),
        perturbed_latents=plain(z_new),
        scores=plain(scores),
        perturbed_scores=plain(scores_new),
    )


def _step(
    attack: FGSM,
    inputs: Tensor,
    chosen: Tensor,
    mask: Tensor,
    settings: AttackSettings,
    start: int,
) -> Tensor:
    """Move ``inputs``, of which the first is cell ``start``, by the settings' method within ±ε."""
    if settings.method == "random":
        # a seed for each cell: its signs do not depend on which cells are beside it
        # NumPy hashes its seeds: those that follow each other share nothing
        seeds = [settings.seed + start + i for i in range(len(inputs))]
        drawn = [np.random.default_rng(seed).integers(0, 2, inputs.shape[1:]) for seed in seeds]
        signs = torch.from_numpy(np.stack(drawn)).to(inputs) * 2 - 1
        return inputs + settings.epsilon * signs * mask

    # captum takes gradients below 1e-6 for zero, which a saturated score would pass for
    attack.zero_thresh = 0.0

    def fgsm(at: Tensor, epsilon: float) -> Tensor:
        # captum would turn gradients on by itself, with a warning: so does its PGD in every step
        at = at.detach().clone().requires_grad_()
        moved: Tensor = attack.perturb(at, epsilon, target=chosen, mask=mask).detach()
        # a formula without a value has no slope either
        return torch.where(moved.isnan(), at.detach(), moved)

    if settings.method == "fgsm":
        return fgsm(inputs, settings.epsilon)

    @torch.no_grad()
    def worth(at: Tensor) -> Tensor:
        """Loss (N,) of each cell; least where a formula has no value, which reaches no class."""
        loss: Tensor = attack.loss_func(attack.forward_func(at), chosen)
        return torch.where(loss.isnan(), -torch.inf, loss)

    # the best place on the way, and the end of FGSM: more steps may lead astray, but never cost
    best = fgsm(inputs, settings.epsilon)
    reached = worth(best)
    moved = inputs
    for _ in range(PGD_STEPS):
        moved = fgsm(moved, 2.5 * settings.epsilon / PGD_STEPS)
        moved = inputs + (moved - inputs).clamp(-settings.epsilon, settings.epsilon)
        now = worth(moved)
        better = (now > reached).reshape(-1, *[1] * (inputs.ndim - 1))
        best, reached = torch.where(better, moved, best), torch.maximum(now, reached)
    return best


def smallest_flip(
    model: CellModel,
    crops: Float32Array,
    settings: AttackSettings,
    head: str | None = None,
    grid: npt.ArrayLike | None = None,
    progress: Progress = silent,
) -> Float64Array:
    """Smallest ε of ``grid`` at which the settings' method changes each cell's class: (N,).

    It is inf where none does, and for cells without a class. Towards a class, it is the smallest ε
    that reaches the class, and 0 for cells of it. The direction of FGSM and of random signs does
    not depend on ε: they cost one forward pass a grid point. PGD is run at each point. Flipping
    need not be monotone in ε, hence a grid and not a bisection.

    Parameters
    ----------
    model, head, crops, settings
        As for :func:`perturb`; the settings' own ε does not matter.
    grid
        Values of ε that are tried; :data:`PGD_GRID` for PGD and else :data:`FLIP_GRID`, if left
        out.
    progress
        Called with (values tried, values in all); it may raise to cancel.

    Raises
    ------
    InvalidInput
        As :func:`perturb` does.
    """
    search = _smallest_anew if settings.method == "pgd" else _smallest_along
    usual = PGD_GRID if settings.method == "pgd" else FLIP_GRID
    values = np.unique(np.asarray(usual if grid is None else grid, dtype=np.float64))
    return search(model, crops, settings, head, values, progress)


def _smallest_along(
    model: CellModel,
    crops: Float32Array,
    settings: AttackSettings,
    head: str | None,
    grid: Float64Array,
    progress: Progress,
) -> Float64Array:
    unit = perturb(model, crops, settings.model_copy(update={"epsilon": 1.0}), head)
    smallest = np.where(unit.there_already, 0.0, np.inf)
    # signs and zeros, less rounding
    pixels = np.rint(unit.perturbed - unit.original)
    latents = np.rint(unit.perturbed_latents - unit.latents)
    kept = np.ones(model.n_latents, np.float32)
    kept[list(settings.frozen_latents)] = 0
    for k, epsilon in enumerate(grid[::-1]):
        if settings.space == "latent":
            z = (unit.latents + epsilon * latents).astype(np.float32)
        else:
            moved = (unit.original + epsilon * pixels).astype(np.float32)
            z = unit.latents + kept * (model.encode(moved)[0] - unit.latents)
        there = replace(unit, perturbed_scores=model.score(z, head)).reached
        smallest[there] = epsilon
        progress(k + 1, len(grid))
    return smallest


def _smallest_anew(
    model: CellModel,
    crops: Float32Array,
    settings: AttackSettings,
    head: str | None,
    grid: Float64Array,
    progress: Progress,
) -> Float64Array:
    smallest = np.full(len(crops), np.inf)
    for k, epsilon in enumerate(grid):
        left = np.flatnonzero(np.isinf(smallest))
        if len(left):
            at = settings.model_copy(update={"epsilon": float(epsilon)})
            found = perturb(model, crops[left], at, head)
            smallest[left[found.reached]] = epsilon
            smallest[left[found.there_already]] = 0.0
        progress(k + 1, len(grid))
    return smallest


def smallest_latent_flips(
    model: CellModel,
    latents: Float32Array,
    free: npt.NDArray[np.bool_],
    head: str | None = None,
    grid: npt.ArrayLike = FLIP_GRID,
) -> npt.NDArray[np.float64]:
    """Smallest ε at which FGSM in latent space changes each class, for M choices of free latents.

    Parameters
    ----------
    model, head
        The model and the name of its head (the default one if None).
    latents
        (N, L) posterior means.
    free
        (M, L) latents that may change.
    grid
        Values of ε that are tried.

    Returns
    -------
    (M, N) smallest ε of the grid, inf where none changes the class.
    """
    score = model.head_of_latents(head, "An attack").head
    z = torch.from_numpy(np.array(latents, np.float32)).to(model.device).requires_grad_()
    with torch.enable_grad():
        scores = score(z) + 0 * z.sum(1)[:, None]  # a constant head has a gradient, too
        before = class_index(scores.detach().cpu().numpy())
        margin = signed_margin(scores, torch.from_numpy(before).to(model.device))
        gradient = torch.autograd.grad(margin.sum(), z)[0].nan_to_num(0.0)
    direction = -gradient.sign().cpu().numpy()
    smallest = np.full((len(free), len(latents)), np.inf)
    for found, mask in zip(smallest, free, strict=True):
        step = direction * mask
        for epsilon in np.asarray(grid, dtype=np.float64)[::-1]:
            moved = (latents + epsilon * step).astype(np.float32)
            now = class_index(model.score(moved, head))
            found[(now != before) & (now != NO_CLASS) & (before != NO_CLASS)] = epsilon
    return smallest
