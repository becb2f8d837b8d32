from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from skimage.io import imsave

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.folder import open_folder, open_picture
from napari_interpdisc.io.images import read_frames

MOVIE = np.random.default_rng(0).integers(0, 255, (4, 12, 16)).astype(np.uint8)


def write(folder: Path, *names: str) -> None:
    folder.mkdir(exist_ok=True)
    for k, name in enumerate(names):
        if name.endswith(".png"):
            imsave(folder / name, MOVIE[k % 4], check_contrast=False)
        else:
            tifffile.imwrite(folder / name, MOVIE[k % 4])


def numbers(path: Path, channel: int | None = None, pattern: str | None = None) -> list[int]:
    """Which planes of the movie the frames are."""
    data = open_folder(path, channel, pattern).data
    return [next(k for k in range(4) if (frame == MOVIE[k]).all()) for frame in data]


@pytest.mark.parametrize(
    "names",
    [
        ["t1.tif", "t2.tif", "t3.tif"],
        ["t9.tif", "t10.tif", "t11.TIFF"],
        ["a0.png", "a1.png"],
        ["exp12_t000.tif", "exp12_t001.tif"],
        ["img_0_0s.tif", "img_1_120s.tif", "img_2_241s.tif"],  # one rises with the other
        ["0.tif", "10.tif", "20.tif"],
        ["still.tif"],
    ],
)
def test_files_in_the_order_of_their_numbers(tmp_path: Path, names: list[str]) -> None:
    write(tmp_path / "seq", *names)
    (tmp_path / "seq" / ".t0.tif").write_bytes(b"hidden")
    (tmp_path / "seq" / "._t1.tif").write_bytes(b"of macOS")
    (tmp_path / "seq" / "notes.txt").write_text("x")
    assert numbers(tmp_path / "seq") == list(range(len(names)))


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["t000.tif", "t001.tif", "t003.tif"], "Number 2 is missing"),
        (["t1.tif", "t2.tif", "t5.tif"], "Numbers 3, 4 are missing"),
        (["t1.tif", "t01.tif"], "have the same number"),
        (["t0_C0.tif", "t0_C1.tif", "t1_C0.tif", "t1_C1.tif"], r"--channel-pattern '_C\(\\d\+\)'"),
        (["t0_red.tif", "t0_blue.tif"], "are of several kinds"),
        (["t0.tif", "t1.png"], "images of several kinds"),
        (["notes.txt"], "holds no TIFF files or pictures"),
    ],
)
def test_names_that_leave_the_order_open(tmp_path: Path, names: list[str], sentence: str) -> None:
    write(tmp_path / "seq", *names)
    with pytest.raises(InvalidInput, match=sentence):
        open_folder(tmp_path / "seq")


def test_a_pattern_takes_the_files_that_are_there(tmp_path: Path) -> None:
    write(tmp_path / "seq", "t000.tif", "t001.tif", "t003.tif")
    source = open_folder(tmp_path / "seq" / "*.tif")
    assert source.shape == (3, 12, 16)
    assert "with gaps in their numbers" in source.taken[-1]
    with pytest.raises(InvalidInput, match="No image fits"):
        open_folder(tmp_path / "seq" / "*.png")


def test_a_pattern_takes_one_channel(tmp_path: Path) -> None:
    write(tmp_path / "seq", "t0_C0.tif", "t0_C1.tif", "t1_C0.tif", "t1_C1.tif")
    assert numbers(tmp_path / "seq" / "*_C1.tif") == [1, 3]


def test_channels_by_their_names(tmp_path: Path) -> None:
    write(tmp_path / "seq", "GFP_t0.tif", "RFP_t0.tif", "GFP_t1.tif", "RFP_t1.tif")
    path = tmp_path / "seq"
    assert numbers(path, 1, "(GFP|RFP)") == [1, 3]
    assert "channel 1 is 'RFP' of GFP, RFP" in open_folder(path, 1, "(GFP|RFP)").taken[0]
    for channel, pattern, sentence in (
        (None, "(GFP|RFP)", "has 2 channels"),
        (2, "(GFP|RFP)", "Channel 2 does not exist"),
        (0, "(GFP)", "does not fit 2 of 4 files"),
        (0, "GFP", "needs one group"),
        (0, "(", "no regular expression"),
    ):
        with pytest.raises(InvalidInput, match=sentence):
            open_folder(path, channel, pattern)


def test_a_picture_in_colours(tmp_path: Path) -> None:
    colours = np.stack([MOVIE[0]] * 3, -1)
    imsave(tmp_path / "c.png", colours, check_contrast=False)
    source = open_picture(tmp_path / "c.png")
    assert source.axes == "YXS"
    np.testing.assert_array_equal(np.asarray(source.data), colours)


def test_stacks_whose_first_axis_is_not_named(tmp_path: Path) -> None:
    for t in range(4):
        tifffile.imwrite(tmp_path / f"t{t}.tif", np.stack([MOVIE[t] // 2, MOVIE[t]]))
    with pytest.raises(InvalidInput, match="give --time-axis, --channel-axis, or --z"):
        read_frames(tmp_path)
    for frames in (read_frames(tmp_path, z="max"), read_frames(tmp_path, 1, 1)):
        assert frames.shape == MOVIE.shape
        np.testing.assert_array_equal(frames.frame(2), MOVIE[2] - MOVIE[2].min())
