"""Which movie an annotation layer is of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Points

from napari_interpdisc.widgets.canvas.annotation_home import (
    bring_back,
    home_key,
    image_name,
    is_aside,
    is_of,
    note_home,
    note_pixels,
    set_aside,
)
from napari_interpdisc.widgets.canvas.annotation_layer import is_annotations
from napari_interpdisc.widgets.canvas.layers import frames_from_layer

PIXELS = np.arange(3 * 8 * 9.0).reshape(3, 8, 9)


@pytest.fixture
def viewer() -> Any:
    made: Any = ViewerModel()
    made.add_image(PIXELS, name="A")
    made.add_points([[0, 1, 2]], name="cells of A")
    made.add_image(PIXELS + 1, name="B")
    made.add_points([[0, 1, 2]], name="cells of B")
    return made


@pytest.fixture
def layer(viewer: Any) -> Any:
    """Annotations of A."""
    made = Points([[0, 1, 2]], features={"class": ["round"]}, name="Annotations")
    made.metadata["interpdisc"] = {"role": "annotations", "classes": ["round"]}
    image = viewer.layers["A"]
    note_home(made, image, viewer.layers["cells of A"], frames_from_layer(image))
    return made


def belongs(layer: Any, viewer: Any, image: Any, cells: str | None) -> bool:
    where = None if cells is None else viewer.layers[cells]
    return is_of(layer, viewer, image, where, frames_from_layer(image))


@pytest.mark.parametrize(
    ("image", "cells", "expected"),
    [
        ("A", "cells of A", True),
        ("A", "cells of B", True),
        ("A", None, True),
        ("B", "cells of A", True),
        ("B", "cells of B", False),
        ("B", None, False),
    ],
)
def test_image_or_cells_must_be_the_same(
    viewer: Any, layer: Any, image: str, cells: str | None, expected: bool
) -> None:
    assert belongs(layer, viewer, viewer.layers[image], cells) == expected


def test_an_image_of_another_shape_is_another(viewer: Any, layer: Any) -> None:
    larger = viewer.add_image(np.zeros((4, 8, 9)), name="A")
    assert not belongs(layer, viewer, larger, "cells of A")


def test_an_image_that_was_opened_again_is_known_by_its_pixels(viewer: Any, layer: Any) -> None:
    viewer.add_layer(layer)
    first = viewer.layers["A"]
    again, other = Image(PIXELS.copy(), name="again"), Image(PIXELS + 2, name="A")
    assert not belongs(layer, viewer, again, None), "the first one is there, and is another layer"
    note_pixels(viewer.layers, first)
    viewer.layers.remove(first)
    assert belongs(layer, viewer, again, None)
    assert not belongs(layer, viewer, other, None)


def test_an_image_whose_pixels_are_not_known_is_known_by_file_and_name(
    viewer: Any, layer: Any
) -> None:
    layer.metadata["interpdisc"]["of"]["path"] = "/data/a.tif"
    viewer.layers.remove("A")
    again = Image(PIXELS, name="A")
    assert not belongs(layer, viewer, again, None)
    again._source = type(again.source)(path="/data/a.tif")
    assert belongs(layer, viewer, again, None)
    again.name = "another scene of that file"
    assert not belongs(layer, viewer, again, None)


def test_a_layer_that_was_saved_and_opened_is_of_any_image_of_its_shape(
    viewer: Any, layer: Any
) -> None:
    layer.metadata["interpdisc"]["of"]["process"] = "of yesterday"
    assert belongs(layer, viewer, viewer.layers["B"], "cells of B")
    assert not belongs(layer, viewer, Image(np.zeros((4, 8, 9))), "cells of B")


@pytest.mark.parametrize("note", [None, {}, {"of": 3}, {"of": {"shape": 3}}])
def test_without_a_note_nobody_knows(viewer: Any, note: Any) -> None:
    plain = Points([[0, 1, 2]], metadata={"interpdisc": note})
    assert belongs(plain, viewer, viewer.layers["B"], "cells of B")
    assert (image_name(plain), home_key(plain)) == ("", "")


def test_set_aside_it_is_hidden_and_says_of_what_it_is(layer: Any) -> None:
    set_aside(layer)
    assert is_aside(layer)
    assert not is_annotations(layer)
    assert (layer.name, layer.visible) == ("Annotations of 'A'", False)
    assert image_name(layer) == "A"
    bring_back(layer)
    assert is_annotations(layer)
    assert not is_aside(layer)
    assert (layer.name, layer.visible) == ("Annotations", True)
