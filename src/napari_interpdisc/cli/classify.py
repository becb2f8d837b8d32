"""``interpdisc classify``: a table of classes."""

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
    SwapXY,
    Tracks,
    diameter_of,
    note,
    progress_bar,
    say,
    without_pixels,
)
from napari_interpdisc.cli.reading import PLAIN, Reading, reads_images


@reads_images
def classify(
    image: ImagePath,
    tracks: Tracks,
    out: Annotated[Path, typer.Option(help="Table to write: .csv or .parquet.")],
    labels: LabelsPath = None,
    diameter: Diameter = "auto",
    channel: Channel = None,
    channel_axis: ChannelAxis = None,
    swap_xy: SwapXY = False,
    model: Model = "h2b",
    head: Head = None,
    reading: Reading = PLAIN,
) -> None:
    """Classify every cell: one row each, and a JSON file with the settings beside the table."""
    from napari_interpdisc.io.results import check_table_path, write_table

    check_table_path(out, (image, tracks, labels))
    diameter_of(diameter)
    from napari_interpdisc import pipeline
    from napari_interpdisc.models.store import load_model
    from napari_interpdisc.number_text import percent

    loaded = load_model(model)
    loaded.head(head)
    opened = MovieFiles(
        image, tracks, labels, diameter, channel, channel_axis, swap_xy, reading
    ).open()
    with progress_bar("cells") as progress:
        result = pipeline.classify(
            opened.frames, opened.cells, loaded, opened.diameter, head, progress
        )
    settings = {
        **result.settings,
        "image": str(image),
        "tracks": str(tracks),
        "labels": str(labels) if labels else None,
        "channel": channel,
        "channel_axis": channel_axis,
        "swap_xy": swap_xy,
        **reading.note(),
        "model_diameter": loaded.model_diameter,
        "diameter_doubt": opened.doubt or None,
    }
    table = result.to_frame()
    write_table(table, settings, out)
    counts = table["class"].value_counts(sort=False)
    say(f"{len(table)} cells: {', '.join(f'{n} {name}' for name, n in counts.items())}")
    encoding, flags = result.encoding, []
    if encoding.familiarity is not None:
        share = percent(encoding.out_of_distribution.mean())
        strange = encoding.out_of_distribution
        told = f"{strange.sum()} ({share}) unlike the training data"
        if strange.any():
            of_class = table["class"][strange].value_counts(sort=False)
            told += f" ({', '.join(f'{n} {name}' for name, n in of_class.items() if n)})"
        flags.append(told)
    flags.append(f"{encoding.touches_edge.sum()} may be cut by the edge of the image")
    if encoding.saturated.any():
        flags.append(f"{encoding.saturated.sum()} saturated")
    say(f"flagged: {', '.join(flags)}", str(out))
    if not encoding.usable.all():
        note(f"{without_pixels(encoding.no_pixels)}; they have no class.")
    for warning in pipeline.movie_warnings(encoding):
        note(warning)
