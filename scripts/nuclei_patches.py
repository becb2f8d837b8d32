"""Cut training patches, at the model's diameter, from the microscopy in ``../shared/data``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile
from skimage import filters, measure

from napari_interpdisc.crops import CROP_SIZE, MODEL_DIAMETER, cut_crops, smooth_for_zoom
from napari_interpdisc.training.encoder.settings import PatchSource

PATCH = 96
MITOCHECK_DIAMETER = 26.8
"""Typical interphase nucleus in the MitoCheck crops, px: printed by :func:`mitocheck_diameter`."""

MITOTIC = ("Metaphase", "MetaphaseAlignment", "Prometaphase", "Anaphase")


def mitocheck_diameter(images: np.ndarray, labels: np.ndarray) -> float:
    """Median equivalent diameter of the segmented, solid central nuclei of Interphase crops."""
    found = []
    for image in images[labels == "Interphase"]:
        smooth = filters.gaussian(image.astype(float), 1)
        regions = measure.label(smooth > filters.threshold_otsu(smooth))
        centre = regions[30:34, 30:34]
        centre = centre[centre > 0]
        if centre.size:
            nucleus = measure.regionprops((regions == np.bincount(centre).argmax()).astype(int))[0]
            if nucleus.solidity > 0.93 and nucleus.bbox[0] > 0 and nucleus.bbox[2] < 64:
                found.append(nucleus.equivalent_diameter_area)
    return float(np.median(found))


def to_uint8(patches: np.ndarray) -> np.ndarray:
    """Scale every patch to its own 0–255."""
    low = patches.min((1, 2), keepdims=True)
    span = np.maximum(patches.max((1, 2), keepdims=True) - low, 1e-6)
    return np.rint((patches - low) / span * 255).astype(np.uint8)


def mitocheck(root: Path, keep: np.ndarray | None = None) -> PatchSource:
    """MitoCheck crops; classes equally often, mitotic ones twice."""
    data = np.load(root / "mitocheck_crops.npz", allow_pickle=False)
    keep = np.ones(len(data["label"]), bool) if keep is None else keep
    keep = keep & ~np.isin(data["label"], ["OutOfFocus", "Hole"])
    images, labels = data["images"][keep], data["label"][keep]
    zoom = MODEL_DIAMETER / MITOCHECK_DIAMETER
    patches = np.concatenate(
        [cut_crops(im.astype(np.float32), [(31.5, 31.5)], zoom, PATCH) for im in images]
    )
    names, index, counts = np.unique(labels, return_inverse=True, return_counts=True)
    weight = np.sqrt(1 / counts)[index] / np.sqrt(counts)[index]
    weight = weight * np.where(np.isin(names, [*MITOTIC, "Interphase"]), 2.0, 1.0)[index]
    # the outermost 3 px show the frame mean, as crops over the edge of a frame do
    return PatchSource("mitocheck", to_uint8(patches), 64 * zoom + 6, weight)


def labelled_crops(
    root: Path, keep: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """MitoCheck crops at the model's diameter (N, 64, 64), their labels and plates."""
    data = np.load(root / "mitocheck_crops.npz", allow_pickle=False)
    keep = np.ones(len(data["label"]), bool) if keep is None else keep
    zoom = MODEL_DIAMETER / MITOCHECK_DIAMETER
    crops = [
        cut_crops(image.astype(np.float32), [(31.5, 31.5)], zoom, CROP_SIZE)
        for image in data["images"][keep]
    ]
    return np.concatenate(crops), data["label"][keep], data["plate"][keep]


def frames(paths: list[Path], name: str, min_diameter: float = 10.0) -> PatchSource:
    """Labelled frames (channel 0 intensity, channel 1 instances): one patch per nucleus.

    Small, compact nuclei (below 0.75 of the frame's median area: mostly mitotic plates) are drawn
    three times as often; every frame counts by the square root of its number of nuclei.
    """
    patches, weights = [], []
    for path in paths:
        image, labels = tifffile.imread(path)
        nuclei = measure.regionprops(labels.astype(np.int32))
        area = np.array([r.area for r in nuclei], float)
        area_ok = area > 30
        if area_ok.sum() < 3:
            continue
        diameter = float(np.sqrt(4 / np.pi * np.median(area[area_ok])))
        if diameter < min_diameter:
            continue
        zoom = MODEL_DIAMETER / diameter
        yx = np.array([r.centroid for r, ok in zip(nuclei, area_ok, strict=True) if ok])
        cut = cut_crops(smooth_for_zoom(image.astype(np.float32), zoom), yx, zoom, PATCH)
        patches.append(to_uint8(cut))
        small = np.where(area[area_ok] < 0.75 * np.median(area[area_ok]), 3.0, 1.0)
        weights.append(small / np.sqrt(len(small)))
    return PatchSource(name, np.concatenate(patches), float(PATCH), np.concatenate(weights))


def all_sources(root: Path) -> list[PatchSource]:
    """Every data set that may be trained on."""
    return [
        mitocheck(root),
        frames(sorted((root / "hela_ctc").glob("*.tif")), "hela_ctc"),
        frames(sorted((root / "nuclei_frames").glob("*.tif")), "nuclei_frames"),
    ]


if __name__ == "__main__":
    data_root = Path(__file__).parents[2] / "shared" / "data"
    crops = np.load(data_root / "mitocheck_crops.npz", allow_pickle=False)
    print(
        "median MitoCheck interphase diameter:", mitocheck_diameter(crops["images"], crops["label"])
    )
    for source in all_sources(data_root):
        print(source.name, source.patches.shape, source.field)
