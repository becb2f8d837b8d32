"""The Rashomon set: all heads of one question that are about as good as the best.

Where such heads agree, the answer does not hang on which of them was chosen. Where they do not, the
data does not say which is right: those cells are worth annotating next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import Float64Array
from napari_interpdisc.discovery.recipe import head_logits
from napari_interpdisc.discovery.results import Discovery, FrontRow
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.cell_model import NO_CLASS, CellModel, NamedHead, class_index
from napari_interpdisc.models.formula import FormulaHead
from napari_interpdisc.models.heads import Head
from napari_interpdisc.models.properties import missing_properties

DELTA = 0.01
"""Balanced accuracy on held-out groups that may be given up."""


@dataclass(frozen=True)
class Member:
    """One head that may belong to the set.

    Attributes
    ----------
    name, head
        The head.
    balanced_accuracy
        On held-out groups, 0–1.
    """

    name: str
    head: Head
    balanced_accuracy: float

    @property
    def latents(self) -> tuple[int, ...]:
        """Latents that it uses."""
        return self.head.used_latents


@dataclass(frozen=True)
class RashomonSet:
    """Heads of one question within ``delta`` of the best, and how far they agree.

    Attributes
    ----------
    classes
        What they tell apart.
    members
        (M,) heads, the best first.
    delta
        Balanced accuracy that was given up at most.
    others
        Heads that were left out, and why: too far from the best.
    calls
        (M, N) class position that each member gives to each cell; −1 for cells without latents,
        or without the properties that it reads, and where its formula has no value.
    undefined
        (M, N) whether it is for the last reason; of length 0 if there are none.
    """

    classes: tuple[str, ...]
    members: tuple[Member, ...]
    delta: float
    others: tuple[Member, ...]
    calls: npt.NDArray[np.int64]
    undefined: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros((0, 0), bool))

    @property
    def agreement(self) -> Float64Array:
        """(M, M) share of cells to which two members give the same class; NaN without cells."""
        known = self.calls[:, (self.calls >= 0).all(0)]
        if not known.shape[1]:
            return np.full((len(self.members),) * 2, np.nan)
        return np.asarray((known[:, None] == known[None]).mean(2))

    @property
    def disagreement(self) -> Float64Array:
        """(N,) share of members that do not give a cell the class that most give, 0 to 1.

        NaN for cells without latents.
        """
        n_classes = len(self.classes)
        votes = np.stack([(self.calls == k).sum(0) for k in range(n_classes)])
        off = 1 - votes.max(0) / len(self.members)
        return np.asarray(np.where((self.calls >= 0).all(0), off, np.nan))

    def note(self) -> dict[str, object]:
        """Return what settings tell of the set: its heads, and how much accuracy may be lost."""
        return {"heads": [one.name for one in self.members], "delta": self.delta}

    def within(self, delta: float) -> RashomonSet:
        """Return those members that are within a smaller ``delta`` of the best.

        Raises
        ------
        InvalidInput
            If ``delta`` is not from 0 to that of this set.
        """
        if not 0 <= delta <= self.delta:
            raise InvalidInput(
                f"A loss of balanced accuracy is from 0 to {self.delta:g} here, not {delta:g}."
            )
        n = len(_inside(self.members, delta))
        others = (*self.members[n:], *self.others)
        return RashomonSet(
            self.classes, self.members[:n], delta, others, self.calls[:n], self.undefined[:n]
        )

    def sentence(self) -> str:
        """How many heads there are, and what they agree on."""
        n = len(self.members)
        told = (
            f"{n} head{'s' * (n != 1)} within {self.delta:.3g} of the best balanced accuracy "
            f"({self.members[0].balanced_accuracy:.3f})"
        )
        unclear = self.disagreement[np.isfinite(self.disagreement)]
        if n > 1 and len(unclear):
            told += f"; they agree on {(unclear == 0).mean():.1%} of {len(unclear)} cells".replace(
                "%", " %"
            )
        without = int(self.undefined.any(0).sum())
        if without:
            told += (
                f"; {without} cell{'s' * (without != 1)} for which a formula has no value "
                f"{'are' if without != 1 else 'is'} not compared"
            )
        return told + "."


def members_of_discovery(found: Discovery) -> list[Member]:
    """All heads of one training: of each kind, and every formula of the front."""
    chosen = found.heads.get("formula")
    members = [
        Member(kind, fitted.head, fitted.quality.balanced_accuracy)
        for kind, fitted in found.heads.items()
        if kind != "formula" or not found.front
    ]
    for row in sorted((*found.front, *found.dominated), key=lambda row: row.size):
        is_chosen = (
            chosen is not None
            and isinstance(chosen.head, FormulaHead)
            and chosen.head.formulas == row.head.formulas
        )
        told = f"formula of {row.size} node{'s' * (row.size != 1)}"
        name = "formula" if is_chosen else told
        members.append(Member(name, row.head, row.quality.balanced_accuracy))
    return members


def true_front(rows: Sequence[FrontRow]) -> tuple[tuple[FrontRow, ...], tuple[FrontRow, ...]]:
    """Formulas that no smaller one equals on held-out groups, and those that one does.

    The measures are those of the table that is shown: nodes, and balanced accuracy on held-out
    groups. Both come back from small to large.
    """
    front: list[FrontRow] = []
    dominated: list[FrontRow] = []
    for row in sorted(rows, key=lambda row: (row.size, -row.quality.balanced_accuracy)):
        worse = front and row.quality.balanced_accuracy <= front[-1].quality.balanced_accuracy
        (dominated if worse else front).append(row)
    return tuple(front), tuple(dominated)


def default_row(front: Sequence[FrontRow]) -> int:
    """Place of the formula that is used unless somebody picks another.

    It is the smallest whose balanced accuracy on held-out groups is within the 95 % interval of the
    best one's: the data do not say that a larger one is better.

    Parameters
    ----------
    front
        Formulas from small to large; at least one.
    """
    best = max(front, key=lambda row: row.quality.balanced_accuracy).quality
    least = min(best.interval[0], best.balanced_accuracy)
    return next(i for i, row in enumerate(front) if row.quality.balanced_accuracy >= least)


def members_of_model(model: CellModel, head: str | None = None) -> list[Member]:
    """All heads of a stored model that answer the same question as one of them.

    They do if they tell the same classes apart and were tested on the same labelled cells.

    Raises
    ------
    InvalidInput
        If it was not stored how the head did on held-out groups.
    """
    named = model.head(head)
    if named.evidence is None:
        raise InvalidInput(
            f"'{model.name}' does not say how head '{named.name}' did on held-out groups; train "
            "it again with this release."
        )
    return [
        Member(one.name, one.head, one.evidence.balanced_accuracy)
        for one in model.heads.values()
        if one.evidence is not None and _question(one) == _question(named)
    ]


def _question(named: NamedHead) -> tuple[object, ...]:
    assert named.evidence is not None
    sums = tuple(sum(row) for row in named.evidence.confusion)
    return named.classes, sums, named.evidence.group_name


def rashomon_set(
    members: Sequence[Member],
    classes: tuple[str, ...],
    latents: npt.ArrayLike,
    delta: float = DELTA,
    measured: Mapping[str, npt.NDArray[np.floating]] | None = None,
) -> RashomonSet:
    """Find the heads within ``delta`` of the best, and what each calls every cell.

    Parameters
    ----------
    members
        Heads of one question.
    classes
        What they tell apart.
    latents
        (N, L) posterior means of cells, which need no label; rows of NaN get no call.
    delta
        Balanced accuracy that may be given up, 0–1.
    measured
        Properties of the cells by name, (N,) each: needed where a head reads some.

    Raises
    ------
    InvalidInput
        If there is no head, ``delta`` is not from 0 to 1, or a head reads properties that are not
        given.
    """
    if not members:
        raise InvalidInput("There is no head to compare; train some first.")
    if not 0 <= delta <= 1:
        raise InvalidInput(f"A loss of balanced accuracy is from 0 to 1, not {delta:g}.")
    ranked = sorted(members, key=lambda member: -member.balanced_accuracy)
    inside = _inside(ranked, delta)
    z = np.asarray(latents, np.float32)
    has_latents = np.isfinite(z).all(1)
    calls = np.full((len(inside), len(z)), NO_CLASS, np.int64)
    undefined = np.zeros(calls.shape, bool)
    for row, without, member in zip(calls, undefined, inside, strict=True):
        known = has_latents.copy()
        if len(member.head.properties):
            known &= ~missing_properties(member.head.properties.columns(measured))
        some = {name: np.asarray(values)[known] for name, values in (measured or {}).items()}
        if known.any():
            row[known] = class_index(head_logits(member.head, z[known], some))
            without[known] = row[known] == NO_CLASS
    return RashomonSet(classes, inside, delta, tuple(ranked[len(inside) :]), calls, undefined)


def _inside(ranked: Sequence[Member], delta: float) -> tuple[Member, ...]:
    """Those of members, the best first, that are within ``delta`` of the best."""
    least = ranked[0].balanced_accuracy - delta - 1e-9
    return tuple(member for member in ranked if member.balanced_accuracy >= least)
