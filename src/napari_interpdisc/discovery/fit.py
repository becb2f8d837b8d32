"""Fit dense, sparse and formula heads to labelled cells, cross-validated by group."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ConfigDict, Field
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedGroupKFold

from napari_interpdisc.discovery.calibration import (
    best_factor,
    class_loss,
    cooled,
    scaled_formula,
)
from napari_interpdisc.discovery.labelled import LabelledCells, check_labels
from napari_interpdisc.discovery.quality import Quality, measure
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models import store
from napari_interpdisc.models.classifier import (
    Classifier,
    NamedHead,
    class_index,
    confidence,
    score_width,
)
from napari_interpdisc.models.formula import Formula, FormulaHead
from napari_interpdisc.models.heads import Head
from napari_interpdisc.symbolic.front import Front, formula_front
from napari_interpdisc.symbolic.front import FrontRow as FoundFormula
from napari_interpdisc.symbolic.settings import SearchSettings
from napari_interpdisc.training.heads import HeadTraining, train_dense_head
from napari_interpdisc.training.rigl import SparseTraining, train_sparse_heads
from napari_interpdisc.training.tuning import SparsityTuning, tune_density

Kind = Literal["dense", "sparse", "formula"]
KINDS: tuple[Kind, ...] = ("dense", "sparse", "formula")
Report = Callable[[int, int], None]
"""Called often with (steps done, steps in all); it may raise, for example Cancelled, to stop."""


CURVE_SHARES = (0.25, 0.5, 0.75)
"""Shares of the training cells at which the learning curve is measured; 1 comes for free."""

SEARCH_VIEWS = 5
"""Augmented views of each cell, beside the plain one, that a symbolic search is given."""


class DiscoverySettings(BaseModel):
    """Settings of one training on labelled cells."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kinds: tuple[Kind, ...] = Field(KINDS, title="Kinds of heads", min_length=1)
    folds: int = Field(5, title="Folds of the cross-validation by group", ge=2, le=50)
    seed: int = Field(0, title="Seed of everything")
    views: int = Field(24, title="Augmented views of each cell; 0 trains on the plain crops", ge=0)
    curve: bool = Field(True, title="Measure the learning curve")
    max_latents: int = Field(6, title="Most latents that a formula may use", ge=1)
    tolerance: float = Field(
        0.005,
        title="Balanced accuracy that may be given up for a smaller formula",
        ge=0,
        lt=1,
    )
    dense: HeadTraining = HeadTraining()
    sparse: SparseTraining = SparseTraining()
    tuning: SparsityTuning | None = Field(
        None, title="How Optuna chooses the sparsity; the density of 'sparse' is used without"
    )
    search: SearchSettings = SearchSettings()

    @property
    def engine(self) -> str:
        """Symbolic search engine."""
        return self.search.engine


@dataclass(frozen=True)
class FittedHead:
    """A head fitted on all labelled cells, and how its kind did on cells held out.

    Attributes
    ----------
    kind, head
        What it is; the head itself was fitted on all cells.
    quality
        Of heads fitted in the same way without the fold that they were tested on.
    predicted
        (N,) class position that those heads gave to each held-out cell. A formula is a row of the
        front, and these are the predictions behind that row's figure.
    """

    kind: Kind
    head: Head
    quality: Quality
    predicted: npt.NDArray[np.int64]


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

    def latex(self, aliases: Mapping[int, str] | None = None) -> str:
        """The formula(s) as LaTeX, latents by alias."""
        return r" \\ ".join(f.latex(aliases=aliases) for f in self.head.formulas)


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
        The Pareto front of formulas by rising size; empty without the kind "formula".
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


