from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import geff
import numpy as np
import pandas as pd
import pytest
import tifffile

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.geff_files import read_node_table
from napari_interpdisc.io.layer_files import (
    LAYER_SUFFIXES,
    is_saved_layer,
    read_layer,
    write_layer,
)
from napari_interpdisc.io.tracks import read_cells

TRACKS = np.array([[1, 0, 5, 6.5], [1, 1, 7, 1 / 3], [2, 2, 3, 4], [3, 2, 9, 9]])
FEATURES = pd.DataFrame(
    {
        "class": pd.Categorical(["b", "a", None, "b"], categories=["b", "a"]),
        "score": np.float32([0.1, -0.2, 0.3, np.nan]),
        "touches_edge": [True, False, False, True],
        "flag": ["", "cut by the edge", "", ""],
        "z_0": np.float32([1, 2, 3, 4]),
    }
)
PIXELS = np.array([[[0, 1, 1], [2, 2, 0]], [[1, 1, 0], [0, 3, 3]]], np.uint16)


def saved(path: Path, kind: str, data: Any, **arguments: Any) -> tuple[Any, dict[str, Any], str]:
    """Save and open again."""
    write_layer(path, kind, data, {"name": "cells", **arguments})
    assert is_saved_layer(path)
    found = read_layer(path)
    assert found is not None
    return found


@pytest.mark.parametrize("suffix", LAYER_SUFFIXES)
def test_tracks_come_back_with_features_and_graph(tmp_path: Path, suffix: str) -> None:
    data, arguments, kind = saved(
        tmp_path / f"a{suffix}",
        "tracks",
        TRACKS,
        features=FEATURES,
        graph={2: [1], 3: [1]},
        scale=[1, 0.5, 0.5],
    )
    assert kind == "tracks"
    np.testing.assert_array_equal(data, TRACKS)
    pd.testing.assert_frame_equal(arguments["features"], FEATURES)
    assert arguments["graph"] == {2: [1], 3: [1]}
    assert arguments["scale"] == [1, 0.5, 0.5]
    cells = read_cells(tmp_path / f"a{suffix}")  # the command line reads the same file
    np.testing.assert_array_equal(cells.track_id, [1, 1, 2, 3])
    np.testing.assert_array_equal(cells.yx, TRACKS[:, 2:])


@pytest.mark.parametrize("suffix", LAYER_SUFFIXES)
@pytest.mark.parametrize("ndim", [2, 3, 4])
def test_points_come_back(tmp_path: Path, suffix: str, ndim: int) -> None:
    points = np.arange(4.0 * ndim).reshape(4, ndim) / 3
    data, arguments, _ = saved(tmp_path / f"a{suffix}", "points", points, features=FEATURES)
    np.testing.assert_array_equal(data, points)
    pd.testing.assert_frame_equal(arguments["features"], FEATURES)


@pytest.mark.parametrize("suffix", LAYER_SUFFIXES)
def test_a_layer_without_points_comes_back(tmp_path: Path, suffix: str) -> None:
    none = FEATURES.iloc[:0]
    data, arguments, _ = saved(tmp_path / f"a{suffix}", "points", np.zeros((0, 3)), features=none)
    assert data.shape == (0, 3)
    pd.testing.assert_frame_equal(arguments["features"], none)


@pytest.mark.parametrize("suffix", LAYER_SUFFIXES)
def test_labels_come_back_with_their_pixels(tmp_path: Path, suffix: str) -> None:
    table = FEATURES.assign(index=[1, 2, 1, 3], t=[0, 0, 1, 1])
    data, arguments, _ = saved(tmp_path / f"a{suffix}", "labels", PIXELS, features=table)
    np.testing.assert_array_equal(data, PIXELS)
    assert data.dtype == PIXELS.dtype
    pd.testing.assert_frame_equal(arguments["features"], table)


@pytest.mark.parametrize("suffix", LAYER_SUFFIXES)
def test_labels_of_one_frame_of_several_scales_without_features(
    tmp_path: Path, suffix: str
) -> None:
    levels = [PIXELS[:1], PIXELS[:1, ::2]]  # an axis of length 1 stays
    data, arguments, _ = saved(tmp_path / f"a{suffix}", "labels", levels, multiscale=True)
    np.testing.assert_array_equal(data, PIXELS[:1])
    assert arguments["features"].empty


