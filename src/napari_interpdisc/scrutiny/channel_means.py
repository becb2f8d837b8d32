"""Mean grey level of any channel inside each cell's nucleus."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import BoolArray, Float32Array, Float64Array, Progress
from napari_interpdisc.cells import CellTable
from napari_interpdisc.crops import check_diameter, iter_cells, z_planes
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.frames import BlockReader, Frames, UnreadableFrame
from napari_interpdisc.models.properties import mean_of
from napari_interpdisc.nuclei.crops import separate_nuclei
from napari_interpdisc.patches import label_crops
from napari_interpdisc.scrutiny.properties import whole_nucleus

BATCH = 1024
"""Cells of a frame that are cut at once."""


def property_names(channels: Iterable[str]) -> dict[str, str]:
    """Return a name of a property for each channel, no two of them alike: ``mean_of_GFP``."""
    found: dict[str, str] = {}
    for channel in channels:
        plain = re.sub(r"\W+", "_", channel).strip("_") or "channel"
        name, k = mean_of(plain), 2
        while name in found.values():
            name, k = mean_of(f"{plain}_{k}"), k + 1
        found[channel] = name
    return found


def channel_means(
    frames: Frames,
    channels: Mapping[str, Frames],
    cells: CellTable,
    diameter: float,
    model_diameter: float,
    size: int,
    segmentation: Any = None,
    progress: Progress | None = None,
) -> dict[str, Float64Array]:
    """Measure channels inside the nuclei of another.

    Parameters
    ----------
    frames
        The channel in which nuclei are found.
    channels
        By name, what is measured: images of the same frames, rows and columns.
    cells
        N cells.
    diameter, model_diameter
        Typical nuclear diameter in the image and in crops, px.
    size
        Side of a crop, px.
    segmentation
        (Y, X) or (T, Y, X) nuclei; found in each crop if left out.
    progress
        Called with (cells measured, N). It may raise to stop the work.

    Returns
    -------
    By name (:func:`property_names`), (N,) mean grey levels of the file, with the background. NaN
    where a cell has no whole nucleus, or its nucleus has pixels without a value.

    Raises
    ------
    InvalidInput
        If a channel has other frames, rows or columns.
    """
    for name, other in channels.items():
        if other.shape != frames.shape:
            sides = [" × ".join(map(str, one.shape)) for one in (other, frames)]
            raise InvalidInput(
                f"'{name}' has {sides[0]} frames, rows and columns, and the nuclei are in "
                f"{sides[1]}; give a channel of the same places."
            )
    names, n = property_names(channels), len(cells)
    columns = {names[channel]: np.full(n, np.nan) for channel in channels}
    zoom, planes = model_diameter / check_diameter(diameter), z_planes(frames, cells)
    readers = {names[channel]: BlockReader(other) for channel, other in channels.items()}
    done = 0
    # of one frame at a time, as the other channels are read
    for part in iter_cells(frames, cells, diameter, model_diameter, size, BATCH, normalised=True):
        usable, crops = part.with_pixels()
        rows, masks = _nuclei(crops[:, 0], usable, cells, diameter, model_diameter, segmentation)
        if len(rows):
            t, plane = int(cells.t[rows[0]]), None if planes is None else int(planes[rows[0]])
            for name, reader in readers.items():
                try:
                    levels = reader.levels(t, plane)
                except UnreadableFrame:
                    continue
                columns[name][rows] = _means(levels, cells.yx[rows], zoom, masks)
        done += len(part.rows)
        if progress is not None:
            progress(done, n)
    return columns


def _nuclei(
    crops: Float32Array,
    rows: npt.NDArray[np.intp],
    cells: CellTable,
    diameter: float,
    model_diameter: float,
    segmentation: Any,
) -> tuple[npt.NDArray[np.intp], BoolArray]:
    """Rows (n,) of the cells that have a whole nucleus, and masks (n, S, S) of these."""
    regions: Iterable[Any] = (separate_nuclei(crop, model_diameter) for crop in crops)
    if segmentation is not None and len(rows):
        size = crops.shape[-1]
        regions = label_crops(segmentation, cells.take(rows), diameter, model_diameter, size)
    found = [whole_nucleus(one, model_diameter) for one in regions]
    known = np.array([mask is not None for mask in found], bool)
    masks = [mask for mask in found if mask is not None]
    return rows[known], np.stack(masks) if masks else np.zeros((0, *crops.shape[1:]), bool)


def _means(
    levels: npt.NDArray[Any], yx: Float64Array, zoom: float, masks: BoolArray
) -> Float64Array:
    """Mean (n,) of grey levels (Y, X) inside masks (n, S, S) of the crops around centroids.

    The masks are brought to the pixels of the image, not the pixels into the crops: resampling
    would mix the edge of a nucleus with what is beside it.
    """
    size = masks.shape[-1]
    found = np.full(len(yx), np.nan)
    for i, (centre, mask) in enumerate(zip(yx, masks, strict=True)):
        pixels, places = [], []
        for middle, n in zip(centre, levels.shape, strict=True):
            reach = (size - 1) / 2 / zoom
            first, last = max(0, math.ceil(middle - reach)), min(n - 1, math.floor(middle + reach))
            at = np.arange(first, last + 1)
            pixels.append(at)
            places.append(np.rint((at - middle) * zoom + (size - 1) / 2).astype(np.intp))
        inside = levels[np.ix_(*pixels)][mask[np.ix_(*places)]]
        if inside.size:
            mean = inside.mean(dtype=np.float64)
            found[i] = mean if np.isfinite(mean) else np.nan
    return found
