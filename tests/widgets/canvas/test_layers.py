from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from napari.layers import Image, Labels, Points, Tracks
from napari.layers._source import Source

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.columns import Movie
from napari_interpdisc.widgets.canvas.layers import (
    ROW_KEY,
    cells_from_layer,
    channel_axis_of,
    check_segmentation,
    frames_from_layer,
    label_columns,
    label_key,
    meaning_of_axis,
    movie_of_layer,
    positions_in,
    write_features,
)

TRACKS = np.array([[1, 0, 10, 20], [1, 1, 11, 21], [2, 0, 30, 40], [2, 2, 32, 42]], float)


@pytest.fixture
def movie() -> Image:
    return Image(np.random.default_rng(0).random((3, 50, 60)), name="movie")


def test_pixels_of_tracks(movie: Image) -> None:
    cells = cells_from_layer(Tracks(TRACKS), movie, frames_from_layer(movie))
    np.testing.assert_array_equal(cells.t, [0, 1, 0, 2])
    np.testing.assert_array_equal(cells.yx, TRACKS[:, 2:])
    np.testing.assert_array_equal(cells.track_id, [1, 1, 2, 2])
    assert cells.graph == {}


def test_parents_of_tracks(movie: Image) -> None:
    tracks = Tracks(TRACKS, graph={2: [1]})
    assert cells_from_layer(tracks, movie, frames_from_layer(movie)).graph == {2: (1,)}


def test_scale_and_translate_of_both_layers_count() -> None:
    image = Image(np.ones((3, 50, 60)), scale=(2, 0.5, 0.5), translate=(0, 100, 200))
    # In world units: t in minutes, y and x in µm, from the stage's origin.
    world = TRACKS * [1, 2, 0.5, 0.5] + [0, 0, 100, 200]
    cells = cells_from_layer(Tracks(world), image, frames_from_layer(image))
    np.testing.assert_allclose(cells.yx, TRACKS[:, 2:])
    np.testing.assert_array_equal(cells.t, [0, 1, 0, 2])
    half = Points(TRACKS[:, 1:] * [1, 2, 2], scale=(2, 0.25, 0.25), translate=(0, 100, 200))
    np.testing.assert_allclose(
        cells_from_layer(half, image, frames_from_layer(image)).yx, TRACKS[:, 2:]
    )


def test_an_affine_is_followed() -> None:
    turned = {"rotate": 30.0, "translate": (5, 7), "scale": (2, 2)}
    image, points = Image(np.ones((50, 60)), **turned), Points([[10, 20], [30, 40]], **turned)
    cells = cells_from_layer(points, image, frames_from_layer(image))
    np.testing.assert_allclose(cells.yx, [[10, 20], [30, 40]])


def test_different_time_scales_are_refused(movie: Image) -> None:
    tracks = Tracks(TRACKS, scale=(0.5, 1, 1))
    with pytest.raises(InvalidInput, match=r"time axes of .* do not match"):
        cells_from_layer(tracks, movie, frames_from_layer(movie))


def test_points_of_a_still_image_with_and_without_time() -> None:
    image = Image(np.ones((50, 60)))
    frames = frames_from_layer(image)
    flat = cells_from_layer(Points([[10, 20]]), image, frames)
    deep = cells_from_layer(Points([[7, 10, 20]]), image, frames)
    np.testing.assert_array_equal(flat.yx, deep.yx)
    assert deep.t.tolist() == [0]
    with pytest.raises(InvalidInput, match="several time points but"):
        cells_from_layer(Points([[0, 1, 1], [1, 1, 1]]), image, frames)


def test_points_without_time_do_not_fit_a_movie(movie: Image) -> None:
    with pytest.raises(InvalidInput, match="has 2 coordinates per cell but 'movie' needs 3"):
        cells_from_layer(Points([[10, 20]]), movie, frames_from_layer(movie))


def test_a_channel_axis_is_stepped_over() -> None:
    image = Image(np.ones((3, 2, 50, 60)))
    frames = frames_from_layer(image, channel_axis=1, channel=1)
    for points in (Points([[2, 10, 20]]), Points([[2, 1, 10, 20]])):
        cells = cells_from_layer(points, image, frames)
        assert cells.t.tolist() == [2]
        np.testing.assert_array_equal(cells.yx, [[10, 20]])


