"""What held-out heads say of labels and confidences, and where those cells are. No Qt here."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.widgets.discover.run import movie_name
from napari_interpdisc.widgets.session import Session

if TYPE_CHECKING:
    from napari_interpdisc.discovery.audit import LabelAudit
    from napari_interpdisc.discovery.origins import Origins
    from napari_interpdisc.discovery.rashomon import RashomonSet
    from napari_interpdisc.discovery.reliability import Reliability
    from napari_interpdisc.discovery.results import Kind
    from napari_interpdisc.widgets.discover.run import Trained

REACH = 0.5
"""Nuclear diameters that a cell may have moved since the training."""


@dataclass(frozen=True)
class HeldOut:
    """What one training tells of labels and confidences.

    Attributes
    ----------
    audits, reliabilities
        By kind of head.
    origins
        Where the cells are that were tested on.
    compared
        All heads of the training, and what they call the labelled cells.
    """

    audits: Mapping[Kind, LabelAudit]
    reliabilities: Mapping[Kind, Reliability]
    origins: Origins
    compared: RashomonSet


@dataclass(frozen=True, eq=False)
class HeldOutCells:
    """Which class heads that did not see a labelled cell's group give to it.

    Attributes
    ----------
    origins
        Where the N labelled cells are.
    classes, target, predicted
        Names of the classes; (N,) position of the annotated one, −1 for none, and of that given.
    kind
        Kind of head.
    """

    origins: Origins
    classes: tuple[str, ...]
    target: npt.NDArray[np.int64]
    predicted: npt.NDArray[np.int64]
    kind: str

    def wrong(self, session: Session) -> dict[int, str]:
        """Class that was given, by row, of those present cells where it is not the annotated."""
        off = np.flatnonzero((self.target >= 0) & (self.target != self.predicted))
        found = self._rows(off, session)
        return {row: self.classes[self.predicted[at]] for row, at in found.items()}

    def confused(self, annotated: int, predicted: int, session: Session) -> tuple[list[int], int]:
        """Rows of the present cells in one place of the confusion matrix, and their number there.

        Cells of other movies count there, and have no row here.
        """
        here = np.flatnonzero((self.target == annotated) & (self.predicted == predicted))
        return sorted(self._rows(here, session)), len(here)

    def _rows(self, positions: npt.NDArray[np.intp], session: Session) -> dict[int, int]:
        found = {}
        for at in positions.tolist():
            with contextlib.suppress(InvalidInput):
                found[present_row(self.origins, at, session)] = at
        return found


def held_out_of(trained: Trained) -> HeldOut | None:
    """Return what a training tells of labels and confidences; on a thread, cleanlab takes a moment.

    None if it does not tell the labels.
    """
    from napari_interpdisc.discovery.audit import audit_labels
    from napari_interpdisc.discovery.evidence import held_out_reliability
    from napari_interpdisc.discovery.rashomon import members_of_discovery, rashomon_set

    found = trained.found
    if not len(found.target):
        return None
    return HeldOut(
        {kind: audit_labels(found, kind) for kind in found.heads},
        {kind: held_out_reliability(found, kind) for kind in found.heads},
        trained.origins,
        rashomon_set(
            members_of_discovery(found), found.classes, trained.latents, 1.0, trained.measured
        ),
    )


def told_place(origins: Origins, row: int, session: Session) -> str:
    """Which cell a row is: ``Cell 12, frame 3``, with the movie if it is not in the window."""
    name = f"Cell {origins.track[row]}"
    if origins.t[row] >= 0:
        name += f", frame {origins.t[row]}"
    own = session.frames is not None and str(origins.movie[row]) == movie_name(session)
    return name if own else f"{name} of {_short(str(origins.movie[row]))}"


def present_row(origins: Origins, row: int, session: Session) -> int:
    """Row, among the cells in the window, of a cell that was trained on.

    Raises
    ------
    InvalidInput
        If it is of another movie, or is not there any more.
    """
    encoding, movie = session.encoding, str(origins.movie[row])
    if encoding is None or session.frames is None:
        raise InvalidInput("There are no cells now: run the Cells widget to go to this one.")
    if movie != movie_name(session):
        raise InvalidInput(
            f"This cell is of {movie}: open that movie and run the Cells widget to go to it."
        )
    cells, where = encoding.cells, origins.yx[row]
    near = np.flatnonzero(cells.t == origins.t[row])
    distance = np.hypot(*(cells.yx[near] - where).T)
    # of several cells at one place, the one of the same track
    other = cells.track_id[near].astype(str) != origins.track[row]
    order = np.lexsort((other, distance))
    if not len(near) or distance[order[0]] > REACH * encoding.diameter:
        raise InvalidInput(
            f"{told_place(origins, row, session)} is not among the present cells; train again."
        )
    return int(near[order[0]])


def _short(movie: str) -> str:
    return movie.replace("\\", "/").rsplit("/", 1)[-1]
