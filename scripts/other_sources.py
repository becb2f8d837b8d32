"""Labelled cells of microscopes that no head was trained on: ``scripts/labels``, test sets only.

How the labels were made: ``scripts/labels/README.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile
from scipy import ndimage

from napari_interpdisc.crops import CROP_SIZE, MODEL_DIAMETER, cut_crops, smooth_for_zoom

LABELS = Path(__file__).parent / "labels"
SOURCES = ("hela_ctc", "hela_20x")
DIAMETER = {"hela_ctc": 27.6, "hela_20x": 50.0}
"""Typical interphase nucleus, px: of the median area, 600 and 1,970 px² (data README)."""


@dataclass(frozen=True)
class OtherCells:
    """Crops (N, 64, 64) at the model's diameter, labels (N,), and groups (N,): one per cell."""

    crops: np.ndarray
    labels: np.ndarray
    groups: np.ndarray


def other_cells(
    root: Path, source: str, diameter: float = 1.0, blur: float = 0.0, noise: float = 0.0
) -> OtherCells:
    """Cut the labelled cells of one source.

    Parameters
    ----------
    root
        Folder of the data.
    source
        One of :data:`SOURCES`.
    diameter
        Factor by which the diameter is mis-set.
    blur
        σ of a Gaussian blur, in crop pixels (at the right diameter).
    noise
        σ of noise, in standard deviations of each crop; seed 0.
    """
    table = pd.read_csv(LABELS / f"{source}.csv")
    zoom = MODEL_DIAMETER / (DIAMETER[source] * diameter)
    crops = np.empty((len(table), CROP_SIZE, CROP_SIZE), np.float32)
    columns = ["file"] if source == "hela_ctc" else ["t"]
    movie = tifffile.imread(root / "hela_20x_movie.tif") if source == "hela_20x" else None
    for (key,), rows in table.groupby(columns):
        if movie is None:
            frame = tifffile.imread(root / "hela_ctc" / f"{key}.tif")[0]
        else:
            frame = movie[key]
        frame = frame.astype(np.float32)
        if blur:
            frame = ndimage.gaussian_filter(frame, blur * DIAMETER[source] / MODEL_DIAMETER)
        crops[rows.index] = cut_crops(smooth_for_zoom(frame, zoom), rows[["y", "x"]], zoom)
    if noise:
        draw = np.random.default_rng(0)
        crops += noise * crops.std((1, 2), keepdims=True) * draw.standard_normal(crops.shape)
    return OtherCells(crops, table["label"].to_numpy(str), table["group"].to_numpy(str))
