"""The selected track through time: its scores and classes. No Qt here but the plot's own type."""

from __future__ import annotations

import numpy as np

from napari_interpdisc.figures.palette import class_colors
from napari_interpdisc.flags import flag_name
from napari_interpdisc.pipeline import UNSURE
from napari_interpdisc.widgets.canvas.overlay import overlay_values
from napari_interpdisc.widgets.parts.track_plot import TrackSeries
from napari_interpdisc.widgets.parts.wording import verdict
from napari_interpdisc.widgets.session import Session


def track_series(session: Session, frame: int | None) -> TrackSeries | None:
    """Scores of the selected cell's track, by rising frame; None if no cell is selected.

    The title tells the cell of ``frame``, or the selected one where the track is absent.
    """
    result, row = session.classification, session.selected
    if result is None or row is None:
        return None
    cells = result.encoding.cells
    scored = result.scored
    rows = np.flatnonzero((cells.track_id == cells.track_id[row]) & scored)
    if not len(rows):
        return None  # no cell of the track has pixels, or a nucleus that the head needs
    rows = rows[np.argsort(cells.t[rows], kind="stable")]
    shown = rows[cells.t[rows] == frame]
    now = int(shown[0]) if len(shown) else row if scored[row] else int(rows[0])
    colors = class_colors(result.classes)
    names = [*result.classes, UNSURE]
    values = overlay_values(session)[rows] - 1
    two = result.scores.shape[1] == 1
    return TrackSeries(
        cells.t[rows],
        result.scores[rows],
        [None] if two else [colors[name] for name in result.classes],
        [colors[names[v]] for v in values],
        f"Cell {cells.track_id[row]}, frame {cells.t[now]}: "
        f"{verdict(result.classes, result.scores[now])}",
        flag_name(int(result.encoding.flags[now])),
    )
