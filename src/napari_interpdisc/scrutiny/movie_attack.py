"""Perturb all cells of a movie in bounded memory, and write what happened to each."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from napari_interpdisc.crops import iter_crops
from napari_interpdisc.io.results import new_folder, write_table
from napari_interpdisc.models.cell_model import CellModel, class_index, score_width
from napari_interpdisc.scrutiny.attacks import AttackSettings, perturb

if TYPE_CHECKING:
    from napari_interpdisc.cells import CellTable
    from napari_interpdisc.frames import Frames

METHODS = ("fgsm", "pgd", "random")
STACKS = ("original", "reconstruction", "perturbed", "perturbation", "perturbed_reconstruction")


def attack_movie(
    frames: Frames,
    cells: CellTable,
    model: CellModel,
    diameter: float,
    settings: AttackSettings,
    out: Path,
    head: str | None = None,
    note: Mapping[str, Any] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, float]:
    """Perturb every cell and write ``attack.csv``, ``attack.json`` and one TIFF stack per picture.

    The stacks (N, S, S) are float32 in normalised units, row i being row i of the table. They are
    written through to disk as they are made. All three methods are run at the same ε; pictures and
    scores are those of ``settings.method``.

    Returns
    -------
    Share of cells whose class flips, by method.

    Raises
    ------
    InvalidInput
        If a cell is outside the image, or ``out`` cannot be written; then ``out`` is not made.
    """
    import tifffile

    cells.check_inside(frames)
    named = model.head(head)
    n, size, width = len(cells), model.crop_size, score_width(named.classes)
    before, after = np.empty((n, width), np.float32), np.empty((n, width), np.float32)
    flips = dict.fromkeys(METHODS, 0)
    done = 0
    with new_folder(out) as folder:
        stacks = {}
        for name in STACKS:
            path = folder / f"{name}.tif"
            shape = (n, size, size)
            stacks[name] = tifffile.memmap(
                path, shape=shape, dtype=np.float32, photometric="minisblack"
            )
            _occupy(path)
        for rows, crops in iter_crops(frames, cells, diameter, model.model_diameter, size, 256):
            for method in METHODS:
                # random signs that differ from batch to batch
                asked = settings.model_copy(update={"method": method, "seed": settings.seed + done})
                found = perturb(model, crops, asked, named.name)
                flips[method] += int(found.flipped.sum())
                if method != settings.method:
                    continue
                before[rows], after[rows] = found.scores, found.perturbed_scores
                for name, stack in stacks.items():
                    stack[rows] = getattr(found, name)[:, 0]
            done += len(rows)
            if progress is not None:
                progress(done, n)
        for stack in stacks.values():
            stack.flush()
        stacks.clear()
        shares = {method: flips[method] / n for method in METHODS}
        write_table(
            _table(cells, named.classes, before, after),
            {
                **(note or {}),
                "model": model.name,
                "model_sha256": model.sha256,
                "head": named.name,
                "classes": list(named.classes),
                "diameter": diameter,
                "attack": settings.model_dump(),
                "flipped_share": shares,
                "pictures": [f"{name}.tif" for name in STACKS],
            },
            folder / "attack.csv",
        )
    return shares


def _occupy(path: Path) -> None:
    """Take the file's place on the disk: writing to a mapped hole of a full disk is no OSError."""
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def _table(cells: CellTable, classes: tuple[str, ...], before: Any, after: Any) -> pd.DataFrame:
    """One row per cell: where it is, class and score before and after, and whether it flipped."""
    table = pd.DataFrame()
    names = np.array(classes, dtype=object)
    for when, scores in (("before", before), ("after", after)):
        table[f"class_{when}"] = names[class_index(scores)]
        columns = [""] if scores.shape[1] == 1 else [f"_{name}" for name in classes]
        for k, suffix in enumerate(columns):
            table[f"score{suffix}_{when}"] = scores[:, k]
    table["flipped"] = class_index(before) != class_index(after)
    return cells.to_frame(table)
