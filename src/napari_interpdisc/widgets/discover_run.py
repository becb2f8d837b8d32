"""One press of *Train* in the Discover widget: what it reads, does and tells. No Qt here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc.cells import CellTable
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.frames import Frames
from napari_interpdisc.models.classifier import Classifier
from napari_interpdisc.widgets.annotations import Annotations
from napari_interpdisc.widgets.state import Session

if TYPE_CHECKING:
    from napari_interpdisc.discovery.fit import Discovery, DiscoverySettings, FrontRow

Report = Callable[[int, int], None]

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
    target, classes
        (N,) position of each cell's class, and the names.
    settings
        Kinds of heads, engine, folds and seed.
    """

    frames: Frames
    cells: CellTable
    diameter: float
    model: Classifier
    target: npt.NDArray[np.int64]
    classes: tuple[str, ...]
    settings: DiscoverySettings

    def carry_out(self, report: Report) -> Discovery:
        """Encode the cells and fit the heads; on a thread."""
        from napari_interpdisc.discovery import fit, views

        first = int(ENCODING_SHARE * STEPS)

        def encoding(done: int, n: int) -> None:
            report(first * done // max(n, 1), STEPS)

        def fitting(done: int, n: int) -> None:
            report(first + (STEPS - first) * done // max(n, 1), STEPS)

        labelled = views.label_cells(
            self.frames,
            self.cells,
            self.diameter,
            self.model,
            self.target,
            self.cells.track_id,
            self.classes,
            self.settings.views,
            self.settings.seed,
            encoding,
        )
        return fit.discover(labelled, self.settings, fitting, self.model.encoder_sha256)


def plan_training(
    session: Session, annotations: Annotations, settings: DiscoverySettings
) -> Training:
    """Read and check all that a training needs.

    Raises
    ------
    InvalidInput
        If there are no cells, or the annotations cannot be trained on.
    """
    from napari_interpdisc.discovery.labelled import check_labels, encode_labels

    if session.encoding is None or session.frames is None:
        raise InvalidInput(NO_CELLS)
    rows, names = annotations.labelled()
    target, classes = encode_labels(names, annotations.classes)
    cells = session.encoding.cells.take(rows)
    check_labels(target, cells.track_id, classes, settings.folds)
    if "formula" in settings.kinds:
        reason = engine_faults().get(settings.engine)
        if reason:
            raise InvalidInput(reason)
    return Training(
        session.frames, cells, session.encoding.diameter, session.model, target, classes, settings
    )


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
    base: Classifier, found: Discovery, name: str, formula: FrontRow | None = None
) -> Classifier:
    """Return a model with the heads that were found, on the encoder of ``base``."""
    from napari_interpdisc.discovery.fit import with_heads

    return with_heads(base, found, name, formula)


class Suggestions:
    """Cells to annotate next: the least certain ones, at most one of each track."""

    def __init__(self) -> None:
        self._queue: list[int] = []
        self._of: object = None

    def next(self, session: Session, annotated: set[int]) -> int | None:
        """Row of the least certain cell that was neither suggested nor annotated; None at the end.

        After the end, and with new scores, it begins anew.
        """
        from napari_interpdisc.discovery.fit import least_certain

        result = session.classification
        if result is None:
            return None
        if self._of is not result:
            self._of = result
            track_id = result.encoding.cells.track_id
            self._queue = least_certain(
                result.scores, track_id, sorted(annotated), len(result.scores)
            )
        while self._queue:
            row = self._queue.pop(0)
            if row not in annotated:
                return row
        self._of = None
        return None
