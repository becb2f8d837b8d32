"""Seeded changes of a stored model, as damage or a stranger would make them.

Tests and fuzz runs share this. Each change is one call; the hashes are made right again, as whoever
tampers with a folder can, except where a wrong hash is the change.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, load_file, save

from .kinds import Draw, pick

WEIGHTS, CARD, CONFIG = "weights.safetensors", "card.md", "config.json"

DEEP = "[" * 100_000 + "]" * 100_000

VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 7, 16, 1600, 4096, 2**31, 2**63, 10**18, -(10**18), 10**400,
    0.5, -0.5, 1e-6, 1e-308, 1e19, 1e38, 3e38, 1e308, -1e308, float("nan"), float("inf"),
    "", " ", "x", "z0", "1/0", "exp(exp(exp(z0*100)))", "log(-1 - z0**2)", "z999", "Interphase",
    "\x00", "a\x00b", "\ud800", "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "[/x]", "[bold]", "a\nb",
    "\u202egnp", "\u2028", "é", "名", "<b>x</b>", "../../etc/passwd", "/dev/zero", "x" * 100_000,
    [], {}, [0], [[0, 1]], [[0, 0]], [[]], [None], ["a"], ["a", "a"], ["a", "b"], [1] * 10_000,
    {"a": 1}, {"name": "x"},
)  # fmt: skip
"""What takes the place of a value in ``config.json``."""

DTYPES = (
    torch.float64, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2,
    torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64, torch.bool, torch.complex64,
)  # fmt: skip

NUMBERS = (
    float("nan"), float("inf"), -float("inf"), 3e38, -3e38, 1e30, 1e19, 1e-45, 0.0, -1.0, -1e-6,
)  # fmt: skip


def encoder_digest(weights: bytes) -> str:
    """Hash that heads must name, of the encoder in a file of weights."""
    digest = hashlib.sha256()
    own = "encoder_decoder."
    for name, tensor in sorted(load(weights).items()):
        if name.startswith(own):
            values = tensor.to(torch.float32 if tensor.is_floating_point() else tensor.dtype)
            numbers = values.numpy()
            digest.update(f"{name.removeprefix(own)} {numbers.dtype.str} {numbers.shape} ".encode())
            digest.update(numbers.tobytes())
    return digest.hexdigest()


def sign(folder: Path) -> None:
    """Make the hashes in ``config.json`` those of the files, where both can be read."""
    try:
        config = json.loads((folder / CONFIG).read_text("utf-8"))
        try:
            encoder = encoder_digest((folder / WEIGHTS).read_bytes())
            for head in config["heads"]:
                head["encoder_sha256"] = encoder
        except (SafetensorError, ValueError, RuntimeError):
            pass  # the weights are beyond reading
        for name in (WEIGHTS, CARD):
            config["sha256"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        (folder / CONFIG).write_text(json.dumps(config), "utf-8")
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return


def _places(node: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Ways to every value in a tree of JSON."""
    own = [at] if at else []
    items: Any = ()
    if isinstance(node, dict):
        items = node.items()
    elif isinstance(node, list):
        items = list(enumerate(node))[:6]
    return own + [place for key, value in items for place in _places(value, (*at, key))]


def _holder(config: Any, place: tuple[Any, ...]) -> Any:
    for key in place[:-1]:
        config = config[key]
    return config


def _place_of(draw: Draw, config: Any) -> tuple[Any, ...]:
    """A way to a value; those of few values are taken as often as those of many."""
    places = [place for place in _places(config) if place[0] != "sha256" or draw.random() < 0.1]
    top = pick(draw, sorted({place[0] for place in places}))
    return tuple(pick(draw, [place for place in places if place[0] == top]))


def config_value(folder: Path, draw: Draw) -> str:
    """Replace a value of ``config.json``."""
    config = json.loads((folder / CONFIG).read_text("utf-8"))
    place, value = _place_of(draw, config), pick(draw, VALUES)
    _holder(config, place)[place[-1]] = value
    (folder / CONFIG).write_text(json.dumps(config), "utf-8")
    return f"{'.'.join(map(str, place))} = {str(value)[:40]!r}"


