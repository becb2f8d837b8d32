"""Stages of a training: what is worked on, how long it still takes, and what is ready.

A training hands these events to whoever asked for them, in the order in which they happen. They are
frozen, so that a window can show them while the training goes on in its thread.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from napari_interpdisc.discovery.results import Discovery
from napari_interpdisc.models.formula import FormulaHead

StageName = Literal["cells", "dense", "sparse", "formula", "curve"]

TITLES: dict[StageName, str] = {
    "cells": "Augmenting the cells",
    "dense": "Dense heads",
    "sparse": "Sparse heads",
    "formula": "Formulas",
    "curve": "Learning curve",
}


@dataclass(frozen=True)
class StageBegan:
    """A stage has begun.

    Attributes
    ----------
    name
        Which one.
    first, last
        What progress says at its beginning and at its end.
    parts
        Equal pieces of work in it: trainings, or augmentations.
    """

    name: StageName
    first: int
    last: int
    parts: int

    @property
    def title(self) -> str:
        """What it is called."""
        return TITLES[self.name]

    def share(self, done: int) -> float:
        """Share of the stage, 0–1, that is done when progress says ``done``."""
        return min(max((done - self.first) / max(self.last - self.first, 1), 0.0), 1.0)

    def seconds_left(self, share: float, elapsed: float) -> float | None:
        """Time that the stage still takes, s; None while nobody knows.

        Nobody knows before one of its equal parts is done: part of a training says little of the
        whole, because its steps differ in length.
        """
        if self.parts < 2 or share < 1 / self.parts or not 0 < share < 1:
            return None
        return elapsed * (1 - share) / share


@dataclass(frozen=True)
class HeadsTested:
    """Heads of one more kind were tested on held-out groups and can be used.

    Attributes
    ----------
    found
        All that is ready so far: a result in its own right.
    """

    found: Discovery


@dataclass(frozen=True)
class FoundFormula:
    """A formula that was found on all labelled cells, and is not yet tested.

    Attributes
    ----------
    head, size
        One formula, or one per class, and its nodes.
    training_balanced_accuracy
        On the cells that it was fitted to: no figure to trust it by.
    """

    head: FormulaHead
    size: int
    training_balanced_accuracy: float


@dataclass(frozen=True)
class FormulasFound:
    """Formulas came up; held-out groups will say what they are worth.

    Attributes
    ----------
    rows
        From small to large.
    """

    rows: tuple[FoundFormula, ...]


Event = StageBegan | HeadsTested | FormulasFound
OnStage = Callable[[Event], None]


def ignored(event: Event) -> None:
    """Tell nobody."""


def told_time(seconds: float | None) -> str:
    """Remaining time in words, rounded as it deserves: ``about 40 s left``; "" if unknown."""
    if seconds is None:
        return ""
    if seconds < 5:
        return "a few seconds left"
    if seconds < 90:
        return f"about {round(seconds / 5) * 5} s left"
    return f"about {round(seconds / 60)} min left"
