"""Cost of a cell as a movie grows: time and memory from 10³ to 10⁶ cells.

``python benchmarks/growth.py`` takes one noisy frame again and again, 1,000 cells in each; 10⁶ take
some minutes. Each length runs in a process of its own, so that its peak of memory is its own.
``--most 100000`` stops earlier.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np

PER_FRAME, SIDE, DIAMETER = 1000, 1024, 24.0


def one(n: int) -> None:
    """Classify ``n`` cells, and print what that took as JSON."""
    from napari_interpdisc.cells import CellTable
    from napari_interpdisc.frames import Frames
    from napari_interpdisc.models.store import load_model
    from napari_interpdisc.pipeline import classify

    draw = np.random.default_rng(0)
    model, frame = load_model(), draw.integers(0, 4000, (SIDE, SIDE), dtype=np.uint16)
    n_frames = -(-n // PER_FRAME)
    frames = Frames(np.broadcast_to(frame, (n_frames, SIDE, SIDE)))
    t = np.repeat(np.arange(n_frames), PER_FRAME)[:n]
    cells = CellTable.from_arrays(t, draw.uniform(0, SIDE - 1, (n, 2)))
    classify(Frames(frame), cells.take(np.flatnonzero(t == 0)), model, DIAMETER)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    result = classify(frames, cells, model, DIAMETER)
    seconds = time.perf_counter() - start
    assert len(result.scores) == n
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"seconds": seconds, "before": before, "after": after}))


def main() -> None:
    """Run each length, and print the curve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=1_000_000, help="Cells of the longest movie.")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        one(asked.one)
        return
    first = None
    print(
        f"{'cells':>9s} {'µs a cell':>10s} {'of 10⁴':>7s} {'peak, MiB':>10s} {'bytes a cell':>13s}"
    )
    for n in (1000, 10_000, 100_000, 1_000_000):
        if n > asked.most:
            break
        command = [sys.executable, __file__, "--one", str(n)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found = json.loads(done.stdout.splitlines()[-1])
        each = found["seconds"] / n
        first = each if n == 10_000 else first
        ratio = f"{each / first:.2f}" if first else "–"
        grown = (found["after"] - found["before"]) * 1024 / n
        print(
            f"{n:9d} {1e6 * each:10.1f} {ratio:>7s} {found['after'] / 1024:10.0f} {grown:13.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
