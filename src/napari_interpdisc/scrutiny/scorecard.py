"""The scorecard of domain constraints: does a model look at what matters (paper §3.1).

Every test changes something that must not matter, and counts how often the class changes: what
surrounds the cell, how it is rotated, noise, where the crop lies, and how the image was stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from napari_interpdisc._types import BoolArray, Float32Array, Progress, silent
from napari_interpdisc.bootstrap import mean_interval
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.cell_model import CellModel, class_index
from napari_interpdisc.scrutiny.attacks import signed_margin
from napari_interpdisc.scrutiny.score_results import (
    Scorecard,
    ScoreRow,
    SimulatedScore,
    markdown,
)
from napari_interpdisc.scrutiny.score_tests import (
    NOISE,
    ORIENTATION,
    PLACE,
    SIMULATED,
    STORAGE,
    TARGET,
    ScorecardSettings,
    Test,
    all_tests,
    untested,
)
from napari_interpdisc.scrutiny.scorers import HeadScorer, Scorer, SharedEncoder
from napari_interpdisc.scrutiny.segmented import Segmentation
from napari_interpdisc.scrutiny.shortcut import FEWEST, Shortcut, measure_shortcut
from napari_interpdisc.scrutiny.simulated_tests import simulated_cells

__all__ = [
    "NOISE",
    "ORIENTATION",
    "PLACE",
    "SIMULATED",
    "STORAGE",
    "TARGET",
    "ScoreRow",
    "Scorecard",
    "ScorecardSettings",
    "Shortcut",
    "SimulatedScore",
    "markdown",
    "score_all",
    "score_head",
    "score_heads",
]

WORST = 6
"""Cells that are kept of each test, those whose score changes most."""


def score_head(
    segmentation: Segmentation,
    groups: npt.NDArray[Any],
    model: CellModel,
    head: str | None = None,
    settings: ScorecardSettings | None = None,
    progress: Progress = silent,
) -> Scorecard:
    """Test one head against the domain constraints, on cells whose nucleus is known.

    Parameters
    ----------
    segmentation
        The cells, from :func:`napari_interpdisc.scrutiny.composites.segment_cells`.
    groups
        (N,) track, frame or plate of all cells that were segmented.
    model, head
        The model and the name of its head (the default one if None).
    settings
        Strength of the changes, and limits.
    progress
        Called with (steps done, steps in all). It may raise to stop the work.

    Raises
    ------
    InvalidInput
        If there are no cells.
    InvalidModel
        If the model has no such head.
    """
    return score_heads(segmentation, groups, model, [head], settings, progress)[0]


def score_heads(
    segmentation: Segmentation,
    groups: npt.NDArray[Any],
    model: CellModel,
    heads: Sequence[str | None] | None = None,
    settings: ScorecardSettings | None = None,
    progress: Progress = silent,
    controls: Sequence[Scorer] = (),
) -> list[Scorecard]:
    """Test several heads of a model side by side: cells are changed and encoded once for all.

    Parameters
    ----------
    segmentation, groups, settings, progress
        As for :func:`score_head`.
    model, heads
        The model and the names of its heads; all of them if left out.
    controls
        Other classifiers of the same cells, such as
        :func:`napari_interpdisc.discovery.controls.fit_control` makes.

    Returns
    -------
    One scorecard for each head, then one for each control.

    Raises
    ------
    InvalidInput
        If there are no cells.
    InvalidModel
        If the model has no such head.
    """
    asked = list(model.heads) if heads is None else heads
    names = [model.head(name).name for name in asked]
    encoder = SharedEncoder(model)
    scorers = [*(HeadScorer(encoder, name) for name in names), *controls]
    return score_all(segmentation, groups, scorers, model.crop_size, settings, progress)


def score_all(
    segmentation: Segmentation,
    groups: npt.NDArray[Any],
    scorers: Sequence[Scorer],
    crop_size: int,
    settings: ScorecardSettings | None = None,
    progress: Progress = silent,
) -> list[Scorecard]:
    """Put any classifiers of crops of ``crop_size`` px through the same tests.

    Parameters
    ----------
    segmentation, groups, settings, progress
        As for :func:`score_head`.
    scorers
        What is tested. Rows that they are given are those of ``segmentation.cells``.
    crop_size
        Side of the crops that all of them take, px.

    Raises
    ------
    InvalidInput
        If there are no cells, or nothing to test.
    """
    options = settings or ScorecardSettings()
    cells = segmentation.cells
    if not len(cells) or not scorers:
        raise InvalidInput("The scorecard needs a cell and a head at least; give some.")
    group = np.unique(_checked_groups(groups, segmentation), return_inverse=True)[1]
    tests = list(all_tests(cells, crop_size, options))
    made = simulated_cells(options.simulated, crop_size, options) if options.simulated else None
    attacked = options.shortcut and cells.masked and len(cells) >= FEWEST
    few = []
    if options.shortcut and cells.masked and not attacked:
        few = [f"The shortcut index was not measured: it takes {FEWEST} cells at least."]
    steps = _Steps(progress, tests, made.tests if made is not None else (), attacked)

    everything = np.arange(len(cells))
    plain = cells.patches.crops(crop_size)
    before = [scorer.score(plain, everything) for scorer in scorers]
    # without masks nobody knows who is crowded
    crowded = np.where(np.isnan(cells.gap), np.nan, cells.crowded)
    rows = _rows(tests, scorers, before, crowded, group, everything, options.seed, steps)
    simulated: list[SimulatedScore | None] = [None] * len(scorers)
    if made is not None:
        base = [scorer.score(made.crops) for scorer in scorers]
        own = np.arange(len(made.crops))
        found = _rows(
            made.tests, scorers, base, made.crowded.astype(float), own, None, options.seed, steps
        )
        simulated = [
            SimulatedScore(tuple(some), _calls(scorer, scores), made.crops)
            for some, scorer, scores in zip(found, scorers, base, strict=True)
        ]
    shortcuts: dict[int, Shortcut] = {}
    if attacked:
        shortcuts = _shortcuts(segmentation, group, scorers, options)
        steps.one_more()
    return [
        Scorecard(
            model=scorer.model,
            head=scorer.name,
            classes=scorer.classes,
            rows=tuple(rows[k]),
            cells=len(cells),
            left_out=segmentation.left_out,
            groups=int(group.max()) + 1,
            calls=_calls(scorer, before[k]),
            shortcut=shortcuts.get(k),
            remark=_remark(scorer.name, _calls(scorer, before[k]), before[k]),
            notes=(*untested(cells), *few, *_of_properties(scorer, before[k], attacked)),
            simulated=simulated[k],
            at_edge=segmentation.at_edge,
        )
        for k, scorer in enumerate(scorers)
    ]


def _checked_groups(groups: npt.ArrayLike, segmentation: Segmentation) -> npt.NDArray[Any]:
    """Groups of the tested cells, one for each and none missing."""
    found, n = np.asarray(groups), len(segmentation.rows) + segmentation.left_out
    if found.shape != (n,):
        raise InvalidInput(
            f"The groups have the shape {found.shape}, and {n} cells were segmented; give one "
            "group for each of them."
        )
    import pandas as pd

    of_cell = found[segmentation.rows]
    missing = int(pd.isna(of_cell).sum())
    if missing:
        raise InvalidInput(
            f"{missing} cell{'s have' if missing > 1 else ' has'} no group; give each its plate or "
            "track, or leave these cells out."
        )
    return np.asarray(of_cell.astype(str) if of_cell.dtype == object else of_cell)


class _Steps:
    """Counts what was done, for whoever wants to know: one step for each set of changed crops."""

    def __init__(
        self, progress: Progress, tests: Sequence[Test], more: Sequence[Test], attacked: bool
    ) -> None:
        self.progress, self.done = progress, 0
        self.total = sum(len(test.variants) for test in (*tests, *more)) + attacked

    def one_more(self) -> None:
        self.done += 1
        self.progress(self.done, self.total)


def _rows(
    tests: Sequence[Test],
    scorers: Sequence[Scorer],
    before: Sequence[Float32Array],
    crowded: npt.NDArray[np.float64],
    group: npt.NDArray[np.integer],
    everything: npt.NDArray[np.intp] | None,
    seed: int,
    steps: _Steps,
) -> list[list[ScoreRow]]:
    """Rows of each scorer; ``everything`` are the rows of the tested cells, None for others."""
    rows: list[list[ScoreRow]] = [[] for _ in scorers]
    for test in tests:
        at = np.arange(len(group)) if test.rows is None else test.rows
        after: list[list[Float32Array]] = [[] for _ in scorers]
        made = []
        for variant in test.variants:
            if len(at):
                made.append(variant())
                for scores, scorer in zip(after, scorers, strict=True):
                    scores.append(scorer.score(made[-1], at if everything is not None else None))
            steps.one_more()
        for k, scorer in enumerate(scorers):
            known = answered(before[k][at])
            own = at[known]
            row = _row(
                test, before[k][own], [crops[known] for crops in made],
                [scores[known] for scores in after[k]], crowded[own], group[own], scorer.classes,
                seed,
            )  # fmt: skip
            worst = tuple(int(own[i]) for i in row.worst)
            rows[k].append(replace(row, worst=worst, left_out=len(group) - len(own)))
    return rows


def _row(
    test: Test,
    before: Float32Array,
    crops: Sequence[Float32Array],
    after: Sequence[Float32Array],
    crowded: npt.NDArray[np.float64],
    group: npt.NDArray[np.integer],
    classes: tuple[str, ...],
    seed: int,
) -> ScoreRow:
    """What a test did to the n cells that it could be made on."""
    if not len(before):
        nothing = float("nan")
        none = np.zeros((0, 1, 1, 1), np.float32)
        of_class = dict.fromkeys(classes, nothing)
        return ScoreRow(
            test.constraint, test.name, test.limit, nothing, (nothing, nothing), of_class,
            nothing, nothing, nothing, (), none,
        )  # fmt: skip
    called = class_index(before)

    def margin(scores: Float32Array) -> Float32Array:
        chosen = torch.from_numpy(np.asarray(called, np.int64))
        found = np.asarray(signed_margin(torch.from_numpy(scores), chosen).numpy())
        return np.where(answered(scores), found, np.float32(0))  # no answer is for no class

    own = margin(before)
    flips = np.stack([(class_index(scores) != called) | ~answered(scores) for scores in after])
    changes = np.stack([margin(scores) - own for scores in after])
    share = flips.mean(0)
    # those that change class first, then those whose score falls most, beyond rounding
    worst = np.lexsort((np.round(changes.min(0), 3), ~flips.any(0)))[:WORST]
    which = np.where(flips, changes - 1e6, changes).argmin(0)
    return ScoreRow(
        constraint=test.constraint,
        name=test.name,
        limit=test.limit,
        changed=float(share.mean()),
        interval=mean_interval(share, group, seed),
        of_class={name: _mean(share[called == k]) for k, name in enumerate(classes)},
        clean=_mean(share[crowded == 0]),
        crowded=_mean(share[crowded == 1]),
        score_change=float(np.abs(changes).mean()),
        worst=tuple(int(i) for i in worst),
        worst_crops=np.stack([crops[which[i]][i] for i in worst]),
        cells=len(before),
    )


def _mean(values: npt.NDArray[np.floating]) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _of_properties(scorer: Scorer, before: Float32Array, attacked: bool) -> list[str]:
    """What is otherwise for a head that reads measured properties, or has no value somewhere."""
    if not isinstance(scorer, HeadScorer):
        return []
    read = scorer.encoder.model.head(scorer.name).head.properties
    missing = int((~answered(before)).sum())
    if not len(read):
        return [
            f"{missing} of {len(before)} cells were left out for {scorer.name}: its formula has no "
            "value for them."
        ] * bool(missing)
    told = [
        f"{scorer.name} reads {', '.join(read.names)}: these were measured anew in every changed "
        "crop, in the nucleus that the built-in segmentation finds there. A changed crop without "
        "one counts as changed."
    ]
    if read.way == "labels":
        told.append(
            f"{scorer.name} was trained on nuclei of a given segmentation, which changed crops do "
            "not have: what the built-in one does counts here too."
        )
    if missing:
        told.append(
            f"{missing} of {len(before)} cells were left out for {scorer.name}: no whole nucleus "
            "was found in the middle, or its formula has no value."
        )
    if attacked:
        told.append(f"The shortcut index was not measured for {scorer.name}: it attacks latents.")
    return told


def answered(scores: Float32Array) -> BoolArray:
    """Whether each row (N,) of scores (N, K) is an answer."""
    return np.asarray(np.isfinite(scores).all(1))


def _calls(scorer: Scorer, scores: Float32Array) -> dict[str, int]:
    called = class_index(scores[answered(scores)])
    return {name: int((called == k).sum()) for k, name in enumerate(scorer.classes)}


def _remark(head: str, calls: dict[str, int], scores: Float32Array) -> str:
    """A head that calls all cells alike passes everything, and is useless."""
    if len([n for n in calls.values() if n]) > 1 or sum(calls.values()) < 2:
        return ""
    name = next(name for name, n in calls.items() if n)
    known = scores[answered(scores)]
    same = " with the same score" if float(np.ptp(known, axis=0).max()) < 1e-6 else ""
    return (
        f"{head} calls every cell {name}{same}: what it passes here says nothing, so that on these "
        "cells it is useless. Give cells of each class."
    )


def _shortcuts(
    segmentation: Segmentation,
    group: npt.NDArray[np.integer],
    scorers: Sequence[Scorer],
    options: ScorecardSettings,
) -> dict[int, Shortcut]:
    """Shortcuts of the scorers that are heads of a model, by their position."""
    places: dict[int, list[tuple[int, HeadScorer]]] = {}
    for k, scorer in enumerate(scorers):
        if isinstance(scorer, HeadScorer) and not len(
            scorer.encoder.model.head(scorer.name).head.properties
        ):
            places.setdefault(id(scorer.encoder.model), []).append((k, scorer))
    found: dict[int, Shortcut] = {}
    for some in places.values():
        measured = measure_shortcut(
            segmentation.cells,
            group,
            some[0][1].encoder.model,
            [scorer.name for _, scorer in some],
            options.shortcut_limit,
            options.seed,
        )
        found.update(zip([k for k, _ in some], measured, strict=True))
    return found