def discover(
    cells: LabelledCells,
    settings: DiscoverySettings | None = None,
    report: Report = lambda done, n: None,
    encoder_sha256: str = "",
    group_name: str = "track",
    studies: Path | None = None,
) -> Discovery:
    """Train heads on labelled cells, and test each kind on groups held out.

    Every head that is tested was fitted, its latents chosen and its formula found without the fold
    that it is tested on.

    Parameters
    ----------
    cells
        Labelled cells.
    settings
        Kinds of heads, folds, seed, and the settings of each training.
    report
        Called often with (steps done, steps in all); an exception that it raises ends the work.
    encoder_sha256
        The encoder that made the latents; stored with the result.
    group_name
        What a group is called in sentences.
    studies
        SQLite file that keeps the studies of the sparsity; those that it holds are resumed.

    Raises
    ------
    InvalidInput
        If there are too few classes, cells or groups; before any training.
    MissingExtra
        If the chosen symbolic engine cannot run.
    """
    options = settings or DiscoverySettings()
    check_labels(cells.target, cells.group, cells.classes, options.folds, group_name)
    splitter = StratifiedGroupKFold(options.folds, shuffle=True, random_state=options.seed)
    splits = list(splitter.split(cells.target, cells.target, cells.group))
    curve_kind = next(kind for kind in KINDS if kind in options.kinds)
    n_curve = len(CURVE_SHARES) * len(splits) if options.curve and curve_kind != "formula" else 0
    progress = _Progress(report, (len(splits) + 1) * len(options.kinds) + n_curve)
    tested = []
    for train, test in splits:
        tested.append((test, _fit(cells.take(train), options, progress, studies)))
    final = _fit(cells, options, progress, studies)

    width = score_width(cells.classes)
    logits = {kind: np.empty((len(cells), width), np.float32) for kind in options.kinds}
    for test, fitted in tested:
        for kind in options.kinds:
            logits[kind][test] = _logits(fitted.heads[kind], cells.latents[test])
    predicted = {kind: class_index(values) for kind, values in logits.items()}
    for kind in options.kinds:  # held-out cells tell how sure a head may be
        factor = best_factor(logits[kind], cells.target)
        final.heads[kind] = cooled(final.heads[kind], factor)
    front = []
    for size, head in final.front:
        held_out = np.empty_like(cells.target)
        for test, fitted in tested:
            held_out[test] = _predict(_of_size(fitted.front, size), cells.latents[test])
        on_training = balanced_accuracy_score(cells.target, _predict(head, cells.latents))
        quality = measure(cells.target, held_out, cells.group, len(cells.classes), options.seed)
        front.append(FrontRow(head, size, float(on_training), quality))
        chosen = final.heads["formula"]
        if isinstance(chosen, FormulaHead) and chosen.formulas == head.formulas:
            predicted["formula"] = held_out  # one formula, one figure

    curve = []
    if n_curve:
        curve = _learning_curve(cells, splits, options, curve_kind, progress)
        scores = [
            balanced_accuracy_score(cells.target[test], predicted[curve_kind][test])
            for _, test in splits
        ]
        curve.append(_point([len(train) for train, _ in splits], scores))
    return Discovery(
        classes=cells.classes,
        heads={
            kind: FittedHead(
                kind,
                final.heads[kind],
                measure(
                    cells.target, predicted[kind], cells.group, len(cells.classes), options.seed
                ),
                predicted[kind],
            )
            for kind in KINDS
            if kind in options.kinds
        },
        front=tuple(front),
        learning_curve=tuple(curve),
        cells=len(cells),
        groups=len(np.unique(cells.group)),
        folds=options.folds,
        encoder_sha256=encoder_sha256,
        engine=final.engine,
        settings=options.model_dump(mode="json"),
    )


def with_heads(
    model: Classifier, found: Discovery, name: str, formula: FrontRow | None = None
) -> Classifier:
    """Return a model with the same encoder and the heads that were found.

    Parameters
    ----------
    model
        Whose encoder made the latents.
    found
        The heads; they are named by their kind.
    name
        Name of the new model.
    formula
        Row of the front to use instead of the formula that was chosen.

    Raises
    ------
    InvalidInput
        If the heads belong to another encoder.
    """
    if found.encoder_sha256 and found.encoder_sha256 != model.encoder_sha256:
        raise InvalidInput(
            f"These heads were trained on the latents of another encoder than that of "
            f"'{model.name}'; train them again with it."
        )
    heads: dict[str, NamedHead] = {}
    for kind, fitted in found.heads.items():
        head, quality = fitted.head, fitted.quality
        if kind == "formula" and formula is not None:
            head, quality = formula.head, formula.quality
        heads[kind] = NamedHead(kind, head, found.classes, summary(quality, found))
    return store.with_heads(model, name, heads, card(name, model, found, heads))


