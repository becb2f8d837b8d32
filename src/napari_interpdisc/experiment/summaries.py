"""What is told of an image as a whole: its tracks with their states, its phases, its counts."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from napari_interpdisc._types import Float32Array
from napari_interpdisc.batch.inputs import Item
from napari_interpdisc.batch.plan import Tracks
from napari_interpdisc.cells import CellTable, Taken
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.cell_model import class_probabilities
from napari_interpdisc.through_time.observed import observe, with_steps_checked
from napari_interpdisc.through_time.order import CYCLE, Order, default_order, order_of_text
from napari_interpdisc.through_time.phases import Phase, phases_of
from napari_interpdisc.through_time.result import ThroughTime, through_time
from napari_interpdisc.through_time.viterbi import PathSettings, TrackStates

SUMMARIES = ("tracks", "phases")
"""Tables that have rows of every image."""

PHASE_COLUMNS = (
    "track_id", "state", "first_frame", "last_frame", "frames", "frames_low", "frames_high",
    "start_seen", "end_seen", "counted", "continues_in_daughters", "begins_in", "frames_seen",
    "frames_filled", "minutes",
)  # fmt: skip


@dataclass(frozen=True)
class ImageSummary:
    """What was found of one image.

    Attributes
    ----------
    counts
        Cells, tracks, cells of each class, and flagged ones.
    tracks, phases
        Rows of the tables, below the columns of :func:`columns_of`; none if cells are not tracked.
    notes
        What must be known of them, a sentence each.
    """

    counts: dict[str, Any]
    tracks: list[list[Any]]
    phases: list[list[Any]]
    notes: tuple[str, ...]


def columns_of(kind: str, classes: Sequence[str]) -> list[str]:
    """Columns of the table ``tracks`` or ``phases``."""
    if kind == "phases":
        return ["image", "well", *PHASE_COLUMNS]
    return [
        "image", "well", "track_id", "parent", "first_frame", "last_frame", "cells", "states",
        "changes", *(f"share_{name}" for name in classes),
        "mitoses", "mitoses_whole", "mitosis_frames", "mitosis_minutes",
    ]  # fmt: skip


def order_of(settings: Tracks, classes: Sequence[str]) -> tuple[Order, str]:
    """Order of states that a plan means, and a sentence on what was taken; empty if it was given.

    Raises
    ------
    InvalidInput
        If the order names another class, or leaves one out.
    """
    if settings.order is not None:
        return order_of_text(settings.order, classes), ""
    return default_order(classes, not settings.strict)


def mitotic(classes: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Which classes (K,) are phases of mitosis; none where there is no Interphase to tell from."""
    some = [name in CYCLE and name != "Interphase" for name in classes]
    return np.array(some) & ("Interphase" in classes)


def summarise(
    parts: Sequence[Path],
    item: Item,
    note: dict[str, Any],
    classes: Sequence[str],
    settings: Tracks,
) -> ImageSummary:
    """Summarise an image from its parts.

    Parameters
    ----------
    parts
        Their files, in the order of frames.
    item, note
        The image, and what was read of it.
    classes
        Names of the classes.
    settings
        How states are found.
    """
    counts, cells, scores = _read(parts, item, note, classes)
    order = order_of(settings, classes)[0]
    try:
        observed = observe(cells, class_probabilities(scores), order.classes)
        observed = with_steps_checked(observed, cells, note["diameter"])
    except InvalidInput as why:
        if note["shape"][0] == 1:
            return ImageSummary(counts, [], [], ())  # a still has no tracks to tell of
        return ImageSummary(counts, [], [], (f"No states along tracks: {why}",))
    path = PathSettings(change_cost=settings.change_cost)
    found = through_time(observed, order, path, note["frame_interval"])
    counts["tracks"] = len(found.tracks)
    start = [item.name, item.well]
    phases = found.phase_table()
    if "minutes" not in phases and len(phases):
        phases["minutes"] = np.nan
    rows = phases[list(PHASE_COLUMNS)].itertuples(index=False) if len(phases) else ()
    return ImageSummary(
        counts,
        [start + row for row in _track_rows(found)],
        [start + list(row) for row in rows],
        observed.notes,
    )


