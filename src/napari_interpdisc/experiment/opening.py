"""One image of an experiment with its cells, opened and checked before any work."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from napari_interpdisc._types import Measured
from napari_interpdisc.batch.inputs import Item
from napari_interpdisc.batch.plan import Plan
from napari_interpdisc.cells import CellTable
from napari_interpdisc.crops import check_diameter, z_planes
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.columns import Asked, columns_of_text, read_movie
from napari_interpdisc.io.images import open_labels, read_frames
from napari_interpdisc.io.label_cells import cells_of_labels
from napari_interpdisc.io.track_links import read_splits
from napari_interpdisc.io.tracks import read_cells
from napari_interpdisc.nuclei.diameter import measure_diameter

if TYPE_CHECKING:
    from napari_interpdisc.frames import Frames


@dataclass(frozen=True)
class OpenedItem:
    """An image and its cells.

    Attributes
    ----------
    frames, cells
        What was opened.
    diameter, measured, doubt
        Typical nuclear diameter, px; where it comes from, and why it is unsure.
    interval
        Seconds between frames, or None.
    told
        What was taken for what, a sentence each.
    """

    frames: Frames
    cells: CellTable
    diameter: float
    measured: Measured
    doubt: str
    interval: float | None
    told: tuple[str, ...]


def open_frames(item: Item, plan: Plan) -> Frames:
    """Open the image of an item as the plan says.

    Raises
    ------
    InvalidInput
        If it cannot be read so.
    """
    reading = plan.reading
    return read_frames(
        item.image,
        reading.channel if item.channel is None else item.channel,
        reading.channel_axis if item.channel_axis is None else item.channel_axis,
        time_axis=reading.time_axis,
        z=reading.z,
        series=reading.series,
        channel_pattern=reading.channel_pattern,
    )


def asked_of(plan: Plan) -> Asked:
    """What the plan says of tables of cells.

    Raises
    ------
    InvalidInput
        If a part of it cannot be.
    """
    cells = plan.cells
    return Asked(
        columns_of_text(cells.columns) if cells.columns is not None else {},
        cells.first_frame,
        cells.unit,
        cells.pixel_size,
        cells.frame_interval,
        (*cells.keep_numbers, *cells.keep_texts),
    )


def open_item(item: Item, plan: Plan) -> OpenedItem:
    """Open an image and its cells, check that they fit, and estimate the diameter if need be.

    Raises
    ------
    InvalidInput
        If a file cannot be read, or they do not fit each other or the plan.
    """
    frames = open_frames(item, plan)
    told = [f"image: {frames.taken}"] if frames.taken else []
    by_z = frames.z_axis is not None and frames.z == "centroid"
    movie = read_movie(item.image, frames.shape, by_z)
    segmentation = None
    if item.cells_label is not None:
        place = item.image / "labels" / item.cells_label
        segmentation = _segmentation(place, frames, plan, told)
        cells = cells_of_labels(segmentation, f"{item.name}/labels/{item.cells_label}")
    else:
        assert item.cells is not None
        asked = asked_of(plan)
        if item.splits is not None:
            asked = replace(asked, splits=read_splits(item.splits))
        cells = read_cells(item.cells, plan.cells.swap_xy, asked, movie)
    told += [text for text in (cells.taken.sentence, *cells.taken.notes) if text]
    if item.labels is not None:
        segmentation = _segmentation(item.labels, frames, plan, told)
    cells.check_inside(frames)
    z_planes(frames, cells)
    for name in (*plan.cells.keep_numbers, *plan.cells.keep_texts):
        cells.column(name)
    interval = plan.cells.frame_interval or movie.frame_interval
    if plan.tracks.minutes_per_frame is not None:
        interval = 60 * plan.tracks.minutes_per_frame
    wanted = plan.reading.diameter if item.diameter is None else item.diameter
    if wanted != "auto":
        given = check_diameter(wanted)
        return OpenedItem(frames, cells, given, "given", "", interval, tuple(told))
    found = measure_diameter(frames, segmentation)
    told.append(f"nuclear diameter: {found.diameter:.1f} px (estimated)")
    return OpenedItem(
        frames, cells, found.diameter, found.measured, found.doubt, interval, tuple(told)
    )


def _segmentation(path: Any, frames: Frames, plan: Plan, told: list[str]) -> Any:
    labels, taken = open_labels(
        path, frames.shape, time_axis=plan.reading.time_axis, z=plan.reading.z
    )
    if taken:
        told.append(f"segmentation: {taken}")
    wanted = frames.shape if frames.is_movie else frames.shape[1:]
    if tuple(labels.shape) != wanted:
        raise InvalidInput(
            f"{path} has shape {tuple(labels.shape)}, the image {wanted}; give the segmentation of "
            "this image."
        )
    return labels
