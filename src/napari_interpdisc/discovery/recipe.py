"""The recipe: the one way from labelled cells to dense, sparse and formula heads.

The Discover widget, ``interpdisc train``, Table 1 and the bundled model all fit heads here, and the
defaults are the best settings found so far.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from sklearn.metrics import balanced_accuracy_score

from napari_interpdisc._types import Progress
from napari_interpdisc.discovery.calibration import class_loss, formula_scale
from napari_interpdisc.discovery.labelled import LabelledCells
from napari_interpdisc.discovery.results import KINDS, Kind
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.cell_model import class_index
from napari_interpdisc.models.formula import Formula, FormulaHead
from napari_interpdisc.models.heads import Head, SparseHead, read_columns
from napari_interpdisc.models.properties import HeadProperties, check_properties
from napari_interpdisc.symbolic.front import FittedFormula, FormulaFront, formula_front
from napari_interpdisc.symbolic.settings import SearchSettings
from napari_interpdisc.training.augment import Augmentation
from napari_interpdisc.training.heads import HeadTraining, train_dense_head
from napari_interpdisc.training.rigl import SparseTraining, train_sparse_heads
from napari_interpdisc.training.threads import one_thread
from napari_interpdisc.training.tuning import SparsityTuning, tune_density

USUAL_AUGMENTATION = Augmentation(edge=0.2, gradient=0.4)
"""How strongly crops are varied in the training of heads, unless something else is asked for."""


def _others_as_usual(given: object) -> object:
    """Strengths that a settings file names, and the usual ones for those that it leaves out."""
    return {**USUAL_AUGMENTATION.model_dump(), **given} if isinstance(given, dict) else given


HeadAugmentation = Annotated[Augmentation, BeforeValidator(_others_as_usual)]
"""Strengths for heads; a table need only name those that are not usual."""


class Recipe(BaseModel):
    """Every setting of one training on labelled cells."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kinds: tuple[Kind, ...] = Field(KINDS, title="Kinds of heads", min_length=1)
    folds: int = Field(5, title="Folds of the cross-validation by group", ge=2, le=50)
    seed: int = Field(0, title="Seed of everything")
    curve: bool = Field(True, title="Measure the learning curve")
    augmented: int = Field(
        24, title="Augmented crops of each cell; 0 trains on the plain crops", ge=0
    )
    rotations: int = Field(
        2,
        title="Rotations of each augmented crop's latents, where the encoder is equivariant",
        ge=1,
    )
    augmentation: HeadAugmentation = USUAL_AUGMENTATION
    max_latents: int = Field(6, title="Most latents and properties that a formula may use", ge=1)
    invariant: bool = Field(
        True,
        title="Let dense and sparse heads read the radius of each pair of latents that rotates, "
        "and not its members",
    )
    surroundings: bool = Field(
        False,
        title="Let heads read the latents of the surroundings too, where the encoder has them",
    )
    latents: bool = Field(
        True, title="Let heads read latents; without, they read measured properties alone"
    )
    named: bool = Field(
        False, title="Let heads read latents that have a name alone, so that rules can be read"
    )
    properties: tuple[str, ...] = Field(
        (), title="Measured properties that heads read beside latents"
    )
    search_augmented: int = Field(
        5, title="Augmented crops of each cell that a formula search is given", ge=0
    )
    formula_size: int = Field(
        17, title="Largest formula that a single fit chooses, as in Table 1 (nodes)", ge=3
    )
    tolerance: float = Field(
        0.005, title="Balanced accuracy that such a fit gives up for a smaller formula", ge=0, lt=1
    )
    dense: HeadTraining = HeadTraining()
    sparse: SparseTraining = SparseTraining()
    tuning: SparsityTuning | None = Field(
        None, title="How Optuna chooses the sparsity; the density of 'sparse' is used without"
    )
    search: SearchSettings = SearchSettings()

    @model_validator(mode="after")
    def _reads_something(self) -> Recipe:
        check_properties(self.properties)
        if not self.latents and not self.properties:
            raise InvalidInput("Heads must read latents, measured properties, or both; choose.")
        if self.named and not self.latents:
            raise InvalidInput("'named' chooses among latents, and none is read; leave it out.")
        return self


