"""Seconds of the scorecard, as a ratio to the encoder's own forward pass of as many crops.

``python benchmarks/scorecard.py`` reads nothing: simulated cells. All are timed in the same run, on
the same number of threads. The scorecard runs once; the forward pass is timed before and after it,
so that what else runs on the machine slows both alike, and its mean counts.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch

from napari_interpdisc.models.store import load_model
from napari_interpdisc.patches import patches_of_crops
from napari_interpdisc.scrutiny.scorecard import ScorecardSettings, score_heads
from napari_interpdisc.scrutiny.segmented import segment_cells
from napari_interpdisc.simulate.crops import CropSimulation, simulate_crops


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Time and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=1000)
    args = parser.parse_args()
    model = load_model(device="cpu")
    options = CropSimulation(side=112, neighbours=(0, 4), noise=(0.02, 0.1))
    patches = patches_of_crops(simulate_crops(args.cells, 0, options)[0], 26.0)
    found = []
    segmenting = seconds(lambda: found.append(segment_cells(patches)))
    (segmentation,) = found
    n, groups = len(segmentation.cells), np.arange(args.cells) // 10
    steps: list[int] = []
    crops = patches.crops(model.crop_size)

    def forward() -> float:
        return seconds(lambda: model.encode(crops)) / len(crops)

    forward()  # the first call prepares the network
    times = [forward()]
    settings = ScorecardSettings()
    heads = [next(iter(model.heads))]
    one = seconds(
        lambda: score_heads(
            segmentation, groups, model, heads, settings, lambda _, total: steps.append(total)
        )
    )
    times.append(forward())
    every = seconds(lambda: score_heads(segmentation, groups, model, None, settings))
    times.append(forward())
    # of the simulated cells, there are fewer
    variants = steps[0] - 1
    shown = variants * n
    bare = float(np.mean(times)) * shown
    print(f"{torch.get_num_threads()} threads, {n} of {args.cells} cells with a mask")
    print(f"sets of changed crops                    {variants:7d}")
    print(f"segmentation                             {segmenting:7.1f} s")
    print(f"scorecard of one head                    {one:7.1f} s")
    print(f"scorecard of {len(model.heads)} heads                     {every:7.1f} s")
    print(f"encoder's forward pass of as many crops  {bare:7.1f} s")
    print(f"one head / forward pass                  {one / bare:7.2f}")
    print(f"one head with segmentation / forward     {(one + segmenting) / bare:7.2f}")
    print(f"{len(model.heads)} heads / one head                       {every / one:7.2f}")


if __name__ == "__main__":
    main()
