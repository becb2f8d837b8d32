from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io import tiff
from napari_interpdisc.io.tiff import open_tiff

MOVIE = np.random.default_rng(0).integers(0, 999, (5, 24, 32)).astype(np.uint16)


def in_turn(path: Path) -> None:
    """Two positions of an OME-TIFF, written in turn."""
    other = MOVIE[::-1] + 1000
    tifffile.imwrite(path, MOVIE, ome=True, compression="zlib", metadata={"axes": "TYX"})
    xml = tifffile.tiffcomment(path)
    image = xml[xml.index("<Image") : xml.index("</OME>")]
    blocks = [
        image.replace("Image:0", f"Image:{p}")
        .replace("Pixels:0", f"Pixels:{p}")
        .replace(
            '<TiffData IFD="0" PlaneCount="5"/>',
            "".join(f'<TiffData IFD="{2 * t + p}" FirstT="{t}" PlaneCount="1"/>' for t in range(5)),
        )
        for p in (0, 1)
    ]
    assert "FirstT" in blocks[0]
    described = xml.replace(image, "".join(blocks))
    with tifffile.TiffWriter(path) as writer:
        for k in range(10):
            plane = (MOVIE, other)[k % 2][k // 2]
            writer.write(
                plane, compression="zlib", photometric="minisblack", metadata=None,
                description=described.encode() if k == 0 else None,
            )  # fmt: skip


def appended(path: Path) -> None:
    for plane in MOVIE:
        tifffile.imwrite(path, plane, append=True)


def with_thumbnails(path: Path) -> None:
    with tifffile.TiffWriter(path) as writer:
        for plane in MOVIE:
            writer.write(plane, photometric="minisblack", metadata=None)
            writer.write(plane[::8, ::8], subfiletype=1, photometric="minisblack", metadata=None)


def thumbnail_first(path: Path) -> None:
    with tifffile.TiffWriter(path) as writer:
        writer.write(MOVIE[0, ::8, ::8], photometric="minisblack", metadata=None)
        for plane in MOVIE:
            writer.write(plane, photometric="minisblack", metadata=None)


@pytest.mark.parametrize("write", [in_turn, appended, with_thumbnails, thumbnail_first])
def test_pages_are_those_of_the_series(tmp_path: Path, write: Callable[[Path], None]) -> None:
    write(tmp_path / "m.tif")
    source = open_tiff(tmp_path / "m.tif")
    np.testing.assert_array_equal(np.asarray(source.data), MOVIE)
    assert source.taken  # it is said which was taken


def test_another_series_is_chosen(tmp_path: Path) -> None:
    path = tmp_path / "m.tif"
    in_turn(path)
    np.testing.assert_array_equal(np.asarray(open_tiff(path, 1).data), MOVIE[::-1] + 1000)
    with pytest.raises(InvalidInput, match="has no series 2; it has 2: 0"):
        open_tiff(path, 2)


def test_two_images_of_one_size_are_asked_about(tmp_path: Path) -> None:
    path = tmp_path / "m.tif"
    tifffile.imwrite(path, MOVIE, photometric="minisblack")
    tifffile.imwrite(path, MOVIE[:3], photometric="minisblack", append=True)
    with pytest.raises(InvalidInput, match=r"holds 2 series .*choose one with --series"):
        open_tiff(path)
    assert open_tiff(path, 1).shape == (3, 24, 32)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_an_ome_tiff_in_several_files(tmp_path: Path, compression: str | None) -> None:
    files = [f"m_t{t}.ome.tif" for t in range(5)]
    tifffile.imwrite(tmp_path / "one.ome.tif", MOVIE, ome=True, metadata={"axes": "TYX"})
    xml = tifffile.tiffcomment(tmp_path / "one.ome.tif")
    data = "".join(
        f'<TiffData IFD="0" FirstT="{t}" PlaneCount="1"><UUID FileName="{name}">urn:uuid:{t}</UUID>'
        "</TiffData>"
        for t, name in enumerate(files)
    )
    xml = xml.replace('<TiffData IFD="0" PlaneCount="5"/>', data)
    for t, name in enumerate(files):
        own = (
            xml.replace("<OME ", f'<OME UUID="urn:uuid:{t}" ') if "UUID=" not in xml[:400] else xml
        )
        tifffile.imwrite(
            tmp_path / name, MOVIE[t], compression=compression, metadata=None,
            photometric="minisblack", description=own.encode(),
        )  # fmt: skip
    np.testing.assert_array_equal(np.asarray(open_tiff(tmp_path / files[0]).data), MOVIE)
    assert tiff.files_of_series(tmp_path / files[0]) == {tmp_path / name for name in files}
    if compression:
        (tmp_path / files[3]).unlink()
        try:
            data = open_tiff(tmp_path / files[0]).data
        except InvalidInput:
            return
        np.testing.assert_array_equal(data[2], MOVIE[2])
        with pytest.raises(ValueError, match="page 3 is in a file that is not there"):
            data[3]


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("kind", [{"imagej": True}, {"ome": True}, {}])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_file_that_was_cut_off(
    tmp_path: Path, kind: dict[str, bool], compression: str | None, share: float
) -> None:
    path = tmp_path / "m.tif"
    tifffile.imwrite(path, MOVIE, compression="zlib", photometric="minisblack", rowsperstrip=99)
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages[2].tags["StripByteCounts"].overwrite(2**31)  # type: ignore[union-attr]
    data = open_tiff(path).data
    np.testing.assert_array_equal(data[1], MOVIE[1])
    with pytest.raises(ValueError, match="end beyond the end of the file"):
        data[2]


def test_a_page_is_no_larger_than_its_data(tmp_path: Path) -> None:
    """Rows that are nowhere in the file would be 0, and take memory and time."""
    path = tmp_path / "m.tif"
    tifffile.imwrite(path, MOVIE, compression="zlib", photometric="minisblack", rowsperstrip=8)
    with tifffile.TiffFile(path, mode="r+") as file:
        for page in file.pages:
            page.tags["ImageLength"].overwrite(2**20)  # type: ignore[union-attr]
    data = open_tiff(path).data
    with pytest.raises(ValueError, match=r"of its 131,072 parts are missing"):
        data[0]
