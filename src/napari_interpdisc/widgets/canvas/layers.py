"""Between napari layers and arrays: world coordinates in, features and placed layers out."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from napari.layers import Image, Labels, Layer, Points, Tracks

from napari_interpdisc._types import Float64Array
from napari_interpdisc.cells import CellTable
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.frames import Frames
from napari_interpdisc.io.columns import Movie, read_movie

ROW_KEY = "interpdisc_row"
"""Feature column that ties a row of a layer to a row of its cell table."""


TIME_LABELS = ("t", "time", "frame", "frames", "timepoint", "timepoints")
Z_LABELS = ("z", "plane", "planes", "slice", "slices", "depth")
CHANNEL_LABELS = ("c", "ch", "channel", "channels", "stain", "stains", "wavelength")


def meaning_of_axis(axis: int, *layers: Layer) -> Literal["t", "z"] | None:
    """Whether an axis is time or z, by the first of the layers that says so; None if none does.

    A layer says so by its axis labels, by a unit of time or length, or by being tracks; last by the
    file that the first layer was opened from.
    """
    for layer in layers:
        if isinstance(layer, Tracks):
            return "t"
        at = axis - layers[0].ndim + layer.ndim
        if at < 0:
            continue
        label = str(layer.axis_labels[at]).lower()
        dimension = dict(layer.units[at].dimensionality)
        if label in TIME_LABELS or "[time]" in dimension:
            return "t"
        if label in Z_LABELS or "[length]" in dimension:
            return "z"
    return _meaning_in_file(axis, layers[0])


def channel_axis_of(layer: Layer) -> int | None:
    """Axis of the channels, by the layer's axis labels or else its file; None if neither says."""
    labels = [str(label).lower() in CHANNEL_LABELS for label in layer.axis_labels[:-2]]
    if sum(labels) == 1:
        return labels.index(True)
    letters = _letters_of_file(layer)[:-2]
    return letters.index("C") if letters.count("C") == 1 else None


def _meaning_in_file(axis: int, layer: Layer) -> Literal["t"] | None:
    # z is asked about all the same: Fiji saves movies as z-stacks
    return "t" if _letters_of_file(layer)[axis : axis + 1] == "T" else None


def _letters_of_file(layer: Layer) -> str:
    """Letters of a layer's axes in the file that it was opened from; empty if it does not say."""
    path = layer.source.path
    if path is None or not Path(path).is_file():
        return ""  # of a folder or a stack of files, a file says nothing of the first axis
    shape = layer.data[0].shape if getattr(layer, "multiscale", False) else layer.data.shape
    return _axes_in_file(path, Path(path).stat().st_mtime_ns, tuple(map(int, shape)))


@functools.lru_cache(maxsize=64)
def _axes_in_file(path: str, _: int, shape: tuple[int, ...]) -> str:
    from napari_interpdisc.io.images import axes_in_file

    return axes_in_file(path, shape)


def frames_from_layer(
    layer: Image,
    channel_axis: int | None = None,
    channel: int = 0,
    z_axis: int | None = None,
    z: Literal["max", "mid", "centroid"] = "max",
) -> Frames:
    """Read an Image layer as frames; nothing is copied. ``z`` says what becomes of planes along z.

    Raises
    ------
    InvalidInput
        For an RGB layer, or axes that are not 2D or 2D+t once the channel is chosen.
    """
    if layer.rgb:
        raise InvalidInput(
            f"'{layer.name}' is an RGB image; split it into channels (right-click the layer, "
            "'Split RGB') and choose the one with the nuclei."
        )
    data = layer.data[0] if layer.multiscale else layer.data
    return Frames(data, channel_axis, channel, z_axis, z)


def planes_of(labels: Labels | None, frames: Frames) -> Any:
    """Pixels of a segmentation of an image; None without one, or if it has another resolution."""
    if labels is None:
        return None
    planes = labels.data[0] if labels.multiscale else labels.data
    return planes if tuple(planes.shape[-2:]) == frames.shape[1:] else None


