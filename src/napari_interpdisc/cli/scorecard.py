"""``interpdisc scorecard``: test a model's heads against the domain constraints."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_interpdisc.cli.common import (
    Channel,
    ChannelAxis,
    Diameter,
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
    named_classes,
)
from napari_interpdisc.cli.reading import PLAIN, Reading, reads_images
from napari_interpdisc.cli.table_options import AS_IT_TELLS, TableOptions, reads_tables
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.writing import or_elsewhere, place_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_interpdisc.discovery.controls import Control, CrossFitted
    from napari_interpdisc.models.cell_model import CellModel
    from napari_interpdisc.scrutiny.segmented import Segmentation

# those of ScorecardSettings, which imports torch: too slow for a help text
LARGEST_SEED, MOST_SIMULATED = 2**32 - 1, 10_000


@reads_images
@reads_tables
def scorecard(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Installed model, or folder.")],
    out: Annotated[Path, typer.Option(help="Folder to write; it must not exist or be empty.")],
    head: Annotated[
        list[str] | None,
        typer.Option(help="Head to test; may be repeated. The default head if left out."),
    ] = None,
    image: Annotated[Path | None, typer.Option(help="Image or movie of the cells.")] = None,
    cells: Annotated[
        Path | None, typer.Option(help="Table of its cells (t, y, x, track_id).")
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            help="Segmentation of the image: the masks of the nuclei are taken from it, and the "
            "diameter is measured in it."
        ),
    ] = None,
    crops: Annotated[
        Path | None, typer.Option(help="Archive (.npz) of images, in place of image and cells.")
    ] = None,
    group_column: Annotated[
        str | None,
        typer.Option(
            help="Groups that are drawn together for intervals; track_id, or plate, if left out. "
            "Crops without a plate: each on its own."
        ),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Only cells with these labels; all if left out."),
    ] = None,
    label_column: Annotated[
        str | None,
        typer.Option(
            help="Column, or array, with the labels that --classes means; label if left out."
        ),
    ] = None,
    most: Annotated[
        int, typer.Option(min=2, help="Cells that are tested at most, drawn at random.")
    ] = 1000,
    control: Annotated[
        list[str] | None,
        typer.Option(
            metavar="cnn|forest",
            help="Also test a CNN, or a random forest on shape numbers, fitted on these cells' "
            "--classes; may be repeated. Each cell is scored by a fit without its group.",
        ),
    ] = None,
    simulated: Annotated[
        int,
        typer.Option(
            min=0, max=MOST_SIMULATED, help="Simulated cells that are tested too; 0 for none."
        ),
    ] = 200,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of everything.")] = 0,
    diameter: Diameter = "auto",
    channel: Channel = None,
    channel_axis: ChannelAxis = None,
    reading: Reading = PLAIN,
    table_options: TableOptions = AS_IT_TELLS,
) -> None:
    """Change what must not matter, and count how often each head changes its mind."""
    if (crops is None) == (image is None) or (image is None) != (cells is None):
        raise InvalidInput("Give --image and --cells, or --crops in their place.")
    if crops is not None:
        check_crops_alone(labels, channel, channel_axis)
    named = named_classes(classes, label_column)
    from napari_interpdisc.io.results import check_empty_folder

    check_empty_folder(out, (image, cells, crops, labels))
    diameter_of(diameter)
    choices = table_options.asked(group_column, label_column)
    kinds = _controls(control or [], named)
    from napari_interpdisc.models.store import load_model
    from napari_interpdisc.scrutiny.scorecard import ScorecardSettings, score_heads

    loaded = load_model(model)
    asked: Sequence[str | None] = head or (None,)
    names = [loaded.head(name).name for name in asked]
    names = list(dict.fromkeys(names))
    _check_names_differ(names, kinds)
    wanted = WantedCells(named, label_column, most, seed)
    if crops is not None:
        given = cells_of_crops(crops, group_column, wanted, diameter, loaded)
    else:
        assert image is not None
        assert cells is not None
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
    present = set() if given.labels is None else set(given.labels.tolist())
    for name in names:
        unknown = [c for c in named if c in present and c not in loaded.head(name).classes]
        if unknown:
            note(f"Head '{name}' does not know {', '.join(unknown)}; these cells are tested too.")
    segmentation = _segmented(given, loaded)
    fitted = [_fitted(kind, given, segmentation, named, loaded, seed) for kind in kinds]
    checks = _checked(given, loaded)
    settings = ScorecardSettings(seed=seed, simulated=simulated)
    with progress_bar("tests") as progress:
        found = score_heads(segmentation, given.groups, loaded, names, settings, progress, fitted)
    for card in found:
        say(*card.sentences())
    plain = segmentation.cells.patches.crops(loaded.crop_size)
    about: dict[str, Any] = {"model": loaded.name, "model_sha256": loaded.sha256, "heads": names}
    about["calls"] = {card.head: card.calls for card in found}
    about |= {"controls": kinds, "settings": settings.model_dump(mode="json"), "checks": checks}
    from napari_interpdisc.figures.scorecard_folder import write_scorecard

    called = [given.names[row] for row in segmentation.rows]
    whole = {**given.note, **about}
    or_elsewhere(out, lambda place: write_scorecard(place, found, plain, whole, names=called))
    say(str(place_of(out)))


def _checked(given: GivenCells, model: CellModel) -> list[dict[str, Any]]:
    """Check the settings behind the cells as ``classify`` does, and tell what looks wrong."""
    import numpy as np

    from napari_interpdisc.checks import check_movie
    from napari_interpdisc.crop_measures import measure_crops

    whole = np.ones(len(given.patches), bool) if given.cut is None else ~given.cut
    sample = measure_crops(given.patches.take(whole).crops(model.crop_size))
    diameter = float(given.note["diameter"])
    found = check_movie(sample, model.model_diameter, diameter, model.familiarity)
    for check in found:
        if check.advice:
            note(check.advice)
    return [check.note() for check in found]


def _check_names_differ(heads: Sequence[str], controls: Sequence[str]) -> None:
    both = [name for name in controls if name in heads]
    if both:
        raise InvalidInput(
            f"The model has a head '{both[0]}', as the control is called; leave out either "
            f"--head {both[0]} or --control {both[0]}."
        )


def _controls(words: list[str], classes: tuple[str, ...]) -> list[Control]:
    """Kinds of controls that were asked for."""
    if not words:
        return []
    from napari_interpdisc.discovery.controls import CONTROLS

    unknown = [word for word in words if word not in CONTROLS]
    if unknown:
        raise InvalidInput(f"'{unknown[0]}' is no control; there are {' and '.join(CONTROLS)}.")
    if len(classes) < 2:
        raise InvalidInput(
            "A control is fitted on labels: name two or more of them with --classes, and their "
            "column with --label-column."
        )
    return [kind for kind in CONTROLS if kind in words]


def _segmented(given: GivenCells, model: CellModel) -> Segmentation:
    """Find the nuclei; without any, what needs no mask is still tested."""
    from napari_interpdisc.scrutiny.segmented import segment_cells, without_masks

    try:
        return segment_cells(given.patches, given.masks, model.model_diameter, given.cut)
    except InvalidInput as fault:
        note(str(fault))
        return without_masks(given.patches)


def _fitted(
    kind: Control,
    given: GivenCells,
    segmentation: Segmentation,
    classes: tuple[str, ...],
    model: CellModel,
    seed: int,
) -> CrossFitted:
    from napari_interpdisc.discovery.controls import fit_control

    assert given.labels is not None
    rows, patches = segmentation.rows, segmentation.cells.patches
    with progress_bar(f"fitting of {kind}") as progress:
        return fit_control(
            kind, patches, given.labels[rows], classes, given.groups[rows], model.crop_size,
            seed=seed, progress=progress,
        )  # fmt: skip
