"""How scores and cells are written in the dock widgets: one wording for all."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_interpdisc.models.classifier import class_index
from napari_interpdisc.pipeline import Encoding

UNFAMILIAR, CUT = 1, 2
"""Reasons not to trust what a head says of a cell, as bits of a number."""

FLAG_NAMES = {UNFAMILIAR: "unlike the training data", CUT: "cut by the edge"}


def signed(value: float, decimals: int = 2) -> str:
    """Always a sign, with a real minus."""
    return f"{value:+.{decimals}f}".replace("-", "\N{MINUS SIGN}")


def score_of(scores: npt.ArrayLike) -> float:
    """Return the one logit of two classes, else the logit of the chosen class, of scores (K,)."""
    return float(np.asarray(scores).max())


def class_of(classes: tuple[str, ...], scores: npt.ArrayLike) -> str:
    """Name of the class that scores (K,) choose."""
    return classes[int(class_index(np.asarray(scores)[None])[0])]


def verdict(classes: tuple[str, ...], scores: npt.ArrayLike) -> str:
    """Class and score of one cell: ``Metaphase +2.31``."""
    return f"{class_of(classes, scores)} {signed(score_of(scores))}"


def cell_name(encoding: Encoding, row: int, is_movie: bool) -> str:
    """Say which cell a row is: ``Cell 12, frame 3``."""
    cells = encoding.cells
    name = f"Cell {cells.track_id[row]}"
    return f"{name}, frame {cells.t[row]}" if is_movie else name


def flags_of(encoding: Encoding) -> npt.NDArray[np.uint8]:
    """(N,) sum of the flags of every cell: 0 for most, :data:`UNFAMILIAR`, :data:`CUT`, or both."""
    return np.asarray(UNFAMILIAR * encoding.unfamiliar + CUT * encoding.touches_edge, np.uint8)


def flag_name(flag: int) -> str:
    """What a sum of flags says of a cell, or an empty string."""
    return ", ".join(text for bit, text in FLAG_NAMES.items() if flag & bit)


SCORE_HELP = (
    "The score is the head's signed logit: below 0 the first class, from 0 on the second; "
    "with more than two classes, the logit of the chosen one."
)

UNSAVED = "discovered (unsaved)"
"""Name of a model that was trained in the viewer and not saved."""

CHANGED_COLOUR = "#ffb000"
"""Of whatever is no longer as it was."""
