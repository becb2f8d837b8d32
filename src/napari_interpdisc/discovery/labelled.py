"""Labelled cells: the classes an analyst gave, checked before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.properties import NO_PROPERTIES, HeadProperties, Way

MAX_CLASSES = 20


@dataclass(frozen=True)
class Labels:
    """Which cells of a source have a label, and which.

    Attributes
    ----------
    rows
        (n,) positions in the source.
    target
        (n,) int64 position of each cell's class in ``classes``.
    group
        (n,) int64 number of the track, plate or other unit that is never split between training
        and test.
    classes
        Names of the K classes.
    """

    rows: npt.NDArray[np.intp]
    target: npt.NDArray[np.int64]
    group: npt.NDArray[np.int64]
    classes: tuple[str, ...]

    @classmethod
    def from_columns(
        cls,
        labels: npt.NDArray[Any],
        groups: npt.NDArray[Any],
        classes: Sequence[str] | None = None,
    ) -> Labels:
        """Find the labelled cells among N.

        Parameters
        ----------
        labels
            (N,) class names; empty, None and NaN mean that a cell has no label.
        groups
            (N,) track or plate of each cell.
        classes
            Classes that are wanted, in their order; cells of others count as unlabelled. All that
            occur, sorted, if left out.

        Raises
        ------
        InvalidInput
            If a wanted class does not occur, or there are too many.
        """
        values = labels
        if classes is not None:
            _, found = encode_labels(labels)
            for name in classes:
                if name not in found:
                    raise InvalidInput(
                        f"No cell has the label '{name}'; the labels are {', '.join(found)}."
                    )
            wanted = [v if str(v).strip() in classes else None for v in labels]
            values = np.array(wanted, dtype=object)
        target, names = encode_labels(values, classes)
        rows = np.flatnonzero(target >= 0)
        group = np.unique(groups[rows].astype(str), return_inverse=True)[1].astype(np.int64)
        return cls(rows, target[rows], group, names)


@dataclass(frozen=True)
class LabelledCells:
    """Annotated cells as heads see them.

    Attributes
    ----------
    latents
        (N, L) float32 posterior means of the plain crops: what heads are tested on.
    augmented
        (V, N, L) float32 posterior means of augmented crops of the same cells: what heads are
        trained on. ``latents[None]`` trains without augmentation.
    target
        (N,) int64 position of each cell's class in ``classes``; −1 for a cell of another kind,
        which is neither trained nor scored on, but whose held-out class is told.
    group
        (N,) track, plate or other unit that is never split between training and test.
    classes
        Names of the K classes.
    pairs
        Latents that rotate together when the cell rotates, as far as the model knows.
    laboratory
        (N,) number of the laboratory that each cell is from; None if all are from one. Cells of
        laboratory 0 are tested on. The others are trained on alone, as much as they: in each class
        every laboratory counts the same.
    properties, way
        Measured properties that heads may read, and in whose nuclei they were measured. Their
        values, in their own units, are the last P columns of ``latents`` and ``augmented``.
    rows
        (N,) positions of the cells among the labelled ones that were given, where some were left
        out because no nucleus was found in them; None if all are here.
    unread
        Latents that no head may read.
    keys
        (N,) name of each cell by its pixels, by which a later training knows it again; None where
        no later training asks.
    """

    latents: npt.NDArray[np.float32]
    augmented: npt.NDArray[np.float32]
    target: npt.NDArray[np.int64]
    group: npt.NDArray[np.int64]
    classes: tuple[str, ...]
    pairs: tuple[tuple[int, int], ...] = ()
    laboratory: npt.NDArray[np.int64] | None = None
    properties: tuple[str, ...] = ()
    way: Way = "built-in"
    rows: npt.NDArray[np.intp] | None = None
    keys: npt.NDArray[np.str_] | None = None
    unread: tuple[int, ...] = ()

    def __len__(self) -> int:
        """Number of cells N."""
        return len(self.target)

    @property
    def n_latents(self) -> int:
        """Number of latents L: columns before those of the properties."""
        return int(self.latents.shape[1]) - len(self.properties)

    @property
    def own_latents(self) -> npt.NDArray[np.float32]:
        """The latents (N, L) alone, without properties."""
        return self.latents[:, : self.n_latents]

    @property
    def measured(self) -> dict[str, npt.NDArray[np.float32]]:
        """The measured properties, (N,) each, by name."""
        columns = self.latents[:, self.n_latents :]
        return dict(zip(self.properties, columns.T, strict=True))

    @property
    def head_properties(self) -> HeadProperties:
        """What heads that are fitted on these cells read beside latents."""
        if not self.properties:
            return NO_PROPERTIES
        return HeadProperties.of_cells(self.properties, self.latents[:, self.n_latents :], self.way)

    @property
    def known(self) -> npt.NDArray[np.intp]:
        """Rows of the cells that have one of the classes."""
        return np.flatnonzero(self.target >= 0)

    @property
    def tested(self) -> npt.NDArray[np.bool_]:
        """Whether each cell (N,) is of the laboratory that is tested on."""
        if self.laboratory is None:
            return np.ones(len(self), bool)
        return np.asarray(self.laboratory == 0)

    def without_unread(self) -> LabelledCells:
        """The same cells with 0 for latents that no head may read: what heads are trained on."""
        if not self.unread:
            return self
        plain, augmented = self.latents.copy(), self.augmented.copy()
        for values in (plain, augmented):
            values[..., list(self.unread)] = 0
        return replace(self, latents=plain, augmented=augmented)

    def evened(self, seed: int) -> LabelledCells:
        """The same cells, rows repeated so that in each class every laboratory counts the same.

        The laboratory with the most cells of a class gives each of them once; the others repeat
        theirs as often as it takes. Cells of one laboratory come back as they are.
        """
        if self.laboratory is None:
            return self
        draw = np.random.default_rng(seed)
        rows = []
        for k in np.unique(self.target):
            of_class = self.target == k
            numbers, counts = np.unique(self.laboratory[of_class], return_counts=True)
            for number in numbers:
                own = np.flatnonzero(of_class & (self.laboratory == number))
                rows.append(np.resize(draw.permutation(own), counts.max()))
        return self.take(np.sort(np.concatenate(rows)))

    def take(self, rows: npt.ArrayLike) -> LabelledCells:
        """The cells at some rows."""
        at = np.asarray(rows)
        return replace(
            self,
            latents=self.latents[at],
            augmented=self.augmented[:, at],
            target=self.target[at],
            group=self.group[at],
            laboratory=None if self.laboratory is None else self.laboratory[at],
            rows=None if self.rows is None else self.rows[at],
            keys=None if self.keys is None else self.keys[at],
        )


def encode_labels(
    labels: Sequence[object] | npt.NDArray[np.object_], classes: Sequence[str] | None = None
) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
    """Positions (N,) of labels among the classes, −1 where there is no label, and the classes.

    Parameters
    ----------
    labels
        (N,) class names; empty, None and NaN mean that a cell has no label.
    classes
        Names in the order that positions follow; sorted names that occur if left out. With two
        classes a score ≥ 0 means the second.

    Raises
    ------
    InvalidInput
        If a label is none of ``classes``, or there are more than 20.
    """
    import pandas as pd

    column = pd.Series(list(labels), dtype=object)
    present = column.notna()
    names = column.where(present, "").map(_name)
    names = names.where(~names.str.lower().isin(["", "nan", "none", "<na>"]), "")
    found = sorted({n for n in names if n})
    order = tuple(classes) if classes is not None else tuple(found)
    unknown = [n for n in found if n not in order]
    if unknown:
        raise InvalidInput(
            f"The label '{unknown[0]}' is none of the classes {', '.join(order)}; name it as a "
            "class or correct it."
        )
    if len(order) > MAX_CLASSES:
        raise InvalidInput(
            f"There are {len(order)} different labels; at most {MAX_CLASSES} classes can be used. "
            "Is this the right column?"
        )
    place = {name: k for k, name in enumerate(order)}
    return np.array([place.get(n, -1) for n in names], dtype=np.int64), order


def check_labels(
    target: npt.NDArray[np.int64],
    group: npt.NDArray[np.int64],
    classes: Sequence[str],
    folds: int,
    group_name: str = "track",
) -> None:
    """Refuse labels that cannot be trained on and tested by group.

    Parameters
    ----------
    target, group
        (N,) class position and group of every labelled cell.
    classes
        Names of the classes.
    folds
        Number of folds of the cross-validation.
    group_name
        What a group is called in the sentence: "track", "plate".

    Raises
    ------
    InvalidInput
        For fewer than two classes, a class with fewer cells than folds, fewer than two groups, or
        a class that lies in a single group.
    """
    counts = np.bincount(target, minlength=len(classes))
    present = [name for name, n in zip(classes, counts, strict=True) if n]
    if len(present) < 2:
        have = f"all labelled cells are '{present[0]}'" if present else "no cell has a label"
        raise InvalidInput(
            f"At least two classes are needed to train, but {have}; label cells of another class."
        )
    for name, n in zip(classes, counts, strict=True):
        if n < folds:
            raise InvalidInput(
                f"Class '{name}' has {n} labelled cell{'s' if n != 1 else ''}, fewer than the "
                f"{folds} folds of the cross-validation; label more of them, or use fewer folds."
            )
    groups = len(np.unique(group))
    if groups < 2:
        raise InvalidInput(
            f"All labelled cells are on one {group_name}, so that nothing is left to test on; "
            f"label cells of other {group_name}s."
        )
    if groups < folds:
        raise InvalidInput(
            f"The labelled cells are on {groups} {group_name}s, fewer than the {folds} folds of "
            f"the cross-validation; label cells of more {group_name}s, or use fewer folds."
        )
    for k, name in enumerate(classes):
        if len(np.unique(group[target == k])) < 2:
            raise InvalidInput(
                f"All cells of class '{name}' are on one {group_name}; label some of another, so "
                "that training and test can both have them."
            )


def _name(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # a column of numbers with gaps is read as floats
    return str(value).strip()
