"""Which cells the gallery shows, in what order, and what a tile says. No Qt here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from napari_interpdisc.flags import FLAG_NAMES
from napari_interpdisc.number_text import percent, signed
from napari_interpdisc.pipeline import UNSURE
from napari_interpdisc.widgets.parts.wording import cell_name
from napari_interpdisc.widgets.session import Session

Kind = Literal[
    "all", "class", "unsure", "annotated", "not annotated", "flag", "track", "wrong",
    "disagreement", "chosen", "listed",
]  # fmt: skip
Order = Literal["unsure", "sure", "score", "class", "disagreement", "track", "frame"]

ORDERS: dict[Order, str] = {
    "unsure": "least certain first",
    "sure": "most certain first",
    "score": "score, rising",
    "class": "class",
    "disagreement": "disagreement of heads",
    "track": "track",
    "frame": "frame",
}

HELD_OUT_ERRORS = "held-out errors"


@dataclass(frozen=True)
class Filter:
    """Which cells are shown.

    Attributes
    ----------
    kind
        What they have in common.
    value
        Class, flag (its bit) or annotation (a class, or "" for any) that they have.
    rows
        The cells themselves, for those that were "listed" by a click elsewhere.
    told
        What that click was on.
    """

    kind: Kind = "all"
    value: str | int = ""
    rows: tuple[int, ...] = ()
    told: str = ""


@dataclass(frozen=True)
class Marks:
    """What is known of the cells besides what the session knows.

    Attributes
    ----------
    annotated
        Class of each annotated row.
    wrong
        Class that held-out heads of the last training gave, of each row where that is another than
        the annotated one; None if there was no training that tells.
    """

    annotated: Mapping[int, str]
    wrong: Mapping[int, str] | None = None


def matching(session: Session, marks: Marks, wanted: Filter) -> npt.NDArray[np.intp]:
    """Rows of the cells that a filter lets through, rising; none without cells."""
    result = session.classification
    if result is None:
        return np.zeros(0, np.intp)
    encoding = result.encoding
    n, kind, value = len(encoding.cells), wanted.kind, wanted.value
    if kind == "class":
        at = result.classes.index(str(value)) if value in result.classes else -2
        found = (result.index == at) & ~_unsure(session)
    elif kind == "unsure":
        found = _unsure(session)
    elif kind == "flag":
        found = (encoding.flags & int(value)) > 0
    elif kind == "disagreement":
        apart = session.disagreement
        found = np.zeros(n, bool) if apart is None else np.nan_to_num(apart) > 0
    elif kind == "track":
        row = session.selected
        track = encoding.cells.track_id
        found = np.zeros(n, bool) if row is None else track == track[row]
    elif kind == "not annotated":
        found = np.ones(n, bool)
        found[list(marks.annotated)] = False
    elif kind == "all":
        found = np.ones(n, bool)
    else:
        rows: list[int] = {
            "annotated": [r for r, name in marks.annotated.items() if value in ("", name)],
            "wrong": [*(marks.wrong or ())],
            "chosen": session.chosen.tolist(),
            "listed": [*wanted.rows],
        }[kind]
        found = np.zeros(n, bool)
        found[[row for row in rows if 0 <= row < n]] = True
    return np.flatnonzero(found)


def _unsure(session: Session) -> npt.NDArray[np.bool_]:
    result = session.classification
    assert result is not None
    return np.asarray(result.confidence < session.threshold)


def ordered(session: Session, rows: npt.NDArray[np.intp], order: Order) -> npt.NDArray[np.intp]:
    """The same rows in an order; cells without pixels, and so without a score, come last."""
    result = session.classification
    if result is None or not len(rows):
        return rows
    cells, sure = result.encoding.cells, result.confidence[rows]
    t, track = cells.t[rows], cells.track_id[rows]
    keys: tuple[npt.NDArray[np.generic], ...]  # the last one counts most
    if order == "frame":
        keys = (track, t)
    elif order == "track":
        keys = (t, track)
    elif order == "class":
        index = result.index[rows]
        keys = (-sure, np.where(index < 0, len(result.classes), index))
    elif order == "score":
        keys = (result.scores[rows].max(1),)
    elif order == "disagreement":
        apart = session.disagreement
        keys = (sure,) if apart is None else (sure, -apart[rows])
    else:
        keys = (sure,) if order == "unsure" else (-sure,)
    return np.asarray(rows[np.lexsort(keys)])


def value_text(session: Session, row: int, order: Order) -> str:
    """What the order is by, of one cell, short enough for a tile."""
    result = session.classification
    if result is None or result.index[row] < 0:
        return ""
    cells = result.encoding.cells
    if order == "frame":
        return f"t {cells.t[row]}"
    if order == "track":
        return f"{cells.track_id[row]}"
    if order == "score":
        return signed(float(result.scores[row].max()), 2)
    apart = session.disagreement
    if order == "disagreement" and apart is not None:
        return percent(float(apart[row]))
    return f"{result.confidence[row]:.2f}"


def tip(session: Session, marks: Marks, row: int) -> str:
    """What is known of a cell, a line each."""
    result = session.classification
    if result is None:
        return ""
    encoding, frames = result.encoding, session.frames
    lines = [cell_name(encoding, row, frames is not None and frames.is_movie)]
    if result.index[row] >= 0:
        name, sure = result.classes[result.index[row]], float(result.confidence[row])
        lines.append(f"{result.head}: {name}, {percent(sure)} certain")
    if row in marks.annotated:
        lines.append(f"annotated: {marks.annotated[row]}")
    if marks.wrong is not None and row in marks.wrong:
        lines.append(f"held-out heads: {marks.wrong[row]}")
    if session.disagreement is not None:
        lines.append(
            f"{percent(float(np.nan_to_num(session.disagreement[row])))} of heads disagree"
        )
    if encoding.flags[row]:
        lines.append(str(encoding.reasons[row]))
    return "\n".join(lines)


def filters_of(session: Session, marks: Marks) -> list[tuple[str, Filter]]:
    """What can be chosen to be shown now, with numbers of cells."""
    result = session.classification
    if result is None:
        return [("all cells", Filter())]
    made: list[tuple[str, Filter]] = [("all cells", Filter())]
    made += [(name, Filter("class", name)) for name in result.classes]
    if session.threshold > 0:
        made.append((UNSURE, Filter("unsure")))
    if session.selected is not None:
        track = result.encoding.cells.track_id[session.selected]
        made.append((f"track {track}", Filter("track")))
    made.append(("chosen cells", Filter("chosen")))
    made.append(("annotated", Filter("annotated")))
    made.append(("not annotated", Filter("not annotated")))
    names = dict.fromkeys(marks.annotated.values())
    made += [(f"annotated: {name}", Filter("annotated", name)) for name in sorted(names)]
    if marks.wrong is not None:
        made.append((HELD_OUT_ERRORS, Filter("wrong")))
    if session.disagreement is not None:
        made.append(("heads disagree", Filter("disagreement")))
    made += [(name, Filter("flag", bit)) for bit, name in FLAG_NAMES.items()]
    if isinstance(session.listed, Filter) and session.listed.kind == "listed":
        made.append((session.listed.told, session.listed))
    return [(f"{text} ({len(matching(session, marks, one))})", one) for text, one in made]
