"""Cost of all flags, as a share of the encoder's own forward pass on the same crops.

``python benchmarks/flags.py`` reads nothing: random crops. Spectra and densities are taken of
every cell, measures of the pixels of a sample. The best of three runs is printed.
"""

from __future__ import annotations

import numpy as np
import torch

from napari_interpdisc.checks import SAMPLE, check_movie
from napari_interpdisc.crop_measures import measure_crops, spectra
from napari_interpdisc.models.store import load_model
from throughput import best_of_three

CELLS, BATCH = 10_000, 1000


def main() -> None:
    """Time and print."""
    model = load_model()
    known = model.familiarity
    assert known is not None
    draw = np.random.default_rng(0)
    crops = draw.standard_normal((CELLS, 1, model.crop_size, model.crop_size)).astype(np.float32)
    latents = model.encode(crops)[0]
    forward = best_of_three(lambda: model.encode(crops))

    def taken() -> np.ndarray:
        return np.concatenate([spectra(crops[i : i + BATCH]) for i in range(0, CELLS, BATCH)])

    power = taken()
    costs = {
        "spectra of all cells": best_of_three(taken),
        "densities of all cells": best_of_three(lambda: known.surprises(latents, power)),
        f"checks on {SAMPLE} cells": best_of_three(
            lambda: check_movie(
                measure_crops(crops[:SAMPLE]), model.model_diameter, model.model_diameter, known
            )
        ),
    }
    print(f"device {model.device}, {torch.get_num_threads()} threads, {CELLS} cells")
    print(f"encoder's forward pass     {1e6 * forward / CELLS:6.1f} µs a cell")
    for name, seconds in {**costs, "all flags": sum(costs.values())}.items():
        print(f"{name:25s}  {1e6 * seconds / CELLS:6.2f} µs a cell {seconds / forward:7.2%}")


if __name__ == "__main__":
    main()
