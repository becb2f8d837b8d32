"""Changed inputs, by the thousand: what ends in anything but a result or one clear sentence.

``python -m benchmarks.fuzz --seconds 3600 --seed 0`` changes models, formulas, settings, sessions,
checkpoints, images, tables and command lines, and uses each. ``--inputs 500`` ends after a number
instead. The kinds of inputs are in ``tests/mutations``; a module there with a tuple ``KINDS`` is
found.

Each input is used in a process of its own, forked from one that has imported everything. It may
take 10 s, and little more memory than 2 GB. Seconds in which it could run, and no processor was
free, are left out: how busy a machine is by other work says nothing of an input. Counted are:

tracebacks
    any other exception than the package's own, other exit codes than 0, 1, 2 (and 3 of
    ``interpdisc run``), a fault that is told in more or less than one line, a crash;
hangs
    more than 10 s, or more than 100 s by the clock;
memory
    more than 2 GB, or an allocation that was refused beyond that;
files
    anything that was made, changed or removed outside the folder of results: among the inputs, in
    the home folder, or what is left in the folder for temporary files.

What fails is kept in a folder, with what was printed, and with the command that makes it again.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import hashlib
import json
import os
import resource
import runpy
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # a process with threads must not be forked

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import numpy as np  # noqa: E402

from mutations.kinds import Kind, copy, found_kinds  # noqa: E402
from mutations.shipped import make_inputs  # noqa: E402

LONGEST = 10.0
"""Seconds that an input may take, if nothing else is asked for."""

BUSIEST = 10
"""How many times as long it may take by the clock, on a machine that is busy by other work."""

MOST_MEMORY = 2_000_000_000
"""Bytes that may be resident, in all."""

MORE_ADDRESSES = 3 * 2**30
"""Bytes of addresses that may be taken beyond those of the process that is forked."""

TOLD_EVERY = 500
"""Inputs after which a line tells how far a run is."""

LARGE_PAGES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1", "PYTHONMALLOC": "malloc"}
"""Environment in which memory comes in large pages: to fork and to end take half as long then."""

COUNTED = ("tracebacks", "hangs", "memory", "files")

IMPORTED = (
    "napari_interpdisc.cli.app", "napari_interpdisc.pipeline", "napari_interpdisc.models.store",
    "napari_interpdisc.training.encoder.loop", "napari_interpdisc.session_folder",
    "napari_interpdisc.through_time.result", "napari_interpdisc.scrutiny.attacks",
    "napari_interpdisc.discovery.recipe", "napari_interpdisc.experiment.run", "pandas",
    "pyarrow.parquet", "sympy", "tifffile", "imagecodecs", "zarr", "skimage.measure",
    "scipy.ndimage", "sklearn.linear_model", "matplotlib.figure",
)  # fmt: skip
"""What the forked processes would else import anew, some seconds each time."""


@dataclass(frozen=True)
class Outcome:
    """What became of one input: the fault that is counted, or none, and what is known of it."""

    fault: str
    told: str
    code: int | None = None
    seconds: float = 0.0
    bytes: int = 0
    warned: bool = False


def state_of(folders: list[Path]) -> dict[str, str]:
    """Kind, size and content of every file under some folders, by its path."""
    found = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            about = path.lstat()
            text = f"{about.st_mode:o}"
            if path.is_symlink():
                text += os.readlink(path)
            elif path.is_file() and about.st_size < 2**26:
                text += hashlib.sha256(path.read_bytes()).hexdigest()
            elif path.is_file():
                text += f" {about.st_size} {about.st_mtime_ns}"
            found[str(path)] = text
    return found


def use_here(kind: Kind, which: int, place: Path) -> int:
    """Use an input in this process, which ends afterwards; the exit code."""
    from napari_interpdisc import processes
    from napari_interpdisc.cli.app import main
    from napari_interpdisc.errors import InterpdiscError

    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MORE_ADDRESSES,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.environ.update(HOME=str(place / "home"), TMPDIR=str(place / "tmp"))
    tempfile.tempdir = None
    processes.system_temporary.cache_clear()
    os.chdir(place / "in")
    use = kind.uses[which]
    try:
        if callable(use):
            with processes.temporary_files_together():
                use()
        else:
            sys.argv = ["interpdisc", *use]
            main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except InterpdiscError as fault:
        print(f"Error: {fault}", file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 70
    return 0


def fork(kind: Kind, which: int, place: Path, longest: float) -> tuple[int, bool, int, float]:
    """Use an input in a forked process: exit code, whether it hung, peak of memory, seconds."""
    began = time.monotonic()
    pid = os.fork()
    if pid == 0:
        code = 71
        try:
            os.setsid()
            nothing = os.open(os.devnull, os.O_RDONLY)
            out = os.open(place / "stdout.txt", os.O_WRONLY | os.O_CREAT)
            err = os.open(place / "stderr.txt", os.O_WRONLY | os.O_CREAT)
            for number, stream in enumerate((nothing, out, err)):
                os.dup2(stream, number)
            sys.stdin, sys.stdout, sys.stderr = (
                open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
                for number, mode in ((0, "r"), (1, "w"), (2, "w"))
            )
            code = use_here(kind, which, place)
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code & 0xFF)
    hung, waited = False, 0.0
    while True:
        done, status, used = os.wait4(pid, os.WNOHANG)
        seconds = time.monotonic() - began
        if done:
            break
        waited = waited_for_processor(pid, waited)
        if (seconds - waited > longest or seconds > BUSIEST * longest) and not hung:
            hung = True
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.005)
    seconds -= waited
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)  # workers that it may have left
    return os.waitstatus_to_exitcode(status), hung, used.ru_maxrss * 1024, seconds


def waited_for_processor(pid: int, before: float) -> float:
    """Seconds that a process was ready to run and had no processor; ``before`` if it is gone."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text("ascii").split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return before