@dataclass
class Steps:
    """Progress of several trainings as one: (done, all) in hundredths of a training.

    Attributes
    ----------
    progress
        Who is told.
    trainings, finished
        Number of trainings in all, and of those done.
    """

    progress: Progress
    trainings: int
    finished: int = 0

    def __call__(self, done: int, total: int) -> None:
        """Tell how far the present training is."""
        part = int(100 * min(done / max(total, 1), 1.0))
        self.progress(100 * self.finished + part, 100 * self.trainings)

    def span(self, trainings: int) -> tuple[int, int]:
        """What progress says before and after the next trainings."""
        return 100 * self.finished, 100 * (self.finished + trainings)

    def finish(self) -> None:
        """One training is done."""
        self.finished += 1
        self(0, 1)


@dataclass
class FittedHeads:
    """Heads fitted on the same cells.

    Attributes
    ----------
    heads
        By kind.
    front
        Formulas by rising size: nodes, and the head.
    engine
        Name and version of the symbolic search engine; empty without a search.
    density
        Density that the sparse heads were trained at.
    searched
        Columns that the formula search was given: latents, and after them properties.
    by_class
        Formulas that no smaller one beats, for two classes or for each class against the rest.
    """

    heads: dict[Kind, Head] = field(default_factory=dict)
    front: list[tuple[int, FormulaHead]] = field(default_factory=list)
    engine: str = ""
    density: float = 0.0
    searched: list[int] = field(default_factory=list)
    by_class: list[list[Formula]] = field(default_factory=list)


def fit_heads(
    cells: LabelledCells, recipe: Recipe, steps: Steps, studies: Path | None = None
) -> FittedHeads:
    """Fit heads of all wanted kinds on all cells.

    Parameters
    ----------
    cells
        Labelled cells, each with a class.
    recipe
        All settings.
    steps
        Told of each training; it may raise, to stop.
    studies
        SQLite file that keeps the study of the sparsity; one that it holds is resumed.
    """
    fitting = Fitting(cells, recipe, studies)
    for kind in KINDS:
        if kind in recipe.kinds:
            fitting.fit(kind, steps)
    return fitting.fitted


class Fitting:
    """Heads of the same cells, fitted kind by kind: dense, sparse, formula.

    Parameters
    ----------
    cells
        Labelled cells, each with a class.
    recipe
        All settings; the seed decides the result.
    studies
        SQLite file that keeps the study of the sparsity; one that it holds is resumed.
    starts
        For each formula that is searched, formulas of an earlier training to begin with. Their
        constants are fitted anew, and they compete with what the engine finds.
    rows
        Cells to fit to; all if left out.

    Attributes
    ----------
    fitted
        What is ready.
    """

    def __init__(
        self,
        cells: LabelledCells,
        recipe: Recipe,
        studies: Path | None = None,
        starts: Sequence[Sequence[Formula]] = (),
        rows: npt.NDArray[np.intp] | None = None,
    ) -> None:
        self._all, self._rows = cells, np.arange(len(cells)) if rows is None else rows
        self._recipe, self._studies, self._starts = recipe, studies, starts
        self._sparse: list[SparseHead] = []
        self.fitted = FittedHeads()

    def fit(self, kind: Kind, steps: Steps) -> Head:
        """Fit the head of one kind; for a formula, sparse heads choose its columns first."""
        with one_thread():
            return self._fit(kind, steps)

    def _fit(self, kind: Kind, steps: Steps) -> Head:
        recipe, seed, fitted = self._recipe, self._recipe.seed, self.fitted
        # taken anew for each kind: copies of all folds would fill the memory
        cells = self._all.take(self._rows).evened(seed).without_unread()
        read = cells.head_properties
        pairs = read_as_radii(cells) if recipe.invariant else ()
        if kind == "dense":
            training = recipe.dense.model_copy(update={"seed": seed})
            fitted.heads[kind] = train_dense_head(
                cells.augmented, cells.target, len(cells.classes), training, steps, pairs, read
            )
        elif kind == "sparse":
            fitted.heads[kind] = self._sparse_heads(cells, steps, pairs, read)[0]
        else:
            searching: Progress = steps
            if not self._sparse:
                self._sparse_heads(cells, lambda done, n: steps(done, 2 * n), pairs, read)
                searching = lambda done, n: steps(n + done, 2 * n)  # noqa: E731
            used = [_used_columns(head, cells.n_latents) for head in self._sparse]
            fitted.searched = most_used(used, recipe.max_latents)
            _search(cells, recipe, searching, fitted, read, self._starts)
        steps.finish()
        return fitted.heads[kind]

    def _sparse_heads(
        self,
        cells: LabelledCells,
        progress: Progress,
        pairs: Sequence[tuple[int, int]],
        read: HeadProperties,
    ) -> list[SparseHead]:
        """Sparse heads, the best first; kept for the choice of a formula's columns."""
        recipe, n_classes = self._recipe, len(cells.classes)
        sparse = recipe.sparse.model_copy(update={"seed": recipe.seed})
        if recipe.tuning is not None:
            tuning = recipe.tuning.model_copy(update={"seed": recipe.seed})
            density = tune_density(
                cells.augmented, cells.latents, cells.target, cells.group, n_classes, tuning,
                sparse, self._studies, progress=progress, pairs=pairs, properties=read,
            )  # fmt: skip
            sparse = sparse.model_copy(update={"density": density})
        self.fitted.density = sparse.density
        self._sparse = train_sparse_heads(
            cells.augmented, cells.target, n_classes, sparse, progress, pairs, read
        )
        return self._sparse


