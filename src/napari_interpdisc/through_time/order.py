"""Which class may follow which: the order of states that a cell goes through."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_interpdisc._types import BoolArray
from napari_interpdisc.errors import InvalidInput

CYCLE = ("Interphase", "Prophase", "Prometaphase", "Metaphase", "Anaphase", "Telophase")
"""Names of classes whose order is known; after the last comes the first."""

ENDS = ("Apoptosis", "Apoptotic", "Dead")
"""Names of classes that a cell may enter from any other, and does not leave."""

ARROW = re.compile(r"\s*(?:→|->|>)\s*")
ANY, SKIPPING = "any", ">>"


def place_of(name: str) -> tuple[int, str]:
    """Where a class stands among others: phases of mitosis in their order, then by name."""
    return (CYCLE.index(name) if name in CYCLE else len(CYCLE)), name


def _skipping(classes: Sequence[str], chain: Sequence[str]) -> BoolArray:
    """Changes (K, K) from each class of a chain to all later ones."""
    allowed = np.zeros((len(classes), len(classes)), bool)
    for before, after in itertools.combinations(chain, 2):
        allowed[classes.index(before), classes.index(after)] = True
    return allowed


@dataclass(frozen=True)
class Order:
    """Classes and the changes between them that are allowed; a class may always last.

    Attributes
    ----------
    classes
        K names.
    allowed
        (K, K) whether the class of the column may follow that of the row; True on the diagonal.
    """

    classes: tuple[str, ...]
    allowed: BoolArray

    def __post_init__(self) -> None:
        """Let every class last."""
        allowed = np.array(self.allowed, bool)
        np.fill_diagonal(allowed, True)
        object.__setattr__(self, "allowed", allowed)

    @property
    def is_free(self) -> bool:
        """Whether every class may follow every other."""
        return bool(self.allowed.all())

    @property
    def text(self) -> str:
        """The order as :func:`order_of_text` reads it: ``A > B > A``, or ``any``."""
        if self.is_free and len(self.classes) > 2:
            return ANY
        for names in (self.classes, tuple(sorted(self.classes, key=place_of))):
            cycle = [name for name in names if self.classes.index(name) not in self._after_any()]
            skipping = _skipping(self.classes, [*cycle, *cycle[:1]])
            for k in self._after_any():
                skipping[:, k] = True
            np.fill_diagonal(skipping, True)
            if len(cycle) > 2 and np.array_equal(skipping, self.allowed):
                chain = f" {SKIPPING} ".join([*cycle, cycle[0]])
                return ", ".join([chain, *self._from_any()])
        chains = [" > ".join(self.classes[k] for k in chain) for chain in self._chains()]
        return ", ".join([*chains, *self._from_any()])

    def _from_any(self) -> list[str]:
        return [f"{ANY} > {self.classes[k]}" for k in self._after_any()]

    def _after_any(self) -> list[int]:
        """Classes that may follow every other, and that none may follow."""
        if len(self.classes) <= 2:
            return []
        ends = self.allowed.all(0) & (self.allowed.sum(1) == 1)
        return [int(k) for k in np.flatnonzero(ends)]

    def _chains(self) -> list[list[int]]:
        """Walks that take each allowed change once, but those from any class."""
        left = {
            (int(a), int(b))
            for a, b in np.argwhere(self.allowed)
            if a != b and int(b) not in self._after_any()
        }
        chains: list[list[int]] = []
        while left:
            chain = [min(left)[0]]
            while following := sorted(b for a, b in left if a == chain[-1]):
                # onwards in the list before back to its start
                after = [b for b in following if b > chain[-1]] or following
                left.remove((chain[-1], after[0]))
                chain.append(after[0])
            chains.append(chain)
        named = {k for chain in chains for k in chain} | set(self._after_any())
        never = set(range(len(self.classes))) - named
        return chains + [[k] for k in sorted(never)]


def default_order(classes: Sequence[str], skip: bool = True) -> tuple[Order, str]:
    """Order of classes by their names, and a sentence on what was taken.

    Phases of mitosis follow each other in their cycle. With ``skip``, any of them may be skipped:
    one that is shorter than the time between frames is often not seen. Apoptosis may follow any
    other class and ends a life. If any name is not known, every class may follow every other.
    """
    names = tuple(classes)
    known = [name for name in CYCLE if name in names]
    ends = [name for name in names if name in ENDS]
    strange = [name for name in names if name not in CYCLE and name not in ENDS]
    if strange or len(known) < 2:
        free = Order(names, np.ones((len(names), len(names)), bool))
        why = f"'{strange[0]}' is no phase of the cell cycle" if strange else "no order is known"
        return free, f"Any class may follow any other, since {why}; give an order to restrict them."
    allowed = _skipping(names, [*known, known[0]])
    if not skip:
        steps = [_skipping(names, pair) for pair in itertools.pairwise([*known, known[0]])]
        allowed = np.logical_or.reduce(steps)
    for end in ends:
        allowed[:, names.index(end)] = True
    order = Order(names, allowed)
    skipped = "; >> means that phases between may be skipped" if SKIPPING in order.text else ""
    return order, f"Order by the names of the classes: {order.text}{skipped}."


def order_of_text(text: str, classes: Sequence[str]) -> Order:
    """Order that a text such as ``A > B > C > A, any > D`` gives; ``any`` allows all changes.

    In ``A >> B >> C``, each class may be followed by all later ones: B may be skipped.

    Raises
    ------
    InvalidInput
        If it names another class, or leaves one out.
    """
    names = tuple(classes)
    allowed = np.zeros((len(names), len(names)), bool)
    if text.strip().lower() == ANY:
        return Order(names, ~allowed)
    called: set[str] = set()
    for chain in text.split(","):
        skips = SKIPPING in chain
        steps = [step for step in ARROW.split(chain.replace(SKIPPING, ">").strip()) if step]
        for step in steps:
            if step not in (*names, ANY) or (step == ANY and steps.index(step) != 0):
                raise InvalidInput(
                    f"The order names '{step or chain}', which is no class; they are "
                    f"{', '.join(names)}."
                )
        if steps[:1] == [ANY]:
            if len(steps) != 2:
                raise InvalidInput(f"'{chain.strip()}': give '{ANY}' one class that may follow.")
            allowed[:, names.index(steps[1])] = True
            called.add(steps[1])
            continue
        called |= set(steps)
        if skips:
            allowed |= _skipping(names, steps)
        for before, after in itertools.pairwise(steps):
            allowed[names.index(before), names.index(after)] = True
    absent = [name for name in names if name not in called]
    if absent:
        raise InvalidInput(
            f"The order leaves out {', '.join(absent)}; name every class, such as "
            f"'{' > '.join([*names, names[0]])}', or give '{ANY}'."
        )
    return Order(names, allowed)