def judge(kind: Kind, place: Path, ended: tuple[int, bool, int, float], changed: str) -> Outcome:
    """Decide whether what happened is a fault that is counted."""
    code, hung, most, seconds = ended
    said = (place / "stderr.txt").read_text("utf-8", "replace")
    out = (place / "stdout.txt").read_text("utf-8", "replace")
    lines = [line for line in said.split("\n") if line]
    told = lines[-1] if lines else ""
    warned = any("Warning: " in line for line in lines)
    fault = ""
    if hung:
        fault = "hangs"
    elif most > MOST_MEMORY or "not enough memory" in said or "nable to allocate" in said:
        fault = "memory"
    elif "Traceback (most recent" in said or code not in (0, 1, 2, 3):
        fault = "tracebacks"
    elif code == 1 and sum(line.startswith("Error: ") for line in lines) != 1:
        fault, told = "tracebacks", f"no single sentence: {said[:300]!r}"
    elif any(not c.isprintable() and c not in "\n\t" for c in said + out):
        fault, told = "tracebacks", "a character that commands the terminal was printed"
    elif changed:
        fault, told = "files", changed
    return Outcome(fault, told[:300], code, round(seconds, 2), most, warned)


def compare(before: dict[str, str], after: dict[str, str], place: Path) -> str:
    """What is not as it was, in one line; empty if all is."""
    names = {n for n in before.keys() | after.keys() if before.get(n) != after.get(n)}
    return ", ".join(sorted(str(Path(n).relative_to(place)) for n in names))[:300]


