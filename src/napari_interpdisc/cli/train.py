"""``interpdisc train``: heads from labelled cells."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from napari_interpdisc.cli.common import (
    Channel,
    ChannelAxis,
    Diameter,
    Engine,
    LabelsPath,
    Model,
    MovieFiles,
    RecipeFile,
    SwapXY,
    check_engine,
    crop_diameter,
    diameter_of,
    names_of,
    progress_bar,
    say,
)
from napari_interpdisc.cli.reading import PLAIN, Reading, reads_images
from napari_interpdisc.errors import InvalidInput

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_interpdisc.discovery.labelled import LabelledCells, Labels
    from napari_interpdisc.discovery.recipe import Recipe
    from napari_interpdisc.discovery.results import Discovery
    from napari_interpdisc.models.cell_model import CellModel


@reads_images
def train(
    out: Annotated[Path, typer.Option(help="Model folder to write; it must not exist.")],
    image: Annotated[
        Path | None, typer.Option(help="Image or movie of the labelled cells.")
    ] = None,
    cells: Annotated[
        Path | None, typer.Option(help="Table of cells (t, y, x, track_id) with a label column.")
    ] = None,
    label_column: Annotated[
        str, typer.Option(help="Column, or array of the archive, with the classes.")
    ] = "label",
    group_column: Annotated[
        str | None,
        typer.Option(
            help="Column, or array, of groups that are never split between training and test; "
            "track_id, or plate for --crops, if left out."
        ),
    ] = None,
    crops: Annotated[
        Path | None,
        typer.Option(
            help="Archive (.npz) of images, label and group, in place of image and cells."
        ),
    ] = None,
    kind: Annotated[
        Literal["all", "dense", "sparse", "formula"], typer.Option(help="Kind of head.")
    ] = "all",
    classes: Annotated[
        str,
        typer.Option(metavar="A,B", help="Classes to distinguish, in this order; all if left out."),
    ] = "",
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
    recipe: RecipeFile = None,
    name: Annotated[str, typer.Option(help="Name of the model; the folder's if left out.")] = "",
    labels: LabelsPath = None,
    diameter: Diameter = "auto",
    channel: Channel = None,
    channel_axis: ChannelAxis = None,
    swap_xy: SwapXY = False,
    model: Model = "h2b",
    reading: Reading = PLAIN,
) -> None:
    """Train heads on labelled cells: a model folder that classify and the viewer accept."""
    if (crops is None) == (image is None) or (image is None) != (cells is None):
        raise InvalidInput("Give --image and --cells, or --crops in their place.")
    if out.exists():
        raise InvalidInput(f"{out} already exists; choose another folder, nothing was written.")
    diameter_of(diameter)
    from napari_interpdisc.discovery.card import discovered_model
    from napari_interpdisc.discovery.cross_validation import discover
    from napari_interpdisc.models.store import load_model, save_model

    asked = _recipe(recipe, kind, folds, seed, engine, study is not None)
    if "formula" in asked.kinds:
        check_engine(asked.search.engine)
    loaded = load_model(model)
    wanted = names_of(classes) or None
    if crops is not None:
        group = group_column or "plate"
        labelled = _from_crops(crops, label_column, group, wanted, diameter, asked, loaded)
    else:
        assert image is not None
        assert cells is not None
        group = group_column or "track_id"
        files = MovieFiles(image, cells, labels, diameter, channel, channel_axis, swap_xy, reading)
        labelled = _from_movie(files, label_column, group, wanted, asked, loaded)
    with progress_bar("training") as progress:
        found = discover(labelled, asked, progress, loaded.encoder_sha256, group, study)
    save_model(discovered_model(loaded, found, name or out.name), out)
    say(*_told(found, str(crops or cells), loaded), str(out))


def _recipe(
    file: Path | None,
    kind: str,
    folds: int | None,
    seed: int,
    engine: Literal["pysr", "operon"] | None,
    tune: bool,
) -> Recipe:
    """The recipe of a file, or the default one, with what the command line says."""
    from napari_interpdisc.discovery.recipe import Recipe
    from napari_interpdisc.discovery.results import KINDS
    from napari_interpdisc.io.settings import read_settings
    from napari_interpdisc.training.tuning import SparsityTuning

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
    return asked.model_copy(update=changes)


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
) -> LabelledCells:
    from napari_interpdisc.discovery.augmented import label_ready_crops
    from napari_interpdisc.io.labelled_crops import read_labelled_crops

    px = crop_diameter(diameter)
    images, values, groups = read_labelled_crops(path, label, group)
    labels = _checked_labels(values, groups, wanted, recipe.folds, group)
    with progress_bar("augmentations") as progress:
        return label_ready_crops(images, px, model, labels, recipe, progress)


def _from_movie(
    files: MovieFiles,
    label: str,
    group: str,
    wanted: tuple[str, ...] | None,
    recipe: Recipe,
    model: CellModel,
) -> LabelledCells:
    import numpy as np

    from napari_interpdisc.discovery.augmented import label_cells

    opened = files.open_usable()
    table = opened.cells
    columns = {"track_id": table.track_id, "t": table.t, **table.extra}
    for name in (label, group):
        if name not in columns:
            raise InvalidInput(
                f"{files.tracks} has no column '{name}'; it has {', '.join(columns)}."
            )
    labels = _checked_labels(
        np.asarray(columns[label]), np.asarray(columns[group]), wanted, recipe.folds, group
    )
    with progress_bar("augmentations") as progress:
        return label_cells(opened.frames, table, opened.diameter, model, labels, recipe, progress)


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
    return lines
