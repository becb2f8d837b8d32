"""What napari saves and opens, with this plugin and napari's own installed.

``plugin=None`` lets napari choose the reader, as its window does.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import napari_builtins
import numpy as np
import pandas as pd
import pytest
from napari.components import ViewerModel
from napari.errors import MultipleReaderError
from napari.layers import Labels, Layer, Points, Shapes, Tracks
from napari.utils.notifications import notification_manager
from npe2 import PluginManifest

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.readers import get_reader
from napari_interpdisc.writers import write_labels, write_points, write_tracks

PLUGIN = "napari-interpdisc"
FEATURES = pd.DataFrame(
    {
        "class": pd.Categorical(["b", "a", "b"], categories=["b", "a"]),
        "unfamiliar": [True, False, True],
        "score": np.float32([0.1, -0.2, 0.3]),
        "flag": ["", "cut by the edge", ""],
    }
)


@pytest.fixture
def viewer(npe2pm: Any) -> Iterator[ViewerModel]:
    """A viewer without a window, with napari's own readers and writers and ours."""
    builtins = Path(napari_builtins.__file__).parent / "builtins.yaml"
    npe2pm.register(PluginManifest.from_file(builtins))
    npe2pm.register(PluginManifest.from_distribution(PLUGIN))
    model = ViewerModel()
    yield model
    model.layers.clear()


def reopened(viewer: ViewerModel, path: Path) -> Layer:
    """The layer that this plugin makes of a file."""
    reader = get_reader(str(path))
    assert reader is not None
    ((data, arguments, kind),) = reader(str(path))
    return viewer.add_layer(Layer.create(data, arguments, kind))


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".geff"])
def test_unsorted_tracks_come_back_as_napari_shows_them(
    viewer: ViewerModel, tmp_path: Path, suffix: str
) -> None:
    data = np.array([[2, 1, 3, 4], [1, 1, 7, 8], [1, 0, 5, 6.5]])
    layer = viewer.add_layer(
        Tracks(data, features=FEATURES, graph={2: [1]}, scale=(1, 0.5, 0.5), name="cells")
    )
    assert layer.features["flag"].tolist() == ["", "cut by the edge", ""]
    assert layer.features["score"].tolist() == np.float32([0.3, -0.2, 0.1]).tolist()
    path = tmp_path / f"a{suffix}"
    written = viewer.layers.save(str(path), plugin=PLUGIN)
    assert written[0] == str(path)
    found = reopened(viewer, path)
    np.testing.assert_array_equal(found.data, layer.data)
    pd.testing.assert_frame_equal(found.features, layer.features)
    assert found.graph == layer.graph
    np.testing.assert_array_equal(found.scale, layer.scale)
    assert found.units == layer.units


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".geff"])
@pytest.mark.parametrize(
    "layer",
    [
        Points(np.arange(9.0).reshape(3, 3), features=FEATURES, scale=(1, 0.5, 0.5)),
        Labels(
            np.arange(18, dtype=np.int32).reshape(2, 3, 3) % 4,
            features=FEATURES.assign(index=[1, 2, 3]),
        ),
    ],
    ids=["points", "labels"],
)
def test_points_and_labels_come_back(
    viewer: ViewerModel, tmp_path: Path, layer: Layer, suffix: str
) -> None:
    viewer.add_layer(layer)
    path = tmp_path / f"a{suffix}"
    viewer.layers.save(str(path), plugin=PLUGIN)
    found = reopened(viewer, path)
    np.testing.assert_array_equal(found.data, layer.data)
    assert found.data.dtype == layer.data.dtype
    pd.testing.assert_frame_equal(found.features, layer.features)


def test_napari_opens_what_is_saved(viewer: ViewerModel, tmp_path: Path) -> None:
    """Parquet is this plugin's alone; Points as CSV are in napari's own form."""
    layer = viewer.add_layer(Points(np.arange(9.0).reshape(3, 3), features=FEATURES))
    viewer.layers.save(str(tmp_path / "a.csv"), plugin=PLUGIN)
    (found,) = viewer.open(str(tmp_path / "a.csv"), plugin=None)
    np.testing.assert_array_equal(found.data, layer.data)
    assert found.features["class"].tolist() == ["b", "a", "b"]
    viewer.layers.remove(found)
    viewer.layers.save(str(tmp_path / "b"), plugin=PLUGIN)
    (found,) = viewer.open(str(tmp_path / "b.parquet"), plugin=None)
    pd.testing.assert_frame_equal(found.features, layer.features)


