"""``interpdisc attack``: perturb every cell of a movie."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

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
    names_of,
    progress_bar,
    say,
)
from napari_interpdisc.cli.reading import PLAIN, Reading, reads_images
from napari_interpdisc.cli.table_options import AS_IT_TELLS, TableOptions, reads_tables
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.writing import or_elsewhere, place_of


@reads_images
@reads_tables
def attack(
    image: ImagePath,
    tracks: Tracks,
    out: Annotated[Path, typer.Option(help="Folder to write; it must not exist or be empty.")],
    space: Annotated[
        Literal["image", "latent"], typer.Option(help="Where the step is taken.")
    ] = "image",
    epsilon: Annotated[
        float | None,
        typer.Option(help="Step in standard deviations; 0.5 (image) or 1 (latent) if left out."),
    ] = None,
    method: Annotated[
        Literal["fgsm", "pgd", "random"], typer.Option(help="PGD and random are the controls.")
    ] = "fgsm",
    to: Annotated[
        str | None,
        typer.Option(metavar="CLASS", help="Class to reach; any other class if left out."),
    ] = None,
    freeze: Annotated[
        str, typer.Option(metavar="3,17", help="Latents to freeze, by number or name.")
    ] = "",
    labels: LabelsPath = None,
    diameter: Diameter = "auto",
    channel: Channel = None,
    channel_axis: ChannelAxis = None,
    model: Model = "h2b",
    head: Head = None,
    reading: Reading = PLAIN,
    table_options: TableOptions = AS_IT_TELLS,
) -> None:
    """Perturb every cell against its class, or towards one; writes scores, crops, and flips."""
    from napari_interpdisc.io.results import check_empty_folder

    check_empty_folder(out, (image, tracks, labels))
    diameter_of(diameter)
    choices = table_options.asked()
    from pydantic import ValidationError

    from napari_interpdisc.models.store import load_model
    from napari_interpdisc.scrutiny.attacks import AttackSettings, check_frozen, target_index
    from napari_interpdisc.scrutiny.movie_attack import attack_movie

    loaded = load_model(model)
    target_index(loaded.head_of_latents(head, "An attack").classes, to)
    frozen = _frozen(freeze, loaded.latent_names)
    check_frozen(frozen, loaded.n_latents)
    step = epsilon if epsilon is not None else {"image": 0.5, "latent": 1.0}[space]
    try:
        settings = AttackSettings(
            space=space, epsilon=step, method=method, frozen_latents=frozen, target=to
        )
    except ValidationError as fault:
        raise InvalidInput(
            f"ε = {step:g} cannot be used ({fault.errors()[0]['msg'].lower()}); give 0 to 8."
        ) from None
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
    about = {"image": str(image), "tracks": str(tracks), "diameter": opened.diameter}
    with progress_bar("cells") as progress:
        counts = or_elsewhere(
            out,
            lambda place: attack_movie(
                opened.frames, opened.cells, loaded, opened.diameter, settings, place, head, about,
                progress,
            ),
        )  # fmt: skip
    for name, share in counts.shares.items():
        to_class = f" to {to}" if to else ""
        say(f"{name:8s} flips {share:6.1%} of {counts.cells} cells{to_class}")
    if counts.there_already:
        say(f"{counts.there_already} cells are called {to} already; they were left as they are.")
    if counts.without_class:
        say(f"The formula has no value for {counts.without_class} cells; they were not attacked.")
    for name, lost in counts.lost_class.items():
        say(f"{name:8s} leads {lost} cells to where the formula has no value: no flips.")
    say(str(place_of(out)))


def _frozen(text: str, names: Mapping[str, int]) -> tuple[int, ...]:
    from napari_interpdisc.models.cell_model import latent_of

    found = [latent_of(part, names) for part in names_of(text)]
    if None in found:
        raise InvalidInput(
            f"'{text}' is no list of latents: give their numbers, like --freeze 3,17"
            + (", or their names." if names else ".")
        )
    return tuple(latent for latent in found if latent is not None)
