"""What the commands share: options, inputs and progress."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from napari_interpdisc._types import Measured, Progress
from napari_interpdisc.cli.console import console
from napari_interpdisc.cli.console import note as note  # noqa: PLC0414 (for the commands)
from napari_interpdisc.cli.console import say as say  # noqa: PLC0414
from napari_interpdisc.cli.reading import PLAIN, Reading
from napari_interpdisc.errors import InvalidInput, MissingExtra

if TYPE_CHECKING:
    from napari_interpdisc.cells import CellTable
    from napari_interpdisc.frames import Frames
    from napari_interpdisc.io.columns import Asked

MOST_LISTED = 3
"""Columns that a note lists."""

CORE = 4
"""Columns of a table of cells before those of the user's own."""

ImagePath = Annotated[
    Path,
    typer.Argument(
        metavar="IMAGE",
        help="TIFF, .npy, .zarr, .png, ND2, CZI, LIF; a folder of numbered images, or a pattern of "
        "their names in quotes.",
    ),
]
Tracks = Annotated[
    Path,
    typer.Option(
        help="Cells: a table (.csv, .tsv, .parquet, - for standard input), TrackMate's .xml, "
        "btrack's .h5, a GEFF store, or man_track.txt with its masks."
    ),
]
LabelsPath = Annotated[
    Path | None,
    typer.Option(
        help="Segmentation in which the diameter is measured, and properties where they are wanted."
    ),
]
Diameter = Annotated[
    str,
    typer.Option(metavar="PX|auto", help="Diameter of a typical interphase nucleus, in pixels."),
]
Channel = Annotated[int | None, typer.Option(help="Channel with the nuclei, counted from 0.")]
ChannelAxis = Annotated[
    str | None,
    typer.Option(
        metavar="AXIS",
        help="Axis of the channels, by position or letter, if the file does not say so.",
    ),
]
Model = Annotated[str, typer.Option(metavar="NAME|DIR", help="Installed model, or model folder.")]
Head = Annotated[str | None, typer.Option(help="Head of the model; its first one if left out.")]


Engine = Annotated[
    Literal["pysr", "operon"] | None,
    typer.Option(
        help="Engine of the formula search; PySR, which needs Julia, if left out. operon needs "
        "nothing more."
    ),
]
Effort = Annotated[
    Literal["quick", "thorough"] | None,
    typer.Option(
        help="How much work a training does; thorough if left out. Both test on the same held-out "
        "groups."
    ),
]
RecipeFile = Annotated[
    Path | None,
    typer.Option(
        "--recipe",
        metavar="FILE",
        help="TOML file (fields: Settings of a training, in the reference).",
    ),
]


def note_renamed(cells: CellTable, table: Iterable[str]) -> None:
    """Say which columns of the cells' own are replaced, or renamed, in a table of results."""
    if before := len(cells.taken.results):
        note(
            f"{before} columns of {cells.source} are results of an earlier run: they are replaced."
        )
    kept = [name for name in cells.extra if name not in cells.taken.results]
    own = islice(table, CORE, None)  # they come after t, y, x and track_id
    changed = [
        f"'{name}' of {cells.source} is '{new}'"
        for name, new in zip(kept, own, strict=False)
        if name != new
    ]
    if changed:
        more = len(changed) - MOST_LISTED
        and_more = f" and {more} more in the same way" if more > 0 else ""
        note(f"{', '.join(changed[:MOST_LISTED])}{and_more} in the table.")


@contextmanager
def progress_bar(what: str) -> Iterator[Progress]:
    """Progress bar on standard error, as a callback of (done, in all)."""
    from rich.progress import BarColumn, MofNCompleteColumn, TimeRemainingColumn
    from rich.progress import Progress as ProgressBar

    own = console(stderr=True)
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # what is left on standard error, when something is amiss, is the one sentence that says so
    shown = own.is_terminal
    with ProgressBar(*columns, console=own, transient=True, disable=not shown) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, n: bar.update(task, completed=done, total=n)


def diameter_of(text: str) -> float | None:
    """Diameter that was given, px; None for auto.

    Raises
    ------
    InvalidInput
        If it is neither.
    """
    from napari_interpdisc.crops import check_diameter

    if text.strip().lower() == "auto":
        return None
    try:
        return check_diameter(float(text))
    except InvalidInput:
        raise
    except ValueError:
        raise InvalidInput(
            f"'{text}' is no diameter: give a number of pixels, or auto to have it estimated."
        ) from None


