"""Which cells to annotate next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import Float32Array, Float64Array
from napari_interpdisc.models.cell_model import confidence

SAMPLE = 3000
"""Cells that are clustered: enough for every kind that a person would name, in a moment."""

MOST_CLUSTERS = 60
NEIGHBOURS = 20
"""Cells by which it is told how typical one is."""


@dataclass(frozen=True)
class Typical:
    """A cell in the midst of others like it.

    Attributes
    ----------
    row
        The cell.
    share
        Share of all cells that are in its cluster, 0–1.
    labelled
        Number of labelled cells in that cluster.
    """

    row: int
    share: float
    labelled: int


def most_typical(
    latents: Float32Array,
    track_id: npt.NDArray[np.int64],
    labelled: Sequence[int] = (),
    exclude: Sequence[int] = (),
    n: int = 10,
) -> list[Typical]:
    """Cells that are typical of a cluster without labels, the largest cluster first.

    As in TypiClust (Hacohen, Dekel and Weinshall 2022): k-means on the latents makes as many
    clusters as there are labels and cells to give, and the cell in the densest place of a cluster
    stands for it. With few labels, this teaches a head more than where it is unsure. Where all
    clusters have labels, those with the fewest come first. The same input gives the same cells.

    Parameters
    ----------
    latents
        (N, L); NaN for a cell without pixels, which is never given.
    track_id
        (N,) track of each cell: at most one cell of each is given.
    labelled
        Rows of the labelled cells.
    exclude
        Further rows that are not wanted.
    n
        Most cells to give.
    """
    from scipy.spatial.distance import cdist
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    known = np.array(sorted(set(labelled)), np.intp)
    usable = np.flatnonzero(np.isfinite(latents).all(1))
    known = known[np.isin(known, usable)]
    free = np.setdiff1d(usable, np.union1d(known, np.asarray(exclude, np.intp)))
    if not len(free) or n < 1:
        return []
    if len(free) > SAMPLE:
        free = np.sort(np.random.default_rng(0).choice(free, SAMPLE, replace=False))
    rows = np.concatenate([free, known])
    # as they are: a latent that varies little tells little
    values = np.asarray(latents[rows], np.float64)
    k = min(len(known) + n, MOST_CLUSTERS, len(np.unique(values, axis=0)))
    with threadpool_limits(1):  # a small problem: on a busy machine more threads only wait
        cluster = KMeans(k, n_init=2, max_iter=30, random_state=0).fit_predict(values)
    has = np.bincount(cluster[len(free) :], minlength=k)
    size = np.bincount(cluster, minlength=k)
    found: list[Typical] = []
    tracks: set[int] = set()
    for c in np.lexsort((-size, has)):
        here = np.flatnonzero(cluster[: len(free)] == c)
        here = here[[int(track_id[free[i]]) not in tracks for i in here]]
        if not len(here):
            continue
        near = min(NEIGHBOURS, len(here) - 1)
        distance = np.partition(cdist(values[here], values[here]), near, axis=1)[:, : near + 1]
        row = int(free[here[distance.mean(1).argmin()]])
        tracks.add(int(track_id[row]))
        found.append(Typical(row, float(size[c] / len(rows)), int(has[c])))
        if len(found) == n:
            break
    return found


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
