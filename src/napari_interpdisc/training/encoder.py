"""Train a β-TCVAE on patches of nuclei."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from napari_interpdisc.models.tcvae import TCVAE, TCVAEConfig
from napari_interpdisc.training.augment import Augmentation, random_pairs
from napari_interpdisc.training.loss import (
    centre_weight,
    tcvae_terms,
    total_correlation_stratified,
)


class EncoderTraining(BaseModel):
    """Settings of one training run; stored in the model's card."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    objective: Literal["tcvae", "beta-vae"] = Field(
        "tcvae", title="Whether β weighs total correlation or the whole KL (then β = 1: plain VAE)"
    )
    beta: float = Field(4.0, title="Weight β of total correlation, or of KL", ge=1)
    steps: int = Field(20_000, title="Optimizer steps", ge=1)
    batch: int = Field(256, title="Crops in a batch", ge=2)
    learning_rate: float = Field(1e-3, title="Peak learning rate (Adam)", gt=0)
    warm_up: int = Field(500, title="Steps over which β and the learning rate rise", ge=1)
    seed: int = Field(0, title="Seed")
    rim: float = Field(
        1.0, title="Weight of pixels far from the centre, relative to central ones", gt=0, le=1
    )
    radius: float = Field(20.0, title="Distance at which the weight falls (crop pixels)", gt=0)
    denoise: bool = Field(
        True, title="Reconstruct each crop without the noise, blur and uneven light added to it"
    )
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", title="Arithmetic of the convolutions; bfloat16 is faster where it is built in"
    )
    augmentation: Augmentation = Augmentation()
    network: TCVAEConfig = TCVAEConfig()
    log_every: int = Field(100, title="Steps between two log lines", ge=1)
    checkpoint_every: int = Field(1000, title="Steps between two checkpoints", ge=1)


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
) -> TCVAE:
    """Fit a β-TCVAE; every source supplies an equal share of each batch.

    Parameters
    ----------
    sources
        Data sets with patches of one common size.
    settings
        Everything that decides the result, seed included.
    log
        Called with the loss terms every ``settings.log_every`` steps.
    checkpoint
        File to resume from if it exists, and to write to as training goes on.
    device
        Torch device.
    start
        Weights to start from (``TCVAE.state_dict()``), to train on; random ones without.

    Returns
    -------
    The trained network in eval mode, on the CPU.
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
    first = 0
    if checkpoint is not None and checkpoint.exists():
        state = torch.load(checkpoint, map_location=device, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        generator.set_state(state["generator"].cpu())
        torch.set_rng_state(state["torch_rng"].cpu())
        draw.bit_generator.state = json.loads(state["draw"])
        first = int(state["step"])
    half = settings.precision == "bfloat16"
    started = time.monotonic()
    for step in range(first, settings.steps):
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
        target = clean if settings.denoise else crops
        with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=half):
            mean, log_variance = model.encode(crops)
        mean, log_variance = mean.float(), log_variance.float()
        noise = torch.randn(mean.shape, generator=generator, device=device)
        z = mean + noise * (0.5 * log_variance).exp()
        with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=half):
            shown = model.decode(z)
        terms = tcvae_terms(target, shown.float(), z, mean, log_variance, n_data, pixel_weight)
        beta = 1 + (settings.beta - 1) * ramp
        if settings.objective == "tcvae":
            loss = terms.total(beta)
        else:
            loss = terms.reconstruction + beta * terms.kl
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 2000.0)
        optimizer.step()
        done = step + 1
        if done % settings.log_every == 0 or done == settings.steps:
            log(
                {
                    "step": done,
                    "reconstruction": terms.reconstruction.item(),
                    "kl": terms.kl.item(),
                    "total_correlation": total_correlation_stratified(
                        z, mean, log_variance, n_data
                    ).item(),
                    "active_latents": int((terms.kl_per_latent > 0.1).sum()),
                    "seconds": time.monotonic() - started,
                }
            )
        if checkpoint is not None and (
            done % settings.checkpoint_every == 0 or done == settings.steps
        ):
            _write_checkpoint(checkpoint, model, optimizer, generator, draw, done)
    return model.eval().cpu()


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


def _write_checkpoint(
    path: Path,
    model: TCVAE,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
    draw: np.random.Generator,
    step: int,
) -> None:
    """Write everything that the next step depends on; the old file stays until the new is whole."""
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "generator": generator.get_state(),
        "torch_rng": torch.get_rng_state(),
        "draw": json.dumps(draw.bit_generator.state),
        "step": step,
    }
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)