def read_as_radii(cells: LabelledCells) -> tuple[tuple[int, int], ...]:
    """Pairs of latents whose radii heads read: those of an equivariant network, which come last.

    None where pairs were only found in a network that knows nothing of them.
    """
    last = range(cells.n_latents - 2 * len(cells.pairs), cells.n_latents)
    return cells.pairs if [i for pair in cells.pairs for i in pair] == list(last) else ()


def _used_columns(head: Head, n_latents: int) -> list[int]:
    """Columns of labelled cells that a head uses: latents, and after them properties."""
    place = head.properties.names.index
    return [*head.used_latents, *(n_latents + place(name) for name in head.used_properties)]


def most_used(used: Sequence[Sequence[int]], most: int) -> list[int]:
    """At most ``most`` latents, or other columns: those that most heads use, then the best head's.

    Parameters
    ----------
    used
        Latents of each head, the best head first.
    most
        Number of latents to keep.
    """
    votes: dict[int, float] = {}
    for place, latents in enumerate(used):
        for latent in latents:
            votes[latent] = votes.get(latent, 0.0) + 1 + 0.5 * (place == 0)
    ranked = sorted(votes, key=lambda latent: (-votes[latent], latent))
    return sorted(ranked[:most])


BARELY = np.float32(1e-6)
"""Size of a logit that decides a class and tells no confidence."""


@torch.inference_mode()
def head_logits(
    head: Head,
    latents: npt.NDArray[np.float32],
    measured: Mapping[str, npt.NDArray[np.floating]] | None = None,
) -> npt.NDArray[np.float32]:
    """Logits (N, K) of latents (N, L), on the device that the head is on.

    ``measured`` are properties by name, (N,) each. NaN where a formula has no value.

    Raises
    ------
    InvalidInput
        If the head reads properties that are not given.
    """
    if not len(head.properties):
        return _logits_of_columns(head, latents)
    return _logits_of_columns(head, np.column_stack([latents, head.properties.columns(measured)]))


