"""Run an experiment in child processes that are killed at random times, and then to its end.

Imports are done once, and children are forked: so a kill costs little, and falls into the work and
not into imports. Each folder is killed once, or twice, and then done. Prints how many kills fell
into a run, and how long a run lasts, as JSON.
"""

import contextlib
import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

from napari_interpdisc.batch.plan import read_plan
from napari_interpdisc.experiment.run import run_plan
from napari_interpdisc.models.store import load_model


def start(path: Path, out: Path, scheduler: str) -> int:
    """Run the plan in a child; returns its id. Its exit code is 0 if all images were done."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        plan = read_plan(path).model_copy(update={"out": out})
        code = int(bool(run_plan(plan, scheduler, 2).failures))
    finally:
        os._exit(code)


def finish(child: int) -> int:
    """Wait for a child; returns its exit code, negative if it was killed."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed_after(seconds: float, path: Path, out: Path, scheduler: str) -> bool:
    """Start a run and kill it; returns whether it was still at work."""
    child = start(path, out, scheduler)
    time.sleep(seconds)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    return finish(child) == -signal.SIGKILL


def main(path: Path, folder: Path, folders: int, seed: int, scheduler: str) -> None:
    """Run as a whole in ``folder/whole``, and killed in ``folder/killed0`` and so on."""
    load_model()  # its imports
    for name in ("first", "whole"):  # the first one is slow: files are read from the disk
        began = time.monotonic()
        assert finish(start(path, folder / name, scheduler)) == 0
        lasts = time.monotonic() - began
    drawn, died = random.Random(seed), 0
    for k in range(folders):
        out = folder / f"killed{k}"
        while not killed_after(drawn.uniform(0, lasts), path, out, scheduler):
            shutil.rmtree(out)  # it was done before: no kill, and the machine is quicker by now
            lasts /= 2
        died += 1
        if k % 2:
            died += killed_after(drawn.uniform(0, lasts / 2), path, out, scheduler)
        assert finish(start(path, out, scheduler)) == 0
    print(json.dumps({"died": died, "seconds": lasts}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
