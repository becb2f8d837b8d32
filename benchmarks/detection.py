"""Recall, precision and estimated diameter of the plain detector on labelled real frames.

Run: OMP_NUM_THREADS=1 python benchmarks/detection.py [every n-th frame, default 8]

The frames are those that experiments/fetch_data.py fetches; INTERPDISC_DATA names another folder.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tifffile

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.frames import Frames
from napari_interpdisc.nuclei.detection import detect_nuclei, segment_nuclei
from napari_interpdisc.nuclei.diameter import diameter_from_labels, estimate_diameter

DATA = Path(os.environ.get("INTERPDISC_DATA") or Path(__file__).parents[1] / "experiments" / "data")


def score(yx: npt.NDArray[np.float64], labels: npt.NDArray[np.uint16]) -> tuple[int, int, int]:
    """Count labelled nuclei, detections, and nuclei that at least one detection falls in."""
    if not len(yx):
        return int((np.unique(labels) != 0).sum()), 0, 0
    at = np.rint(yx).astype(int).clip(0, np.array(labels.shape) - 1)
    hit = labels[at[:, 0], at[:, 1]]
    return int((np.unique(labels) != 0).sum()), len(yx), len(np.unique(hit[hit > 0]))


def benchmark(name: str, paths: list[Path], given: bool = False) -> None:
    """Print figures for one set of frames, the diameter estimated or given from the labels."""
    totals = np.zeros(3, dtype=int)
    ratios, seconds, recalls = [], [], []
    for path in paths:
        image, labels = tifffile.imread(path)
        try:
            true = diameter_from_labels(labels)
        except InvalidInput:
            continue  # a frame that nobody labelled
        start = time.perf_counter()
        try:
            found = estimate_diameter(Frames(image))
            yx = detect_nuclei(image.astype(np.float32), true if given else found)
        except InvalidInput:
            found, yx = np.nan, np.empty((0, 2))
        seconds.append(time.perf_counter() - start)
        ratios.append(found / true)
        counts = score(yx, labels)
        totals += counts
        recalls.append(counts[2] / counts[0])
        if "-v" in sys.argv and not abs(ratios[-1] - 1) < 0.15:
            print(f"    {path.stem}: {found:.1f} px for {true:.1f} px, recall {recalls[-1]:.2f}")
    within = np.mean(np.abs(np.array(ratios) - 1) < 0.15)
    print(
        f"{name:24s} {len(ratios):4d} frames {totals[0]:6d} nuclei  "
        f"recall {totals[2] / totals[0]:.3f}  precision {totals[2] / totals[1]:.3f}  "
        f"diameter: within 15 % on {within:.0%}, median ratio {np.nanmedian(ratios):.2f}  "
        f"{np.mean(seconds):.2f} s a frame"
    )


def main() -> None:
    """Benchmark every set."""
    step = int(next((a for a in sys.argv[1:] if a.isdigit()), 8))
    hela = sorted((DATA / "hela_ctc").glob("*.tif"))[::step]
    stills = sorted((DATA / "nuclei_frames").glob("*.tif"))
    for given in (False, True):
        print("diameter given" if given else "diameter estimated")
        benchmark("hela_ctc", hela, given)
        benchmark(
            "nuclei_frames/dsb2018", [p for p in stills if "dsb" in p.name][:: 2 * step], given
        )
        benchmark("nuclei_frames/others", [p for p in stills if "dsb" not in p.name][::3], given)
    movie = tifffile.imread(DATA / "hela_20x_movie.tif")
    diameter = estimate_diameter(Frames(movie))
    n = [int(segment_nuclei(movie[t].astype(np.float32), diameter).max()) for t in (0, 5, 9)]
    print(
        f"hela_20x_movie: estimated diameter {diameter:.1f} px (50 by README), "
        f"nuclei in frames 0, 5, 9: {n}"
    )


if __name__ == "__main__":
    main()