def test_which_writer_napari_takes(viewer: ViewerModel, tmp_path: Path) -> None:
    """Where both can write a suffix, napari takes its own unless the plugin is named."""
    viewer.add_layer(Points(np.zeros((3, 3)), features=FEATURES))
    viewer.layers.save(str(tmp_path / "a.csv"))
    assert not (tmp_path / "a.json").exists()
    viewer.layers.save(str(tmp_path / "b.parquet"))
    assert (tmp_path / "b.json").exists()
    viewer.layers.clear()
    viewer.add_layer(Tracks(np.array([[1, 0, 2, 3.0], [1, 1, 2, 3]])))
    assert viewer.layers.save(str(tmp_path / "c"))[0] == str(tmp_path / "c.parquet")


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("kind", [Points, Shapes])
def test_naparis_own_tables_open_as_without_the_plugin(
    viewer: ViewerModel, tmp_path: Path, ndim: int, kind: type[Layer]
) -> None:
    triangle = np.array([[0, 1, 1], [0, 1, 9], [0, 9, 1]], float)[:, -ndim:]
    data = triangle if kind is Points else [triangle]
    arguments = {} if kind is Points else {"shape_type": "polygon"}
    viewer.add_layer(kind(data, **arguments))
    path = tmp_path / f"{kind.__name__}.csv"
    viewer.layers.save(str(path))
    assert get_reader(str(path)) is None
    (found,) = viewer.open(str(path), plugin=None)
    assert isinstance(found, kind)
    np.testing.assert_array_equal(np.asarray(found.data), np.asarray(data))


def test_folders_and_images_open_as_without_the_plugin(viewer: ViewerModel, tmp_path: Path) -> None:
    import tifffile

    for name in ("t0.tif", "t1.tif"):
        tifffile.imwrite(tmp_path / name, np.arange(12, dtype=np.uint8).reshape(3, 4))
    (found,) = viewer.open(str(tmp_path), plugin=None)
    assert found.data.shape == (2, 3, 4)


def test_tables_called_tracks_are_offered_to_both(viewer: ViewerModel, tmp_path: Path) -> None:
    """Napari has no reader for them; the user chooses in the window, or names the plugin."""
    for name in ("Tracks.csv", "my tracks (1).csv"):
        pd.DataFrame({"track_id": [1, 1], "t": [0, 1], "y": [2, 3], "x": [4, 5]}).to_csv(
            tmp_path / name, index=False
        )
        with pytest.raises(MultipleReaderError):
            viewer.open(str(tmp_path / name), plugin=None)
        (found,) = viewer.open(str(tmp_path / name), plugin=PLUGIN)
        assert isinstance(found, Tracks)


def test_each_writer_returns_its_files(tmp_path: Path) -> None:
    track = np.array([[1, 0, 2, 3.0], [1, 1, 2, 3]])
    given: dict[str, Any] = {"name": "cells"}
    assert write_tracks(str(tmp_path / "a.geff"), track, given) == [str(tmp_path / "a.geff")]
    assert write_points(str(tmp_path / "b.csv"), track[:, 1:], given) == [
        str(tmp_path / "b.csv"),
        str(tmp_path / "b.json"),
    ]
    assert write_labels(str(tmp_path / "c.csv"), np.eye(3, dtype=int), given)[-1] == str(
        tmp_path / "c.labels.tif"
    )


def test_the_sentence_of_a_fault_is_shown(tmp_path: Path) -> None:
    before = len(notification_manager.records)
    with pytest.raises(InvalidInput, match="no name for a layer"):
        write_points(str(tmp_path / "a.txt"), np.zeros((1, 2)), {})
    (told,) = notification_manager.records[before:]
    assert "no name for a layer with features" in told.message
