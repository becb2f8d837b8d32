"""``interpdisc train``: heads from labelled cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from napari_interpdisc.cli.common import (
    Channel,
    ChannelAxis,
    Diameter,
    Effort,
    Engine,
    Model,
    MovieFiles,
    RecipeFile,
    check_engine,
    crop_diameter,
    diameter_of,
    names_of,
    note,
    progress_bar,
    say,
)
from napari_interpdisc.cli.movie_table import movies_of_table
from napari_interpdisc.cli.reading import PLAIN, Reading, reads_images
from napari_interpdisc.cli.stages import Stages
from napari_interpdisc.cli.table_options import AS_IT_TELLS, TableOptions, reads_tables
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.writing import check_new_folder, or_elsewhere, place_of, write_whole

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_interpdisc.discovery.labelled import LabelledCells, Labels
    from napari_interpdisc.discovery.movies import LabelledMovie
    from napari_interpdisc.discovery.origins import Origins
    from napari_interpdisc.discovery.recipe import Recipe
    from napari_interpdisc.discovery.results import Discovery
    from napari_interpdisc.models.cell_model import CellModel, TrainingMovie


TRACK = "track_id"
"""Groups of cells of a movie, if the user names no other."""

LABELS_TO_CHECK = "labels_to_check.csv"
"""File in the model's folder: labels, those first that held-out heads fit least."""


