"""Train a β-TCVAE on patches of nuclei."""

from __future__ import annotations

import io
import json
import math
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from napari_interpdisc._types import Progress, silent
from napari_interpdisc.errors import InterpdiscError, InvalidInput
from napari_interpdisc.models.tcvae import TCVAE
from napari_interpdisc.training.augment import Views, random_pairs
from napari_interpdisc.training.encoder.guides import Guides
from napari_interpdisc.training.encoder.held_out import (
    HELD_OUT_COLUMNS,
    WATCHED,
    BestWeights,
    HeldOutLoss,
)
from napari_interpdisc.training.encoder.objective import Objective, Outcome
from napari_interpdisc.training.encoder.rotation import shown_again
from napari_interpdisc.training.encoder.settings import (
    ACTIVE_KL,
    EncoderTraining,
    PatchSource,
    check_masks,
)
from napari_interpdisc.training.loss import total_correlation_stratified
from napari_interpdisc.writing import write_whole

Log = Callable[[dict[str, float]], None]
"""Called with one line of the log, by column. It may raise, to stop the work."""

LARGEST_GRADIENT = 2000.0
"""Norm that gradients are clipped to."""

LAST_RATE = 0.02
"""Share of the peak learning rate at the last step."""


def fit_tcvae(
    sources: Sequence[PatchSource],
    settings: EncoderTraining,
    log: Log = lambda _: None,
    checkpoint: Path | None = None,
    device: str = "cpu",
    start: Mapping[str, Tensor] | None = None,
    held_out: Sequence[PatchSource] = (),
    progress: Progress = silent,
) -> TCVAE:
    """Fit a β-TCVAE; every source supplies its share of each batch.

    Parameters
    ----------
    sources
        Data sets with patches of one common size.
    settings
        Everything that decides the result, seed included.
    log
        Called with the loss terms every ``settings.log_every`` steps and after each measurement on
        held-out crops. If it raises, the work stops: what the last checkpoint holds is kept.
    checkpoint
        File to resume from if it exists, and to write to as training goes on.
    device
        Torch device.
    start
        Weights to start from (``TCVAE.state_dict()``); random ones without.
    held_out
        Patches that are not trained on. Every ``settings.evaluate_every`` steps the loss is
        measured on one fixed augmented crop of each; the weights of the lowest loss are returned.
    progress
        Called with (steps done, steps in all) after each step.

    Returns
    -------
    The trained network in eval mode, on the CPU.

    Raises
    ------
    InvalidInput
        If a source lacks the masks or outlines that the settings need, before any work.
    InterpdiscError
        If the loss becomes infinite or NaN, or that on held-out crops is so throughout.
    """
    check_masks(sources, settings)
    state = _State.begin(settings, device, start)
    if checkpoint is not None and checkpoint.exists():
        state.resume(checkpoint, device)
    guides = None
    if settings.guide_weight:
        guides = Guides(sources, settings.augmentation, settings.network, settings.seed, device)
    objective = Objective(settings, sum(len(s.patches) for s in sources), device, guides)
    tested = None
    if settings.evaluate_every and held_out:
        tested = HeldOutLoss(held_out, settings, objective.pixel_weight, device, guides)
    started = time.monotonic() - state.seconds
    while state.step < settings.steps and not _enough(settings, state.best):
        step = state.step
        for group in state.optimizer.param_groups:
            group["lr"] = learning_rate(step, settings)
        batch = draw_batch(sources, settings.batch, state.draw).to(device)
        with torch.no_grad():
            views = batch.views(settings, step, state.generator)
        outcome = objective.of_batch(state.model, views, step, state.generator, batch.outlined)
        state.optimizer.zero_grad(set_to_none=True)
        outcome.loss.backward()
        torch.nn.utils.clip_grad_norm_(state.model.parameters(), LARGEST_GRADIENT)
        state.optimizer.step()
        state.step += 1
        state.seconds = time.monotonic() - started
        due = state.step % settings.log_every == 0
        measured = {} if tested is None else dict.fromkeys(HELD_OUT_COLUMNS, math.nan)
        if tested is not None and _is_due(state.step, settings):
            due, measured = True, tested.measure(state.model)
            state.best.see(measured[WATCHED], state.step, state.model)
        last = state.step == settings.steps or _enough(settings, state.best)
        if due or last:
            log(_log_row(state, outcome, measured, objective))
        if checkpoint is not None and (last or state.step % settings.checkpoint_every == 0):
            state.write(checkpoint)
        progress(state.step, settings.steps)
    if tested is not None and state.best.weights is None:
        raise InterpdiscError(
            "The loss on held-out crops never was a finite number; give a lower learning rate."
        )
    return state.finished()


def learning_rate(step: int, settings: EncoderTraining) -> float:
    """Learning rate at ``step``: a linear warm-up, times a cosine decay to 2 % of the peak."""
    decay = 0.5 * (1 + math.cos(math.pi * step / settings.steps))
    warm = min(1.0, (step + 1) / settings.warm_up)
    return settings.learning_rate * warm * (LAST_RATE + (1 - LAST_RATE) * decay)


