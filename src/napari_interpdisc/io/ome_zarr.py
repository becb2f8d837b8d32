"""Zarr arrays, OME-Zarr images, and the images in plates, wells and collections of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.source import UNNAMED, Source
from napari_interpdisc.io.zarr_guard import check_node

MARKS = ("zarr.json", ".zarray", ".zgroup")

XARRAY_NAMES = "_ARRAY_DIMENSIONS"
"""Attribute in which xarray keeps the names of axes in Zarr of version 2."""

LETTERS = {
    **dict.fromkeys(("time", "frame", "frames"), "T"),
    **dict.fromkeys(("plane", "depth", "slice"), "Z"),
    **dict.fromkeys(("channel", "channels"), "C"),
    "row": "Y",
    **dict.fromkeys(("col", "column"), "X"),
}
"""Axes by their longer names."""

MOST_LISTED = 6


def is_zarr(path: Path) -> bool:
    """Whether a folder is an array or group of a Zarr store."""
    return any((path / name).exists() for name in MARKS)


def open_zarr(path: Path, series: int | None = None) -> Source:
    """Open a Zarr array, or the finest level of an OME-Zarr image.

    Parameters
    ----------
    path
        An array, an image, a plate, a well, a group of labels, or a collection of images as
        bioformats2raw writes it.
    series
        Number of the image, where the path holds several.

    Raises
    ------
    InvalidInput
        If the path holds several images and none was chosen, or no image.
    """
    import zarr

    check_node(path)
    node: Any = zarr.open(str(path), mode="r")
    if isinstance(node, zarr.Array):
        return Source(path, node, _axes_of_array(path, node))
    scales = _metadata(node).get("multiscales", [])
    if scales:
        number = _one_of(path, [str(s.get("name", k)) for k, s in enumerate(scales)], series)
        return _level(path, node, scales[number])
    inside = _images_in(path, node)
    if not inside:
        raise InvalidInput(
            f"{path} is a Zarr group without an array or an OME-Zarr image; check the path."
        )
    chosen = inside[_one_of(path, [str(path / name) for name in inside], series)]
    found = open_zarr(path / chosen)
    return Source(path, found.data, found.axes, (*found.taken, f"image {chosen} of {path.name}"))


@dataclass(frozen=True)
class PlateField:
    """One field of view of a plate: its place on the plate, and its image."""

    row: str
    column: str
    field: str
    image: Path

    @property
    def well(self) -> str:
        """Name of the well, such as ``A01``."""
        return self.row + self.column


def plate_fields(path: Path) -> list[PlateField]:
    """Fields of an OME-Zarr plate (0.4 or 0.5), in the order of its wells.

    Raises
    ------
    InvalidInput
        If the path is no plate, a well of it is missing or is none, or it has no field.
    """
    import zarr

    if not path.exists():
        raise InvalidInput(f"There is no plate {path}; check the path.")
    try:
        check_node(path)
        node: Any = zarr.open_group(str(path), mode="r")
        plate = _metadata(node).get("plate")
        if plate is None:
            raise InvalidInput(f"{path} is no OME-Zarr plate: it lists no wells; check the path.")
        found = []
        for well in plate.get("wells", []):
            row, column = str(well["path"]).strip("/").split("/")
            check_node(path / row / column)
            said = _metadata(zarr.open_group(str(path / row / column), mode="r"))
            for image in said["well"].get("images", []):
                field = str(image["path"])
                found.append(PlateField(row, column, field, path / row / column / field))
    except InvalidInput:
        raise
    except Exception as fault:
        text = str(fault).splitlines()[0] if str(fault) else type(fault).__name__
        raise InvalidInput(f"{path} cannot be read as an OME-Zarr plate ({text}).") from None
    if not found:
        raise InvalidInput(f"{path} is a plate without an image; check the path.")
    return found


def _metadata(node: Any) -> dict[str, Any]:
    """Attributes of OME-Zarr 0.5, or of the versions before."""
    attributes: dict[str, Any] = dict(node.attrs)
    return {**attributes, **attributes.get("ome", {})}


def _level(path: Path, node: Any, scale: dict[str, Any]) -> Source:
    check_node(path / str(scale["datasets"][0]["path"]))
    data = node[scale["datasets"][0]["path"]]
    return Source(path, data, _letters(scale.get("axes", []), data))


def _letters(axes: list[Any], data: Any) -> str:
    names = [str(a["name"] if isinstance(a, dict) else a or UNNAMED) for a in axes]
    if not names and len(data.shape) == 5:
        names = list("tczyx")  # OME-Zarr before 0.3 has these axes and does not name them
    if len(names) != len(data.shape):
        return UNNAMED * len(data.shape)
    kinds = [a.get("type", "") if isinstance(a, dict) else "" for a in axes] or [""] * len(names)
    return "".join(
        {"time": "T", "channel": "C"}.get(kind)
        or LETTERS.get(name.lower())
        or (name if len(name) == 1 else UNNAMED).upper()
        for name, kind in zip(names, kinds, strict=True)
    )


def _axes_of_array(path: Path, array: Any) -> str:
    """Axes of an array by its own names, or by those of the image that it is a level of."""
    import zarr

    unnamed = UNNAMED * len(array.shape)
    names = getattr(array.metadata, "dimension_names", None) or array.attrs.get(XARRAY_NAMES)
    if names and all(names):
        return _letters(list(names), array)
    if not is_zarr(path.parent):
        return unnamed
    check_node(path.parent)
    parent: Any = zarr.open(str(path.parent), mode="r")
    if isinstance(parent, zarr.Array):
        return unnamed
    for scale in _metadata(parent).get("multiscales", []):
        if path.name in [level["path"] for level in scale["datasets"]]:
            return _letters(scale.get("axes", []), array)
    return unnamed


def _images_in(path: Path, node: Any) -> list[str]:
    """Paths of the images below a group, relative to it."""
    said = _metadata(node)
    if "plate" in said:
        wells = [str(well["path"]) for well in said["plate"].get("wells", [])]
        return [
            f"{well}/{image}"
            for well in wells
            if is_zarr(path / well)
            for image in _images_in(path / well, node[well])
        ]
    if "well" in said:
        return [str(image["path"]) for image in said["well"].get("images", [])]
    if "labels" in said and not isinstance(said["labels"], str):
        return [str(name) for name in said["labels"]]
    members = sorted(p.name for p in path.iterdir() if p.is_dir() and is_zarr(p))
    listed = _metadata(node["OME"]).get("series") if "OME" in members else None
    return [str(name) for name in listed] if listed else [m for m in members if m != "OME"]


def _one_of(path: Path, names: list[str], series: int | None) -> int:
    if series is None and len(names) == 1:
        return 0
    listed = ", ".join(names[:MOST_LISTED]) + (", …" if len(names) > MOST_LISTED else "")
    if series is None:
        raise InvalidInput(f"{path} holds {len(names)} images; give the path of one: {listed}.")
    if not 0 <= series < len(names):
        raise InvalidInput(f"{path} has no series {series}; it holds {len(names)}: {listed}.")
    return series
