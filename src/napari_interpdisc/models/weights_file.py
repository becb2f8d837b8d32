"""``weights.safetensors``: what its header declares is checked before a tensor is made of it."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from torch import Tensor

from napari_interpdisc.errors import InvalidInput, InvalidModel
from napari_interpdisc.guarded_files import strict_json
from napari_interpdisc.models.limits import LARGEST_HEADER

FLOATS = {"F16": 2, "BF16": 2, "F32": 4, "F64": 8}
"""Types that a tensor of floats may have, and bytes of a value; it is read as float32."""

OTHERS = {torch.int64: "I64", torch.bool: "BOOL"}
"""The type that a tensor of anything else has: counts of batches, active connections."""


def read_weights(data: bytes, expected: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Tensors of a safetensors file, each of the type and shape that the model needs.

    Parameters
    ----------
    data
        Content of the file.
    expected
        A tensor of the right type and shape for each name; those of the meta device will do.
    path
        The file, to be named in what is wrong.

    Raises
    ------
    InvalidModel
        If the file is damaged, lacks a tensor, has one too many, or one of another type or shape,
        with a value that is not finite as it will be used, or with a negative variance.
    """
    header = _header(data, path)
    _check_names(header, expected, path)
    for name, tensor in expected.items():
        _check_form(header[name], tensor, f"{path} has '{name}'", path)
    try:
        found = load_tensors(data)
    except (SafetensorError, ValueError, RuntimeError) as fault:
        raise InvalidModel(f"{path} is not a readable safetensors file ({fault}).") from None
    made = {name: found[name].to(tensor.dtype, copy=True) for name, tensor in expected.items()}
    for name, tensor in made.items():
        if not tensor.is_floating_point():
            continue
        if not bool(torch.isfinite(tensor).all()):
            raise InvalidModel(f"{path} holds NaN or infinite values in '{name}'.")
        if name.endswith(".running_var") and bool((tensor < 0).any()):
            raise InvalidModel(f"{path} holds a negative variance in '{name}'.")
    return made


def _header(data: bytes, path: Path) -> dict[str, Any]:
    """What the file says of its tensors, by name."""
    unreadable = f"{path} is not a readable safetensors file"
    if len(data) < 8:
        raise InvalidModel(f"{unreadable} (it ends in its header).")
    (length,) = struct.unpack("<Q", data[:8])
    if length > min(LARGEST_HEADER, len(data) - 8):
        raise InvalidModel(f"{unreadable} (its header has {length} bytes).")
    try:
        header = strict_json(data[8 : 8 + length], f"The header of {path}")
    except InvalidInput as fault:
        raise InvalidModel(str(fault)) from None
    if not isinstance(header, dict):
        raise InvalidModel(f"{unreadable} (its header names no tensors).")
    header.pop("__metadata__", None)
    return header


def _check_names(header: Mapping[str, Any], expected: Mapping[str, Tensor], path: Path) -> None:
    missing = sorted(expected.keys() - header.keys())
    if missing:
        raise InvalidModel(f"{path} lacks the tensor '{missing[0]}'.")
    spare = sorted(header.keys() - expected.keys())
    if spare:
        raise InvalidModel(f"{path} holds an unknown tensor '{spare[0][:100]}'.")


def _check_form(about: Any, wanted: Tensor, what: str, path: Path) -> None:
    shape, dtype = (about.get(key) for key in ("shape", "dtype")) if isinstance(about, dict) else (
        None, None,
    )  # fmt: skip
    if not isinstance(dtype, str) or not isinstance(shape, list):
        raise InvalidModel(f"{what} without a type or a shape.")
    if shape != list(wanted.shape):
        told = f"({', '.join(map(str, shape))})"[:100]
        raise InvalidModel(f"{what} of shape {told}; config.json asks for {tuple(wanted.shape)}.")
    allowed = tuple(FLOATS) if wanted.is_floating_point() else (OTHERS[wanted.dtype],)
    if dtype not in allowed:
        raise InvalidModel(f"{what} of type {dtype[:20]}; it must be {' or '.join(allowed)}.")
