"""Tensors of a file are those that were declared, or one sentence says what is wrong."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save

from napari_interpdisc.errors import InvalidModel
from napari_interpdisc.models.weights_file import read_weights

PATH = Path("w.safetensors")
META = torch.device("meta")
EXPECTED = {
    "a.weight": torch.empty(2, 3, device=META),
    "a.running_var": torch.empty(3, device=META),
    "a.num_batches_tracked": torch.empty((), dtype=torch.int64, device=META),
    "mask": torch.empty(2, dtype=torch.bool, device=META),
}


def tensors() -> dict[str, torch.Tensor]:
    return {
        "a.weight": torch.arange(6.0).reshape(2, 3),
        "a.running_var": torch.ones(3),
        "a.num_batches_tracked": torch.tensor(5),
        "mask": torch.tensor([True, False]),
    }


def told(data: bytes) -> str:
    with pytest.raises(InvalidModel) as caught:
        read_weights(data, EXPECTED, PATH)
    return str(caught.value)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_floats_are_read_as_float32(dtype: torch.dtype) -> None:
    given = tensors()
    given["a.weight"] = given["a.weight"].to(dtype)
    found = read_weights(save(given), EXPECTED, PATH)
    assert found["a.weight"].dtype == torch.float32
    for name, value in tensors().items():
        assert torch.equal(found[name], value)


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("a.weight", torch.zeros(2, 3).to(torch.float8_e4m3fn), "of type F8_E4M3; it must be F16"),
        ("a.weight", torch.zeros(2, 3, dtype=torch.int32), "of type I32; it must be F16 or BF16"),
        ("a.weight", torch.full((2, 3), 1e300, dtype=torch.float64), "NaN or infinite values in"),
        ("a.weight", torch.zeros(3, 2), "of shape (3, 2); config.json asks for (2, 3)"),
        ("a.running_var", torch.tensor([1.0, 1.0, -1e-6]), "a negative variance in 'a.running_var"),
        ("mask", torch.ones(2), "of type F32; it must be BOOL"),
        ("a.num_batches_tracked", torch.tensor(5.0), "of type F32; it must be I64"),
    ],
)
def test_a_tensor_that_cannot_be(name: str, value: torch.Tensor, fault: str) -> None:
    assert fault in told(save({**tensors(), name: value}))


def test_a_variance_of_0_is_one(tmp_path: Path) -> None:
    """Of a channel that gives one value for all cells."""
    data = save({**tensors(), "a.running_var": torch.zeros(3)})
    assert not read_weights(data, EXPECTED, PATH)["a.running_var"].any()


def of_header(change: Callable[[dict[str, Any]], object]) -> bytes:
    data = save(tensors())
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    change(header)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data[8 + length :]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda h: h["mask"].update(shape=[2**62, 2**62]), "'mask' of shape (4611686018427387904,"),
        (lambda h: h["mask"].update(shape="2"), "'mask' without a type or a shape"),
        (lambda h: h["mask"].update(dtype=None), "'mask' without a type or a shape"),
        (lambda h: h.update(mask=[1]), "'mask' without a type or a shape"),
        (lambda h: h["mask"].update(data_offsets=[0, 10**15]), "not a readable safetensors file"),
        (lambda h: h.pop("mask"), "lacks the tensor 'mask'"),
        (lambda h: h.update({"\x1b[31m": h["mask"]}), r"unknown tensor '\x1b[31m'"),
    ],
)
def test_a_header_that_lies(change: Callable[[dict[str, Any]], object], fault: str) -> None:
    assert fault in told(of_header(change))


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "it ends in its header"),
        (struct.pack("<Q", 2**63) + b"{}", "its header has 9223372036854775808 bytes"),
        (struct.pack("<Q", 2) + b"[]", "its header names no tensors"),
        (
            struct.pack("<Q", 16) + b'{"a": 1, "a": 2}',
            "header of w.safetensors gives 'a' twice",
        ),
    ],
)
def test_a_header_that_is_none(data: bytes, fault: str) -> None:
    assert fault in told(data)
