"""Cells per second of the whole pipeline, as a ratio to the encoder's own forward pass.

``python benchmarks/throughput.py`` simulates nothing and reads nothing: random frames, 100 cells
each. Both are timed in the same run, on the same number of threads; the best of three is printed.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch

from napari_interpdisc.cells import CellTable
from napari_interpdisc.frames import Frames
from napari_interpdisc.models.store import load_model
from napari_interpdisc.pipeline import classify

N_FRAMES, PER_FRAME, SIDE, DIAMETER = 20, 100, 800, 24.0


def best_of_three(work: Callable[[], object]) -> float:
    """Seconds of the fastest of three runs."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    """Time and print."""
    draw = np.random.default_rng(0)
    model = load_model()
    n = N_FRAMES * PER_FRAME
    frames = Frames(draw.integers(0, 4000, (N_FRAMES, SIDE, SIDE), dtype=np.uint16))
    cells = CellTable.from_arrays(
        np.repeat(np.arange(N_FRAMES), PER_FRAME), draw.uniform(0, SIDE - 1, (n, 2))
    )
    crops = draw.standard_normal((n, 1, model.crop_size, model.crop_size)).astype(np.float32)
    bare = best_of_three(lambda: model.encode(crops))
    both = best_of_three(
        lambda: (model.encode(crops), model.decode(np.zeros((n, model.n_latents))))
    )
    whole = best_of_three(lambda: classify(frames, cells, model, DIAMETER))
    print(f"device {model.device}, {torch.get_num_threads()} threads, {n} cells")
    print(f"encoder's forward pass          {n / bare:7.0f} cells/s")
    print(f"encoder and decoder             {n / both:7.0f} cells/s")
    print(f"image + centroids → classes     {n / whole:7.0f} cells/s")
    print(f"whole / forward pass            {bare / whole:7.2f}")
    print(f"whole / (encoder and decoder)   {both / whole:7.2f}")


if __name__ == "__main__":
    main()