@dataclass(frozen=True)
class Batch:
    """Patches of one step.

    Attributes
    ----------
    patches
        (B, 1, P, P) in 0–1.
    fields
        (B,) side, px, of the central square with real pixels.
    masks
        (B, 1, P, P), 0–1, what belongs to the central cell; None if a source has none.
    outlined
        (B,) whether the outline of the cell is known; None if a source does not say.
    """

    patches: Tensor
    fields: Tensor
    masks: Tensor | None
    outlined: Tensor | None

    def to(self, device: str) -> Batch:
        """The same on another device."""
        masks, outlined = (
            None if part is None else part.to(device) for part in (self.masks, self.outlined)
        )
        return Batch(self.patches.to(device), self.fields.to(device), masks, outlined)

    def views(self, settings: EncoderTraining, step: int, generator: torch.Generator) -> Views:
        """Augmented crops of these patches, and what the decoder is asked for."""
        masks = self.masks if settings.subject == "cell" else None
        rows = None
        if masks is not None and settings.network.n_around and settings.compares_latents:
            rows = shown_again(len(self.patches), step, self.patches.device)
        return random_pairs(
            self.patches, self.fields, settings.augmentation, settings.network.crop_size,
            generator, masks, rows,
        )  # fmt: skip


def shares(sources: Sequence[PatchSource], batch: int) -> list[int]:
    """How many of ``batch`` patches come from each source: in proportion, but at least one."""
    wanted = np.array([source.share for source in sources], np.float64)
    wanted = np.maximum(wanted / wanted.sum() * batch, 1)
    found = np.floor(wanted).astype(int)
    # what is left goes to those that lost most, the first ones first
    order = np.argsort(found - wanted, kind="stable")
    while (missing := batch - int(found.sum())) > 0:
        found[order[:missing]] += 1
    while found.sum() > batch:
        found[int(found.argmax())] -= 1
    return [int(n) for n in found]


def draw_batch(sources: Sequence[PatchSource], batch: int, draw: np.random.Generator) -> Batch:
    """Patches of one step, from each source as many as its share."""
    patches, fields, masks, outlined = [], [], [], []
    for source, n in zip(sources, shares(sources, batch), strict=True):
        chosen = draw.choice(len(source.patches), n, p=source.weight / source.weight.sum())
        patches.append(source.patches[chosen])
        fields.append(np.full(n, source.field, np.float32))
        if source.masks is not None:
            masks.append(source.masks[chosen])
        if source.outlined is not None:
            outlined.append(source.outlined[chosen])
    stacked, own = torch.from_numpy(np.concatenate(patches)).float() / 255, None
    if len(masks) == len(patches):
        own = torch.from_numpy(np.concatenate(masks)).float()[:, None] / 255
    known = torch.from_numpy(np.concatenate(outlined)) if len(outlined) == len(patches) else None
    return Batch(stacked[:, None], torch.from_numpy(np.concatenate(fields)), own, known)


@dataclass
class _State:
    """All that the next step depends on: what a checkpoint holds."""

    model: TCVAE
    optimizer: torch.optim.Optimizer
    draw: np.random.Generator
    generator: torch.Generator
    best: BestWeights
    step: int = 0
    seconds: float = 0.0

    @classmethod
    def begin(
        cls, settings: EncoderTraining, device: str, start: Mapping[str, Tensor] | None
    ) -> _State:
        torch.manual_seed(settings.seed)
        model = TCVAE(settings.network)
        if start is not None:
            model.load_state_dict(start)
        model.to(device).train()
        # twice as fast on the CPU
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return cls(
            model,
            torch.optim.Adam(model.parameters(), lr=settings.learning_rate),
            np.random.default_rng(settings.seed),
            torch.Generator(device).manual_seed(settings.seed),
            BestWeights(),
        )

    def resume(self, checkpoint: Path, device: str) -> None:
        """Take over what :meth:`write` has written."""
        state = read_checkpoint(checkpoint, device)
        try:
            self.model.load_state_dict(state["model"])
            self._take_moments(state["optimizer"])
            self.generator.set_state(state["generator"].cpu())
            torch.set_rng_state(state["torch_rng"].cpu())
            self.draw.bit_generator.state = json.loads(state["draw"])
            self.step, self.seconds = int(state["step"]), float(state.get("seconds", 0.0))
            self.best = BestWeights(**state.get("best", {}))
            self.best.check(self.model)
            _check_moments(self.optimizer)
        except Exception as fault:  # torch and NumPy raise many kinds for what does not fit
            told = str(fault) or type(fault).__name__
            raise _no_checkpoint(checkpoint, f"it does not fit the network: {told}") from None

    def _take_moments(self, state: Any) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's, of what is no state of an optimizer
            self.optimizer.load_state_dict(state)

    def write(self, path: Path) -> None:
        """Write a checkpoint; the old file stays until the new one is whole."""
        state: dict[str, Any] = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "torch_rng": torch.get_rng_state(),
            "draw": json.dumps(self.draw.bit_generator.state),
            "step": self.step,
            "seconds": self.seconds,
            "best": vars(self.best),
        }
        write_whole(path, lambda partial: _save(state, partial))

    def finished(self) -> TCVAE:
        """The network with its best weights, ready for inference."""
        if self.best.weights is not None:
            self.model.load_state_dict(self.best.weights)
        self.model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        return self.model.eval().cpu()


