"""The folder of a movie through time: its tables, and their figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_interpdisc.cells import SUFFIX
from napari_interpdisc.io.results import new_folder, write_table
from napari_interpdisc.through_time.alignment import Aligned
from napari_interpdisc.through_time.result import ThroughTime

if TYPE_CHECKING:
    import pandas as pd

STATE, FILLED = "state", "state_filled"
"""Columns of the state of a cell, and of whether it is filled in for want of a class."""


def with_states(table: pd.DataFrame, found: ThroughTime) -> pd.DataFrame:
    """A table of the N cells with their states beside ``class``, which stays as it is.

    A column of the table that is called so already gets another name.
    """
    renamed = {name: f"{name}{SUFFIX}" for name in (STATE, FILLED) if name in table}
    out = table.rename(columns=renamed)
    at = list(out.columns).index("class") + 1 if "class" in out else len(out.columns)
    out.insert(at, STATE, found.names())
    out.insert(at + 1, FILLED, found.observed.index < 0)
    return out


def settings_of(found: ThroughTime, aligned: Sequence[Aligned] = ()) -> dict[str, Any]:
    """What is recorded of how states were found."""
    return {
        "classes": list(found.observed.classes),
        "order": found.order.text,
        **found.settings.model_dump(),
        "frame_interval": found.interval,
        "event": aligned[0].event if aligned else None,
        "aligned": [one.column for one in aligned],
        "sentences": found.sentences(),
        "notes": list(found.observed.notes),
    }


def write_through_time(
    out: Path,
    found: ThroughTime,
    cells: pd.DataFrame,
    aligned: Sequence[Aligned] = (),
    note: Mapping[str, Any] | None = None,
) -> Path:
    """Write the tables and figures of cells through time into a new folder.

    Parameters
    ----------
    out
        The folder; it must not exist or be empty. It is whole or not there.
    found
        What was found.
    cells
        (N rows) the cells, to which their states are added.
    aligned
        What was aligned at an event.
    note
        Source and settings, which ``cells.json`` keeps.

    Raises
    ------
    InvalidInput
        If something is there already, or the disk is full or may not be written to.
    """
    from napari_interpdisc.figures import through_time as figures

    drawn = {
        "counts": figures.counts_figure(found),
        "survival": figures.survival_figure(found),
    }
    tables = {
        "phases": found.phase_table(),
        "medians": found.median_table(),
        "survival": found.survival_table(),
        "counts": found.count_table(),
        "divisions": found.division_table(),
    }
    if aligned:
        drawn["aligned"] = figures.aligned_figure(found, aligned)
        tables["aligned"] = found.aligned_table(aligned)
    about = {**(note or {}), **settings_of(found, aligned)}
    with new_folder(out) as folder:
        write_table(with_states(cells, found), about, folder / "cells.csv")
        for name, table in tables.items():
            whole = table.replace([np.inf, -np.inf], np.nan)  # an unknown bound is empty
            whole.to_csv(folder / f"{name}.csv", index=False, float_format="%.6g")
        for name, figure in drawn.items():
            for suffix in ("png", "svg"):
                figures.draw_through_time(folder / f"{name}.{suffix}", figure)
    return out
