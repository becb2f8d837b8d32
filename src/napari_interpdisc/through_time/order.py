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
ANY = "any"


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
        chains = [" > ".join(self.classes[k] for k in chain) for chain in self._chains()]
        return ", ".join([*chains, *(f"{ANY} > {self.classes[k]}" for k in self._after_any())])

    def _after_any(self) -> list[int]:
        """Classes that may follow every other; of two classes, that says nothing."""
        if len(self.classes) <= 2:
            return []
        return [int(k) for k in np.flatnonzero(self.allowed.all(0))]

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


def default_order(classes: Sequence[str]) -> tuple[Order, str]:
    """Order of classes by their names, and a sentence on what was taken.

    Phases of mitosis follow each other in their cycle, those that are not among ``classes`` left
    out. Apoptosis may follow any other class and ends a life. If any name is not known, every class
    may follow every other.
    """
    names = tuple(classes)
    known = [name for name in CYCLE if name in names]
    ends = [name for name in names if name in ENDS]
    strange = [name for name in names if name not in CYCLE and name not in ENDS]
    if strange or len(known) < 2:
        free = Order(names, np.ones((len(names), len(names)), bool))
        why = f"'{strange[0]}' is no phase of the cell cycle" if strange else "no order is known"
        return free, f"Any class may follow any other, since {why}; give an order to restrict them."
    allowed = np.zeros((len(names), len(names)), bool)
    for before, after in zip(known, [*known[1:], known[0]], strict=True):
        allowed[names.index(before), names.index(after)] = True
    for end in ends:
        allowed[:, names.index(end)] = True
    order = Order(names, allowed)
    return order, f"Order by the names of the classes: {order.text}."


def order_of_text(text: str, classes: Sequence[str]) -> Order:
    """Order that a text such as ``A > B > C > A, any > D`` gives; ``any`` allows all changes.

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
        steps = [step for step in ARROW.split(chain.strip()) if step]
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
        for before, after in itertools.pairwise(steps):
            allowed[names.index(before), names.index(after)] = True
    absent = [name for name in names if name not in called]
    if absent:
        raise InvalidInput(
            f"The order leaves out {', '.join(absent)}; name every class, such as "
            f"'{' > '.join([*names, names[0]])}', or give '{ANY}'."
        )
    return Order(names, allowed)
