"""Cells of a segmentation: the centroid of each label in each frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc.cells import CellTable, Taken
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.frames import UnreadableFrame

LARGEST_LABEL = 10**7
"""Labels from which objects are numbered anew, for what takes memory for every label below it."""

MOST_LISTED = 6


def cells_of_labels(labels: Any, source: str) -> CellTable:
    """Centroids of labels as cells, with the number of the label as track.

    Parameters
    ----------
    labels
        (Y, X) or (T, Y, X) integers, 0 where there is no cell; one frame is read at a time.
    source
        What it is called in sentences.

    Raises
    ------
    InvalidInput
        If there is no label.
    """
    is_movie = len(labels.shape) == 3
    rows: list[tuple[float, ...]] = []
    damaged: list[int] = []
    n = int(labels.shape[0]) if is_movie else 1
    for t in range(n):
        try:
            plane = np.asarray(labels[t] if is_movie else labels[...])
        except UnreadableFrame:
            damaged.append(t)
            if len(damaged) == n:
                raise
            continue
        rows += [(t, *centroid, label) for centroid, label in regions_of(plane)]
    if not rows:
        raise InvalidInput(f"{source} holds no label; choose another label image.")
    t, y, x, label = np.array(rows, float).T
    told = f"t, y, x from the centroids of {source}, track_id from its labels"
    return CellTable.from_arrays(
        t, np.column_stack([y, x]), label, source=source, taken=Taken(told, damaged_frames(damaged))
    )


def damaged_frames(frames: Sequence[int]) -> tuple[str, ...]:
    """What to tell of masks that could not be read: nothing, or one sentence."""
    if not frames:
        return ()
    n = len(frames)
    listed = ", ".join(map(str, frames[:MOST_LISTED])) + (", …" if n > MOST_LISTED else "")
    return (
        f"{n} mask{'s are' if n > 1 else ' is'} damaged and left out, with the cells in "
        f"{'them' if n > 1 else 'it'} (frame{'s' * (n > 1)} {listed}).",
    )


def regions_of(plane: npt.NDArray[Any]) -> list[tuple[tuple[float, float], int]]:
    """Centroid (y, x) and label of each object in labels (Y, X) that are not negative."""
    from skimage.measure import regionprops

    if not plane.size:
        return []
    if int(plane.max()) < LARGEST_LABEL:
        return [(region.centroid, int(region.label)) for region in regionprops(plane)]
    # a list as long as the largest label would be made
    values, numbers = np.unique(plane, return_inverse=True)
    numbers = numbers.reshape(plane.shape) + (0 if values[0] == 0 else 1)
    known = values if values[0] == 0 else np.concatenate([[0], values])
    return [(region.centroid, int(known[region.label])) for region in regionprops(numbers)]