def test_the_axis_of_channels_is_that_which_the_layer_or_its_file_names(tmp_path: Path) -> None:
    pixels = np.zeros((4, 2, 8, 9), np.uint16)
    image = Image(pixels)
    assert channel_axis_of(image) is None, "the shortest axis is not always that of the channels"
    image.axis_labels = ("time", "channel", "y", "x")
    assert channel_axis_of(image) == 1
    image.axis_labels = ("c", "c", "y", "x")
    assert channel_axis_of(image) is None
    path = tmp_path / "movie.ome.tif"
    tifffile.imwrite(path, pixels, metadata={"axes": "TCYX"})
    opened = Image(pixels)
    opened._source = Source(path=str(path))
    assert channel_axis_of(opened) == 1


def test_an_empty_layer_is_refused(movie: Image) -> None:
    frames = frames_from_layer(movie)
    for layer in (Points(np.empty((0, 3)), ndim=3), Labels(np.zeros((3, 50, 60), int))):
        with pytest.raises(InvalidInput, match="holds no cells"):
            cells_from_layer(layer, movie, frames)


# napari itself stumbles over NaN when it draws the points.
@pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")
def test_nan_is_refused(movie: Image) -> None:
    points = Points([[0, 1, 1], [0, np.nan, 1]], name="spots")
    with pytest.raises(InvalidInput, match="1 of 2 cells in 'spots' have NaN"):
        cells_from_layer(points, movie, frames_from_layer(movie))


def test_rgb_is_refused() -> None:
    with pytest.raises(InvalidInput, match="is an RGB image; split it"):
        frames_from_layer(Image(np.zeros((50, 60, 3), np.uint8), rgb=True))


def test_a_stack_is_refused() -> None:
    with pytest.raises(InvalidInput, match="choose the channel axis, or take one plane"):
        frames_from_layer(Image(np.zeros((3, 4, 50, 60))))


def test_objects_of_a_segmentation(movie: Image) -> None:
    data = np.zeros((3, 50, 60), int)
    data[0, 10:13, 20:23] = 7
    data[2, 30:33, 40:43] = 7
    cells = cells_from_layer(Labels(data), movie, frames_from_layer(movie))
    assert cells.t.tolist() == [0, 2]
    assert cells.track_id.tolist() == [7, 7]
    np.testing.assert_array_equal(cells.yx, [[11, 21], [31, 41]])


def test_a_segmentation_of_another_image_is_refused(movie: Image) -> None:
    frames = frames_from_layer(movie)
    for shape in ((2, 50, 60), (50, 60), (3, 50, 61 * 2)):
        with pytest.raises(InvalidInput, match=r"as a segmentation of 'movie' it must have"):
            check_segmentation(Labels(np.zeros(shape, int)), movie, frames)
    check_segmentation(Labels(np.zeros((3, 25, 30), int), scale=(1, 2, 2)), movie, frames)


