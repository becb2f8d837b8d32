"""Labelled cells of other movies, test sets only: ``experiments/labels``.

How the labels were made: ``experiments/labels/README.md``. Run as a program, this prints the
typical diameter of MitoCheck's Interphase nuclei, which all experiments use.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import ndimage

from napari_interpdisc import CellTable, Frames, read_frames
from napari_interpdisc.io.labelled_crops import read_labelled_crops
from napari_interpdisc.patches import Patches, patches_of_cells, patches_of_crops
from napari_interpdisc.scrutiny.properties import measure_crops

DATA = Path(__file__).parent / "data"
LABELS = Path(__file__).parent / "labels"
MITOCHECK = "mitocheck_crops.npz"
MITOCHECK_DIAMETER = 26.8
"""Typical interphase nucleus in the MitoCheck crops, px."""

SOURCES = ("hela_ctc", "hela_20x")
DIAMETER = {"hela_ctc": 27.6, "hela_20x": 50.0}
"""Typical interphase nucleus, px: of the median area, 600 and 1,970 px²."""


@dataclass(frozen=True)
class LabelledPatches:
    """Patches of N cells, their labels (N,), and groups (N,) such as plates or cells."""

    patches: Patches
    labels: np.ndarray
    groups: np.ndarray


def mitocheck(data: Path, labels: list[str] | None = None) -> LabelledPatches:
    """MitoCheck's labelled cells, those of ``labels`` alone if there are any."""
    images, names, plates = read_labelled_crops(data / MITOCHECK)
    keep = np.ones(len(names), bool) if labels is None else np.isin(names, labels)
    patches = patches_of_crops(images[keep], MITOCHECK_DIAMETER)
    return LabelledPatches(patches, names[keep], plates[keep])


def other_cells(
    data: Path, source: str, diameter: float = 1.0, blur: float = 0.0, noise: float = 0.0
) -> LabelledPatches:
    """Cut the labelled cells of one source.

    Parameters
    ----------
    data
        Folder of the data.
    source
        One of :data:`SOURCES`.
    diameter
        Factor by which the diameter is mis-set.
    blur
        σ of a Gaussian blur, in crop pixels (at the right diameter).
    noise
        σ of noise, in standard deviations of each patch; seed 0.
    """
    table = pd.read_csv(LABELS / f"{source}.csv")
    px = DIAMETER[source] * diameter
    parts = []
    for (key,), rows in table.groupby(["file" if source == "hela_ctc" else "t"]):
        if source == "hela_ctc":
            frame = read_frames(data / "hela_ctc" / f"{key}.tif", 0).frame(0)
        else:
            frame = read_frames(data / "hela_20x_movie.tif").frame(int(key))
        if blur:
            frame = ndimage.gaussian_filter(frame, blur * DIAMETER[source] / 28)
        cells = CellTable.from_arrays(np.zeros(len(rows)), rows[["y", "x"]].to_numpy())
        parts.append((rows.index, patches_of_cells(Frames(frame), cells, px).pixels))
    pixels = np.empty((len(table), *parts[0][1].shape[1:]), np.float32)
    for index, some in parts:
        pixels[index] = some
    if noise:
        draw = np.random.default_rng(0)
        pixels += noise * pixels.std((1, 2), keepdims=True) * draw.standard_normal(pixels.shape)
    patches = Patches(pixels.astype(np.float32), float(pixels.shape[-1]))
    return LabelledPatches(patches, table["label"].to_numpy(str), table["group"].to_numpy(str))


if __name__ == "__main__":
    images, names, _ = read_labelled_crops(DATA / MITOCHECK)
    found = measure_crops(images[names == "Interphase"], diameter=MITOCHECK_DIAMETER)
    areas = found["area"][found["solidity"] > 0.93]
    diameter = np.sqrt(4 / np.pi * np.median(areas))
    print(f"median diameter of {len(areas)} solid nuclei: {diameter:.1f} px")
