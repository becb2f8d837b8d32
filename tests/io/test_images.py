from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
import zarr
from skimage.io import imsave

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.frames import Frames
from napari_interpdisc.io.images import open_labels, read_frames, read_labels

MOVIE = np.random.default_rng(0).integers(0, 999, (4, 20, 30)).astype(np.uint16)


def same_frame(frames: Frames, t: int, pixels: npt.NDArray[Any]) -> None:
    """Assert that frame ``t`` is these pixels, less their lowest."""
    np.testing.assert_array_equal(frames.frame(t), pixels - pixels.min())


@pytest.mark.parametrize(
    "how",
    [
        {"photometric": "rgb", "planarconfig": "separate"},  # what tifffile makes of 4 frames
        {"compression": "zlib", "photometric": "minisblack"},
        {"compression": "lzw", "photometric": "minisblack"},
        {"imagej": True, "metadata": {"axes": "TYX"}},
        {"ome": True, "metadata": {"axes": "TYX"}},
        {"photometric": "minisblack"},
        {"bigtiff": True, "tile": (16, 16), "photometric": "minisblack"},
    ],
    ids=str,
)
def test_tiff_movies(tmp_path: Path, how: dict[str, Any]) -> None:
    path = tmp_path / "movie.tif"
    tifffile.imwrite(path, MOVIE, **how)
    frames = read_frames(path)
    assert frames.shape == MOVIE.shape
    same_frame(frames, 2, MOVIE[2])


def test_tiff_channels(tmp_path: Path) -> None:
    path = tmp_path / "channels.tif"
    both = np.stack([MOVIE, MOVIE + 1000], 1)
    tifffile.imwrite(path, both, imagej=True, metadata={"axes": "TCYX"})
    frames = read_frames(path, channel=1)
    assert frames.shape == MOVIE.shape
    same_frame(frames, 3, MOVIE[3] + 1000)
    with pytest.raises(InvalidInput, match="has 2 channels; choose one, from 0 to 1"):
        read_frames(path)
    with pytest.raises(InvalidInput, match="Channel 2 does not exist"):
        read_frames(path, channel=2)


def test_still_image_in_a_tiff(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "still.tif", MOVIE[0])
    assert not read_frames(tmp_path / "still.tif").is_movie


def test_folder_of_frames(tmp_path: Path) -> None:
    for t, plane in enumerate(MOVIE):
        tifffile.imwrite(tmp_path / f"t{t:03d}.tif", plane)
    frames = read_frames(tmp_path)
    assert frames.shape == MOVIE.shape
    same_frame(frames, 1, MOVIE[1])
    tifffile.imwrite(tmp_path / "t004.tif", MOVIE[0, :5])
    with pytest.raises(InvalidInput, match="differ in shape"):
        read_frames(tmp_path)


