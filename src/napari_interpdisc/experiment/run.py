"""A whole experiment: images of a plan to a data set, tables and provenance, in a folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_interpdisc._types import Progress
from napari_interpdisc.batch.inputs import Item, find_items, relative
from napari_interpdisc.batch.lock import FolderLock
from napari_interpdisc.batch.plan import MOST_DIFFERENCES, Plan, differences
from napari_interpdisc.batch.run_folder import (
    CELLS,
    WORK,
    ImageFolder,
    made,
    read_note,
    sweep,
    write_note,
)
from napari_interpdisc.batch.schedule import (
    Key,
    Lost,
    Scheduler,
    Task,
    decisive_versions,
    scheduler_of,
)
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.experiment.anndata import has_anndata, write_run_anndata
from napari_interpdisc.experiment.opening import asked_of
from napari_interpdisc.experiment.part_table import check_keep, keep_of, part_schema
from napari_interpdisc.experiment.parts import Outcome, classify_block, finish, prepare
from napari_interpdisc.experiment.summaries import order_of
from napari_interpdisc.experiment.tables import FAILURE_COLUMNS, write_tables
from napari_interpdisc.io.results import safe_name, settings_text, versions
from napari_interpdisc.models.inference import used_precision
from napari_interpdisc.models.store import load_model, resolve
from napari_interpdisc.writing import CannotWrite, check_no_input, check_writable

if TYPE_CHECKING:
    from napari_interpdisc.models.cell_model import CellModel

Tell = Callable[[str], None]
"""Called with a sentence."""


@dataclass
class RunResult:
    """What a run did.

    Attributes
    ----------
    images
        Images of the plan.
    finished
        Names of those in the data set.
    failures
        Why each of the others is not, by its name.
    cells
        Cells that were classified now, and not by an earlier run.
    cells_in_all
        Cells in the data set.
    seconds
        Time that it took.
    noted
        What must be known of finished images, by their names: unsure diameters, tracks that jump.
    """

    images: int
    finished: list[str] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    cells: int = 0
    cells_in_all: int = 0
    seconds: float = 0.0
    noted: dict[str, list[str]] = field(default_factory=dict)

    def sentence(self) -> str:
        """The last line: cells, time, cells per second, failures."""
        speed = f"{self.cells / self.seconds:,.0f}" if self.seconds > 0 else "?"
        earlier = self.cells_in_all - self.cells
        before = f", {earlier:,} of them by earlier runs" if earlier > 0 else ""
        return (
            f"{self.cells_in_all:,} cells of {images_text(len(self.finished))}{before}; "
            f"{self.cells:,} cells in {duration(self.seconds)} ({speed} cells/s); "
            f"{images_text(len(self.failures))} failed."
        )


def images_text(n: int) -> str:
    """A number of images in words."""
    return f"{n:,} image{'s' * (n != 1)}"


def duration(seconds: float) -> str:
    """A time in words: ``12 s``, ``3 min``, ``2 h 5 min``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def checked(plan: Plan) -> tuple[CellModel, list[Item]]:
    """Load the model of a plan, find its images, and check what can be checked before any work.

    Raises
    ------
    InvalidInput
        If the plan cannot be done.
    InvalidModel
        If the model cannot be loaded, or has no such head.
    """
    asked_of(plan)
    model = load_model(plan.model.name)
    head = model.head(plan.model.head)
    order_of(plan.tracks, head.classes)
    keep = keep_of(plan)
    check_keep(keep, part_schema(head.classes, model.n_latents, type(keep)()).names)
    items = find_items(plan.images)
    read = [plan.images.table, plan.images.plate, resolve(plan.model.name)]
    check_no_input(plan.out, [*read, *(file for item in items for file in item.files)])
    names = [safe_name(item.name).lower() for item in items]
    if len(set(names)) < len(names):
        raise InvalidInput(
            "Two images have names that differ in capital letters alone, which some disks do not "
            "tell apart; give a table with the column name."
        )
    return model, items


