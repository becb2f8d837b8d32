"""Whole experiments: cells per second by scheduler, and runs that are killed at random times.

    python -m benchmarks.experiment [--images 4] [--frames 40] [--kills 20]

Simulated movies of about 140 cells a frame. Killed runs must end with the bytes of a whole one.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import tifffile

from napari_interpdisc.batch.plan import read_plan
from napari_interpdisc.experiment.run import run_plan
from napari_interpdisc.simulate.movie import SimulationSettings, simulate_movie

STAND_IN = Path(__file__).parents[1] / "tests" / "experiment" / "stand_in_killed.py"

PLAN = """\
frames_per_block = 10
anndata = true
[images]
pattern = "movies/{name}.tif"
cells = "tracks/{name}.csv"
[reading]
diameter = 22
"""


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def main() -> None:
    """Measure, and print a line for each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--kills", type=int, default=20, help="Folders whose run is killed.")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = simulate_movie(SimulationSettings(shape=(given.frames, 700, 700), cells=120, seed=1))
        for kind in ("movies", "tracks"):
            (folder / kind).mkdir()
        for k in range(given.images):
            tifffile.imwrite(
                folder / "movies" / f"{k}.tif", made.image,
                photometric="minisblack", metadata={"axes": "TYX"},
            )  # fmt: skip
            made.cells.to_frame().to_csv(folder / "tracks" / f"{k}.csv", index=False)
        path = folder / "PLAN.toml"
        path.write_text(PLAN)
        for scheduler, workers in (("threads", 1), ("threads", 2), ("processes", 2)):
            out = folder / f"{scheduler}{workers}"
            result = run_plan(read_plan(path).model_copy(update={"out": out}), scheduler, workers)
            print(f"{scheduler} {workers}: {result.sentence()}")
        began = time.monotonic()
        words = [STAND_IN, path, folder, given.kills, given.seed, "threads"]
        done = subprocess.run(
            [sys.executable, *map(str, words)], capture_output=True, text=True, check=True
        )
        whole = contents(folder / "whole")
        same = sum(contents(folder / f"killed{k}") == whole for k in range(given.kills))
        print(
            f"{json.loads(done.stdout)['died']} kills in {given.kills} folders, "
            f"{same} of them with the same bytes, in {time.monotonic() - began:.0f} s"
        )


if __name__ == "__main__":
    main()
