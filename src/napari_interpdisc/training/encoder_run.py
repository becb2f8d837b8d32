"""A whole training of an encoder: a folder with logs and checkpoint, and in the end a model."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.results import check_empty_folder, check_writable, write_whole
from napari_interpdisc.models.classifier import Classifier
from napari_interpdisc.models.familiarity import measure_familiarity
from napari_interpdisc.models.store import load_model, save_model
from napari_interpdisc.models.tcvae import TCVAE, TCVAEConfig
from napari_interpdisc.training.augment import Augmentation, random_views
from napari_interpdisc.training.encoder import EncoderTraining, PatchSource, train_encoder
from napari_interpdisc.training.encoder_data import EncoderSource, parted, patch_side
from napari_interpdisc.training.encoder_log import EncoderLog, read_log
from napari_interpdisc.training.encoder_report import (
    FineTuneReport,
    compare_encoders,
    errors_of,
    plain_crops,
)

Log = Callable[[dict[str, float]], None]
Progress = Callable[[int, int], None]

SETTINGS, CHECKPOINT, MODEL, REPORT = "settings.json", "checkpoint.pt", "model", "report.md"
"""What a run folder holds, beside the logs."""

AUGMENTATION = Augmentation(gradient=0.4, edge=0.1)
STATISTICS_CROPS = 2000
"""Most training patches of one source that the model's statistics are measured on."""


@dataclass(frozen=True)
class EncoderRun:
    """What came of a training.

    Attributes
    ----------
    model
        The finished model, as it was read back from ``folder``; it has no heads.
    folder
        The model folder, inside the run folder.
    lines
        The log.
    report
        What fine-tuning changed; None for an encoder trained from the beginning.
    """

    model: Classifier
    folder: Path
    lines: list[dict[str, float]]
    report: FineTuneReport | None

    @property
    def best(self) -> dict[str, float]:
        """The line with the lowest loss on held-out crops: of the weights that were kept."""
        return best_line(self.lines)


def best_line(lines: Sequence[dict[str, float]]) -> dict[str, float]:
    """Line with the lowest loss on held-out crops."""
    return min(
        (row for row in lines if not math.isnan(row["held_out_loss"])),
        key=lambda row: row["held_out_loss"],
    )


def precision_of(
    wanted: Literal["auto", "float32", "bfloat16"], device: str
) -> Literal["float32", "bfloat16"]:
    """Arithmetic to train in: ``auto`` is bfloat16 where the device has it in hardware."""
    if wanted != "auto":
        return wanted
    if torch.device(device).type == "cuda":
        built_in = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        built_in = _cpu_has_bfloat16()
    return "bfloat16" if built_in else "float32"


