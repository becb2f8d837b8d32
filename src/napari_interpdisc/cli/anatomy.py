"""``interpdisc anatomy``: take a head apart, and draw what its parts respond to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_interpdisc.cli.common import (
    Channel,
    ChannelAxis,
    Diameter,
    Head,
    LabelsPath,
    MovieFiles,
    diameter_of,
    names_of,
    note,
    progress_bar,
    say,
)
from napari_interpdisc.cli.given_cells import (
    GivenCells,
    WantedCells,
    cell_of,
    cells_of_crops,
    cells_of_movie,
    check_crops_alone,
)
from napari_interpdisc.cli.reading import PLAIN, Reading, reads_images
from napari_interpdisc.cli.table_options import AS_IT_TELLS, TableOptions, reads_tables
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.writing import or_elsewhere, place_of

if TYPE_CHECKING:
    from napari_interpdisc.models.cell_model import CellModel, NamedHead
    from napari_interpdisc.scrutiny.anatomy import Anatomy
    from napari_interpdisc.scrutiny.anatomy_constants import ConstantIntervals
    from napari_interpdisc.scrutiny.anatomy_parts import Part
    from napari_interpdisc.scrutiny.anatomy_response import Population

LARGEST_SEED = 2**32 - 1

SLIGHT = 0.02
"""Share of the variance below which nothing is printed of an input."""


@reads_images
@reads_tables
def anatomy(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Installed model, or folder.")],
    out: Annotated[Path, typer.Option(help="Folder to write; it must not exist or be empty.")],
    head: Head = None,
    image: Annotated[Path | None, typer.Option(help="Image or movie of cells to look at.")] = None,
    cells: Annotated[
        Path | None, typer.Option(help="Table of its cells (t, y, x, track_id).")
    ] = None,
    labels: LabelsPath = None,
    crops: Annotated[
        Path | None,
        typer.Option(
            help="Archive (.npz) of images, or of cells that Discover kept, in place of image and "
            "cells."
        ),
    ] = None,
    cell: Annotated[
        str | None,
        typer.Option(
            metavar="TRACK:FRAME",
            help="Cell at whose values all else is held; of crops, the row. The middle one if "
            "left out.",
        ),
    ] = None,
    pair: Annotated[
        list[str] | None,
        typer.Option(
            metavar="A,B",
            help="Two latents, by number or name, to draw slices over; may be repeated. Pairs of "
            "the strongest inputs if left out.",
        ),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Only cells with these labels; all if left out."),
    ] = None,
    label_column: Annotated[
        str | None,
        typer.Option(
            help="Column, or array, of labels, on which constants are refitted; label if left out."
        ),
    ] = None,
    group_column: Annotated[
        str | None,
        typer.Option(
            help="Groups that are drawn again for the intervals of constants; track_id, or plate, "
            "if left out."
        ),
    ] = None,
    most: Annotated[
        int, typer.Option(min=2, help="Cells that are looked at at most, drawn at random.")
    ] = 2000,
    draws: Annotated[
        int, typer.Option(min=20, help="Draws of groups for the intervals of constants.")
    ] = 200,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of everything.")] = 0,
    diameter: Diameter = "auto",
    channel: Channel = None,
    channel_axis: ChannelAxis = None,
    reading: Reading = PLAIN,
    table_options: TableOptions = AS_IT_TELLS,
) -> None:
    """Take a sparse head or a formula apart: its parts, what they respond to, what was tested."""
    _check_source(image, cells, crops, classes, label_column, group_column, cell)
    if crops is not None:
        check_crops_alone(labels, channel, channel_axis)
    elif image is None and labels is not None:
        raise InvalidInput(
            "--labels is a segmentation of --image; give the image, or leave it out."
        )
    from napari_interpdisc.io.results import check_empty_folder

    check_empty_folder(out, (image, cells, crops, labels))
    diameter_of(diameter)
    choices = table_options.asked(group_column, label_column)
    from napari_interpdisc.models.store import load_model
    from napari_interpdisc.scrutiny.anatomy import (
        pair_of,
        part_panels,
        slice_panels,
        take_apart,
        wholes_of,
    )

    loaded = load_model(model)
    named = loaded.head_of_latents(head, "The anatomy of a head")
    over = [_latents(text, loaded) for text in pair or []]
    whole = wholes_of(named, loaded)[0]
    pairs = [pair_of(whole, two) for two in over]
    wanted = WantedCells(
        names_of(classes or ""), label_column, most, seed, labelled=True,
        cell=None if cell is None else cell_of(cell, crops is not None),
    )  # fmt: skip
    given = None
    if crops is not None:
        given = cells_of_crops(crops, group_column, wanted, diameter, loaded)
    elif image is not None and cells is not None:
        files = MovieFiles(
            image,
            cells,
            labels,
            diameter,
            channel,
            channel_axis,
            reading,
            table_options.swap_xy,
            choices,
        )
        given = cells_of_movie(files, group_column or "track_id", wanted, loaded)
    population = _population(given, loaded, seed)
    with progress_bar("parts") as progress:
        found = take_apart(loaded, named.name, population, progress, seed)
    row = population.middle(found.wholes[0])
    if given is not None and given.selected is not None:
        row = given.selected
    latents = population.latents[row]
    scores = {one.name: one.of_latents(latents[None])[0] for one in found.wholes}
    which = given.names[row] if given is not None else "a drawn cell near the middle"
    say(f"held at {which}: " + ", ".join(f"{name} {at:.2f}" for name, at in scores.items()))
    constants = _constants(named, population, given, draws, seed)
    _tell(found, constants)
    parts, slices = (
        part_panels(found, loaded, latents),
        slice_panels(found, loaded, latents, pairs),
    )
    if not slices:
        note(f"Head '{named.name}' reads one input alone, so it has curves and no slices.")
    about = {
        "source": None if given is None else given.note,
        "selected": {"cell": which, "scores": scores, "latents": latents.tolist()},
        "settings": {"seed": seed, "draws": draws, "pairs": [list(two) for two in over]},
    }
    from napari_interpdisc.figures.anatomy_folder import write_anatomy

    with progress_bar("pictures") as progress:
        or_elsewhere(
            out,
            lambda place: write_anatomy(place, found, parts, slices, constants, about, progress),
        )
    say(str(place_of(out)))


def _check_source(
    image: Path | None, cells: Path | None, crops: Path | None, *of_cells: str | None
) -> None:
    """Refuse cells that are given in two ways, or by half; and options about cells without any."""
    if crops is not None and (image is not None or cells is not None):
        raise InvalidInput("Give --image and --cells, or --crops in their place, and not both.")
    if (image is None) != (cells is None):
        raise InvalidInput("--image and --cells go together; give both, or --crops.")
    names = ("--classes", "--label-column", "--group-column", "--cell")
    told = [name for name, value in zip(names, of_cells, strict=True) if value is not None]
    if image is None and crops is None and told:
        raise InvalidInput(
            f"{told[0]} says something of cells; give --image and --cells, or --crops, or leave it "
            "out."
        )


def _latents(text: str, model: CellModel) -> tuple[int, int]:
    """Two latents of ``--pair``."""
    from napari_interpdisc.models.cell_model import latent_of

    found = [latent_of(word, model.latent_names) for word in names_of(text)]
    known = [latent for latent in found if latent is not None and latent < model.n_latents]
    if len(found) != 2 or len(known) != 2:
        raise InvalidInput(
            f"'{text}' is no pair of latents: give two, by number or name, such as --pair z2,z5."
        )
    return known[0], known[1]


def _population(given: GivenCells | None, model: CellModel, seed: int) -> Population:
    from napari_interpdisc.scrutiny.anatomy_response import drawn_cells, real_cells

    if given is None:
        drawn = drawn_cells(model, seed=seed)
        note(
            f"No cells were given: axes come from {drawn.source}, no density is drawn, and nothing "
            "was tested on real cells."
        )
        return drawn
    z = model.encode(given.patches.crops(model.crop_size))[0]
    return real_cells(z, str(given.note.get("crops") or given.note.get("image")))


def _constants(
    named: NamedHead, cells: Population, given: GivenCells | None, draws: int, seed: int
) -> ConstantIntervals | None:
    """Intervals of a formula's constants, or a note why there are none."""
    if named.head.kind != "formula" or given is None:
        return None
    from napari_interpdisc.scrutiny.anatomy_constants import constant_intervals

    if given.labels is None:
        note("The cells have no labels, so constants have no intervals.")
        return None
    try:
        with progress_bar("constants") as progress:
            return constant_intervals(
                named, cells.latents, given.labels, given.groups, draws, seed, progress
            )
    except InvalidInput as fault:
        note(f"Constants have no intervals: {str(fault)[0].lower()}{str(fault)[1:]}")
        return None


