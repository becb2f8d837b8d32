from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import pytest
import zarr

from napari_interpdisc import frames as frames_module
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.frames import BlockReader, Frames, UnreadableFrame, check_size

MOVIE = np.arange(3 * 4 * 5, dtype=np.uint16).reshape(3, 4, 5)


@pytest.mark.parametrize("kind", ["numpy", "dask", "zarr"])
def test_frames_of_a_movie(kind: str) -> None:
    data: Any = {"numpy": lambda: MOVIE, "dask": lambda: da.from_array(MOVIE), "zarr": _zarr}[
        kind
    ]()
    frames = Frames(data)
    assert frames.shape == (3, 4, 5)
    assert len(frames) == 3
    assert frames.is_movie
    frame = frames.frame(1)
    assert frame.dtype == np.float32
    np.testing.assert_array_equal(frame, MOVIE[1] - MOVIE[1].min())


def _zarr() -> Any:
    array = zarr.create_array(store={}, shape=MOVIE.shape, dtype=MOVIE.dtype, chunks=(1, 4, 5))
    array[:] = MOVIE
    return array


def test_still_image_is_one_frame() -> None:
    frames = Frames(MOVIE[0])
    assert not frames.is_movie
    assert frames.shape == (1, 4, 5)
    np.testing.assert_array_equal(frames.frame(0), MOVIE[0])


@pytest.mark.parametrize("axis", [0, 1, 3, -1])
def test_channel_axis_anywhere(axis: int) -> None:
    channels = np.stack([MOVIE, MOVIE + 100], axis)
    frames = Frames(channels, axis, 1)
    assert frames.shape == (3, 4, 5)
    np.testing.assert_array_equal(frames.frame(2), MOVIE[2] - MOVIE[2].min())


def test_only_the_asked_frame_is_read() -> None:
    read: list[int] = []

    def block(block_info: Any = None) -> Any:
        t = block_info[None]["array-location"][0][0]
        read.append(t)
        return MOVIE[t][None]

    lazy = da.map_blocks(
        block, chunks=((1, 1, 1), (4,), (5,)), dtype=MOVIE.dtype, meta=np.empty((0, 0, 0), "u2")
    )
    frames = Frames(lazy)
    assert read == []
    frames.frame(2)
    assert read == [2]


@pytest.mark.parametrize("dtype", ["u1", "i4", "f2", "f8", "?"])
def test_any_numeric_type(dtype: str) -> None:
    data = (MOVIE[0] % 2).astype(dtype)
    assert Frames(data).frame(0).dtype == np.float32


