"""Labelled cells of other laboratories and movies.

MitoCheck, Jurkat and RPE1/U2OS cells were labelled by those who published them; heads are fitted
on them. Cells of ``experiments/labels`` were labelled here, as its README says: those of two movies
are test sets only, and of the still frames of ``dsb2018`` one half is.
Run as a program, this prints the
typical diameter of MitoCheck's Interphase nuclei, which all experiments use.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import ndimage
from skimage.measure import regionprops_table

from napari_interpdisc import CellTable, Frames, read_frames
from napari_interpdisc.io.labelled_crops import read_labelled_crops
from napari_interpdisc.patches import Patches, patches_of_cells, patches_of_crops
from napari_interpdisc.scrutiny.properties import measure_crops
from napari_interpdisc.training.encoder.sources import FEWEST_NUCLEI, SMALLEST_AREA

DATA = Path(__file__).parent / "data"
LABELS = Path(__file__).parent / "labels"
MITOCHECK = "mitocheck_crops.npz"
MITOCHECK_DIAMETER = 26.8
"""Typical interphase nucleus in the MitoCheck crops, px."""

SOURCES = ("hela_ctc", "hela_20x")
DIAMETER = {"hela_ctc": 27.6, "hela_20x": 50.0}
"""Typical interphase nucleus, px: of the median area, 600 and 1,970 px²."""


SECOND = "hela_ctc_second"
"""The second test set, which is kept apart and reported once for each shipped model."""

DSB2018 = "dsb2018"
"""Still frames of which some nuclei were labelled here."""

JURKAT_DIAMETER = 17.7
"""Median G1 nucleus of the Jurkat crops, px."""

JURKAT_CLASSES = {"G1": "Interphase", "S_phase": "Interphase", "G2": "Interphase"}
"""What phases of the cell cycle are called that look the same; the others keep their names."""

MICRONUCLEI_DIAMETER = 26.0
"""Median nucleus of the RPE1 and U2OS frames, px."""

SMALLEST_DIAMETER = 10.0
"""Frames with smaller nuclei, px, are left out."""

MOST_OF_A_LABEL = 400
"""Cells of one label that another laboratory adds at most to the training of heads."""


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


def jurkat(data: Path, half: int) -> LabelledPatches:
    """One half, 0 or 1, of the Jurkat cells, each of which was seen once; at random, seed 0."""
    with np.load(data / "jurkat_crops.npz") as archive:
        images, names = archive["images"], archive["label"].astype(str)
    rows = np.sort(np.random.default_rng(0).permutation(len(names))[half::2])
    labels = np.array([JURKAT_CLASSES.get(name, name) for name in names[rows]])
    patches = patches_of_crops(images[rows], JURKAT_DIAMETER)
    return LabelledPatches(patches, labels, rows.astype(str))


def micronuclei(data: Path) -> LabelledPatches:
    """RPE1 and U2OS nuclei in interphase, without micronuclei; groups are the frames."""
    table = pd.read_csv(data / "micronuclei" / "cells.csv")
    table = table[table["label"] == "intact"].reset_index(drop=True)
    parts = []
    for file, rows in table.groupby("file"):
        frame = read_frames(data / "micronuclei" / str(file), 0).frame(0)
        inside = CellTable.from_arrays(np.zeros(len(rows)), rows[["y", "x"]].to_numpy())
        parts.append(patches_of_cells(Frames(frame), inside, MICRONUCLEI_DIAMETER).pixels)
    pixels = np.concatenate(parts)
    labels = np.full(len(pixels), "Interphase")
    groups = table.sort_values("file", kind="stable")["file"].to_numpy(str)
    return LabelledPatches(Patches(pixels, float(pixels.shape[-1])), labels, groups)


def other_nuclei(data: Path, half: int) -> LabelledPatches:
    """Nuclei of the still frames of many cell types, which nobody labelled, as interphase.

    Nuclei of a typical size, 0.8 to 1.6 of the median area of their frame: few of them are mitotic,
    and none are known to be. At most three of a frame, at random with seed 0; of every second
    frame, for ``half`` 0 or 1. Groups are the frames.
    """
    draw = np.random.default_rng(0)
    labelled = pd.read_csv(LABELS / f"{DSB2018}.csv")
    mitotic = labelled[labelled["label"] != "Interphase"]
    parts, groups = [], []
    files = sorted((data / "nuclei_frames").glob("*.tif"))
    for file in files[half::2]:
        both = np.asarray(read_frames(file, 0).data)
        table = regionprops_table(both[1].astype(np.int32), properties=("area", "centroid"))
        area = table["area"]
        if (area > SMALLEST_AREA).sum() < FEWEST_NUCLEI:
            continue
        typical = typical_area(area)
        px = float(np.sqrt(4 / np.pi * typical))
        rows = np.flatnonzero((area > 0.8 * typical) & (area < 1.6 * typical))
        rows = draw.permutation(rows)[:3]
        if px < SMALLEST_DIAMETER or not len(rows):
            continue
        yx = np.column_stack([table["centroid-0"], table["centroid-1"]])[rows]
        known = mitotic.loc[mitotic["file"] == file.stem, ["y", "x"]].to_numpy()
        yx = yx[[np.hypot(*(known - at).T).min(initial=np.inf) > 1 for at in yx]]
        cells = CellTable.from_arrays(np.zeros(len(yx)), yx)
        parts.append(patches_of_cells(Frames(both[0]), cells, px).pixels)
        groups += [file.stem] * len(yx)
    pixels = np.concatenate(parts)
    labels = np.full(len(pixels), "Interphase")
    return LabelledPatches(Patches(pixels, float(pixels.shape[-1])), labels, np.array(groups))


def typical_area(areas: np.ndarray) -> float:
    """Median area, px², of the nuclei of a frame, without specks."""
    return float(np.median(areas[areas > SMALLEST_AREA]))


def dsb2018(data: Path, half: int | None) -> LabelledPatches:
    """Labelled nuclei of one half of the still frames, 0 or 1, or of both; groups are frames."""
    table = pd.read_csv(LABELS / f"{DSB2018}.csv")
    if half is not None:
        table = table[table["half"] == half]
    table = table.sort_values("file", kind="stable")
    parts = []
    for name, rows in table.groupby("file"):
        both = np.asarray(read_frames(data / "nuclei_frames" / f"{name}.tif", 0).data)
        areas = np.bincount(both[1].astype(np.int64).ravel())[1:]
        px = float(np.sqrt(4 / np.pi * typical_area(areas)))
        cells = CellTable.from_arrays(np.zeros(len(rows)), rows[["y", "x"]].to_numpy())
        parts.append(patches_of_cells(Frames(both[0]), cells, px).pixels)
    pixels = np.concatenate(parts)
    labels, groups = table["label"].to_numpy(str), table["file"].to_numpy(str)
    return LabelledPatches(Patches(pixels, float(pixels.shape[-1])), labels, groups)


def some_of_each(cells: LabelledPatches, most: int = MOST_OF_A_LABEL) -> LabelledPatches:
    """At most so many cells of each label, drawn at random with seed 0."""
    draw = np.random.default_rng(0)
    rows = [
        draw.permutation(np.flatnonzero(cells.labels == name))[:most]
        for name in np.unique(cells.labels)
    ]
    at = np.sort(np.concatenate(rows))
    return LabelledPatches(cells.patches.take(at), cells.labels[at], cells.groups[at])


def other_cells(
    data: Path, source: str, diameter: float = 1.0, blur: float = 0.0, noise: float = 0.0
) -> LabelledPatches:
    """Cut the labelled cells of one source.

    Parameters
    ----------
    data
        Folder of the data.
    source
        One of :data:`SOURCES`, or :data:`SECOND`.
    diameter
        Factor by which the diameter is mis-set.
    blur
        σ of a Gaussian blur, in crop pixels (at the right diameter).
    noise
        σ of noise, in standard deviations of each patch; seed 0.
    """
    table = pd.read_csv(LABELS / f"{source}.csv")
    folder = source.removesuffix("_second")
    px = DIAMETER[folder] * diameter
    parts = []
    for (key,), rows in table.groupby(["file" if folder == "hela_ctc" else "t"]):
        if folder == "hela_ctc":
            frame = read_frames(data / "hela_ctc" / f"{key}.tif", 0).frame(0)
        else:
            frame = read_frames(data / "hela_20x_movie.tif").frame(int(key))
        if blur:
            frame = ndimage.gaussian_filter(frame, blur * DIAMETER[folder] / 28)
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
