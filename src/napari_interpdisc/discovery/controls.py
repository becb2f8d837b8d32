"""Controls of the scorecard: other classifiers of the same cells, put through the same tests.

A CNN from scheme 1 of the paper, and a random forest on shape numbers. Each is fitted on the cells
that are tested, but a cell and all that is made of it is scored only by a model that saw none of
its group.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import torch

from napari_interpdisc._types import Float32Array, Float64Array, Progress, silent
from napari_interpdisc.discovery import baselines
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.cell_model import score_width
from napari_interpdisc.patches import Patches, middle, scaled_to_unit
from napari_interpdisc.training.cnn import CNNTraining, train_cnn
from napari_interpdisc.training.folds import grouped_folds

Control = Literal["cnn", "forest"]

CONTROLS: tuple[Control, ...] = get_args(Control)
"""Kinds of controls."""

FOLDS = 5

LEAST_PROBABILITY = 1e-3
"""Probabilities of a forest are clipped to this, so that a logit is finite."""

Scores = Callable[[Float32Array], Float32Array]
"""Logits (N, K) of normalised crops (N, 1, S, S)."""


@dataclass(frozen=True)
class CrossFitted:
    """Models that were each fitted without one fold, as one scorer.

    Attributes
    ----------
    name, classes
        The kind of model, and its K classes.
    models
        Gives logits (n, 1), or (n, K) for more than two classes, of crops (n, 1, S, S).
    fold
        (N,) which model did not see each of the tested cells.
    model
        What it is in tables.
    """

    name: str
    classes: tuple[str, ...]
    models: Sequence[Scores]
    fold: npt.NDArray[np.intp]
    model: str = "control"

    def score(self, crops: Float32Array, rows: npt.NDArray[np.intp] | None = None) -> Float32Array:
        """Logits of crops that show the tested cells at ``rows``: by what did not see their group.

        Other crops (``rows`` is None) are scored by all models, on average.
        """
        if rows is None:
            return np.asarray(np.mean([model(crops) for model in self.models], 0), np.float32)
        found = np.zeros((len(crops), score_width(self.classes)), np.float32)
        for k, model in enumerate(self.models):
            own = self.fold[rows] == k
            if own.any():
                found[own] = model(crops[own])
        return found


def fit_control(
    kind: Control,
    patches: Patches,
    labels: npt.NDArray[Any],
    classes: Sequence[str],
    groups: npt.NDArray[Any],
    crop_size: int,
    folds: int = FOLDS,
    seed: int = 0,
    cnn: CNNTraining | None = None,
    progress: Progress = silent,
) -> CrossFitted:
    """Fit a control on labelled cells, with folds that share no group.

    Parameters
    ----------
    kind
        ``cnn``: the CNN of scheme 1, which sees whole crops. ``forest``: a random forest on ten
        shape numbers of the central nucleus, which sees nothing else.
    patches, labels, groups
        N cells, their labels (N,), and plate or track (N,) of each.
    classes
        Labels that are told apart, in the order of the scores.
    crop_size
        Side of a crop, px.
    folds, seed
        Number of folds, and the seed of everything.
    cnn
        Settings of the CNN's training; its seed and crop size are replaced.
    progress
        Called with (steps done, steps in all). It may raise to stop the work.

    Raises
    ------
    InvalidInput
        If there are fewer than two classes, or a class has cells in fewer groups than there are
        folds, or a cell has no class.
    """
    target = _targets(labels, classes)
    group = np.unique(groups, return_inverse=True)[1].astype(np.int64)
    for k, name in enumerate(classes):
        n = len(np.unique(group[target == k]))
        if n < folds:
            raise InvalidInput(
                f"A control needs cells of {name} in {folds} groups at least, to be tested on "
                f"groups that it did not see; there are {n}."
            )
    parts = grouped_folds(target, group, folds, seed)
    fold = np.empty(len(target), np.intp)
    for k, (train, test) in enumerate(parts):
        fold[test] = k
        absent = sorted(set(range(len(classes))) - set(target[train].tolist()))
        if absent:
            raise InvalidInput(
                f"Nearly all cells of {classes[absent[0]]} are in one group, so that a control "
                "cannot be tested on groups that it did not see; give more groups."
            )
    fit = _cnn_fitter if kind == "cnn" else _forest_fitter
    options = cnn or CNNTraining()
    network = options.network.model_copy(update={"crop_size": crop_size})
    options = options.model_copy(update={"seed": seed, "network": network})
    fitted = fit(patches, target, len(classes), options)
    models = []
    for k, (train, _) in enumerate(parts):

        def step(done: int, total: int, k: int = k) -> None:
            progress(k * total + done, folds * total)

        models.append(fitted(train, step))
    return CrossFitted(kind, tuple(classes), models, fold)


def _targets(labels: npt.NDArray[Any], classes: Sequence[str]) -> npt.NDArray[np.int64]:
    """Class (N,) of each label."""
    if len(classes) < 2 or len(set(classes)) < len(classes):
        raise InvalidInput("A control needs two or more different classes to be fitted on.")
    position = {name: k for k, name in enumerate(classes)}
    words = np.asarray(labels).astype(str)
    unknown = sorted(set(words) - set(classes))
    if unknown:
        raise InvalidInput(f"Cells labelled {unknown[0]} are of none of the control's classes.")
    return np.array([position[word] for word in words], np.int64)


Fitter = Callable[[npt.NDArray[np.intp], Progress], Scores]
"""Fits a model on some rows."""


def _cnn_fitter(
    patches: Patches, target: npt.NDArray[np.int64], n_classes: int, options: CNNTraining
) -> Fitter:
    pixels = scaled_to_unit(patches.pixels)

    def fit(train: npt.NDArray[np.intp], progress: Progress) -> Scores:
        network = train_cnn(
            pixels[train], target[train], n_classes, patches.field, options, progress
        )

        @torch.inference_mode()
        def scores(crops: Float32Array) -> Float32Array:
            batches = torch.from_numpy(np.ascontiguousarray(crops)).split(256)
            return torch.cat([network(batch) for batch in batches]).numpy()

        return scores

    return fit


def _forest_fitter(
    patches: Patches, target: npt.NDArray[np.int64], n_classes: int, options: CNNTraining
) -> Fitter:
    size = options.network.crop_size
    features = baselines.shape_features(middle(patches.pixels, size))
    shapes = _Shapes()

    def fit(train: npt.NDArray[np.intp], progress: Progress) -> Scores:
        forest = baselines.forest(options.seed).fit(features[train], target[train])
        progress(1, 1)

        def scores(crops: Float32Array) -> Float32Array:
            share = forest.predict_proba(shapes.of(crops))
            share = np.clip(share, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
            logits = np.log(share[:, 1:] / share[:, :1]) if n_classes == 2 else np.log(share)
            return np.asarray(logits, np.float32)

        return scores

    return fit


class _Shapes:
    """Measures crops once for all forests that score the same array."""

    def __init__(self) -> None:
        self._last: tuple[Float32Array, Float64Array] | None = None

    def of(self, crops: Float32Array) -> Float64Array:
        """Shape numbers (N, 10) of crops (N, 1, S, S)."""
        if self._last is None or self._last[0] is not crops:
            self._last = crops, baselines.shape_features(crops[:, 0])
        return self._last[1]
