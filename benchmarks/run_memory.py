"""Memory of a whole experiment by the cells of an image, for each kind of its work.

``python benchmarks/run_memory.py [--most 100000]`` writes a movie with 1,000 cells a frame and its
tracks of 100 frames as CSV, and does the work of ``interpdisc run`` on it: an image is begun, its
blocks of 20 frames are classified one after the other, its tracks are summarised, and all cells are
written as AnnData. Each number of cells has a process of its own. Linux only, which tells the peak
of memory since it was last asked.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile

PER_FRAME, SIDE, TRACK = 1000, 512, 100

PLAN = """\
[images]
pattern = "{name}.tif"
cells = "{name}.csv"
[reading]
diameter = 24
"""


def write_movie(folder: Path, n: int) -> None:
    """A movie of noise, and cells that hardly move."""
    draw = np.random.default_rng(0)
    frames = n // PER_FRAME
    frame = draw.integers(0, 4000, (SIDE, SIDE), dtype=np.uint16)
    movie = np.broadcast_to(frame, (frames, SIDE, SIDE))
    tifffile.imwrite(folder / "a.tif", movie, photometric="minisblack", metadata={"axes": "TYX"})
    t, cell = np.repeat(np.arange(frames), PER_FRAME), np.tile(np.arange(PER_FRAME), frames)
    yx = draw.uniform(1, SIDE - 2, (PER_FRAME, 2))[cell] + draw.uniform(-1, 1, (n, 2))
    table = {"t": t, "y": yx[:, 0], "x": yx[:, 1], "track_id": cell + t // TRACK * PER_FRAME}
    pd.DataFrame(table).to_csv(folder / "a.csv", index=False)
    (folder / "PLAN.toml").write_text(PLAN, "utf-8")


def memory(what: str) -> float:
    """MiB of this process: ``VmRSS`` now, or ``VmHWM`` at most since :func:`forget`."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what)) / 1024


def forget() -> None:
    """Let the peak begin anew."""
    Path("/proc/self/clear_refs").write_text("5")


def one(folder: Path) -> None:
    """Do the work, and print seconds and peaks as JSON."""
    from napari_interpdisc.batch.inputs import find_items
    from napari_interpdisc.batch.plan import read_plan
    from napari_interpdisc.batch.run_folder import WORK, ImageFolder, read_note
    from napari_interpdisc.experiment.anndata import write_run_anndata
    from napari_interpdisc.experiment.parts import classify_block, finish, prepare
    from napari_interpdisc.experiment.run import absolute

    plan = read_plan(folder / "PLAN.toml")
    item, root = absolute(find_items(plan.images)[0]), folder / "results"
    (root / WORK / "images").mkdir(parents=True)
    found = {}

    def measured(name: str, work: Callable[[], object]) -> object:
        before, start = memory("VmRSS"), time.perf_counter()
        forget()
        out = work()
        found[name] = [time.perf_counter() - start, memory("VmHWM"), memory("VmHWM") - before]
        return out

    ready = measured("begin", lambda: prepare(item, plan, root))
    numbers = [number for number, _ in ready.data["blocks"]]  # type: ignore[attr-defined]
    classify_block(item, plan, root, numbers[0])  # loads the model
    measured("classify", lambda: [classify_block(item, plan, root, k) for k in numbers])
    outcome = measured("summarise", lambda: finish(item, plan, root))
    assert not outcome.fault, outcome.fault  # type: ignore[attr-defined]
    note = read_note(ImageFolder(root, item.name, item.well).note)
    assert note is not None
    measured("AnnData", lambda: write_run_anndata(root, note["parts"], {}))
    print(json.dumps(found))


def main() -> None:
    """Run each number of cells, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=100_000, help="Cells of the largest image.")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        one(asked.one)
        return
    print(f"{'cells':>9s} {'work':10s} {'µs a cell':>10s} {'peak, MiB':>10s} {'bytes a cell':>13s}")
    for n in (10_000, 100_000, 500_000):
        if n > asked.most:
            break
        with tempfile.TemporaryDirectory() as name:
            write_movie(Path(name), n)
            command = [sys.executable, __file__, "--one", name]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        for work, (seconds, peak, grown) in json.loads(done.stdout.splitlines()[-1]).items():
            each = grown * 2**20 / n
            print(f"{n:9d} {work:10s} {1e6 * seconds / n:10.1f} {peak:10.0f} {each:13.0f}")


if __name__ == "__main__":
    main()
