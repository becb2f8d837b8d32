"""Cells of a segmentation, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.frames import UnreadableFrame
from napari_interpdisc.io.label_cells import cells_of_labels, regions_of
from napari_interpdisc.io.planes import Planes


def test_centroids_and_labels_of_every_frame() -> None:
    labels = np.zeros((3, 10, 12), np.uint16)
    labels[0, 2:5, 2:5] = 7
    labels[2, 4:6, 8:12] = 7
    labels[2, 0, 0] = 9
    cells = cells_of_labels(labels, "nuclei")
    assert cells.t.tolist() == [0, 2, 2]
    assert cells.yx.tolist() == [[3, 3], [4.5, 9.5], [0, 0]]
    assert cells.track_id.tolist() == [7, 7, 9]
    assert cells.taken.tracked
    assert "track_id from its labels" in cells.taken.sentence


def test_a_still_and_no_label() -> None:
    still = np.zeros((4, 4), int)
    with pytest.raises(InvalidInput, match="nuclei holds no label"):
        cells_of_labels(still, "nuclei")
    still[1, 2] = 1
    assert cells_of_labels(still, "nuclei").yx.tolist() == [[1, 2]]


def test_a_damaged_frame_costs_its_cells_only() -> None:
    masks = np.zeros((3, 8, 8), np.uint16)
    masks[:, 2:4, 2:4] = 5

    def read(k: int) -> Any:
        if k == 1:
            raise UnreadableFrame("damaged")
        return masks[k]

    cells = cells_of_labels(Planes((3,), (8, 8), masks.dtype, read), "a.tif")
    assert cells.t.tolist() == [0, 2]
    assert cells.taken.notes == ("1 mask is damaged and left out, with the cells in it (frame 1).",)


def test_large_labels_take_no_memory() -> None:
    plane = np.zeros((8, 8), np.uint32)
    plane[1, 1], plane[4:6, 3] = 2**32 - 1, 7
    assert regions_of(plane) == [((4.5, 3.0), 7), ((1.0, 1.0), 2**32 - 1)]
    plane[plane == 0] = 2**31
    assert [label for _, label in regions_of(plane)] == [7, 2**31, 2**32 - 1]
