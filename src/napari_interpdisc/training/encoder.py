"""Train a β-TCVAE on patches of nuclei."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from napari_interpdisc.errors import InterpdiscError
from napari_interpdisc.models.tcvae import TCVAE, TCVAEConfig
from napari_interpdisc.models.texture import texture
from napari_interpdisc.training.augment import Augmentation, random_pairs, turned
from napari_interpdisc.training.loss import (
    centre_weight,
    tcvae_terms,
    total_correlation_stratified,
)

ACTIVE_KL = 0.1
"""Mean posterior KL, nats, from which a latent counts as active."""

HELD_OUT_VIEWS = 1024
"""Most held-out crops of one source that the loss is measured on."""


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
        1.0, title="Weight of the latents of a turned crop being the turned latents", ge=0
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
    """

    name: str
    patches: npt.NDArray[np.uint8]
    field: float
    weight: npt.NDArray[np.float64]


def train_encoder(
    sources: Sequence[PatchSource],
    settings: EncoderTraining,
    log: Callable[[dict[str, float]], None] = lambda _: None,
    checkpoint: Path | None = None,
    device: str = "cpu",
    start: Mapping[str, Tensor] | None = None,
    held_out: Sequence[PatchSource] = (),
    progress: Callable[[int, int], None] = lambda done, n: None,
) -> TCVAE:
    """Fit a β-TCVAE; every source supplies an equal share of each batch.

    Parameters
    ----------
    sources
        Data sets with patches of one common size.
    settings
        Everything that decides the result, seed included.
    log
        Called with the loss terms every ``settings.log_every`` steps and after each measurement on
        held-out crops. It may raise, to stop the work: what the last checkpoint holds is kept.
    checkpoint
        File to resume from if it exists, and to write to as training goes on.
    device
        Torch device.
    start
        Weights to start from (``TCVAE.state_dict()``), to train on; random ones without.
    held_out
        Patches that are not trained on. Every ``settings.evaluate_every`` steps the loss is
        measured on one fixed view of each; the weights of the lowest loss are the ones returned.
    progress
        Called with (steps done, steps in all) after each step. It may raise, to stop the work.

    Returns
    -------
    The trained network in eval mode, on the CPU.

    Raises
    ------
    InterpdiscError
        If the loss becomes infinite or NaN, or that on held-out crops is so throughout.
    """
    torch.manual_seed(settings.seed)
    model = TCVAE(settings.network)
    if start is not None:
        model.load_state_dict(start)
    model.to(device).train()
    # twice as fast on the CPU
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    pixel_weight = centre_weight(settings.network.crop_size, settings.radius, settings.rim)
    pixel_weight = pixel_weight.to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.learning_rate)
    draw = np.random.default_rng(settings.seed)
    generator = torch.Generator(device).manual_seed(settings.seed)
    n_data = sum(len(s.patches) for s in sources)
    tested = None
    if settings.evaluate_every and held_out:
        tested = _HeldOut(held_out, settings, pixel_weight, device)
    best = _Best()
    first, spent = 0, 0.0
    if checkpoint is not None and checkpoint.exists():
        state = torch.load(checkpoint, map_location=device, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        generator.set_state(state["generator"].cpu())
        torch.set_rng_state(state["torch_rng"].cpu())
        draw.bit_generator.state = json.loads(state["draw"])
        first, spent = int(state["step"]), float(state.get("seconds", 0.0))
        best = _Best(**state.get("best", {}))
    half = settings.precision == "bfloat16"
    kind = torch.device(device).type
    started = time.monotonic() - spent
    for step in range(first, settings.steps):
        if settings.patience and best.waited >= settings.patience:
            break
        ramp = min(1.0, (step + 1) / settings.warm_up)
        decay = 0.5 * (1 + math.cos(math.pi * step / settings.steps))
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * ramp * (0.02 + 0.98 * decay)
        patches, fields = _draw_batch(sources, settings.batch, draw)
        with torch.no_grad():
            crops, clean = random_pairs(
                patches.to(device),
                fields.to(device),
                settings.augmentation,
                settings.network.crop_size,
                generator,
            )
        target, weight, turn = clean if settings.denoise else crops, pixel_weight, None
        if settings.network.turning:
            turn = _Turn.draw(len(crops), generator)
            target, weight = turn.of_crops(target), turn.of_weight(pixel_weight)
        with torch.autocast(kind, torch.bfloat16, enabled=half):
            mean, log_variance = model.encode(crops)
        mean, log_variance = mean.float(), log_variance.float()
        noise = torch.randn(mean.shape, generator=generator, device=device)
        z = mean + noise * (0.5 * log_variance).exp()
        with torch.autocast(kind, torch.bfloat16, enabled=half):
            shown, grain = model.decode_with_texture(
                z if turn is None else turn.of_latents(model, z)
            )
        terms = tcvae_terms(
            target,
            shown.float(),
            z,
            mean,
            log_variance,
            n_data,
            weight,
            None if grain is None else (texture(target), grain.float()),
            settings.texture_weight,
        )
        drift = terms.kl.new_zeros(())
        if settings.network.turning and settings.consistency:
            drift = _drift(model, crops, mean, log_variance, step, half)
        beta = 1 + (settings.beta - 1) * (ramp if settings.ramp_beta else 1.0)
        if settings.objective == "tcvae":
            loss = terms.total(beta)
        else:
            loss = terms.reconstruction + terms.texture + beta * terms.kl
        loss = loss + settings.consistency * drift
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 2000.0)
        optimizer.step()
        done = step + 1
        last = done == settings.steps
        measured: dict[str, float] = {}
        due = done % settings.log_every == 0
        if tested is not None:
            measured = dict.fromkeys(HELD_OUT_COLUMNS, math.nan)
            if done % settings.evaluate_every == 0 or last:
                due = True
                measured = tested.measure(model)
                best.see(measured[WATCHED], done, model)
                last = last or 0 < settings.patience <= best.waited
        if due or last:
            row = {"step": done, "reconstruction": terms.reconstruction.item()}
            if settings.network.texture:
                row["texture"] = terms.texture.item()
            if settings.network.turning:
                row["drift"] = drift.item()
            row |= {
                "kl": terms.kl.item(),
                "total_correlation": total_correlation_stratified(
                    z, mean, log_variance, n_data
                ).item(),
                "active_latents": int((terms.kl_per_latent > ACTIVE_KL).sum()),
                "seconds": time.monotonic() - started,
            }
            if not math.isfinite(row["reconstruction"] + row["kl"]):
                raise InterpdiscError(
                    f"The loss was no longer a finite number at step {done}; give a lower learning "
                    "rate, or float32 as the precision."
                )
            row |= measured
            if settings.log_latents:
                row |= {f"kl_z{i}": float(v) for i, v in enumerate(terms.kl_per_latent.tolist())}
            log(row)
        if checkpoint is not None and (done % settings.checkpoint_every == 0 or last):
            state = {
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "generator": generator.get_state(),
                "torch_rng": torch.get_rng_state(),
                "draw": json.dumps(draw.bit_generator.state),
                "step": done,
                "seconds": time.monotonic() - started,
                "best": vars(best),
            }
            _write_checkpoint(checkpoint, state)
        progress(done, settings.steps)
    if tested is not None and best.weights is None:
        raise InterpdiscError(
            "The loss on held-out crops never was a finite number; give a lower learning rate."
        )
    if best.weights is not None:
        model.load_state_dict(best.weights)
    model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return model.eval().cpu()