def _logits_of_columns(head: Head, columns: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Logits (N, K) of latents and the head's properties side by side (N, L + P)."""
    own = [*head.parameters(), *head.buffers()] if isinstance(head, torch.nn.Module) else []
    device = own[0].device if own else torch.device("cpu")
    with torch.inference_mode():
        return np.asarray(read_columns(head, torch.from_numpy(columns).to(device)).cpu().numpy())


def cell_logits(head: Head, cells: LabelledCells) -> npt.NDArray[np.float32]:
    """Logits (N, K) of labelled cells; where a formula has no value, those of a wrong call."""
    logits = head_logits(head, cells.own_latents, cells.measured)
    return wrong_without_value(logits, cells.target)


def wrong_without_value(
    logits: npt.NDArray[np.float32], target: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32]:
    """Logits (N, K) with those of another class than ``target`` (N,) in place of NaN.

    A cell for which a formula has no value gets no class, so that it counts as one that was not
    recognised: called otherwise, and as unsurely as can be.
    """
    without = np.isnan(logits).any(1)
    if not without.any():
        return logits
    found = logits.copy()
    found[without] = 0.0
    rows = np.flatnonzero(without & (target >= 0))
    if logits.shape[1] == 1:
        found[rows[target[rows] == 1]] = -BARELY  # 0 is the second class
    else:
        found[rows, target[rows]] = -BARELY
    return found


def predicted_by(head: Head, cells: LabelledCells) -> npt.NDArray[np.int64]:
    """Class position (N,) of labelled cells; a wrong one where a formula has no value."""
    return class_index(cell_logits(head, cells))


def of_size(front: Sequence[tuple[int, FormulaHead]], size: int) -> FormulaHead:
    """The largest head of at most ``size`` nodes, or the smallest."""
    within = [head for own, head in front if own <= size]
    return within[-1] if within else front[0][1]


@dataclass(frozen=True)
class _Kept:
    """Formulas of the front of at most ``budget`` nodes each, and how well they do."""

    budget: int
    head: FormulaHead
    balanced_accuracy: float


def _search(
    cells: LabelledCells,
    recipe: Recipe,
    progress: Progress,
    fitted: FittedHeads,
    read: HeadProperties,
    starts: Sequence[Sequence[Formula]] = (),
) -> None:
    """Formulas for two classes, or for each class against the rest."""
    augmented = cells.augmented[: recipe.search_augmented] if len(cells.augmented) > 1 else ()
    given = [cells.latents, *augmented]
    latents, target = np.concatenate(given), np.tile(cells.target, len(given))
    columns = latents.copy()
    columns[:, cells.n_latents :] -= np.asarray(read.centre, np.float32)
    columns[:, cells.n_latents :] /= np.asarray(read.scale, np.float32)
    n_classes = len(cells.classes)
    wanted = [1] if n_classes == 2 else list(range(n_classes))
    settings = recipe.search.model_copy(update={"seed": recipe.seed})
    fronts: list[FormulaFront] = []
    for place, k in enumerate(wanted):

        def part(done: int, total: int, place: int = place) -> None:
            progress(place * total + done, len(wanted) * total)

        of_class = (target == k).astype(np.int64)
        found = formula_front(
            columns, of_class, fitted.searched, settings, part, pairs=cells.pairs,
            properties=read.names, starts=starts[place] if starts else (),
        )  # fmt: skip
        fronts.append(found)
        fitted.engine = f"{found.engine} {found.engine_version}"
    fitted.by_class = [[row.formula for row in front.rows] for front in fronts]
    kept = _front_of_heads(fronts, wanted, latents, target, read)
    fitted.front = [(row.head.expression_size, row.head) for row in kept]
    fitted.heads["formula"] = _chosen(kept, recipe)


def _front_of_heads(
    fronts: Sequence[FormulaFront],
    classes: Sequence[int],
    latents: npt.NDArray[np.float32],
    target: npt.NDArray[np.int64],
    read: HeadProperties,
) -> list[_Kept]:
    """Heads from small to large, each with a lower loss than the smaller ones."""
    scales: dict[tuple[int, Formula], float] = {}

    def head_of(formulas: Sequence[Formula]) -> FormulaHead:
        for k, formula in zip(classes, formulas, strict=True):
            if (k, formula) not in scales:
                scales[k, formula] = formula_scale(formula, latents, target == k, read)
        factors = [scales[key] for key in zip(classes, formulas, strict=True)]
        return FormulaHead(formulas, factors, read)

    kept: list[_Kept] = []
    least = np.inf
    for budget in sorted({row.size for front in fronts for row in front.rows}):
        head = head_of([_best_within(front.rows, budget) for front in fronts])
        logits = wrong_without_value(_logits_of_columns(head, latents), target)
        loss = class_loss(logits, target)
        if loss < least - 1e-6:
            accuracy = float(balanced_accuracy_score(target, class_index(logits)))
            kept.append(_Kept(budget, head, accuracy))
            least = loss
    return kept


def _chosen(kept: Sequence[_Kept], recipe: Recipe) -> FormulaHead:
    """The smallest head that is nearly as good as the best that is not too large."""
    small = [row for row in kept if row.budget <= recipe.formula_size] or kept[:1]
    enough = max(row.balanced_accuracy for row in small) - recipe.tolerance
    return next(row.head for row in small if row.balanced_accuracy >= enough)


def _best_within(front: Sequence[FittedFormula], budget: int) -> Formula:
    """The most accurate formula of at most ``budget`` nodes, or the smallest."""
    small = [row for row in front if row.size <= budget]
    return min(small, key=lambda row: row.loss).formula if small else front[0].formula
