"""Changed inputs end in a result or in one clear sentence: a short run of ``benchmarks.fuzz``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the run forks, and reads /proc")

FAULTS = """
import os, sys, time
from pathlib import Path
import numpy as np
from mutations.kinds import Kind
from napari_interpdisc.errors import InvalidInput

def refuse(): raise InvalidInput("This is wrong; give something else.")
def crash(): return 1 / 0
def hang(): time.sleep(60)
def large(): np.ones(2**33)
def debris(): Path("left.txt").write_text("x")
def home(): (Path.home() / ".config").mkdir()
def die(): os.abort()
def colour(): print("\\x1b[31m")
def code(): sys.exit(9)

def change(path, draw): return "nothing"

def make(folder): (folder / "a.txt").write_text("a")

def kind(use): return Kind(use.__name__, "a.txt", change, (use,), make=make)

KINDS = tuple(map(kind, (refuse, crash, hang, large, debris, home, die, colour, code)))
"""
"""Uses of every sort of fault, and one that is refused as it should be."""

COLUMNS = ("inputs", "refused", "warned", "tracebacks", "hangs", "memory", "files")

EXPECTED = {
    "refuse": "", "crash": "tracebacks", "hang": "hangs", "large": "memory", "debris": "files",
    "home": "files", "die": "tracebacks", "colour": "tracebacks", "code": "tracebacks",
}  # fmt: skip
"""Fault that each use is counted as."""


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the script from the repository's root."""
    command = [sys.executable, "-m", "benchmarks.fuzz", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_changed_inputs_are_read_or_refused_in_one_sentence(tmp_path: Path) -> None:
    """Inputs in thousands are tried by hand."""
    done = run("--inputs", "20", "--seed", "7", "--kept", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "seed 7, 20 inputs" in done.stdout


@pytest.mark.slow
def test_every_sort_of_fault_is_counted(tmp_path: Path) -> None:
    kinds = tmp_path / "kinds.py"
    kinds.write_text(FAULTS, "utf-8")
    kept = tmp_path / "kept"
    done = run(
        "--inputs",
        "24",
        "--seed",
        "7",
        "--kinds",
        str(kinds),
        "--kept",
        str(kept),
        "--longest",
        "1",
    )
    assert done.returncode == 1, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    found = {
        row[0]: dict(zip(COLUMNS, map(int, row[1:]), strict=True))
        for row in rows
        if row[0] in EXPECTED
    }
    for name, fault in EXPECTED.items():
        inputs = found[name]["inputs"]
        assert inputs > 0, name
        counted = {column for column in COLUMNS[3:] if found[name][column]}
        assert counted == ({fault} if fault else set()), name
        assert not fault or found[name][fault] == inputs
    note = json.loads(next(kept.glob("7-*-debris-files/note.json")).read_text("utf-8"))
    assert "--seed 7 --first" in note["again"]
    assert note["told"] == "in/left.txt"