class Fuzz:
    """Draws inputs, uses them, and counts.

    Parameters
    ----------
    seed
        Seed of the run: it and the number of an input decide the input.
    kept
        Folder for what fails.
    kinds
        Kinds of input to draw from.
    longest
        Seconds that an input may take.
    """

    def __init__(self, seed: int, kept: Path, kinds: Sequence[Kind], longest: float) -> None:
        self.seed, self.kept, self.kinds, self.longest = seed, kept, kinds, longest
        self.root = Path(tempfile.mkdtemp(prefix="fuzz-"))
        self.inputs = self.root / "inputs"
        self.inputs.mkdir()
        if any(kind.make is None for kind in self.kinds):
            make_inputs(self.inputs)
        for kind in self.kinds:
            if kind.make is not None:
                kind.make(self.inputs)

    def __call__(self, number: int) -> tuple[Kind, str, Outcome]:
        """Make, use and judge one input."""
        draw = np.random.default_rng([self.seed, number])
        weights = np.array([kind.weight for kind in self.kinds])
        kind = self.kinds[int(draw.choice(len(self.kinds), p=weights / weights.sum()))]
        which = int(draw.integers(len(kind.uses)))
        place = self.root / "input"
        for name in ("in", "out", "home", "tmp"):
            (place / name).mkdir(parents=True)
        for name in {*kind.needs, kind.target.split("/")[0]}:
            copy(self.inputs / name, place / "in" / name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what makes numbers that do not fit
            what = kind.change(place / "in" / kind.target, draw)
        watched = [place / "in", place / "home", place / "tmp"]
        before = state_of(watched)
        ended = fork(kind, which, place, self.longest)
        outcome = judge(kind, place, ended, compare(before, state_of(watched), place))
        if outcome.fault:
            self.keep(number, kind, what, outcome, place)
        shutil.rmtree(place)
        return kind, what, outcome

    def keep(self, number: int, kind: Kind, what: str, outcome: Outcome, place: Path) -> None:
        """Keep what failed; pipes, links and files of gigabytes are made again by the command."""
        folder = self.kept / f"{self.seed}-{number}-{kind.name}-{outcome.fault}"
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("stdout.txt", "stderr.txt"):
            shutil.copyfile(place / name, folder / name)
        for path in sorted((place / "in").rglob("*")):
            if path.is_file() and not path.is_symlink() and path.stat().st_size < 2**24:
                target = folder / path.relative_to(place)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
        again = f"python -m benchmarks.fuzz --seed {self.seed} --first {number} --inputs 1"
        note = {"again": again, "change": what, **vars(outcome)}
        (folder / "note.json").write_text(json.dumps(note, indent=1), "utf-8")

    def close(self) -> None:
        """Remove all but what failed."""
        shutil.rmtree(self.root, ignore_errors=True)


def numbers(first: int, inputs: int | None, seconds: float) -> Iterator[int]:
    """Numbers of inputs, until there were enough or the time is over."""
    began, number = time.monotonic(), first
    while inputs is None or number < first + inputs:
        if inputs is None and time.monotonic() - began > seconds:
            return
        yield number
        number += 1


def main() -> int:
    """Run, and print what was counted; 1 if anything was."""
    asked = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    asked.add_argument("--seconds", type=float, default=60, help="Begin no input after these.")
    asked.add_argument("--inputs", type=int, help="So many inputs, however long they take.")
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--first", type=int, default=0, help="Number of the first input.")
    asked.add_argument(
        "--only", action="append", default=[], help="Kind of input; may be repeated."
    )
    asked.add_argument("--longest", type=float, default=LONGEST, help="Seconds for each input.")
    asked.add_argument("--kinds", type=Path, help="Python file with KINDS, in place of our own.")
    asked.add_argument("--kept", type=Path, default=Path(tempfile.gettempdir()) / "fuzz-kept")
    asked.add_argument("--told", action="store_true", help="Print each input and what was said.")
    given = asked.parse_args()
    if not os.environ.keys() & LARGE_PAGES.keys():
        os.environ.update(LARGE_PAGES)  # it is read as a process begins
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    for name in IMPORTED if given.kinds is None else IMPORTED[:1]:
        __import__(name)
    kinds = found_kinds() if given.kinds is None else runpy.run_path(str(given.kinds))["KINDS"]
    chosen = [kind for kind in kinds if not given.only or kind.name in given.only]
    fuzz = Fuzz(given.seed, given.kept, chosen, given.longest)
    gc.freeze()  # what was imported is shared with the forked processes, and not copied
    began = time.monotonic()
    totals: Counter[str] = Counter()
    counts: dict[str, Counter[str]] = {kind.name: Counter() for kind in chosen}
    faults: list[tuple[int, str, str, Outcome]] = []
    slowest, largest = 0.0, 0
    try:
        for number in numbers(given.first, given.inputs, given.seconds):
            kind, what, outcome = fuzz(number)
            own: dict[str, Any] = {
                "inputs": 1, "refused": outcome.code in (1, 2), "warned": outcome.warned,
                outcome.fault or "fine": 1,
            }  # fmt: skip
            totals.update(own)
            counts[kind.name].update(own)
            slowest, largest = max(slowest, outcome.seconds), max(largest, outcome.bytes)
            if outcome.fault:
                faults.append((number, kind.name, what, outcome))
            if given.told or outcome.fault:
                said = outcome.fault or "fine"
                line = f"{number} {kind.name} {said} {outcome.code}: {what!r} -> {outcome.told}"
                print(line.encode("ascii", "backslashreplace").decode(), flush=True)
            if totals["inputs"] % TOLD_EVERY == 0:
                print(f"{totals['inputs']} inputs, {time.monotonic() - began:.0f} s", flush=True)
    except KeyboardInterrupt:
        pass  # what was counted so far is told
    finally:
        fuzz.close()
    columns = ("inputs", "refused", "warned", *COUNTED)
    print(f"{'kind':14s}" + "".join(f"{name:>11s}" for name in columns))
    for name, counter in (*counts.items(), ("all", totals)):
        print(f"{name:14s}" + "".join(f"{counter[column]:11d}" for column in columns))
    took = time.monotonic() - began
    about = f"seed {given.seed}, {totals['inputs']} inputs, {took:.0f} s"
    print(f"{about}; longest {slowest:.1f} s, most memory {largest / 1e9:.2f} GB")
    if faults:
        print(f"what failed is in {given.kept}")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
