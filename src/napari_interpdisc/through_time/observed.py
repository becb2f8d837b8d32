"""What was seen of cells in each frame: the probabilities of their classes, track by track."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import Float64Array
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.cell_model import class_probabilities
from napari_interpdisc.number_text import percent

if TYPE_CHECKING:
    from napari_interpdisc.cells import CellTable
    from napari_interpdisc.pipeline import Classification

JUMP = 2.0
"""Nuclear diameters from which a step from one frame to the next is a jump."""

FEW_JUMPS, MOST_JUMPS = 0.02, 0.3
"""Shares of jumps from which a note is made, and from which numbers are taken for no tracks."""

NO_MEASURES = ("diameter", "parent_id")
"""Columns of numbers that tell nothing of a cell in a frame."""


@dataclass(frozen=True)
class Observed:
    """N cells on tracks, and the probabilities of their K classes.

    Attributes
    ----------
    t, track_id
        (N,) frame and track of each.
    probabilities
        (N, K), summing to 1; NaN in the row of a cell without a class.
    classes
        K names.
    parent
        Track that each track descends from, where there is one: ``{child: parent}``.
    columns
        Values (N,) that can be aligned at an event, by name.
    notes
        Sentences on parents that could not be used.
    """

    t: npt.NDArray[np.int64]
    track_id: npt.NDArray[np.int64]
    probabilities: Float64Array
    classes: tuple[str, ...]
    parent: Mapping[int, int] = field(default_factory=dict)
    columns: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def index(self) -> npt.NDArray[np.int64]:
        """(N,) the likeliest class of each cell, frame by frame; −1 where it has none."""
        values = np.nan_to_num(self.probabilities)
        index = values.argmax(1)
        if len(self.classes) == 2:
            index = (values[:, 1] >= values[:, 0]).astype(np.int64)  # a score of 0 is the second
        return np.where(np.isnan(self.probabilities[:, 0]), -1, index)


def observe(
    cells: CellTable,
    probabilities: Float64Array,
    classes: tuple[str, ...],
    columns: Mapping[str, npt.NDArray[Any]] | None = None,
) -> Observed:
    """Check that cells can be followed through time, and that parents come before children.

    Parameters
    ----------
    cells
        The N cells, with their tracks and graph.
    probabilities
        (N, K) of their classes; NaN for cells without one.
    classes
        K names.
    columns
        What can be aligned at an event, beside y and x.

    Raises
    ------
    InvalidInput
        If the cells are of one frame, are on no tracks, or a track has two in one frame.
    """
    if len(np.unique(cells.t)) < 2:
        raise InvalidInput(f"'{cells.source}' has cells of one frame only; give those of a movie.")
    tracks, counts = np.unique(cells.track_id, return_counts=True)
    if not cells.taken.tracked or counts.max() < 2:
        raise InvalidInput(
            f"The cells of '{cells.source}' are not linked: every track has one cell. Give tracks, "
            "or link them (Cells ▸ Link to tracks, interpdisc detect --link)."
        )
    keys = np.column_stack([cells.track_id, cells.t])
    twice, times = np.unique(keys, axis=0, return_counts=True)
    if (times > 1).any():
        track, t = twice[times > 1][0]
        raise InvalidInput(
            f"Track {track} of '{cells.source}' has {times.max()} cells in frame {t}; a track has "
            "one cell in a frame."
        )
    if np.isnan(probabilities[:, 0]).all():
        raise InvalidInput(f"No cell of '{cells.source}' has a class.")
    parent, notes = _parents(cells, tracks)
    y, x = cells.yx.T
    values = {**(columns or {}), "y": y, "x": x}
    return Observed(cells.t, cells.track_id, probabilities, classes, parent, values, notes)


def _parents(
    cells: CellTable, tracks: npt.NDArray[np.int64]
) -> tuple[dict[int, int], tuple[str, ...]]:
    """Parent of each track that has one which ends before it begins, and sentences on others."""
    order = np.lexsort((cells.t, cells.track_id))
    starts = np.searchsorted(cells.track_id[order], tracks)
    t = cells.t[order]
    first = dict(zip(tracks.tolist(), t[starts].tolist(), strict=True))
    last = dict(zip(tracks.tolist(), t[[*starts[1:] - 1, -1]].tolist(), strict=True))
    parent: dict[int, int] = {}
    several, overlap, gone = [], [], 0
    for child, parents in cells.graph.items():
        here = [int(p) for p in np.atleast_1d(np.asarray(parents)) if int(p) in first]
        if child not in first or not here:
            gone += 1
        elif len(here) > 1:
            several.append(int(child))
        elif last[here[0]] >= first[int(child)]:
            overlap.append(int(child))
        else:
            parent[int(child)] = here[0]
    notes = []
    if several:
        notes.append(f"{len(several)} tracks have two parents (first: {several[0]}); none is used.")
    if overlap:
        notes.append(
            f"{len(overlap)} tracks begin before their parent ends (first: {overlap[0]}); that "
            "parent is not used."
        )
    if gone:
        notes.append(f"{gone} links to a parent are of tracks that are not among the cells.")
    return parent, tuple(notes)


def check_steps(cells: CellTable, diameter: float) -> str:
    """One sentence if some cells jump along their tracks; empty if none or few do.

    A step is one between successive frames, and a jump is longer than :data:`JUMP` diameters (px).

    Raises
    ------
    InvalidInput
        If so many do that the numbers cannot be tracks, such as labels numbered in each frame anew.
    """
    order = np.lexsort((cells.t, cells.track_id))
    t, ids, yx = cells.t[order], cells.track_id[order], cells.yx[order]
    is_step = (np.diff(ids) == 0) & (np.diff(t) == 1)
    steps = np.hypot(*np.diff(yx, axis=0).T)[is_step]
    share = float((steps > JUMP * diameter).mean()) if len(steps) else 0.0
    if share > MOST_JUMPS:
        raise InvalidInput(
            f"{percent(share)} of the steps along tracks of '{cells.source}' are longer than "
            f"{JUMP:g} nuclear diameters: its numbers are no tracks. Link the cells first (Cells ▸ "
            "Link to tracks, interpdisc detect --link)."
        )
    if share > FEW_JUMPS:
        return (
            f"{percent(share)} of the steps along tracks are longer than {JUMP:g} nuclear "
            "diameters: check the tracks."
        )
    return ""


def observed_of(result: Classification) -> Observed:
    """Cells of a classification, with scores, confidence and latents as columns to align.

    Raises
    ------
    InvalidInput
        As :func:`observe` and :func:`check_steps` do.
    """
    table = result.results()
    cells = result.encoding.cells
    columns = {**number_columns(table), **number_columns(cells.extra)}
    found = observe(cells, class_probabilities(result.scores), result.classes, columns)
    return with_steps_checked(found, cells, result.encoding.diameter)


def with_steps_checked(observed: Observed, cells: CellTable, diameter: float) -> Observed:
    """The same, with a note if some cells jump; raises as :func:`check_steps` does."""
    told = check_steps(cells, diameter)
    return replace(observed, notes=(*observed.notes, told)) if told else observed


def number_columns(table: Any) -> dict[str, npt.NDArray[Any]]:
    """Columns of numbers of a table or a mapping, but those that number or describe a run."""
    return {
        str(name): np.asarray(table[name], float)
        for name in table
        if name not in NO_MEASURES and np.asarray(table[name]).dtype.kind in "fiu"
    }
