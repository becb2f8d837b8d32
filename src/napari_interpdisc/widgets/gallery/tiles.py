"""Which cells the gallery shows, in what order, and what a tile says. No Qt here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from napari_interpdisc.flags import FLAG_NAMES
from napari_interpdisc.number_text import percent, signed
from napari_interpdisc.pipeline import UNSURE, Classification
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


def matching(session: Session, marks: Marks, *wanted: Filter) -> npt.NDArray[np.intp]:
    """Rows of the cells that all filters let through, rising; none without cells."""
    result = session.classification
    if result is None:
        return np.zeros(0, np.intp)
    found = np.ones(len(result.encoding.cells), bool)
    for one in wanted:
        found &= _let_through(session, result, marks, one)
    return np.flatnonzero(found)


def combined(filters: tuple[Filter, ...], added: Filter) -> tuple[Filter, ...]:
    """Filters with one more, for cells that all of them let through.

    It takes the place of one that it contradicts, such as another class; "all" takes all away.
    """
    if added.kind == "all":
        return ()
    return (*(one for one in filters if _question(one) != _question(added)), added)


def _question(one: Filter) -> tuple[str, str | int]:
    """What a filter answers; a cell has one answer to each, but may have several flags."""
    kind = {"unsure": "class", "not annotated": "annotated"}.get(one.kind, one.kind)
    return kind, one.value if kind == "flag" else ""


def _let_through(
    session: Session, result: Classification, marks: Marks, wanted: Filter
) -> npt.NDArray[np.bool_]:
    """Whether one filter lets each cell (n,) through."""
    encoding = result.encoding
    n, kind, value = len(encoding.cells), wanted.kind, wanted.value
    found: npt.NDArray[np.bool_]
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
    return found


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


def wording(session: Session, one: Filter) -> str:
    """What a filter is called."""
    kind, value = one.kind, one.value
    result, row = session.classification, session.selected
    if kind == "track":
        if result is None or row is None:
            return "track of the selected cell"
        return f"track {result.encoding.cells.track_id[row]}"
    if kind in ("annotated", "class"):
        return f"annotated: {value}" if kind == "annotated" and value else str(value or kind)
    if kind == "flag":
        return FLAG_NAMES[int(value)]
    names = {
        "all": "all cells",
        "unsure": UNSURE,
        "chosen": "chosen cells",
        "wrong": HELD_OUT_ERRORS,
        "disagreement": "heads disagree",
        "listed": one.told,
    }
    return names.get(kind, kind)


def filters_of(
    session: Session, marks: Marks, filters: tuple[Filter, ...] = ()
) -> list[tuple[str, Filter]]:
    """What can be chosen to be shown now, with the number of cells that would be shown then.

    ``filters`` are those in use, with which it would be :func:`combined`.
    """
    result = session.classification
    if result is None:
        return [(wording(session, Filter()), Filter())]
    made = [Filter(), *(Filter("class", name) for name in result.classes)]
    if session.threshold > 0:
        made.append(Filter("unsure"))
    if session.selected is not None:
        made.append(Filter("track"))
    made += [Filter("chosen"), Filter("annotated"), Filter("not annotated")]
    made += [Filter("annotated", name) for name in sorted({*marks.annotated.values()})]
    if marks.wrong is not None:
        made.append(Filter("wrong"))
    if session.disagreement is not None:
        made.append(Filter("disagreement"))
    made += [Filter("flag", bit) for bit in FLAG_NAMES]
    if isinstance(session.listed, Filter) and session.listed.kind == "listed":
        made.append(session.listed)
    return [
        (f"{wording(session, one)} ({len(matching(session, marks, *combined(filters, one)))})", one)
        for one in made
    ]
