"""Paint the classes of cells, and hatching, into planes of pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import Plane
from napari_interpdisc.flags import CUT, N_FLAGS, OUT_OF_DISTRIBUTION, SATURATED

if TYPE_CHECKING:
    from napari_interpdisc.cells import CellTable

MOST_VALUES = 255 // (2 * N_FLAGS)
"""Values that can be hatched (classes, unsure, no pixels): a plane has one byte for a pixel."""


def paint_discs(
    yx: npt.ArrayLike, values: npt.ArrayLike, radius: float, shape: tuple[int, int]
) -> Plane:
    """Paint one disc of ``values`` per centroid; where discs overlap the nearest centroid wins.

    Parameters
    ----------
    yx, values
        (n, 2) centroids in pixels, and (n,) numbers 1–255.
    radius
        Radius of a disc, px.
    shape
        (Y, X) of the plane.
    """
    plane = np.zeros(shape, np.uint8)
    nearest = np.full(shape, np.inf, np.float32)
    for (y, x), value in zip(np.asarray(yx, dtype=float), np.asarray(values), strict=True):
        window = _window(y, x, radius, shape)
        rows, cols = np.ogrid[window]
        distance = ((rows - y) ** 2 + (cols - x) ** 2).astype(np.float32)
        mine = (distance <= radius**2) & (distance < nearest[window])
        plane[window][mine] = value
        nearest[window][mine] = distance[mine]
    return plane


def label_of_cells(labels: npt.NDArray[Any], yx: npt.ArrayLike, radius: float) -> npt.NDArray[Any]:
    """Label of each cell: that under its centroid, else the nearest within ``radius``, else 0.

    Parameters
    ----------
    labels
        (Y, X) segmentation.
    yx
        (n, 2) centroids in its pixels. The centroid of a bent nucleus may lie beside it.
    """
    centres = np.asarray(yx, dtype=float).reshape(-1, 2)
    shape = (labels.shape[0], labels.shape[1])
    at = np.clip(np.rint(centres).astype(int), 0, np.array(shape) - 1)
    found = labels[at[:, 0], at[:, 1]].copy()
    taken = set(found[found != 0].tolist())
    for i in np.flatnonzero(found == 0):
        y, x = centres[i]
        window = _window(y, x, radius, shape)
        rows, cols = np.nonzero(labels[window])
        if not len(rows):
            continue
        distance = (rows + window[0].start - y) ** 2 + (cols + window[1].start - x) ** 2
        for k in np.argsort(distance, kind="stable"):
            label = labels[window][rows[k], cols[k]]
            # A nucleus that has a cell of its own is not given to a neighbour that has none.
            if distance[k] > radius**2:
                break
            if label not in taken:
                found[i] = label
                break
    return np.asarray(found)


def paint_labels(
    labels: npt.NDArray[Any], yx: npt.ArrayLike, values: npt.ArrayLike, radius: float
) -> Plane:
    """Give each object of a (Y, X) segmentation the value of its cell, 0 where it has none.

    Cells without an object, as in a frame that was not segmented, are painted as discs beside the
    objects: a cell that was classified is always seen.
    """
    from skimage.util import map_array

    centres = np.asarray(yx, dtype=float).reshape(-1, 2)
    numbers = np.asarray(values, dtype=np.uint8)
    found = label_of_cells(labels, centres, radius)
    without = found == 0
    plane = paint_discs(
        centres[without], numbers[without], radius, (labels.shape[0], labels.shape[1])
    )
    # map_array takes any label numbers, however large, and makes 0 of those not listed.
    keys, first = np.unique(found[~without].astype(np.int64), return_index=True)
    if len(keys):
        objects = map_array(labels.astype(np.int64), keys, numbers[~without][first])
        plane = np.where(labels != 0, objects, plane)
    return plane


def paint_movie(
    masks: npt.NDArray[Any], cells: CellTable, values: npt.ArrayLike, radius: float
) -> Plane:
    """Give each object of instance masks (T, Y, X) the value of its cell, 0 where it has none.

    ``values`` are (n,) numbers 1–255, one for each cell; the rest is as in :func:`paint_labels`.
    """
    numbers = np.asarray(values)
    planes = np.zeros(masks.shape, np.uint8)
    for t in np.unique(cells.t):
        here = cells.t == t
        planes[t] = paint_labels(masks[t], cells.yx[here], numbers[here], radius)
    return planes


def stripes(shape: tuple[int, ...], flag: int, period: int) -> npt.NDArray[np.bool_]:
    """Where the stripes of ``flag`` are in a (Y, X) plane, one in ``period`` px along an axis."""
    rows, cols = np.ogrid[: shape[0], : shape[1]]
    width = max(1, period // 3)
    striped = np.zeros(shape[:2], bool)
    marks = (
        (OUT_OF_DISTRIBUTION, rows + cols),
        (CUT, rows - cols),
        (SATURATED, rows + 0 * cols),
    )
    for bit, along in marks:
        if flag & bit:
            striped |= along % period < width
    return striped


def hatch(plane: Plane, n_values: int, radius: float) -> Plane:
    """Draw stripes on flagged cells, by giving pixels beneath a stripe another value.

    Parameters
    ----------
    plane
        Values 1 … ``n_values`` of cells, plus ``n_values`` times the flag; 0 between cells.
    n_values
        Number of values that a cell without a flag may have.
    radius
        Radius of a cell, px.

    Returns
    -------
    The plane, with ``n_values * N_FLAGS`` more beneath stripes.
    """
    if not (plane > n_values).any():
        return plane
    flags = (plane.astype(np.int16) - 1) // n_values
    out = plane.copy()
    for flag in range(1, N_FLAGS):
        beneath = (flags == flag) & stripes(plane.shape, flag, max(4, round(radius / 2)))
        out[beneath] += np.uint8(n_values * N_FLAGS)
    return out


def _window(y: float, x: float, radius: float, shape: tuple[int, int]) -> tuple[slice, slice]:
    low = [max(0, int(np.floor(c - radius))) for c in (y, x)]
    high = [min(n, int(np.ceil(c + radius)) + 1) for c, n in zip((y, x), shape, strict=True)]
    return slice(low[0], max(low[0], high[0])), slice(low[1], max(low[1], high[1]))
