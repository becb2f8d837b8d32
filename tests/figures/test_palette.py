import numpy as np

from napari_interpdisc.figures.palette import (
    DISAGREEMENT,
    class_colors,
    disagreement_colors,
    disagreement_level,
)
from napari_interpdisc.pipeline import UNSURE


def test_colours_are_distinct_and_stay() -> None:
    few = class_colors(["a", "b"])
    many = class_colors([f"c{i}" for i in range(12)])
    assert list(few) == ["a", "b", UNSURE]
    assert len(set(many.values())) == 13
    assert few["a"] == many["c0"]


def test_levels_of_disagreement_have_numbers_and_colours_of_rising_brightness() -> None:
    shares = np.array([0, 0.01, 0.1, 0.1 + 0.2, 1 / 3, 0.5, 0.51, 1, np.nan])
    assert disagreement_level(shares).tolist() == [0, 1, 1, 3, 4, 5, 6, 6, -1]
    two, three = disagreement_colors(2), disagreement_colors(3)
    assert list(two) == list(DISAGREEMENT[:6])
    assert list(three) == list(DISAGREEMENT)
    light = [0.2 * r + 0.7 * g + 0.1 * b for r, g, b, _ in three.values()]
    assert light == sorted(light)
