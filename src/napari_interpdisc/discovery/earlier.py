"""What an earlier training leaves to the next one, and what of it may be used where.

Formulas of the earlier training are where the next search begins. A formula that was found with a
cell must not be tested on it, nor on its group: the form of a formula remembers the cells that it
was chosen on, even if its constants are fitted anew. So each fold begins with formulas of that
earlier fold which held out the same groups, and groups stay in their folds from one training to the
next. Weights of networks are not carried over: from scratch they take seconds, and would leak in
the same way.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_interpdisc.discovery.labelled import LabelledCells
from napari_interpdisc.models.formula import Formula
from napari_interpdisc.training.folds import Fold

Starts = tuple[tuple[Formula, ...], ...]
"""Formulas of each search: one for two classes, or one for each class."""

KNOWN_GROUPS = 0.5
"""Share of the groups that must be known for the folds to stay as they are."""


@dataclass(frozen=True)
class Earlier:
    """Formulas of one training, and which cells each of them saw.

    Attributes
    ----------
    question
        Digest of the encoder, the classes and what heads read: another question starts anew.
    keys
        (N,) name of each cell, by its pixels.
    fold
        (N,) fold that each cell was held out of; −1 for cells that were only trained on.
    by_fold
        Formulas that were found without each fold.
    final
        Formulas that were found on all cells.
    """

    question: str
    keys: npt.NDArray[np.str_]
    fold: npt.NDArray[np.int64]
    by_fold: tuple[Starts, ...]
    final: Starts


def question_of(cells: LabelledCells, encoder_sha256: str) -> str:
    """Digest of the encoder, the classes and what heads read of a cell."""
    parts = [
        encoder_sha256, list(cells.classes), cells.latents.shape[1], list(cells.properties),
        cells.way, [list(pair) for pair in cells.pairs], list(cells.unread),
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def usable(earlier: Earlier | None, cells: LabelledCells, encoder_sha256: str) -> Earlier | None:
    """The earlier training if it answers the question that these cells ask, else None."""
    if earlier is None or cells.keys is None:
        return None
    return earlier if earlier.question == question_of(cells, encoder_sha256) else None


def folds_like(earlier: Earlier, cells: LabelledCells, folds: int) -> list[Fold] | None:
    """Folds in which every group that is known stays in its fold.

    New groups go where cells of their classes are fewest.

    Returns
    -------
    Rows of ``cells`` to train and to test on. None if folds must be drawn anew: there is another
    number of them, too few groups are known, or a fold would lack cells.
    """
    if cells.keys is None or len(earlier.by_fold) != folds:
        return None
    before = _folds_of(earlier)
    of_group: dict[int, set[int]] = {int(g): set() for g in np.unique(cells.group)}
    for key, group in zip(cells.keys, cells.group, strict=True):
        of_group[int(group)] |= before[str(key)] - {-1}
    placed = {group: next(iter(own)) for group, own in of_group.items() if len(own) == 1}
    if len(placed) < KNOWN_GROUPS * len(of_group):
        return None
    n_classes = len(cells.classes)
    counts = {
        g: np.bincount(own[own >= 0], minlength=n_classes)
        for g in of_group
        for own in [cells.target[cells.group == g]]
    }
    held = np.zeros((folds, n_classes))
    for group, fold in placed.items():
        held[fold] += counts[group]
    for group in sorted(set(of_group) - set(placed), key=lambda g: (-counts[g].sum(), g)):
        placed[group] = int(np.argmin(held @ counts[group] + 1e-6 * held.sum(1)))
        held[placed[group]] += counts[group]
    # heads of a fold need every class, and a fold without cells tests nothing
    if not held.sum(1).all() or not ((held.sum(0) - held) > 0).all():
        return None
    fold_of = np.array([placed[int(group)] for group in cells.group])
    return [(np.flatnonzero(fold_of != i), np.flatnonzero(fold_of == i)) for i in range(folds)]


def starts_of(
    earlier: Earlier, cells: LabelledCells, test: npt.NDArray[np.intp], place: int
) -> Starts:
    """Formulas that the search without fold ``place`` may begin with; none if they saw its groups.

    Parameters
    ----------
    earlier
        The earlier training.
    cells
        All labelled cells.
    test
        Rows that the fold holds out.
    place
        Which fold.
    """
    if cells.keys is None or place >= len(earlier.by_fold):
        return ()
    saw = set(earlier.keys[earlier.fold != place].tolist())
    groups: dict[str, set[int]] = defaultdict(set)
    for key, group in zip(cells.keys, cells.group, strict=True):
        groups[str(key)].add(int(group))
    held_out = set(cells.group[test].tolist())
    # the group of a cell that is gone is not known: it may be one that is held out
    if any(key not in groups or groups[key] & held_out for key in saw):
        return ()
    return earlier.by_fold[place]


def left_by(
    cells: LabelledCells,
    folds: Sequence[Fold],
    by_fold: Sequence[Sequence[Sequence[Formula]]],
    final: Sequence[Sequence[Formula]],
    encoder_sha256: str,
) -> Earlier | None:
    """What a training leaves to the next; None if cells have no keys or there are no formulas."""
    if cells.keys is None or not final:
        return None
    fold = np.full(len(cells), -1, np.int64)
    for place, (_, test) in enumerate(folds):
        fold[test] = place
    return Earlier(
        question_of(cells, encoder_sha256),
        cells.keys.astype(str),
        fold,
        tuple(tuple(map(tuple, starts)) for starts in by_fold),
        tuple(map(tuple, final)),
    )


def _folds_of(earlier: Earlier) -> dict[str, set[int]]:
    found: dict[str, set[int]] = defaultdict(set)
    for key, fold in zip(earlier.keys.tolist(), earlier.fold.tolist(), strict=True):
        found[key].add(fold)
    return found
