"""``interpdisc scorecard``: test a model's heads against the domain constraints."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_interpdisc.cli.common import (
    Channel,
    ChannelAxis,
    Diameter,
    MovieFiles,
    crop_diameter,
    diameter_of,
    names_of,
    note,
    progress_bar,
    say,
)
from napari_interpdisc.cli.reading import PLAIN, Reading, reads_images
from napari_interpdisc.cli.table_options import AS_IT_TELLS, TableOptions, reads_tables
from napari_interpdisc.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from napari_interpdisc.discovery.controls import Control, CrossFitted
    from napari_interpdisc.models.cell_model import CellModel
    from napari_interpdisc.patches import Patches
    from napari_interpdisc.scrutiny.segmented import Segmentation

# those of ScorecardSettings, which imports torch: too slow for a help text
LARGEST_SEED, MOST_SIMULATED = 2**32 - 1, 10_000


@dataclass(frozen=True)
class _Given:
    """Cells to test: patches, groups, and what else is known of them.

    Attributes
    ----------
    masks
        (N, P, P) their segmentation, if there is one.
    labels
        (N,) class of each, if classes were named.
    cut
        (N,) whether the edge of the image may cut them, if that is known.
    names
        (N,) what to call them.
    """

    patches: Patches
    groups: npt.NDArray[Any]
    note: dict[str, Any]
    names: list[str]
    masks: npt.NDArray[np.int32] | None = None
    labels: npt.NDArray[Any] | None = None
    cut: npt.NDArray[np.bool_] | None = None


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
        _check_crops_alone(labels, channel, channel_axis)
    named = _named(classes, label_column)
    from napari_interpdisc.io.results import check_empty_folder

    check_empty_folder(out)
    diameter_of(diameter)
    choices = table_options.asked(group_column, label_column)
    kinds = _controls(control or [], named)
    from napari_interpdisc.models.store import load_model
    from napari_interpdisc.scrutiny.scorecard import ScorecardSettings, score_heads

    loaded = load_model(model)
    asked: Sequence[str | None] = head or (None,)
    names = list(dict.fromkeys(loaded.head(name).name for name in asked))
    _check_names_differ(names, kinds)
    wanted = _Wanted(named, label_column or "label", most, seed)
    if crops is not None:
        given = _from_crops(crops, group_column, wanted, diameter, loaded)
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
        given = _from_movie(files, group_column or "track_id", wanted, loaded)
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
    write_scorecard(out, found, plain, {**given.note, **about}, names=called)
    say(str(out))


def _checked(given: _Given, model: CellModel) -> list[dict[str, Any]]:
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


def _check_crops_alone(labels: Path | None, channel: int | None, channel_axis: str | None) -> None:
    """Refuse what says something of an image where crops are given."""
    given = {
        "--labels": labels is not None,
        "--channel": channel is not None,
        "--channel-axis": channel_axis is not None,
    }
    wrong = [option for option, is_given in given.items() if is_given]
    if wrong:
        verb, them = ("describes", "it") if len(wrong) == 1 else ("describe", "them")
        raise InvalidInput(
            f"{' and '.join(wrong)} {verb} an image; leave {them} out with --crops, or give "
            "--image and --cells."
        )


def _named(classes: str | None, label_column: str | None) -> tuple[str, ...]:
    """Names in --classes; none if it was left out."""
    if classes is None:
        if label_column is not None:
            raise InvalidInput(
                "--label-column tells where the labels of --classes are; give --classes too, or "
                "leave it out."
            )
        return ()
    named = tuple(dict.fromkeys(names_of(classes)))
    if not named:
        raise InvalidInput(
            "--classes holds no name; give labels such as Interphase,Metaphase, or leave it out."
        )
    return named


def _check_names_differ(heads: Sequence[str], controls: Sequence[str]) -> None:
    both = [name for name in controls if name in heads]
    if both:
        raise InvalidInput(
            f"The model has a head '{both[0]}', as the control is called; leave out either "
            f"--head {both[0]} or --control {both[0]}."
        )


def _check_groups(groups: npt.NDArray[Any], name: str, source: Path) -> npt.NDArray[Any]:
    """Return the groups of cells if every cell has one."""
    import pandas as pd

    values = pd.Series(groups)
    absent = values.isna()
    if not pd.api.types.is_numeric_dtype(values):
        absent |= values.astype(str).str.strip() == ""
    n = int(absent.sum())
    if n:
        raise InvalidInput(
            f"{n} cell{' has' if n == 1 else 's have'} no {name} in {source}; give each one, or "
            "choose another --group-column."
        )
    return groups


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


def _segmented(given: _Given, model: CellModel) -> Segmentation:
    """Find the nuclei; without any, what needs no mask is still tested."""
    from napari_interpdisc.scrutiny.segmented import segment_cells, without_masks

    try:
        return segment_cells(given.patches, given.masks, model.model_diameter, given.cut)
    except InvalidInput as fault:
        note(str(fault))
        return without_masks(given.patches)


def _fitted(
    kind: Control,
    given: _Given,
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


@dataclass(frozen=True)
class _Wanted:
    """Labels of the cells that are tested (all if there are none), and how many are at most."""

    classes: tuple[str, ...]
    column: str
    most: int
    seed: int

    def note(self) -> dict[str, Any]:
        """What is recorded of it."""
        column = self.column if self.classes else None
        return {"classes": list(self.classes), "label_column": column, "most": self.most}

    def rows(self, n: int, labels: npt.NDArray[Any] | None) -> npt.NDArray[np.intp]:
        """Rows of the cells that are tested, of ``n``."""
        import numpy as np

        from napari_interpdisc.cells import at_most

        rows = np.arange(n)
        if labels is not None:
            rows = np.flatnonzero(np.isin(labels.astype(str), self.classes))
            if not len(rows):
                raise InvalidInput(
                    f"No cell has a label of {', '.join(self.classes)} in '{self.column}'; it has "
                    f"{', '.join(sorted(set(labels.astype(str)))[:8])}."
                )
            absent = sorted(set(self.classes) - set(labels[rows].astype(str).tolist()))
            if absent:
                note(f"No cell has the label {' or '.join(absent)} in '{self.column}'.")
        return at_most(rows, self.most, self.seed)


def _from_crops(
    path: Path, group: str | None, wanted: _Wanted, diameter: str, model: CellModel
) -> _Given:
    import numpy as np

    from napari_interpdisc.io.labelled_crops import array_names, read_crops, read_labelled_crops
    from napari_interpdisc.patches import patches_of_crops

    px = crop_diameter(diameter)
    if group is None and "plate" in array_names(path):
        group = "plate"
    labels = None
    if wanted.classes:
        own = group or wanted.column
        images, labels, groups = read_labelled_crops(path, wanted.column, own)
    else:
        images, *read = read_crops(path, group)
        groups = read[0] if read else np.arange(len(images))
    rows = wanted.rows(len(images), labels)
    of_cell = _check_groups(groups[rows], group, path) if group else np.arange(len(rows))
    patches = patches_of_crops(images[rows], px, model.model_diameter, model.crop_size)
    about = {
        "crops": str(path),
        **wanted.note(),
        "group": group or "each crop on its own",
        "diameter": px,
    }
    return _Given(
        patches,
        of_cell,
        about,
        [f"crop {row}" for row in rows],
        labels=None if labels is None else labels[rows].astype(str),
    )


def _from_movie(files: MovieFiles, group: str, wanted: _Wanted, model: CellModel) -> _Given:

    from napari_interpdisc.patches import label_crops, patch_side, patches_of_cells
    from napari_interpdisc.pipeline import near_edge
    from napari_interpdisc.scrutiny.score_results import cell_names

    opened = files.open_usable()
    table = opened.cells
    labels = table.column(wanted.column) if wanted.classes else None
    rows = wanted.rows(len(table), labels)
    of_cell = _check_groups(table.column(group)[rows], group, files.tracks)
    some = table.take(rows)
    patches = patches_of_cells(
        opened.frames, some, opened.diameter, model.model_diameter, model.crop_size
    )
    masks = None
    if opened.segmentation is not None:
        side = patch_side(model.crop_size)
        masks = label_crops(opened.segmentation, some, opened.diameter, model.model_diameter, side)
    about = {
        "image": str(files.image),
        "cells": str(files.tracks),
        "labels": None if files.labels is None else str(files.labels),
        **wanted.note(),
        "group": group,
        "diameter": opened.diameter,
    }
    named = None if labels is None else labels[rows].astype(str)
    cut = near_edge(some, opened.frames.shape[1:], opened.diameter)
    called = cell_names(some.track_id, some.t)
    return _Given(patches, of_cell, about, called, masks, named, cut)
