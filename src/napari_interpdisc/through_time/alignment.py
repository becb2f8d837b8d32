"""Values along tracks against the time from an event, such as the first frame of a state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import Float64Array
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.through_time.counts import Division
from napari_interpdisc.through_time.observed import Observed
from napari_interpdisc.through_time.phases import Phase

DIVISION = "division"
"""The event that is a division, and no state."""


@dataclass(frozen=True)
class Event:
    """Something that happens on a track in a frame, to the track and its daughters."""

    track: int
    t: int


@dataclass(frozen=True)
class Aligned:
    """One column against the time from an event.

    Attributes
    ----------
    event, column
        What they are called.
    frames
        (R,) frames from the event, negative before it.
    values
        (E, R) the column along each of E tracks; NaN where the cell is missing.
    tracks
        (E,) track of each event.
    """

    event: str
    column: str
    frames: npt.NDArray[np.int64]
    values: Float64Array
    tracks: npt.NDArray[np.int64]

    @property
    def n(self) -> npt.NDArray[np.int64]:
        """(R,) tracks with a value at each time."""
        return np.asarray((~np.isnan(self.values)).sum(0), np.int64)

    @property
    def mean(self) -> Float64Array:
        """(R,) mean over tracks; NaN without any."""
        sums = np.nansum(self.values, 0)
        return np.asarray(np.divide(sums, self.n, np.full(len(sums), np.nan), where=self.n > 0))

    @property
    def spread(self) -> Float64Array:
        """(R,) standard deviation over tracks; NaN of fewer than two."""
        squares = np.nansum((self.values - self.mean) ** 2, 0)
        left = self.n - 1
        found = np.divide(squares, left, np.full(len(squares), np.nan), where=left > 0)
        return np.asarray(np.sqrt(found))


def events_at_state(phases: Sequence[Phase], state: int) -> tuple[Event, ...]:
    """First frames of the phases of a state whose start was seen.

    A phase that lasts through a division is one event, on the track in which it began.
    """
    found = {
        (phase.begins_in, phase.first)
        for phase in phases
        if phase.state == state and phase.start_seen
    }
    return tuple(Event(track, t) for track, t in sorted(found))


def events_at_division(divisions: Sequence[Division]) -> tuple[Event, ...]:
    """First frames of the daughters, on the mother's track."""
    return tuple(Event(one.parent, one.t) for one in divisions)


def align(
    observed: Observed,
    events: Sequence[Event],
    name: str,
    column: str,
    reach: int,
) -> Aligned:
    """Take a column from ``reach`` frames before each event to as many after it.

    Before a track begins, its ancestors are followed; after it ends, the mean of its daughters.

    Raises
    ------
    InvalidInput
        If there is no such column of numbers, or no event.
    """
    if column not in observed.columns:
        raise InvalidInput(
            f"There is no column '{column}' of numbers; there are "
            f"{', '.join(observed.columns) or 'none'}."
        )
    if not events:
        raise InvalidInput(f"No track has the event '{name}' with what was before it.")
    frames = np.arange(-reach, reach + 1)
    values = np.asarray(observed.columns[column], float)
    places = zip(observed.track_id.tolist(), observed.t.tolist(), strict=True)
    row_of = {place: i for i, place in enumerate(places)}
    children: dict[int, list[int]] = {}
    for child, parent in observed.parent.items():
        children.setdefault(parent, []).append(child)
    out = np.full((len(events), len(frames)), np.nan)
    for i, event in enumerate(events):
        line, family = [event.track], [event.track]
        while line[-1] in observed.parent:
            line.append(observed.parent[line[-1]])
        for k in family:  # grows while it is walked
            family += children.get(k, ())
        for j, t in enumerate(event.t + frames):
            rows = [
                row_of[k, int(t)]
                for k in ([*line, *family[1:]] if t >= event.t else line)
                if (k, int(t)) in row_of
            ]
            if rows and not np.isnan(values[rows]).all():
                out[i, j] = np.nanmean(values[rows])
    return Aligned(name, column, frames, out, np.array([event.track for event in events], np.int64))