@reads_images
@reads_tables
def train(
    out: Annotated[Path, typer.Option(help="Model folder to write; it must not exist.")],
    image: Annotated[
        list[Path] | None,
        typer.Option(help="Image or movie of the labelled cells; once for each movie."),
    ] = None,
    cells: Annotated[
        list[Path] | None,
        typer.Option(
            help="Table of cells (t, y, x, track_id) with a label column; once for each image, in "
            "the same order."
        ),
    ] = None,
    movies: Annotated[
        Path | None,
        typer.Option(
            metavar="TABLE",
            help="Table of movies in place of image and cells: columns image and cells, and "
            "labels, diameter, channel and channel_axis where movies differ. Paths are relative "
            "to the table.",
        ),
    ] = None,
    label_column: Annotated[
        str, typer.Option(help="Column, or array of the archive, with the classes.")
    ] = "label",
    group_column: Annotated[
        str | None,
        typer.Option(
            help="Column, or array, of groups that are never split between training and test. If "
            "left out: plate for --crops; the movie where there are as many as folds; else the "
            "track."
        ),
    ] = None,
    crops: Annotated[
        Path | None,
        typer.Option(
            help="Archive (.npz) of images, label and group, or of cells that Discover kept, in "
            "place of image and cells."
        ),
    ] = None,
    kind: Annotated[
        Literal["all", "dense", "sparse", "formula"], typer.Option(help="Kind of head.")
    ] = "all",
    classes: Annotated[
        str,
        typer.Option(metavar="A,B", help="Classes to distinguish, in this order; all if left out."),
    ] = "",
    properties: Annotated[
        str | None,
        typer.Option(
            metavar="A,B|default",
            help="Measured properties that heads read beside latents, such as area,solidity; "
            "'default' is size, shape and grain of the nucleus. Measured in --labels if every "
            "image has one, else in nuclei that are found.",
        ),
    ] = None,
    no_latents: Annotated[
        bool,
        typer.Option("--no-latents", help="Let heads read the measured properties alone."),
    ] = False,
    named: Annotated[
        bool,
        typer.Option(
            "--named",
            help="Let heads read named latents alone, so that every input of a rule has a meaning.",
        ),
    ] = False,
    engine: Engine = None,
    folds: Annotated[
        int | None,
        typer.Option(min=2, help="Folds of the cross-validation by group; 5 if left out."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything.")] = 0,
    study: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Let Optuna choose the sparsity; its study is kept, and resumed, here.",
        ),
    ] = None,
    effort: Effort = None,
    recipe: RecipeFile = None,
    name: Annotated[str, typer.Option(help="Name of the model; the folder's if left out.")] = "",
    labels: Annotated[
        list[Path] | None,
        typer.Option(
            help="Segmentation to measure the diameter and properties in; none, or one for each "
            "image."
        ),
    ] = None,
    diameter: Diameter = "auto",
    channel: Channel = None,
    channel_axis: ChannelAxis = None,
    model: Model = "h2b",
    reading: Reading = PLAIN,
    table_options: TableOptions = AS_IT_TELLS,
) -> None:
    """Train heads on labelled cells: a model folder that classify and the viewer accept."""
    read = (*(image or ()), *(cells or ()), *(labels or ()), movies, crops, recipe)
    check_new_folder(out, read)
    if study is not None:
        from napari_interpdisc.training.tuning import check_study

        check_study(study, read)
    diameter_of(diameter)
    base = MovieFiles(
        Path(), Path(), None, diameter, channel, channel_axis, reading,
        table_options.swap_xy, table_options.asked(group_column, label_column),
    )  # fmt: skip
    files = _movie_files(base, image or [], cells or [], labels or [], movies, crops)
    from napari_interpdisc.discovery.audit import audit_labels, audit_table
    from napari_interpdisc.discovery.augmented import unread_latents
    from napari_interpdisc.discovery.card import discovered_model
    from napari_interpdisc.discovery.cross_validation import discover
    from napari_interpdisc.discovery.kept_cells import is_kept, read_kept
    from napari_interpdisc.discovery.rashomon import members_of_discovery, rashomon_set
    from napari_interpdisc.models.store import load_model, save_model

    asked = _recipe(
        recipe, kind, folds, seed, engine, study is not None, properties, no_latents, effort, named
    )
    if "formula" in asked.kinds:
        check_engine(asked.search.engine)
    loaded = load_model(model)
    if asked.named:
        unread_latents(loaded, loaded.n_cell_latents)
    wanted = names_of(classes) or None
    told_of: tuple[TrainingMovie, ...] = ()
    if crops is not None and not is_kept(crops):
        group = group_column or "plate"
        labelled, origins = _from_crops(crops, label_column, group, wanted, diameter, asked, loaded)
    else:
        known = (
            read_kept(crops)
            if crops is not None
            else _from_movies(files, label_column, group_column, wanted, asked, loaded)
        )
        labelled, group, origins = _joined(known, group_column, wanted, asked, loaded)
        told_of = tuple(movie.summary for movie in known)
    with Stages() as stages:
        found = discover(
            labelled, asked, stages.progress, loaded.encoder_sha256, group, study, stages
        )
    found = replace(found, movies=told_of)
    compared = rashomon_set(
        members_of_discovery(found), found.classes, labelled.own_latents,
        measured=labelled.measured,
    )  # fmt: skip
    trained = discovered_model(loaded, found, name or out.name, compared=compared)
    source = crops or movies or ", ".join(str(one.tracks) for one in files)
    say(*_told(found, str(source), loaded), *_calibration_told(found), compared.sentence())
    or_elsewhere(out, partial(save_model, trained))
    where = place_of(out)
    audited = audit_labels(found)
    table = audit_table(audited, origins)
    listed = where / LABELS_TO_CHECK
    or_elsewhere(
        listed,
        lambda place: write_whole(place, lambda unfinished: table.to_csv(unfinished, index=False)),
    )
    say(f"{next(iter(found.heads))}: {audited.sentence()}", str(place_of(listed)), str(where))


GIVE = "Give --image and --cells, once for each movie, or --movies or --crops in their place."


def _movie_files(
    base: MovieFiles,
    images: list[Path],
    cells: list[Path],
    labels: list[Path],
    table: Path | None,
    crops: Path | None,
) -> list[MovieFiles]:
    """Files of every movie; none where crops are given.

    Raises
    ------
    InvalidInput
        If movies are given in two ways or not at all, or their files do not pair up.
    """
    if (crops is not None) + (table is not None) + bool(images or cells) != 1:
        raise InvalidInput(GIVE)
    if (table is not None or crops is not None) and labels:
        raise InvalidInput("Give --labels with --image; a table of movies has a column for them.")
    if crops is not None:
        return []
    if table is not None:
        return movies_of_table(base, table)
    if len(images) != len(cells) or len(labels) not in (0, len(images)):
        counted = f"{len(images)} --image, {len(cells)} --cells"
        counted += f", {len(labels)} --labels" if labels else ""
        raise InvalidInput(f"Images and cells do not pair up ({counted}). {GIVE}")
    given = [*labels] if labels else [None] * len(images)
    return [
        replace(base, image=one, tracks=own, labels=mask)
        for one, own, mask in zip(images, cells, given, strict=True)
    ]


