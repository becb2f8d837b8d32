"""Units of work for tests, in a module that worker processes can import."""

import multiprocessing
import os
import time
from pathlib import Path

import numpy as np


def square(number: int) -> dict[str, object]:
    """Square of a number, with what the process that made it is like."""
    import torch

    return {
        "number": number,
        "square": np.int64(number) ** 2,
        "pid": os.getpid(),
        "threads": torch.get_num_threads(),
    }


def fail_on_two(number: int) -> dict[str, object]:
    """Fail at the unit 2."""
    if number == 2:
        raise ValueError("two cannot be done")
    return {"number": number}


def unstorable(number: int) -> dict[str, object]:
    """Return what is no JSON."""
    return {"number": {number}}


def slow_but_the_first(number: int, note: str) -> dict[str, object]:
    """Write down the process, and take minutes unless the number is 0."""
    (Path(note) / f"{number}.pid").write_text(str(os.getpid()))
    if number:
        time.sleep(600)
    return {"number": number}


def main(folder: str) -> None:
    """Be the parent of workers, until somebody ends it."""
    from napari_interpdisc.batch.units import run_units

    units = {Path(folder) / f"{n}.json": (n, folder) for n in (1, 2, 3)}
    for _ in run_units(slow_but_the_first, units, jobs=2):
        pass


if __name__ == "__main__":
    import sys

    assert multiprocessing.parent_process() is None
    # workers import this file by its name, not as a script
    sys.path.insert(0, str(Path(__file__).parent))
    import stand_in_work

    stand_in_work.main(sys.argv[1])