def movie_of_layer(image: Image, frames: Frames) -> Movie:
    """Return what an image layer says of its pixels and its time, else what its file says."""
    axes = image_axes(image, frames)
    steps = np.linalg.norm(affine_of(image)[0], axis=0)
    size = [_in(image, axis, steps, "micrometer") for axis in axes[-2:]]
    interval = _in(image, axes[0], steps, "second") if frames.is_movie else None
    pixel_size = None if size[0] is None or size[1] is None else (size[0], size[1])
    path = image.source.path
    if path is not None and Path(path).exists() and (pixel_size is None or interval is None):
        in_file = read_movie(path, frames.shape)
        pixel_size = pixel_size or in_file.pixel_size
        interval = interval or in_file.frame_interval
    return Movie(*frames.shape, pixel_size, interval, frames.z == "centroid")


def _in(layer: Layer, axis: int, steps: Float64Array, unit: str) -> float | None:
    """Step along an axis of a layer in a unit, or None if the layer has it in no such unit."""
    import pint

    own = layer.units[axis]
    try:
        return float((float(steps[axis]) * own).to(unit).magnitude)
    except (pint.DimensionalityError, AttributeError):
        return None


def affine_of(layer: Layer) -> tuple[Float64Array, Float64Array]:
    """Matrix A (d, d) and offset b (d,) with world = A·data + b, all in the layer's own axes."""
    ndim = layer.ndim
    offset = np.array(layer.data_to_world((0.0,) * ndim), dtype=float)[-ndim:]
    columns = [
        np.array(layer.data_to_world(tuple(row)), dtype=float)[-ndim:] - offset
        for row in np.eye(ndim)
    ]
    return np.array(columns).T, offset


def data_to_world(layer: Layer, points: npt.ArrayLike) -> Float64Array:
    """Transform data coordinates (N, d) into world coordinates (N, d)."""
    matrix, offset = affine_of(layer)
    return np.asarray(np.asarray(points, dtype=float) @ matrix.T + offset)


def world_to_data(layer: Layer, points: npt.ArrayLike) -> Float64Array:
    """Transform world coordinates (N, d) into data coordinates (N, d)."""
    matrix, offset = affine_of(layer)
    return np.asarray(np.linalg.solve(matrix, (np.asarray(points, dtype=float) - offset).T).T)


def image_axes(image: Layer, frames: Frames) -> list[int]:
    """Positions of the axes (t, y, x) or (y, x) of ``frames`` among the layer's axes."""
    axes = list(range(image.ndim))
    others = [a % image.ndim for a in (frames.channel_axis, frames.z_axis) if a is not None]
    return [a for a in axes if a not in others]


def positions_in(
    base: Layer, image: Layer, frames: Frames, t: npt.ArrayLike, yx: npt.ArrayLike
) -> Float64Array:
    """Frames (N,) and pixels (N, 2) of ``image`` as data coordinates (N, d) of another layer."""
    axes = image_axes(image, frames)
    places = np.asarray(yx, dtype=float).reshape(-1, 2)
    pixels = np.zeros((len(places), image.ndim))
    pixels[:, axes[-2:]] = places
    if frames.is_movie:
        pixels[:, axes[0]] = t
    world = data_to_world(image, pixels)
    if base.ndim != image.ndim:
        world = world[:, axes][:, -base.ndim :]
    if base.ndim > world.shape[1]:  # a still image beside a segmentation of one frame
        world = np.column_stack([np.full(len(world), affine_of(base)[1][0]), world])
    return world_to_data(base, world)