def _recipe(
    file: Path | None,
    kind: str,
    folds: int | None,
    seed: int,
    engine: Literal["pysr", "operon"] | None,
    tune: bool,
    properties: str | None = None,
    no_latents: bool = False,
    effort: Literal["quick", "thorough"] | None = None,
    named: bool = False,
) -> Recipe:
    """The recipe of a file, or the default one, with what the command line says."""
    from napari_interpdisc.discovery.effort import with_effort
    from napari_interpdisc.discovery.recipe import Recipe
    from napari_interpdisc.discovery.results import KINDS
    from napari_interpdisc.io.settings import read_settings
    from napari_interpdisc.models.properties import DEFAULT_PROPERTIES, check_properties
    from napari_interpdisc.training.tuning import SparsityTuning

    if file is not None and effort is not None:
        raise InvalidInput(
            "--recipe and --effort both say how much work is done; leave one of them out."
        )
    asked = Recipe() if file is None else read_settings(file, Recipe)
    changes: dict[str, Any] = {"seed": seed}
    if kind != "all":
        changes["kinds"] = tuple(k for k in KINDS if k == kind)
    if folds is not None:
        changes["folds"] = folds
    if tune and asked.tuning is None:
        changes["tuning"] = SparsityTuning()
    search = {"seed": seed} if engine is None else {"seed": seed, "engine": engine}
    changes["search"] = asked.search.model_copy(update=search)
    if properties is not None:
        default = properties.strip() == "default"
        changes["properties"] = check_properties(
            DEFAULT_PROPERTIES if default else names_of(properties)
        )
    if named and (no_latents or not asked.latents):
        raise InvalidInput("--named chooses among latents, and no latent is read; leave it out.")
    if named:
        changes["named"] = True
    if no_latents:
        changes["latents"] = False
        if not changes.get("properties", asked.properties):
            raise InvalidInput("--no-latents needs --properties: heads must read something.")
    asked = asked.model_copy(update=changes)
    return asked if effort is None else with_effort(asked, effort)


def _checked_labels(
    values: npt.NDArray[Any],
    groups: npt.NDArray[Any],
    wanted: tuple[str, ...] | None,
    folds: int,
    group_name: str,
) -> Labels:
    """The cells that have a wanted label; checked before anything is read."""
    from napari_interpdisc.discovery.labelled import Labels, check_labels

    labels = Labels.from_columns(values, groups, wanted)
    check_labels(labels.target, labels.group, labels.classes, folds, group_name)
    return labels


def _from_crops(
    path: Path,
    label: str,
    group: str,
    wanted: tuple[str, ...] | None,
    diameter: str,
    recipe: Recipe,
    model: CellModel,
) -> tuple[LabelledCells, Origins]:
    """Labelled cells of an archive of crops, and their rows there."""
    from napari_interpdisc.discovery.augmented import label_ready_crops
    from napari_interpdisc.discovery.origins import Origins
    from napari_interpdisc.io.labelled_crops import read_labelled_crops

    px = crop_diameter(diameter)
    images, values, groups = read_labelled_crops(path, label, group)
    labels = _checked_labels(values, groups, wanted, recipe.folds, group)
    with progress_bar("augmented cells") as progress:
        cells = label_ready_crops(images, px, model, labels, recipe, progress)
    _tell_measured(cells, len(labels.rows))
    return cells, Origins.of_archive(str(path), _rows_of(cells, labels))


def _rows_of(cells: LabelledCells, labels: Labels) -> npt.NDArray[Any]:
    """Rows, among all cells, of the labelled ones that can be trained on."""
    return labels.rows if cells.rows is None else labels.rows[cells.rows]


def _tell_measured(cells: LabelledCells, given: int) -> None:
    """Say how properties were measured, and how many cells could not be."""
    from napari_interpdisc.discovery.augmented import left_out
    from napari_interpdisc.models.properties import WAYS

    if cells.properties:
        say(f"properties: measured {WAYS[cells.way]}")
    if sentence := left_out(cells, given):
        note(sentence)


