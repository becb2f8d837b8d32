"""One press of *Run* in the Scorecard widget: what it reads, does and tells. No Qt here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from napari.layers import Image, Labels

from napari_interpdisc._types import Float32Array, Progress
from napari_interpdisc.cells import CellTable, at_most
from napari_interpdisc.crops import usable_cells
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.frames import Frames
from napari_interpdisc.io.label_values import objects_of
from napari_interpdisc.models.cell_model import CellModel, class_index
from napari_interpdisc.patches import label_crops, patch_side, patches_of_cells
from napari_interpdisc.pipeline import Encoding, near_edge
from napari_interpdisc.scrutiny.composites import segment_cells
from napari_interpdisc.scrutiny.score_results import cell_names
from napari_interpdisc.scrutiny.scorecard import Scorecard, ScorecardSettings, ScoreRow, score_heads
from napari_interpdisc.scrutiny.scorers import HeadScorer, SharedEncoder
from napari_interpdisc.widgets.canvas.layers import check_segmentation
from napari_interpdisc.widgets.session import Session

Which = Literal["random", "all", "frame"]
"""Some cells drawn at random, all of them, or those of the frame that is shown."""

NO_CELLS = "No cells yet: run the Cells widget first."

STEPS = 1000
CUTTING, SEGMENTING = 0.05, 0.2
"""Shares of the progress bar at which the patches are cut, and at which nuclei are known."""

TestKey = tuple[str, str, str]
"""Head, constraint and name of a test."""


@dataclass(frozen=True)
class Asked:
    """What the form asks for.

    Attributes
    ----------
    heads
        Names of the heads to test.
    labels
        Labels layer with the segmentation, or None for the built-in one.
    which, most
        Which cells are tested, and how many at most if they are drawn at random.
    seed
        Seed of the draw and of all changes.
    frame
        The frame that is shown, or None if it is none of the movie's.
    """

    heads: tuple[str, ...]
    labels: Labels | None = None
    which: Which = "random"
    most: int = 500
    seed: int = 0
    frame: int | None = None


@dataclass(frozen=True)
class ScorecardRun:
    """What to test, taken down when *Run* is pressed so that nothing changes underneath.

    Attributes
    ----------
    frames, encoding
        The movie and its encoded cells.
    rows
        (N,) cells of the encoding to test, in order.
    model, heads
        The model and the names of its heads.
    planes
        Pixels of the segmentation, (T, Y, X) or (Y, X); None for the built-in one.
    settings
        Strength of the changes, and limits.
    about
        Where the cells come from, in words that are kept with the results.
    """

    frames: Frames
    encoding: Encoding
    rows: npt.NDArray[np.intp]
    model: CellModel
    heads: tuple[str, ...]
    planes: Any
    settings: ScorecardSettings
    about: Mapping[str, Any]

    @property
    def left_out(self) -> str:
        """A sentence on cells without pixels; empty if there are none."""
        return str(self.about.get("left_out", ""))


@dataclass(frozen=True)
class WorstCell:
    """One of the cells that change most in a test.

    Attributes
    ----------
    row
        Its row in the encoding.
    before, after
        (S, S) normalised crop as it is, and changed.
    scores, changed_scores
        (K,) signed logits of both.
    """

    row: int
    before: Float32Array
    after: Float32Array
    scores: Float32Array
    changed_scores: Float32Array

    @property
    def changes(self) -> bool:
        """Whether its class changes."""
        pair = np.stack([self.scores, self.changed_scores])
        before, after = class_index(pair).tolist()
        return bool(before != after) or not np.isfinite(self.changed_scores).all()


@dataclass(frozen=True)
class ScorecardResult:
    """What one run found.

    Attributes
    ----------
    run
        What was asked.
    cards
        One scorecard for each head, in order.
    crops
        (n, 1, S, S) crops of the cells that were tested, as they are.
    worst
        The cells that each test of each head changes most, worst first.
    names
        (n,) what the tested cells are called in tables and pictures.
    """

    run: ScorecardRun
    cards: tuple[Scorecard, ...]
    crops: Float32Array
    worst: Mapping[TestKey, tuple[WorstCell, ...]]
    names: tuple[str, ...] = ()

    @property
    def note(self) -> dict[str, Any]:
        """What is kept beside the table of results: source, model, heads and settings."""
        run = self.run
        return {
            **run.about,
            "model": run.model.name,
            "model_sha256": run.model.sha256,
            "heads": list(run.heads),
            "settings": run.settings.model_dump(mode="json"),
        }

    def stale(self, session: Session) -> str:
        """One sentence if the session's cells or model are others by now, else an empty string."""
        if session.encoding is not None and session.encoding is not self.run.encoding:
            return "These results are of earlier cells. Run again to test the present ones."
        if session.encoding is None:
            return "These results are of cells that are gone."
        now, then = session.model, self.run.model
        if any(n not in now.heads or not now.scores_as(then, n, n) for n in self.run.heads):
            return (
                f"These results are of model '{self.run.model.name}' as it was. "
                "Run again to test the present model."
            )
        return ""

    def untested(self, session: Session) -> str:
        """One sentence if the head that colours the cells was not tested, else an empty string."""
        present = session.model.head(session.head_name).name
        if present in self.run.heads:
            return ""
        return f"The present head '{present}' was not tested."

    def has_cells_of(self, session: Session) -> bool:
        """Whether the cells that were tested are still those of the session."""
        return session.encoding is self.run.encoding


