"""``interpdisc counterfactual``: what would make one cell another class."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_interpdisc.cli.common import (
    Channel,
    ChannelAxis,
    Diameter,
    Head,
    ImagePath,
    LabelsPath,
    Model,
    MovieFiles,
    Tracks,
    diameter_of,
    progress_bar,
    say,
)
from napari_interpdisc.cli.reading import PLAIN, Reading, reads_images
from napari_interpdisc.cli.table_options import AS_IT_TELLS, TableOptions, reads_tables
from napari_interpdisc.writing import or_elsewhere, place_of


@reads_images
@reads_tables
def counterfactual(
    image: ImagePath,
    tracks: Tracks,
    cell: Annotated[
        str, typer.Option(metavar="TRACK:FRAME", help="The cell: its track, and its frame.")
    ],
    out: Annotated[Path, typer.Option(help="Folder to write; it must not exist or be empty.")],
    to: Annotated[
        str | None,
        typer.Option(metavar="CLASS", help="Class to reach; the runner-up if left out."),
    ] = None,
    margin: Annotated[
        float, typer.Option(min=0, max=20, help="Margin to reach, in logits; 0 is the boundary.")
    ] = 0.0,
    steps: Annotated[
        int, typer.Option(min=2, max=50, help="Pictures of the strip, both ends among them.")
    ] = 9,
    labels: LabelsPath = None,
    diameter: Diameter = "auto",
    channel: Channel = None,
    channel_axis: ChannelAxis = None,
    model: Model = "h2b",
    head: Head = None,
    reading: Reading = PLAIN,
    table_options: TableOptions = AS_IT_TELLS,
) -> None:
    """Find the smallest change of one cell that another class answers to, among real cells."""
    from napari_interpdisc.io.results import check_empty_folder

    check_empty_folder(out, (image, tracks, labels))
    diameter_of(diameter)
    choices = table_options.asked()
    from napari_interpdisc.cells import row_of, track_and_frame
    from napari_interpdisc.models.store import load_model
    from napari_interpdisc.pipeline import cell_crops, encode_cells
    from napari_interpdisc.scrutiny.counterfactual import counterfactual_path, real_cells

    track_and_frame(cell)
    loaded = load_model(model)
    named = loaded.head_of_latents(head, "A path to another class")
    opened = MovieFiles(
        image,
        tracks,
        labels,
        diameter,
        channel,
        channel_axis,
        reading,
        table_options.swap_xy,
        choices,
    ).open_usable()
    row = row_of(opened.cells, cell)
    with progress_bar("cells") as progress:
        encoding = encode_cells(
            opened.frames, opened.cells, loaded, opened.diameter, progress, opened.measured
        )
    track = opened.cells.track_id
    real = real_cells(loaded, encoding.latents, named.name, track)
    found = counterfactual_path(
        loaded, encoding.latents[row], real, named.name, to, track[row], steps, margin
    )
    say(*found.sentences(loaded))
    own = cell_crops(opened.frames, opened.cells.take([row]), loaded, opened.diameter)
    near = cell_crops(opened.frames, opened.cells.take(found.nearest), loaded, opened.diameter)
    settings = {
        "image": str(image),
        "tracks": str(tracks),
        "diameter": opened.diameter,
        "margin": margin,
        **reading.note(),
    }
    from napari_interpdisc.figures.counterfactual_folder import ShownPath, write_path

    pictures = loaded.reconstruct(found.latents, own)[:, 0]
    shown = ShownPath(found, loaded, opened.cells, row, pictures, near[:, 0])
    or_elsewhere(out, lambda place: write_path(place, shown, settings))
    say(str(place_of(out)))
