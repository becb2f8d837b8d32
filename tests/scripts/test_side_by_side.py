"""Checks that run side by side: each is told in one piece, and one failure fails all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "side_by_side.py"


def run(*commands: str) -> tuple[int, str]:
    ended = subprocess.run(
        [sys.executable, "-I", str(SCRIPT), *commands],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert not ended.stderr
    return ended.returncode, ended.stdout


def test_one_failure_fails_all_and_all_of_them_run() -> None:
    code, out = run("sh -c 'echo broken >&2; exit 3'", "echo fine", "no-such-command-anywhere")
    assert code == 1
    assert "exit 3': FAILED with 3, 0 s\nbroken\n" in out
    assert "$ echo fine: ok, 0 s\nfine\n" in out
    assert "$ no-such-command-anywhere: FAILED with 127" in out


def test_nothing_failed() -> None:
    assert run("true", "true")[0] == 0
