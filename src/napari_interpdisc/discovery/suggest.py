"""Which cells to annotate next."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from napari_interpdisc.models.cell_model import (
    confidence,
)


def most_uncertain(
    scores: npt.NDArray[np.float32],
    track_id: npt.NDArray[np.int64],
    exclude: Sequence[int] = (),
    n: int = 10,
) -> list[int]:
    """Rows of the cells that a head is least sure of, at most one per track.

    Parameters
    ----------
    scores
        (N, K) logits.
    track_id
        (N,) track of each cell.
    exclude
        Rows that are not wanted: those that are annotated already.
    n
        Most rows to give.
    """
    taken = set(map(int, exclude))
    tracks: set[int] = set()
    rows: list[int] = []
    for row in np.argsort(confidence(scores), kind="stable"):
        if len(rows) == n:
            break
        if int(row) not in taken and int(track_id[row]) not in tracks:
            rows.append(int(row))
            tracks.add(int(track_id[row]))
    return rows