def test_npy_and_png(tmp_path: Path) -> None:
    np.save(tmp_path / "movie.npy", MOVIE)
    same_frame(read_frames(tmp_path / "movie.npy"), 2, MOVIE[2])
    imsave(tmp_path / "still.png", (MOVIE[0] // 4).astype(np.uint8), check_contrast=False)
    same_frame(read_frames(tmp_path / "still.png"), 0, MOVIE[0] // 4)


def test_zarr_array_and_ome_zarr(tmp_path: Path) -> None:
    array = zarr.create_array(
        tmp_path / "plain.zarr", shape=MOVIE.shape, dtype=MOVIE.dtype, chunks=(1, 20, 30)
    )
    array[:] = MOVIE
    same_frame(read_frames(tmp_path / "plain.zarr"), 2, MOVIE[2])

    group = zarr.open_group(tmp_path / "ome.zarr", mode="w")
    level = group.create_array("0", shape=(4, 2, 1, 20, 30), dtype=MOVIE.dtype)
    level[:] = np.stack([MOVIE, MOVIE + 1000], 1)[:, :, None]
    axes = [{"name": name} for name in "tczyx"]
    multiscales = [{"axes": axes, "datasets": [{"path": "0"}]}]
    group.attrs["ome"] = {"multiscales": multiscales}
    frames = read_frames(tmp_path / "ome.zarr", channel=1)
    assert frames.shape == MOVIE.shape
    same_frame(frames, 0, MOVIE[0] + 1000)


def test_refused(tmp_path: Path) -> None:
    rgb = np.zeros((20, 30, 3), np.uint8)
    rgb[5, 5, 1] = 1
    tifffile.imwrite(tmp_path / "rgb.tif", rgb, photometric="rgb")
    imsave(tmp_path / "rgb.png", rgb, check_contrast=False)
    np.save(tmp_path / "rgb.npy", rgb)
    for name in ("rgb.tif", "rgb.png", "rgb.npy"):
        with pytest.raises(InvalidInput, match="RGB image"):
            read_frames(tmp_path / name)
    tifffile.imwrite(tmp_path / "z.tif", MOVIE, imagej=True, metadata={"axes": "ZYX"})
    with pytest.raises(InvalidInput, match="is a z-stack of 4 planes"):
        read_frames(tmp_path / "z.tif")
    (tmp_path / "broken.tif").write_bytes(b"II*\0 and no more")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "none").mkdir()
    for name, sentence in {
        "gone.tif": "There is no file",
        "broken.tif": "cannot be read as an image",
        "notes.txt": "not a kind of image",
        "none": "holds no TIFF files",
    }.items():
        with pytest.raises(InvalidInput, match=sentence):
            read_frames(tmp_path / name)


def test_pickled_arrays_are_not_opened(tmp_path: Path) -> None:
    np.save(tmp_path / "evil.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InvalidInput, match="cannot be read as an image"):
        read_frames(tmp_path / "evil.npy")


def test_labels(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "labels.tif", MOVIE, photometric="minisblack")
    labels = read_labels(tmp_path / "labels.tif")
    np.testing.assert_array_equal(np.asarray(labels[1]), MOVIE[1])
    tifffile.imwrite(tmp_path / "float.tif", MOVIE[0].astype(np.float32) / 2)
    with pytest.raises(InvalidInput, match="not whole numbers"):
        read_labels(tmp_path / "float.tif")
    np.save(tmp_path / "four.npy", np.zeros((2, 2, 2, 2), int))
    with pytest.raises(InvalidInput, match=r"a segmentation has axes \(y, x\) or \(t, y, x\)"):
        read_labels(tmp_path / "four.npy")


def test_frames_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for t, k in enumerate((9, 10, 11)):
        tifffile.imwrite(tmp_path / f"t{k}.tif", MOVIE[t])
    frames = read_frames(tmp_path)
    for t in range(3):
        same_frame(frames, t, MOVIE[t])


def test_one_colour_of_a_picture_and_grey_saved_as_colours(tmp_path: Path) -> None:
    colours = np.stack([MOVIE[0] // 4, MOVIE[1] // 4, MOVIE[2] // 4], -1).astype(np.uint8)
    imsave(tmp_path / "rgb.png", colours, check_contrast=False)
    tifffile.imwrite(tmp_path / "rgb.tif", colours, photometric="rgb")
    for name in ("rgb.png", "rgb.tif"):
        same_frame(read_frames(tmp_path / name, channel=1), 0, colours[..., 1])
    grey = np.stack([colours[..., 0]] * 3, -1)
    imsave(tmp_path / "grey.png", grey, check_contrast=False)
    frames = read_frames(tmp_path / "grey.png")
    same_frame(frames, 0, grey[..., 0])
    assert "stored as RGB" in frames.taken


def test_what_was_taken_for_what_is_said(tmp_path: Path) -> None:
    np.save(tmp_path / "movie.npy", MOVIE[:, None])
    assert read_frames(tmp_path / "movie.npy").taken == (
        "4 frames of 20 by 30 px; axis 0, which the file does not name, is taken for time"
    )
    np.save(tmp_path / "narrow.npy", MOVIE[:, :, :4])
    assert read_frames(tmp_path / "narrow.npy").shape == (4, 20, 4)


def test_a_movie_that_fiji_saved_as_z_or_channels(tmp_path: Path) -> None:
    for axes in ("ZYX", "CYX"):
        path = tmp_path / f"{axes}.tif"
        tifffile.imwrite(path, MOVIE, imagej=True, metadata={"axes": axes})
        with pytest.raises(InvalidInput, match=f"give --time-axis {axes[0]}"):
            read_frames(path)
        for named in (0, axes[0], axes[0].lower()):
            same_frame(read_frames(path, time_axis=named), 3, MOVIE[3])
    same_frame(read_frames(tmp_path / "ZYX.tif", z="max"), 0, MOVIE.max(0))
    same_frame(read_frames(tmp_path / "ZYX.tif", z="mid"), 0, MOVIE[2])


def test_labels_however_they_are_stored(tmp_path: Path) -> None:
    labels = np.arange(MOVIE.size).reshape(MOVIE.shape) % 5
    float_path, z_path = tmp_path / "float.tif", tmp_path / "z.tif"
    tifffile.imwrite(float_path, labels.astype(np.float32), photometric="minisblack")
    found = read_labels(float_path)
    assert found.dtype.kind == "i"
    np.testing.assert_array_equal(np.asarray(found), labels)
    tifffile.imwrite(z_path, labels.astype("u2"), imagej=True, metadata={"axes": "ZYX"})
    np.testing.assert_array_equal(np.asarray(read_labels(z_path, MOVIE.shape)), labels)
    with pytest.raises(InvalidInput, match="is a z-stack of 4 planes"):
        read_labels(z_path, (1, 20, 30))
    np.testing.assert_array_equal(np.asarray(read_labels(z_path, z="mid")), labels[2])


@pytest.mark.parametrize("values", [(False, True), (0, 255)])
def test_pieces_of_a_binary_mask_are_objects(tmp_path: Path, values: tuple[Any, Any]) -> None:
    mask = np.full((2, 20, 30), values[0], bool if values[1] is True else np.uint8)
    mask[0, 2:5, 2:5] = mask[0, 10:15, 10:15] = mask[1, 2:5, 2:5] = values[1]
    np.save(tmp_path / "mask.npy", mask)
    labels, taken = open_labels(tmp_path / "mask.npy")
    assert [len(np.unique(labels[t])) - 1 for t in (0, 1)] == [2, 1]
    assert "binary mask" in taken


def test_the_one_nucleus_of_every_frame_is_no_binary_mask(tmp_path: Path) -> None:
    mask = np.zeros((2, 20, 30), np.uint8)
    mask[:, 2:9, 2:9] = 7
    np.save(tmp_path / "labels.npy", mask)
    np.testing.assert_array_equal(np.asarray(read_labels(tmp_path / "labels.npy")), mask)
