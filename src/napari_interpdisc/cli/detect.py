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
from napari_interpdisc.writing import or_elsewhere, place_of


@reads_images
def detect(
    image: ImagePath,
    out: Annotated[Path, typer.Option(help="Table to write: .csv or .parquet.")],
    diameter: Diameter = "auto",
    channel: Channel = None,
    channel_axis: ChannelAxis = None,
    link: Annotated[
        bool,
        typer.Option("--link", help="Link nuclei of successive frames into tracks (laptrack)."),
    ] = False,
    reach: Annotated[
        float | None,
        typer.Option(
            metavar="DIAMETERS",
            help="With --link: how far a nucleus may move from one frame to the next, in nuclear "
            "diameters; 1 if left out.",
        ),
    ] = None,
    divisions: Annotated[
        bool,
        typer.Option(
            "--divisions", help="With --link: a track may end where two begin (column parent_id)."
        ),
    ] = False,
    reading: Reading = PLAIN,
) -> None:
    """Find nuclei in every frame: a table that classify and attack take as --tracks.

    With --link, they are on tracks, which through-time needs.
    """
    from napari_interpdisc.io.results import check_table_path, write_table
    from napari_interpdisc.nuclei.detection import detect_movie

    check_table_path(out, (image,))
    px = diameter_of(diameter)
    if not link and (reach is not None or divisions):
        raise InvalidInput("--reach and --divisions say how nuclei are linked: give --link too.")
    if reach is not None and not reach > 0:
        raise InvalidInput(f"--reach {reach:g} is no distance; give a number above 0.")
    if reading.z == "centroid":
        raise InvalidInput("--z centroid needs cells, and none are known yet; give max or mid.")
    frames = reading.frames(image, channel, channel_axis)
    if frames.taken:
        say(f"image: {frames.taken}")
    if link and len(frames) < 2:
        raise InvalidInput(f"{image} has one frame: no nuclei can be linked; leave --link out.")
    used = px
    if link and px is None:
        from napari_interpdisc.nuclei.diameter import estimate_diameter

        used = estimate_diameter(frames)
        say(f"nuclear diameter: {used:.1f} px (estimated)")
    skipped: list[str] = []
    cells = detect_movie(frames, used, skipped.append)
    for sentence in skipped:
        note(sentence)
    told = []
    if link and used is not None:
        from napari_interpdisc.nuclei.linking import REACH, link_cells, told_links

        reach = REACH if reach is None else reach
        cells = link_cells(cells, used, reach, divisions)
        told = [told_links(cells)]
    settings = {
        "link": link,
        "reach": reach,
        "divisions": divisions,
        "image": str(image),
        "diameter": px or "auto",
        "channel": channel,
        "channel_axis": channel_axis,
        **reading.note(),
    }
    or_elsewhere(out, lambda place: write_table(cells.to_frame(), settings, place))
    found, looked = len(cells), len(frames)
    counted = f"{found} cell{'s' * (found != 1)} in {looked} frame{'s' * (looked != 1)}"
    say(counted, *told, str(place_of(out)))
