"""One press of *Train* in the Discover widget: what it reads, does and tells. No Qt here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_interpdisc._types import Progress
from napari_interpdisc.cells import CellTable
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.frames import Frames
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.widgets.discover.annotations import Annotations
from napari_interpdisc.widgets.session import Session

if TYPE_CHECKING:
    from napari_interpdisc.discovery.labelled import Labels
    from napari_interpdisc.discovery.recipe import Recipe
    from napari_interpdisc.discovery.results import Discovery, FrontRow


ENCODING_SHARE = 0.1
"""Share of the progress bar that cutting and encoding the annotated cells takes."""

STEPS = 1000

NO_CELLS = "No cells yet: run the Cells widget first, then annotate some of them here."


@dataclass(frozen=True)
class Training:
    """What one training works on, read on the main thread and checked.

    Attributes
    ----------
    frames, cells, diameter
        The movie, its annotated cells and the nuclear diameter, px.
    model
        Whose encoder is used.
    labels
        Class and track of each of these cells.
    recipe
        Kinds of heads, engine, folds and seed.
    left_out
        Number of annotated cells that have no pixels.
    """

    frames: Frames
    cells: CellTable
    diameter: float
    model: CellModel
    labels: Labels
    recipe: Recipe
    left_out: int = 0

    def carry_out(self, progress: Progress) -> Discovery:
        """Encode the cells and fit the heads; on a thread."""
        from napari_interpdisc.discovery.augmented import label_cells
        from napari_interpdisc.discovery.cross_validation import discover

        first = int(ENCODING_SHARE * STEPS)

        def encoding(done: int, n: int) -> None:
            progress(first * done // max(n, 1), STEPS)

        def fitting(done: int, n: int) -> None:
            progress(first + (STEPS - first) * done // max(n, 1), STEPS)

        labelled = label_cells(
            self.frames, self.cells, self.diameter, self.model, self.labels, self.recipe, encoding
        )
        return discover(labelled, self.recipe, fitting, self.model.encoder_sha256)


def plan_training(session: Session, annotations: Annotations, recipe: Recipe) -> Training:
    """Read and check all that a training needs.

    Raises
    ------
    InvalidInput
        If there are no cells, or the annotations cannot be trained on.
    """
    from napari_interpdisc.discovery.labelled import Labels, check_labels, encode_labels

    if session.encoding is None or session.frames is None:
        raise InvalidInput(NO_CELLS)
    rows, names = annotations.labelled()
    # annotations where there are no pixels teach nothing
    usable = session.encoding.usable[rows]
    rows, names = rows[usable], [name for name, has in zip(names, usable, strict=True) if has]
    target, classes = encode_labels(names, annotations.classes)
    cells = session.encoding.cells.take(rows)
    check_labels(target, cells.track_id, classes, recipe.folds)
    if "formula" in recipe.kinds:
        reason = engine_faults().get(recipe.search.engine)
        if reason:
            raise InvalidInput(reason)
    labels = Labels(np.arange(len(cells)), target, cells.track_id, classes)
    return Training(
        session.frames, cells, session.encoding.diameter, session.model, labels, recipe,
        int((~usable).sum()),
    )  # fmt: skip


def engine_faults() -> dict[str, str | None]:
    """Why each symbolic search engine cannot run, or None where it can; the preferred first."""
    from napari_interpdisc.symbolic.search import engines

    return {name: engine.available() for name, engine in engines.items()}


def chosen_row(found: Discovery) -> int | None:
    """Place in the front of the formula that the training chose."""
    if "formula" not in found.heads:
        return None
    chosen = found.heads["formula"].head
    rows = (i for i, row in enumerate(found.front) if _texts(row.head) == _texts(chosen))
    return next(rows, None)


def _texts(head: Any) -> list[str]:
    return [formula.text for formula in head.formulas]


def model_of(
    base: CellModel, found: Discovery, name: str, formula: FrontRow | None = None
) -> CellModel:
    """Return a model with the heads that were found, on the encoder of ``base``."""
    from napari_interpdisc.discovery.card import discovered_model

    return discovered_model(base, found, name, formula)


class Suggestions:
    """Cells to annotate next: the least certain ones, at most one of each track."""

    def __init__(self) -> None:
        self._queue: list[int] = []
        self._of: object = None

    def next(self, session: Session, annotated: set[int]) -> int | None:
        """Row of the least certain cell that was neither suggested nor annotated; None at the end.

        After the end, and with new scores, it begins anew.
        """
        from napari_interpdisc.discovery.suggest import most_uncertain

        result = session.classification
        if result is None:
            return None
        if self._of is not result:
            self._of = result
            track_id = result.encoding.cells.track_id
            without = np.flatnonzero(~result.encoding.usable).tolist()
            self._queue = most_uncertain(
                result.scores, track_id, sorted(annotated | set(without)), len(result.scores)
            )
        while self._queue:
            row = self._queue.pop(0)
            if row not in annotated:
                return row
        self._of = None
        return None
