"""What the Through time dock does with a session, its layers and files. No Qt here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from napari.layers import Labels, Points, Tracks

from napari_interpdisc._types import Progress
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.pipeline import Classification
from napari_interpdisc.through_time.alignment import DIVISION
from napari_interpdisc.through_time.observed import number_columns, observed_of
from napari_interpdisc.through_time.order import Order
from napari_interpdisc.through_time.result import ThroughTime, through_time
from napari_interpdisc.through_time.viterbi import PathSettings
from napari_interpdisc.widgets.canvas.layers import (
    ROW_KEY,
    label_columns,
    movie_of_layer,
    write_features,
)
from napari_interpdisc.widgets.cells.run import STATE
from napari_interpdisc.widgets.session import Session


def interval_of(session: Session) -> float | None:
    """Seconds between frames, as the session's image or its file says; None if neither does."""
    if session.image is None or session.frames is None:
        return None
    return movie_of_layer(session.image, session.frames).frame_interval


def follow(
    result: Classification,
    order: Order,
    settings: PathSettings,
    interval: float | None,
    progress: Progress | None = None,
    columns: Mapping[str, Any] | None = None,
) -> ThroughTime:
    """Find the states of the cells of a result; on a thread.

    ``columns`` can be aligned at an event, beside those of the result.

    Raises
    ------
    InvalidInput
        If the cells are on no tracks, or of one frame.
    """
    observed = observed_of(result)
    observed = replace(observed, columns={**(columns or {}), **observed.columns})
    return through_time(observed, order, settings, interval, progress)


def write_states(session: Session, found: ThroughTime) -> None:
    """Write the states as the feature ``state`` of the cells layer, beside ``class``.

    Raises
    ------
    InvalidInput
        If the layer has a feature of that name which this did not write, or other cells by now.
    """
    layer, encoding = session.cells_layer, session.encoding
    if layer is None or encoding is None:
        return
    note = dict(layer.metadata.get("interpdisc", {}))
    if STATE in layer.features and STATE not in note:
        raise InvalidInput(
            f"'{layer.name}' has a feature '{STATE}' of its own: states were not written into it."
        )
    columns = pd.DataFrame(
        {STATE: pd.Categorical(found.names(), categories=list(found.observed.classes))}
    )
    if isinstance(layer, Labels):
        cells = encoding.cells
        columns = pd.concat([label_columns(cells.track_id, cells.t), columns], axis=1)
    write_features(layer, columns)
    layer.metadata["interpdisc"] = {
        **note, STATE: {"order": found.order.text, **found.settings.model_dump()},
    }  # fmt: skip


def own_columns(session: Session) -> dict[str, Any]:
    """Features of numbers that the user brought with points or tracks, a value for each cell.

    What this program wrote is left out: it is in the result.
    """
    layer, result = session.cells_layer, session.classification
    if result is None or not isinstance(layer, Points | Tracks):
        return {}
    if len(layer.features) != len(result.index):
        return {}
    ours = {*map(str, result.results()), ROW_KEY, STATE, "track_id"}
    return {
        name: values for name, values in number_columns(layer.features).items() if name not in ours
    }


def events_of(found: ThroughTime) -> list[str]:
    """What tracks can be aligned at: classes, and divisions, that are seen at least once."""
    return [name for name in (*found.observed.classes, DIVISION) if found.events(name)]


def first_event(names: list[str]) -> str:
    """The event to show first: Metaphase, else a division, else the first; empty if none."""
    wanted = ("Metaphase", DIVISION, *names)
    return next((name for name in wanted if name in names), "")


def columns_of(found: ThroughTime) -> list[str]:
    """Columns that can be aligned, the likeliest first: scores, confidence, then all others."""
    names = list(found.observed.columns)
    first = [name for name in names if name.startswith(("score", "confidence"))]
    return [*first, *(name for name in names if name not in first)]


def row_at(session: Session, track: int, t: int) -> int | None:
    """Row of the cell of a track in a frame; None if it is missing there."""
    if session.encoding is None:
        return None
    cells = session.encoding.cells
    rows = np.flatnonzero((cells.track_id == track) & (cells.t == t))
    return int(rows[0]) if len(rows) else None


def save(session: Session, found: ThroughTime, event: str, column: str, out: Path) -> None:
    """Write all tables and figures into a new folder, as ``interpdisc through-time`` does.

    Raises
    ------
    InvalidInput
        If something is there already, or it cannot be written.
    """
    from napari_interpdisc.figures.through_time_folder import write_through_time

    result = session.classification
    assert result is not None
    aligned = [found.aligned(event, column)] if event else []
    about: dict[str, Any] = dict(result.settings)
    if session.image is not None:
        about["image"] = session.image.name
    write_through_time(out, found, result.to_frame(), aligned, about)
