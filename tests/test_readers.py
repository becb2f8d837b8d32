from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from napari.layers import Tracks
from napari.utils.notifications import notification_manager

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.readers import get_reader


def layers_of(table: pd.DataFrame, folder: Path) -> list[tuple]:
    path = folder / "cells.csv"
    table.to_csv(path, index=False)
    reader = get_reader(str(path))
    assert reader is not None
    return reader(str(path))


def test_tracks_come_sorted_with_their_features(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {"t": [1, 0, 0], "y": [5, 4, 9], "x": [1, 2, 3], "track_id": [2, 2, 1], "state": [7, 8, 9]}
    )
    ((data, arguments, kind),) = layers_of(table, tmp_path)
    assert kind == "tracks"
    np.testing.assert_array_equal(data, [[1, 0, 9, 3], [2, 0, 4, 2], [2, 1, 5, 1]])
    np.testing.assert_array_equal(arguments["features"]["state"], [9, 8, 7])
    assert arguments["name"] == "cells"


def test_cells_without_tracks_are_points(tmp_path: Path) -> None:
    ((data, _, kind),) = layers_of(pd.DataFrame({"t": [3, 0], "y": [5, 4], "x": 1}), tmp_path)
    assert kind == "points"
    np.testing.assert_array_equal(data, [[3, 5, 1], [0, 4, 1]])


def test_cells_without_times_are_not_in_the_first_frame(tmp_path: Path) -> None:
    table = pd.DataFrame({"y": [5, 4], "x": [1, 2], "track_id": [7, 7]})
    ((data, _, kind),) = layers_of(table, tmp_path)
    assert kind == "points"
    np.testing.assert_array_equal(data, [[5, 1], [4, 2]])


def test_divisions_reach_the_layer(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {
            "t": [0, 1, 2, 1, 2], "y": [5, 4, 4, 9, 9], "x": [1, 2, 3, 4, 5],
            "track_id": [1, 2, 2, 3, 3], "parent_id": [0, 1, 1, 1, 1],
        }
    )  # fmt: skip
    ((data, arguments, kind),) = layers_of(table, tmp_path)
    assert kind == "tracks"
    layer = Tracks(data, graph=arguments["graph"], features=arguments["features"])
    assert layer.graph == {2: [1], 3: [1]}
    np.testing.assert_array_equal(layer.features["parent_id"], [0, 1, 1, 1, 1])


def test_ids_that_napari_would_round_are_numbered(tmp_path: Path) -> None:
    large = 2**60
    table = pd.DataFrame(
        {"t": [0, 1, 0, 1], "y": 1, "x": 1, "track_id": [large, large, large + 1, large + 1]}
    ).assign(parent_id=[0, 0, large, large])
    ((data, arguments, _),) = layers_of(table, tmp_path)
    np.testing.assert_array_equal(data[:, 0], [0, 0, 1, 1])
    assert arguments["features"]["track_id"].tolist() == [large] * 2 + [large + 1] * 2
    assert arguments["graph"] == {1: [0]}


def test_how_the_file_was_read_is_told(tmp_path: Path) -> None:
    before = len(notification_manager.records)
    layers_of(pd.DataFrame({"t": [0, 0], "y": [5, np.nan], "x": [1, 2]}), tmp_path)
    line, warning = (n.message for n in notification_manager.records[before:])
    assert line == "cells.csv: t from 't' (0…0, counted from 0), y from 'y', x from 'x', no tracks"
    assert warning.startswith("1 of 2 rows of 'cells.csv' have no position")


def test_other_files_are_left_to_others(tmp_path: Path) -> None:
    assert get_reader("movie.tif") is None
    assert get_reader(["a.csv", "b.csv"]) is None
    with pytest.raises(InvalidInput, match="has no column for y and x"):
        layers_of(pd.DataFrame({"a": [1]}), tmp_path)