def plan(session: Session, asked: Asked, settings: ScorecardSettings | None = None) -> ScorecardRun:
    """Read and check all that a run needs; no pixel is read.

    ``settings`` are the strength of the changes and the limits; their seed is that of the form.

    Raises
    ------
    InvalidInput
        If there are no cells, fewer than two, no head, or another image's segmentation.
    """
    encoding, frames = session.encoding, session.frames
    if encoding is None or frames is None:
        raise InvalidInput(NO_CELLS)
    if not asked.heads:
        raise InvalidInput("Choose at least one head to test.")
    model = session.model
    for name in asked.heads:
        model.head(name)
    among = rows_among(encoding.cells, asked)
    usable, left_out = usable_cells(encoding.no_pixels[among], encoding.cells.source)
    among = among[usable]
    rows = among[chosen_rows(encoding.cells.take(among), asked)]
    planes = None
    if asked.labels is not None:
        planes = _planes(asked.labels, session.image, frames)
    about = {
        "image": session.image.name,
        "cells": encoding.cells.source,
        "segmentation": "built-in" if asked.labels is None else asked.labels.name,
        "tested": asked.which,
        "group": "track_id",
        "diameter": encoding.diameter,
    }
    if asked.which == "frame":
        about["frame"] = asked.frame
    if asked.which == "random":
        about["most"] = asked.most
    if left_out:
        about["left_out"] = left_out
    options = (settings or ScorecardSettings()).model_copy(update={"seed": asked.seed})
    return ScorecardRun(frames, encoding, rows, model, asked.heads, planes, options, about)


def rows_among(cells: CellTable, asked: Asked) -> npt.NDArray[np.intp]:
    """Rows of the cells that are meant: those of the frame that is shown, or all.

    Raises
    ------
    InvalidInput
        If the frame has none.
    """
    if asked.which != "frame":
        return np.arange(len(cells))
    rows = np.flatnonzero(cells.t == asked.frame)
    if not len(rows):
        raise InvalidInput("There are no cells in the frame that is shown; move to one with cells.")
    return rows


def chosen_rows(cells: CellTable, asked: Asked) -> npt.NDArray[np.intp]:
    """Rows of the cells that are tested, in order.

    The same seed draws the same cells as ``interpdisc scorecard --most`` does.

    Raises
    ------
    InvalidInput
        If they are fewer than two.
    """
    rows = rows_among(cells, asked)
    if asked.which == "random":
        rows = at_most(rows, asked.most, asked.seed)
    if len(rows) < 2:
        where = "the frame that is shown has one" if asked.which == "frame" else "there is one"
        raise InvalidInput(f"The scorecard needs two cells at least, and {where}; add cells.")
    return rows


