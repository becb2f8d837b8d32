"""Which cells to annotate next."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import Float64Array
from napari_interpdisc.models.cell_model import confidence


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
    return _one_per_track(np.argsort(confidence(scores), kind="stable"), track_id, exclude, n)


def most_disagreed(
    disagreement: Float64Array,
    scores: npt.NDArray[np.float32],
    track_id: npt.NDArray[np.int64],
    exclude: Sequence[int] = (),
    n: int = 10,
) -> list[int]:
    """Rows of the cells that heads disagree most about, at most one per track.

    Cells that all heads agree on are left out. Of cells with the same disagreement, those that a
    head is least sure of come first.

    Parameters
    ----------
    disagreement
        (N,) share of heads that do not give a cell the class that most give; NaN if not known.
    scores
        (N, K) logits of one head.
    track_id, exclude, n
        As in :func:`most_uncertain`.
    """
    order = np.lexsort((confidence(scores), -np.nan_to_num(disagreement)))
    apart = order[np.nan_to_num(disagreement)[order] > 0]
    return _one_per_track(apart, track_id, exclude, n)


def _one_per_track(
    order: npt.NDArray[np.intp], track_id: npt.NDArray[np.int64], exclude: Sequence[int], n: int
) -> list[int]:
    """The first ``n`` rows in an order, without those to exclude, at most one per track."""
    taken = set(map(int, exclude))
    tracks: set[int] = set()
    rows: list[int] = []
    for row in order:
        if len(rows) == n:
            break
        if int(row) not in taken and int(track_id[row]) not in tracks:
            rows.append(int(row))
            tracks.add(int(track_id[row]))
    return rows
