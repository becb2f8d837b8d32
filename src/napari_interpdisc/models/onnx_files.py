"""A stored model as ONNX: encoder, decoder and heads, for programs that know no torch."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from napari_interpdisc._types import Float32Array, Progress, silent
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.cell_model import check_reads_latents
from napari_interpdisc.models.inference import FastEncoder

if TYPE_CHECKING:
    from napari_interpdisc.models.cell_model import CellModel, NamedHead

TOLERANCE = 1e-3
"""Largest difference from torch that a file may have: latents, pixels and logits are of order 1."""

CLIP, LEAST_CONTRAST = 8.0, 1e-6
"""As in :func:`napari_interpdisc.crops.normalise`, which knows no tensors."""


class Encode(nn.Module):
    """Posterior means and log-variances of crops as they were cut; they are normalised here."""

    def __init__(self, model: CellModel) -> None:
        super().__init__()
        self.encoder = FastEncoder(model.encoder)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Means and log-variances, each (N, L), of crops (N, 1, S, S) of any gain and offset."""
        mean, log_variance = self.encoder(normalised(crops))
        return mean, log_variance


class Decode(nn.Module):
    """Pictures of latents: the cell alone, and with the light from around it."""

    def __init__(self, model: CellModel) -> None:
        super().__init__()
        self.whole = model.encoder

    def forward(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Two pictures (N, 1, S, S), in normalised units, of latents (N, L)."""
        cell = self.whole.decode(latents)
        return cell, cell + self.whole.decode_around(latents)


class Classify(nn.Module):
    """Classes and latents of crops as they were cut: encoder and one head in one network."""

    def __init__(self, model: CellModel, named: NamedHead) -> None:
        super().__init__()
        self.encode, self.head = Encode(model), named.head

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Probabilities (N, K) of all K classes, and latents (N, L), of crops (N, 1, S, S)."""
        latents, _ = self.encode(crops)
        scores = self.head(latents)
        if scores.shape[1] == 1:
            scores = torch.cat([torch.zeros_like(scores), scores], 1)
        return scores.softmax(1), latents


def normalised(crops: Tensor) -> Tensor:
    """Crops (N, 1, S, S) centred and scaled as :func:`napari_interpdisc.crops.normalise` does."""
    size = crops.abs().amax((2, 3), keepdim=True)
    scaled = crops / torch.where(size > 0, size, torch.ones_like(size))
    centred = scaled - scaled.mean((2, 3), keepdim=True)
    std = centred.square().mean((2, 3), keepdim=True).sqrt()
    flat = std <= LEAST_CONTRAST
    return torch.where(flat, 0.0, centred / torch.where(flat, 1.0, std)).clamp(-CLIP, CLIP)


@dataclass(frozen=True)
class Written:
    """One file and how far it is from torch.

    Attributes
    ----------
    path
        The ``.onnx`` file.
    difference
        Largest absolute difference of any output, on the crops it was checked with.
    """

    path: Path
    difference: float


def export_onnx(
    model: CellModel,
    folder: Path,
    crops: Float32Array,
    heads: tuple[str, ...] = (),
    progress: Progress = silent,
) -> list[Written]:
    """Write ``encoder.onnx``, ``decoder.onnx`` and ``heads/<name>.onnx``, and check each.

    Parameters
    ----------
    model
        On the CPU.
    folder
        An empty folder.
    crops
        (N, 1, S, S) crops as they were cut, to compare ONNX Runtime with torch on; N ≥ 2.
    heads
        Names of the heads; all of them if empty.
    progress
        Called with (files written, files in all).

    Raises
    ------
    InvalidInput
        If onnx, onnxscript or onnxruntime is not installed, if a head reads measured properties, or
        if a file differs from torch by more than :data:`TOLERANCE`.
    """
    check_packages()
    named = [model.head(name) for name in heads] or list(model.heads.values())
    for one in named:
        check_reads_latents(one, "An ONNX file")
    latents, _ = model.encode(normalised(torch.from_numpy(crops)).numpy())
    parts: list[tuple[str, nn.Module, Float32Array, str, tuple[str, ...]]] = [
        ("encoder", Encode(model), crops, "crops", ("latents", "log_variances")),
        ("decoder", Decode(model), latents, "latents", ("cell_alone", "whole_crop")),
    ]
    (folder / "heads").mkdir()
    for one in named:
        assert isinstance(one.head, nn.Module)
        parts.append((f"heads/{one.name}", one.head, latents, "latents", ("scores",)))
    found = []
    for k, (name, module, given, takes, gives) in enumerate(parts, 1):
        path = folder / f"{name}.onnx"
        found.append(Written(path, write_onnx(module, path, given, takes, gives)))
        progress(k, len(parts))
    return found


def write_onnx(
    module: nn.Module, path: Path, given: Float32Array, takes: str, gives: tuple[str, ...]
) -> float:
    """Write one network, and return how far ONNX Runtime is from torch on ``given``.

    Parameters
    ----------
    module
        The network, of one input and as many outputs as there are names.
    path
        The file.
    given
        (N, …) input to check with, N ≥ 2; N is free in the file.
    takes, gives
        Names of the input and of the outputs.
    """
    with torch.inference_mode():
        found = module.eval()(torch.from_numpy(given))
    wanted = [v.numpy() for v in (found if isinstance(found, tuple) else (found,))]
    some = torch.from_numpy(given[:2].copy())
    with _quiet():
        program = torch.onnx.export(
            module,
            (some,),
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("n", min=1)},),
            input_names=[takes],
            output_names=list(gives),
            verbose=False,
        )
        assert program is not None
        program.save(str(path))
    difference = max(
        _difference(a, b) for a, b in zip(_run(path, takes, given), wanted, strict=True)
    )
    if not difference <= TOLERANCE:
        raise InvalidInput(
            f"{path.name} differs from torch by {difference:.2g}, where {TOLERANCE:g} is allowed: "
            "these versions of onnxscript and onnxruntime do not go together with this model."
        )
    return difference


def _difference(found: Float32Array, wanted: Float32Array) -> float:
    """Largest absolute difference; NaN, no value, must be in the same places of both."""
    without = np.isnan(wanted)
    if not np.array_equal(np.isnan(found), without):
        return float("inf")
    return float(np.abs(found[~without] - wanted[~without]).max(initial=0.0))


def _run(path: Path, takes: str, given: Float32Array) -> list[Float32Array]:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return [np.asarray(v) for v in session.run(None, {takes: given})]


def check_packages() -> None:
    """Ask for the packages of the extra, before any work.

    Raises
    ------
    InvalidInput
        If one is missing.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as fault:
        raise InvalidInput(
            f"Exporting needs {fault.name}: install it with pip install 'napari-interpdisc[export]'"
            "."
        ) from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch's exporter from telling of packages that are not needed here."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            log.setLevel(level)
