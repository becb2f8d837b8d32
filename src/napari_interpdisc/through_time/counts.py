"""How many cells have each class, and each state, frame by frame; and where cells divide."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_interpdisc.through_time.observed import Observed
from napari_interpdisc.through_time.viterbi import TrackStates


@dataclass(frozen=True)
class Counts:
    """Cells per frame.

    Attributes
    ----------
    t
        (F,) frames, from the first with a cell to the last.
    cells
        (F,) cells.
    by_class
        (F, K) cells of each class, frame by frame; cells without a class are in none.
    by_state
        (F, K) cells in each state, of those that have a class.
    """

    t: npt.NDArray[np.int64]
    cells: npt.NDArray[np.int64]
    by_class: npt.NDArray[np.int64]
    by_state: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Division:
    """A track that ends where two or more begin.

    Attributes
    ----------
    parent, children
        Ids of the tracks.
    t
        First frame of a daughter.
    state
        State of the mother in her last frame.
    states
        State of each daughter in her first frame.
    """

    parent: int
    children: tuple[int, ...]
    t: int
    state: int
    states: tuple[int, ...]


def count_cells(observed: Observed, states: npt.NDArray[np.int64]) -> Counts:
    """Count the classes and the states (N,) of all cells in each frame."""
    first, last = int(observed.t.min()), int(observed.t.max())
    k = len(observed.classes)
    index = observed.index
    has = index >= 0
    row = observed.t - first
    shape = (last - first + 1, k)
    by_class, by_state = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    np.add.at(by_class, (row[has], index[has]), 1)
    np.add.at(by_state, (row[has], states[has]), 1)
    cells = np.bincount(row, minlength=shape[0])
    return Counts(np.arange(first, last + 1), cells, by_class, by_state)


def divisions_of(observed: Observed, tracks: tuple[TrackStates, ...]) -> tuple[Division, ...]:
    """Divisions by frame: tracks from which at least two others descend."""
    by_id = {one.track: one for one in tracks}
    children: dict[int, list[int]] = {}
    for child, parent in sorted(observed.parent.items()):
        children.setdefault(parent, []).append(child)
    found = [
        Division(
            parent,
            tuple(some),
            min(by_id[k].start for k in some),
            int(by_id[parent].states[-1]),
            tuple(int(by_id[k].states[0]) for k in some),
        )
        for parent, some in children.items()
        if len(some) > 1
    ]
    return tuple(sorted(found, key=lambda one: (one.t, one.parent)))
