"""Probabilities of classes from a table of results, without the image or the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import Float64Array
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.cell_model import class_probabilities
from napari_interpdisc.through_time.observed import (
    Observed,
    number_columns,
    observe,
    with_steps_checked,
)
from napari_interpdisc.through_time.order import place_of

if TYPE_CHECKING:
    from napari_interpdisc.cells import CellTable

SCORE = "score"


def observed_of_table(
    cells: CellTable, settings: Mapping[str, Any] | None = None
) -> tuple[Observed, str]:
    """Cells of a table that ``interpdisc classify`` wrote, and a sentence on what was taken.

    Parameters
    ----------
    cells
        The table as it was read, with its columns as ``extra``.
    settings
        The JSON file beside it, which names the classes in their order; they are told by the
        columns if it is not there.

    Notes
    -----
    Probabilities are made of the columns ``score_…``, or of ``score`` and the two classes. If there
    is no score, ``class`` alone is taken, as if it were certain: so a table of labels can be read.

    Raises
    ------
    InvalidInput
        If there is neither score nor class, or it is not known which class a score means; and as
        :func:`~napari_interpdisc.through_time.observed.observe` does.
    """
    given = (settings or {}).get("classes")
    if not isinstance(given, (list, tuple, type(None))):
        raise InvalidInput(
            f"'classes' is no list of names in the settings beside '{cells.source}'; write the "
            "table again, or leave the settings out."
        )
    named = tuple(map(str, given or ()))
    columns = cells.extra
    several = [name for name in columns if name.startswith(f"{SCORE}_")]
    if several:
        told = tuple(name.removeprefix(f"{SCORE}_") for name in several)
        classes = named if set(named) == set(told) else told
        scores = np.column_stack([_numbers(cells, f"{SCORE}_{name}") for name in classes])
        probabilities, source = class_probabilities(scores), "the scores"
    elif SCORE in columns:
        score = _numbers(cells, SCORE)
        classes = named if len(named) == 2 else _two_classes(cells, score)
        probabilities, source = class_probabilities(score[:, None]), "the score"
    elif "class" in columns:
        labels, missing = _labels(cells)
        present = tuple(sorted(set(labels[~missing]), key=place_of))
        classes = named if set(present) <= set(named) else present
        if len(classes) < 2:
            raise InvalidInput(f"'{cells.source}' has one class only ({', '.join(classes)}).")
        probabilities = np.array([[label == name for name in classes] for label in labels], float)
        probabilities[missing] = np.nan
        source = "the column 'class' alone, each taken for certain"
    else:
        raise InvalidInput(
            f"'{cells.source}' has no score and no class; give a table that interpdisc classify "
            f"wrote (it has {', '.join(cells.taken.columns or columns)})."
        )
    gone = np.isnan(probabilities.sum(1))  # with any score missing, a cell has no class
    probabilities = np.where(gone[:, None], np.nan, probabilities)
    observed = observe(cells, probabilities, classes, number_columns(columns))
    sentence = f"classes {', '.join(classes)} by {source}"
    if "diameter" in columns:
        diameter = float(np.nanmedian(_numbers(cells, "diameter")))
        observed = with_steps_checked(observed, cells, diameter)
    return observed, sentence


def _numbers(cells: CellTable, name: str) -> Float64Array:
    try:
        return np.asarray(cells.extra[name], float)
    except ValueError:
        raise InvalidInput(f"Column '{name}' of '{cells.source}' holds no numbers.") from None


def _labels(cells: CellTable) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    """The column ``class`` as text (N,), and where it is empty."""
    import pandas as pd

    values = pd.Series(np.asarray(cells.extra["class"], object))
    missing = values.isna() | (values.astype(str).str.strip() == "")
    return np.asarray(values.astype(str), object), np.asarray(missing, bool)


def _two_classes(cells: CellTable, score: Float64Array) -> tuple[str, str]:
    """Names of the first and of the second class: those below 0, and those from 0 on."""
    if "class" in cells.extra:
        labels, missing = _labels(cells)
        has = ~missing & ~np.isnan(score)
        sides = [sorted(set(labels[has & side])) for side in (score < 0, score >= 0)]
        if all(len(side) == 1 for side in sides) and sides[0] != sides[1]:
            return sides[0][0], sides[1][0]
    raise InvalidInput(
        f"'{cells.source}' does not tell which class its score means: keep the JSON file that "
        "interpdisc classify wrote beside it."
    )