def _read(
    parts: Sequence[Path], item: Item, note: dict[str, Any], classes: Sequence[str]
) -> tuple[dict[str, Any], CellTable, Float32Array]:
    """Counts, cells, and scores (N, 1 or K), of what all parts hold together.

    One part at a time, and of each cell no more than its track needs: frames, places and scores.
    """
    names = ["score"] if len(classes) == 2 else [f"score_{name}" for name in classes]
    flags = ("unfamiliar", "touches_edge")
    counted = [f"n_{name}" for name in classes] + ["n_without_class"] + [f"n_{f}" for f in flags]
    counts: dict[str, Any] = {"cells": 0, "tracks": 0, **dict.fromkeys(counted, 0)}
    n = sum(pq.read_metadata(part).num_rows for part in parts)
    t, track_id = np.empty(n, np.int64), np.empty(n, np.int64)
    yx, scores = np.empty((n, 2)), np.empty((n, len(names)), np.float32)
    for part in parts:
        table = pq.read_table(part, columns=["t", "y", "x", "track_id", "class", *flags, *names])
        rows = slice(counts["cells"], counts["cells"] + len(table))
        t[rows], track_id[rows] = table["t"].to_numpy(), table["track_id"].to_numpy()
        yx[rows, 0], yx[rows, 1] = table["y"].to_numpy(), table["x"].to_numpy()
        for k, name in enumerate(names):
            scores[rows, k] = table[name].to_numpy()
        counts["cells"] += len(table)
        counts["n_without_class"] += table["class"].null_count
        found = Counter(table["class"].to_pylist())
        for name in classes:
            counts[f"n_{name}"] += found[name]
        for flag in flags:
            counts[f"n_{flag}"] += int(table[flag].to_numpy().sum())
    cells = CellTable(
        t, yx, track_id, np.arange(n), item.name,
        graph={child: tuple(parents) for child, parents in note["graph"]},
        taken=Taken(timed=note["timed"], tracked=note["tracked"]),
    )  # fmt: skip
    return counts, cells, scores


def _track_rows(found: ThroughTime) -> list[list[Any]]:
    """One row per track, by its id."""
    names, observed = found.observed.classes, found.observed
    is_mitotic = mitotic(names)
    n_cells = dict(zip(*np.unique(observed.track_id, return_counts=True), strict=True))
    mitoses = _mitoses(found, is_mitotic)
    rows = []
    for track in found.tracks:
        runs = [(int(state), len(list(same))) for state, same in groupby(track.states)]
        seen = np.bincount(track.states[track.seen], minlength=len(names))
        share = seen / max(int(seen.sum()), 1) if seen.any() else np.full(len(names), np.nan)
        own = mitoses.get(track.track, [])
        whole = [phase.frames for phase in own if phase.start_seen and phase.end_seen]
        frames = float(np.mean(whole)) if whole else np.nan
        rows.append(
            [
                track.track,
                observed.parent.get(track.track, ""),
                track.start,
                track.stop - 1,
                int(n_cells[track.track]),
                " > ".join(f"{names[state]} {n}" for state, n in runs),
                len(runs) - 1,
                *(float(value) for value in share),
                len(own) if is_mitotic.any() else "",
                len(whole) if is_mitotic.any() else "",
                frames,
                np.nan if found.minutes is None else frames * found.minutes,
            ]
        )
    return rows


def _mitoses(found: ThroughTime, is_mitotic: npt.NDArray[np.bool_]) -> dict[int, list[Phase]]:
    """Stays in any phase of mitosis, by track; one that goes on in daughters is theirs."""
    two = is_mitotic.astype(np.int64)
    tracks = [
        TrackStates(one.track, one.start, two[one.states], one.seen, two[one.before])
        for one in found.tracks
    ]
    own: dict[int, list[Phase]] = {}
    for phase in phases_of(found.observed, tracks) if is_mitotic.any() else ():
        if phase.state == 1 and not phase.continues:
            own.setdefault(phase.track, []).append(phase)
    return own


def summary_rows(summary: ImageSummary, kind: str) -> str:
    """Rows of a table as text of CSV, without a header."""
    return csv_text(getattr(summary, kind))


def csv_text(rows: Sequence[Sequence[Any]]) -> str:
    """Rows as text of CSV, with the same bytes on every system; NaN is empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows([[_plain(value) for value in row] for row in rows])
    return out.getvalue()


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return "" if np.isnan(value) else repr(round(value, 6))
    return value