def config_structure(folder: Path, draw: Draw) -> str:
    """Drop, rename, double, multiply, nest, scale or write twice a value of ``config.json``."""
    path = folder / CONFIG
    config = json.loads(path.read_text("utf-8"))
    place = _place_of(draw, config)
    holder, key = _holder(config, place), place[-1]
    what = pick(draw, ("drop", "add", "double", "many", "nest", "scale", "twice", "text"))
    value = holder[key]
    if what == "drop":
        del holder[key]
    elif what == "add":
        holder.update({"spare": value}) if isinstance(holder, dict) else holder.append(value)
    elif what == "double":
        holder[key] = value + value if isinstance(value, (list, str)) else [value, value]
    elif what == "many":
        holder[key] = (value if isinstance(value, list) else [value]) * 3_000
    elif what == "nest":
        holder[key] = [[value]]
    elif what == "scale":
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        holder[key] = value * 10 ** int(draw.integers(-9, 40)) if number else str(value)
    elif what == "twice" and isinstance(holder, dict):
        holder["MARK"] = value
        text = json.dumps(config).replace('"MARK"', json.dumps(key), 1)
        path.write_text(text, "utf-8")
        return f"{what} {'.'.join(map(str, place))}"
    else:
        holder[key] = json.dumps(value)
    path.write_text(json.dumps(config), "utf-8")
    return f"{what} {'.'.join(map(str, place))}"


def config_bytes(folder: Path, draw: Draw) -> str:
    """Damage the bytes of ``config.json``."""
    path = folder / CONFIG
    data = bytearray(path.read_bytes())
    what = pick(draw, ("cut", "flip", "deep", "utf16", "bom", "nul", "long", "empty", "latin"))
    if what == "cut":
        data = data[: int(draw.integers(len(data)))]
    elif what == "flip":
        for at in draw.integers(len(data), size=4):
            data[int(at)] ^= 1 << int(draw.integers(8))
    elif what == "utf16":
        data = bytearray(data.decode("utf-8", "replace").encode("utf-16"))
    else:
        data = {
            "deep": bytearray(b'{"name": ' + DEEP.encode() + b"," + data[1:]),
            "bom": bytearray(b"\xef\xbb\xbf" + data),
            "nul": bytearray(data[:9] + b"\0" + data[9:]),
            "long": bytearray(b'{"name": "' + b"x" * 20_000_000 + b'",' + data[1:]),
            "empty": bytearray(),
            "latin": bytearray(data.replace(b"a", b"\xe9", 1)),
        }[what]
    path.write_bytes(data)
    return what


def tensor_values(folder: Path, draw: Draw) -> str:
    """Write odd numbers into a tensor; every third time into a variance."""
    tensors = load_file(folder / WEIGHTS)
    floats = sorted(name for name, tensor in tensors.items() if tensor.is_floating_point())
    variances = [name for name in floats if name.endswith("running_var")]
    name = pick(draw, variances if draw.random() < 0.3 else floats)
    value, tensor = pick(draw, NUMBERS), tensors[name]
    if draw.random() < 0.5:
        tensor.fill_(value)
    else:
        tensor.view(-1)[int(draw.integers(tensor.numel()))] = value
    (folder / WEIGHTS).write_bytes(save(tensors))
    return f"{name} = {value}"


def tensor_form(folder: Path, draw: Draw) -> str:
    """Give a tensor another type or shape, another name, leave it out or add one."""
    tensors = load_file(folder / WEIGHTS)
    name = pick(draw, sorted(tensors))
    what = pick(draw, ("dtype", "dtype", "all", "shape", "drop", "rename", "add", "large"))
    if what in ("dtype", "all"):
        dtype = pick(draw, DTYPES)
        for some in sorted(tensors) if what == "all" else [name]:
            value = tensors[some].to(torch.float32).nan_to_num()
            tensors[some] = value.to(dtype)
        if dtype is torch.float64 and what == "dtype":
            tensors[name] = tensors[name] * 0 + 1e300
        what = f"{what} {dtype}"
    elif what == "shape":
        shape = pick(draw, ((-1,), (1, -1), (-1, 1, 1)))
        tensors[name] = tensors[name].reshape(shape)
    elif what == "drop":
        del tensors[name]
    elif what == "rename":
        tensors[pick(draw, ("", "x", name + ".x", "\x1b[31m", "a" * 10_000))] = tensors.pop(name)
    elif what == "add":
        tensors[name + pick(draw, ("2", ".é", "\n"))] = torch.zeros(2)
    else:
        tensors[name] = torch.zeros(1_000_000)
    (folder / WEIGHTS).write_bytes(save(tensors))
    return f"{what} {name}"


