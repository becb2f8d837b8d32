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
    LabelsPath,
    MovieFiles,
    SwapXY,
    crop_diameter,
    diameter_of,
    names_of,
    progress_bar,
    say,
)
from napari_interpdisc.errors import InvalidInput

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from napari_interpdisc.models.cell_model import CellModel
    from napari_interpdisc.patches import Patches
    from napari_interpdisc.scrutiny.scorecard import Scorecard


@dataclass(frozen=True)
class _Given:
    """Cells to test: patches, their segmentation if there is one, groups, and where they are."""

    patches: Patches
    labels: npt.NDArray[np.int32] | None
    groups: npt.NDArray[Any]
    note: dict[str, Any]


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
    labels: LabelsPath = None,
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
        str, typer.Option(metavar="A,B", help="Only cells with these labels; all if left out.")
    ] = "",
    label_column: Annotated[
        str, typer.Option(help="Column, or array, with the labels that --classes means.")
    ] = "label",
    most: Annotated[
        int, typer.Option(min=2, help="Cells that are tested at most, drawn at random.")
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything.")] = 0,
    diameter: Diameter = "auto",
    channel: Channel = None,
    channel_axis: ChannelAxis = None,
    swap_xy: SwapXY = False,
) -> None:
    """Change what must not matter, and count how often each head changes its mind."""
    if (crops is None) == (image is None) or (image is None) != (cells is None):
        raise InvalidInput("Give --image and --cells, or --crops in their place.")
    from napari_interpdisc.io.results import check_empty_folder

    check_empty_folder(out)
    diameter_of(diameter)
    from napari_interpdisc.models.store import load_model
    from napari_interpdisc.scrutiny.composites import segment_cells
    from napari_interpdisc.scrutiny.scorecard import ScorecardSettings, score_head

    loaded = load_model(model)
    names = [loaded.head(name).name for name in head] if head else [loaded.head().name]
    wanted = _Wanted(names_of(classes), label_column, most, seed)
    if crops is not None:
        given = _from_crops(crops, group_column, wanted, diameter, loaded)
    else:
        assert image is not None
        assert cells is not None
        files = MovieFiles(image, cells, labels, diameter, channel, channel_axis, swap_xy)
        given = _from_movie(files, group_column or "track_id", wanted, loaded)
    segmentation = segment_cells(given.patches, given.labels, loaded.model_diameter)
    settings = ScorecardSettings(seed=seed)
    found = []
    for name in names:
        with progress_bar(f"tests of {name}") as progress:
            found.append(score_head(segmentation, given.groups, loaded, name, settings, progress))
        say(*found[-1].sentences())
    plain = segmentation.cells.patches.crops(loaded.crop_size)
    note = {**given.note, "model": loaded.name, "model_sha256": loaded.sha256, "heads": names}
    _write(out, found, plain, {**note, "settings": settings.model_dump(mode="json")})
    say(str(out))


@dataclass(frozen=True)
class _Wanted:
    """Labels of the cells that are tested (all if there are none), and how many are at most."""

    classes: tuple[str, ...]
    column: str
    most: int
    seed: int

    def rows(self, n: int, labels: npt.NDArray[Any] | None) -> npt.NDArray[np.intp]:
        """Rows of the cells that are tested, of ``n``."""
        import numpy as np

        rows = np.arange(n)
        if labels is not None:
            rows = np.flatnonzero(np.isin(labels.astype(str), self.classes))
            if not len(rows):
                raise InvalidInput(
                    f"No cell has a label of {', '.join(self.classes)} in '{self.column}'; it has "
                    f"{', '.join(sorted(set(labels.astype(str)))[:8])}."
                )
        if len(rows) > self.most:
            drawn = np.random.default_rng(self.seed).choice(rows, self.most, replace=False)
            rows = np.sort(drawn)
        return rows


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
    of_cell = groups[rows] if group else np.arange(len(rows))
    patches = patches_of_crops(images[rows], px, model.model_diameter, model.crop_size)
    note = {
        "crops": str(path),
        "classes": list(wanted.classes),
        "group": group or "each crop on its own",
        "diameter": px,
    }
    return _Given(patches, None, of_cell, note)


def _from_movie(files: MovieFiles, group: str, wanted: _Wanted, model: CellModel) -> _Given:
    import numpy as np

    from napari_interpdisc.io.images import read_labels
    from napari_interpdisc.patches import label_crops, patch_side, patches_of_cells

    opened = files.open()
    table = opened.cells
    columns = {"track_id": table.track_id, "t": table.t, **table.extra}
    for name in (group, wanted.column) if wanted.classes else (group,):
        if name not in columns:
            raise InvalidInput(
                f"{files.tracks} has no column '{name}'; it has {', '.join(columns)}."
            )
    labels = np.asarray(columns[wanted.column]) if wanted.classes else None
    rows = wanted.rows(len(table), labels)
    some = table.take(rows)
    patches = patches_of_cells(
        opened.frames, some, opened.diameter, model.model_diameter, model.crop_size
    )
    cut = None
    if files.labels is not None:
        segmentation = read_labels(files.labels)
        side = patch_side(model.crop_size)
        cut = label_crops(segmentation, some, opened.diameter, model.model_diameter, side)
    note = {
        "image": str(files.image),
        "cells": str(files.tracks),
        "classes": list(wanted.classes),
        "group": group,
        "diameter": opened.diameter,
    }
    return _Given(patches, cut, np.asarray(columns[group])[rows], note)


def _write(out: Path, found: list[Scorecard], crops: Any, note: dict[str, Any]) -> None:
    """Write the table, what was found in sentences, and the pictures."""
    import pandas as pd

    from napari_interpdisc.figures.scorecard import draw_scorecard, draw_worst
    from napari_interpdisc.io.results import new_folder, write_table
    from napari_interpdisc.scrutiny.scorecard import markdown

    with new_folder(out) as folder:
        table = pd.concat([card.to_frame() for card in found], ignore_index=True)
        told = {card.head: card.sentences() for card in found}
        write_table(table, {**note, "sentences": told}, folder / "scorecard.csv")
        (folder / "scorecard.md").write_text(markdown(found), "utf-8")
        draw_scorecard(folder / "scorecard.png", found)
        for card in found:
            draw_worst(folder / f"worst-{card.head}.png", card, crops)
