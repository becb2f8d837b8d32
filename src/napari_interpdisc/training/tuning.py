"""Optuna chooses the sparsity of sparse heads (paper §5.2), and nothing else."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ConfigDict, Field

from napari_interpdisc._types import Progress
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.cell_model import class_index
from napari_interpdisc.models.heads import read_columns
from napari_interpdisc.models.properties import NO_PROPERTIES, HeadProperties
from napari_interpdisc.training.folds import Fold, grouped_folds
from napari_interpdisc.training.rigl import SparseTraining, train_sparse_heads
from napari_interpdisc.writing import Inputs, check_writable

if TYPE_CHECKING:
    import optuna


class SparsityTuning(BaseModel):
    """Settings of the search for a density."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    low: float = Field(0.016, title="Lowest density tried", gt=0, le=1)
    high: float = Field(0.03, title="Highest density tried", gt=0, le=1)
    trials: int = Field(4, title="Densities tried", ge=1)
    folds: int = Field(3, title="Inner folds by group", ge=2)
    price: float = Field(0.0005, title="Balanced accuracy that one more weight has to bring", ge=0)
    steps: int = Field(1000, title="Optimizer steps of each training", ge=10)
    restarts: int = Field(2, title="Restarts of each training", ge=1)
    seed: int = Field(0, title="Seed")


def tune_density(
    latents: npt.NDArray[np.float32],
    plain: npt.NDArray[np.float32],
    target: npt.NDArray[np.int64],
    group: npt.NDArray[np.int64],
    n_classes: int,
    settings: SparsityTuning | None = None,
    training: SparseTraining | None = None,
    storage: Path | None = None,
    study_name: str = "density",
    progress: Progress | None = None,
    pairs: Sequence[tuple[int, int]] = (),
    properties: HeadProperties = NO_PROPERTIES,
) -> float:
    """Density at which sparse heads do best on held-out groups, each weight having its price.

    A trial trains one head for each inner fold and is pruned when it falls behind the median of
    the earlier trials.

    Parameters
    ----------
    latents
        (V, N, L) latents of augmented crops to train on.
    plain
        (N, L) latents to test on.
    target, group
        (N,) class and group.
    n_classes
        Number of classes.
    settings, training
        Of the search, and of each training.
    storage
        SQLite file that keeps the study; a study that it holds is resumed, and a complete one is
        only read.
    study_name
        Start of the study's name in the file; a digest of data and settings is added, so that
        other data never resume it.
    progress
        Called with (trials done, trials in all).
    pairs
        The last latents, in pairs that rotate together: heads read their radii.
    properties
        Measured properties that heads read: the last P columns of the latents are their values.

    Raises
    ------
    InvalidInput
        If a class or the number of groups is too small for the inner folds.
    """
    import optuna

    options, base = settings or SparsityTuning(), training or SparseTraining()
    if len(np.unique(group)) < options.folds or min(np.bincount(target)) < options.folds:
        raise InvalidInput(
            f"Choosing the sparsity needs {options.folds} groups and {options.folds} cells of each "
            "class; label more cells."
        )
    folds = grouped_folds(target, group, options.folds, options.seed)
    changes = {"steps": options.steps, "restarts": options.restarts, "seed": options.seed}

    def score(trial: optuna.Trial) -> float:
        density = trial.suggest_float("density", options.low, options.high, log=True)
        asked = base.model_copy(update={"density": density, **changes})
        values = []
        for place, fold in enumerate(folds):
            data = latents, plain, target, n_classes
            values.append(_worth(fold, *data, asked, options.price, pairs, properties))
            trial.report(float(np.mean(values)), place)
            if trial.should_prune():
                raise optuna.TrialPruned
        return float(np.mean(values))

    name = f"{study_name}-{_digest(plain, target, group, options, base, np.array(pairs))}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = _study(name, options, storage)
        finished = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
        while (done := len(study.get_trials(deepcopy=False, states=finished))) < options.trials:
            if progress is not None:
                progress(done, options.trials)
            study.optimize(score, n_trials=1)
    return float(study.best_params["density"])


SQLITE = b"SQLite format 3\0"
"""First bytes of a file that Optuna keeps studies in."""


def check_study(path: str | Path, inputs: Inputs = ()) -> Path:
    """Return ``path`` if Optuna can keep a study there: to be called before long work.

    Raises
    ------
    InvalidInput
        If its folder is missing or cannot be written to, or a file is there that is an input, is no
        database, is none of Optuna's, or is locked by another program.
    """
    target = check_writable(path, inputs)
    if not target.exists() or target.stat().st_size == 0:
        return target
    what = f"{target} cannot be used for the study"
    with target.open("rb") as file:
        if file.read(len(SQLITE)) != SQLITE:
            raise InvalidInput(f"{what}: it is no database; give another name.")
    try:
        with contextlib.closing(sqlite3.connect(target, timeout=1, isolation_level=None)) as base:
            base.execute("BEGIN IMMEDIATE")  # as the first trial will
            names = {name for (name,) in base.execute("SELECT name FROM sqlite_master")}
            base.execute("ROLLBACK")
    except sqlite3.Error as fault:
        if "locked" in str(fault):
            raise InvalidInput(
                f"{what}: another program holds it; wait until that ends, or give another name."
            ) from None
        raise InvalidInput(f"{what}: {fault}; give another name.") from None
    if names and not {"studies", "trials"} <= names:
        raise InvalidInput(f"{what}: it is a database, but not one of Optuna's.")
    return target


def _study(name: str, options: SparsityTuning, storage: Path | None) -> optuna.Study:
    """A new study, or the one of that name in the file."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        storage=f"sqlite:///{storage}" if storage is not None else None,
        study_name=name,
        load_if_exists=True,
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=options.seed, n_startup_trials=4),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=2),
    )
    if not study.trials:
        # the ends and the middle come first: few trials are too few to find them by chance
        for density in (options.high, options.low, (options.low * options.high) ** 0.5):
            study.enqueue_trial({"density": density})
    return study


def _worth(
    fold: Fold,
    latents: npt.NDArray[np.float32],
    plain: npt.NDArray[np.float32],
    target: npt.NDArray[np.int64],
    n_classes: int,
    training: SparseTraining,
    price: float,
    pairs: Sequence[tuple[int, int]],
    properties: HeadProperties,
) -> float:
    """Balanced accuracy of one head on held-out cells, less the price of its weights."""
    from sklearn.metrics import balanced_accuracy_score

    train, test = fold
    head = train_sparse_heads(
        latents[:, train], target[train], n_classes, training, pairs=pairs, properties=properties
    )[0]
    with torch.inference_mode():
        found = class_index(read_columns(head, torch.from_numpy(plain[test])).numpy())
    return float(balanced_accuracy_score(target[test], found)) - price * head.n_weights


def _digest(*parts: npt.NDArray[np.generic] | BaseModel) -> str:
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, BaseModel):
            digest.update(part.model_dump_json().encode())
        else:
            digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()[:12]