def weights_header(folder: Path, draw: Draw) -> str:
    """Write another header of ``weights.safetensors``, or damage its bytes."""
    path = folder / WEIGHTS
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header, rest = json.loads(data[8 : 8 + length]), data[8 + length :]
    names = [name for name in header if name != "__metadata__"]
    name = pick(draw, names)
    what = pick(
        draw,
        ("length", "cut", "flip", "tail", "deep", "twice", "offsets", "shape", "dtype", "meta"),
    )
    text = ""
    if what == "length":
        size = pick(draw, (0, 1, length - 1, length + 8, 2**31, 2**63, 2**64 - 1, 100_000_001))
        path.write_bytes(struct.pack("<Q", size) + data[8:])
    elif what == "cut":
        path.write_bytes(data[: int(draw.integers(len(data)))])
    elif what == "flip":
        changed = bytearray(data)
        for at in draw.integers(min(len(data), length + 200), size=4):
            changed[int(at)] ^= 1 << int(draw.integers(8))
        path.write_bytes(changed)
    elif what == "tail":
        path.write_bytes(data + b"\0" * 64)
    elif what == "deep":
        text = '{"x": ' + DEEP + "}"
    elif what == "twice":
        text = json.dumps(header)[:-1] + f", {json.dumps(name)}: {json.dumps(header[name])}" + "}"
    else:
        values: dict[str, tuple[Any, ...]] = {
            "offsets": ([0, 10**18], [-4, 0], [4, 0], [0, 0], ["0", "4"], [0], None),
            "shape": ([10**18], [2**40, 2**40], [-1], [], [0], "6", None, [1] * 5000, [1.5]),
            "dtype": ("F4", "F8_E8M0", "I64", "U64", "BOOL", "C64", "", None, 32, "f32", "F64"),
        }
        if what == "meta":
            header["__metadata__"] = pick(draw, ({"a": 1}, [], {"a": "\x1b[31m"}, None, "x"))
        else:
            field = "data_offsets" if what == "offsets" else what
            header[name][field] = pick(draw, values[what])
        text = json.dumps(header)
    if text:
        path.write_bytes(struct.pack("<Q", len(text)) + text.encode() + rest)
    return f"{what} {name}"


def file_kind(folder: Path, draw: Draw) -> str:
    """Put something else in the place of a file: what blocks, never ends, or lies elsewhere."""
    name = pick(draw, (WEIGHTS, CARD, CONFIG))
    path, kinds = folder / name, ("fifo", "folder", "socket", "out", "loop", "device", "huge")
    what = pick(draw, (*kinds, "missing", "empty", "unsigned"))
    data = path.read_bytes()
    path.unlink()
    if what == "fifo":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    elif what == "socket":
        with socket.socket(socket.AF_UNIX) as made:
            here = os.getcwd()
            os.chdir(folder)  # the name of a socket may have about 100 characters
            made.bind(name)
            os.chdir(here)
    elif what == "out":
        (folder.parent / f"outside-{name}").write_bytes(data)
        path.symlink_to(folder.parent / f"outside-{name}")
    elif what == "loop":
        path.symlink_to(path.name)
    elif what == "device":
        path.symlink_to(pick(draw, ("/dev/zero", "/dev/tty", "/proc/self/mem")))
    elif what == "huge":
        with path.open("wb") as file:
            file.write(data)
            file.truncate(20 * 2**30)
    elif what == "empty":
        path.touch()
    elif what == "unsigned":
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    return f"{what} {name}"


CHANGES: tuple[Callable[[Path, Draw], str], ...] = (
    config_value, config_value, config_structure, config_bytes, tensor_values, tensor_form,
    weights_header, file_kind,
)  # fmt: skip
"""Every kind of change; values of the config are the most of what there is."""


def mutate_model(folder: Path, seed: int) -> str:
    """Change the model in ``folder`` in one way that ``seed`` decides, and say what was changed."""
    draw = np.random.default_rng(seed)
    change = CHANGES[seed % len(CHANGES)]
    told = change(folder, draw)
    if change in (tensor_values, tensor_form, weights_header):
        sign(folder)
    return f"{change.__name__}: {told}"
