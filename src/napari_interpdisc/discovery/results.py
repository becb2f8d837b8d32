"""What a training on labelled cells found: frozen results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import Float32Array
from napari_interpdisc.discovery.earlier import Earlier
from napari_interpdisc.discovery.quality import Quality
from napari_interpdisc.models.cell_model import TrainingMovie, class_index
from napari_interpdisc.models.formula import FormulaHead, latex_words
from napari_interpdisc.models.heads import Head

Kind = Literal["dense", "sparse", "formula"]
KINDS: tuple[Kind, ...] = ("dense", "sparse", "formula")


@dataclass(frozen=True)
class FittedHead:
    """A head fitted on all labelled cells, and how its kind did on cells held out.

    Attributes
    ----------
    kind, head
        What it is; the head itself was fitted on all cells.
    quality
        Of heads fitted in the same way without the fold that they were tested on.
    logits
        (N, 1) for two classes, else (N, K): what those heads gave to each cell that is tested on,
        times the calibration factor that was fitted on the other folds. A formula is a row of the
        front, and these are the logits behind that row's figure.
    """

    kind: Kind
    head: Head
    quality: Quality
    logits: Float32Array

    @property
    def predicted(self) -> npt.NDArray[np.int64]:
        """(N,) class position of each held-out cell, by heads that did not see its group."""
        return class_index(self.logits)


@dataclass(frozen=True)
class FrontRow:
    """One row of the Pareto front: a formula, its size, and what a formula of that size is worth.

    Attributes
    ----------
    head
        One formula, or one per class, found and fitted on all cells.
    size
        Nodes of the expression tree(s).
    training_balanced_accuracy
        On the cells it was fitted to.
    quality
        Of the best formulas of at most this size that were found without the fold they were tested
        on: what may be expected of new cells.
    """

    head: FormulaHead
    size: int
    training_balanced_accuracy: float
    quality: Quality

    @property
    def text(self) -> str:
        """The formula(s) to read, constants to three significant digits."""
        return self.show()

    def show(self, aliases: Mapping[int, str] | None = None) -> str:
        """:attr:`text` with latents by alias."""
        return "; ".join(f.show(aliases=aliases) for f in self.head.formulas)

    def latex(self, aliases: Mapping[int, str] | None = None, classes: Sequence[str] = ()) -> str:
        """The formula(s) as LaTeX, latents by alias, and which class each is of.

        Maths for a document with amsmath. Several formulas stand below one another.
        """
        lines = self.latex_lines(aliases, classes)
        below = r" \\ ".join(lines)
        return lines[0] if len(lines) == 1 else rf"\begin{{gathered}} {below} \end{{gathered}}"

    def latex_lines(
        self, aliases: Mapping[int, str] | None = None, classes: Sequence[str] = ()
    ) -> list[str]:
        """Each formula as LaTeX: ``class: formula ≥ 0`` of two classes, else ``s_class = …``."""
        texts = [f.latex(aliases=aliases) for f in self.head.formulas]
        if not classes:
            return texts
        if len(texts) == 1:
            return [rf"{latex_words(classes[-1])} :\ {texts[0]} \geq 0"]
        named = zip(classes, texts, strict=True)
        return [rf"s_{{{latex_words(name)}}} = {text}" for name, text in named]


@dataclass(frozen=True)
class CurvePoint:
    """Balanced accuracy on held-out cells when only some of the labelled cells are trained on.

    Attributes
    ----------
    cells
        Number of labelled cells trained on, mean over folds.
    mean, sd
        Balanced accuracy over folds, 0–1.
    """

    cells: float
    mean: float
    sd: float


@dataclass(frozen=True)
class Discovery:
    """Everything that one training found.

    Attributes
    ----------
    classes
        Names of the K classes; with two, a score ≥ 0 means the second.
    heads
        By kind, in the order dense, sparse, formula; only those that were asked for.
    front
        The Pareto front of formulas by rising size: a larger one has a higher balanced accuracy on
        held-out groups than every smaller one. Empty without the kind "formula".
    learning_curve
        By rising number of cells; of the dense head (the sparse one without it).
    cells, groups, folds
        Numbers of labelled cells, of groups, and of folds.
    encoder_sha256
        The encoder whose latents were used.
    engine
        Name and version of the symbolic search engine; empty without a search.
    settings
        All settings, as they are stored.
    group_name
        What a group is called: "track", "plate", "movie".
    movies
        Movies that the labelled cells are of, where that is known.
    target, group
        (N,) class position, −1 for none, and group of each cell that is tested on: the rows of
        every head's ``logits``.
    data_sha256
        Hash of the latents and classes of all labelled cells.
    dominated
        Formulas that are off the front: a smaller one does as well on held-out groups.
    earlier
        What the next training may begin with; None where cells cannot be known again.
    """

    classes: tuple[str, ...]
    heads: dict[Kind, FittedHead]
    front: tuple[FrontRow, ...]
    learning_curve: tuple[CurvePoint, ...]
    cells: int
    groups: int
    folds: int
    encoder_sha256: str
    engine: str
    settings: dict[str, object]
    group_name: str = "track"
    movies: tuple[TrainingMovie, ...] = ()
    target: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    group: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    data_sha256: str = ""
    dominated: tuple[FrontRow, ...] = ()
    earlier: Earlier | None = None
