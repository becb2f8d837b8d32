"""Labels to look at again: those that heads which did not see them contradict.

Ranked by cleanlab (confident learning, Northcutt, Jiang and Chuang 2021) from held-out
probabilities.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from napari_interpdisc._types import Float64Array
from napari_interpdisc.discovery.origins import Origins
from napari_interpdisc.discovery.results import Discovery, Kind
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.cell_model import class_probabilities


@dataclass(frozen=True)
class LabelAudit:
    """How well each label fits what heads that did not see it say.

    Attributes
    ----------
    classes
        Names of the K classes.
    rows
        (N,) positions of the labelled cells among those that were tested on, the most doubtful
        label first.
    labelled, suggested
        (N,) class that was given, and the one that held-out heads give.
    quality
        (N,) how well the label fits, 0–1, rising.
    doubtful
        (N,) whether cleanlab takes the label for wrong.
    """

    classes: tuple[str, ...]
    rows: npt.NDArray[np.intp]
    labelled: npt.NDArray[np.int64]
    suggested: npt.NDArray[np.int64]
    quality: Float64Array
    doubtful: npt.NDArray[np.bool_]

    def sentence(self) -> str:
        """How many labels are worth another look."""
        n, off = int(self.doubtful.sum()), int((self.labelled != self.suggested).sum())
        if not n and off:
            one = off == 1
            return (
                f"None of {len(self.rows)} labels is taken for wrong; heads that did not see "
                f"{'it' if one else 'them'} call {off} otherwise."
            )
        if not n:
            return f"None of {len(self.rows)} labels is contradicted by heads that did not see it."
        return (
            f"{n} of {len(self.rows)} labels {'is' if n == 1 else 'are'} contradicted by heads "
            "that did not see them; look again."
        )


def audit_table(found: LabelAudit, origins: Origins) -> pd.DataFrame:
    """One row per labelled cell, by rising quality of its label.

    Parameters
    ----------
    found
        The audit.
    origins
        Where the cells are that were tested on: ``found.rows`` are positions in it.

    Returns
    -------
    Columns movie, track, frame, y, x (image pixels), label, suggested, quality and doubtful; row,
    in place of track to x, for cells of an archive of crops. What is not known is empty.
    """
    order = np.argsort(found.quality, kind="stable")
    where = origins.take(found.rows[order])
    table = pd.DataFrame({"movie": where.movie})
    if (where.row >= 0).any():
        table["row"] = pd.array(where.row, "Int64").astype("Int64")
    else:
        table["track"] = where.track
        table["frame"] = pd.Series(where.t, dtype="Int64").mask(where.t < 0)
        table["y"], table["x"] = where.yx.T.round(2)
    names = np.array(found.classes, object)
    table["label"] = names[found.labelled[order]]
    table["suggested"] = names[found.suggested[order]]
    table["quality"] = found.quality[order].round(4)
    table["doubtful"] = found.doubtful[order]
    return table


def audit_labels(found: Discovery, kind: Kind | None = None) -> LabelAudit:
    """Rank the labels of a training by how well held-out heads of one kind agree with them.

    Parameters
    ----------
    found
        The training.
    kind
        Kind of heads to ask; the first that was trained if left out.

    Raises
    ------
    InvalidInput
        If the training does not tell the labels, or has no such heads.
    """
    kinds = list(found.heads)
    chosen = kind or kinds[0]
    if chosen not in found.heads:
        raise InvalidInput(f"No {chosen} head was trained; there are {', '.join(kinds)}.")
    if not len(found.target):
        raise InvalidInput("This training does not tell the labels; train again.")
    known = np.flatnonzero(found.target >= 0)
    return audit(
        class_probabilities(found.heads[chosen].logits[known]),
        found.target[known],
        found.classes,
        known,
    )


def audit(
    probabilities: Float64Array,
    labels: npt.NDArray[np.int64],
    classes: tuple[str, ...],
    rows: npt.NDArray[np.intp] | None = None,
) -> LabelAudit:
    """Rank labels (N,) by held-out probabilities (N, K).

    ``rows`` are the (N,) positions to tell; 0 to N − 1 if left out.
    """
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    n_classes = probabilities.shape[1]
    # cleanlab takes classes for those that occur
    occur = np.unique(labels)
    place = np.searchsorted(occur, labels)
    inside = probabilities[:, occur]
    inside = inside / inside.sum(1, keepdims=True).clip(1e-12)
    assert n_classes == len(classes)
    quality = np.asarray(get_label_quality_scores(place, inside), np.float64)
    doubtful = np.zeros(len(labels), bool)
    if len(occur) > 1:
        with warnings.catch_warnings():
            # says so of a class with fewer than five cells
            warnings.filterwarnings("ignore", "May not flag all label issues", UserWarning)
            doubtful = np.asarray(find_label_issues(place, inside, n_jobs=1), bool)
    suggested = probabilities.argmax(1)
    order = np.lexsort((quality, ~doubtful))
    at = np.arange(len(labels)) if rows is None else rows
    return LabelAudit(
        classes, at[order], labels[order], suggested[order], quality[order], doubtful[order]
    )
