"""Perturb all cells of a movie in bounded memory, and write what happened to each."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from napari_interpdisc._types import BoolArray, Float32Array
from napari_interpdisc.crops import iter_crops
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.results import new_folder, write_table
from napari_interpdisc.models.cell_model import (
    NO_CLASS,
    CellModel,
    class_changed,
    class_index,
    score_width,
)
from napari_interpdisc.scrutiny.attacks import AttackSettings, perturb, target_index

if TYPE_CHECKING:
    from napari_interpdisc.cells import CellTable
    from napari_interpdisc.frames import Frames

METHODS = ("fgsm", "pgd", "random")
STACKS = ("original", "reconstruction", "perturbed", "perturbation", "perturbed_reconstruction")


@dataclass(frozen=True)
class AttackCounts:
    """How many cells of a movie each method flips.

    Attributes
    ----------
    flips
        Cells whose class changes, by method; towards a class, cells that reach it.
    cells
        Cells that were attacked.
    there_already
        Cells of the class that is aimed at, which are not attacked.
    without_class
        Cells for which a formula has no value, which are not attacked.
    lost_class
        Attacked cells for which a formula has no value any more, by method: no flips.
    """

    flips: dict[str, int]
    cells: int
    there_already: int = 0
    without_class: int = 0
    lost_class: Mapping[str, int] = field(default_factory=dict)

    @property
    def shares(self) -> dict[str, float]:
        """Share of the attacked cells that each method flips."""
        return {method: count / self.cells for method, count in self.flips.items()}


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
) -> AttackCounts:
    """Perturb every cell and write ``attack.csv``, ``attack.json`` and one TIFF stack per picture.

    The stacks (N, S, S) are float32 in normalised units, row i being row i of the table. They are
    written through to disk as they are made. All three methods are run at the same ε; pictures and
    scores are those of ``settings.method``.

    Raises
    ------
    InvalidInput
        If a cell is outside the image, the head has no class of the name that is aimed at, all
        cells are of that class already, or ``out`` cannot be written; then ``out`` is not made.
    """
    import tifffile

    cells.check_inside(frames)
    named = model.head_of_latents(head, "An attack")
    n, size, width = len(cells), model.crop_size, score_width(named.classes)
    before, after = np.empty((n, width), np.float32), np.empty((n, width), np.float32)
    flips = {method: np.zeros(n, bool) for method in METHODS}
    lost = dict.fromkeys(METHODS, 0)
    target = target_index(named.classes, settings.target)
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
                flips[method][rows] = found.reached
                lost[method] += int(found.lost_class.sum())
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
        already = 0 if target is None else int((class_index(before) == target).sum())
        if already == n:
            raise InvalidInput(
                f"All {n} cells are called {settings.target} already; choose another class."
            )
        without = int((class_index(before) == NO_CLASS).sum())
        if already + without == n:
            raise InvalidInput(
                f"The formula of head '{named.name}' has no value for "
                f"{'all' if without == n else 'any other of the'} {n} cells; choose another head."
            )
        counts = AttackCounts(
            {m: int(f.sum()) for m, f in flips.items()}, n - already - without, already, without,
            {m: k for m, k in lost.items() if k},
        )  # fmt: skip
        write_table(
            cells.to_frame(attack_columns(named.classes, before, after, flips, settings.target)),
            {
                **(note or {}),
                "model": model.name,
                "model_sha256": model.sha256,
                "head": named.name,
                "classes": list(named.classes),
                "diameter": diameter,
                "attack": settings.model_dump(),
                "attacked_cells": counts.cells,
                "flipped_share": counts.shares,
                "cells_without_class": counts.without_class,
                "cells_that_lost_their_class": dict(counts.lost_class),
                "pictures": [f"{name}.tif" for name in STACKS],
            },
            folder / "attack.csv",
        )
    return counts


def _occupy(path: Path) -> None:
    """Take the file's place on the disk: writing to a mapped hole of a full disk is no OSError."""
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def attack_columns(
    classes: tuple[str, ...],
    before: Float32Array,
    after: Float32Array,
    flips: Mapping[str, BoolArray],
    target: str | None = None,
) -> pd.DataFrame:
    """One row per cell: class and score before and after, whether it flipped, and by which method.

    Parameters
    ----------
    classes
        Names of the K classes.
    before, after
        (N, 1) or (N, K) scores, of the method whose pictures are kept.
    flips
        (N,) whether the class changed, or the one aimed at was reached, by method.
    target
        The class that is aimed at, or None: its columns then say *reached* in place of *flipped*.

    The class is empty where a formula has no value.
    """
    table = pd.DataFrame()
    names = np.array([*classes, ""], dtype=object)  # −1 is no class
    for when, scores in (("before", before), ("after", after)):
        table[f"class_{when}"] = names[class_index(scores)]
        columns = [""] if scores.shape[1] == 1 else [f"_{name}" for name in classes]
        for k, suffix in enumerate(columns):
            table[f"score{suffix}_{when}"] = scores[:, k]
    table["flipped"] = class_changed(before, after)
    for method, flipped in flips.items():
        table[f"{'flipped' if target is None else 'reached'}_by_{method}"] = flipped
    return table