DRIFT_SHARE = 4
"""Every fourth crop of a batch is encoded once more, turned."""


def _drift(
    model: TCVAE, crops: Tensor, mean: Tensor, log_variance: Tensor, step: int, half: bool
) -> Tensor:
    """How far the latents of turned crops are from the turned latents, in nats per crop.

    The divergence of two normal posteriors of one spread. Quarter turns and mirrors, which resample
    nothing, take turns from step to step.
    """
    some = slice(step // 8 % DRIFT_SHARE, None, DRIFT_SHARE)
    quarters, mirrored = step % 4, step // 4 % 2 == 1
    shown = crops[some].flip(2) if mirrored else crops[some]
    shown = torch.rot90(shown, -quarters, (2, 3))
    with torch.autocast(crops.device.type, torch.bfloat16, enabled=half):
        found, _ = model.encode(shown.contiguous(memory_format=torch.channels_last))
    n = len(shown)
    angle = mean.new_full((n,), quarters * math.pi / 2)
    mirror = torch.full((n,), mirrored, device=mean.device)
    wanted = model.turn(mean[some], angle, mirror)
    variance = log_variance[some].detach().exp().clamp_min(1e-3)
    return 0.5 * ((found.float() - wanted).square() / variance).sum(1).mean()


@dataclass(frozen=True)
class _Turn:
    """Every second crop of a batch is mirrored or not, and turned by any angle.

    The decoder has to show the turned crop from the turned latents: that is what makes latents
    turn with the crop, or stay.
    """

    angle: Tensor
    mirror: Tensor

    @classmethod
    def draw(cls, n: int, generator: torch.Generator) -> _Turn:
        device = generator.device
        some = (torch.arange(n, device=device) % 2).bool()
        angle = torch.rand(n, generator=generator, device=device) * 2 * math.pi
        mirror = torch.rand(n, generator=generator, device=device) < 0.5
        return cls(torch.where(some, angle, 0.0), some & mirror)

    def of_crops(self, crops: Tensor) -> Tensor:
        shown = crops.clone()
        shown[1::2] = turned(crops[1::2], self.angle[1::2], self.mirror[1::2])
        return shown

    def of_weight(self, weight: Tensor) -> Tensor:
        """Weights (N, 1, H, W): nothing is asked of the corners of a crop that was turned."""
        side = weight.shape[-1]
        at = torch.arange(side, device=weight.device) - (side - 1) / 2
        disc = (at[:, None] ** 2 + at[None] ** 2).sqrt() < side / 2
        whole = weight.expand(len(self.angle), 1, side, side).clone()
        whole[1::2] *= disc
        return whole

    def of_latents(self, model: TCVAE, z: Tensor) -> Tensor:
        return model.turn(z, self.angle, self.mirror)


WATCHED = "held_out_loss"
HELD_OUT_COLUMNS = (
    WATCHED,
    "held_out_reconstruction",
    "held_out_kl",
    "held_out_total_correlation",
)
"""What a log line says of held-out crops; NaN where they were not looked at. Their reconstruction
includes texture."""


@dataclass
class _Best:
    """The weights of the lowest held-out loss, and for how many measurements nothing beat them."""

    loss: float = math.inf
    step: int = 0
    waited: int = 0
    weights: dict[str, Tensor] | None = None

    def see(self, loss: float, step: int, model: TCVAE) -> None:
        """Take note of one measurement."""
        if loss < self.loss:
            self.loss, self.step, self.waited = loss, step, 0
            self.weights = {k: v.detach().clone() for k, v in model.state_dict().items()}
        else:
            self.waited += 1


class _HeldOut:
    """One fixed view of each held-out patch, and the loss on them.

    The terms are means over the sources' means; total correlation is that of as many crops from
    each source, with stratified sampling. β is the final one, so that the loss is comparable
    throughout.
    """

    def __init__(
        self,
        sources: Sequence[PatchSource],
        settings: EncoderTraining,
        pixel_weight: Tensor,
        device: str,
    ) -> None:
        self.settings, self.pixel_weight = settings, pixel_weight
        draw = np.random.default_rng(settings.seed)
        generator = torch.Generator(device).manual_seed(settings.seed)
        self.pairs: list[tuple[Tensor, Tensor]] = []
        self.noise: list[Tensor] = []
        shape = settings.network
        for source in sources:
            rows = draw.permutation(len(source.patches))[:HELD_OUT_VIEWS]
            patches = torch.from_numpy(source.patches[rows]).to(device).float()[:, None] / 255
            fields = torch.full((len(rows),), float(source.field), device=device)
            views = [
                random_pairs(p, f, settings.augmentation, shape.crop_size, generator)
                for p, f in zip(patches.split(256), fields.split(256), strict=True)
            ]
            crops, clean = (torch.cat(part) for part in zip(*views, strict=True))
            self.pairs.append((crops, clean if settings.denoise else crops))
            self.noise.append(
                torch.randn((len(rows), shape.latents), generator=generator, device=device)
            )

    @torch.no_grad()
    def measure(self, model: TCVAE) -> dict[str, float]:
        """Loss and its terms, in nats per crop; the model is left in training mode."""
        model.eval()
        settings = self.settings
        share = max(2, min(512 // len(self.pairs), *(len(n) for n in self.noise)))
        reconstruction, kl = [], []
        mixed: list[tuple[Tensor, Tensor, Tensor]] = []
        for (crops, target), noise in zip(self.pairs, self.noise, strict=True):
            found = []
            for c, t, e in zip(crops.split(256), target.split(256), noise.split(256), strict=True):
                with torch.autocast(
                    c.device.type, torch.bfloat16, enabled=settings.precision == "bfloat16"
                ):
                    mean, log_variance = (part.float() for part in model.encode(c))
                    z = mean + e * (0.5 * log_variance).exp()
                    shown, grain = model.decode_with_texture(z)
                terms = tcvae_terms(
                    t,
                    shown.float(),
                    z,
                    mean,
                    log_variance,
                    len(c),
                    self.pixel_weight,
                    None if grain is None else (texture(t), grain.float()),
                    settings.texture_weight,
                )
                error = terms.reconstruction + terms.texture
                found.append((error * len(c), z, mean, log_variance))
            errors, *parts = zip(*found, strict=True)
            z, mean, log_variance = (torch.cat(part) for part in parts)
            reconstruction.append(torch.stack(errors).sum() / len(noise))
            kl.append(0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(1).mean())
            mixed.append((z[:share], mean[:share], log_variance[:share]))
        z, mean, log_variance = (torch.cat(part) for part in zip(*mixed, strict=True))
        correlation = float(total_correlation_stratified(z, mean, log_variance, len(z)))
        model.train()
        r, k = float(torch.stack(reconstruction).mean()), float(torch.stack(kl).mean())
        if settings.objective == "tcvae":
            loss = r + k + (settings.beta - 1) * correlation
        else:
            loss = r + settings.beta * k
        return dict(zip(HELD_OUT_COLUMNS, (loss, r, k, correlation), strict=True))


def _draw_batch(
    sources: Sequence[PatchSource], batch: int, draw: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Patches (B, 1, P, P) in 0–1 and their fields (B,), in equal shares from each source."""
    shares = np.bincount(np.arange(batch) % len(sources), minlength=len(sources))
    patches, fields = [], []
    for source, share in zip(sources, shares, strict=True):
        chosen = draw.choice(len(source.patches), int(share), p=source.weight / source.weight.sum())
        patches.append(source.patches[chosen])
        fields.append(np.full(int(share), source.field, np.float32))
    stacked = torch.from_numpy(np.concatenate(patches)).float() / 255
    return stacked[:, None], torch.from_numpy(np.concatenate(fields))


def _write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write all that the next step depends on; the old file stays until the new one is whole."""
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)
