"""What a cell costs, stage by stage, of one core; and batches side by side against one on all.

``python benchmarks/stages.py`` takes the demo's movie with its masks, 12 frames. Stages take turns,
and the least processor time of each is told, so that ratios nearly hold beside other work.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import torch

from napari_interpdisc._types import Precision
from napari_interpdisc.cells import CellTable
from napari_interpdisc.crop_measures import spectra
from napari_interpdisc.crops import cut_crops, iter_cells, normalise
from napari_interpdisc.demo import fetch_hela_movie
from napari_interpdisc.frames import Frames
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.models.inference import set_threads
from napari_interpdisc.models.store import load_model
from napari_interpdisc.nuclei.diameter import diameter_from_labels
from napari_interpdisc.pipeline import BATCH, classify, classify_encoding
from napari_interpdisc.read_ahead import side_by_side
from napari_interpdisc.samples import link_masks

FRAMES = 12
MANY = 2048
"""Crops that lie ready in memory, where threads are compared."""


def fastest(
    works: Mapping[str, Callable[[], object]],
    rounds: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Seconds of the fastest run of each, which take turns."""
    found = dict.fromkeys(works, float("inf"))
    for _ in range(rounds):
        for name, work in works.items():
            start = clock()
            work()
            found[name] = min(found[name], clock() - start)
    return found


def main() -> None:
    """Time and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    rounds = asked.rounds
    movie = fetch_hela_movie(print)
    image, masks = np.asarray(movie.image[:FRAMES]), np.asarray(movie.masks[:FRAMES])
    tracks, diameter = link_masks(masks), diameter_from_labels(masks)
    cells = CellTable.from_arrays(
        tracks[:, 1].astype(int), tracks[:, 2:4], tracks[:, 0].astype(int)
    )
    model, frames, n = load_model(), Frames(image), len(cells)
    size, zoom = model.crop_size, model.model_diameter / diameter
    of_frame = [cells.yx[cells.t == t] for t in range(FRAMES)]

    def read_and_cut() -> None:
        for _ in iter_cells(
            frames, cells, diameter, model.model_diameter, size, BATCH,
            normalised=True, across=True,
        ):  # fmt: skip
            pass

    pictures = [frames.frame(t) for t in range(FRAMES)]
    cut = [
        cut_crops(picture, yx, zoom, size, low_pass=True)
        for picture, yx in zip(pictures, of_frame, strict=True)
    ]
    crops = normalise(np.concatenate(cut))[:, None]
    result = classify(frames, cells, model, diameter)
    works: dict[str, Callable[[], object]] = {
        "read a frame": lambda: [frames.picture(t) for t in range(FRAMES)],
        "cut": lambda: [
            cut_crops(picture, yx, zoom, size, low_pass=True)
            for picture, yx in zip(pictures, of_frame, strict=True)
        ],
        "normalise": lambda: [normalise(some) for some in cut],
        "read, cut, normalise": read_and_cut,
        "spectrum": lambda: spectra(crops),
        "encoder, float32": lambda: model.encode(crops),
        "encoder, bfloat16": lambda: model.encode(crops, "bfloat16"),
        "scores and flags": lambda: classify_encoding(result.encoding, model).encoding.flags,
        "classify, float32": lambda: classify(frames, cells, model, diameter),
        "classify, bfloat16": lambda: classify(
            frames, cells, model, diameter, precision="bfloat16"
        ),
    }
    before = torch.get_num_threads()
    set_threads(1)
    # of all threads: the next frame is read and cut on another
    found = fastest(works, rounds, time.process_time)
    set_threads(before)
    print(f"{n} cells of {FRAMES} frames, {diameter:.1f} px; µs of processor time a cell")
    for name, seconds in found.items():
        print(f"{name:28s} {1e6 * seconds / n:7.1f}")
    own = found["read, cut, normalise"]
    for precision in ("float32", "bfloat16"):
        bare, whole = found[f"encoder, {precision}"], found[f"classify, {precision}"]
        print(
            f"{precision}: cutting and normalising {own / bare:.0%} of the encoder's time, "
            f"classify {bare / whole:.2f} of its rate"
        )
    compare_threads(model, crops, asked.threads, max(3, rounds // 4))


def compare_threads(model: CellModel, crops: np.ndarray, threads: int, rounds: int) -> None:
    """Print the rate of batches one after the other on all threads, and side by side."""
    several = np.concatenate([crops] * -(-MANY // len(crops)))[:MANY]
    batches = np.array_split(several, MANY // BATCH)
    precisions: tuple[Precision, ...] = ("float32", "bfloat16")
    works: dict[str, Callable[[], object]] = {}
    for precision in precisions:

        def encode(batch: np.ndarray, precision: Precision = precision) -> object:
            return model.encode(batch, precision)

        def one_by_one(encode: Callable[[np.ndarray], object] = encode) -> None:
            set_threads(threads)
            for batch in batches:
                encode(batch)

        def together(encode: Callable[[np.ndarray], object] = encode) -> None:
            set_threads(1)
            for _ in side_by_side(encode, batches, threads, partial(set_threads, 1)):
                pass

        works[f"one after the other, {precision}"] = one_by_one
        works[f"side by side, {precision}"] = together
    before = torch.get_num_threads()
    try:
        found = fastest(works, rounds)
    finally:
        set_threads(before)
    print(f"{MANY} crops in batches of {BATCH} on {threads} threads, cells/s")
    for name, seconds in found.items():
        print(f"{name:32s} {MANY / seconds:7.0f}")


if __name__ == "__main__":
    main()
