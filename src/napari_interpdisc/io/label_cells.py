"""Cells of a segmentation: the centroid of each label in each frame."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_interpdisc.cells import CellTable, Taken
from napari_interpdisc.errors import InvalidInput


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
    from skimage.measure import regionprops

    is_movie = len(labels.shape) == 3
    rows: list[tuple[float, ...]] = []
    for t in range(labels.shape[0] if is_movie else 1):
        plane = np.asarray(labels[t] if is_movie else labels[...])
        rows += [(t, *one.centroid, one.label) for one in regionprops(plane)]
    if not rows:
        raise InvalidInput(f"{source} holds no label; choose another label image.")
    t, y, x, label = np.array(rows, float).T
    told = f"t, y, x from the centroids of {source}, track_id from its labels"
    return CellTable.from_arrays(
        t, np.column_stack([y, x]), label, source=source, taken=Taken(told)
    )