def cells_from_layer(layer: Tracks | Points | Labels, image: Image, frames: Frames) -> CellTable:
    """Read a Tracks, Points or Labels layer as cells of ``image``, through world coordinates.

    Row i of the table is row i of ``layer.data``; for Labels, each object in each frame is a cell.

    Raises
    ------
    InvalidInput
        If the layer is empty, its axes do not match the image's, or coordinates are not finite.
    """
    wanted = 3 if frames.is_movie else 2
    track_id: npt.NDArray[Any] | None = None
    graph: dict[int, tuple[int, ...]] = {}
    if isinstance(layer, Tracks):
        if not len(layer.data):
            raise InvalidInput(f"'{layer.name}' holds no cells; give at least one centroid.")
        track_id, points = layer.data[:, 0], layer.data[:, 1:]
        graph = {int(k): tuple(int(p) for p in np.atleast_1d(v)) for k, v in layer.graph.items()}
    elif isinstance(layer, Points):
        points = layer.data
    else:
        return _cells_from_labels(layer, image, frames)
    if not len(points):
        raise InvalidInput(f"'{layer.name}' holds no cells; give at least one centroid.")
    if not np.isfinite(points).all():
        bad = ~np.isfinite(points).all(1)
        raise InvalidInput(
            f"{bad.sum()} of {len(points)} cells in '{layer.name}' have NaN or infinite "
            "coordinates; remove or repair them."
        )
    world = data_to_world(layer, points)
    ndim = world.shape[1]
    axes = image_axes(image, frames)
    if ndim == image.ndim:
        full = world
    elif ndim == wanted:
        full = np.tile(affine_of(image)[1], (len(world), 1))
        full[:, axes] = world
    elif ndim == 3 and wanted == 2:
        if np.ptp(points[:, 0]) > 0:
            raise InvalidInput(
                f"'{layer.name}' has several time points but '{image.name}' is a single frame; "
                "choose the movie that these cells belong to."
            )
        full = np.tile(affine_of(image)[1], (len(world), 1))
        full[:, axes] = world[:, 1:]
    else:
        raise InvalidInput(
            f"'{layer.name}' has {ndim} coordinates per cell but '{image.name}' needs {wanted} "
            f"({'t, y, x' if wanted == 3 else 'y, x'}); choose layers with the same axes."
        )
    pixels = world_to_data(image, full)[:, axes]
    own: dict[str, npt.ArrayLike] = {}
    if frames.z_axis is not None and frames.z == "centroid":
        own["z"] = _planes_of_cells(layer, image, frames, full if ndim == image.ndim else None)
    t = pixels[:, 0] if wanted == 3 else np.zeros(len(pixels))
    off_grid = np.abs(t - np.rint(t)) > 0.25
    if off_grid.any():
        raise InvalidInput(
            f"The time axes of '{layer.name}' and '{image.name}' do not match: cells fall between "
            "frames; give both layers the same scale along time."
        )
    return CellTable.from_arrays(np.rint(t), pixels[:, -2:], track_id, None, layer.name, own, graph)


def _planes_of_cells(
    layer: Tracks | Points, image: Image, frames: Frames, world: Float64Array | None
) -> npt.ArrayLike:
    """Plane (N,) of each cell along z: of its coordinates, or else of the feature z."""
    assert frames.z_axis is not None
    if world is not None:
        return world_to_data(image, world)[:, frames.z_axis % image.ndim]
    if "z" in layer.features:
        return np.asarray(layer.features["z"], dtype=float)
    raise InvalidInput(
        f"'{layer.name}' has no z: neither a coordinate nor a feature 'z' with the number of the "
        "plane, from 0. Choose the maximum or the middle at 'First axis'."
    )


def check_segmentation(labels: Labels, image: Image, frames: Frames) -> None:
    """Raise unless ``labels`` can be the segmentation of ``image``; reads no pixel.

    Raises
    ------
    InvalidInput
        If axes or number of frames differ, or the two cover different fields of view.
    """
    data = labels.data[0] if labels.multiscale else labels.data
    wanted = frames.shape if frames.is_movie else frames.shape[1:]
    axes = image_axes(image, frames)
    same = data.ndim == len(wanted) and data.shape[:-2] == wanted[:-2]
    if same and tuple(data.shape) != wanted:
        # Another number of pixels is fine where scale makes up for it, as for reduced masks.
        sizes = np.abs(np.diag(affine_of(labels)[0]))[-2:] * data.shape[-2:]
        field = np.abs(np.diag(affine_of(image)[0]))[axes[-2:]] * wanted[-2:]
        same = bool(np.allclose(sizes, field, rtol=0.02))
    if not same:
        raise InvalidInput(
            f"'{labels.name}' has shape {tuple(data.shape)}; as a segmentation of '{image.name}' "
            f"it must have the shape {tuple(wanted)}: choose the labels that belong to this image."
        )


