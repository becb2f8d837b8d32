"""Everything that is found of cells through time, and the tables that are written of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import Progress
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.through_time.alignment import (
    DIVISION,
    Aligned,
    Event,
    align,
    events_at_division,
    events_at_state,
)
from napari_interpdisc.through_time.counts import Counts, Division, count_cells, divisions_of
from napari_interpdisc.through_time.observed import Observed
from napari_interpdisc.through_time.order import Order, default_order
from napari_interpdisc.through_time.phases import Phase, durations, phases_of
from napari_interpdisc.through_time.survival import Survival, kaplan_meier
from napari_interpdisc.through_time.viterbi import (
    PathSettings,
    TrackStates,
    decode,
    states_of_cells,
)

if TYPE_CHECKING:
    import pandas as pd

REACH = 20
"""Frames before and after an event, unless another number is asked for."""


@dataclass(frozen=True)
class ThroughTime:
    """What was found of N cells through time.

    Attributes
    ----------
    observed
        What was seen of them.
    order, settings
        What may follow what, and how changes were weighed.
    tracks
        States of each track.
    states
        (N,) state of each cell, as a position among the classes.
    phases, divisions, counts
        What follows from them.
    interval
        Seconds between frames, or None.
    """

    observed: Observed
    order: Order
    settings: PathSettings
    tracks: tuple[TrackStates, ...]
    states: npt.NDArray[np.int64]
    phases: tuple[Phase, ...]
    divisions: tuple[Division, ...]
    counts: Counts
    interval: float | None

    @property
    def minutes(self) -> float | None:
        """Minutes between frames, or None."""
        return None if self.interval is None else self.interval / 60

    @property
    def unit(self) -> str:
        """Unit of durations in plots and sentences."""
        return "frames" if self.interval is None else "min"

    @property
    def step(self) -> float:
        """One frame in that unit."""
        return 1.0 if self.minutes is None else self.minutes

    def names(self) -> npt.NDArray[np.object_]:
        """(N,) name of the state of each cell, also of one that has no class."""
        return np.array(self.observed.classes, object)[self.states]

    def survival(self, state: int) -> Survival | None:
        """Kaplan–Meier curve of the phases of a state, in :attr:`unit`; None if none ended."""
        lasted, ended = durations(self.phases, state)
        return kaplan_meier(lasted * self.step, ended)

    def events(self, name: str) -> tuple[Event, ...]:
        """Events by name: a class, for the first frame of its phases, or ``division``.

        Raises
        ------
        InvalidInput
            If it is neither.
        """
        if name in self.observed.classes:
            return events_at_state(self.phases, self.observed.classes.index(name))
        if name == DIVISION:
            return events_at_division(self.divisions)
        raise InvalidInput(
            f"'{name}' is no event; choose {', '.join(self.observed.classes)} or {DIVISION}."
        )

    def aligned(self, event: str, column: str, reach: int = REACH) -> Aligned:
        """One column against the frames from an event.

        Raises
        ------
        InvalidInput
            If there is no such event or column, or no track has the event.
        """
        return align(self.observed, self.events(event), event, column, reach)

    # -- sentences --------------------------------------------------------------------------------

    def sentences(self) -> list[str]:
        """What was found, a sentence each."""
        index = self.observed.index
        has = index >= 0
        changed = int((index[has] != self.states[has]).sum())
        told = [
            f"{has.sum()} cells on {len(self.tracks)} tracks; {changed} have another state than "
            "class.",
            f"{len(self.divisions)} divisions." if len(self.divisions) != 1 else "1 division.",
        ]
        filled = int(sum((~one.seen).sum() for one in self.tracks))
        if filled:
            told.append(f"{filled} frames in which a cell is missing or has no class, filled in.")
        if self.interval is None:
            told.append("The time between frames is not known: durations are in frames.")
        told += [self.duration_sentence(k) for k in range(len(self.observed.classes))]
        merged = sum(phase.begins_in != phase.track and phase.counts for phase in self.phases)
        if merged:
            told.append(
                f"{merged} phases last through a division, and are counted once for each daughter."
            )
        return told

    def duration_sentence(self, state: int) -> str:
        """Median duration of a state with its interval, and what was censored."""
        name = self.observed.classes[state]
        own = [p for p in self.phases if p.state == state and not p.continues]
        left = sum(not p.start_seen for p in own)
        open_ended = sum(p.start_seen and not p.end_seen for p in own)
        curve = self.survival(state)
        parts = [f"{len(own)} phases"] if len(own) != 1 else ["1 phase"]
        if left:
            parts.append(f"{left} left out, since their start was not seen")
        if open_ended:
            parts.append(f"{open_ended} whose end was not seen")
        said = f"{name}: {', '.join(parts)}"
        if curve is None:
            return f"{said}; no median, since none was seen from start to end."
        if np.isnan(curve.median):
            return f"{said}; no median, since less than half have ended."
        ends = [
            f"{v:.4g}" if np.isfinite(v) else "?" for v in (curve.median_low, curve.median_high)
        ]
        return f"{said}; median {curve.median:.4g} {self.unit} (95 %: {ends[0]} to {ends[1]})."

    # -- tables -----------------------------------------------------------------------------------

    def phase_table(self) -> pd.DataFrame:
        """One row per phase: track, state, frames, duration, and what of it was not seen."""
        import pandas as pd

        rows: list[dict[str, Any]] = []
        for phase in self.phases:
            row: dict[str, Any] = {
                "track_id": phase.track,
                "state": self.observed.classes[phase.state],
                "first_frame": phase.first,
                "last_frame": phase.last,
                "frames": phase.frames,
                "frames_low": phase.low,
                "frames_high": phase.high,
                "start_seen": phase.start_seen,
                "end_seen": phase.end_seen,
                "counted": phase.counts,
                "continues_in_daughters": phase.continues,
                "begins_in": phase.begins_in,
                "frames_seen": phase.n_seen,
                "frames_filled": phase.n_filled,
            }
            if self.minutes is not None:
                row["minutes"] = phase.frames * self.minutes
            rows.append(row)
        return pd.DataFrame(rows)

    def survival_table(self) -> pd.DataFrame:
        """One row per state and step of its Kaplan–Meier curve."""
        import pandas as pd

        parts = []
        for k, name in enumerate(self.observed.classes):
            curve = self.survival(k)
            if curve is not None:
                parts.append(
                    pd.DataFrame(
                        {
                            "state": name,
                            self.duration_column: curve.times,
                            "share_lasting": curve.share,
                            "low_95": curve.low,
                            "high_95": curve.high,
                            "at_risk": curve.at_risk,
                        }
                    )
                )
        columns = ["state", self.duration_column, "share_lasting", "low_95", "high_95", "at_risk"]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)

    @property
    def duration_column(self) -> str:
        """Name of the column of durations."""
        return "minutes" if self.interval is not None else "frames"

    def median_table(self) -> pd.DataFrame:
        """One row per state: phases, censored ones, median duration and its interval."""
        import pandas as pd

        rows = []
        for k, name in enumerate(self.observed.classes):
            own = [p for p in self.phases if p.state == k and not p.continues]
            curve = self.survival(k)
            rows.append(
                {
                    "state": name,
                    "phases": len(own),
                    "start_not_seen": sum(not p.start_seen for p in own),
                    "end_not_seen": sum(p.start_seen and not p.end_seen for p in own),
                    "whole": sum(p.start_seen and p.end_seen for p in own),
                    f"median_{self.duration_column}": np.nan if curve is None else curve.median,
                    "low_95": np.nan if curve is None else curve.median_low,
                    "high_95": np.nan if curve is None else curve.median_high,
                }
            )
        return pd.DataFrame(rows)

    def count_table(self) -> pd.DataFrame:
        """One row per frame: cells, and number and share of each class and each state."""
        import pandas as pd

        counts = self.counts
        table = pd.DataFrame({"t": counts.t})
        if self.minutes is not None:
            table["minutes"] = counts.t * self.minutes
        table["cells"] = counts.cells
        for what, numbers in (("class", counts.by_class), ("state", counts.by_state)):
            all_of_them = numbers.sum(1)
            for k, name in enumerate(self.observed.classes):
                table[f"{what}_{name}"] = numbers[:, k]
                table[f"{what}_share_{name}"] = np.divide(
                    numbers[:, k], all_of_them, np.full(len(counts.t), np.nan),
                    where=all_of_them > 0,
                )  # fmt: skip
        return table

    def division_table(self) -> pd.DataFrame:
        """One row per daughter: mother, daughter, frame, and their states."""
        import pandas as pd

        names = self.observed.classes
        rows = [
            {
                "parent": one.parent,
                "child": child,
                "t": one.t,
                "state_of_parent": names[one.state],
                "state_of_child": names[state],
            }
            for one in self.divisions
            for child, state in zip(one.children, one.states, strict=True)
        ]
        columns = ["parent", "child", "t", "state_of_parent", "state_of_child"]
        return pd.DataFrame(rows, columns=columns)

    def aligned_table(self, found: Sequence[Aligned]) -> pd.DataFrame:
        """One row per column and time from the event: mean, standard deviation, tracks."""
        import pandas as pd

        parts = []
        for one in found:
            part = pd.DataFrame({"event": one.event, "column": one.column, "frames": one.frames})
            part = part.assign(event=one.event, column=one.column)
            if self.minutes is not None:
                part["minutes"] = one.frames * self.minutes
            part["mean"], part["sd"], part["tracks"] = one.mean, one.spread, one.n
            parts.append(part)
        return pd.concat(parts, ignore_index=True)


def through_time(
    observed: Observed,
    order: Order | None = None,
    settings: PathSettings | None = None,
    interval: float | None = None,
    progress: Progress | None = None,
) -> ThroughTime:
    """Find states, phases, divisions and counts of cells on tracks.

    Parameters
    ----------
    observed
        The cells.
    order
        Which class may follow which; by their names if left out.
    settings
        How frames are weighed against changes.
    interval
        Seconds between frames, if it is known.
    progress
        Called with tracks done, and all of them; may raise to cancel.

    Raises
    ------
    InvalidInput
        If the order is of other classes, or the interval is not positive.
    """
    wanted = order or default_order(observed.classes)[0]
    if wanted.classes != observed.classes:
        raise InvalidInput(
            f"The order is of {', '.join(wanted.classes)}, the cells are of "
            f"{', '.join(observed.classes)}; give an order of these."
        )
    if interval is not None and not (np.isfinite(interval) and interval > 0):
        raise InvalidInput(f"{interval:g} s is no time between frames; give one above 0.")
    options = settings or PathSettings()
    tracks = decode(observed, wanted, options, progress)
    states = states_of_cells(observed, tracks)
    return ThroughTime(
        observed,
        wanted,
        options,
        tracks,
        states,
        phases_of(observed, tracks),
        divisions_of(observed, tracks),
        count_cells(observed, states),
        interval,
    )
