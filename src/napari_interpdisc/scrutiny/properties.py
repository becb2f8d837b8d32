"""What can be measured on a cell without any model: size, shape, texture, place, neighbours."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage

from napari_interpdisc._types import BoolArray, Float32Array, Float64Array, Progress, silent
from napari_interpdisc.crops import MODEL_DIAMETER, normalise
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.light import INVARIANT, background_level, measure_light
from napari_interpdisc.models.properties import PROPERTIES
from napari_interpdisc.nuclei.crops import central_nucleus, separate_nuclei
from napari_interpdisc.nuclei.masks import soft_mask

BATCH = 256
"""Crops whose light is measured at once."""

DEBRIS = 0.05
"""Objects below this share of a typical nucleus's area are no nuclei."""

NECK, RIM, REACH, FREE, SPOT = 3, 1.5, 10.0, 3.0, 4
"""What :func:`_satellite` takes for a spot, px at a diameter of 28.

Radius of what is too thin for a nucleus; distance from the nucleus at which a spot begins and ends,
and from other nuclei at which it begins; largest radius of a spot."""


def measure_crops(
    crops: npt.NDArray[Any],
    labels: npt.NDArray[Any] | None = None,
    diameter: float = MODEL_DIAMETER,
    progress: Progress = silent,
    names: Collection[str] = tuple(PROPERTIES),
) -> dict[str, Float64Array]:
    """Measure the central nucleus of every crop, and what is around it.

    Parameters
    ----------
    crops
        (N, S, S) or (N, 1, S, S) crops at the model's diameter, of any range: they are normalised.
    labels
        (N, S, S) segmentations of the same crops, see :func:`label_crops`; nuclei are found by
        :func:`separate_nuclei` if left out.
    diameter
        Typical nuclear diameter in the crops, px.
    progress
        Called with (crops measured, N).
    names
        What is wanted; all if left out.

    Returns
    -------
    Those (N,) columns of :data:`napari_interpdisc.models.properties.PROPERTIES`; a row is NaN
    throughout where the crop has no nucleus in its centre, only debris, or a nucleus that its
    border cuts.

    Raises
    ------
    InvalidInput
        If crops are not square pictures, or the labels are not of their shape.
    """
    pictures = np.asarray(crops, np.float32)
    if pictures.ndim == 4 and pictures.shape[1] == 1:
        pictures = pictures[:, 0]
    if pictures.ndim != 3 or pictures.shape[1] != pictures.shape[2]:
        raise InvalidInput(
            f"The crops have the shape {pictures.shape}; (number, side, side) was expected."
        )
    if labels is not None and labels.shape != pictures.shape:
        raise InvalidInput(
            f"The labels have the shape {labels.shape}, the crops {pictures.shape}; give the "
            "segmentation of these crops."
        )
    pictures = normalise(pictures)
    columns = {name: np.full(len(pictures), np.nan) for name in PROPERTIES}
    for some in np.array_split(np.arange(len(pictures)), -(-len(pictures) // BATCH) or 1):
        known, own = [], []
        for i in some:
            picture = pictures[i]
            regions = separate_nuclei(picture, diameter) if labels is None else labels[i]
            regions = np.asarray(regions)
            found = _measure(picture, regions, diameter, "satellite" in names)
            if found is not None:
                known.append(i)
                own.append(_own(regions))
                for name, value in found.items():
                    columns[name][i] = value
            progress(int(i) + 1, len(pictures))
        if known:
            for name, values in _of_light(pictures[known], np.stack(own)).items():
                columns[name][known] = values
    return {name: values for name, values in columns.items() if name in names}


def _own(regions: npt.NDArray[Any]) -> Float32Array:
    """Weight (S, S) of the central nucleus and its blurred edge, without other nuclei."""
    nucleus = regions == central_nucleus(regions)
    return soft_mask(nucleus, (regions > 0) & ~nucleus)


def _of_light(pictures: Float32Array, own: Float32Array) -> dict[str, Float64Array]:
    """What is measured on the light of n nuclei: pictures and weights (n, S, S)."""
    crops, weight = (torch.from_numpy(np.asarray(v, np.float32))[:, None] for v in (pictures, own))
    level = background_level(crops)
    light = weight * (crops - level)
    measured = measure_light(light).numpy().astype(np.float64)
    n = len(INVARIANT)
    found = dict(zip(INVARIANT[1:], measured[:, 1:n].T, strict=True))
    found["asymmetry_x"], found["asymmetry_y"] = measured[:, n + 2], measured[:, n + 3]
    threefold = _threefold(light[:, 0].clamp_min(0).numpy().astype(np.float64))
    found["threefold_cos"], found["threefold_sin"] = threefold.real, threefold.imag
    inside = own >= 1
    above = ((pictures - level[:, 0].numpy()) * inside).sum((1, 2)) / inside.sum((1, 2))
    return {**found, "contrast": np.asarray(above, np.float64)}


def _threefold(light: Float64Array) -> npt.NDArray[np.complex128]:
    """Mean (n,) of e^3iφ over light (n, S, S), φ the direction from the centre of the crop."""
    at = np.arange(light.shape[-1]) - (light.shape[-1] - 1) / 2
    lobes = np.exp(3j * np.arctan2(at[:, None], at[None]))
    return np.asarray((light * lobes).sum((1, 2)) / np.maximum(light.sum((1, 2)), 1e-6))


def _measure(
    picture: Float32Array, regions: npt.NDArray[Any], diameter: float, spots: bool
) -> dict[str, float] | None:
    from skimage.measure import regionprops

    nucleus = whole_nucleus(regions, diameter)
    if nucleus is None:
        return None
    region = regionprops(nucleus.astype(np.uint8))[0]
    major, minor = float(region.axis_major_length), float(region.axis_minor_length)
    y, x = np.nonzero(nucleus)
    dy, dx = y - y.mean(), x - x.mean()
    double = float(np.arctan2(2 * (dx * dy).mean(), (dx * dx - dy * dy).mean()))
    elongation = 1 - minor / major if major > 0 else 0.0
    centre = (len(picture) - 1) / 2
    return {
        "area": float(region.area),
        "eccentricity": float(region.eccentricity),
        "elongation_cos": elongation * float(np.cos(double)),
        "elongation_sin": elongation * float(np.sin(double)),
        "solidity": float(region.solidity),
        "brightness": float(picture[nucleus].mean()),
        "texture": _texture(picture, nucleus),
        "offset_y": float(y.mean()) - centre,
        "offset_x": float(x.mean()) - centre,
        # a quarter of the time
        "satellite": _satellite(picture, regions, nucleus, diameter) if spots else np.nan,
        **_surroundings(regions, nucleus, diameter),
    }


def whole_nucleus(regions: npt.NDArray[Any], diameter: float) -> BoolArray | None:
    """Mask (S, S) of the central nucleus of a segmented crop; None if it is debris, or cut."""
    label = central_nucleus(regions)
    nucleus = np.asarray(regions == label)
    edge = np.ones(nucleus.shape, bool)
    edge[1:-1, 1:-1] = False
    if not label or nucleus.sum() < _smallest(diameter) or (nucleus & edge).any():
        return None
    return nucleus


def _smallest(diameter: float) -> float:
    """Area of the smallest nucleus, px²."""
    return DEBRIS * np.pi / 4 * diameter**2


def _texture(picture: Float32Array, nucleus: npt.NDArray[np.bool_]) -> float:
    """Root mean square of what a blur takes away; the blur knows nothing outside the nucleus."""
    inside = nucleus.astype(np.float32)
    blur = ndimage.gaussian_filter(picture * inside, 2)
    blur /= np.maximum(ndimage.gaussian_filter(inside, 2), 1e-6)
    core = ndimage.binary_erosion(nucleus, iterations=2)
    where = core if core.sum() >= 20 else nucleus
    return float(np.sqrt(((picture - blur)[where] ** 2).mean()))


def _satellite(
    picture: Float32Array,
    regions: npt.NDArray[Any],
    nucleus: npt.NDArray[np.bool_],
    diameter: float,
) -> float:
    """Height of the brightest small spot beside a nucleus, relative to that of the nucleus."""
    from skimage.morphology import disk

    unit = diameter / MODEL_DIAMETER
    # a spot that touches the nucleus is segmented with it, behind a neck
    parts, n = ndimage.label(ndimage.binary_opening(nucleus, disk(round(NECK * unit))))
    body = parts == 1 + int(np.argmax(np.bincount(parts.ravel())[1:])) if n else nucleus
    smooth = ndimage.gaussian_filter(picture, 0.7 * unit)
    level = float(np.quantile(smooth, 1 / 6))
    height = float(picture[body].mean()) - level
    if height <= 0:
        return 0.0
    away = ndimage.distance_transform_edt(~body)
    where = (away > RIM * unit) & (away <= REACH * unit)
    others = _counted(np.where(nucleus, 0, regions), diameter) > 0
    if others.any():
        gap = ndimage.distance_transform_edt(~others)
        where &= (gap > FREE * unit) & (away < gap)
    spots = smooth - ndimage.grey_opening(smooth, footprint=disk(round(SPOT * unit)))
    return max(float((spots * where).max()) / height, 0.0)


def _counted(others: npt.NDArray[Any], diameter: float) -> npt.NDArray[Any]:
    """Labels of other nuclei, without those of debris."""
    values, areas = np.unique(others, return_counts=True)
    large = values[(values != 0) & (areas >= _smallest(diameter))]
    return np.where(np.isin(others, large), others, 0)


def _surroundings(
    regions: npt.NDArray[Any], nucleus: npt.NDArray[np.bool_], diameter: float
) -> dict[str, float]:
    labels = _counted(np.where(nucleus, 0, regions), diameter)
    others = labels > 0
    gap = float(ndimage.distance_transform_edt(~nucleus)[others].min()) if others.any() else np.nan
    half = (len(regions) - 1) / 2
    y, x = ((at - half) / half for at in np.nonzero(others))
    double = 2 * np.arctan2(y, x)
    n = others.size
    return {
        "neighbours": float(len(np.unique(labels[others]))),
        "neighbour_distance": gap,
        "crowding": float(others.sum()) / n,
        "crowding_y": float(y.sum()) / n,
        "crowding_x": float(x.sum()) / n,
        "crowding_cos": float(np.cos(double).sum()) / n,
        "crowding_sin": float(np.sin(double).sum()) / n,
    }
