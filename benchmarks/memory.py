"""Peak memory of classifying a 100,000-cell movie that is larger than what may be held.

``python benchmarks/memory.py [--cells 100000]``: frames are made on demand by dask (512×512,
uint16, 100 cells each), so that only what the pipeline keeps counts. Prints the growth of the peak
resident memory over what the loaded model takes, next to the size of the movie and of the result.
"""

from __future__ import annotations

import argparse
import resource
import time

import dask.array as da
import numpy as np

from napari_interpdisc.cells import CellTable
from napari_interpdisc.frames import Frames
from napari_interpdisc.models.store import load_model
from napari_interpdisc.pipeline import classify

PER_FRAME, SIDE = 100, 512


def peak_mib() -> float:
    """Peak resident memory of this process in MiB (Linux)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Run once and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=100_000)
    n = parser.parse_args().cells
    n_frames = n // PER_FRAME
    draw = np.random.default_rng(0)
    movie = da.random.default_rng(0).integers(
        0, 4000, (n_frames, SIDE, SIDE), dtype=np.uint16, chunks=(1, SIDE, SIDE)
    )
    cells = CellTable.from_arrays(
        np.repeat(np.arange(n_frames), PER_FRAME), draw.uniform(0, SIDE - 1, (n, 2))
    )
    model = load_model()
    warm = cells.take(np.arange(2 * PER_FRAME))
    classify(Frames(movie), warm, model, 24.0)
    before, start = peak_mib(), time.perf_counter()
    result = classify(Frames(movie), cells, model, 24.0)
    seconds = time.perf_counter() - start
    kept = result.encoding.latents.nbytes
    print(f"{n} cells in {n_frames} frames, {n / seconds:.0f} cells/s")
    crops = n * 64 * 64 * 4 / 2**20
    print(f"movie {movie.nbytes / 2**20:.0f} MiB, all crops would take {crops:.0f} MiB")
    print(f"result {kept / 2**20:.0f} MiB, growth of the peak {peak_mib() - before:.0f} MiB")


if __name__ == "__main__":
    main()
