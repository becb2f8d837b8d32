"""Which cell to annotate next, and why. No Qt here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from napari_interpdisc._types import Float32Array
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.cell_model import class_index, confidence
from napari_interpdisc.models.store import installed_models
from napari_interpdisc.number_text import percent
from napari_interpdisc.pipeline import classify_encoding
from napari_interpdisc.widgets.session import Session

if TYPE_CHECKING:
    from napari_interpdisc.widgets.discover.results_panel import ResultsPanel

Order = Literal["automatic", "diversity", "uncertainty", "disagreement"]
"""Which cells to annotate first."""

BATCH = 10
"""Cells that are found at once where they are to be unlike each other."""

NOT_TRAINED = (
    "No head was trained on your labels yet: train one, or ask for cells unlike those that are "
    "labelled."
)
NOT_COMPARED = "Heads were not compared yet: train some on your labels."


@dataclass(frozen=True)
class OwnHead:
    """What a head that answers the analyst's question says of the present cells.

    Attributes
    ----------
    classes, scores
        Names of the K classes, and (N, K) logits; (N, 1) for two classes.
    is_shown
        Whether it is the head that colours the cells, and whose rivals were compared.
    """

    classes: tuple[str, ...]
    scores: Float32Array
    is_shown: bool


def own_head(session: Session, results: ResultsPanel, used: set[str]) -> OwnHead | None:
    """Return the latest head of the classes that are annotated, or None if there is none.

    It is one that was trained here, else one of the model in the window whose classes are the same;
    but none of a bundled model, which was trained on other labels.

    Parameters
    ----------
    session, results
        The cells and the model in the window, and what the last training found.
    used
        Classes that have annotations.
    """
    shown, encoding, found = session.classification, session.encoding, results.found
    if shown is None or encoding is None:
        return None
    if not used:
        return None
    trained_here = results.is_of(session.model) and found is not None
    is_own = trained_here or session.model.name not in installed_models()
    if is_own and used <= set(shown.classes):
        return OwnHead(shown.classes, shown.scores, True)
    if found is None or found.encoder_sha256 != encoding.encoder_sha256:
        return None
    if not used <= set(found.classes):
        return None
    result = classify_encoding(encoding, results.model(), next(iter(found.heads)))
    return OwnHead(result.classes, result.scores, False)


@dataclass(frozen=True)
class Suggestion:
    """A cell to annotate, and why it is asked for, as the end of a sentence."""

    row: int
    why: str


class Suggestions:
    """Cells to annotate next: at most one of each track, those that teach most first.

    As long as no head was trained on the labels, that is a cell which is typical of many and
    unlike those that are labelled; from then on, one of which the head is unsure.
    """

    def __init__(self) -> None:
        self._queue: list[Suggestion] = []
        self._of: tuple[object, ...] = ()
        self._given: set[int] = set()

    def next(
        self,
        session: Session,
        annotated: Mapping[int, str],
        by: Order = "automatic",
        own: OwnHead | None = None,
    ) -> Suggestion | None:
        """The next cell that was neither suggested nor annotated; None at the end.

        After the end, with new scores, and in another order, it begins anew.

        Parameters
        ----------
        session, annotated
            The cells, and the class of each row that is annotated.
        by
            Which cells come first.
        own
            The head that was trained on the labels, if there is one.

        Raises
        ------
        InvalidInput
            If there is no such head, or heads were not compared, and ``by`` needs it.
        """
        encoding = session.encoding
        if encoding is None:
            return None
        if by == "automatic":
            by = "diversity" if own is None else "uncertainty"
        apart = session.disagreement
        if by == "uncertainty" and own is None:
            raise InvalidInput(NOT_TRAINED)
        if by == "disagreement" and (apart is None or own is None or not own.is_shown):
            raise InvalidInput(NOT_COMPARED)
        of: tuple[object, ...] = (by, encoding)
        if by == "uncertainty" and own is not None:
            # the same head may be asked anew, and gives equal scores
            of = (*of, own.scores.tobytes() if not own.is_shown else id(own.scores))
        elif by == "disagreement":
            of = (*of, id(apart))
        if self._of != of:
            self._of, self._queue, self._given = of, [], set()
        for _ in range(2):
            while self._queue:
                found = self._queue.pop(0)
                if found.row not in annotated:
                    self._given.add(found.row)
                    return found
            if by != "diversity" and self._given:
                break
            self._fill(session, annotated, by, own)
        self._of = ()
        return None

    def _fill(
        self, session: Session, annotated: Mapping[int, str], by: Order, own: OwnHead | None
    ) -> None:
        from napari_interpdisc.discovery.suggest import most_disagreed, most_typical, most_uncertain

        encoding = session.encoding
        assert encoding is not None
        track_id = encoding.cells.track_id
        if by == "diversity":
            asked = np.isin(track_id, track_id[sorted(self._given)])
            out = np.flatnonzero(asked).tolist()
            typical = most_typical(encoding.latents, track_id, [*annotated], out, BATCH)
            self._queue = [
                Suggestion(
                    found.row,
                    f"typical of {percent(found.share)} of the cells, "
                    + (f"{found.labelled} of them labelled" if found.labelled else "none labelled"),
                )
                for found in typical
            ]
            return
        assert own is not None
        without = (~encoding.usable | np.isnan(own.scores).any(1)).nonzero()[0].tolist()
        left_out, n = sorted({*annotated, *without}), len(own.scores)
        if by == "uncertainty":
            sure, index = confidence(own.scores), class_index(own.scores)
            self._queue = [
                Suggestion(row, f"the head is unsure: {own.classes[index[row]]} {sure[row]:.2f}")
                for row in most_uncertain(own.scores, track_id, left_out, n)
            ]
            return
        apart = session.disagreement
        assert apart is not None
        self._queue = [
            Suggestion(row, f"{percent(float(apart[row]))} of the heads disagree with the others")
            for row in most_disagreed(apart, own.scores, track_id, left_out, n)
        ]
