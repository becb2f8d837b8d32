"""Cells of a segmentation, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.label_cells import cells_of_labels


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
