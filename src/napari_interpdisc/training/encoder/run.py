"""A whole training of an encoder: a folder with logs and checkpoint, and in the end a model."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from napari_interpdisc._types import Progress, silent
from napari_interpdisc.batch.lock import FolderLock
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.settings import checked_settings
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.models.store import load_model, save_model
from napari_interpdisc.models.tcvae import TCVAEConfig
from napari_interpdisc.patches import patch_side
from napari_interpdisc.training.encoder.card import best_line, encoder_card
from napari_interpdisc.training.encoder.data import EncoderSource, at_most, split_sources
from napari_interpdisc.training.encoder.guides import guided_latents
from napari_interpdisc.training.encoder.log import EncoderLog
from napari_interpdisc.training.encoder.loop import (
    Log,
    check_checkpoint,
    fit_tcvae,
    read_checkpoint,
)
from napari_interpdisc.training.encoder.report import (
    FineTuneReport,
    compare_encoders,
    plain_crops,
)
from napari_interpdisc.training.encoder.settings import EncoderTraining, check_masks
from napari_interpdisc.training.encoder.statistics import STATISTICS_CROPS, with_statistics
from napari_interpdisc.writing import (
    CannotWrite,
    Inputs,
    check_empty_folder,
    check_no_input,
    check_writable,
    or_elsewhere,
    place_of,
    write_whole,
)

SETTINGS, CHECKPOINT, MODEL, REPORT = "settings.json", "checkpoint.pt", "model", "report.md"
"""What a run folder holds, beside the logs."""

LOCK = "lock"
"""Held while a run goes on, so that no second one resumes it meanwhile."""


CPU_INFO = Path("/proc/cpuinfo")
BFLOAT16_FLAGS = {"amx_bf16", "avx512_bf16", "bf16"}
"""What Linux calls bfloat16 arithmetic of x86 and ARM processors."""

AMONG_OTHERS = 0.5
"""Share of crops that get the surroundings of another cell as an encoder of cells is fine-tuned."""

FINE_TUNING_RATE = 3e-4
"""Peak learning rate of a training that starts from trained weights."""


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

    model: CellModel
    folder: Path
    lines: list[dict[str, float]]
    report: FineTuneReport | None

    @property
    def best(self) -> dict[str, float]:
        """The line with the lowest loss on held-out crops: of the weights that were kept."""
        return best_line(self.lines)


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
    """Whether the CPU multiplies bfloat16 itself, as far as Linux tells; False elsewhere."""
    try:
        told = CPU_INFO.read_text("utf-8", "replace")
    except OSError:
        return False
    return bool(BFLOAT16_FLAGS & set(told.split()))


def training_settings(
    patches: int,
    epochs: int,
    *,
    base: EncoderTraining | None = None,
    patience: int = 20,
    fine_tune: bool = False,
    **chosen: Any,
) -> EncoderTraining:
    """Work out the settings of a run.

    Parameters
    ----------
    patches
        Number of patches to train on. An epoch is as many steps as draw that many crops.
    epochs
        Most epochs to train for.
    base
        Settings to start from; the defaults if left out. A field that was set there stays, but for
        those that are chosen here.
    patience
        Epochs without a lower loss on held-out crops after which to stop; 0: never.
    fine_tune
        Whether training starts from trained weights: β is then the given one from the first step,
        and the learning rate, 3e-4 unless chosen, reaches its peak within 20 steps.
    chosen
        Fields of :class:`EncoderTraining` that were chosen: batch, beta, seed, precision,
        learning_rate, network. None leaves one as it is.

    Raises
    ------
    InvalidInput
        If a number is out of range, or settings do not fit together.
    """
    given = {name: value for name, value in chosen.items() if value is not None}
    if fine_tune:
        given = {"learning_rate": FINE_TUNING_RATE, **given}
    settings = base or EncoderTraining()
    batch = given.get("batch", settings.batch)
    for name, value, low in (("epochs", epochs, 1), ("batch", batch, 2), ("patience", patience, 0)):
        if value < low:
            raise InvalidInput(f"{value} cannot be used for {name}; give {low} or more.")
    beta, rate = (
        given.get("beta", settings.beta),
        given.get("learning_rate", settings.learning_rate),
    )
    if not (math.isfinite(beta) and beta >= 1):
        raise InvalidInput(f"A β of {beta:g} cannot be used; give 1 or more.")
    if not (math.isfinite(rate) and rate > 0):
        raise InvalidInput(f"A learning rate of {rate:g} cannot be used; give more than 0.")
    epoch = max(1, round(patches / batch))
    steps = epochs * epoch
    derived = {
        "steps": steps,
        "warm_up": max(1, min(20 if fine_tune else 500, steps // 10)),
        "ramp_beta": not fine_tune,
        "log_every": min(epoch, 20),
        "log_latents": True,
        "checkpoint_every": min(max(epoch, 50), 200),
        "evaluate_every": epoch,
        "patience": patience,
    }
    network = given.get("network", settings.network)
    if fine_tune and network.n_around:
        # an encoder that tells the cell from its surroundings goes on to do so
        among = settings.augmentation.model_copy(update={"surroundings": AMONG_OTHERS})
        derived |= {"subject": "cell", "augmentation": among, "guide_weight": guide_weight(network)}
    # what a settings file says wins over what follows from the number of cells
    derived = {name: v for name, v in derived.items() if name not in settings.model_fields_set}
    changed = settings.model_copy(update={**derived, **given})
    # what was chosen here must fit to what the file says
    return checked_settings(changed.model_dump(), EncoderTraining, "This training")


def guide_weight(network: TCVAEConfig) -> float:
    """Weight of guided latents in fine-tuning: 1 where the network has room for them, else 0."""
    try:
        guided_latents(network)
    except ValueError:
        return 0.0
    return 1.0


def check_run_folder(out: Path, resume: bool, inputs: Inputs = ()) -> None:
    """Refuse a run folder that cannot be used; to be called before anything is read.

    Raises
    ------
    InvalidInput
        If ``out`` exists without ``resume``, is no unfinished run with it, is in use by another
        process, or cannot be written.
    """
    if not resume:
        check_empty_folder(out, inputs)
        return
    if not (out / SETTINGS).is_file():
        raise InvalidInput(f"{out} holds no run that could be resumed; leave --resume out.")
    if (out / MODEL).exists():
        raise InvalidInput(f"The run in {out} is finished; its model is {out / MODEL}.")
    check_no_input(out, inputs)
    check_writable(out / SETTINGS)
    check_writable(out / CHECKPOINT)
    with FolderLock(out / LOCK, str(out)):
        pass  # no other run is at work there


def run_training(
    sources: Sequence[EncoderSource],
    settings: EncoderTraining,
    out: Path,
    *,
    start: CellModel | None = None,
    model_diameter: float = 28.0,
    name: str = "",
    resume: bool = False,
    device: str = "cpu",
    command: str = "",
    log: Log = lambda _: None,
    progress: Progress = silent,
) -> EncoderRun:
    """Train an encoder, with logs and checkpoints in ``out``, and write it as a model folder.

    A run that was stopped, whether by an exception of ``log`` or ``progress`` or by the end of the
    process, goes on from its last checkpoint with ``resume``; on the CPU, to the same weights to
    the bit as a run that was not stopped.

    Parameters
    ----------
    sources
        Data sets; each supplies its share of a batch, and a tenth of each is held out.
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
        Resume the run in ``out``.
    device
        Torch device.
    command
        Command line, for the card.
    log, progress
        As in :func:`napari_interpdisc.training.encoder.loop.fit_tcvae`.

    Raises
    ------
    InvalidInput
        If the folder, the patches, their masks or the settings cannot be used, before any work.
    """
    check_run_folder(out, resume)
    train, held_out = split_sources(sources, settings.batch, settings.seed)
    _check_patches(sources, settings.network)
    check_masks(train, settings)
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
    check_checkpoint(checkpoint, settings)
    with FolderLock(out / LOCK, str(out)):
        with EncoderLog(out, _step_of(checkpoint)) as lines:

            def noted(row: dict[str, float]) -> None:
                lines.add(row)
                log(row)

            try:
                encoder = fit_tcvae(
                    train,
                    settings,
                    noted,
                    checkpoint,
                    device,
                    None if start is None else start.encoder.state_dict(),
                    held_out,
                    progress,
                )
            except CannotWrite as fault:
                raise CannotWrite(
                    f"{fault} The last checkpoint is whole: --resume goes on."
                ) from None
            except OSError as fault:
                raise InvalidInput(
                    f"{out} cannot be written to: {fault.strerror or fault}; mend that, and resume."
                ) from None
            rows = lines.rows
        crop_size = settings.network.crop_size
        model = with_statistics(encoder, train, settings, model_diameter, name or out.name)
        report = None
        if start is not None:
            some = plain_crops(
                [at_most(s, STATISTICS_CROPS, settings.seed) for s in train], crop_size
            )
            report = compare_encoders(start, model, some, plain_crops(held_out, crop_size))
            write_whole(out / REPORT, lambda p: p.write_text(report.markdown(), "utf-8"))
        card = encoder_card(model, record, rows, (train, held_out), command, report)
        or_elsewhere(out / MODEL, lambda place: save_model(replace(model, card=card), place))
        place = place_of(out / MODEL)
        if place == out / MODEL:  # else the same command can write it where it was asked for
            checkpoint.unlink(missing_ok=True)
        run = EncoderRun(load_model(place, device="cpu"), place, rows, report)
    if not checkpoint.exists():
        (out / LOCK).unlink(missing_ok=True)  # finished: nobody can resume it any more
    return run


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
    start: CellModel | None,
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
                "share": s.share,
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
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
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
            a, b = (_epochs(v) if key == "steps" else v.get(key) for v in (old, new))
            raise InvalidInput(
                f"The run in {out} was begun with {told} {a}, not {b}; give the same settings to "
                "resume it, or another folder."
            )


def _epochs(settings: Mapping[str, Any]) -> Any:
    """How many epochs some noted settings have; their steps, if the note was changed."""
    try:
        return settings["steps"] // settings["evaluate_every"]
    except (KeyError, TypeError, ZeroDivisionError):
        return settings.get("steps")


def _step_of(checkpoint: Path) -> int:
    """Steps that a checkpoint has behind it; 0 without one."""
    return int(read_checkpoint(checkpoint)["step"]) if checkpoint.exists() else 0
