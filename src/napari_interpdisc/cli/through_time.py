"""``interpdisc through-time``: states along tracks, how long they last, and what happens when."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_interpdisc.cli.common import (
    Channel,
    ChannelAxis,
    Diameter,
    Head,
    LabelsPath,
    Model,
    MovieFiles,
    diameter_of,
    names_of,
    note,
    progress_bar,
    say,
)
from napari_interpdisc.cli.reading import PLAIN, Reading, reads_images
from napari_interpdisc.cli.table_options import AS_IT_TELLS, TableOptions, reads_tables
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.writing import or_elsewhere, place_of

if TYPE_CHECKING:
    import pandas as pd

    from napari_interpdisc.through_time.observed import Observed
    from napari_interpdisc.through_time.order import Order


@dataclass(frozen=True)
class _Source:
    """Cells with their classes, the table that they stand in, and the time between frames."""

    observed: Observed
    table: pd.DataFrame
    interval: float | None
    note: dict[str, Any]


@reads_images
@reads_tables
def through_time(
    out: Annotated[Path, typer.Option(help="Folder to write; it must not exist or be empty.")],
    image: Annotated[
        Path | None,
        typer.Argument(metavar="IMAGE", help="Movie to classify, with --tracks; or --results."),
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(help="In place of an image: the table that interpdisc classify wrote."),
    ] = None,
    tracks: Annotated[
        Path | None,
        typer.Option(help="Tracks of the image: a table, TrackMate's .xml, btrack's .h5, GEFF."),
    ] = None,
    order: Annotated[
        str | None,
        typer.Option(
            metavar="A>B>A,…",
            help="Which class may follow which, such as 'Interphase > Metaphase > Interphase'; "
            "several chains with commas between them; >> where classes between may be skipped; or "
            "any. By the names of the classes if left out.",
        ),
    ] = None,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="No phase is skipped: for movies in which each phase lasts several frames.",
        ),
    ] = False,
    change_cost: Annotated[
        float, typer.Option(min=0, max=50, help="Cost of each change of state, in nats.")
    ] = 2.0,
    event: Annotated[
        str | None,
        typer.Option(
            metavar="CLASS|division",
            help="What to align tracks at: the first frame of a class, or division. Metaphase, "
            "or else the second class, if left out.",
        ),
    ] = None,
    align: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN,…", help="Columns to align, such as z_3,area; scores if left out."
        ),
    ] = None,
    reach: Annotated[
        int, typer.Option(min=1, max=10_000, help="Frames before and after the event.")
    ] = 20,
    minutes_per_frame: Annotated[
        float | None,
        typer.Option(metavar="MIN", help="Minutes between frames, if the files do not tell."),
    ] = None,
    labels: LabelsPath = None,
    diameter: Diameter = "auto",
    channel: Channel = None,
    channel_axis: ChannelAxis = None,
    model: Model = "h2b",
    head: Head = None,
    reading: Reading = PLAIN,
    table_options: TableOptions = AS_IT_TELLS,
) -> None:
    """Follow classes along tracks: states, durations with censoring, counts, and an event.

    Writes cells.csv with the column state beside class, and phases, medians, survival, counts,
    divisions and aligned as tables and figures.
    """
    from napari_interpdisc.io.results import check_empty_folder

    check_empty_folder(out, (image, tracks, results, labels))
    diameter_of(diameter)
    if minutes_per_frame is not None and not minutes_per_frame > 0:
        raise InvalidInput(f"--minutes-per-frame {minutes_per_frame:g} must be above 0.")
    if strict and order is not None:
        raise InvalidInput("--order says whether phases are skipped: leave --strict out.")
    _check_source(image, tracks, results, labels)
    choices = table_options.asked()
    if results is not None:
        found = _of_results(results, table_options.swap_xy, choices)
    else:
        assert image is not None
        assert tracks is not None
        files = MovieFiles(
            image, tracks, labels, diameter, channel, channel_axis, reading,
            table_options.swap_xy, choices,
        )  # fmt: skip
        found = _of_image(files, model, head, order, event)
    if minutes_per_frame is not None:
        interval: float | None = 60 * minutes_per_frame
    else:
        interval = table_options.frame_interval or found.interval
    from napari_interpdisc.figures.through_time_folder import write_through_time
    from napari_interpdisc.through_time.result import through_time as follow
    from napari_interpdisc.through_time.viterbi import PathSettings

    observed = found.observed
    for sentence in observed.notes:
        note(sentence)
    named = _order(order, strict, observed.classes)
    at = _event(event, observed.classes)
    columns = _columns(align, observed)
    with progress_bar("tracks") as progress:
        done = follow(observed, named, PathSettings(change_cost=change_cost), interval, progress)
    if done.events(at):
        aligned = [done.aligned(at, column, reach) for column in columns]
    else:
        aligned = []
        note(f"No track shows '{at}' and what was before it: nothing is aligned.")
    say(*done.sentences())
    if interval is None:
        note("Give --minutes-per-frame to have durations in minutes.")
    or_elsewhere(
        out, lambda place: write_through_time(place, done, found.table, aligned, found.note)
    )
    say(str(place_of(out)))


def _check_source(
    image: Path | None, tracks: Path | None, results: Path | None, labels: Path | None
) -> None:
    """Refuse a call that gives no source, or two.

    Raises
    ------
    InvalidInput
        If so.
    """
    if results is not None:
        if image is not None or tracks is not None or labels is not None:
            raise InvalidInput(
                "--results has tracks and classes: leave the image, --tracks and --labels out."
            )
    elif image is None or tracks is None:
        raise InvalidInput(
            "Give an image and --tracks, or --results with a table that interpdisc classify wrote."
        )


def _order(text: str | None, strict: bool, classes: tuple[str, ...]) -> Order:
    """The order that was given, or that of the names of the classes, which is told."""
    from napari_interpdisc.through_time.order import default_order, order_of_text

    if text is not None:
        return order_of_text(text, classes)
    found, sentence = default_order(classes, not strict)
    say(sentence)
    return found


def _event(event: str | None, classes: tuple[str, ...]) -> str:
    """The event that was given, or a sensible one.

    Raises
    ------
    InvalidInput
        If it is no class and no division.
    """
    from napari_interpdisc.through_time.alignment import DIVISION

    if event is None:
        return "Metaphase" if "Metaphase" in classes else classes[1]
    if event not in (*classes, DIVISION):
        raise InvalidInput(
            f"--event '{event}' is none of {', '.join(classes)}, and not {DIVISION}."
        )
    return event


def _columns(align: str | None, observed: Observed) -> tuple[str, ...]:
    """Columns to align: those named, or all scores, or else the confidence.

    Raises
    ------
    InvalidInput
        If one is not there.
    """
    if align is None:
        return tuple(name for name in observed.columns if name.startswith("score"))
    named = names_of(align)
    for name in named:
        if name not in observed.columns:
            raise InvalidInput(
                f"--align names '{name}', which is no column of numbers; there are "
                f"{', '.join(list(observed.columns)[:12])}."
            )
    return named


def _of_results(path: Path, swap_xy: bool, choices: Any) -> _Source:
    from napari_interpdisc.io.results import settings_path
    from napari_interpdisc.io.tracks import read_cells
    from napari_interpdisc.through_time.results_table import observed_of_table

    cells = read_cells(path, swap_xy, choices)
    say(cells.taken.sentence)
    for sentence in cells.taken.notes:
        note(sentence)
    settings: dict[str, Any] = {}
    beside = settings_path(path)
    if beside.is_file():
        try:
            read = json.loads(beside.read_text("utf-8"))
        except (OSError, ValueError, RecursionError):
            read = None
        if isinstance(read, dict) and read.get("table") == path.name:
            settings = read
    observed, taken = observed_of_table(cells, settings)
    say(taken)
    interval = settings.get("frame_interval")
    known = ("model", "model_sha256", "head", "image", "tracks")
    about = {name: settings.get(name) for name in known} | {"results": str(path)}
    return _Source(
        observed,
        cells.to_frame(),
        float(interval) if isinstance(interval, int | float) and interval > 0 else None,
        about,
    )


def _of_image(
    files: MovieFiles, model: str, head: str | None, order: str | None, event: str | None
) -> _Source:
    """Classify a movie; what names classes is checked before."""
    from napari_interpdisc import pipeline
    from napari_interpdisc.io.calibration import read_calibration
    from napari_interpdisc.models.store import load_model
    from napari_interpdisc.through_time.observed import observed_of
    from napari_interpdisc.through_time.order import order_of_text

    loaded = load_model(model)
    classes = loaded.head(head).classes
    if order is not None:
        order_of_text(order, classes)
    _event(event, classes)
    opened = files.open()
    with progress_bar("cells") as progress:
        result = pipeline.classify(
            opened.frames, opened.cells, loaded, opened.diameter, head, progress, opened.measured
        )
    for warning in pipeline.movie_warnings(result.encoding, loaded):
        note(warning)
    about = {
        **result.settings,
        "image": str(files.image),
        "tracks": str(files.tracks),
        **files.reading.note(),
    }
    interval = read_calibration(files.image).frame_interval
    return _Source(observed_of(result), result.to_frame(), interval, about)
