"""Classes that the analyst gives to cells, and which cells have which. No Qt, no layers here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
from psygnal import Signal

from napari_interpdisc.cells import CellTable
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.pipeline import UNSURE

MAX_CLASSES = 20
FIRST_CLASSES = ("class 1", "class 2")
"""What there is to begin with."""

KEYS = 9
"""Classes that have a key, 1 to 9."""

UNDO_STEPS = 200
NO_ROW = -1

Key = tuple[str, int, float, float, str]
"""Movie, frame, place and label of a cell: whose label was kept, in later trainings too."""


@dataclass(frozen=True)
class Mark:
    """One annotated cell.

    Attributes
    ----------
    name
        Its class.
    t, y, x, track_id
        Where it is, in image pixels.
    row
        Its row among the present cells; −1 if it is none of them.
    """

    name: str
    t: int
    y: float
    x: float
    track_id: int
    row: int = NO_ROW


class Annotations:
    """Named classes and the cells that have them; each change can be undone.

    Attributes
    ----------
    classes
        Names, in the order of their keys and colours.
    marks
        The annotated cells, at most one mark for each cell.
    kept
        Labels that were looked at again and found right.
    """

    changed = Signal()

    def __init__(self) -> None:
        self.classes: tuple[str, ...] = ()
        self.marks: tuple[Mark, ...] = ()
        self.kept: frozenset[Key] = frozenset()
        self._history: list[tuple[tuple[str, ...], tuple[Mark, ...], frozenset[Key]]] = []

    def start_with(self, *names: str) -> None:
        """Begin anew with classes that no cell has; this is not a change to undo."""
        self.replace_all(names, (), undoable=False)

    # -- classes --------------------------------------------------------------------------------

    def add_class(self, name: str = "") -> str:
        """Add a class, with a name of its own if none is given; returns the name."""
        if not name:
            taken = {n.casefold() for n in self.classes}
            name = next(f"class {k}" for k in range(1, 99) if f"class {k}" not in taken)
        if len(self.classes) >= MAX_CLASSES:
            raise InvalidInput(f"There can be at most {MAX_CLASSES} classes.")
        name = self._checked(name, self.classes)
        self._set((*self.classes, name), self.marks)
        return name

    def rename_class(self, old: str, new: str) -> None:
        """Rename a class and what is marked with it."""
        if " ".join(new.split()) == old:
            return
        new = self._checked(new, [name for name in self.classes if name != old])
        self._set(
            tuple(new if name == old else name for name in self.classes),
            tuple(replace(m, name=new) if m.name == old else m for m in self.marks),
        )

    def remove_class(self, name: str) -> int:
        """Remove a class with its annotations; returns how many they were."""
        kept = tuple(m for m in self.marks if m.name != name)
        gone = len(self.marks) - len(kept)
        self._set(tuple(n for n in self.classes if n != name), kept)
        return gone

    def _checked(self, name: str, others: Iterable[str]) -> str:
        name = " ".join(name.split())
        if not name:
            raise InvalidInput("A class needs a name.")
        if name.casefold() == UNSURE:
            raise InvalidInput(f"'{UNSURE}' is what uncertain cells are called; use another name.")
        if name.casefold() in {other.casefold() for other in others}:
            raise InvalidInput(f"There is a class '{name}' already; use another name.")
        return name

    # -- cells ----------------------------------------------------------------------------------

    def annotate(
        self, cells: CellTable, names: Mapping[int, str], order: Sequence[str] = ()
    ) -> None:
        """Give cells, by row, a class each; what they had before is replaced.

        Classes that are not there yet are added in the given ``order``.
        """
        kept = tuple(m for m in self.marks if m.row not in names)
        new = tuple(
            Mark(
                name,
                int(cells.t[row]),
                float(cells.yx[row, 0]),
                float(cells.yx[row, 1]),
                int(cells.track_id[row]),
                int(row),
            )
            for row, name in names.items()
        )
        used = [*order, *names.values()]
        unknown = dict.fromkeys(name for name in used if name not in self.classes)
        if len(self.classes) + len(unknown) > MAX_CLASSES:
            raise InvalidInput(
                f"With these there would be {len(self.classes) + len(unknown)} classes; there can "
                f"be at most {MAX_CLASSES}."
            )
        self._set((*self.classes, *unknown), (*kept, *new))

    def remove(self, *rows: int) -> int:
        """Remove the annotations of cells; returns how many there were."""
        gone = set(rows)
        kept = tuple(m for m in self.marks if m.row not in gone)
        n = len(self.marks) - len(kept)
        self._set(self.classes, kept)
        return n

    def keep_label(self, key: Key, wanted: bool = True) -> None:
        """Take the label of a cell for right, or ask about it again."""
        kept = self.kept | {key} if wanted else self.kept - {key}
        self._set(self.classes, self.marks, kept=kept)

    def undo(self) -> bool:
        """Take the last change back; whether there was one."""
        if not self._history:
            return False
        self.classes, self.marks, self.kept = self._history.pop()
        self.changed.emit()
        return True

    @property
    def can_undo(self) -> bool:
        """Whether there is a change to take back."""
        return bool(self._history)

    def _set(
        self,
        classes: tuple[str, ...],
        marks: tuple[Mark, ...],
        new_names: bool = False,
        kept: frozenset[Key] | None = None,
    ) -> None:
        if new_names:
            classes = tuple(dict.fromkeys([*classes, *(m.name for m in marks)]))
        kept = self.kept if kept is None else kept
        before = (self.classes, self.marks, self.kept)
        if (classes, marks, kept) == before:
            return
        self._history = [*self._history[1 - UNDO_STEPS :], before]
        self.classes, self.marks, self.kept = classes, marks, kept
        self.changed.emit()

    # -- cells that come and go -----------------------------------------------------------------

    def replace_all(
        self, classes: Sequence[str], marks: Iterable[Mark], undoable: bool = True
    ) -> None:
        """Take over classes and marks, as from a layer; classes that only marks name are added."""
        found = tuple(marks)
        names = tuple(dict.fromkeys([*classes, *(m.name for m in found)]))
        if undoable:
            self._set(names, found)
            return
        self.classes, self.marks, self._history = names, found, []
        self.changed.emit()

    def edit(self, marks: Iterable[Mark], cells: CellTable, within: float) -> None:
        """Take over marks that were changed by hand, each with the cell that it is near now."""
        self._set(self.classes, match_marks(marks, cells, within), new_names=True)

    def match(self, cells: CellTable | None, within: float) -> int:
        """Find the marks' rows among new cells; returns how many are near none.

        What was done before can no longer be undone: its rows meant other cells.
        """
        found = match_marks(self.marks, cells, within)
        self.replace_all(self.classes, found, undoable=False)
        return sum(m.row == NO_ROW for m in found)

    # -- what is told ---------------------------------------------------------------------------

    @property
    def by_row(self) -> dict[int, str]:
        """Class of each annotated cell that is present, by row."""
        return {m.row: m.name for m in self.marks if m.row != NO_ROW}

    def counts(self) -> dict[str, tuple[int, int]]:
        """Numbers of cells and of tracks, by class."""
        marks = {name: [m for m in self.marks if m.name == name] for name in self.classes}
        return {name: (len(ms), len({m.track_id for m in ms})) for name, ms in marks.items()}

    def labelled(self) -> tuple[npt.NDArray[np.int64], list[str]]:
        """Rows of the annotated cells that are present, rising, and their classes."""
        by_row = self.by_row
        rows = sorted(by_row)
        return np.array(rows, dtype=np.int64), [by_row[row] for row in rows]

    def to_frame(self) -> pd.DataFrame:
        """One row per mark: t, y, x, track_id, class."""
        return pd.DataFrame(
            [(m.t, m.y, m.x, m.track_id, m.name) for m in self.marks],
            columns=["t", "y", "x", "track_id", "class"],
        ).astype({"t": np.int64, "y": float, "x": float, "track_id": np.int64, "class": object})


def match_marks(marks: Iterable[Mark], cells: CellTable | None, within: float) -> tuple[Mark, ...]:
    """Marks with row, place and track of the nearest cell of their frame, −1 beyond ``within``.

    Where two marks are nearest to the same cell, the later one is kept.
    """
    found: dict[object, Mark] = {}
    rows_at: dict[int, npt.NDArray[np.intp]] = {}
    for i, mark in enumerate(marks):
        row = NO_ROW
        if cells is not None:
            if mark.t not in rows_at:
                rows_at[mark.t] = np.flatnonzero(cells.t == mark.t)
            rows = rows_at[mark.t]
            if len(rows):
                distance = np.hypot(*(cells.yx[rows] - (mark.y, mark.x)).T)
                best = int(distance.argmin())
                row = int(rows[best]) if distance[best] <= within else NO_ROW
        if cells is None or row == NO_ROW:
            found["none", i] = replace(mark, row=NO_ROW)
            continue
        found.pop(row, None)
        y, x = cells.yx[row].tolist()
        found[row] = Mark(mark.name, mark.t, y, x, int(cells.track_id[row]), row)
    return tuple(found.values())
