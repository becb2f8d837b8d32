from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from napari.layers import Tracks
from napari.utils.notifications import notification_manager

from napari_interpdisc.io.layer_files import write_layer
from napari_interpdisc.readers import claims, get_reader, read_tracks


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
    for table in (
        pd.DataFrame({"a": [1]}),
        pd.DataFrame({"index": [0], "axis-0": [1], "axis-1": [2]}),
        pd.DataFrame({"index": [0], "axis-0": [0], "axis-1": [1], "axis-2": [2], "y": [1]}),
    ):
        table.to_csv(tmp_path / "a.csv", index=False)
        assert get_reader(str(tmp_path / "a.csv")) is None
        assert not claims(tmp_path / "a.csv")


def test_a_list_of_one_file_is_that_file(tmp_path: Path) -> None:
    path = str(tmp_path / "a.csv")
    pd.DataFrame({"y": [5, 4], "x": [1, 2]}).to_csv(path, index=False)
    reader = get_reader([path])
    assert reader is not None
    assert reader([path])[0][2] == "points"


def test_a_saved_layer_is_opened_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    features = pd.DataFrame({"ok": [True, False]})
    write_layer(path, "points", np.array([[0, 1, 2], [0, 3, 4.0]]), {"features": features})
    assert claims(path)  # though its columns are those of napari's own tables
    ((data, arguments, kind),) = read_tracks(str(path))
    assert (kind, data.tolist()) == ("points", [[0, 1, 2], [0, 3, 4]])
    pd.testing.assert_frame_equal(arguments["features"], features)


def test_headers_are_read_without_pandas(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("t,y,x\n0,1,2\n")
    code = (
        "import sys; from napari_interpdisc.readers import get_reader; "
        f"assert get_reader({str(path)!r}); assert 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
