from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from napari_interpdisc.cells import CellTable
from napari_interpdisc.pipeline import Encoding
from napari_interpdisc.widgets.parts.wording import cell_name, class_of, score_of, verdict

TWO, THREE = ("Interphase", "Metaphase"), ("a", "b", "c")


@pytest.mark.parametrize(
    ("classes", "scores", "text"),
    [
        (TWO, [2.314], "Metaphase +2.31"),
        (TWO, [-0.5], "Interphase −0.50"),
        (TWO, [0.0], "Metaphase 0.00"),
        (THREE, [0.1, 1.5, -3], "b +1.50"),
        (THREE, [-2, -3, -1], "c −1.00"),
        (TWO, [float("nan")], "– (no value)"),
        (THREE, [1, float("nan"), 0], "– (no value)"),
    ],
)
def test_class_and_score_of_one_cell(
    classes: tuple[str, ...], scores: list[float], text: str
) -> None:
    assert verdict(classes, scores) == text
    assert text.startswith(class_of(classes, np.array(scores)))
    np.testing.assert_equal(score_of(scores), float(np.max(scores)))


def test_a_cell_is_told_by_its_track_and_in_a_movie_by_its_frame() -> None:
    cells = CellTable.from_arrays([0, 3], np.ones((2, 2)), [5, 12])
    encoding = cast("Encoding", SimpleNamespace(cells=cells))
    assert cell_name(encoding, 1, is_movie=True) == "Cell 12, frame 3"
    assert cell_name(encoding, 0, is_movie=False) == "Cell 5"


def test_no_text_has_a_hyphen_for_a_minus() -> None:
    words: Any = [verdict(TWO, [-x]) for x in (0.004, 1, 12.5)]
    assert not [word for word in words if "-" in word]