def _planes(labels: Labels, image: Image, frames: Frames) -> Any:
    check_segmentation(labels, image, frames)
    planes = labels.data[0] if labels.multiscale else labels.data
    if tuple(planes.shape[-2:]) != frames.shape[1:]:
        raise InvalidInput(
            f"'{labels.name}' has {planes.shape[-2]} by {planes.shape[-1]} px, '{image.name}' "
            f"{frames.shape[1]} by {frames.shape[2]} px; a segmentation of the cells must have "
            "the pixels of their image."
        )
    return planes


def carry_out(run: ScorecardRun, progress: Progress) -> ScorecardResult:
    """Cut the cells, find their nuclei, and test every head; on a thread.

    ``progress`` is called with (steps done, steps in all) and may raise to cancel.

    Raises
    ------
    InvalidInput
        If a frame cannot be read, the segmentation is none (an inverted mask, an image), or fewer
        than two cells have a reliable mask.
    """
    model, diameter = run.model, run.encoding.diameter
    cells = run.encoding.cells.take(run.rows)
    size = model.crop_size
    cutting = _part(progress, 0.0, CUTTING)
    patches = patches_of_cells(
        run.frames, cells, diameter, model.model_diameter, size, progress=cutting
    )
    found = None
    if run.planes is not None:
        objects, taken = objects_of(run.planes, f"'{run.about.get('segmentation', 'labels')}'")
        if taken:
            run = replace(run, about={**run.about, "segmentation_taken": taken})
        found = label_crops(objects, cells, diameter, model.model_diameter, patch_side(size))
    cut = near_edge(cells, run.frames.shape[1:], diameter)
    segmenting = _part(progress, CUTTING, SEGMENTING)
    segmentation = segment_cells(patches, found, model.model_diameter, cut, segmenting)
    testing = _part(progress, SEGMENTING, 1.0)
    cards = score_heads(
        segmentation, cells.track_id, model, run.heads, run.settings, progress=testing
    )
    crops = segmentation.cells.patches.crops(size)
    worst = worst_cells(cards, crops, run.rows[segmentation.rows], model)
    progress(STEPS, STEPS)
    kept = cells.take(segmentation.rows)
    names = tuple(cell_names(kept.track_id, kept.t))
    return ScorecardResult(run, tuple(cards), crops, worst, names)


def worst_cells(
    cards: Sequence[Scorecard],
    crops: Float32Array,
    rows: npt.NDArray[np.intp],
    model: CellModel,
) -> dict[TestKey, tuple[WorstCell, ...]]:
    """Score the worst cells of every test of every card once more, before and after the change.

    Parameters
    ----------
    cards
        Scorecards of n cells.
    crops
        (n, 1, S, S) crops of these cells.
    rows
        (n,) their rows in the encoding.
    model
        The model that was tested.
    """
    found = {}
    for card in cards:
        kept = [row for row in card.rows if 0 < len(row.worst) == len(row.worst_crops)]
        if not kept:
            continue
        changed = np.concatenate([row.worst_crops for row in kept])
        which = np.concatenate([np.asarray(row.worst) for row in kept])
        scorer = HeadScorer(SharedEncoder(model), card.head)
        before, after = (scorer.score(some) for some in (crops[which], changed))
        start = 0
        for row in kept:
            cells = range(start, start + len(row.worst))
            found[key_of(card, row)] = tuple(
                WorstCell(
                    int(rows[which[i]]), crops[which[i], 0], changed[i, 0], before[i], after[i]
                )
                for i in cells
            )
            start += len(row.worst)
    return found


def key_of(card: Scorecard, row: ScoreRow) -> TestKey:
    """What a test of a head is found by."""
    return card.head, row.constraint, row.name


def _part(progress: Progress, begin: float, end: float) -> Progress:
    """Progress of a part of the whole, from the share ``begin`` of the bar to ``end``."""

    def report(done: int, n: int) -> None:
        progress(round(STEPS * (begin + (end - begin) * done / max(n, 1))), STEPS)

    return report