def _cells_from_labels(layer: Labels, image: Image, frames: Frames) -> CellTable:
    check_segmentation(layer, image, frames)
    data = layer.data[0] if layer.multiscale else layer.data
    if tuple(data.shape[-2:]) != frames.shape[1:]:
        raise InvalidInput(
            f"'{layer.name}' has {data.shape[-2]} by {data.shape[-1]} px, '{image.name}' "
            f"{frames.shape[1]} by {frames.shape[2]} px; as cells they must have the same pixels."
        )
    return cells_from_planes(data, frames, layer.name)


def cells_from_planes(
    data: Any, frames: Frames, name: str, progress: Callable[[int, int], None] | None = None
) -> CellTable:
    """Each object of a segmentation with the pixels of ``frames`` as a cell, frame after frame.

    This reads every plane and no layer: it can run on a thread.

    Raises
    ------
    InvalidInput
        If there are no objects.
    """
    from skimage.measure import regionprops

    found: list[tuple[float, ...]] = []
    for t in range(len(frames)):
        if progress is not None:
            progress(t, len(frames))
        plane = np.asarray(data[t] if frames.is_movie else data)
        found += [(t, *r.centroid, r.label) for r in regionprops(plane)]
    table = np.array(found, dtype=float).reshape(-1, 4)
    return CellTable.from_arrays(table[:, 0], table[:, 1:3], table[:, 3], source=name)


def write_features(layer: Layer, columns: pd.DataFrame) -> None:
    """Add or replace feature columns, row i belonging to row i of ``layer.data``.

    napari sorts tracks, and reorders features that are set on a layer whose data came unsorted; a
    key column is used to find out and to undo that.

    For a Labels layer ``columns`` begins as :func:`label_columns` says; rows of the layer's own
    table are matched by label and time.

    Raises
    ------
    InvalidInput
        If the layer has another number of cells than ``columns`` has rows.
    """
    if isinstance(layer, Labels):
        layer.features = _merged(layer.features, columns.reset_index(drop=True))
        return
    table = layer.features.copy().reset_index(drop=True)
    columns = columns.reset_index(drop=True)
    if len(columns) != len(table):
        raise InvalidInput(
            f"'{layer.name}' has {len(table)} cells, the result {len(columns)}: the layer was "
            "changed meanwhile; run again."
        )
    for name in columns:
        table[name] = (
            columns[name].to_numpy() if columns[name].dtype != "category" else columns[name]
        )
    key = np.arange(len(table))
    table[ROW_KEY] = key
    layer.features = table
    order = np.asarray(layer.features[ROW_KEY])
    if not np.array_equal(order, key):
        layer.features = table.iloc[np.argsort(order)].reset_index(drop=True)


def label_columns(labels: npt.ArrayLike, t: npt.ArrayLike) -> pd.DataFrame:
    """Return the columns that say which object of a Labels layer each row is of.

    napari shows, of a label, the last row with that ``index``. Where a label has one row, ``index``
    is the label. Where it occurs in several frames, ``label`` is, and ``index`` is negative: napari
    then shows none, not that of another frame.
    """
    numbers = np.asarray(labels, dtype=np.int64)
    if len(np.unique(numbers)) == len(numbers):
        return pd.DataFrame({"index": numbers, "t": t})
    return pd.DataFrame({"index": -1 - np.arange(len(numbers)), "label": numbers, "t": t})


def label_key(table: pd.DataFrame) -> str | None:
    """Column of a Labels layer's table that has the labels, or None."""
    if "label" in table and ("index" not in table or (table["index"] < 0).all()):
        return "label"
    return "index" if "index" in table else None


def _merged(present: pd.DataFrame, columns: pd.DataFrame) -> pd.DataFrame:
    """Columns with what else a Labels layer's table already says of the same objects."""
    theirs, ours = label_key(present), label_key(columns)
    if theirs is None or ours is None:
        return columns
    kept = present.drop(columns=[n for n in ("index", "label") if n in present and n != theirs])
    present = kept.rename(columns={theirs: ours})
    keys = [key for key in (ours, "t") if key in present and key in columns]
    others = [name for name in present if name not in columns]
    if not others:
        return columns
    return columns.merge(present[keys + others].drop_duplicates(keys), on=keys, how="left")


def placed_like(layer: Layer) -> dict[str, Any]:
    """Keyword arguments that lay a new layer of the same axes exactly over ``layer``."""
    names = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")
    return {name: getattr(layer, name) for name in names}
