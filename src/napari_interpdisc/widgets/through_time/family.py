"""The selected track and its kin, as lanes that a plot can draw. No Qt here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_interpdisc.through_time.result import ThroughTime

MOST_LANES = 7
"""Tracks that are shown at once."""


@dataclass(frozen=True)
class Lane:
    """One track.

    Attributes
    ----------
    track
        Its id.
    kin
        ``mother``, ``daughter`` and the like; empty for the track itself.
    start
        Its first frame.
    classes
        (F,) class of each frame, frame by frame; −1 where the cell is missing or has none.
    states
        (F,) state of each frame.
    parent
        Position of the mother's lane among all, or None.
    """

    track: int
    kin: str
    start: int
    classes: npt.NDArray[np.int64]
    states: npt.NDArray[np.int64]
    parent: int | None = None

    @property
    def stop(self) -> int:
        """Frame after its last."""
        return self.start + len(self.states)

    @property
    def name(self) -> str:
        """What the lane is called: ``12 (mother)``."""
        return f"{self.track} ({self.kin})" if self.kin else f"{self.track}"


def family_lanes(found: ThroughTime, track: int) -> tuple[Lane, ...]:
    """Lanes of a track, its ancestors and its daughters: ancestors first, daughters last.

    At most :data:`MOST_LANES`, the nearest kin before others. Empty without such a track.
    """
    by_id = {one.track: one for one in found.tracks}
    if track not in by_id:
        return ()
    observed = found.observed
    line = [track]
    while line[-1] in observed.parent:
        line.append(observed.parent[line[-1]])
    line = line[: MOST_LANES // 2 + 1][::-1]
    daughters = sorted(child for child, mother in observed.parent.items() if mother == track)
    shown = [*line, *daughters][:MOST_LANES]
    kin = _kin(len(line), len(daughters))
    index = observed.index
    lanes = []
    for place, k in enumerate(shown):
        one = by_id[k]
        classes = np.full(len(one.states), -1)
        rows = np.flatnonzero(observed.track_id == k)
        classes[observed.t[rows] - one.start] = index[rows]
        mother = observed.parent.get(k)
        parent = shown.index(mother) if mother in shown else None
        lanes.append(Lane(k, kin[place], one.start, classes, one.states, parent))
    return tuple(lanes)


def _kin(ancestors: int, daughters: int) -> Sequence[str]:
    names = ["", "mother", "grandmother"] + ["ancestor"] * max(0, ancestors - 3)
    return [*names[:ancestors][::-1], *["daughter"] * daughters]


def told_family(found: ThroughTime, lanes: Sequence[Lane]) -> str:
    """A sentence on the track of a family that is its own: where it comes from and what it does."""
    own = next((lane for lane in lanes if not lane.kin), None)
    if own is None:
        return ""
    daughters = [lane.track for lane in lanes if lane.kin == "daughter"]
    parts = [f"Track {own.track}, frames {own.start} to {own.stop - 1}"]
    if own.parent is not None:
        parts.append(f"daughter of {lanes[own.parent].track}")
    if daughters:
        parts.append(f"divides into {' and '.join(map(str, daughters))}")
    has = own.classes >= 0
    n = int((own.classes[has] != own.states[has]).sum())
    parts.append(f"{n} frame{'s' * (n != 1)} with another state than class")
    return ", ".join(parts) + "."
