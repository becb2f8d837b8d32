"""Tracks of known classes, as they are observed, without pictures or models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from napari_interpdisc.cells import CellTable
from napari_interpdisc.through_time.observed import Observed, observe

CLASSES = ("Interphase", "Metaphase", "Anaphase")

Frames = Sequence[str | None]


def seen(
    tracks: Mapping[int, tuple[int, str]],
    parent: Mapping[int, int] | None = None,
    sure: float = 0.95,
    classes: tuple[str, ...] = CLASSES,
) -> Observed:
    """Cells of tracks as text: ``{1: (0, "IIMMA")}`` begins in frame 0.

    Each letter is the first of a class; ``.`` is a frame without a cell, ``?`` a cell without a
    class.
    """
    letters = {name[0]: k for k, name in enumerate(classes)}
    rows, values = [], []
    for track, (start, text) in tracks.items():
        for t, letter in enumerate(text, start):
            if letter == ".":
                continue
            p = np.full(len(classes), (1 - sure) / (len(classes) - 1))
            if letter == "?":
                p[:] = np.nan
            else:
                p[letters[letter]] = sure
            rows.append((track, t))
            values.append(p)
    ids, times = np.array(rows).T
    graph = {child: (mother,) for child, mother in (parent or {}).items()}
    cells = CellTable.from_arrays(times, np.zeros((len(ids), 2)), ids, graph=graph)
    probabilities = np.array(values)
    columns = {"p_M": probabilities[:, letters["M"]], "t": times.astype(float)}
    return observe(cells, probabilities, classes, columns)


def text_of(states: np.ndarray, classes: tuple[str, ...] = CLASSES) -> str:
    """First letters of states."""
    return "".join(classes[k][0] for k in states)