def run_plan(
    plan: Plan,
    scheduler: str = "threads",
    workers: int = 1,
    progress: Progress | None = None,
    tell: Tell | None = None,
) -> RunResult:
    """Do a whole experiment, or what an earlier run has left of it.

    Parameters
    ----------
    plan
        What is to be done; see :func:`napari_interpdisc.batch.plan.read_plan`.
    scheduler
        ``threads``, ``processes``, or the address of a scheduler of dask.distributed.
    workers
        Threads or processes. Each uses one thread, so that results do not depend on their number.
    progress
        Called with cells done, and all of them.
    tell
        Called with sentences on what was found.

    Raises
    ------
    InvalidInput
        Before any work, if the plan cannot be done, another run is in its folder, or the folder has
        results of another plan; and if the disk is full: all that was finished stays.
    """
    say: Tell = tell or (lambda _: None)
    began = time.monotonic()
    model, items = checked(plan)
    # what auto means is settled here, and not by each worker
    exact = used_precision(plan.model.precision, model.device)
    plan = plan.model_copy(update={"model": plan.model.model_copy(update={"precision": exact})})
    root = _new_root(plan.out)
    with FolderLock(root / WORK / "lock", str(plan.out)):
        sweep(root)
        _check_same(plan, model, root)
        _check_none_gone(items, root)
        result = RunResult(len(items))
        for item in items:
            if item.fault:
                result.failures[item.name] = f"{item.fault}."
        usable = [item for item in items if not item.fault]
        with scheduler_of(scheduler, workers, root.absolute()) as pool:
            _work(pool, usable, plan, root, result, progress, say)
        _write_all(plan, model, items, root, result)
        result.seconds = time.monotonic() - began
        return result


def _new_root(out: Path) -> Path:
    """The folder of the results, made if it is not there."""
    if out.exists() and not out.is_dir():
        raise InvalidInput(f"{out} is a file; give the name of a folder as out in the plan.")
    if out.is_dir() and any(out.iterdir()) and not (out / WORK / "lock").is_file():
        raise InvalidInput(
            f"{out} has files in it that are no results of interpdisc run; choose another out in "
            "the plan."
        )
    made(out / WORK / "images")
    check_writable(out / "run.json")
    return out


def _check_same(plan: Plan, model: CellModel, root: Path) -> None:
    """Refuse a folder whose results another plan, model or version made."""
    place = root / WORK / "plan.json"
    now = {
        "plan": plan.decisive(),
        "model_sha256": model.sha256,
        "versions": decisive_versions(versions()),
    }
    before = read_note(place)
    if before is None:
        if any((root / WORK / "images").glob("*.json")):
            raise InvalidInput(
                f"{place} is gone, so that it is not known how the results in {root} were made; "
                "choose another out in the plan."
            )
        write_note(place, now)
        return
    changed = [text.removeprefix("plan.") for text in differences(before, now)]
    if changed:
        more = len(changed) - MOST_DIFFERENCES
        listed = "; ".join(changed[:MOST_DIFFERENCES]) + (f"; and {more} more" if more > 0 else "")
        raise InvalidInput(
            f"{root} has results that were made otherwise ({listed}); choose another out in the "
            "plan, or undo the change."
        )


def _check_none_gone(items: list[Item], root: Path) -> None:
    """Refuse to leave results in the data set of images that the plan no longer finds."""
    known = {ImageFolder(root, item.name, item.well).note.name for item in items}
    gone = sorted(
        note.name for note in (root / WORK / "images").glob("*.json") if note.name not in known
    )
    if gone:
        note = read_note(root / WORK / "images" / gone[0])
        name = gone[0] if note is None else note["item"]["name"]
        raise InvalidInput(
            f"{root} has results of {images_text(len(gone))} that the plan does "
            f"not find any more (first: {name}); bring the files back, or choose another out."
        )


