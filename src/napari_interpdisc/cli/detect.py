"""``interpdisc detect``: a table of nuclei."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_interpdisc.cli.common import (
    Channel,
    ChannelAxis,
    Diameter,
    ImagePath,
    diameter_of,
    note,
    say,
)
from napari_interpdisc.cli.reading import PLAIN, Reading, reads_images
from napari_interpdisc.errors import InvalidInput


@reads_images
def detect(
    image: ImagePath,
    out: Annotated[Path, typer.Option(help="Table to write: .csv or .parquet.")],
    diameter: Diameter = "auto",
    channel: Channel = None,
    channel_axis: ChannelAxis = None,
    reading: Reading = PLAIN,
) -> None:
    """Find nuclei in every frame: a table that classify and attack take as --tracks."""
    from napari_interpdisc.io.results import check_table_path, write_table
    from napari_interpdisc.nuclei.detection import detect_movie

    check_table_path(out, (image,))
    px = diameter_of(diameter)
    if reading.z == "centroid":
        raise InvalidInput("--z centroid needs cells, and none are known yet; give max or mid.")
    frames = reading.frames(image, channel, channel_axis)
    if frames.taken:
        say(f"image: {frames.taken}")
    skipped: list[str] = []
    cells = detect_movie(frames, px, skipped.append)
    for sentence in skipped:
        note(sentence)
    settings = {
        "image": str(image),
        "diameter": px or "auto",
        "channel": channel,
        "channel_axis": channel_axis,
        **reading.note(),
    }
    write_table(cells.to_frame(), settings, out)
    found, looked = len(cells), len(frames)
    say(f"{found} cell{'s' * (found != 1)} in {looked} frame{'s' * (looked != 1)}", str(out))
