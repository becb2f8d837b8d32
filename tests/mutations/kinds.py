"""Kinds of input that a fuzz run changes, and changes that fit any file.

A module of this folder that has a tuple ``KINDS`` is found by ``benchmarks/fuzz.py``; see
:func:`found_kinds`.
"""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Draw = np.random.Generator
Change = Callable[[Path, Draw], str]
"""Changes the file or folder at a path in one way, and says which."""

Use = Sequence[str] | Callable[[], object]
"""Words of a command line, or a function; either runs in the folder of the inputs, and writes to
``../out`` alone."""


@dataclass(frozen=True)
class Kind:
    """One kind of input.

    Attributes
    ----------
    name
        What it is called in the report.
    target
        File or folder that is changed, by its name among the inputs.
    change
        How.
    uses
        What is done with it: one of these, drawn for each input.
    needs
        Other inputs that the uses read.
    make
        Writes the target, unchanged, into the folder of inputs; None if it is there already.
    weight
        How often it is drawn.
    """

    name: str
    target: str
    change: Change
    uses: tuple[Use, ...]
    needs: tuple[str, ...] = ()
    make: Callable[[Path], None] | None = None
    weight: float = 1.0


def found_kinds() -> tuple[Kind, ...]:
    """Kinds of all modules beside this one; each is imported."""
    here = Path(__file__).parent
    package = __name__.rpartition(".")[0]
    names = sorted(path.stem for path in here.glob("*.py") if path.stem != "__init__")
    modules = (importlib.import_module(f"{package}.{name}") for name in names)
    found = [kind for module in modules for kind in getattr(module, "KINDS", ())]
    return tuple(sorted(found, key=lambda kind: kind.name))


def pick(draw: Draw, values: Any) -> Any:
    """One of some values."""
    return values[int(draw.integers(len(values)))]


def damage(data: bytes, draw: Draw) -> tuple[bytes, str]:
    """Bytes that a copy, a disk or a stranger has damaged, and in which way."""
    what = pick(draw, ("cut", "flip", "flips", "nul", "random", "double", "lost", "number", "head"))
    changed, n = bytearray(data), len(data)
    at = int(draw.integers(max(n, 1)))
    length = min(int(2 ** draw.uniform(0, 12)), n - at)
    if what == "cut":
        changed = changed[:at]
    elif what == "flip" and n:
        changed[at] ^= 1 << int(draw.integers(8))
    elif what == "flips" and n:
        for place in draw.integers(n, size=32):
            changed[int(place)] = int(draw.integers(256))
    elif what == "nul":
        changed[at : at + length] = bytes(length)
    elif what == "random":
        changed[at : at + length] = draw.bytes(length)
    elif what == "double":
        changed[at:at] = changed[at : at + length]
    elif what == "lost":
        del changed[at : at + length]
    elif what == "number":
        value = pick(draw, (0, 1, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1))
        text = int(value).to_bytes(8, pick(draw, ("little", "big")))[: pick(draw, (2, 4, 8))]
        changed[at : at + len(text)] = text
    elif n:  # the beginning of a file says most of what the rest is
        for place in draw.integers(min(n, 256), size=3):
            changed[int(place)] = int(draw.integers(256))
    return bytes(changed), f"{what} at {at} of {n}"


def damage_file(path: Path, draw: Draw) -> str:
    """Damage the bytes of a file, or of one file of a folder."""
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        file = pick(draw, files)
        if draw.random() < 0.1:
            file.unlink()
            return f"lost {file.relative_to(path)}"
    else:
        file = path
    data, told = damage(file.read_bytes(), draw)
    file.write_bytes(data)
    return f"{file.name}: {told}"


def copy(source: Path, target: Path) -> None:
    """Copy a file or a folder."""
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)
