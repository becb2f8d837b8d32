"""Pixel size and frame interval, where an image file says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_interpdisc.io.calibration import Calibration, of_ome, read_calibration

PIXELS = np.zeros((2, 4, 6), np.uint8)


def written(folder: Path, **how: Any) -> Path:
    path = folder / "movie.tif"
    tifffile.imwrite(path, PIXELS, photometric="minisblack", **how)
    return path


@pytest.mark.parametrize(
    ("unit", "size"),
    [
        ("um", (0.5, 0.25)),
        ("micron", (0.5, 0.25)),
        ("\\u00B5m", (0.5, 0.25)),
        ("nm", None),  # half a nanometre is no pixel of a microscope
        ("pixel", None),
        ("inch", None),
    ],
)
def test_imagej(tmp_path: Path, unit: str, size: tuple[float, float] | None) -> None:
    path = written(
        tmp_path,
        imagej=True,
        resolution=(4, 2),  # pixels in one unit along x and y
        metadata={"axes": "TYX", "unit": unit, "finterval": 5.0, "tunit": "min"},
    )
    assert read_calibration(path) == Calibration(size, 300.0)


def test_ome_tiff(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    said = {"axes": "TYX", "PhysicalSizeX": 250, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 0.5}
    tifffile.imwrite(path, PIXELS, metadata={**said, "TimeIncrement": 2, "TimeIncrementUnit": "h"})
    assert read_calibration(path) == Calibration((0.5, 0.25), 7200.0)
    assert of_ome("<OME/>") == Calibration()


def test_what_a_plain_tiff_says_counts_only_in_centimetres(tmp_path: Path) -> None:
    inches = written(tmp_path, resolution=(72, 72), resolutionunit="INCH")
    assert read_calibration(inches) == Calibration()
    metres = written(tmp_path, resolution=(20_000, 20_000), resolutionunit="CENTIMETER")
    assert read_calibration(metres).pixel_size == pytest.approx((0.5, 0.5))
    print_ = written(tmp_path, resolution=(28, 28), resolutionunit="CENTIMETER")
    assert read_calibration(print_) == Calibration()


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_ome_zarr(tmp_path: Path, version: str) -> None:
    axes = [
        {"name": "t", "type": "time", "unit": "second"},
        {"name": "y", "type": "space", "unit": "micrometer"},
        {"name": "x", "type": "space", "unit": "micrometer"},
    ]
    scales = [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [3, 1, 2]}]}]
    said: dict[str, Any] = {"multiscales": [{"axes": axes, "datasets": scales}]}
    name = ".zattrs" if version == "0.4" else "zarr.json"
    said = said if version == "0.4" else {"attributes": {"ome": said}}
    (tmp_path / name).write_text(json.dumps(said))
    assert read_calibration(tmp_path) == Calibration((1.0, 2.0), 3.0)


def test_a_folder_of_tiffs_and_files_that_say_nothing(tmp_path: Path) -> None:
    written(tmp_path, imagej=True, resolution=(2, 2), metadata={"axes": "TYX", "unit": "um"})
    assert read_calibration(tmp_path).pixel_size == (0.5, 0.5)
    (tmp_path / "broken.tif").write_bytes(b"II*\x00")
    assert read_calibration(tmp_path / "broken.tif") == Calibration()
    assert read_calibration(tmp_path / "none.npy") == Calibration()
