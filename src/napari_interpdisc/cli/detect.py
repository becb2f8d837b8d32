"""``interpdisc detect``: a table of nuclei."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_interpdisc.cli.common import Channel, ChannelAxis, Diameter, ImagePath, diameter_of, say


def detect(
    image: ImagePath,
    out: Annotated[Path, typer.Option(help="Table to write: .csv or .parquet.")],
    diameter: Diameter = "auto",
    channel: Channel = None,
    channel_axis: ChannelAxis = None,
) -> None:
    """Find nuclei in every frame: a table that classify and attack take as --tracks."""
    from napari_interpdisc.io.images import read_frames
    from napari_interpdisc.io.results import check_table_path, write_table
    from napari_interpdisc.nuclei.detection import detect_movie

    check_table_path(out, (image,))
    px = diameter_of(diameter)
    frames = read_frames(image, channel, channel_axis)
    cells = detect_movie(frames, px)
    settings = {"image": str(image), "diameter": px or "auto", "channel": channel}
    write_table(cells.to_frame(), settings, out)
    say(f"{len(cells)} cells in {len(frames)} frames", str(out))