def _save(state: Mapping[str, Any], path: Path) -> None:
    """Store a checkpoint; a disk that is full is told by torch in a way of its own."""
    with path.open("wb") as file:
        # written in one piece, since torch's writer of files turns every fault into its own
        whole = io.BytesIO()
        torch.save(state, whole)
        file.write(whole.getbuffer())


def _check_moments(optimizer: torch.optim.Optimizer) -> None:
    """Refuse moments of gradients that are none of these weights: the next step would fail.

    Raises
    ------
    ValueError
        If so.
    """
    for group in optimizer.param_groups:
        for weight in group["params"]:
            about = optimizer.state.get(weight, {})
            for name in MOMENTS if about else ():
                moment = about.get(name)
                if not isinstance(moment, Tensor) or moment.shape != weight.shape:
                    raise ValueError(f"'{name}' of the optimizer is of other weights")
                if not torch.isfinite(moment).all():
                    raise ValueError(f"'{name}' of the optimizer is not finite")


MOMENTS = ("exp_avg", "exp_avg_sq")
"""What Adam keeps of each weight, in its shape."""

HELD = ("model", "optimizer", "generator", "torch_rng", "draw", "step")
"""What every checkpoint holds."""


def read_checkpoint(path: Path, device: str = "cpu") -> dict[str, Any]:
    """What :func:`fit_tcvae` stored of a training.

    Raises
    ------
    InvalidInput
        If it is damaged, or something is missing in it.
    """
    try:
        state: Any = torch.load(path, map_location=device, weights_only=True)
    except Exception as fault:  # torch raises a dozen kinds for a file that is cut short
        raise _no_checkpoint(path, type(fault).__name__) from None
    found: dict[str, Any] = state if isinstance(state, dict) else {}
    for name in HELD:
        if name not in found:
            raise _no_checkpoint(path, f"it lacks '{name}'")
    step = found["step"]
    if isinstance(step, bool) or not isinstance(step, int) or step < 0:
        raise _no_checkpoint(path, f"its step is {str(step)[:40]!r}")
    return found


def check_checkpoint(path: Path, settings: EncoderTraining) -> None:
    """Refuse a checkpoint that a training with these settings cannot have written; none is fine.

    Raises
    ------
    InvalidInput
        If it cannot be read, or is beyond the last step.
    """
    if path.exists() and (step := read_checkpoint(path)["step"]) > settings.steps:
        raise _no_checkpoint(path, f"it is at step {step:,} of {settings.steps:,}")


def _no_checkpoint(path: Path, why: str) -> InvalidInput:
    flat = " ".join(why.split())[:200].rstrip(".")
    return InvalidInput(
        f"{path} cannot be used to resume ({flat}); remove it to begin this run anew, or put a "
        "copy of the checkpoint there."
    )


def _enough(settings: EncoderTraining, best: BestWeights) -> bool:
    """Whether the held-out loss has not fallen for as long as the settings wait."""
    return 0 < settings.patience <= best.waited


def _is_due(step: int, settings: EncoderTraining) -> bool:
    """Whether the loss on held-out crops is measured after ``step`` steps."""
    return step % settings.evaluate_every == 0 or step == settings.steps


def _log_row(
    state: _State, outcome: Outcome, measured: Mapping[str, float], objective: Objective
) -> dict[str, float]:
    """One line of the log, in nats per crop."""
    settings, terms = objective.settings, outcome.terms
    row: dict[str, float] = {"step": state.step, "reconstruction": terms.reconstruction.item()}
    if settings.network.texture:
        row["texture"] = terms.texture.item()
    if settings.network.rotating:
        row["drift"] = outcome.penalty.item()
    if settings.network.n_around:
        row["around"] = outcome.around.item()
    if settings.guide_weight:
        row["guided"] = outcome.guided.item()
    correlation = total_correlation_stratified(
        outcome.z, outcome.mean, outcome.log_variance, objective.n_data
    )
    row |= {
        "kl": terms.kl.item(),
        "total_correlation": correlation.item(),
        "active_latents": int((terms.kl_per_latent > ACTIVE_KL).sum()),
        "seconds": state.seconds,
    }
    if not math.isfinite(row["reconstruction"] + row["kl"]):
        raise InterpdiscError(
            f"The loss was no longer a finite number at step {state.step}; give a lower learning "
            "rate, or float32 as the precision."
        )
    row |= measured
    if settings.log_latents:
        row |= {f"kl_z{i}": float(v) for i, v in enumerate(terms.kl_per_latent.tolist())}
    return row