def _tell(anatomy: Anatomy, constants: ConstantIntervals | None) -> None:
    """Print the rule, what was found of each part, and the constants."""
    say(f"{anatomy.head} of {anatomy.model}:", *(f"  {line}" for line in anatomy.rule))
    for part in (*anatomy.parts, *anatomy.wholes):
        told = _sentences(anatomy, part)
        if told:
            say(f"{part.name} ({part.about}):", *(f"  {line}" for line in told))
    if constants is not None:
        say(*constants.sentences())


def _sentences(anatomy: Anatomy, part: Part) -> list[str]:
    """What was found of a part; inputs that hardly matter are counted and left out."""
    from napari_interpdisc.scrutiny.anatomy_response import strongest

    effects = strongest(part, anatomy.cells)
    slight = {i for i, effect in enumerate(effects) if effect < SLIGHT and len(effects) > 1}
    told = [
        one.sentence
        for one in anatomy.findings_of(part)
        # that something does not saturate is no news
        if one.input not in slight and (one.holds or one.kind != "saturates")
    ]
    if slight:
        verb = "input makes" if len(slight) == 1 else "inputs make"
        told.append(
            f"{len(slight)} {verb} less than {SLIGHT:.0%} of the variance: anatomy.json has what "
            "was found of them.".replace("%", " %")
        )
    return told