def test_objects_of_labels_are_nodes(tmp_path: Path) -> None:
    table = FEATURES.assign(index=[1, 2, 1, 9], t=[0, 0, 1, 1])
    write_layer(tmp_path / "a.geff", "labels", PIXELS, {"features": table})
    geff.validate_structure(str(tmp_path / "a.geff"))
    nodes, _ = read_node_table(tmp_path / "a.geff")
    assert nodes[["label", "t", "y", "x"]].to_numpy().tolist() == [
        [1, 0, 0, 1.5],
        [2, 0, 1, 0.5],
        [1, 1, 0, 0.5],
        [3, 1, 1, 1.5],
    ]
    assert nodes["flag"].tolist()[:3] == ["", "cut by the edge", ""]
    assert pd.isna(nodes["flag"][3])


def test_nothing_of_somebody_else_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.labels.tif").write_bytes(b"somebody's")
    with pytest.raises(InvalidInput, match=r"would replace .*a\.labels\.tif"):
        write_layer(tmp_path / "a.csv", "labels", PIXELS, {})
    (tmp_path / "b.json").write_text("{}")
    with pytest.raises(InvalidInput, match=r"would replace .*b\.json"):
        write_layer(tmp_path / "b.csv", "labels", PIXELS, {})
    (tmp_path / "c.geff").mkdir()
    (tmp_path / "c.geff" / "x").touch()
    with pytest.raises(InvalidInput, match="already exists"):
        write_layer(tmp_path / "c.geff", "tracks", TRACKS, {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.labels.tif", "b.json", "c.geff"]
    for _ in range(2):  # what was saved here may be saved again
        write_layer(tmp_path / "d.csv", "labels", PIXELS, {"name": "cells"})


def test_all_of_a_layer_is_written_or_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", full)
    for name in ("a.parquet", "a.geff"):
        with pytest.raises(InvalidInput, match="the disk is full"):
            write_layer(tmp_path / name, "labels", PIXELS, {"name": "cells"})
    assert not list(tmp_path.iterdir())


def test_names_without_a_suffix_of_ours_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"end it in \.parquet, \.csv, \.geff"):
        write_layer(tmp_path / "a.txt", "tracks", TRACKS, {})


def test_tables_that_are_others_by_now_are_no_layer(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write_layer(path, "tracks", TRACKS, {"features": FEATURES})
    pd.DataFrame({"t": [0], "y": [1], "x": [2]}).to_csv(path, index=False)
    assert read_layer(path) is None
    assert read_layer(tmp_path / "none.csv") is None
    assert not is_saved_layer(tmp_path)


def test_pixels_that_are_gone_or_others_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write_layer(path, "labels", PIXELS, {"features": {"index": [1], "class": ["a"]}})
    tifffile.imwrite(tmp_path / "a.labels.tif", PIXELS[0])
    with pytest.raises(InvalidInput, match="has shape"):
        read_layer(path)
    (tmp_path / "a.labels.tif").unlink()
    with pytest.raises(InvalidInput, match="are not there"):
        read_layer(path)


def test_many_pixels_are_read_lazily(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_interpdisc.io.layer_files.LARGE", 1)
    data, _, _ = saved(tmp_path / "a.parquet", "labels", PIXELS)
    assert not isinstance(data, np.ndarray)
    np.testing.assert_array_equal(np.asarray(data), PIXELS)


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("placement", 1e-308, "'placement' is not as it was saved"),
        ("placement", {"visible": 0}, "'placement: visible' is not"),
        ("name", 5, "'name' is not"),
        ("graph", [], "'graph' is not"),
        ("features", {}, "'features' is not"),
        ("rows", [], None),
        ("axes", 5, "cannot be read as a saved layer"),
        ("kind", "shapes", "'kind' is not"),
    ],
)
def test_a_note_that_was_changed_is_one_sentence(
    tmp_path: Path, key: str, value: Any, sentence: str | None
) -> None:
    path = tmp_path / "a.csv"
    write_layer(path, "tracks", TRACKS, {"name": "cells", "graph": {}})
    about = json.loads(path.with_suffix(".json").read_text("utf-8"))
    about["layer"][key] = value
    path.with_suffix(".json").write_text(json.dumps(about), "utf-8")
    if sentence is None:
        assert read_layer(path) is None  # of another table
        return
    with pytest.raises(InvalidInput, match=sentence):
        read_layer(path)


def test_pixels_of_another_size_are_not_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_layer(tmp_path / "a.parquet", "labels", PIXELS, {"name": "cells"})
    image = tmp_path / "a.labels.tif"
    tifffile.imwrite(image, np.zeros((2, 90, 90), "u2"), photometric="minisblack")
    monkeypatch.setattr(tifffile.TiffFile, "asarray", None)
    with pytest.raises(InvalidInput, match=r"shape \(2, 90, 90\), and was saved with"):
        read_layer(tmp_path / "a.parquet")
