"""Link cells of successive frames into tracks, by how near they are.

laptrack's two steps of linear assignment (Jaqaman et al. 2008): good enough to try the plugin on a
movie. For science, track with btrack or trackastra, and check the tracks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import Float64Array, Progress
from napari_interpdisc.cells import CellTable
from napari_interpdisc.crops import check_diameter
from napari_interpdisc.errors import InvalidInput

REACH = 1.0
"""Nuclear diameters that a nucleus may move from one frame to the next, if nothing is said."""

MISSING = 1
"""Frames in which a nucleus may be missing."""


def link_positions(
    t: npt.NDArray[np.int64], yx: Float64Array, reach: float, divisions: bool = False
) -> tuple[npt.NDArray[np.int64], dict[int, tuple[int, ...]]]:
    """Link positions of N cells into tracks.

    Parameters
    ----------
    t, yx
        (N,) frames and (N, 2) centroids, px.
    reach
        Distance that a cell may move between frames in which it is found, px. It may be missing
        from :data:`MISSING` frames between.
    divisions
        Whether a track may end where two others begin.

    Returns
    -------
    Track (N,) of each cell, from 1 on, and the parent of each track that has one.
    """
    import pandas as pd
    from laptrack import LapTrack

    table = pd.DataFrame({"t": t, "y": yx[:, 0], "x": yx[:, 1], "row": np.arange(len(t))})
    linker = LapTrack(
        cutoff=reach**2,
        gap_closing_cutoff=reach**2,
        # laptrack counts steps, not missing frames
        gap_closing_max_frame_count=MISSING + 1,
        splitting_cutoff=reach**2 if divisions else False,
    )
    linked, splits, _ = linker.predict_dataframe(
        table, coordinate_cols=["y", "x"], frame_col="t", only_coordinate_cols=False
    )
    ids = np.empty(len(t), np.int64)
    ids[linked["row"].to_numpy()] = linked["track_id"].to_numpy() + 1
    graph: dict[int, tuple[int, ...]] = {}
    if len(splits):
        pairs = splits[["child_track_id", "parent_track_id"]].to_numpy() + 1
        graph = {int(child): (int(parent),) for child, parent in pairs}
    return ids, graph


def link_cells(
    cells: CellTable,
    diameter: float,
    reach: float = REACH,
    divisions: bool = False,
    progress: Progress | None = None,
) -> CellTable:
    """The same cells on tracks; row i stays row i.

    Parameters
    ----------
    cells
        Cells of a movie, such as those that were detected; tracks that they are on are forgotten.
    diameter
        Typical nuclear diameter, px.
    reach
        Diameters that a nucleus may move from one frame to the next.
    divisions
        Whether a track may end where two others begin; the column ``parent_id`` then names parents.
    progress
        Called before and after; may raise to cancel.

    Raises
    ------
    InvalidInput
        If the cells are of one frame, or the distance is not positive.
    """
    check_diameter(diameter)
    if not (np.isfinite(reach) and reach > 0):
        raise InvalidInput(f"{reach:g} diameters is no distance to link over; give one above 0.")
    if len(np.unique(cells.t)) < 2:
        raise InvalidInput(f"'{cells.source}' has cells of one frame only: none can be linked.")
    if progress is not None:
        progress(0, 1)
    ids, graph = link_positions(cells.t, cells.yx, reach * diameter, divisions)
    if progress is not None:
        progress(1, 1)
    extra = dict(cells.extra)
    if graph:
        extra["parent_id"] = np.array([graph.get(int(k), (0,))[0] for k in ids], np.int64)
    return replace(
        cells, track_id=ids, graph=graph, extra=extra, taken=replace(cells.taken, tracked=True)
    )


def told_links(cells: CellTable) -> str:
    """A sentence on tracks: how many, how long, and how many divide."""
    ids, lengths = np.unique(cells.track_id, return_counts=True)
    alone = int((lengths == 1).sum())
    parents: Mapping[int, tuple[int, ...]] = cells.graph
    n = len({parent for some in parents.values() for parent in some})
    parts = [
        f"{len(cells)} cells on {len(ids)} tracks, {np.median(lengths):g} frames in the median"
    ]
    if alone:
        parts.append(f"{alone} of one frame alone")
    if n:
        parts.append(f"{n} divide")
    return ", ".join(parts) + "."