def crop_diameter(text: str) -> float:
    """Diameter that was given for ready-made crops, px.

    Raises
    ------
    InvalidInput
        If it is to be estimated: crops show too little for that.
    """
    px = diameter_of(text)
    if px is None:
        raise InvalidInput(
            "Crops show too little to estimate the nuclear diameter from; give it with --diameter."
        )
    return px


def check_engine(engine: Literal["pysr", "operon"]) -> None:
    """Refuse an engine that cannot run, before any work.

    Raises
    ------
    MissingExtra
        With the reason, and the other engine as an offer.
    """
    from napari_interpdisc.symbolic.search import engines

    reason = engines[engine].available()
    if reason is not None:
        raise MissingExtra(reason)


def names_of(text: str) -> tuple[str, ...]:
    """Names in a list such as ``A, B``."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


@dataclass(frozen=True)
class Opened:
    """An image, its cells, and the typical nuclear diameter in it, px.

    ``measured`` says where the diameter comes from, and ``doubt`` in a sentence why one that was
    estimated is unsure. ``segmentation`` is that of the image, or None.
    ``pixel_size`` is the height and width of a pixel, µm, where the user or the image tells it.
    """

    frames: Frames
    cells: CellTable
    diameter: float
    doubt: str = ""
    measured: Measured = "given"
    segmentation: Any = None
    pixel_size: tuple[float, float] | None = None


@dataclass(frozen=True)
class MovieFiles:
    """What a command was given of one image and its cells."""

    image: Path
    tracks: Path
    labels: Path | None = None
    diameter: str = "auto"
    channel: int | None = None
    channel_axis: str | None = None
    reading: Reading = PLAIN
    swap_xy: bool = False
    asked: Asked | None = None

    def open(self) -> Opened:
        """Open and check everything, and estimate the diameter if need be.

        Raises
        ------
        InvalidInput
            If a file cannot be read, or they do not fit each other.
        """
        from napari_interpdisc.crops import z_planes
        from napari_interpdisc.io.columns import read_movie
        from napari_interpdisc.io.tracks import read_cells
        from napari_interpdisc.nuclei.diameter import measure_diameter

        given = diameter_of(self.diameter)
        frames = self.reading.frames(self.image, self.channel, self.channel_axis)
        if frames.taken:
            say(f"image: {frames.taken}")
        segmentation = None if self.labels is None else self._segmentation(frames)
        by_z = frames.z_axis is not None and frames.z == "centroid"
        movie = read_movie(self.image, frames.shape, by_z)
        cells = read_cells(self.tracks, self.swap_xy, self.asked, movie)
        say(cells.taken.sentence)
        for sentence in cells.taken.notes:
            note(sentence)
        cells.check_inside(frames)
        z_planes(frames, cells)
        asked = None if self.asked is None else self.asked.pixel_size
        pixel_size = movie.pixel_size if asked is None else (asked, asked)
        if given is not None:
            return Opened(frames, cells, given, segmentation=segmentation, pixel_size=pixel_size)
        found = measure_diameter(frames, segmentation)
        say(f"nuclear diameter: {found.diameter:.1f} px (estimated)")
        if found.doubt:
            note(found.doubt)
        return Opened(
            frames, cells, found.diameter, found.doubt, found.measured, segmentation, pixel_size
        )

    def open_usable(self) -> Opened:
        """Open as :meth:`open` does, and leave out cells without pixels, counted and told.

        Raises
        ------
        InvalidInput
            If no cell has pixels, and as in :meth:`open`.
        """
        from napari_interpdisc.crops import cells_without_pixels, usable_cells

        opened = self.open()
        why = cells_without_pixels(opened.frames, opened.cells, opened.diameter)
        usable, left_out = usable_cells(why, opened.cells.source)
        if not left_out:
            return opened
        note(left_out)
        return replace(opened, cells=opened.cells.take(usable))

    def _segmentation(self, frames: Frames) -> Any:
        from napari_interpdisc.io.images import open_labels

        assert self.labels is not None
        segmentation, taken = open_labels(
            self.labels, frames.shape, time_axis=self.reading.time_axis, z=self.reading.z
        )
        if taken:
            say(f"segmentation: {taken}")
        wanted = frames.shape if frames.is_movie else frames.shape[1:]
        if tuple(segmentation.shape) != wanted:
            raise InvalidInput(
                f"{self.labels} has shape {tuple(segmentation.shape)}, the image {wanted}; give "
                "the segmentation of this image."
            )
        return segmentation
