"""How scores and cells are written in the dock widgets: one wording for all."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_interpdisc.models.cell_model import NO_CLASS, class_index
from napari_interpdisc.number_text import with_sign
from napari_interpdisc.pipeline import Encoding

NO_VALUE = "–"
"""In place of a class, and of a score, where a formula has no value."""


def score_of(scores: npt.ArrayLike) -> float:
    """Return the one logit of two classes, else the logit of the chosen class, of scores (K,)."""
    return float(np.asarray(scores).max())


def class_of(classes: tuple[str, ...], scores: npt.ArrayLike) -> str:
    """Name of the class that scores (K,) choose; a dash where a formula has no value."""
    place = int(class_index(np.asarray(scores)[None])[0])
    return NO_VALUE if place == NO_CLASS else classes[place]


def verdict(classes: tuple[str, ...], scores: npt.ArrayLike) -> str:
    """Class and score of one cell: ``Metaphase +2.31``; ``– (no value)`` without one."""
    if class_of(classes, scores) == NO_VALUE:
        return f"{NO_VALUE} (no value)"
    return f"{class_of(classes, scores)} {with_sign(score_of(scores))}"


def cell_name(encoding: Encoding, row: int, is_movie: bool) -> str:
    """Say which cell a row is: ``Cell 12, frame 3``."""
    cells = encoding.cells
    name = f"Cell {cells.track_id[row]}"
    return f"{name}, frame {cells.t[row]}" if is_movie else name


SCORE_HELP = (
    "The score is the signed logit of the head. Below 0 it means the first class, from 0 on the "
    "second. With more than two classes, it is the logit of the predicted one."
)

UNSAVED = "discovered (unsaved)"
"""Name of a model that was trained in the viewer and not saved."""

CHANGED_COLOUR = "#ffb000"
"""Of whatever is no longer as it was."""
