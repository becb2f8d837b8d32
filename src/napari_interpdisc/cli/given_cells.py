"""Cells that a command looks at: of an image and its table, or ready-made crops."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_interpdisc.cli.common import MovieFiles, crop_diameter, names_of, note, say
from napari_interpdisc.errors import InvalidInput

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from napari_interpdisc.models.cell_model import CellModel
    from napari_interpdisc.patches import Patches

LABEL = "label"
"""Column, or array, of labels, if the user names no other."""


@dataclass(frozen=True)
class GivenCells:
    """Cells to look at: patches, groups, and what else is known of them.

    Attributes
    ----------
    patches
        The N cells.
    groups
        (N,) unit of each that is drawn as a whole.
    note
        What is recorded of the source.
    names
        (N,) what to call them.
    masks
        (N, P, P) their segmentation, if there is one.
    labels
        (N,) class of each, if labels were read.
    cut
        (N,) whether the edge of the image may cut them, if that is known.
    selected
        Position of the cell that was named, if one was.
    """

    patches: Patches
    groups: npt.NDArray[Any]
    note: dict[str, Any]
    names: list[str]
    masks: npt.NDArray[np.int32] | None = None
    labels: npt.NDArray[Any] | None = None
    cut: npt.NDArray[np.bool_] | None = None
    selected: int | None = None


@dataclass(frozen=True)
class WantedCells:
    """Which cells are looked at.

    Attributes
    ----------
    classes
        Labels that they may have; any if there are none.
    column
        Column of the labels; ``label`` if it is None.
    most, seed
        How many are looked at at most, and the seed by which they are drawn.
    labelled
        Whether labels are read, where there are any, even if no classes are named.
    cell
        A cell to look at in any case: track and frame, or the row of a crop.
    """

    classes: tuple[str, ...]
    column: str | None
    most: int
    seed: int
    labelled: bool = False
    cell: tuple[int, ...] | None = None

    @property
    def label(self) -> str:
        """Column of the labels."""
        return self.column or LABEL

    def reads_labels(self, known: bool) -> bool:
        """Whether labels are read, of a source that has them or not."""
        return bool(self.classes) or (self.labelled and (self.column is not None or known))

    def note(self, read: bool) -> dict[str, Any]:
        """What is recorded of it; ``read`` says whether labels were."""
        column = self.label if read else None
        return {"classes": list(self.classes), "label_column": column, "most": self.most}

    def rows(
        self, n: int, labels: npt.NDArray[Any] | None, selected: int | None = None
    ) -> npt.NDArray[np.intp]:
        """Rows of the cells that are looked at, of ``n``; ``selected`` is always among them.

        Raises
        ------
        InvalidInput
            If no cell has one of the labels.
        """
        import numpy as np

        from napari_interpdisc.cells import at_most

        rows = np.arange(n)
        if self.classes and labels is not None:
            rows = np.flatnonzero(np.isin(labels.astype(str), self.classes))
            if not len(rows):
                raise InvalidInput(
                    f"No cell has a label of {', '.join(self.classes)} in '{self.label}'; it has "
                    f"{', '.join(sorted(set(labels.astype(str)))[:8])}."
                )
            absent = sorted(set(self.classes) - set(labels[rows].astype(str).tolist()))
            if absent:
                note(f"No cell has the label {' or '.join(absent)} in '{self.label}'.")
        drawn = at_most(rows, self.most, self.seed)
        return drawn if selected is None else np.union1d(drawn, [selected]).astype(np.intp)


def check_crops_alone(labels: Path | None, channel: int | None, channel_axis: str | None) -> None:
    """Refuse what says something of an image where crops are given.

    Raises
    ------
    InvalidInput
        If one of these options was given.
    """
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


def named_classes(classes: str | None, label_column: str | None) -> tuple[str, ...]:
    """Names in --classes; none if it was left out.

    Raises
    ------
    InvalidInput
        If it holds no name, or is left out although a column of labels is given.
    """
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


def check_groups(groups: npt.NDArray[Any], name: str, source: Path) -> npt.NDArray[Any]:
    """Return the groups of cells if every cell has one.

    Raises
    ------
    InvalidInput
        If one has none.
    """
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


def cells_of_crops(
    path: Path, group: str | None, wanted: WantedCells, diameter: str, model: CellModel
) -> GivenCells:
    """Cells of an archive of crops, or of one that Discover kept, which tells its own diameter.

    Raises
    ------
    InvalidInput
        If the archive cannot be read, or lacks an array that was named or a group of a cell.
    """
    import numpy as np

    from napari_interpdisc.discovery.kept_cells import is_kept
    from napari_interpdisc.io.labelled_crops import array_names, read_crops, read_labelled_crops
    from napari_interpdisc.patches import patches_of_crops

    arrays = array_names(path)
    labels = None
    if is_kept(path) and group is None and wanted.column is None:
        images, labels, groups, px = _kept(path, diameter)
        group, read = "track", True
    else:
        px = crop_diameter(diameter)
        if group is None and "plate" in arrays:
            group = "plate"
        read = wanted.reads_labels(LABEL in arrays)
        if read:
            images, labels, groups = read_labelled_crops(path, wanted.label, group or wanted.label)
        else:
            images, *grouped = read_crops(path, group)
            groups = grouped[0] if grouped else np.arange(len(images))
    selected = None if wanted.cell is None else _crop(wanted.cell, len(images), path)
    rows = wanted.rows(len(images), labels, selected)
    of_cell = check_groups(groups[rows], group, path) if group else np.arange(len(rows))
    about = {
        "crops": str(path),
        **wanted.note(read),
        "group": group or "each crop on its own",
        "diameter": px,
    }
    return GivenCells(
        patches_of_crops(images[rows], px, model.model_diameter, model.crop_size),
        of_cell,
        about,
        [f"crop {row}" for row in rows],
        labels=None if labels is None else labels[rows].astype(str),
        selected=None if selected is None else int(np.flatnonzero(rows == selected)[0]),
    )


def _kept(path: Path, diameter: str) -> tuple[Any, Any, Any, float]:
    """Images, labels and tracks that Discover kept, and the nuclear diameter in them."""
    import numpy as np

    from napari_interpdisc.discovery.kept_cells import read_kept

    movies = read_kept(path)
    px = movies[0].model_diameter
    if diameter.strip().lower() != "auto" and crop_diameter(diameter) != px:
        raise InvalidInput(
            f"The nuclei in {path} are {px:g} px, as Discover cut them; leave --diameter out."
        )
    say(f"crops: {sum(map(len, movies))} cells that Discover kept, nuclei of {px:g} px")
    return (
        np.concatenate([movie.patches.pixels for movie in movies]),
        np.concatenate([movie.labels for movie in movies]).astype(object),
        np.concatenate([[f"{movie.name}/{one}" for one in movie.groups] for movie in movies]),
        px,
    )


def cells_of_movie(
    files: MovieFiles, group: str, wanted: WantedCells, model: CellModel
) -> GivenCells:
    """Cells of an image and its table.

    Raises
    ------
    InvalidInput
        If a file cannot be read, or lacks a column that was named or a group of a cell.
    """
    import numpy as np

    from napari_interpdisc.cells import row_of
    from napari_interpdisc.patches import label_crops, patch_side, patches_of_cells
    from napari_interpdisc.pipeline import near_edge
    from napari_interpdisc.scrutiny.score_results import cell_names

    opened = files.open_usable()
    table = opened.cells
    read = wanted.reads_labels(LABEL in table.extra)
    labels = table.column(wanted.label) if read else None
    selected = None if wanted.cell is None else row_of(table, ":".join(map(str, wanted.cell)))
    rows = wanted.rows(len(table), labels, selected)
    of_cell = check_groups(table.column(group)[rows], group, files.tracks)
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
        **wanted.note(read),
        "group": group,
        "diameter": opened.diameter,
    }
    named = None if labels is None else labels[rows].astype(str)
    cut = near_edge(some, opened.frames.shape[1:], opened.diameter)
    called = cell_names(some.track_id, some.t)
    at = None if selected is None else int(np.flatnonzero(rows == selected)[0])
    return GivenCells(patches, of_cell, about, called, masks, named, cut, at)


def cell_of(text: str, crops: bool) -> tuple[int, ...]:
    """The cell that ``--cell`` names: (track, frame), or (row,) of crops.

    Raises
    ------
    InvalidInput
        If it is no such thing.
    """
    parts = text.split(":")
    whole = all(part.strip().isascii() and part.strip().isdigit() for part in parts)
    if not whole or len(parts) != (1 if crops else 2):
        how = "the row of a crop, such as 12" if crops else "a track and a frame, such as 12:3"
        raise InvalidInput(f"'{text}' names no cell: give {how}.")
    return tuple(map(int, parts))


def _crop(cell: tuple[int, ...], n: int, path: Path) -> int:
    (row,) = cell
    if row >= n:
        raise InvalidInput(f"{path} has no crop {row}; it has {n}, counted from 0.")
    return row