def _cpu_has_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 itself: AMX or AVX-512 BF16."""
    asked = (
        getattr(torch.cpu, "_is_amx_tile_supported", None),
        getattr(torch.cpu, "_is_avx512_bf16_supported", None),
    )
    return any(bool(ask()) for ask in asked if ask is not None)


def training_settings(
    patches: int,
    epochs: int,
    *,
    batch: int = 256,
    beta: float = 2.0,
    seed: int = 0,
    patience: int = 20,
    precision: Literal["float32", "bfloat16"] = "float32",
    learning_rate: float | None = None,
    network: TCVAEConfig | None = None,
    fine_tune: bool = False,
) -> EncoderTraining:
    """Work out the settings of a run.

    Parameters
    ----------
    patches
        Number of patches to train on. An epoch is as many steps as draw that many crops.
    epochs
        Most epochs to train for.
    batch, beta, seed, precision
        As in :class:`EncoderTraining`.
    patience
        Epochs without a lower loss on held-out crops after which to stop; 0: never.
    learning_rate
        Peak learning rate; 1e-3, or 3e-4 to fine-tune, if left out.
    network
        Shape of the network.
    fine_tune
        Whether training starts from trained weights: β is then the given one from the first step,
        and the learning rate reaches its peak within 20 steps.

    Raises
    ------
    InvalidInput
        If a number is out of range.
    """
    for name, value, low in (("epochs", epochs, 1), ("batch", batch, 2), ("patience", patience, 0)):
        if value < low:
            raise InvalidInput(f"{value} cannot be used for {name}; give {low} or more.")
    if not (math.isfinite(beta) and beta >= 1):
        raise InvalidInput(f"A β of {beta:g} cannot be used; give 1 or more.")
    rate = learning_rate if learning_rate is not None else (3e-4 if fine_tune else 1e-3)
    if not (math.isfinite(rate) and rate > 0):
        raise InvalidInput(f"A learning rate of {rate:g} cannot be used; give more than 0.")
    epoch = max(1, round(patches / batch))
    steps = epochs * epoch
    return EncoderTraining(
        beta=beta,
        steps=steps,
        batch=batch,
        learning_rate=rate,
        warm_up=max(1, min(20 if fine_tune else 500, steps // 10)),
        ramp_beta=not fine_tune,
        seed=seed,
        rim=0.15,
        precision=precision,
        augmentation=AUGMENTATION,
        network=network or TCVAEConfig(),
        log_every=min(epoch, 20),
        log_latents=True,
        checkpoint_every=min(max(epoch, 50), 200),
        evaluate_every=epoch,
        patience=patience,
    )


def check_run_folder(out: Path, resume: bool) -> None:
    """Refuse a run folder that cannot be used; to be called before anything is read.

    Raises
    ------
    InvalidInput
        If ``out`` exists without ``resume``, is no unfinished run with it, or cannot be written.
    """
    if not resume:
        check_empty_folder(out)
        return
    if not (out / SETTINGS).is_file():
        raise InvalidInput(f"{out} holds no run that could be resumed; leave --resume out.")
    if (out / MODEL).exists():
        raise InvalidInput(f"The run in {out} is finished; its model is {out / MODEL}.")
    check_writable(out / SETTINGS)


def run_training(
    sources: Sequence[EncoderSource],
    settings: EncoderTraining,
    out: Path,
    *,
    start: Classifier | None = None,
    model_diameter: float = 28.0,
    name: str = "",
    resume: bool = False,
    device: str = "cpu",
    command: str = "",
    log: Log = lambda _: None,
    progress: Progress = lambda done, n: None,
) -> EncoderRun:
    """Train an encoder, with logs and checkpoints in ``out``, and write it as a model folder.

    A run that was stopped, whether by an exception of ``log`` or ``progress`` or by the end of the
    process, goes on from its last checkpoint with ``resume``; on the CPU, to the same weights to
    the bit as a run that was not stopped.

    Parameters
    ----------
    sources
        Data sets; each supplies an equal share of a batch, and a tenth of each is held out.
    settings
        From :func:`training_settings`.
    out
        Run folder. The finished model is ``out/model``; ``out/log.csv`` and ``out/tensorboard``
        have the loss terms, and ``out/report.md`` what fine-tuning changed.
    start
        Model to fine-tune; its heads, which read other latents than the new ones, are left out.
    model_diameter
        Typical nuclear diameter in the patches, px.
    name
        Name of the model; the folder's if left out.
    resume
        Go on with the run in ``out``.
    device
        Torch device.
    command
        Command line, for the card.
    log, progress
        As in :func:`napari_interpdisc.training.encoder.train_encoder`.

    Raises
    ------
    InvalidInput
        If the folder, the patches or the settings cannot be used, before any work.
    """
    check_run_folder(out, resume)
    train, held_out = parted(sources, settings.batch, settings.seed)
    _check_patches(sources, settings.network)
    if start is not None and start.encoder.config != settings.network:
        raise InvalidInput(
            f"Model '{start.name}' has another network ({_shape_of(start.encoder.config)}) than "
            f"was asked for ({_shape_of(settings.network)}); leave the number of latents out."
        )
    record = _record(sources, settings, start, model_diameter)
    if resume:
        _check_same(out, record)
    else:
        out.mkdir(exist_ok=True)
        write_whole(out / SETTINGS, lambda p: p.write_text(json.dumps(record, indent=1), "utf-8"))
    checkpoint = out / CHECKPOINT
    with EncoderLog(out, _step_of(checkpoint)) as lines:

        def noted(row: dict[str, float]) -> None:
            lines.add(row)
            log(row)

        try:
            encoder = train_encoder(
                train,
                settings,
                noted,
                checkpoint,
                device,
                None if start is None else start.encoder.state_dict(),
                held_out,
                progress,
            )
        except OSError as fault:
            raise InvalidInput(
                f"{out} cannot be written to: {fault.strerror or fault}; mend that, and resume."
            ) from None
        rows = lines.rows
    crop_size = settings.network.crop_size
    model = _with_statistics(encoder, train, settings, model_diameter, name or out.name)
    report = None
    if start is not None:
        some = plain_crops([_at_most(s, STATISTICS_CROPS, settings.seed) for s in train], crop_size)
        report = compare_encoders(start, model, some, plain_crops(held_out, crop_size))
        write_whole(out / REPORT, lambda p: p.write_text(report.markdown(), "utf-8"))
    card = _card(model, record, rows, (train, held_out), command, report)
    save_model(replace(model, card=card), out / MODEL)
    checkpoint.unlink(missing_ok=True)
    return EncoderRun(load_model(out / MODEL, device="cpu"), out / MODEL, rows, report)


def _check_patches(sources: Sequence[EncoderSource], network: TCVAEConfig) -> None:
    side = patch_side(network.crop_size)
    for source in sources:
        if source.patches.shape[1:] != (side, side):
            raise InvalidInput(
                f"The patches of {source.name} have the shape {source.patches.shape[1:]}; the "
                f"network needs ({side}, {side})."
            )


def _shape_of(network: TCVAEConfig) -> str:
    return f"{network.crop_size} px, {network.latents} latents, blocks of {network.widths} channels"


def _record(
    sources: Sequence[EncoderSource],
    settings: EncoderTraining,
    start: Classifier | None,
    model_diameter: float,
) -> dict[str, Any]:
    """All that decides the result, as JSON."""
    found = {
        "settings": settings.model_dump(),
        "model_diameter": model_diameter,
        "start": "none" if start is None else f"{start.name} {start.encoder_sha256}",
        "sources": [
            {
                "name": s.name,
                "cells": len(s.patches),
                "groups": f"{len(np.unique(s.group))} of {s.group_name}",
                "sha256": s.sha256,
            }
            for s in sources
        ],
    }
    return dict(json.loads(json.dumps(found)))


def _check_same(out: Path, record: dict[str, Any]) -> None:
    """Refuse to resume a run with other data or settings."""
    try:
        known = json.loads((out / SETTINGS).read_text("utf-8"))
        old = {**known.pop("settings"), **known}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise InvalidInput(
            f"{out / SETTINGS} cannot be read; the run cannot be resumed, begin another."
        ) from None
    new = {**record["settings"], **{k: v for k, v in record.items() if k != "settings"}}
    if old.get("sources") != new["sources"]:
        raise InvalidInput(
            f"The run in {out} was begun on other cells or images; give the same ones to resume "
            "it, or another folder."
        )
    # the number of steps follows from these, which tell more
    first = ["batch", "beta", "seed", "precision", "patience", "start"]
    for key in sorted(new, key=lambda k: first.index(k) if k in first else len(first)):
        if old.get(key) != new[key]:
            told = "epochs" if key == "steps" else key
            a, b = (
                (v.get(key) // v["evaluate_every"] if key == "steps" else v.get(key))
                for v in (old, new)
            )
            raise InvalidInput(
                f"The run in {out} was begun with {told} {a}, not {b}; give the same settings to "
                "resume it, or another folder."
            )


def _step_of(checkpoint: Path) -> int:
    """Steps that a checkpoint has behind it; 0 without one."""
    if not checkpoint.exists():
        return 0
    return int(torch.load(checkpoint, map_location="cpu", weights_only=True)["step"])


def _at_most(source: PatchSource, most: int, seed: int) -> PatchSource:
    """At most so many patches of a source."""
    rows = np.random.default_rng(seed).permutation(len(source.patches))[:most]
    return replace(source, patches=source.patches[rows], weight=source.weight[rows])


def _with_statistics(
    encoder: TCVAE,
    train: Sequence[PatchSource],
    settings: EncoderTraining,
    model_diameter: float,
    name: str,
) -> Classifier:
    """Put the encoder into a model that knows how much each latent matters and what is familiar.

    Measured on training crops: each as it is, and one augmented view of it.
    """
    size = settings.network.crop_size
    some = [_at_most(s, STATISTICS_CROPS, settings.seed) for s in train]
    generator = torch.Generator().manual_seed(settings.seed)
    parts = [plain_crops(some, size)]
    for source in some:
        for patches in np.array_split(source.patches, -(-len(source.patches) // 256)):
            views = random_views(
                torch.from_numpy(patches)[:, None].float() / 255,
                torch.full((len(patches),), float(source.field)),
                settings.augmentation,
                size,
                generator,
            )
            parts.append(views.numpy())
    crops = np.concatenate(parts)
    empty = np.zeros(settings.network.latents)
    bare = Classifier(
        name, "", encoder, {}, model_diameter, empty, empty, device=torch.device("cpu")
    )
    latents, log_variances = bare.encode(crops)
    kl = 0.5 * (latents**2 + np.exp(log_variances) - 1 - log_variances)
    return replace(
        bare,
        latent_kl=kl.mean(0, dtype=np.float64),
        latent_sd=latents.std(0, dtype=np.float64),
        familiarity=measure_familiarity(errors_of(bare, crops, latents), latents),
    )


def _card(
    model: Classifier,
    record: dict[str, Any],
    rows: Sequence[dict[str, float]],
    parts: tuple[Sequence[PatchSource], Sequence[PatchSource]],
    command: str,
    report: FineTuneReport | None,
) -> str:
    """Write the model card, Markdown."""
    measured = [row for row in rows if not math.isnan(row["held_out_loss"])]
    best = best_line(rows)
    picked = sorted({round(i) - 1 for i in np.geomspace(1, len(measured), 12)})
    shown = [measured[i] for i in picked]
    if best not in shown:
        shown = sorted([*shown, best], key=lambda row: row["step"])
    curve = "\n".join(
        f"| {row['step']} | {row['reconstruction']:.1f} | {row['kl']:.1f} "
        f"| {row['total_correlation']:.2f} | {row['active_latents']} "
        f"| {row['held_out_loss']:.1f} | {row['held_out_reconstruction']:.1f} "
        f"| {row['held_out_kl']:.1f} | {row['held_out_total_correlation']:.2f} |"
        for row in shown
    )
    data = "\n".join(
        f"- `{source['name']}`: {source['cells']} cells (groups: {source['groups']}), "
        f"{len(train.patches)} to train on, {len(tested.patches)} held out; "
        f"SHA-256 of the patches {source['sha256']}"
        for source, train, tested in zip(record["sources"], *parts, strict=True)
    )
    text = json.dumps(record["settings"], ensure_ascii=False)
    told = "" if report is None else "\n" + report.markdown().replace("# Fine", "## Fine", 1)
    size = model.crop_size
    return f"""# {model.name}: β-TCVAE, {size}×{size} px, {model.n_latents} latents

An encoder without heads: train some with `interpdisc train --model` and this folder. Typical nuclei
are {model.model_diameter:g} px in its crops. Started from: {record["start"]}.

```
{command or "run_training(...)"}
```

## Data

{data}

## Training

Settings: `{text}` (SHA-256 {hashlib.sha256(text.encode()).hexdigest()[:16]})

{rows[-1]["step"]} steps in {rows[-1]["seconds"] / 60:.1f} min; the weights are those of step
{best["step"]}, whose loss on held-out crops was the lowest.

All in nats per crop; TC by stratified sampling; active latents are those with KL > 0.1.

| step | reconstruction | KL | TC | active | held out: loss | reconstruction | KL | TC |
|---|---|---|---|---|---|---|---|---|
{curve}
{told}
## Limits

- Whether its latents tell classes apart is not known before a head was trained and tested.
- It knows nuclei like those above, at about the diameter that was given.
"""


def lines_of(out: Path) -> list[dict[str, float]]:
    """Log lines of a run folder."""
    return list(read_log(out / "log.csv"))