def _work(
    pool: Scheduler,
    items: list[Item],
    plan: Plan,
    root: Path,
    result: RunResult,
    progress: Progress | None,
    say: Tell,
) -> None:
    """Prepare all images, then classify and finish what is left of them."""
    import torch

    by_name = {item.name: item for item in items}
    threads = torch.get_num_threads()
    ready: dict[str, Outcome] = {}

    def check(key: Key, found: Outcome | Lost) -> Outcome | None:
        name = str(key[1])
        if isinstance(found, Lost):
            result.failures.setdefault(name, f"Its workers died ({found.why}).")
            return None
        if found.stop:
            raise CannotWrite(f"{found.fault} All finished parts are kept.")
        if found.fault:
            result.failures.setdefault(name, found.fault)
            return None
        return found

    def prepared(key: Key, found: Outcome | Lost) -> None:
        one = check(key, found)
        if one is not None:
            ready[one.item] = one
            if one.data["redone"]:
                say(one.data["redone"])

    try:
        # absolute: workers elsewhere have another working folder
        there = root.absolute()
        pool.run(
            {
                ("prepare", item.name): Task(partial(prepare, absolute(item), plan, there))
                for item in items
            },
            prepared,
        )
        left = [ready[name] for name in sorted(ready) if ready[name].data["state"] == "ready"]
        total = sum(n for one in left for _, n in one.data["blocks"])
        say(_what_is_left(result.images, ready, left, total))
        tasks: dict[Key, Task] = {}
        for one in left:
            item = absolute(by_name[one.item])
            keys: list[Key] = []
            for number, _ in one.data["blocks"]:
                keys.append(("block", one.item, number))
                tasks[keys[-1]] = Task(partial(classify_block, item, plan, there, number))
            tasks["finish", one.item] = Task(partial(finish, item, plan, there), tuple(keys))

        def worked(key: Key, found: Outcome | Lost) -> None:
            one = check(key, found)
            if one is not None and one.cells:
                result.cells += one.cells
                if progress is not None:
                    progress(result.cells, total)

        if progress is not None:
            progress(0, total)
        if tasks:
            pool.run(tasks, worked)
    finally:
        torch.set_num_threads(threads)


def absolute(item: Item) -> Item:
    """The same with absolute paths, which mean the same in every process."""
    return replace(
        item,
        image=item.image.absolute(),
        cells=None if item.cells is None else item.cells.absolute(),
        labels=None if item.labels is None else item.labels.absolute(),
        splits=None if item.splits is None else item.splits.absolute(),
    )


def _what_is_left(images: int, ready: dict[str, Outcome], left: list[Outcome], cells: int) -> str:
    finished = len(ready) - len(left)
    before = f"; {finished} are finished already" if finished else ""
    return f"{images_text(images)}{before}; {cells:,} cells to classify"


def _write_all(
    plan: Plan, model: CellModel, items: list[Item], root: Path, result: RunResult
) -> None:
    """Write tables and provenance of all that is finished."""
    done: dict[ImageFolder, dict[str, Any]] = {}
    failed = []
    for item in items:
        folder = ImageFolder(root, item.name, item.well)
        note = read_note(folder.note)
        if note is not None:
            done[folder] = note
            if item.name in result.failures:  # its files cannot be read now, and could before
                result.failures[item.name] += " Its results of an earlier run are kept."
            result.finished.append(item.name)
            result.cells_in_all += note["cells"]
            if said := [text for text in (note["diameter_doubt"], *note["notes"]) if text]:
                result.noted[item.name] = said
            if item.name not in result.failures:
                continue
        why = result.failures.setdefault(item.name, "It was not finished; start again.")
        failed.append([item.name, item.well, relative(item.image, root), why])
    head = model.head(plan.model.head)
    write_tables(root, done, failed, head.classes)
    notes: dict[str, str | Sequence[str]] = {
        "model": model.name,
        "model_sha256": model.sha256,
        "head": head.name,
        "classes": list(head.classes),
        "confidence": head.calibration_told,
        "rule": [formula.text for formula in getattr(head.head, "formulas", ())],
    }
    if plan.anndata or has_anndata(root):  # one that is there must not stay behind the data set
        parts = {name: part for note in done.values() for name, part in note["parts"].items()}
        settings = {"versions": versions(), "plan": plan.decisive()}
        write_run_anndata(root, parts, {**notes, "settings": settings_text(settings)})
    about = {
        "versions": versions(),
        "plan": plan.decisive(),
        "images_of_plan": _relativeimages_text(plan, root),
        **notes,
        "order": order_of(plan.tracks, head.classes)[0].text,
        "data_set": CELLS,
        "cells": result.cells_in_all,
        "images": [
            {key: value for key, value in note.items() if key not in ("parts", "summaries")}
            for note in done.values()
        ],
        "failures": [dict(zip(FAILURE_COLUMNS, one, strict=True)) for one in failed],
    }
    write_note(root / "run.json", about)


def _relativeimages_text(plan: Plan, root: Path) -> dict[str, Any]:
    """Where the plan looks for images, as seen from the folder of the results."""
    said = plan.images.model_dump(mode="json", exclude_none=True)
    for name in ("pattern", "table", "plate", "cells", "labels", "splits"):
        if name in said:
            said[name] = relative(Path(said[name]), root)
    return said
