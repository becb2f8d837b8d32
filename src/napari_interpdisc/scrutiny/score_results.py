"""What the scorecard found: rows, verdicts and tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import Float32Array
from napari_interpdisc.scrutiny.shortcut import Shortcut

if TYPE_CHECKING:
    import pandas as pd

SHORTCUT = ("shortcut", "latents of the surroundings change the class before the cell's do")
"""Constraint and name of the shortcut index in tables."""


FEW = 0.05
"""Share of simulated cells that are not called like most, below which factors say little."""


@dataclass(frozen=True)
class ScoreRow:
    """What one change did to N cells.

    Attributes
    ----------
    constraint, name, limit
        As in :class:`napari_interpdisc.scrutiny.score_tests.Test`.
    changed
        Share of cells, 0–1, whose class changes, over all variants; NaN if none could be tested.
    interval
        Its 95 % bootstrap interval, groups drawn again; NaN for one group.
    of_class
        The same for the cells of each class, by the class before; NaN where there are none.
    clean, crowded
        The same for cells with room around them and for crowded ones; NaN where there are none.
    score_change
        Mean |Δ| of the score on the side of the class before.
    worst
        Rows of the cells that change most, worst first: those that change class, then those whose
        score falls most. Rows of the cells that were tested, or of the simulated ones.
    worst_crops
        (W, 1, S, S) the changed crops of these.
    cells, left_out
        Cells that this test was made on, and those on which it could not be.
    """

    constraint: str
    name: str
    limit: float | None
    changed: float
    interval: tuple[float, float]
    of_class: dict[str, float]
    clean: float
    crowded: float
    score_change: float
    worst: tuple[int, ...]
    worst_crops: Float32Array
    cells: int = 0
    left_out: int = 0

    @property
    def passed(self) -> bool | None:
        """Whether it is within its limit; None if nothing is asked, or nothing was tested."""
        if self.limit is None or np.isnan(self.changed):
            return None
        return self.changed <= self.limit

    def sentence(self) -> str:
        """Verdict in a sentence."""
        if np.isnan(self.changed):
            return f"{self.name}: this can be done to none of the {self.left_out} cells."
        told = f"{self.name}: {_percent(self.changed)} of the classes change"
        if np.isfinite(self.interval[0]):
            told += f" [{_percent(self.interval[0])}, {_percent(self.interval[1])}]"
        if self.left_out:
            told += f" of the {self.cells} cells that it can be done to ({self.left_out} left out)"
        told += self._of_most()
        if self.limit is None:
            return told + "."
        word = "at most" if self.passed else "but at most"
        verdict = "passed" if self.passed else "failed"
        if not self.passed and self.interval[0] <= self.limit:
            verdict += ", though the interval reaches what is allowed: more cells would tell"
        return f"{told}, {word} {100 * self.limit:g} % may: {verdict}."

    def _of_most(self) -> str:
        """The class whose cells change at least twice as often as all, if there is one."""
        known = {name: share for name, share in self.of_class.items() if np.isfinite(share)}
        if not known or not self.changed:
            return ""
        name = max(known, key=lambda each: known[each])
        if known[name] < 2 * self.changed:
            return ""
        return f" (of {name} {_percent(known[name])})"


@dataclass(frozen=True)
class SimulatedScore:
    """What was found on simulated cells, which are not real cells.

    Attributes
    ----------
    rows
        One for each factor. Their ``worst`` are rows of ``crops``; ``crowded`` cells have a
        neighbour.
    calls
        Number of simulated cells of each class.
    crops
        (N, 1, S, S) the cells before any change.
    """

    rows: tuple[ScoreRow, ...]
    calls: dict[str, int]
    crops: Float32Array

    @property
    def failed(self) -> list[ScoreRow]:
        """Factors beyond their limit, worst first."""
        return _failed(self.rows)

    def sentences(self) -> list[str]:
        """Which classes simulated cells are given, and what changes them, worst first."""
        n = sum(self.calls.values())
        if not n:
            return ["In no simulated cell was found what the head reads: nothing was tested."]
        shares = ", ".join(f"{100 * count / n:.0f} % {name}" for name, count in self.calls.items())
        told = f"{n} simulated cells, which are not real cells, are called {shares}"
        others = n - max(self.calls.values())
        if not others:
            return [f"{told}: all alike, so that their factors say nothing of this head."]
        if others < FEW * n:
            told += " (nearly all alike, so that their factors say little)"
        told += f"; {_passed(self.rows)} factors that must not matter passed."
        may = [row for row in self.rows if row.limit is None]
        return [
            told,
            *(f"{row.constraint}: {row.sentence()}" for row in [*self.failed, *may]),
        ]


@dataclass(frozen=True)
class Scorecard:
    """All tests of one head.

    Attributes
    ----------
    model, head, classes
        What was tested.
    rows
        The tests of the given cells, in order.
    cells, left_out, groups
        Numbers of cells that were tested, of those that were not, and of groups.
    calls
        Number of cells of each class.
    shortcut
        Attacks on the latents of cell and surroundings; None if they were not asked for, or for a
        classifier without latents.
    remark
        What makes the whole meaningless, such as a head that calls all cells alike; or empty.
    notes
        Sentences on what could not be tested.
    simulated
        What was found on simulated cells; None if they were not asked for.
    at_edge
        Of those that were left out, the cells that the edge of the image may cut. The others have
        no reliable mask.
    """

    model: str
    head: str
    classes: tuple[str, ...]
    rows: tuple[ScoreRow, ...]
    cells: int
    left_out: int
    groups: int
    calls: dict[str, int]
    shortcut: Shortcut | None
    remark: str = ""
    notes: tuple[str, ...] = ()
    simulated: SimulatedScore | None = None
    at_edge: int = 0

    @property
    def failed(self) -> list[ScoreRow]:
        """Tests of the given cells beyond their limit, worst first."""
        return _failed(self.rows)

    @property
    def why_left_out(self) -> str:
        """How many cells were left out, and why."""
        parts = {
            "without a reliable mask": self.left_out - self.at_edge,
            "at the edge of the image": self.at_edge,
        }
        told = " and ".join(f"{count} {reason}" for reason, count in parts.items() if count)
        return f"{told} left out" if told else "none left out"

    @property
    def shortcut_row(self) -> ScoreRow | None:
        """The shortcut index as one more row of a table; None if there is none."""
        found, nothing = self.shortcut, float("nan")
        if found is None:
            return None
        none = np.zeros((0, 1, 1, 1), np.float32)
        return ScoreRow(
            *SHORTCUT, found.limit, found.index, found.interval, {}, nothing, nothing, nothing,
            found.worst, none, len(found.first),
        )  # fmt: skip

    @property
    def table_rows(self) -> tuple[ScoreRow, ...]:
        """What a table shows: the tests of the given cells, the index, and simulated factors."""
        more = (self.shortcut_row,) if self.shortcut_row is not None else ()
        return (*self.rows, *more, *self.all_rows[len(self.rows) :])

    @property
    def all_rows(self) -> tuple[ScoreRow, ...]:
        """The tests of the given cells, and those of simulated ones."""
        return self.rows + (self.simulated.rows if self.simulated is not None else ())

    def to_frame(self, names: Sequence[str] | None = None) -> pd.DataFrame:
        """One row per test, its figures as plain columns; the shortcut index is one of them.

        ``names`` are what the N tested cells are called; their numbers if left out.
        """
        import pandas as pd

        called = [str(i) for i in range(self.cells)] if names is None else list(names)
        rows = [_plain(self, row, called) for row in self.rows]
        if self.shortcut_row is not None and self.shortcut is not None:
            around, own = self.shortcut.medians
            rows.append(
                {
                    **_plain(self, self.shortcut_row, called),
                    "median_epsilon_surroundings": around,
                    "median_epsilon_cell": own,
                    "random_split": self.shortcut.chance,
                    "changed_within_1": self.shortcut.reached,
                }
            )
        if self.simulated is not None:
            told = [f"simulated {i}" for i in range(len(self.simulated.crops))]
            rows += [_plain(self, row, told) for row in self.simulated.rows]
        return pd.DataFrame(rows)

    def sentences(self) -> list[str]:
        """What was found, worst first."""
        told = [self.remark] if self.remark else []
        cells = f"{self.cells} cell{'s' * (self.cells != 1)}"
        told += [
            f"{self.head} of {self.model}: {_passed(self.rows)} tests of these cells passed on "
            f"{cells} ({self.why_left_out})."
        ]
        if self.left_out > self.cells:
            told.append(
                "Most of the cells could not be tested: check the diameter and the channel, or "
                "give a segmentation."
            )
        told += self.notes
        told += [f"{row.constraint}: {row.sentence()}" for row in self.failed]
        told += [f"{row.constraint}: {row.sentence()}" for row in self.rows if not row.cells]
        if self.shortcut is not None:
            told.append(self.shortcut.sentence())
        if self.simulated is not None:
            told += self.simulated.sentences()
        return told


def cell_names(track_id: npt.ArrayLike, t: npt.ArrayLike) -> list[str]:
    """What to call cells (N,) of a movie, in tables and pictures: ``track 12, t 3``."""
    pairs = zip(np.asarray(track_id).tolist(), np.asarray(t).tolist(), strict=True)
    return [f"track {track}, t {time}" for track, time in pairs]


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _failed(rows: Sequence[ScoreRow]) -> list[ScoreRow]:
    return sorted((row for row in rows if row.passed is False), key=lambda row: -row.changed)


def _passed(rows: Sequence[ScoreRow]) -> str:
    """How many of the rows with a limit are within it: ``3 of 5``."""
    asked = [row.passed for row in rows if row.passed is not None]
    return f"{sum(asked)} of {len(asked)}"


def markdown(cards: Sequence[Scorecard]) -> str:
    """Table of changed classes, %, with 95 % intervals: tests by heads; bold beyond the limit.

    The shortcut index is a row of it. Classifiers without latents have none.
    """
    lines = [
        "| constraint | what is changed | allowed | " + " | ".join(c.head for c in cards) + " |",
        "|---" * (3 + len(cards)) + "|",
    ]

    def line(constraint: str, name: str, limit: float | None, told: list[str]) -> str:
        allowed = "–" if limit is None else f"{100 * limit:g}"
        return f"| {constraint} | {name} | {allowed} | {' | '.join(told)} |"

    first = cards[0]
    for n, row in enumerate(first.rows):
        lines.append(
            line(row.constraint, row.name, row.limit, [_share(card.rows[n]) for card in cards])
        )
    index = next((card.shortcut_row for card in cards if card.shortcut_row is not None), None)
    if index is not None:
        told = [_share(card.shortcut_row) for card in cards]
        lines.append(line(index.constraint, index.name, index.limit, told))
    for n, row in enumerate(first.simulated.rows if first.simulated is not None else ()):
        told = [_share(card.simulated.rows[n]) if card.simulated else "–" for card in cards]
        lines.append(line(row.constraint, row.name, row.limit, told))
    return "\n".join(lines) + "\n"


def _share(row: ScoreRow | None) -> str:
    if row is None or np.isnan(row.changed):
        return "–"
    low, high = row.interval
    told = f"{100 * row.changed:.1f}"
    if np.isfinite(low):
        told += f" [{100 * low:.1f}, {100 * high:.1f}]"
    return f"**{told}**" if row.passed is False else told


def _plain(card: Scorecard, row: ScoreRow, names: Sequence[str]) -> dict[str, Any]:
    of_class = {f"changed_{name}": value for name, value in row.of_class.items()}
    return {
        "head": card.head,
        "constraint": row.constraint,
        "test": row.name,
        "changed": row.changed,
        "low": row.interval[0],
        "high": row.interval[1],
        "limit": row.limit,
        "passed": row.passed,
        "cells": row.cells,
        "left_out": row.left_out,
        **of_class,
        "clean": row.clean,
        "crowded": row.crowded,
        "score_change": row.score_change,
        "worst": "; ".join(names[i] for i in row.worst),
    }
