from napari_interpdisc.figures.palette import class_colors
from napari_interpdisc.pipeline import UNSURE


def test_colours_are_distinct_and_stay() -> None:
    few = class_colors(["a", "b"])
    many = class_colors([f"c{i}" for i in range(12)])
    assert list(few) == ["a", "b", UNSURE]
    assert len(set(many.values())) == 13
    assert few["a"] == many["c0"]
