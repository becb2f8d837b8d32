"""Phases: how long each cell stays in each state, and what of it was not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from napari_interpdisc._types import BoolArray, Float64Array
from napari_interpdisc.through_time.observed import Observed
from napari_interpdisc.through_time.viterbi import TrackStates


@dataclass(frozen=True)
class Phase:
    """One stay of one cell in one state.

    Attributes
    ----------
    track
        The track in which it ends.
    state
        Position of the state among the classes.
    first, last
        First and last frame in which the cell was seen in it.
    begins_in
        The track in which it began: another one than ``track`` if a division falls in the phase.
    low, high
        Bounds of its duration, in frames: from its first to its last frame, and from the frame
        seen before it to the one seen after it. ``high`` is infinite if its start or end was not
        seen.
    start_seen, end_seen
        Whether the cell was seen in another state before, and after. If the start was not, the
        phase is left-censored; if the end was not, right-censored.
    n_seen, n_filled
        Frames in which it was seen, and frames between them in which the cell is missing.
    continues
        Whether it goes on in the daughters, whose phases contain this one.
    """

    track: int
    state: int
    first: int
    last: int
    begins_in: int
    low: float
    high: float
    start_seen: bool
    end_seen: bool
    n_seen: int
    n_filled: int
    continues: bool = False
    start: float = np.nan
    end: float = np.nan

    @property
    def counts(self) -> bool:
        """Whether it counts for durations: its start was seen, and it is not part of another."""
        return self.start_seen and not self.continues

    @property
    def frames(self) -> float:
        """Its duration in frames: of a whole phase in an unbroken track, the number of its frames.

        A change falls half way between the two frames that show it. Of a phase whose end was not
        seen, the time until it was last seen; of one whose start was not seen, the time since it
        was first seen.
        """
        return self.end - self.start


@dataclass(frozen=True)
class _Open:
    """A phase under way, at the end of a track."""

    phase: Phase
    last_seen: int


def phases_of(observed: Observed, tracks: Sequence[TrackStates]) -> tuple[Phase, ...]:
    """Phases of all tracks, by track and frame.

    States of frames in which the cell is missing are filled in, and only bridge those that were
    seen: a phase that lies wholly in such frames is none. A phase that lasts through a division is
    one phase of each daughter, which begins in the mother.
    """
    by_id = {one.track: one for one in tracks}
    children: dict[int, list[int]] = {}
    for child, parent in observed.parent.items():
        children.setdefault(parent, []).append(child)
    found: list[Phase] = []
    at_end: dict[int, _Open | None] = {}
    for one in sorted(tracks, key=lambda track: (track.start, track.track)):
        mother = observed.parent.get(one.track)
        before = None if mother is None else at_end[mother]
        stays = _stays(one, before)
        at_end[one.track] = _Open(stays[-1], stays[-1].last) if stays else before
        found += stays[:-1]
        if stays:
            found.append(_ended(stays[-1], [by_id[k] for k in children.get(one.track, ())]))
    return tuple(sorted(found, key=lambda phase: (phase.track, phase.first)))


def _stays(one: TrackStates, before: _Open | None) -> list[Phase]:
    """Phases of a track whose last one is still under way."""
    frames = one.start + np.flatnonzero(one.seen)
    states = one.states[one.seen]
    stays: list[Phase] = []
    for t, state in zip(frames.tolist(), states.tolist(), strict=True):
        previous = stays[-1] if stays else None
        if previous is not None and previous.state == state and not _left(one, previous.last, t):
            stays[-1] = replace(
                previous, last=t, end=float(t), low=previous.low + t - previous.last,
                n_seen=previous.n_seen + 1, n_filled=previous.n_filled + t - previous.last - 1,
            )  # fmt: skip
            continue
        inherited = before.phase if before is not None and previous is None else None
        if inherited is not None and inherited.state == state and not _left(one, inherited.last, t):
            stays.append(
                replace(
                    inherited, track=one.track, last=t, end=float(t), end_seen=False,
                    high=np.inf, continues=False, low=inherited.low + t - inherited.last,
                    n_seen=inherited.n_seen + 1,
                    n_filled=inherited.n_filled + t - inherited.last - 1,
                )
            )  # fmt: skip
            continue
        seen_before = previous or inherited
        start = float(t) if seen_before is None else (seen_before.last + t) / 2
        if previous is not None:
            stays[-1] = _closed(previous, t)
        stays.append(
            Phase(
                one.track, state, t, t, one.track, 0.0, np.inf, seen_before is not None, False, 1,
                0, start=start, end=float(t),
            )
        )  # fmt: skip
    return stays


def _left(one: TrackStates, last: int, now: int) -> bool:
    """Whether another state was filled in between two frames of the same one."""
    if now == last + 1:
        return False
    path = np.concatenate([one.before, one.states])
    begins = one.start - len(one.before)
    between = path[max(last + 1 - begins, 0) : now - begins]
    return bool(len(between)) and bool((between != path[now - begins]).any())


def _closed(phase: Phase, t: int) -> Phase:
    """A phase after which the cell was seen in another state, in frame ``t``."""
    high = _high(phase, t)
    return replace(phase, end=(phase.last + t) / 2, end_seen=True, high=high)


def _high(phase: Phase, t: int) -> float:
    if not phase.start_seen:
        return np.inf
    # the start is half way between the frame before and the first frame
    before = 2 * phase.start - phase.first
    return float(t - before)


def _ended(phase: Phase, children: Sequence[TrackStates]) -> Phase:
    """The last phase of a track: it ends with the track, at a division, or not that one can see."""
    shown = [child for child in children if child.seen.any()]
    if not shown:
        return phase
    goes_on = [
        child.states[child.seen][0] == phase.state
        and not _left(child, phase.last, child.start + int(np.flatnonzero(child.seen)[0]))
        for child in shown
    ]
    if any(goes_on):
        return replace(phase, continues=True)
    return _closed(phase, min(child.start + int(np.flatnonzero(child.seen)[0]) for child in shown))


def durations(phases: Sequence[Phase], state: int) -> tuple[Float64Array, BoolArray]:
    """Durations (P,) in frames of the phases of one state that count, and whether each was ended.

    Left-censored phases do not count: how long they had lasted is not known. Right-censored ones do
    count, as lasting at least so long.
    """
    some = [phase for phase in phases if phase.state == state and phase.counts]
    ended = np.array([phase.end_seen for phase in some], bool)
    return np.array([phase.frames for phase in some], float), ended
