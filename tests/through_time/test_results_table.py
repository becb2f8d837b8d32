"""Probabilities of classes from a table: of scores, of one score, of labels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_interpdisc.cells import CellTable
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.through_time.results_table import observed_of_table


def table(**columns: object) -> CellTable:
    n = len(next(iter(columns.values())))  # type: ignore[arg-type]
    return CellTable.from_arrays(
        np.arange(n), np.zeros((n, 2)), np.ones(n), source="cells.csv", extra=columns
    )


def test_scores_of_several_classes() -> None:
    cells = table(score_B=[0.0, 2.0, 1.0], score_A=[np.log(3), 0.0, np.nan], score_C=[-50.0] * 3)
    found, said = observed_of_table(cells)
    assert found.classes == ("B", "A", "C")
    assert said == "classes B, A, C by the scores"
    np.testing.assert_allclose(found.probabilities[0], [0.25, 0.75, 0], atol=1e-9)
    assert found.index.tolist() == [1, 0, -1]
    assert observed_of_table(cells, {"classes": ["A", "B", "C"]})[0].classes == ("A", "B", "C")
    assert set(found.columns) == {"score_A", "score_B", "score_C", "y", "x"}


def test_one_score_means_what_the_classes_say() -> None:
    labels = ["Metaphase", "Interphase", "Metaphase"]
    cells = table(**{"class": labels, "score": [1.0, -1.0, 0.0]})
    found, _ = observed_of_table(cells)
    assert found.classes == ("Interphase", "Metaphase")
    assert found.index.tolist() == [1, 0, 1]
    assert found.probabilities[0, 1] == pytest.approx(1 / (1 + np.exp(-1)))
    named, _ = observed_of_table(cells, {"classes": ["off", "on"]})
    assert named.classes == ("off", "on")
    only_one = table(**{"class": labels[:1] * 2, "score": [1.0, 2.0]})
    with pytest.raises(InvalidInput, match="does not tell which class its score means: keep the J"):
        observed_of_table(only_one)


def test_labels_alone_are_taken_for_certain_and_that_is_said() -> None:
    cells = table(**{"class": pd.array(["I", None, "M", " "], object), "area": [1, 2, 3, 4]})
    found, said = observed_of_table(cells)
    assert said == "classes I, M by the column 'class' alone, each taken for certain"
    assert found.index.tolist() == [0, -1, 1, -1]
    assert list(found.columns) == ["area", "y", "x"]


def test_phases_of_mitosis_stand_in_their_order() -> None:
    cells = table(**{"class": ["Metaphase", "Anaphase", "Blob", "Interphase"]})
    assert observed_of_table(cells)[0].classes == ("Interphase", "Metaphase", "Anaphase", "Blob")


def test_tables_without_classes_are_refused() -> None:
    with pytest.raises(InvalidInput, match="no score and no class; give a table that interpdisc"):
        observed_of_table(table(area=[1, 2]))
    with pytest.raises(InvalidInput, match="has one class only"):
        observed_of_table(table(**{"class": ["I", "I"]}))
    with pytest.raises(InvalidInput, match=r"'score' of 'cells.csv' holds no numbers"):
        observed_of_table(table(score=["high", "low"]))
    with pytest.raises(InvalidInput, match=r"'classes' is no list of names .* 'cells.csv'"):
        observed_of_table(table(score=[1.0, 2.0]), {"classes": 1e19})


def test_cells_that_jump_are_told_by_their_diameter() -> None:
    columns = {"class": ["I", "M"] * 2, "diameter": [10.0] * 4}
    yx = np.array([[0, 0], [0, 1], [0, 60], [0, 61]], float)
    cells = CellTable.from_arrays(np.arange(4), yx, np.ones(4), source="cells.csv", extra=columns)
    with pytest.raises(InvalidInput, match=r"33 % of the steps along tracks of 'cells.csv'"):
        observed_of_table(cells)