def summary(quality: Quality, found: Discovery) -> str:
    """One line on how far a head can be trusted."""
    low, high = quality.interval
    return (
        f"balanced accuracy {quality.balanced_accuracy:.3f} [{low:.3f}, {high:.3f}] on held-out "
        f"groups; {found.cells} cells, {found.groups} groups, {found.folds} folds"
    )


def card(name: str, model: Classifier, found: Discovery, heads: dict[str, NamedHead]) -> str:
    """Model card, Markdown: data, split, quality and limits of the heads."""
    counts = next(iter(found.heads.values())).quality.confusion.sum(1)
    told = ", ".join(f"{n} {c}" for n, c in zip(counts, found.classes, strict=True))
    lines = [
        f"# {name}",
        "",
        f"Heads trained on {found.cells} annotated cells ({told}) of {found.groups} groups, on the "
        f"latents of the encoder of '{model.name}' (SHA-256 {model.encoder_sha256[:16]}).",
        f"Balanced accuracy is on groups held out of {found.folds} folds, pooled, with a 95 % "
        "bootstrap interval over groups. The stored heads were fitted on all cells.",
        "",
        "| head | weights | expression size | balanced accuracy |",
        "|---|---|---|---|",
    ]
    for named in heads.values():
        head = named.head
        lines.append(
            f"| {named.name} | {head.n_weights} | {head.expression_size} | {named.summary} |"
        )
    if "formula" in heads:
        formulas = heads["formula"].head
        assert isinstance(formulas, FormulaHead)
        texts = [formula.show(aliases=model.aliases) for formula in formulas.formulas]
        lines += ["", f"Formula ({found.engine}): {'; '.join(texts)}"]
    return "\n".join(lines) + "\n"


def least_certain(
    scores: npt.NDArray[np.float32],
    track_id: npt.NDArray[np.int64],
    exclude: Sequence[int] = (),
    n: int = 10,
) -> list[int]:
    """Rows of the cells that a head is least sure of, at most one per track.

    Parameters
    ----------
    scores
        (N, K) logits.
    track_id
        (N,) track of each cell.
    exclude
        Rows that are not wanted: those that are annotated already.
    n
        Most rows to give.
    """
    taken = set(map(int, exclude))
    tracks: set[int] = set()
    rows: list[int] = []
    for row in np.argsort(confidence(scores), kind="stable"):
        if len(rows) == n:
            break
        if int(row) not in taken and int(track_id[row]) not in tracks:
            rows.append(int(row))
            tracks.add(int(track_id[row]))
    return rows


@dataclass
class _Progress:
    """Turns (done, all) of one training into (done, all) of them all, in hundredths."""

    report: Report
    trainings: int
    finished: int = 0

    def __call__(self, done: int, n: int) -> None:
        part = int(100 * min(done / max(n, 1), 1.0))
        self.report(100 * self.finished + part, 100 * self.trainings)

    def finish(self) -> None:
        """One training is done."""
        self.finished += 1
        self(0, 1)


@dataclass
class _Fitted:
    heads: dict[Kind, Head] = field(default_factory=dict)
    front: list[tuple[int, FormulaHead]] = field(default_factory=list)
    engine: str = ""


def _fit(
    cells: LabelledCells,
    options: DiscoverySettings,
    progress: _Progress,
    studies: Path | None = None,
) -> _Fitted:
    """All kinds of heads on the same cells."""
    n_classes, seed = len(cells.classes), options.seed
    fitted = _Fitted()
    if "dense" in options.kinds:
        training = options.dense.model_copy(update={"seed": seed})
        fitted.heads["dense"] = train_dense_head(
            cells.views, cells.target, n_classes, training, progress
        )
        progress.finish()
    if "sparse" in options.kinds or "formula" in options.kinds:
        sparse = options.sparse.model_copy(update={"seed": seed})
        if options.tuning is not None:
            density = tune_density(
                cells.views, cells.latents, cells.target, cells.group, n_classes,
                options.tuning.model_copy(update={"seed": seed}), sparse, studies,
                progress=progress,
            )  # fmt: skip
            sparse = sparse.model_copy(update={"density": density})
        heads = train_sparse_heads(cells.views, cells.target, n_classes, sparse, progress)
        if "sparse" in options.kinds:
            fitted.heads["sparse"] = heads[0]
            progress.finish()
    if "formula" in options.kinds:
        use = most_used([head.used_latents for head in heads], options.max_latents)
        _search(cells, use, options, progress, fitted)
        progress.finish()
    return fitted


