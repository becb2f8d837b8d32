from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import zarr

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.images import read_frames
from napari_interpdisc.io.ome_zarr import open_zarr, plate_fields

MOVIE = np.random.default_rng(0).integers(0, 999, (3, 8, 10)).astype(np.uint16)


def image(path: Path, axes: str = "tyx", version: int = 3) -> None:
    data = MOVIE.transpose(["tyx".index(a) for a in axes])
    group = zarr.open_group(path, mode="w", zarr_format=version)  # type: ignore[arg-type]
    group.create_array("0", data=data)
    scales = [{"axes": [{"name": a} for a in axes], "datasets": [{"path": "0"}]}]
    group.attrs.update(
        {"ome": {"multiscales": scales}} if version == 3 else {"multiscales": scales}
    )


def group(path: Path, **attributes: Any) -> None:
    zarr.open_group(path, mode="a").attrs["ome"] = attributes


@pytest.fixture
def plate(tmp_path: Path) -> Path:
    """A plate with two wells, the first of which has two fields."""
    path = tmp_path / "plate.zarr"
    group(path, plate={"wells": [{"path": "A/1"}, {"path": "B/2"}]})
    for well, fields in (("A/1", "01"), ("B/2", "0")):
        zarr.open_group(path / well.split("/")[0], mode="a")
        group(path / well, well={"images": [{"path": field} for field in fields]})
        for field in fields:
            image(path / well / field)
    return path


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("axes", ["tyx", "txy", "yxt"])
def test_axes_by_their_names_in_image_and_level(tmp_path: Path, version: int, axes: str) -> None:
    path = tmp_path / "m.zarr"
    image(path, axes, version)
    for place in (path, path / "0"):
        np.testing.assert_array_equal(read_frames(place).frame(1), MOVIE[1] - MOVIE[1].min())


def test_images_in_a_plate(plate: Path) -> None:
    assert open_zarr(plate / "A/1/1").shape == MOVIE.shape
    only = open_zarr(plate / "B/2")
    assert only.shape == MOVIE.shape
    assert "image 0 of 2" in only.taken
    with pytest.raises(InvalidInput, match=r"holds 3 images; give the path of one: .*A/1/0, "):
        open_zarr(plate)
    with pytest.raises(InvalidInput, match="holds 2 images"):
        open_zarr(plate / "A/1")
    assert open_zarr(plate, 2).taken == ("image B/2/0 of plate.zarr",)
    with pytest.raises(InvalidInput, match="has no series 3; it holds 3"):
        open_zarr(plate, 3)


def test_a_collection_of_bioformats2raw_and_labels(tmp_path: Path) -> None:
    path = tmp_path / "bf.zarr"
    group(path, **{"bioformats2raw.layout": 3})
    zarr.open_group(path / "OME", mode="a")
    image(path / "0")
    assert open_zarr(path).shape == MOVIE.shape
    group(path / "0" / "labels", labels=["nuclei"])
    image(path / "0" / "labels" / "nuclei")
    assert open_zarr(path / "0" / "labels").taken == ("image nuclei of labels",)
    assert open_zarr(path / "0").shape == MOVIE.shape


def test_a_group_without_images(tmp_path: Path) -> None:
    zarr.open_group(tmp_path / "g.zarr", mode="w")
    with pytest.raises(InvalidInput, match="without an array or an OME-Zarr image"):
        open_zarr(tmp_path / "g.zarr")


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("names", [["y", "frame", "x"], ["row", "time", "col"]])
def test_names_that_xarray_gives_to_axes(tmp_path: Path, version: int, names: list[str]) -> None:
    path = tmp_path / "m.zarr"
    own = {"dimension_names": names} if version == 3 else {}
    array = zarr.create_array(path, data=MOVIE.transpose(1, 0, 2), zarr_format=version, **own)
    if version == 2:
        array.attrs["_ARRAY_DIMENSIONS"] = names
    np.testing.assert_array_equal(read_frames(path).frame(1), MOVIE[1] - MOVIE[1].min())


@pytest.mark.parametrize("version", [2, 3])
def test_fields_of_a_plate(tmp_path: Path, version: Literal[2, 3]) -> None:
    def write(path: Path, **attributes: Any) -> None:
        made = zarr.open_group(path, mode="w", zarr_format=version)
        made.attrs.update({"ome": attributes} if version == 3 else attributes)

    path = tmp_path / "p.zarr"
    write(path, plate={"wells": [{"path": "B/02", "rowIndex": 1, "columnIndex": 1}]})
    write(path / "B" / "02", well={"images": [{"path": "0", "acquisition": 1}, {"path": "1"}]})
    fields = plate_fields(path)
    assert [(one.well, one.row, one.column, one.field) for one in fields] == [
        ("B02", "B", "02", "0"),
        ("B02", "B", "02", "1"),
    ]
    assert fields[1].image == path / "B" / "02" / "1"


def test_what_is_no_plate(tmp_path: Path, plate: Path) -> None:
    with pytest.raises(InvalidInput, match="There is no plate"):
        plate_fields(tmp_path / "none")
    with pytest.raises(InvalidInput, match="is no OME-Zarr plate: it lists no wells"):
        plate_fields(plate / "A" / "1")
    group(plate, plate={"wells": []})
    with pytest.raises(InvalidInput, match="a plate without an image"):
        plate_fields(plate)
    group(plate, plate={"wells": [{"path": "C/1"}]})
    with pytest.raises(InvalidInput, match="cannot be read as an OME-Zarr plate"):
        plate_fields(plate)