@pytest.mark.parametrize(
    ("data", "kwargs", "sentence"),
    [
        (np.zeros((2, 3, 4, 5)), {}, "choose the channel axis, or take one plane of a 3D stack"),
        (np.zeros(5), {}, r"a 2D image \(y, x\) or a movie"),
        (np.zeros((0, 5)), {}, "image is empty"),
        (np.array([["a", "b"]]), {}, "give a numeric image"),
        (np.zeros((2, 2), complex), {}, "give a numeric image"),
        (np.zeros((2, 4, 5)), {"channel_axis": 3}, "Channel axis 3 does not exist"),
        (np.zeros((2, 4, 5)), {"channel_axis": 0, "channel": 2}, "Channel 2 does not exist"),
    ],
)
def test_unusable_images(data: Any, kwargs: dict[str, int], sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        Frames(data, **kwargs)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_pixels_without_a_value(value: float) -> None:
    data = MOVIE.astype(float)
    data[1, 2, 3] = value
    picture = Frames(data).picture(1)
    assert picture.missing is not None
    assert np.argwhere(picture.missing).tolist() == [[2, 3]]
    others = ~picture.missing
    np.testing.assert_array_equal(picture.pixels[others], (MOVIE[1] - MOVIE[1].min())[others])
    assert picture.pixels[2, 3] == 0
    assert picture.beyond_edge()[2, 3] == pytest.approx(picture.pixels[others].mean())
    assert Frames(data).picture(0).missing is None


@pytest.mark.parametrize("value", [0, 7, np.nan])
def test_a_blank_frame_is_no_fault(value: float) -> None:
    picture = Frames(np.full((4, 5), value)).picture(0)
    assert picture.blank
    assert not picture.pixels.any()


def test_a_frame_that_cannot_be_read_is_told() -> None:
    class Damaged:
        shape, dtype = (3, 4, 5), np.dtype("u1")

        def __getitem__(self, key: Any) -> Any:
            raise OSError("data end too soon")

    with pytest.raises(UnreadableFrame, match=r"Frame 1 .* cannot be read \(data end too soon\)"):
        Frames(Damaged()).frame(1)


@pytest.mark.parametrize("z_axis", [0, 1, -1])
def test_planes_of_a_z_stack(z_axis: int) -> None:
    stack = np.stack([MOVIE, MOVIE[:, ::-1], 2 * MOVIE], z_axis)
    frames = Frames(stack, z_axis=z_axis, z="mid")
    assert (frames.shape, frames.n_planes) == (MOVIE.shape, 3)
    np.testing.assert_array_equal(frames.frame(2), MOVIE[2, ::-1] - MOVIE[2].min())
    np.testing.assert_array_equal(
        Frames(stack, z_axis=z_axis).frame(2), 2 * (MOVIE[2] - MOVIE[2].min())
    )
    np.testing.assert_array_equal(
        Frames(stack, z_axis=z_axis, z="centroid").picture(1, 0).pixels, MOVIE[1] - MOVIE[1].min()
    )


@pytest.mark.parametrize("gain", [1e-300, 1e-40, 1e-25, 1e-13, 1e13, 1e25, 1e40, 1e300])
@pytest.mark.parametrize("offset", [0.0, -30.0])
def test_gain_changes_nothing(gain: float, offset: float) -> None:
    plain = Frames(MOVIE[1] + offset).frame(0)
    far = Frames((MOVIE[1] + offset) * gain).frame(0)
    assert far.dtype == np.float32
    np.testing.assert_allclose(far / far.max(), plain / plain.max(), rtol=1e-6)


def test_the_whole_range_of_float64() -> None:
    largest = np.finfo(np.float64).max
    frame = Frames(np.array([[-largest, 0.0], [largest / 2, largest]])).frame(0)
    np.testing.assert_allclose(frame, [[0, 0.5], [0.75, 1]])
    frame = Frames(np.array([[0.0, 5e-324], [1e-323, 2e-323]])).frame(0)
    np.testing.assert_allclose(frame, [[0, 0.25], [0.5, 1]])


class Counted:
    """An array in chunks that counts how often each of its frames is read."""

    def __init__(self, values: np.ndarray, chunks: tuple[object, ...], damaged: int = -1) -> None:
        self.values, self.chunks, self.damaged = values, chunks, damaged
        self.shape, self.dtype = values.shape, values.dtype
        self.read: list[int] = []

    def __getitem__(self, index: tuple[object, ...]) -> np.ndarray:
        frames = np.atleast_1d(np.arange(len(self.values))[index[0]])
        self.read += frames.tolist()
        if self.damaged in frames:
            raise OSError("the chunk is damaged")
        return np.asarray(self.values[index])


@pytest.mark.parametrize("chunks", [(3, 4, 4), ((3, 2, 3), (4,), (4,))])
def test_each_chunk_is_read_once_in_time_order(chunks: tuple[object, ...]) -> None:
    data = Counted(np.arange(8 * 16).reshape(8, 4, 4), chunks)
    reader = BlockReader(Frames(data))
    for t in range(8):
        np.testing.assert_array_equal(reader.picture(t).pixels, Frames(data.values).frame(t))
    assert data.read == list(range(8))


def test_a_damaged_frame_costs_itself_and_not_its_chunk() -> None:
    data = Counted(np.arange(6 * 16).reshape(6, 4, 4), (3, 4, 4), damaged=1)
    reader = BlockReader(Frames(data))
    assert reader.picture(0).pixels.max() == 15
    with pytest.raises(UnreadableFrame):
        reader.picture(1)
    assert reader.picture(2).pixels.max() == 15


def test_a_chunk_that_is_too_large_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames_module, "LARGEST_BLOCK", 100)
    data = Counted(np.arange(6 * 16).reshape(6, 4, 4), (6, 4, 4))
    reader = BlockReader(Frames(data))
    for t in (0, 1):
        reader.picture(t)
    assert data.read == [0, 1]


def test_blocks_have_the_channel_and_the_planes_of_the_movie() -> None:
    values = np.random.default_rng(0).integers(0, 99, (4, 2, 3, 5, 6))
    for z in ("max", "mid", "centroid"):
        lazy = Frames(da.from_array(values, (2, 1, 3, 5, 6)), 1, 1, 2, z)
        plain, reader = Frames(values, 1, 1, 2, z), BlockReader(lazy)
        for t in range(4):
            for plane in (None, 2):
                np.testing.assert_array_equal(
                    reader.picture(t, plane).pixels, plain.picture(t, plane).pixels
                )


@pytest.mark.parametrize(
    ("shape", "axes", "told"),
    [
        ((10**6, 10**6), "YX", "cut it into tiles"),
        ((10**5, 2**12, 2**12), "ZYX", "in 100000 planes"),
        ((10**8, 9, 9), "TYX", "100,000,000 frames"),
    ],
)
def test_sizes_that_cannot_be_meant_are_refused(
    shape: tuple[int, ...], axes: str, told: str
) -> None:
    with pytest.raises(InvalidInput, match=told):
        check_size(shape, axes)
    check_size((1000, 3, 2048, 2048), "TCYX")
