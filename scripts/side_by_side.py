"""Run commands side by side, as many at once as there are processors, and tell what each said.

``python scripts/side_by_side.py "ruff check" mypy …``. What a command printed is shown in one piece
once it has ended. Exit code 1 if any of them failed, after all of them ran.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from time import perf_counter


def run(command: str) -> tuple[str, int, str, float]:
    """Run a command: it, its exit code, all that it printed, and the seconds it took."""
    start = perf_counter()
    try:
        ended = subprocess.run(
            shlex.split(command),
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    except OSError as fault:
        return command, 127, f"{fault}\n", perf_counter() - start
    return command, ended.returncode, ended.stdout, perf_counter() - start


def main(commands: list[str]) -> int:
    """Run them all; 1 if any failed."""
    failed = False
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for job in as_completed([pool.submit(run, command) for command in commands]):
            command, code, said, took = job.result()
            word = "ok" if code == 0 else f"FAILED with {code}"
            print(f"$ {command}: {word}, {took:.0f} s\n{said}", end="", flush=True)
            failed |= code != 0
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
