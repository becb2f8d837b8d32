"""The three kinds of work on an image: to prepare it, to classify a block of it, to finish it.

Each is a plain function that any process on any machine can do. Each returns what JSON can hold.
What was done before is recognised, and not done again.
"""

from __future__ import annotations

import errno
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_interpdisc.batch.inputs import Item, fingerprint
from napari_interpdisc.batch.plan import Plan
from napari_interpdisc.batch.run_folder import (
    ImageFolder,
    is_as_noted,
    noted,
    read_note,
    write_note,
)
from napari_interpdisc.cells import CellTable, Taken
from napari_interpdisc.errors import InterpdiscError, InvalidInput
from napari_interpdisc.experiment.opening import open_frames, open_item
from napari_interpdisc.experiment.part_table import (
    CORE,
    keep_of,
    part_of,
    read_block_of_cells,
    write_cells,
    write_part,
)
from napari_interpdisc.experiment.summaries import SUMMARIES, summarise, summary_rows
from napari_interpdisc.writing import CannotWrite, guarded_write, write_whole

if TYPE_CHECKING:
    from napari_interpdisc.models.cell_model import CellModel

CHANGED = "changed while it was read; start again when it is complete."


@dataclass(frozen=True)
class Outcome:
    """What came of one piece of work.

    Attributes
    ----------
    item
        Name of the image.
    cells
        Cells that were encoded for it now.
    fault
        Why it was not done, in a sentence; empty if it was.
    stop
        Whether nothing else can be done either, since the disk is full.
    data
        What else was found.
    """

    item: str
    cells: int = 0
    fault: str = ""
    stop: bool = False
    data: dict[str, Any] = field(default_factory=dict)


def _outcome(item: Item, work: Callable[[], Outcome]) -> Outcome:
    """Do the work, and tell a fault in a sentence: one image must not end the run of others."""
    try:
        return work()
    except CannotWrite as fault:
        return Outcome(item.name, fault=str(fault), stop=True)
    except InterpdiscError as fault:
        return Outcome(item.name, fault=str(fault))
    except MemoryError:
        return Outcome(item.name, fault="There is not enough memory; give fewer frames_per_block.")
    except Exception as fault:
        if isinstance(fault, OSError) and fault.errno == errno.ENOSPC:
            return Outcome(item.name, fault=f"The disk is full ({fault}); free some.", stop=True)
        said = str(fault).splitlines()[0] if str(fault) else "no more is known"
        return Outcome(item.name, fault=f"{type(fault).__name__}: {said}.")


# -- to prepare -----------------------------------------------------------------------------------


def prepare(item: Item, plan: Plan, root: Path) -> Outcome:
    """Read and check an image and its cells, unless that is done; find what is left to do.

    ``data`` has ``state``, ``finished`` or ``ready``; ``cells``; ``blocks`` that are left, as pairs
    of number and cells; and ``redone``, a sentence if the image was done before and has changed.
    """
    return _outcome(item, lambda: _prepare(item, plan, ImageFolder(root, item.name, item.well)))


def _prepare(item: Item, plan: Plan, folder: ImageFolder) -> Outcome:
    inputs = fingerprint(item.files)
    before = read_note(folder.note) or read_note(folder.prepared)
    redone = ""
    if before is not None and (
        before["inputs"] != inputs or before["item"] != item.note(folder.root)
    ):
        redone = f"{item.name} has changed since it was done; it is done again."
        guarded_write(folder.final, folder.forget)
        before = None
    if before is not None and (done := folder.finished()) is not None:
        if folder.scratch.exists():
            guarded_write(folder.scratch, lambda: shutil.rmtree(folder.scratch))
        data = {"state": "finished", "cells": done["cells"], "blocks": [], "redone": ""}
        return Outcome(item.name, data=data)
    if folder.note.exists():
        redone = f"Files of {item.name} are not as they were written; it is done again."
        guarded_write(folder.final, folder.forget)
    guarded_write(folder.final, folder.take_back)
    folder.make()
    note = read_note(folder.prepared)
    if note is None or not is_as_noted(folder.table, note["table"]):
        note = _read(item, plan, folder, inputs)
    left = [(number, n) for number, n in note["blocks"] if not _is_done(folder, number)]
    return Outcome(
        item.name,
        data={"state": "ready", "cells": note["cells"], "blocks": left, "redone": redone},
    )


def _read(
    item: Item, plan: Plan, folder: ImageFolder, inputs: list[dict[str, Any]]
) -> dict[str, Any]:
    opened = open_item(item, plan)
    cells = opened.cells
    blocks = write_cells(cells, keep_of(plan), plan.frames_per_block, folder.table)
    note = {
        "item": item.note(folder.root),
        "inputs": inputs,
        "shape": list(opened.frames.shape),
        "cells": len(cells),
        "blocks": blocks,
        "diameter": opened.diameter,
        "diameter_from": opened.measured,
        "diameter_doubt": opened.doubt,
        "frame_interval": opened.interval,
        "taken": list(opened.told),
        "timed": cells.taken.timed,
        "tracked": cells.taken.tracked,
        "graph": [
            [int(child), [int(p) for p in np.atleast_1d(np.asarray(parents))]]
            for child, parents in sorted(cells.graph.items())
        ],
        "table": noted(folder.table),
    }
    if fingerprint(item.files) != inputs:
        raise InvalidInput(f"{item.image} or its cells {CHANGED}")
    write_note(folder.prepared, note)
    return note


def _is_done(folder: ImageFolder, number: int) -> bool:
    note = read_note(folder.block(number))
    return note is not None and is_as_noted(folder.parts / _part_name(number), note["file"])


