"""The likeliest states along tracks and through divisions, given which may follow which."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from napari_interpdisc._types import Float64Array, Progress
from napari_interpdisc.through_time.observed import Observed
from napari_interpdisc.through_time.order import Order

SAME = 1e-9
"""Sums of log-probabilities that differ by less are equal."""


class PathSettings(BaseModel):
    """How frames are weighed against changes of state."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    change_cost: float = Field(
        2.0,
        title="Cost of a change (nats)",
        ge=0,
        le=50,
        description="What each change of state costs. A single frame of another class is kept if "
        "its log-odds outweigh the changes to it and back.",
    )
    least_probability: float = Field(
        0.01,
        title="Least probability of a class",
        gt=0,
        lt=0.5,
        description="No frame says less than this of any class, however sure the head is: heads "
        "err. It also bounds what it costs to obey the order.",
    )


@dataclass(frozen=True)
class TrackStates:
    """States of one track, one for every frame from its first to its last.

    Attributes
    ----------
    track
        Its id.
    start
        Its first frame.
    states
        (F,) position of the state among the classes.
    seen
        (F,) whether the cell has a class in that frame, so that it was not filled in.
    before
        States (G,) in the frames between its parent's last and its first; mostly none.
    """

    track: int
    start: int
    states: npt.NDArray[np.int64]
    seen: npt.NDArray[np.bool_]
    before: npt.NDArray[np.int64]

    @property
    def stop(self) -> int:
        """Frame after its last."""
        return self.start + len(self.states)


def log_emissions(probabilities: Float64Array, least: float) -> Float64Array:
    """Log-probabilities (N, K), none below log ``least``; 0 for all classes of a row with NaN.

    A row of zeros says nothing: the frames around it decide.
    """
    floored = np.log(np.maximum(probabilities, least))
    return np.where(np.isnan(probabilities), 0.0, floored)


def log_transitions(order: Order, change_cost: float) -> Float64Array:
    """(K, K) 0 for staying, −``change_cost`` for an allowed change, −∞ for any other."""
    steps = np.where(order.allowed, -change_cost, -np.inf)
    np.fill_diagonal(steps, 0.0)
    return steps


def best_path(emissions: Float64Array, transitions: Float64Array) -> npt.NDArray[np.int64]:
    """The likeliest states (F,) of one chain, of emissions (F, K) and transitions (K, K), in logs.

    Of equally likely paths, one that changes late; then the one whose states are the first classes.
    """
    ahead, choice = _backward(emissions, transitions, np.zeros(emissions.shape[1]))
    return _follow(choice, int(ahead.argmax()))


def _backward(
    emissions: Float64Array, transitions: Float64Array, after: Float64Array
) -> tuple[Float64Array, npt.NDArray[np.int64]]:
    """Best sum (K,) from the first frame on by its state, and the best next state (F − 1, K).

    ``after`` (K,) is what comes after the last frame.
    """
    n, k = emissions.shape
    choice = np.zeros((max(n - 1, 0), k), np.int64)
    ahead = emissions[-1] + after
    for i in range(n - 2, -1, -1):
        sums = transitions + ahead
        best = sums.max(1)
        stays = np.diagonal(sums) >= best - SAME
        choice[i] = np.where(stays, np.arange(k), sums.argmax(1))
        ahead = emissions[i] + best
    return ahead, choice


def _follow(choice: npt.NDArray[np.int64], first: int) -> npt.NDArray[np.int64]:
    states = np.empty(len(choice) + 1, np.int64)
    states[0] = first
    for i, row in enumerate(choice):
        states[i + 1] = row[states[i]]
    return states


def decode(
    observed: Observed,
    order: Order,
    settings: PathSettings | None = None,
    progress: Progress | None = None,
) -> tuple[TrackStates, ...]:
    """The likeliest states of all tracks, by rising id, each family decoded as a whole.

    A Viterbi algorithm on trees: a child starts in the state of its parent's last frame or in one
    that may follow it, and what is seen of the children counts for the parent's last frames too.
    Frames in which a cell is missing, or has no class, are filled in.

    The score of a path is the sum of log-probabilities of its states minus ``change_cost`` for each
    change. A change at a division is one change, which its daughters share. Every state may come
    first. Of equally likely paths, one that changes late is taken.
    """
    options = settings or PathSettings()
    steps = log_transitions(order, options.change_cost)
    rows_of = _rows_by_track(observed)
    emissions = log_emissions(observed.probabilities, options.least_probability)
    children: dict[int, list[int]] = {}
    for child, parent in observed.parent.items():
        children.setdefault(parent, []).append(child)
    born = {
        parent: log_transitions(order, options.change_cost / len(some))
        for parent, some in children.items()
    }
    first = {k: int(observed.t[rows[0]]) for k, rows in rows_of.items()}
    last = {k: int(observed.t[rows[-1]]) for k, rows in rows_of.items()}
    # later tracks first: children begin after their parents
    backwards = sorted(rows_of, key=lambda k: (first[k], k), reverse=True)
    from_start: dict[int, Float64Array] = {}
    choices: dict[int, npt.NDArray[np.int64]] = {}
    gaps: dict[int, int] = {}
    for done, k in enumerate(backwards, 1):
        parent_of = observed.parent.get(k)
        gaps[k] = 0 if parent_of is None else first[k] - last[parent_of] - 1
        shown = np.zeros((gaps[k] + last[k] - first[k] + 1, len(order.classes)))
        shown[gaps[k] + observed.t[rows_of[k]] - first[k]] = emissions[rows_of[k]]
        after = np.zeros(len(order.classes))
        for child in children.get(k, ()):
            after += (born[k] + from_start[child]).max(1)
        from_start[k], choices[k] = _backward(shown, steps, after)
        if progress is not None:
            progress(done, len(backwards))
    found: dict[int, TrackStates] = {}
    for k in reversed(backwards):
        parent_of = observed.parent.get(k)
        start = from_start[k]
        if parent_of is not None:
            state = int(found[parent_of].states[-1])
            start = start + born[parent_of][state]
            lasts = start[state] >= start.max() - SAME
            states = _follow(choices[k], state if lasts else int(start.argmax()))
        else:
            states = _follow(choices[k], int(start.argmax()))
        seen = np.zeros(len(states) - gaps[k], bool)
        has = ~np.isnan(observed.probabilities[rows_of[k], 0])
        seen[observed.t[rows_of[k]][has] - first[k]] = True
        found[k] = TrackStates(k, first[k], states[gaps[k] :], seen, states[: gaps[k]])
    return tuple(found[k] for k in sorted(found))


def _rows_by_track(observed: Observed) -> dict[int, npt.NDArray[np.intp]]:
    """Rows of each track, by rising frame."""
    order = np.lexsort((observed.t, observed.track_id))
    ids, starts = np.unique(observed.track_id[order], return_index=True)
    return {int(k): rows for k, rows in zip(ids, np.split(order, starts[1:]), strict=True)}


def states_of_cells(observed: Observed, tracks: tuple[TrackStates, ...]) -> npt.NDArray[np.int64]:
    """State (N,) of each cell, as a position among the classes."""
    states = np.empty(len(observed.t), np.int64)
    by_id = {one.track: one for one in tracks}
    for k, rows in _rows_by_track(observed).items():
        states[rows] = by_id[k].states[observed.t[rows] - by_id[k].start]
    return states
