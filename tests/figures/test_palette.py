import numpy as np
import pytest

from napari_interpdisc.figures import palette
from napari_interpdisc.figures.palette import (
    DISAGREEMENT,
    class_colors,
    disagreement_colors,
    disagreement_level,
    keep_color,
)
from napari_interpdisc.pipeline import UNSURE


@pytest.fixture(autouse=True)
def new_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """No class has a colour yet."""
    monkeypatch.setattr(palette, "_places", {})


def test_a_class_has_one_colour_in_all_heads() -> None:
    two = class_colors(["Interphase", "Metaphase"])
    four = class_colors(["Interphase", "Prometaphase", "Metaphase", "Anaphase"])
    assert all(four[name] == two[name] for name in two)
    mine = class_colors(["mitotic", "Interphase", "metaphase"])
    assert mine["Interphase"] == two["Interphase"]
    assert mine["mitotic"] not in four.values()  # annotations and the overlay are told apart
    assert class_colors(["metaphase", "mitotic"])["mitotic"] == mine["mitotic"]


def test_what_is_shown_first_does_not_change_what_mitosis_looks_like() -> None:
    late = class_colors(["Anaphase", "Metaphase"])
    assert late["Metaphase"] == class_colors(["Interphase", "Metaphase"])["Metaphase"]


def test_colours_are_distinct_and_stay() -> None:
    few = class_colors(["a", "b"])
    many = class_colors([f"c{i}" for i in range(12)])
    assert list(few) == ["a", "b", UNSURE]
    assert len({*few.values(), *many.values()}) == 15
    assert class_colors(["b", "a"]) == few


def test_a_class_that_is_renamed_keeps_its_colour_unless_the_name_has_one() -> None:
    before = class_colors(["class 1", "class 2", "Metaphase"])
    keep_color("class 1", "round")
    keep_color("class 2", "Anaphase")
    after = class_colors(["round", "Anaphase", "Metaphase"])
    assert after["round"] == before["class 1"]
    assert after["Anaphase"] == class_colors(["Anaphase"])["Anaphase"] != before["class 2"]
    keep_color("round", "Metaphase")
    assert class_colors(["Metaphase"])["Metaphase"] == before["Metaphase"]


def test_classes_that_are_seen_together_differ_however_many_there_were() -> None:
    for i in range(50):
        class_colors([f"before {i}"])
    assert len(set(class_colors(["before 0", "before 21", "before 42"]).values())) == 4
    assert len(class_colors([f"class {i}" for i in range(60)])) == 61


def test_levels_of_disagreement_have_numbers_and_colours_of_rising_brightness() -> None:
    shares = np.array([0, 0.01, 0.1, 0.1 + 0.2, 1 / 3, 0.5, 0.51, 1, np.nan])
    assert disagreement_level(shares).tolist() == [0, 1, 1, 3, 4, 5, 6, 6, -1]
    two, three = disagreement_colors(2), disagreement_colors(3)
    assert list(two) == list(DISAGREEMENT[:6])
    assert list(three) == list(DISAGREEMENT)
    light = [0.2 * r + 0.7 * g + 0.1 * b for r, g, b, _ in three.values()]
    assert light == sorted(light)
