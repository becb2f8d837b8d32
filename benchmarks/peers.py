"""Cells per second from image to classes, beside its own encoder and beside packages of features.

``python benchmarks/peers.py`` takes the demo's movie with its masks: 12 frames, 923 nuclei. All is
timed in one run, on the same threads; the best of three is printed. ``nyxus`` and ``cp_measure``
are timed if they are installed; cp_measure, which is slow, on the first frame alone.

"Bare forward" is the encoder's network alone on crops that lie ready in memory, in each precision.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np
import torch
from skimage.measure import regionprops_table

from napari_interpdisc.cells import CellTable
from napari_interpdisc.demo import fetch_hela_movie
from napari_interpdisc.frames import Frames
from napari_interpdisc.models.store import load_model
from napari_interpdisc.nuclei.diameter import diameter_from_labels
from napari_interpdisc.pipeline import cell_crops, classify
from napari_interpdisc.samples import link_masks
from throughput import best_of_three

FRAMES = 12
EIGHT = (
    "area", "eccentricity", "solidity", "perimeter", "intensity_mean", "intensity_max",
    "axis_major_length", "axis_minor_length",
)  # fmt: skip


def of_regionprops(image: np.ndarray, masks: np.ndarray) -> None:
    """Eight properties of scikit-image."""
    for picture, labels in zip(image, masks, strict=True):
        regionprops_table(labels, picture, properties=EIGHT)


def of_nyxus(image: np.ndarray, masks: np.ndarray) -> None:
    """All intensity, shape and texture features of nyxus."""
    import nyxus

    features = ["*ALL_INTENSITY*", "*ALL_MORPHOLOGY*", "*ALL_GLCM*"]
    found = nyxus.Nyxus(features, n_feature_calc_threads=torch.get_num_threads())
    found.featurize(image.astype(np.uint32), masks.astype(np.uint32))


def of_cp_measure(image: np.ndarray, masks: np.ndarray) -> None:
    """All core features of CellProfiler, by cp_measure."""
    from cp_measure.bulk import get_core_measurements

    for picture, labels in zip(image, masks, strict=True):
        scaled = picture / max(1, int(picture.max()))
        for measure in get_core_measurements().values():
            measure(np.ascontiguousarray(labels), scaled)


def main() -> None:
    """Time and print."""
    warnings.simplefilter("ignore")  # of the peers
    movie = fetch_hela_movie(print)
    image, masks = np.asarray(movie.image[:FRAMES]), np.asarray(movie.masks[:FRAMES])
    tracks = link_masks(masks)
    frames = Frames(image)
    cells = CellTable.from_arrays(
        tracks[:, 1].astype(int), tracks[:, 2:4], tracks[:, 0].astype(int)
    )
    diameter, n = diameter_from_labels(masks), len(cells)
    model = load_model()
    crops = cell_crops(frames, cells, model, diameter)
    many = np.concatenate([crops] * -(-4000 // n))
    print(f"device {model.device}, {torch.get_num_threads()} threads, {n} cells of {FRAMES} frames")
    rates: dict[str, float] = {}

    def timed(name: str, of: int, work: Callable[[], object]) -> None:
        work()
        rates[name] = of / best_of_three(work)
        print(f"{name:34s} {rates[name]:9.0f} cells/s")

    precisions: tuple[Literal["float32", "bfloat16"], ...] = ("float32", "bfloat16")
    for precision in precisions:
        timed(
            f"bare forward, {precision}",
            len(many),
            lambda precision=precision: model.encode(many, precision),  # type: ignore[misc]
        )
        timed(
            f"classify, {precision}",
            n,
            lambda precision=precision: classify(  # type: ignore[misc]
                frames, cells, model, diameter, precision=precision
            ),
        )
    peers: dict[str, tuple[str, int, Callable[[Any, Any], None]]] = {
        "regionprops_table, 8 properties": ("skimage", FRAMES, of_regionprops),
        "nyxus": ("nyxus", FRAMES, of_nyxus),
        "cp_measure, first frame": ("cp_measure", 1, of_cp_measure),
    }
    for name, (package, some, work) in peers.items():
        if find_spec(package) is None:
            print(f"{name:34s} not installed")
            continue
        count = sum(len(np.unique(one)) - 1 for one in masks[:some])
        timed(name, count, lambda work=work, some=some: work(image[:some], masks[:some]))  # type: ignore[misc]
    best = max(rates["bare forward, float32"], rates["bare forward, bfloat16"])
    print()
    for precision in precisions:
        whole = rates[f"classify, {precision}"]
        own = rates[f"bare forward, {precision}"]
        told = ", ".join(
            f"{whole / rates[name]:.1f} × {name.split(',')[0]}" for name in peers if name in rates
        )
        print(
            f"classify in {precision}: {whole / own:.2f} of its own bare forward, "
            f"{whole / best:.2f} of the best; {told}"
        )
    exact, rounded = (
        classify(frames, cells, model, diameter, precision=precision) for precision in precisions
    )
    same = (exact.index == rounded.index).mean()
    away = np.abs(exact.encoding.latents - rounded.encoding.latents).max()
    print(f"bfloat16 against float32: {same:.2%} of the classes agree, latents within {away:.3f}")


if __name__ == "__main__":
    main()