def most_used(used: Sequence[Sequence[int]], most: int) -> list[int]:
    """At most ``most`` latents: those that most heads use, then those of the best head.

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


def _search(
    cells: LabelledCells,
    use: Sequence[int],
    options: DiscoverySettings,
    progress: _Progress,
    fitted: _Fitted,
) -> None:
    """Formulas for two classes, or for each class against the rest."""
    views = cells.views[:SEARCH_VIEWS] if len(cells.views) > 1 else cells.views[:0]
    latents = np.concatenate([cells.latents[None], views]).reshape(-1, cells.latents.shape[1])
    target = np.tile(cells.target, 1 + len(views))
    n_classes = len(cells.classes)
    wanted = [1] if n_classes == 2 else list(range(n_classes))
    settings = options.search.model_copy(update={"seed": options.seed})
    fronts: list[Front] = []
    for place, k in enumerate(wanted):

        def part(done: int, n: int, place: int = place) -> None:
            progress(place * n + done, len(wanted) * n)

        found = formula_front(
            latents, (target == k).astype(np.int64), use, settings, part, pairs=cells.pairs
        )
        fronts.append(found)
        fitted.engine = f"{found.engine} {found.engine_version}"
    scales: dict[tuple[int, Formula], float] = {}

    def head_of(formulas: Sequence[Formula]) -> FormulaHead:
        factors = []
        for k, formula in zip(wanted, formulas, strict=True):
            if (k, formula) not in scales:
                scales[k, formula] = scaled_formula(formula, latents, target == k)
            factors.append(scales[k, formula])
        return FormulaHead(formulas, factors)

    kept: list[tuple[FormulaHead, float]] = []
    least = np.inf
    for budget in sorted({row.size for front in fronts for row in front.rows}):
        head = head_of([_best_within(front.rows, budget) for front in fronts])
        logits = _logits(head, latents)
        loss = class_loss(logits, target)
        if loss < least - 1e-6:
            kept.append((head, float(balanced_accuracy_score(target, class_index(logits)))))
            least = loss
    fitted.front = [(head.expression_size, head) for head, _ in kept]
    enough = max(accuracy for _, accuracy in kept) - options.tolerance
    fitted.heads["formula"] = next(head for head, accuracy in kept if accuracy >= enough)


def _best_within(front: Sequence[FoundFormula], budget: int) -> Formula:
    """The most accurate formula of at most ``budget`` nodes, or the smallest."""
    small = [row for row in front if row.size <= budget]
    return min(small, key=lambda row: row.loss).formula if small else front[0].formula


def _of_size(front: Sequence[tuple[int, FormulaHead]], size: int) -> FormulaHead:
    """The largest head of at most ``size`` nodes, or the smallest."""
    within = [head for own, head in front if own <= size]
    return within[-1] if within else front[0][1]


@torch.inference_mode()
def _logits(head: Head, latents: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.asarray(head(torch.from_numpy(latents)).numpy())


def _predict(head: Head, latents: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    return class_index(_logits(head, latents))


def _learning_curve(
    cells: LabelledCells,
    splits: Sequence[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]],
    options: DiscoverySettings,
    kind: Kind,
    progress: _Progress,
) -> list[CurvePoint]:
    """Balanced accuracy of heads of one kind that were trained on shares of each class's cells."""
    draw = np.random.default_rng(options.seed)
    single = options.model_copy(update={"kinds": (kind,)})
    orders = [draw.permutation(train) for train, _ in splits]
    points = []
    for share in CURVE_SHARES:
        sizes, scores = [], []
        for order, (_, test) in zip(orders, splits, strict=True):
            of_class = [order[cells.target[order] == k] for k in range(len(cells.classes))]
            some = np.concatenate([rows[: max(2, round(share * len(rows)))] for rows in of_class])
            head = _fit(cells.take(np.sort(some)), single, progress).heads[kind]
            sizes.append(len(some))
            predicted = _predict(head, cells.latents[test])
            scores.append(balanced_accuracy_score(cells.target[test], predicted))
        points.append(_point(sizes, scores))
    return points


def _point(sizes: Sequence[int], scores: Sequence[float]) -> CurvePoint:
    return CurvePoint(float(np.mean(sizes)), float(np.mean(scores)), float(np.std(scores, ddof=1)))
