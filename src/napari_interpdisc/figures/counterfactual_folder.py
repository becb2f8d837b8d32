"""The folder of a counterfactual path: its strip, and a table of its steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from napari_interpdisc._types import Float32Array
from napari_interpdisc.io.results import new_folder, write_table
from napari_interpdisc.models.cell_model import CellModel, class_index
from napari_interpdisc.scrutiny.counterfactual import CounterfactualPath

if TYPE_CHECKING:
    from napari_interpdisc.cells import CellTable


@dataclass(frozen=True)
class ShownPath:
    """A path of S steps with its pictures.

    Attributes
    ----------
    path
        The path.
    model
        The model it was found with.
    cells
        The cells of the movie; the path counts its nearest real cells among them.
    row
        The cell that moves.
    pictures
        (S, P, P) decoded pictures of the steps, in the units of the cell's crop.
    real
        (S, P, P) crops of the nearest real cells.
    """

    path: CounterfactualPath
    model: CellModel
    cells: CellTable
    row: int
    pictures: Float32Array
    real: Float32Array


def path_table(found: CounterfactualPath, model: CellModel, cells: CellTable) -> pd.DataFrame:
    """One row per step: class, scores, margin, its nearest real cell, and all latents."""
    table = pd.DataFrame({"step": range(len(found.scores))})
    table["class"] = np.array([*found.classes, ""], object)[class_index(found.scores)]
    suffixes = [""] if found.scores.shape[1] == 1 else [f"_{name}" for name in found.classes]
    for k, suffix in enumerate(suffixes):
        table[f"score{suffix}"] = found.scores[:, k]
    table["margin"] = found.margins
    table["among_real_cells"] = found.real
    table["nearest_track_id"] = cells.track_id[found.nearest]
    table["nearest_t"] = cells.t[found.nearest]
    table["nearest_distance"] = found.distances
    for i in range(model.n_latents):
        table[f"z_{i}"] = found.latents[:, i]
    return table


def write_path(out: Path, shown: ShownPath, note: Mapping[str, Any]) -> Path:
    """Write ``path.png``, ``path.csv`` and ``path.json`` into a new folder.

    Parameters
    ----------
    out
        The folder; it must not exist or be empty. It is whole or not there.
    shown
        The path and its pictures.
    note
        Source and settings, which ``path.json`` keeps beside what was found.

    Raises
    ------
    InvalidInput
        If something is there already, or the disk is full or may not be written to.
    """
    # matplotlib, which only this needs
    from napari_interpdisc.figures.counterfactual import draw_path

    found, model, cells = shown.path, shown.model, shown.cells
    sentences = found.sentences(model)
    about = {
        **note,
        "model": model.name,
        "model_sha256": model.sha256,
        "head": found.head,
        "classes": list(found.classes),
        "cell": {"track_id": _plain(cells.track_id[shown.row]), "t": int(cells.t[shown.row])},
        "to": found.classes[found.target],
        "reached": found.reached,
        "length": found.length,
        "monotone": found.monotone,
        "sentences": list(sentences),
    }
    names = [f"track {cells.track_id[i]}, frame {cells.t[i]}" for i in found.nearest]
    with new_folder(out) as folder:
        write_table(path_table(found, model, cells), about, folder / "path.csv")
        draw_path(folder / "path.png", found, shown.pictures, shown.real, names, model)
    return out


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
