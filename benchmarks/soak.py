"""Memory, handles and threads over an hour of the same work: ``python benchmarks/soak.py``.

One process classifies simulated movies that it reads from a TIFF file, writes the tables, trains a
small head and tests it, again and again. ``--seconds`` says for how long. The first tenth of the
time is not counted: caches fill. At the end stand the slopes of what is left, of a straight line
that was fitted to all rounds.
"""

from __future__ import annotations

import argparse
import gc
import os
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

EVERY = 300
"""Seconds between two lines."""


def resident() -> float:
    """Resident memory, MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 2**20


def handles() -> int:
    """Open file descriptors."""
    return len(os.listdir("/proc/self/fd"))


class Round:
    """What is done again and again."""

    def __init__(self, folder: Path) -> None:
        import tifffile

        from napari_interpdisc.models.store import load_model
        from napari_interpdisc.simulate.movie import SimulationSettings, simulate_movie

        made = simulate_movie(SimulationSettings(shape=(6, 400, 400), cells=40, seed=0))
        self.image, self.folder, self.model = folder / "movie.tif", folder, load_model()
        tifffile.imwrite(self.image, made.image, photometric="minisblack", metadata={"axes": "TYX"})
        self.cells, self.labels = made.cells, made.labels

    def __call__(self) -> int:
        """Do it once; the number of cells."""
        from napari_interpdisc._types import silent
        from napari_interpdisc.discovery.recipe import LabelledCells, Recipe, Steps, fit_heads
        from napari_interpdisc.io.images import read_frames
        from napari_interpdisc.io.results import write_table
        from napari_interpdisc.patches import patches_of_cells
        from napari_interpdisc.pipeline import classify
        from napari_interpdisc.scrutiny.composites import segment_cells
        from napari_interpdisc.scrutiny.scorecard import ScorecardSettings, score_head

        frames = read_frames(self.image)
        result = classify(frames, self.cells, self.model, 28.0, properties=True)
        write_table(result.to_frame(), result.settings, self.folder / "out.csv")
        z = result.encoding.latents
        large = z[:, 0] > np.median(z[:, 0])
        labelled = LabelledCells(
            z, z[None], large.astype(np.int64), self.cells.track_id, ("small", "large")
        )
        fit_heads(labelled, Recipe(kinds=("dense",), curve=False), Steps(silent, 1))
        some = self.cells.take(np.arange(0, len(self.cells), 20))
        patches = patches_of_cells(frames, some, 28.0)
        quick = ScorecardSettings(angles=4, simulated=0, shortcut=False)
        score_head(segment_cells(patches), some.track_id, self.model, settings=quick)
        return len(z)


def main() -> None:
    """Repeat the round, and print what is held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=3600)
    asked = parser.parse_args()
    began, told, rows, cells = time.monotonic(), -EVERY, [], 0
    print(f"{'min':>5s} {'rounds':>7s} {'MiB':>7s} {'handles':>8s} {'threads':>8s}")
    with tempfile.TemporaryDirectory() as place:
        work = Round(Path(place))
        while (passed := time.monotonic() - began) < asked.seconds:
            cells += work()
            gc.collect()
            rows.append((passed, resident(), handles(), threading.active_count()))
            if passed - told >= EVERY:
                told = passed
                held = rows[-1]
                line = f"{passed / 60:5.0f} {len(rows):7d} {held[1]:7.0f} {held[2]:8d} {held[3]:8d}"
                print(line, flush=True)
    values = np.array(rows)
    later = values[values[:, 0] > asked.seconds / 10]
    hours = later[:, 0] / 3600
    slopes = [float(np.polyfit(hours, later[:, k], 1)[0]) for k in (1, 2, 3)]
    names = ("MiB", "handles", "threads")
    print(f"{len(rows)} rounds, {cells} cells, {asked.seconds} s")
    for name, slope, k in zip(names, slopes, (1, 2, 3), strict=True):
        low, high = later[:, k].min(), later[:, k].max()
        print(f"{name:8s} {low:.0f} to {high:.0f}, {slope:+.2f} an hour")


if __name__ == "__main__":
    main()
