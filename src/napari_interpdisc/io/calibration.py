"""The size of a pixel and the time between frames, where an image file says so."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from napari_interpdisc.io.dialects import MICROMETRES, SECONDS, unit_of
from napari_interpdisc.io.vendor import SUFFIXES, vendor_calibration
from napari_interpdisc.io.xml_guard import check_xml

CENTIMETRE = 3
"""TIFF's number of the unit; inches are written by default and mean nothing."""


@dataclass(frozen=True)
class Calibration:
    """What a file says.

    Attributes
    ----------
    pixel_size
        µm per pixel along y and x, or None.
    frame_interval
        Seconds between frames, or None.
    """

    pixel_size: tuple[float, float] | None = None
    frame_interval: float | None = None


def read_calibration(path: str | Path) -> Calibration:
    """Read what a TIFF, OME-Zarr, ND2, CZI or LIF says of its pixels and times; no other image."""
    source = Path(path)
    # what cannot be read here is told where the pixels are read
    with contextlib.suppress(Exception):
        if source.is_dir():
            attributes = _attributes(source)
            if attributes:
                return _of_zarr(attributes)
            source = next(iter(sorted(f for f in source.iterdir() if _is_tiff(f))), source)
        if _is_tiff(source):
            return _of_tiff(source)
        if source.suffix.lower() in SUFFIXES:
            return Calibration(*vendor_calibration(source))
    return Calibration()


def _is_tiff(path: Path) -> bool:
    return path.suffix.lower() in (".tif", ".tiff") and not path.name.startswith(".")


def _of_tiff(path: Path) -> Calibration:
    import tifffile

    with tifffile.TiffFile(path) as file:
        if file.ome_metadata:
            return of_ome(file.ome_metadata)
        tags = file.pages.first.tags
        y, x = (_per_pixel(tags, name) for name in ("YResolution", "XResolution"))
        said: Mapping[str, Any] = file.imagej_metadata or {}
        unit_tag = tags.get("ResolutionUnit")
    unit = unit_of(_plain(str(said.get("unit", ""))))
    if not said and unit_tag is not None and int(unit_tag.value) == CENTIMETRE:
        unit = "cm"
    interval = _positive(said.get("finterval"))
    time = unit_of(str(said.get("tunit", "s")))
    return Calibration(
        _sizes(y, x, unit, unit),
        interval * SECONDS[time] if interval is not None and time in SECONDS else None,
    )


def _plain(unit: str) -> str:
    r"""ImageJ writes a micro sign as ``\u00B5``."""
    return unit.replace("\\u00B5", "u").replace("\\u00b5", "u")


def _per_pixel(tags: Any, name: str) -> float | None:
    tag = tags.get(name)
    if tag is None:
        return None
    pixels, units = tag.value
    return units / pixels if pixels > 0 and units > 0 else None


def _sizes(
    y: float | None, x: float | None, unit_y: str, unit_x: str
) -> tuple[float, float] | None:
    if y is None or x is None or unit_y not in MICROMETRES or unit_x not in MICROMETRES:
        return None
    sizes = (y * MICROMETRES[unit_y], x * MICROMETRES[unit_x])
    # beyond that it is a resolution in print
    return sizes if all(1e-3 < size < 100 for size in sizes) else None


def of_ome(xml: str) -> Calibration:
    """Read the first image of OME metadata."""
    check_xml(xml, "OME metadata of the image")
    root = ElementTree.fromstring(xml)
    pixels = next((e for e in root.iter() if e.tag.rpartition("}")[2] == "Pixels"), None)
    if pixels is None:
        return Calibration()
    said = pixels.attrib
    y, x = (_positive(said.get(f"PhysicalSize{axis}")) for axis in "YX")
    units = [unit_of(said.get(f"PhysicalSize{axis}Unit", "um")) for axis in "YX"]
    interval = _positive(said.get("TimeIncrement"))
    time = unit_of(said.get("TimeIncrementUnit", "s"))
    return Calibration(
        _sizes(y, x, *units),
        interval * SECONDS[time] if interval is not None and time in SECONDS else None,
    )


def _attributes(folder: Path) -> Mapping[str, Any]:
    """Attributes of a Zarr group of either version."""
    for name in ("zarr.json", ".zattrs"):
        if (folder / name).is_file():
            found = json.loads((folder / name).read_text("utf-8"))
            found = found.get("attributes", found)
            return dict(found.get("ome", found))
    return {}


def _of_zarr(attributes: Mapping[str, Any]) -> Calibration:
    first = attributes["multiscales"][0]
    axes = {axis["name"].lower(): i for i, axis in enumerate(first["axes"])}
    scale = [1.0] * len(axes)
    for owner in (first["datasets"][0], first):
        for change in owner.get("coordinateTransformations", []):
            if change.get("type") == "scale":
                scale = [a * b for a, b in zip(scale, change["scale"], strict=True)]
    unit = {name: unit_of(first["axes"][i].get("unit", "")) for name, i in axes.items()}
    time = unit.get("t", "")
    return Calibration(
        _sizes(scale[axes["y"]], scale[axes["x"]], unit["y"], unit["x"]),
        scale[axes["t"]] * SECONDS[time] if time in SECONDS else None,
    )


def _positive(value: Any) -> float | None:
    with contextlib.suppress(TypeError, ValueError):
        number = float(value)
        if math.isfinite(number) and number > 0:
            return number
    return None
