"""The data set of a whole experiment as one file of AnnData, read a part at a time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from napari_interpdisc.batch.run_folder import WORK, is_as_noted, noted, read_note, write_note
from napari_interpdisc.io.anndata_parts import AnnDataParts
from napari_interpdisc.io.results import write_whole

NAME = "cells.h5ad"
"""Name of the file in the folder of the run."""

ROWS = 1 << 14
"""Cells that are in memory at once."""


def anndata_place(root: Path) -> Path:
    """The file in the folder of a run."""
    return root / NAME


def has_anndata(root: Path) -> bool:
    """Whether an earlier run wrote the file and it is still there."""
    return anndata_place(root).exists() and _note(root).exists()


def write_run_anndata(
    root: Path, parts: Mapping[str, Mapping[str, Any]], notes: Mapping[str, str | Sequence[str]]
) -> Path | None:
    """Write all cells of a run into one file, unless it is there with the same content.

    Parameters
    ----------
    root
        The folder of the run.
    parts
        Notes of the files of the data set by their names in the folder, in the order of the rows.
    notes
        What ``uns["interpdisc"]`` says.

    Returns
    -------
    The file; None if there are no cells, and then it is not there.
    """
    target = anndata_place(root)
    if not parts:
        target.unlink(missing_ok=True)
        return None
    said = json.dumps([dict(parts), dict(notes)], sort_keys=True).encode()
    of = hashlib.sha256(said).hexdigest()
    before = read_note(_note(root))
    if before is not None and before["of"] == of and is_as_noted(target, before["file"]):
        return target
    write_whole(target, partial(_write, [root / name for name in parts], notes))
    write_note(_note(root), {"of": of, "file": noted(target)})
    return target


def _note(root: Path) -> Path:
    return root / WORK / "anndata.json"


def _write(parts: Sequence[Path], notes: Mapping[str, str | Sequence[str]], path: Path) -> None:
    names = pq.read_schema(parts[0]).names
    latents = [name for name in names if name.startswith("z_") and name[2:].isdecimal()]
    others = [name for name in names if name not in latents]
    with AnnDataParts(path, latents, notes) as file:
        for part in parts:
            with pq.ParquetFile(part) as source:
                for batch in source.iter_batches(ROWS):
                    own = {name: _values(batch, name) for name in others}
                    file.add(
                        [f"{i}:{r}" for i, r in zip(own["image"], own["row"], strict=True)],
                        own,
                        np.column_stack([_values(batch, name) for name in latents]),
                        np.column_stack([own["x"], own["y"]]),
                    )


def _values(batch: pa.RecordBatch, name: str) -> Any:
    column = batch.column(name)
    if pa.types.is_string(column.type):
        return np.array(column.to_pylist(), object)
    return column.to_numpy(zero_copy_only=False)
