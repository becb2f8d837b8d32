"""What a run would do and how long it would take, of a measured sample."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from napari_interpdisc.batch.plan import Plan
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.experiment.opening import OpenedItem, open_item
from napari_interpdisc.experiment.run import checked, duration, images_text

if TYPE_CHECKING:
    from napari_interpdisc.cells import CellTable
    from napari_interpdisc.models.cell_model import CellModel

SAMPLED = 3
"""Images that a dry run opens."""

SAMPLED_CELLS = 2000
"""Cells that a dry run classifies to measure the time."""


def forecast(plan: Plan, workers: int = 1) -> list[str]:
    """Say what a run would do and how long it would take, and write nothing.

    A few images, spread over the list, are opened, and some cells of one are classified.

    Raises
    ------
    InvalidInput
        If the plan cannot be done.
    """
    model, items = checked(plan)
    usable = [item for item in items if not item.fault]
    told = [f"{images_text(len(items))}, from {items[0].name} to {items[-1].name}"]
    told += [f"{item.name}: {item.fault}." for item in items if item.fault]
    last = len(usable) - 1
    some = sorted({round(k * last / max(SAMPLED - 1, 1)) for k in range(SAMPLED)}) if usable else []
    cells, speed, opening = [], 0.0, []
    for item in (usable[k] for k in some):
        began = time.monotonic()
        try:
            opened = open_item(item, plan)
        except InvalidInput as fault:
            told.append(f"{item.name} would fail: {fault}")
            continue
        opening.append(time.monotonic() - began)
        cells.append(len(opened.cells))
        told.append(f"{item.name}: {len(opened.cells):,} cells in {len(opened.frames)} frames")
        told += [f"  {text}" for text in opened.told]
        if speed:
            continue
        first = opened.cells.take(opened.cells.t.argsort(kind="stable")[:SAMPLED_CELLS])
        speed = _speed(opened, first, model, plan)
    if not cells:
        return [*told, "How long it would take is not known: no image could be opened."]
    n = sum(cells) / len(cells) * len(usable)
    seconds = (n / speed + sum(opening) / len(opening) * len(usable)) / workers
    told.append(
        f"about {n:,.0f} cells, {duration(seconds)} with {workers} "
        f"worker{'s' * (workers > 1)} ({speed:,.0f} cells/s measured on one, by {len(cells)} of "
        f"{len(usable)} images)"
    )
    if plan.out.exists():
        told.append(f"{plan.out} is there: what is finished in it is not done again")
    return told


def _speed(opened: OpenedItem, cells: CellTable, model: CellModel, plan: Plan) -> float:
    """Cells per second of one worker, measured on some cells."""
    import torch

    from napari_interpdisc import pipeline

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as a worker has it
    try:
        began = time.monotonic()
        pipeline.encode_cells(
            opened.frames, cells, model, opened.diameter, precision=plan.model.precision,
            any_usable=False,
        )  # fmt: skip
        return len(cells) / (time.monotonic() - began)
    finally:
        torch.set_num_threads(threads)
