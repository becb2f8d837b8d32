"""Cells that were trained on, found again among those in the window."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from napari_interpdisc.cells import CellTable
from napari_interpdisc.discovery.origins import Origins
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.widgets.discover.held_out import (
    HeldOutCells,
    held_out_of,
    present_row,
    told_place,
)
from napari_interpdisc.widgets.discover.run import Trained

from .conftest import made_up


@pytest.fixture
def origins(scene: SimpleNamespace) -> Origins:
    """Return three cells of another movie, and then all cells of the scene."""
    other = CellTable.from_arrays([0, 1, 2], np.full((3, 2), 28.0), [0, 0, 0])
    own = Origins.of_cells("movie", scene.session.encoding.cells)
    return Origins.joined([Origins.of_cells("/data/day 1/other.tif", other), own])


def test_rows_of_this_movie_come_after_those_of_others(
    scene: SimpleNamespace, origins: Origins
) -> None:
    found = [present_row(origins, 3 + row, scene.session) for row in range(len(scene.table))]
    assert found == list(range(len(scene.table)))
    assert told_place(origins, 3 + 13, scene.session) == "Cell 1, frame 1"
    assert told_place(origins, 1, scene.session) == "Cell 0, frame 1 of other.tif"
    with pytest.raises(InvalidInput, match=r"is of /data/day 1/other\.tif: open that movie"):
        present_row(origins, 1, scene.session)


def test_of_two_cells_at_one_place_the_track_tells(scene: SimpleNamespace) -> None:
    cells = CellTable.from_arrays([0, 0], [[28.0, 28.0]] * 2, [5, 0])
    assert present_row(Origins.of_cells("movie", cells), 1, scene.session) == 0
    scene.session.encoding.cells.track_id[1] = 5
    scene.session.encoding.cells.yx[1] = (28.0, 28.0)
    assert present_row(Origins.of_cells("movie", cells), 0, scene.session) == 1


def test_a_cell_that_is_not_there_any_more(scene: SimpleNamespace, origins: Origins) -> None:
    gone = CellTable.from_arrays([0, 9], [[60.0, 28.0], [28.0, 28.0]], [0, 0])
    for row in (0, 1):
        with pytest.raises(InvalidInput, match="is not among the present cells; train again"):
            present_row(Origins.of_cells("movie", gone), row, scene.session)
    scene.session.clear()
    with pytest.raises(InvalidInput, match="no cells now: run the Cells widget"):
        present_row(origins, 4, scene.session)


def test_a_training_that_tells_no_labels_says_nothing(origins: Origins) -> None:
    assert held_out_of(Trained(made_up("a"), origins, np.zeros((36, 32), np.float32))) is None


def test_cells_that_held_out_heads_got_wrong(scene: SimpleNamespace, origins: Origins) -> None:
    target = np.zeros(len(origins), np.int64)
    predicted = np.zeros(len(origins), np.int64)
    predicted[[0, 3, 8]] = 1  # one of another movie, and rows 0 and 5 of this one
    target[3 + 7] = -1
    predicted[3 + 7] = 1
    found = HeldOutCells(origins, ("round", "long"), target, predicted, "dense")
    assert found.wrong(scene.session) == {0: "long", 5: "long"}
    assert found.confused(0, 1, scene.session) == ([0, 5], 3)
    assert found.confused(1, 0, scene.session) == ([], 0)
    scene.session.clear()
    assert found.wrong(scene.session) == {}
