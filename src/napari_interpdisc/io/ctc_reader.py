"""Tracks as the Cell Tracking Challenge writes them: masks whose labels are tracks, and a table."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc.cells import CellTable
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.frames import UnreadableFrame, check_size
from napari_interpdisc.guarded_files import one_sentence
from napari_interpdisc.io.columns import Asked, Movie, cells_of_frame
from napari_interpdisc.io.label_cells import damaged_frames, regions_of
from napari_interpdisc.io.tiff import open_tiff

TABLES = ("man_track.txt", "res_track.txt")
"""Names of the table: label, first and last frame, and parent of each track."""

_MASKS = re.compile(r"(man_track|mask|man_seg)[^\d]*(\d+)\.tiff?", re.I)


def ctc_folder(path: Path) -> Path | None:
    """Return the folder that has the masks, if ``path`` is part of such a data set."""
    if path.is_dir():
        for folder in (path, path / "TRA"):
            if folder.is_dir() and (_table_in(folder) is not None or _masks(folder)):
                return folder
        return None
    folder = path.parent
    if path.name in TABLES:
        return folder
    return folder if _MASKS.fullmatch(path.name) and _table_in(folder) is not None else None


def read_ctc(path: Path, asked: Asked, movie: Movie | None) -> CellTable:
    """Read the cells of masks: their centroids, labels as tracks, and parents from the table.

    Parameters
    ----------
    path
        The folder, or its ``man_track.txt`` or ``res_track.txt``; the masks lie beside it, a file
        for each frame or one stack.

    Raises
    ------
    InvalidInput
        If one mask was given for all, there are no masks, or they are no 2D masks.
    """
    if _MASKS.fullmatch(path.name) and not path.is_dir():
        raise InvalidInput(
            f"{path} is the mask of one frame; give the folder {path.parent}, or its "
            f"{_table_name(path.parent)}."
        )
    folder = ctc_folder(path)
    assert folder is not None
    listed = _lineage(path if path.is_file() else _table_in(folder))
    damaged: list[int] = []
    found = [row for t, plane in _planes(folder, damaged) for row in objects_of(plane, t)]
    if not found:
        raise InvalidInput(f"The masks in {folder} hold no cells.")
    import pandas as pd

    frame = pd.DataFrame(found, columns=["t", "y", "x", "label"]).astype({"t": int, "label": int})
    notes: list[str] = []
    if listed is not None:
        parents = {int(row[0]): int(row[3]) for row in listed}
        frame["parent"] = [parents.get(label, 0) for label in frame["label"]]
        unknown = sorted(set(frame["label"]) - parents.keys())
        if unknown:
            notes.append(f"{len(unknown)} labels that the table does not list")
    else:
        notes.append("no table of tracks, so labels are taken for tracks")
    columns = {"t": "t", "y": "y", "x": "x", "track_id": "label"}
    if listed is not None:
        columns["parent"] = "parent"
    chosen = Asked(columns=columns, first_frame=0, unit="px")
    cells = cells_of_frame(
        frame, path.name, chosen, movie, told=["masks of the Cell Tracking Challenge", *notes]
    )
    told = (*cells.taken.notes, *damaged_frames(damaged))
    return replace(cells, taken=replace(cells.taken, notes=told))


def objects_of(plane: npt.NDArray[Any], t: int) -> list[tuple[float, ...]]:
    """Frame, y, x and label of each object of a mask (Y, X)."""
    return [(t, *centroid, label) for centroid, label in regions_of(plane)]


def _table_in(folder: Path) -> Path | None:
    return next((folder / name for name in TABLES if (folder / name).is_file()), None)


def _table_name(folder: Path) -> str:
    found = _table_in(folder)
    return found.name if found is not None else TABLES[0]


def _masks(folder: Path) -> list[tuple[int, Path]]:
    """Masks of single frames, by frame."""
    found = [(part, file) for file in folder.iterdir() if (part := _MASKS.fullmatch(file.name))]
    return sorted((int(part[2]), file) for part, file in found)


def _lineage(table: Path | None) -> npt.NDArray[np.int64] | None:
    if table is None:
        return None
    try:
        rows = [line.split() for line in table.read_text("utf-8-sig").splitlines() if line.strip()]
        numbers = np.array(rows, dtype=np.int64)
    except (ValueError, OSError):
        numbers = np.zeros((0, 0), np.int64)
    if numbers.ndim != 2 or numbers.shape[1] != 4:
        raise InvalidInput(
            f"{table} is no table of the Cell Tracking Challenge: each line has four numbers, the "
            "label, the first and the last frame, and the parent."
        )
    return numbers


def _planes(folder: Path, damaged: list[int]) -> Iterator[tuple[int, npt.NDArray[Any]]]:
    """Frame number and mask of every frame that can be read; ``damaged`` gets the others.

    Raises
    ------
    InvalidInput
        If none can be read.
    """
    masks = _masks(folder)
    if not masks:
        stacks = [f for f in sorted(folder.iterdir()) if f.suffix.lower() in (".tif", ".tiff")]
        if len(stacks) != 1:
            raise InvalidInput(
                f"Beside {folder / _table_name(folder)} are no masks, one for each frame "
                f"(mask000.tif …) or one stack; {len(stacks)} TIFF files are there."
            )
        yield from enumerate(_checked(_mask(stacks[0]), stacks[0], (3,)))
        return
    for t, file in masks:
        try:
            mask = _mask(file)
        except UnreadableFrame:
            damaged.append(t)
            if len(damaged) == len(masks):
                raise
            continue
        yield t, _checked(mask, file, (2,))


def _mask(file: Path) -> npt.NDArray[Any]:
    """All pixels of a mask."""
    try:
        with one_sentence(file, "a mask"):
            data = open_tiff(file).data
            check_size(data.shape[-2:], "YX"[-len(data.shape) :], str(file))
            return np.asarray(data[...])
    except InvalidInput as fault:
        raise UnreadableFrame(str(fault)) from None


def _checked(mask: npt.NDArray[Any], path: Path, axes: Sequence[int]) -> npt.NDArray[Any]:
    if mask.ndim not in axes or mask.dtype.kind not in "biu":
        raise InvalidInput(
            f"{path} has shape {mask.shape} and type {mask.dtype}; the masks of a 2D movie are "
            "whole numbers in two axes."
        )
    return mask
