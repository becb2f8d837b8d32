"""Tracks, Points and Labels layers saved with their features, and opened again as they were.

CSV and Parquet hold the features, and a JSON file beside them what a table cannot say. A GEFF store
has each cell as a node. The pixels of labels go into a TIFF beside the table, or into the store.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_interpdisc._types import LayerData
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.guarded_files import check_growth, one_sentence
from napari_interpdisc.io.geff_files import read_node_table, track_edges, write_geff
from napari_interpdisc.io.headers import is_geff
from napari_interpdisc.io.layer_tables import (
    NOTE,
    fits_note,
    layer_to_table,
    read_note,
    read_typed,
    table_to_layer,
)
from napari_interpdisc.io.results import (
    check_table_path,
    settings_path,
    write_table,
    write_whole,
)

if TYPE_CHECKING:
    import pandas as pd

LAYER_SUFFIXES = (".parquet", ".csv", ".geff")
"""What layers are saved as; the first is what napari takes where the name has no suffix."""

FEATURES = "features.parquet"
"""Table of the features of labels in a store: not every row need be an object."""

LARGE = 2**28
"""Pixels from which labels are opened lazily; lazy ones cannot be edited in napari."""

PIXELS = "pixels"
"""Key, in a note, of the TIFF with the pixels of a Labels layer."""


def write_layer(path: str | Path, kind: str, data: Any, arguments: Mapping[str, Any]) -> list[Path]:
    """Save a layer with its features; returns the files, the one to open first.

    Parameters
    ----------
    path
        ``.csv``, ``.parquet``, or a new ``.geff`` store.
    kind
        ``tracks``, ``points`` or ``labels``.
    data, arguments
        Of the layer, as napari hands them to writers.

    Raises
    ------
    InvalidInput
        For another suffix, a feature that cannot be kept, a file that is in the way, or a place
        that cannot be written to. Nothing is changed then.
    """
    target = Path(path)
    suffix = target.suffix.lower()
    if suffix not in LAYER_SUFFIXES:
        raise InvalidInput(
            f"{target} is no name for a layer with features: end it in {', '.join(LAYER_SUFFIXES)}."
        )
    levels = kind == "labels" and arguments.get("multiscale")
    pixels = (data[0] if levels else data) if kind == "labels" else None
    # napari opens its own form of Points as CSV by itself
    own = kind == "points" and suffix == ".csv"
    axes = [f"axis-{i}" for i in range(np.asarray(data).shape[1])] if own else None
    table, note = layer_to_table(kind, data, arguments, axes)
    if suffix == ".geff":
        return [_write_store(target, kind, table, note, pixels)]
    if own:
        table.insert(0, "index", range(len(table)))
    check_table_path(target)
    files = [target, settings_path(target)]
    if pixels is not None:
        image = target.with_suffix(".labels.tif")
        before = read_note(target) or {}
        if image.exists() and before.get(PIXELS) != image.name:
            raise InvalidInput(
                f"The pixels of '{note['name']}' would replace {image}; choose another name for "
                "the table, or move that file."
            )
        note |= {PIXELS: image.name, "shape": list(pixels.shape), "dtype": str(pixels.dtype)}
        files.append(image)
    table.attrs[NOTE] = note
    settings = {NOTE: note, **note.get("interpdisc", {})}
    if pixels is None:
        write_table(table, settings, target)
        return files

    def both(partial: Path) -> None:
        _write_tiff(partial, pixels)
        write_table(table, settings, target)

    # the pixels take their name when the table has its own: neither is there without the other
    write_whole(files[-1], both)
    return files


def is_saved_layer(path: str | Path) -> bool:
    """Whether :func:`write_layer` wrote this file or store."""
    return _note_of(Path(path)) is not None


def read_layer(path: str | Path) -> LayerData | None:
    """Layer that was saved as ``path``; None if none was, or if another table has its place by now.

    Raises
    ------
    InvalidInput
        If the file cannot be read, a value was changed so that it does not fit, or pixels are gone.
    """
    source = Path(path)
    note = _note_of(source)
    if note is None:
        return None
    with one_sentence(source, "a saved layer", "save it again, or open it as a table of cells"):
        return _layer_of(source, note)


def _layer_of(source: Path, note: dict[str, Any]) -> LayerData | None:
    if not source.is_dir():
        table = read_typed(source)
    elif note["kind"] == "labels":
        table = read_typed(source / FEATURES)
    else:
        table = read_node_table(source)[0]
    if not fits_note(table, note):
        return None
    return table_to_layer(table, note, _read_pixels(source, note))


def _note_of(source: Path) -> dict[str, Any] | None:
    if not source.is_dir():
        return read_note(source) if source.suffix.lower() in LAYER_SUFFIXES else None
    if not is_geff(source):
        return None
    from geff_spec import GeffMetadata

    try:
        extra = GeffMetadata.read(str(source)).extra or {}
        note = extra.get("interpdisc", {}).get(NOTE)
    except Exception:  # a damaged store is told of where its cells are read
        return None
    return note if isinstance(note, dict) else None


def _write_store(
    target: Path, kind: str, table: pd.DataFrame, note: dict[str, Any], pixels: Any
) -> Path:
    """Write a GEFF store: cells as nodes; of labels, the objects, and table and pixels as files."""
    about = {NOTE: note}
    if kind != "labels":
        edges = np.zeros((0, 2), np.int64)
        if kind == "tracks":
            graph = {int(child): parents for child, parents in note["graph"].items()}
            edges = track_edges(table["track_id"], table[note["axes"][0]], graph)
        return write_geff(target, table, note["axes"], edges, about)
    note |= {PIXELS: "labels.tif", "shape": list(pixels.shape), "dtype": str(pixels.dtype)}
    objects = _objects(pixels)
    axes = [str(name) for name in objects if name != "label"]
    keys = ["t"] if "t" in objects and "t" in table else []
    label = next((name for name in ("label", "index") if name in table), None)
    nodes = objects
    if label is not None:
        others = [name for name in table if name not in objects and name != label]
        named = table[[label, *keys, *others]].rename(columns={label: "label"})
        nodes = objects.merge(named.drop_duplicates(["label", *keys]), "left", ["label", *keys])
    edges = track_edges(nodes["label"], nodes["t"]) if "t" in nodes else np.zeros((0, 2), np.int64)

    def beside(folder: Path) -> None:
        _write_tiff(folder / "labels.tif", pixels)
        table.to_parquet(folder / FEATURES, index=False)

    return write_geff(target, nodes, axes, edges, about, beside)


def _objects(pixels: Any) -> pd.DataFrame:
    """Label and centroid of every object, in every frame if there are several."""
    import pandas as pd
    from skimage.measure import regionprops

    n_axes = len(pixels.shape)
    moving = n_axes > 2
    names = ["t", "z", "y", "x"][-n_axes:] if n_axes != 3 else ["t", "y", "x"]
    found = [
        (region.label, *((t,) if moving else ()), *region.centroid)
        for t in range(pixels.shape[0] if moving else 1)
        for region in regionprops(np.asarray(pixels[t] if moving else pixels))
    ]
    table = pd.DataFrame(found, columns=["label", *names])
    return table.astype({"label": np.int64, **({"t": np.int64} if moving else {})})


def _write_tiff(path: Path, pixels: Any) -> None:
    """Write labels plane by plane: a movie need not fit into memory."""
    import tifffile

    shape, dtype = tuple(pixels.shape), np.dtype(pixels.dtype)
    stored = np.dtype(np.uint8) if dtype.kind == "b" else dtype
    lead = shape[:-2]

    def planes() -> Iterator[Any]:
        for index in np.ndindex(*lead):
            yield np.asarray(pixels[index]).astype(stored, copy=False)

    tifffile.imwrite(
        path,
        planes(),
        shape=shape,
        dtype=stored,
        compression="zlib",
        photometric="minisblack",
        metadata={"axes": "TZYX"[-len(shape) :] if len(shape) != 3 else "TYX"},
        bigtiff=int(np.prod(shape, dtype=np.int64)) * stored.itemsize > 2**31,
    )


def _read_pixels(source: Path, note: Mapping[str, Any]) -> Any:
    """Pixels of a saved Labels layer: an array, or a lazily read one if they are many."""
    if note["kind"] != "labels":
        return None
    image = (source if source.is_dir() else source.parent) / Path(note[PIXELS]).name
    if not image.exists():
        raise InvalidInput(f"{source} is of labels whose pixels, {image}, are not there; add them.")
    shape = tuple(note["shape"])
    if int(np.prod(shape, dtype=np.int64)) > LARGE and len(shape) == 3:
        import dask.array as da

        from napari_interpdisc.io.images import read_labels

        planes = read_labels(image)
        pixels: Any = da.from_array(planes, chunks=(1, *planes.shape[1:]))
    else:
        import tifffile

        with tifffile.TiffFile(image) as file:
            # before anything is decoded: a damaged header may ask for any size
            _check_saved_shape(image, file.series[0].shape, shape)
            check_growth(image, int(file.series[0].nbytes), image.stat().st_size)
            pixels = file.asarray()
    _check_saved_shape(image, pixels.shape, shape)
    return pixels.reshape(shape).astype(note["dtype"], copy=False)


def _check_saved_shape(image: Path, found: tuple[int, ...], saved: tuple[int, ...]) -> None:
    if math.prod(found) != math.prod(saved):
        raise InvalidInput(
            f"{image} has shape {tuple(found)}, and was saved with {saved}; put the saved file "
            "back."
        )