def column(n: int) -> pd.DataFrame:
    return pd.DataFrame(
        {"class": pd.Categorical(["a", "b"] * (n // 2)), "z_0": np.arange(float(n))}
    )


def test_features_of_unsorted_tracks_stay_with_their_rows(rng: np.random.Generator) -> None:
    """Napari permutes features that are set on tracks whose data came unsorted: trap 2."""
    tracks = Tracks(TRACKS[[3, 0, 2, 1]], features={"given": [3, 0, 2, 1]})
    for _ in range(2):  # a second run must not turn them either
        write_features(tracks, pd.DataFrame({"y": tracks.data[:, 2]}))
        np.testing.assert_array_equal(tracks.features["y"], tracks.data[:, 2])
        np.testing.assert_array_equal(tracks.features["given"], [0, 1, 2, 3])
        np.testing.assert_array_equal(tracks.features[ROW_KEY], np.arange(4))


def test_features_of_points_keep_what_was_there() -> None:
    points = Points(TRACKS[:, 1:], features={"given": list("wxyz")})
    write_features(points, column(4))
    assert list(points.features["given"]) == list("wxyz")
    assert list(points.features["class"]) == list("abab")
    with pytest.raises(InvalidInput, match="changed meanwhile"):
        write_features(points, column(2))


def test_features_of_labels_are_matched_by_label_and_time() -> None:
    labels = Labels(
        np.zeros((2, 5, 5), int), features={"index": [1, 1], "t": [0, 1], "given": ["x", "y"]}
    )
    result = label_columns([1, 1, 2], [1, 0, 0]).assign(z_0=[0.5, 1.5, 2.5])
    assert list(result) == ["index", "label", "t", "z_0"]
    write_features(labels, result)
    assert labels.features["z_0"].tolist() == [0.5, 1.5, 2.5]
    assert labels.features["given"].tolist()[:2] == ["y", "x"]
    once = label_columns([2, 1], [0, 0]).assign(z_0=[3.5, 4.5])
    assert once["index"].tolist() == [2, 1]
    write_features(labels, once)  # what was written before has its labels elsewhere
    assert labels.features["given"].tolist()[1] == "x"
    assert list(labels.features) == ["index", "t", "z_0", "given"]


def test_napari_shows_no_row_of_another_frame() -> None:
    planes = np.ones((2, 5, 5), int)
    columns = label_columns([1, 1], [0, 1]).assign(name=["first", "second"])
    labels = Labels(planes, features=columns)
    assert "second" not in labels.get_status((0, 2, 2))["value"]
    one = label_columns([1], [0]).assign(name=["first"])
    assert "first" in Labels(planes, features=one).get_status((0, 2, 2))["value"]


def test_the_column_of_labels_is_found() -> None:
    assert label_key(pd.DataFrame({"index": [1], "label": ["Metaphase"]})) == "index"
    assert label_key(label_columns([1, 1], [0, 1])) == "label"
    assert label_key(pd.DataFrame({"label": [1]})) == "label"
    assert label_key(pd.DataFrame({"t": [1]})) is None


def test_pixels_of_an_image_in_another_layer() -> None:
    image = Image(np.zeros((2, 3, 8, 8)), scale=(1, 1, 2, 2), translate=(5, 0, 0, 0))
    labels = Labels(np.zeros((2, 16, 16), int), translate=(5, 0, 0))
    frames = frames_from_layer(image, 1)
    found = positions_in(labels, image, frames, [0, 1], [[1, 2], [3, 4]])
    np.testing.assert_allclose(found, [[0, 2, 4], [1, 6, 8]])


@pytest.mark.parametrize(("axes", "meaning"), [("TYX", "t"), ("ZYX", None), (None, None)])
def test_the_file_of_an_image_says_what_its_first_axis_is(
    tmp_path: Path, axes: str | None, meaning: str | None
) -> None:
    pixels = np.zeros((6, 20, 30), np.uint16)
    path = tmp_path / "m.tif"
    said = {"axes": axes} if axes else {}
    tifffile.imwrite(path, pixels, metadata=said, photometric="minisblack")
    image = Image(pixels)
    image._source = Source(path=str(path))
    assert meaning_of_axis(0, image) == meaning
    cut = Image(pixels[:3])
    cut._source = image.source
    assert meaning_of_axis(0, cut) is None


def test_a_calibrated_layer_says_how_large_a_pixel_is(tmp_path: Path) -> None:
    data = np.ones((3, 50, 60))
    calibrated = Image(data, scale=(2, 0.5, 0.65), units=("min", "um", "um"))
    movie = movie_of_layer(calibrated, frames_from_layer(calibrated))
    assert movie == Movie(3, 50, 60, (0.5, 0.65), 120.0)
    nm = Image(data[0], scale=(325, 325), units=("nm", "nm"))
    movie = movie_of_layer(nm, frames_from_layer(nm))
    assert movie.pixel_size == pytest.approx((0.325, 0.325))
    assert movie.frame_interval is None
    plain = Image(data, scale=(2, 0.5, 0.5))
    assert movie_of_layer(plain, frames_from_layer(plain)) == Movie(3, 50, 60)
    path = tmp_path / "a.tif"
    metadata = {"axes": "TYX", "unit": "um", "finterval": 60.0}
    tifffile.imwrite(path, data.astype("u1"), imagej=True, resolution=(2, 2), metadata=metadata)
    plain._source = Source(path=str(path))
    movie = movie_of_layer(plain, frames_from_layer(plain))
    assert (movie.pixel_size, movie.frame_interval) == ((0.5, 0.5), 60.0)


def test_the_plane_of_each_cell() -> None:
    stack = Image(np.ones((7, 50, 60)), scale=(3, 1, 1), translate=(9, 0, 0))
    frames = frames_from_layer(stack, z_axis=0, z="centroid")
    at = np.array([[2, 10, 20], [6, 30, 40.0]])
    cells = cells_from_layer(Points(at * (3, 1, 1) + (9, 0, 0)), stack, frames)
    np.testing.assert_allclose(cells.extra["z"], [2, 6])
    np.testing.assert_allclose(cells.yx, at[:, 1:])
    flat = Points(at[:, 1:], features={"z": [4, 5]}, name="flat")
    np.testing.assert_array_equal(cells_from_layer(flat, stack, frames).extra["z"], [4, 5])
    flat.features = {"a": [1, 2]}
    with pytest.raises(InvalidInput, match="'flat' has no z: neither a coordinate nor a feature"):
        cells_from_layer(flat, stack, frames)
    assert "z" not in cells_from_layer(flat, stack, frames_from_layer(stack, z_axis=0)).extra
