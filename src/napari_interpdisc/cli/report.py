"""``interpdisc report``: one HTML file on a head, for the supplement of a paper."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_interpdisc.cli.common import (
    Channel,
    ChannelAxis,
    Diameter,
    Head,
    MovieFiles,
    diameter_of,
    note,
    progress_bar,
    say,
)
from napari_interpdisc.cli.given_cells import (
    GivenCells,
    WantedCells,
    cells_of_crops,
    cells_of_movie,
    check_crops_alone,
)
from napari_interpdisc.cli.reading import PLAIN, Reading, reads_images
from napari_interpdisc.cli.table_options import AS_IT_TELLS, TableOptions, reads_tables
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.writing import Inputs, check_writable, or_elsewhere, place_of

if TYPE_CHECKING:
    from napari_interpdisc.models.cell_model import CellModel
    from napari_interpdisc.report.build import ReportCells


@reads_images
@reads_tables
def report(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Installed model, or folder.")],
    out: Annotated[Path, typer.Option(help="HTML file to write; it must not exist.")],
    head: Head = None,
    image: Annotated[Path | None, typer.Option(help="Image or movie of cells to look at.")] = None,
    cells: Annotated[
        Path | None, typer.Option(help="Table of its cells (t, y, x, track_id).")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="Segmentation of the image: masks of the nuclei.")
    ] = None,
    crops: Annotated[
        Path | None, typer.Option(help="Archive (.npz) of images, in place of image and cells.")
    ] = None,
    label_column: Annotated[
        str | None, typer.Option(help="Column, or array, of labels; label if left out.")
    ] = None,
    group_column: Annotated[
        str | None,
        typer.Option(help="Groups for intervals; track_id, or plate, if left out."),
    ] = None,
    most: Annotated[
        int, typer.Option(min=20, help="Cells that are looked at at most, drawn at random.")
    ] = 600,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of everything.")] = 0,
    diameter: Diameter = "auto",
    channel: Channel = None,
    channel_axis: ChannelAxis = None,
    reading: Reading = PLAIN,
    table_options: TableOptions = AS_IT_TELLS,
) -> None:
    """Write what a head does, how well, and why it may be trusted, as one HTML file."""
    if crops is not None and (image is not None or cells is not None):
        raise InvalidInput("Give --image and --cells, or --crops in their place, and not both.")
    if (image is None) != (cells is None):
        raise InvalidInput("--image and --cells go together; give both, or --crops.")
    if crops is not None:
        check_crops_alone(labels, channel, channel_axis)
    if crops is None and image is None and (label_column or group_column or labels):
        raise InvalidInput("There are no cells yet; give --image and --cells, or --crops.")
    check_new_page(out, (image, cells, crops, labels))
    diameter_of(diameter)
    from napari_interpdisc.models.store import load_model

    loaded = load_model(model)
    named = loaded.head(head)
    wanted = WantedCells((), label_column, most, seed, labelled=True)
    given = None
    group = "crop"
    if crops is not None:
        given = cells_of_crops(crops, group_column, wanted, diameter, loaded)
        group = group_column or ("plate" if given.note["group"] == "plate" else "crop")
    elif image is not None and cells is not None:
        files = MovieFiles(
            image, cells, labels, diameter, channel, channel_axis, reading,
            table_options.swap_xy, table_options.asked(group_column, label_column),
        )  # fmt: skip
        given = cells_of_movie(files, group_column or "track_id", wanted, loaded)
        group = (group_column or "track").removesuffix("_id")
    from napari_interpdisc.report.build import write_report

    of = None if given is None else _report_cells(given, loaded, group)
    with progress_bar("sections") as progress:
        or_elsewhere(out, lambda place: write_report(place, loaded, named.name, of, progress, seed))
    say(str(place_of(out)))


def check_new_page(path: Path, inputs: Inputs = ()) -> None:
    """Refuse a path that is no HTML file, exists, or cannot be written.

    Raises
    ------
    InvalidInput
        If so.
    """
    if path.suffix.lower() not in (".html", ".htm"):
        raise InvalidInput(f"{path} is no HTML file; let its name end with .html.")
    if path.exists():
        raise InvalidInput(f"{path} already exists; choose another name, nothing was written.")
    check_writable(path, inputs)


def _report_cells(given: GivenCells, model: CellModel, group_name: str) -> ReportCells:
    from napari_interpdisc.patches import middle
    from napari_interpdisc.report.build import ReportCells, measured_for
    from napari_interpdisc.scrutiny.segmented import segment_cells, without_masks

    try:
        found = segment_cells(given.patches, given.masks, model.model_diameter, given.cut)
    except InvalidInput as fault:
        note(str(fault))
        found = without_masks(given.patches)
    crops = given.patches.crops(model.crop_size)
    masks = None if given.masks is None else middle(given.masks, model.crop_size)
    return ReportCells(
        crops,
        model.encode(crops)[0],
        given.groups,
        given.names,
        given.note,
        given.labels,
        found,
        group_name,
        measured_for(model, crops, masks),
    )