def _from_movies(
    files: Sequence[MovieFiles],
    label: str,
    group: str | None,
    wanted: tuple[str, ...] | None,
    recipe: Recipe,
    model: CellModel,
) -> list[LabelledMovie]:
    """Open and check all movies, then cut their labelled cells."""
    from napari_interpdisc.discovery.movies import cut_movie, join_labels, labelled_rows

    opened, labels, groups, names = [], [], [], _short_names([one.image for one in files])
    for one, name in zip(files, names, strict=True):
        if len(files) > 1:
            say(f"{name}:")
        movie = one.open_usable()
        table = movie.cells
        by_track = group is None and len(files) < recipe.folds
        if by_track and not table.taken.tracked and len(movie.frames) > 1:
            raise InvalidInput(
                f"{one.tracks} has no column of tracks that is known (it has "
                f"{', '.join(table.taken.columns)}). Cells of one track would be trained on and "
                "held out: name it with --columns, such as track_id=Track, or other groups with "
                "--group-column."
            )
        of_label, of_group = table.column(label), table.column(group or TRACK)
        rows = labelled_rows(name, of_label)
        opened.append(replace(movie, cells=table.take(rows)))
        labels.append(of_label[rows])
        groups.append(of_group[rows])
    join_labels(names, labels, groups, recipe.folds, wanted, group)
    with progress_bar("cells") as progress:
        return [
            cut_movie(
                name, movie.frames, movie.cells, own, units, movie.diameter, movie.measured, model,
                progress, movie.segmentation,
            )
            for name, movie, own, units in zip(names, opened, labels, groups, strict=True)
        ]  # fmt: skip


def _short_names(images: Sequence[Path]) -> list[str]:
    """File names, or whole paths where two movies share a file name."""
    names = [image.name for image in images]
    return names if len(set(names)) == len(names) else [str(image) for image in images]


def _joined(
    movies: Sequence[LabelledMovie],
    group: str | None,
    wanted: tuple[str, ...] | None,
    recipe: Recipe,
    model: CellModel,
) -> tuple[LabelledCells, str, Origins]:
    """Labelled cells of all movies, what their groups are called, and where the cells are."""
    from napari_interpdisc.discovery.movies import join_labels, label_movies
    from napari_interpdisc.discovery.origins import Origins

    labels, what = join_labels(
        [movie.name for movie in movies],
        [movie.labels for movie in movies],
        [movie.groups for movie in movies],
        recipe.folds,
        wanted,
        group,
    )
    with progress_bar("augmented cells") as progress:
        cells = label_movies(movies, labels, model, recipe, progress)
    _tell_measured(cells, len(labels.rows))
    origins = Origins.joined([movie.origins for movie in movies])
    return cells, what, origins.take(_rows_of(cells, labels))


def _told(found: Discovery, source: str, model: CellModel) -> list[str]:
    """What was found on the latents of a model, line by line."""
    from napari_interpdisc.discovery.card import counts

    lines = [
        f"{source}: {found.cells} labelled cells ({counts(found)}) in {found.groups} groups, "
        f"{found.folds} folds"
    ]
    for kind, fitted in found.heads.items():
        low, high = fitted.quality.interval
        weights = "" if kind == "formula" else f"{fitted.head.n_weights:5d} weights  "
        lines.append(
            f"{kind:8s} {weights:15s}size {fitted.head.expression_size:5d}  held-out balanced "
            f"accuracy {fitted.quality.balanced_accuracy:.3f} [{low:.3f}, {high:.3f}]"
        )
    names = found.classes[1:] if len(found.classes) == 2 else found.classes
    for row in found.front:
        low, high = row.quality.interval
        lines.append(
            f"  {row.size:3d} nodes  {row.quality.balanced_accuracy:.3f} [{low:.3f}, {high:.3f}]  "
            + "; ".join(
                f"{name}: {formula.show(aliases=model.aliases)}"
                for name, formula in zip(names, row.head.formulas, strict=True)
            )
        )
    if found.front:
        used = {name for row in found.front for name in row.head.used_properties}
        told = found.front[0].head.properties.told(sorted(used))
        lines += [f"  {told}"] if told else []
    return lines


def _calibration_told(found: Discovery) -> list[str]:
    """How right the confidences of each kind of head are on held-out cells, line by line."""
    from napari_interpdisc.discovery.evidence import held_out_reliability

    lines = []
    for kind in found.heads:
        one = held_out_reliability(found, kind)
        lines.append(
            f"{kind:8s} calibration: Brier score {one.brier:.3f} (constant forecast "
            f"{one.constant_brier:.3f}), calibration error {one.ece:.3f} (by chance "
            f"{one.chance_ece:.3f})"
        )
    return lines