def _part_name(number: int) -> str:
    return f"part-{number:06d}.parquet"


# -- to classify a block --------------------------------------------------------------------------


def classify_block(item: Item, plan: Plan, root: Path, number: int) -> Outcome:
    """Classify the cells of one block of frames, and write them as one part."""
    folder = ImageFolder(root, item.name, item.well)
    return _outcome(item, lambda: _classify_block(item, plan, folder, number))


def _classify_block(item: Item, plan: Plan, folder: ImageFolder, number: int) -> Outcome:
    from napari_interpdisc import pipeline

    note = read_note(folder.prepared)
    if note is None:
        raise InvalidInput(f"{folder.prepared} is gone; start again.")
    cells = cells_of_block(folder, note, number)
    model = model_of(plan.model.name)
    encoding = pipeline.encode_cells(
        open_frames(item, plan),
        cells,
        model,
        note["diameter"],
        measured=note["diameter_from"],
        precision=plan.model.precision,
        any_usable=False,
    )
    result = pipeline.classify_encoding(encoding, model, plan.model.head)
    part = folder.parts / _part_name(number)
    table = part_of(result, item, keep_of(plan))
    write_whole(part, lambda path: write_part(table, path))
    warnings = [[check.name, check.advice] for check in encoding.checks if check.advice]
    unlike = pipeline.unlike_training(encoding)
    warnings += [["training data", unlike]] if unlike else []
    without = encoding.no_pixels[~encoding.usable]
    write_note(
        folder.block(number),
        {
            "file": noted(part),
            "cells": len(cells),
            "without_pixels": len(without),
            "why": str(without[0]) if len(without) else "",
            "warnings": warnings,
        },
    )
    return Outcome(item.name, len(cells))


def cells_of_block(folder: ImageFolder, note: dict[str, Any], number: int) -> CellTable:
    """Cells of one block, as they were written when the image was prepared."""
    at = [one for one, _ in note["blocks"]].index(number)
    table = read_block_of_cells(folder.table, at)
    columns = {name: values for name, values in table.items() if name not in CORE}
    return CellTable.from_arrays(
        table["t"],
        np.column_stack([table["y"], table["x"]]),
        table["track_id"],
        table["row"],
        folder.name,
        columns,
        taken=Taken(timed=note["timed"], tracked=note["tracked"]),
    )


_loading = threading.Lock()


def model_of(name: str) -> CellModel:
    """Load a model, once in each process, for one thread: results must not hang on their number."""
    import torch

    with _loading:
        if torch.get_num_threads() != 1:
            torch.set_num_threads(1)
        return _loaded(name)


@lru_cache(maxsize=1)
def _loaded(name: str) -> CellModel:
    from napari_interpdisc.models.store import load_model

    return load_model(name)


# -- to finish ------------------------------------------------------------------------------------


def finish(item: Item, plan: Plan, root: Path, *_: object) -> Outcome:
    """Summarise an image whose blocks are all done, and move its parts to the data set.

    An image of which a block is not done stays as it is. What comes after ``root`` is what must be
    done before.
    """
    folder = ImageFolder(root, item.name, item.well)
    return _outcome(item, lambda: _finish(item, plan, folder))


def _finish(item: Item, plan: Plan, folder: ImageFolder) -> Outcome:
    note = read_note(folder.prepared)
    if note is None:
        raise InvalidInput(f"{folder.prepared} is gone; start again.")
    if not all(_is_done(folder, number) for number, _ in note["blocks"]):
        return Outcome(item.name, data={"state": "incomplete"})
    blocks = [read_note(folder.block(number)) or {} for number, _ in note["blocks"]]
    if sum(block["without_pixels"] for block in blocks) == note["cells"]:
        why = next(block["why"] for block in blocks)
        raise InvalidInput(
            f"No cell of '{item.name}' can be used ({why}); choose another image or channel."
        )
    if fingerprint(item.files) != note["inputs"]:
        raise InvalidInput(f"{item.image} or its cells {CHANGED}")
    model = model_of(plan.model.name)
    classes = model.head(plan.model.head).classes
    parts = [folder.parts / _part_name(number) for number, _ in note["blocks"]]
    found = summarise(parts, item, note, classes, plan.tracks)
    for kind in SUMMARIES:
        text = summary_rows(found, kind).encode()
        write_whole(folder.summary(kind), partial(_write_bytes, text))
    folder.publish()
    done = {key: value for key, value in note.items() if key not in ("table", "graph", "blocks")}
    done |= {
        "counts": found.counts,
        "notes": [*found.notes, *_warnings(blocks)],
        "parts": {
            (folder.final / part.name).relative_to(folder.root).as_posix(): block["file"]
            for part, block in zip(parts, blocks, strict=True)
        },
        "summaries": {
            folder.summary(kind).relative_to(folder.root).as_posix(): noted(folder.summary(kind))
            for kind in SUMMARIES
        },
    }
    write_note(folder.note, done)
    guarded_write(folder.scratch, lambda: shutil.rmtree(folder.scratch))
    return Outcome(item.name, data={"state": "finished"})


def _write_bytes(text: bytes, path: Path) -> None:
    path.write_bytes(text)


def _warnings(blocks: list[dict[str, Any]]) -> list[str]:
    """What most blocks of an image warn of, in the words of the block with the most cells."""
    most = sorted(blocks, key=lambda block: -int(block["cells"]))
    names = sorted({name for block in blocks for name, _ in block["warnings"]})
    told = []
    for name in names:
        said = [text for block in most for own, text in block["warnings"] if own == name]
        if 2 * len(said) > len(blocks):
            told.append(said[0])
    return told
